"""Plans and bounding without any clipping: what the exactness oracle generates SQL from.

Lifted are the group truncation (L0), the clip bound (C), the row truncation before a join of two private tables (R),
and the clamping of values. Numbers are still counted in grains of 1 for integers, 2^-20 or finer for doubles, so that
every sum is a sum of integers as in the engine.
"""

from __future__ import annotations

import math
from dataclasses import replace

from dialect import ContributionBounds, PrivatePlan
from dialect.algebra.relations import (
    Distinct,
    Filter,
    Group,
    Join,
    Operator,
    PerPerson,
    Project,
    RowTruncation,
    SemiJoin,
    SetOperation,
)
from dialect.algebra.release_plan import ClipRule, Factor, QueryVector, VectorBound, VectorKind

SUMS = (VectorKind.SUM, VectorKind.CENTRED)
WIDEST_INTEGER = 2.0**63  # beyond every BIGINT: no integer is clamped
COARSEST_BITS = 20
FINEST_BITS = 30
BITS_OF_A_VALUE = 40  # a value inside its declared ends is at most 2^40 grains
ALL_ROWS = 2**62
WIDEST_FACTOR = 2.0**20  # for a product, whose grains must fit 64 bits too


def lifted_plan(plan: PrivatePlan) -> PrivatePlan:
    """Remove the truncations below a plan and widen the bounds of its values.

    Integers get bounds that no BIGINT reaches. Doubles must fit 64 bits when counted in grains, so their bounds are the
    widest that do: 2^62 grains, at least 2^32 in the value's unit, or 2^42 if its range is wide.
    """
    vectors = tuple(
        replace(
            vector, lower=-_widest(vector), upper=_widest(vector), partial_bounds=None, factor=_lifted_factor(vector)
        )
        if vector.is_sum
        else replace(vector, partial_bounds=None)
        for vector in plan.vectors
    )
    return replace(plan, source=uncut(plan.source), vectors=vectors)


def witnessed(plan: PrivatePlan) -> PrivatePlan:
    """Add two vectors that distinguish empty from 0: the count of values of each sum, and of rows of each group."""
    values = (replace(vector, kind=VectorKind.VALID) for vector in plan.vectors if vector.kind in SUMS)
    rows = QueryVector(VectorKind.ROWS, None, None, 0.0, 0.0, 0.0, True, 0, "rows")
    return replace(plan, vectors=(*plan.vectors, *values, rows))


def lifted_bounding(plan: PrivatePlan) -> ContributionBounds:
    """Bounding that changes nothing: every vector is within its clip bound, no group is truncated."""
    bounds = tuple(
        VectorBound(ClipRule.UNCLIPPED, math.inf, value_bits(vector), 2**62, 0, 1, "lifted by the exactness oracle")
        for vector in plan.vectors
    )
    return ContributionBounds(bounds)


def value_bits(vector: QueryVector) -> int:
    """Grain exponent from the declared bounds: grain 1 for integers, 2^-20 to 2^-30 for doubles."""
    if not vector.is_sum or vector.is_integer:
        return 0
    if vector.factor is not None:
        return COARSEST_BITS
    largest = max(abs(vector.lower), abs(vector.upper), 1.0)
    return min(FINEST_BITS, max(COARSEST_BITS, BITS_OF_A_VALUE - math.ceil(math.log2(largest))))


def grain(vector: QueryVector) -> float:
    """Size of one grain in the value's unit."""
    return 2.0 ** -value_bits(vector)


def _lifted_factor(vector: QueryVector) -> Factor | None:
    wide = _widest(vector)
    return None if vector.factor is None else replace(vector.factor, lower=-wide, upper=wide)


def _widest(vector: QueryVector) -> float:
    if vector.factor is not None:
        return WIDEST_FACTOR
    return WIDEST_INTEGER if vector.is_integer else 2.0 ** (62 - value_bits(vector))


def uncut(relation: PerPerson) -> PerPerson:
    """Keep all rows of every person in place of the first R."""
    return replace(relation, operator=_uncut_operator(relation.operator))


def _uncut_operator(operator: Operator) -> Operator:
    if isinstance(operator, RowTruncation):
        return replace(operator, source=uncut(operator.source), max_rows=ALL_ROWS)
    if isinstance(operator, Join | SemiJoin | SetOperation):
        return replace(operator, left=uncut(operator.left), right=uncut(operator.right))
    if isinstance(operator, Filter | Project | Group | Distinct):
        return replace(operator, source=uncut(operator.source))
    return operator
