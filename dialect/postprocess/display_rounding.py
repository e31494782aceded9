"""Display rounding: how far a shown whole number may lie from the noisy number it was rounded from.

Functions such as ROUND move a number, and so does the rounding of counts with fractional grains.

Terms: a raw number is one noisy number of a query vector. Its grains are fractional if its steps are not whole numbers:
a count is then rounded when it is shown. A distance of None means unknown.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from dialect.algebra.expressions import Call, Expr, Field, Literal, Ref
from dialect.algebra.formulas import CountOf, MeanOf, MomentsOf, QuantileOf
from dialect.algebra.release_plan import QueryOverReleases
from dialect.catalog.model import SqlType
from dialect.functions.registry import OVERLOADS
from dialect.functions.signatures import Effect

HALF = 0.5
_MAX_DIGITS = 300  # powers of ten up to here are finite floats


@dataclass(frozen=True)
class RoundingDistance:
    """Upper bound on the rounding distance, in the unit of the shown number."""

    by_functions: float = 0.0
    by_release: Mapping[str, float] = field(default_factory=dict)  # raw field id -> distance if in fractional grains

    def bound(self, fractional: Collection[str]) -> float:
        """Return the bound, given the raw noisy numbers that have fractional grains."""
        return self.by_functions + sum(distance for raw, distance in self.by_release.items() if raw in fractional)

    def plus(self, other: RoundingDistance) -> RoundingDistance:
        """Return the bound for a sum or difference."""
        both = dict(self.by_release)
        for raw, distance in other.by_release.items():
            both[raw] = both.get(raw, 0.0) + distance
        return RoundingDistance(self.by_functions + other.by_functions, both)

    def times(self, weight: float) -> RoundingDistance:
        """Return the bound for a multiple."""
        scaled = {raw: distance * abs(weight) for raw, distance in self.by_release.items()}
        return RoundingDistance(self.by_functions * abs(weight), scaled)


NO_ROUNDING = RoundingDistance()


def rounding_by_column(question: QueryOverReleases, columns: Sequence[Field]) -> tuple[RoundingDistance | None, ...]:
    """Bound the rounding distance of each output column; None if it depends on keys or public columns."""
    by_field = output_rounding(question)
    return tuple(rounding_distance(column.expression, by_field) for column in columns)


def output_rounding(question: QueryOverReleases) -> dict[Field, RoundingDistance | None]:
    """Map released numbers to their rounding before use; None for sums over them, and for union columns."""
    unknown = [tracked.field for tracked in question.released_sums] + [
        tracked.field for tracked in question.union_columns
    ]
    return {**dict(_output_rounding(question)), **dict.fromkeys(unknown)}


def _output_rounding(question: QueryOverReleases) -> Iterator[tuple[Field, RoundingDistance]]:
    """Yield each released count and integer sum, which is shown rounded, with its distance of at most a half.

    Means, moments and quantiles are not rounded to whole numbers.
    """
    for release in question.releases:
        vectors = question.plans[release.plan_index].vectors
        for output in release.outputs:
            formula = output.formula
            if isinstance(formula, MeanOf | MomentsOf | QuantileOf):
                continue
            if isinstance(formula, CountOf) or vectors[formula.vector].is_integer:
                yield output.field, RoundingDistance(0.0, {release.raw_fields[formula.vector].id: HALF})


def rounding_distance(expr: Expr, by_field: Mapping[Field, RoundingDistance | None]) -> RoundingDistance | None:
    """Bound the rounding distance of an expression; None if it depends on keys or public columns.

    NULLIF, casts to DOUBLE and negation keep the distance. Other functions have a distance only if their arguments are
    exact.
    """
    if isinstance(expr, Ref):
        return by_field.get(expr.field, NO_ROUNDING)
    if not isinstance(expr, Call):
        return NO_ROUNDING if isinstance(expr, Literal) else None
    parts = [rounding_distance(argument, by_field) for argument in expr.arguments]
    known_parts = [part for part in parts if part is not None]
    if len(known_parts) < len(parts):
        return None
    name, effect = expr.name, OVERLOADS[expr.function].effect
    if effect is Effect.ROUNDS:
        return known_parts[0].plus(RoundingDistance(_half_step(expr)))
    if name in ("+", "-"):
        return known_parts[0].plus(known_parts[1])
    if name in ("*", "/"):
        return _scaled_distance(expr, name, known_parts)
    if effect is not None:
        return known_parts[0]
    return NO_ROUNDING if all(part == NO_ROUNDING for part in known_parts) else None


def _half_step(call: Call) -> float:
    """Return half of the step that a function rounds to, in the unit of the number.

    The digits of ROUND are its second argument; 0 digits without one. An integer is only moved by negative digits.
    """
    last = call.arguments[-1]  # number of decimal digits
    digits = last.value if len(call.arguments) > 1 and isinstance(last, Literal) else 0
    is_integer = call.arguments[0].type is SqlType.BIGINT
    if not isinstance(digits, int) or (is_integer and digits >= 0):
        return 0.0  # rounding to NULL digits returns NULL
    return HALF * 10.0 ** max(-_MAX_DIGITS, min(_MAX_DIGITS, -digits))


def _scaled_distance(call: Call, name: str, distances: list[RoundingDistance]) -> RoundingDistance | None:
    """Bound the distance of a product or quotient by a constant; None for other operands, and division by 0.

    `distances` are those of both operands.
    """
    one, other = distances
    if one == NO_ROUNDING == other:
        return NO_ROUNDING
    if other == NO_ROUNDING and (weight := _number(call.arguments[1])) is not None:
        return one.times(weight) if name == "*" else one.times(1 / weight) if weight else None
    if name == "*" and one == NO_ROUNDING and (weight := _number(call.arguments[0])) is not None:
        return other.times(weight)
    return None


def _number(expr: Expr) -> float | None:
    """Return the value of a numeric constant; None for other expressions."""
    if isinstance(expr, Literal) and isinstance(expr.value, int | float):
        return float(expr.value)
    return None
