"""Random histories of clients and admins: the ledger never differs from a model tree of fifty lines."""

from __future__ import annotations

from collections import Counter

from tests.budgets.test_tree_model import STEPS, follow
from tests.nightly.search import EXAMPLES, drawn

HISTORIES = 200  # of a chunk


def chunk(number: int, examples: int = HISTORIES, *, smaller: bool = True) -> Counter[str]:
    """Follow some histories."""
    counted: Counter[str] = Counter()

    def look(history: list[tuple[object, ...]]) -> None:
        follow(history)
        counted[EXAMPLES] += 1
        counted["steps"] += len(history)

    drawn(STEPS, number, examples, look, smaller=smaller)
    return counted
