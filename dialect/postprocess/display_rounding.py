"""Display rounding: how far a shown whole number may lie from the noisy number it was rounded from.

Functions such as ROUND move a number, and so does the rounding of counts with fractional grains.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from dialect.algebra.expressions import Call, Expr, Field, Literal, Ref, expand
from dialect.algebra.formulas import CountOf, MeanOf, MomentsOf, QuantileOf
from dialect.algebra.release_plan import Question
from dialect.catalog.model import SqlType
from dialect.functions.registry import function

HALF = 0.5
_MOST_DIGITS = 300  # powers of ten up to here are finite floats


@dataclass(frozen=True)
class Rounding:
    """Upper bound on the rounding distance, in the unit of the shown number."""

    by_functions: float = 0.0
    by_release: Mapping[str, float] = field(default_factory=dict)  # raw field id -> distance if in fractional grains

    def most(self, parted: Collection[str]) -> float:
        """Return the bound, given the raw noisy numbers that have fractional grains."""
        return self.by_functions + sum(most for raw, most in self.by_release.items() if raw in parted)

    def plus(self, other: Rounding) -> Rounding:
        """Return the bound for a sum or difference."""
        both = dict(self.by_release)
        for raw, most in other.by_release.items():
            both[raw] = both.get(raw, 0.0) + most
        return Rounding(self.by_functions + other.by_functions, both)

    def times(self, weight: float) -> Rounding:
        """Return the bound for a multiple."""
        scaled = {raw: most * abs(weight) for raw, most in self.by_release.items()}
        return Rounding(self.by_functions * abs(weight), scaled)


NOTHING = Rounding()


def rounding(question: Question) -> tuple[Rounding | None, ...]:
    """Bound the rounding distance of every output column; None if it depends on keys or public columns."""
    known = rounded_outputs(question)
    return tuple(moved(expand(Ref(shown.field)), known) for shown in question.columns)


def rounded_outputs(question: Question) -> dict[Field, Rounding | None]:
    """Map released numbers to their rounding before use; None for sums over them."""
    unknown = [made.field for made in question.sums] + [made.field for made in question.gathered]
    return {**dict(_rounded_outputs(question)), **dict.fromkeys(unknown)}


def _rounded_outputs(question: Question) -> Iterator[tuple[Field, Rounding]]:
    for release in question.releases:
        vectors = question.plans[release.plan].vectors
        for output in release.outputs:
            formula = output.formula
            if isinstance(formula, MeanOf | MomentsOf | QuantileOf):
                continue
            if isinstance(formula, CountOf) or vectors[formula.vector].whole:
                yield output.field, Rounding(0.0, {release.raw[formula.vector].id: HALF})


def moved(expr: Expr, known: Mapping[Field, Rounding | None]) -> Rounding | None:
    """Bound the rounding distance of an expression; None if it depends on keys or public columns."""
    if isinstance(expr, Ref):
        return known.get(expr.field, NOTHING)
    if not isinstance(expr, Call):
        return NOTHING if isinstance(expr, Literal) else None
    parts = [moved(argument, known) for argument in expr.arguments]
    told = [part for part in parts if part is not None]
    if len(told) < len(parts):
        return None
    name = function(expr.function).name
    if name in ("to_bigint", "round", "to_decimal"):
        return told[0].plus(Rounding(_step(expr)))
    if name in ("+", "-"):
        return told[0].plus(told[1])
    if name in ("*", "/"):
        return _multiple(expr, name, told)
    if name in ("to_double", "nullif", "negative"):
        return told[0]
    return NOTHING if all(part == NOTHING for part in told) else None


def _step(call: Call) -> float:
    """Return half of the step that a function rounds to."""
    last = call.arguments[-1]  # number of decimal digits
    digits = last.value if len(call.arguments) > 1 and isinstance(last, Literal) else 0
    whole = call.arguments[0].type is SqlType.BIGINT
    if not isinstance(digits, int) or (whole and digits >= 0):
        return 0.0  # rounding to NULL digits returns NULL
    return HALF * 10.0 ** max(-_MOST_DIGITS, min(_MOST_DIGITS, -digits))


def _multiple(call: Call, name: str, told: list[Rounding]) -> Rounding | None:
    one, other = told
    if one == NOTHING == other:
        return NOTHING
    if other == NOTHING and (weight := _number(call.arguments[1])) is not None:
        return one.times(weight) if name == "*" else one.times(1 / weight) if weight else None
    if name == "*" and one == NOTHING and (weight := _number(call.arguments[0])) is not None:
        return other.times(weight)
    return None


def _number(expr: Expr) -> float | None:
    if isinstance(expr, Literal) and isinstance(expr.value, int | float):
        return float(expr.value)
    return None
