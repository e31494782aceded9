"""Linear combinations of noisy numbers: their values, and how far noise can move them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from dialect.algebra.expressions import Expr, Field, Literal, Ref
from dialect.catalog.catalog import SqlType
from dialect.functions.builders import double

ZERO = Literal(0.0, SqlType.DOUBLE)
ONE = Literal(1.0, SqlType.DOUBLE)
Variances = Mapping[str, float | Expr]  # by the ids of noisy numbers; an expression where it differs from row to row


@dataclass(frozen=True)
class Linear:
    """A constant part and coefficients of raw noisy numbers, or of sums of them (`proofs.md#noise-followed`)."""

    constant: Expr
    terms: tuple[tuple[Field, Expr], ...]

    def value(self) -> Expr:
        """Write its value."""
        total = self.constant
        for raw, coefficient in self.terms:
            total = plus(total, times(coefficient, Ref(raw)))
        return total

    def may_be_negative(self, positive: frozenset[Field]) -> bool:
        """Tell whether it may be below 0 when the numbers named are not."""
        weights = [self.constant] + [coefficient for _, coefficient in self.terms]
        weighed = all(isinstance(w, Literal) and isinstance(w.value, int | float) and w.value >= 0 for w in weights)
        return not weighed or any(raw not in positive for raw, _ in self.terms)

    def keeps_shares(self) -> bool:
        """Tell whether it is off by no larger a share of itself than the numbers in it, none below 0, are of theirs."""
        scaled = len(self.terms) == 1 and self.constant == ZERO
        return scaled or not self.may_be_negative(frozenset(raw for raw, _ in self.terms))

    def variance(self, variances: Variances) -> Expr:
        """Write a bound of the variance: exact, but where two numbers may or may not hold the same noise."""
        total = self.covariance(self, variances)
        for one, other in self._twins(self):
            total = plus(total, _together(one, other, variances))
        return total

    def covariance(self, other: Linear, variances: Variances) -> Expr:
        """Write the covariance with another one, different numbers being independent of each other."""
        theirs = dict(other.terms)
        total: Expr = ZERO
        for raw, coefficient in self.terms:
            if raw in theirs:
                total = plus(total, times(times(coefficient, theirs[raw]), _expr(variances[raw.id])))
        return total

    def shares_noise(self, other: Linear) -> bool:
        """Tell whether different numbers of the two may hold one noise: rows of a release that is read twice."""
        return any(True for _ in self._twins(other))

    def _twins(self, other: Linear) -> Iterator[tuple[tuple[Field, Expr], tuple[Field, Expr]]]:
        for one in self.terms:
            for two in other.terms:
                mine, theirs = one[0], two[0]
                alike = mine != theirs and mine.origin is not None and mine.origin == theirs.origin
                if alike and not _of_two_rows(mine, theirs):
                    yield one, two


def _of_two_rows(one: Field, other: Field) -> bool:
    """Tell whether two numbers of one release are of different rows, each row with noise of its own."""
    first, second = one.shifted, other.shifted
    if first is None or second is None:
        moved, still = (second, one) if first is None else (first, other)
        return moved is not None and moved.raw == still.id and moved.rows != 0
    return (first.raw, first.window) == (second.raw, second.window) and first.rows != second.rows


def _together(one: tuple[Field, Expr], other: tuple[Field, Expr], variances: Variances) -> Expr:
    """Bound what two numbers add to a variance, each pair met both ways: they hold one noise, or different ones."""
    weights, mine, theirs = times(one[1], other[1]), variances[one[0].id], variances[other[0].id]
    if isinstance(mine, float) and isinstance(theirs, float):
        if isinstance(weights, Literal):
            return times(weights, _expr(mine)) if (_number(weights) or 0.0) > 0 else ZERO
        return times(double("greatest", weights, ZERO), _expr(mine))
    spread = double("sqrt", times(_expr(mine), _expr(theirs)))
    return times(double("abs", weights), spread)


def _expr(variance: float | Expr) -> Expr:
    return Literal(variance, SqlType.DOUBLE) if isinstance(variance, float) else variance


def plus(one: Expr, other: Expr) -> Expr:
    """Write a sum, leaving zeros out."""
    if one == ZERO:
        return other
    return one if other == ZERO else double("+", one, other)


def times(one: Expr, other: Expr) -> Expr:
    """Write a product, leaving ones and zeros out, and constants multiplied."""
    if ZERO in (one, other):
        return ZERO
    if one == ONE:
        return other
    if other == ONE:
        return one
    known, more = _number(one), _number(other)
    if known is not None and more is not None and math.isfinite(known * more):
        return Literal(known * more, SqlType.DOUBLE)
    return double("*", one, other)


def _number(expr: Expr) -> float | None:
    value = expr.value if isinstance(expr, Literal) else None
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
