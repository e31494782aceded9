"""Spenders killed at named steps and at random instants, on SQLite and on PostgreSQL; a server that crashes under them."""

from __future__ import annotations

from collections import Counter

from tests.nightly.search import EXAMPLES
from tests.support.ledger.kill_rounds import kill

ROUNDS = {"sqlite": 8, "postgres": 8, "crash": 2}  # on one ledger, one after another: each goes on where the last ended
SPENDERS = 3


def chunk(number: int) -> Counter[str]:
    """Kill the spenders of some rounds on both stores; raises AssertionError with what was lost."""
    counted = Counter[str]()
    for kind, rounds in ROUNDS.items():
        told = kill(kind, number, rounds, SPENDERS)
        counted[f"kills on {'postgres, which crashed too' if kind == 'crash' else kind}"] += told.kills
        counted["charges acknowledged"] += sum(map(len, told.charged.values()))
        counted["results acknowledged"] += len(told.settled)
        counted[EXAMPLES] += told.kills
    return counted
