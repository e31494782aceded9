"""Decimal text -> an exact number, of a size that somebody may mean."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

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
