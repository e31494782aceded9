"""What one question asks of its own privacy, over what the catalog says: the clause, read and typed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction

from dialect.errors import Span


class KeysAre(StrEnum):
    """How group keys are to be treated."""

    PUBLIC = "public"  # refuse the question where no public list of them is known
    PRIVATE = "private"  # let them reach a threshold, even where one is known


@dataclass(frozen=True)
class Options:
    """The options of a question; None is the catalog's."""

    epsilon: Fraction | None = None  # of the whole question, at the dataset's delta
    delta: Fraction | None = None  # of the thresholds of the whole question
    rho: Fraction | None = None  # of the whole question
    max_groups: int | None = None  # groups that one person counts in
    max_rows: int | None = None  # rows that one person counts with
    keys: KeysAre | None = None
    confidence: float | None = None
    spans: Mapping[str, Span] = field(default_factory=dict, compare=False)  # by the option's name

    def span(self, *names: str) -> Span | None:
        """Find where the first of these options stands."""
        return next((self.spans[name] for name in names if name in self.spans), None)


NO_OPTIONS = Options()
