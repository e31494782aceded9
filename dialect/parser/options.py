"""Options of the privacy clause, typed: privacy parameters that one query sets over the catalog's defaults.

Decimal text is read as an exact fraction of limited size.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction

from dialect.errors import Span

_MAX_DIGITS = 40


def parse_decimal(text: str) -> Fraction | None:
    """Parse a decimal number exactly; None where it is not one, or too large.

    The size is checked before the fraction is built: 1e999999999 would fill memory.
    """
    try:
        exact = Decimal(text)
    except ArithmeticError:
        return None
    if not exact.is_finite() or abs(exact.adjusted()) > _MAX_DIGITS or len(exact.as_tuple().digits) > _MAX_DIGITS:
        return None
    return Fraction(exact)


_AMOUNT = re.compile(r"(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?(?P<share>%)?", re.ASCII)
_MIN_TARGET, _MAX_TARGET = Fraction(1, 10**12), Fraction(10**15)


class KeyHandling(StrEnum):
    """How group keys are treated."""

    PUBLIC = "public"  # refuse the query where no public key set is known
    PRIVATE = "private"  # partition selection by threshold, even where a public key set is known


class IntervalCoverage(StrEnum):
    """What the confidence level of a query refers to."""

    EACH = "each"  # each interval on its own
    SIMULTANEOUS = "simultaneous"  # all intervals of the answer jointly


@dataclass(frozen=True)
class TargetError:
    """Target error of a query: the largest half-width of its confidence intervals."""

    amount: Fraction  # in each column's unit; if relative, a share of the client's stored value
    relative: bool = False

    def __str__(self) -> str:
        """Return the target as it is written in the clause: '50' or '5%'."""
        return f"{float(self.amount * 100):g}%" if self.relative else f"{float(self.amount):g}"


def parse_target_error(text: str) -> TargetError | None:
    """Parse a target error: an amount such as `50`, or a share such as `5%`; None for anything else."""
    match = _AMOUNT.fullmatch(text)
    exact = parse_decimal(text.rstrip("%")) if match is not None else None
    if match is None or exact is None:
        return None
    relative = match["share"] is not None
    amount = exact / 100 if relative else exact
    return TargetError(amount, relative) if _MIN_TARGET <= amount <= (1 if relative else _MAX_TARGET) else None


@dataclass(frozen=True)
class Options:
    """Options of a query; None means the catalog's default."""

    epsilon: Fraction | None = None  # of the complete query, at the dataset's delta
    delta: Fraction | None = None  # of all partition selection thresholds of the query
    rho: Fraction | None = None  # of the complete query
    max_groups: int | None = None  # group truncation: groups that one person contributes to
    max_rows: int | None = None  # row truncation: rows that one person contributes
    keys: KeyHandling | None = None
    confidence: float | None = None
    intervals: IntervalCoverage | None = None
    target_error: TargetError | None = None  # replaces a price
    consistent: bool = False  # hierarchical consistency
    others: bool = False  # with private keys: groups for the rows of keys that are not released
    spans: Mapping[str, Span] = field(default_factory=dict, compare=False)  # option name -> its span

    def span(self, *names: str) -> Span | None:
        """Return the span of the first of these options that the query sets."""
        return next((self.spans[name] for name in names if name in self.spans), None)


NO_OPTIONS = Options()
