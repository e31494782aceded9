"""Options of the privacy clause, typed: what one question sets of its own privacy, over the catalog's defaults.

Decimal text is read as an exact number, of a size that somebody may mean.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction

from dialect.errors import Span

_MOST_DIGITS = 40


def decimal(text: str) -> Fraction | None:
    """Read a decimal number exactly; None for what is none, and before any huge power of ten is built."""
    try:
        exact = Decimal(text)
    except ArithmeticError:
        return None
    if not exact.is_finite() or abs(exact.adjusted()) > _MOST_DIGITS or len(exact.as_tuple().digits) > _MOST_DIGITS:
        return None
    return Fraction(exact)


_AMOUNT = re.compile(r"(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?(?P<share>%)?", re.ASCII)
_LEAST, _MOST = Fraction(1, 10**12), Fraction(10**15)


class KeysAre(StrEnum):
    """How group keys are to be treated."""

    PUBLIC = "public"  # refuse the question where no public list of them is known
    PRIVATE = "private"  # let them reach a threshold, even where one is known


class IntervalsAre(StrEnum):
    """What a question's confidence is of."""

    EACH = "each"  # of each interval by itself
    SIMULTANEOUS = "simultaneous"  # of all intervals of the answer together


@dataclass(frozen=True)
class TargetError:
    """How exact shown numbers are to be: the largest half-width of their intervals."""

    amount: Fraction  # in the unit of each column; of a relative one, a share of what the asker holds
    relative: bool = False

    def __str__(self) -> str:
        """Write it as it is asked for."""
        return f"{float(self.amount * 100):g}%" if self.relative else f"{float(self.amount):g}"


def target_error(text: str) -> TargetError | None:
    """Read 50, or 5% of what is held already; None for what is no target."""
    found = _AMOUNT.fullmatch(text)
    exact = decimal(text.rstrip("%")) if found is not None else None
    if found is None or exact is None:
        return None
    relative = found["share"] is not None
    amount = exact / 100 if relative else exact
    return TargetError(amount, relative) if _LEAST <= amount <= (1 if relative else _MOST) else None


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
    intervals: IntervalsAre | None = None
    target_error: TargetError | None = None  # instead of a price
    consistent: bool = False  # levels of a hierarchy are to agree
    spans: Mapping[str, Span] = field(default_factory=dict, compare=False)  # by the option's name

    def span(self, *names: str) -> Span | None:
        """Find where the first of these options stands."""
        return next((self.spans[name] for name in names if name in self.spans), None)


NO_OPTIONS = Options()
