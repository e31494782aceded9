"""Clipping: a person's exact number in one group, as SQL over integer grains (`dialect/codegen/proofs.md#render`)."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from dialect.algebra.expressions import Field, Literal
from dialect.algebra.release_plan import (
    LARGEST_PART,
    Bounding,
    Factor,
    PrivatePlan,
    Rule,
    Vector,
    VectorBound,
    VectorKind,
)
from dialect.catalog.model import SqlType
from dialect.codegen.engine_syntax import LARGEST_SMALL, OF_DUCKDB, SMALL_TOTAL, Words
from dialect.functions.emitter import quote

LARGEST_WITHIN = 2**63 - 1  # cap where no squares are computed


def is_unit(vector: Vector) -> bool:
    """Return whether a vector is 1 in every group of a person, so that it needs no column."""
    return vector.decides_keys


def part(vector: Vector, bound: VectorBound, grained: bool = False, said: Words = OF_DUCKDB) -> str:
    """Write a per-unit partial aggregate in value grains; `is_grained` if the value is in grains already."""
    where = f" FILTER (WHERE {vector.condition.id})" if vector.condition is not None else ""
    value = None if vector.value is None else vector.value.id
    if vector.kind is VectorKind.PERSONS:
        return f"CASE WHEN count({value or '*'}){where} > 0 THEN CAST(1 AS BIGINT) END"
    if vector.kind is VectorKind.ROWS:
        return f"count({value or '*'}){where}"
    if vector.kind is VectorKind.VALID:
        double = vector.value is not None and vector.value.type is SqlType.DOUBLE
        counted = f"CASE WHEN {said.is_finite.format(value)} THEN 1 END" if double else str(value)
        return f"count({counted}){where}"
    form = SMALL_TOTAL if vector.magnitude * 2.0**bound.value_bits <= LARGEST_SMALL else said.total
    return form.format(value if grained else grains(vector, bound, said)) + where


def total(plan: PrivatePlan, bound: VectorBound, said: Words) -> str:
    """Return the SUM template for sums over units: BIGINT where overflow is impossible, else a wider type."""
    small = bound.sensitivity <= LARGEST_SMALL and plan.touched.window is None
    return SMALL_TOTAL if small else said.total


def grains(vector: Vector, bound: VectorBound, said: Words = OF_DUCKDB) -> str:
    """Write one row's value in value grains: clamped outside the expression, minus the centre, rounded.

    Comparisons exclude NULL, NaN and infinities: NaN sorts above every number, and no bound is infinite.
    """
    assert vector.value is not None  # noqa: S101  sums have a value
    if vector.factor is not None:
        return _product_grains(vector, vector.value, vector.factor, bound, said)
    value, step = vector.value.id, 2.0**bound.value_bits
    low, high = (round((end - vector.centre) * step) for end in (vector.lower, vector.upper))
    if vector.value.type is not SqlType.DOUBLE and bound.value_bits <= 0:
        return _whole_grains(vector, value, bound, said)
    lower_end, upper_end, most = (_double(end) for end in (vector.lower, vector.upper, sys.float_info.max))
    centred = f"({value} - {_double(vector.centre)})" if vector.centre else value
    exact = said.nearest.format(f"{centred} * {_double(step)}")
    above = f"WHEN {value} BETWEEN {upper_end} AND {most} THEN {high}"
    below = f"WHEN {value} BETWEEN -{most} AND {lower_end} THEN {low}"
    return f"CASE WHEN {value} BETWEEN {lower_end} AND {upper_end} THEN {exact} {above} {below} END"


def _whole_grains(vector: Vector, value: str, bound: VectorBound, said: Words = OF_DUCKDB) -> str:
    """Write an integer value's grains in integer arithmetic; division truncates towards zero, so bounds hold."""
    lower, upper, centre = int(vector.lower), int(vector.upper), int(vector.centre)
    divisor = 1 << -bound.value_bits
    low, high = (_towards_zero(end - centre, divisor) for end in (lower, upper))
    wide = max(abs(lower), abs(upper)) + abs(centre) >= 2**62
    exact = f"CAST({value} AS {said.wide if wide else 'BIGINT'})" + (f" - {centre}" if centre else "")
    exact = said.quotient.format(f"({exact})", divisor) if divisor > 1 else exact
    ends = f"WHEN {value} > {upper} THEN {high} WHEN {value} < {lower} THEN {low}"
    return f"CASE WHEN {value} BETWEEN {lower} AND {upper} THEN {exact} {ends} END"


def _product_grains(vector: Vector, value: Field, factor: Factor, bound: VectorBound, said: Words = OF_DUCKDB) -> str:
    """Write the grains of a product of two clamped and centred values; integers stay exact."""
    first = Factor(value, vector.lower, vector.upper, vector.centre)
    whole = vector.whole and bound.value_bits <= 0
    one, other = (_difference(side, said.wide if whole else None) for side in (first, factor))
    exact = f"{one} * {other}"
    if whole:
        divisor = 1 << -bound.value_bits
        grains = f"CAST({said.quotient.format(f'({exact})', divisor) if divisor > 1 else exact} AS BIGINT)"
    else:
        grains = said.nearest.format(f"{exact} * {_double(2.0**bound.value_bits)}")
    usable = " AND ".join(dict.fromkeys(_is_usable(side.value) for side in (first, factor)))
    return f"CASE WHEN {usable} THEN {grains} END"


def _difference(side: Factor, wide: str | None) -> str:
    """Write a clamped and centred value: in a wide integer type if one is passed, else as DOUBLE."""
    whole = wide is not None
    kind, number = (wide, int) if whole else ("DOUBLE", float)
    low, high, centre = (number(end) for end in (side.lower, side.upper, side.centre))
    value = f"CAST({side.value.id} AS {kind})"
    low_end, high_end, middle = (str(end) if whole else _double(float(end)) for end in (low, high, centre))
    kept = f"CASE WHEN {value} > {high_end} THEN {high_end} WHEN {value} < {low_end} THEN {low_end} ELSE {value} END"
    return f"({kept} - {middle})" if centre else f"({kept})"


def _is_usable(value: Field) -> str:
    """Write a test that NULL, NaN and infinities fail."""
    most = _double(sys.float_info.max)
    return f"{value.id} BETWEEN -{most} AND {most}" if value.type is SqlType.DOUBLE else f"{value.id} IS NOT NULL"


def _towards_zero(value: int, divisor: int) -> int:
    return value // divisor if value >= 0 else -(-value // divisor)


def _double(value: float) -> str:
    return quote(Literal(value, SqlType.DOUBLE))


def capped(part: str, vector: Vector, bound: VectorBound) -> str:
    """Write the cap of a partial aggregate: its square must fit 64 bits, or it alone if nothing is squared."""
    if vector.kind is VectorKind.PERSONS:
        return part  # 1 or NULL
    if vector.part is not None:
        return f"CAST({_kept_in(part, vector, bound)} AS BIGINT) AS {part}"
    largest = _largest(bound)
    if vector.kind in (VectorKind.ROWS, VectorKind.VALID):
        return f"least({part}, {largest}) AS {part}"
    # GREATEST and LEAST ignore NULL, but a person without a value must stay NULL
    return f"CAST({clamped(part, largest)} AS BIGINT) AS {part}"


def _largest(bound: VectorBound) -> int:
    """Return the cap of a partial aggregate, in value grains."""
    return LARGEST_PART if bound.rule is not Rule.WITHIN else LARGEST_WITHIN


def _kept_in(part: str, vector: Vector, bound: VectorBound) -> str:
    """Write a partial aggregate clamped to the bounds stated in the query; an empty one stays empty."""
    most = _largest(bound)  # the square of a stated bound far beyond the clip bound would exceed 64 bits
    low, high = (max(-most, min(most, end)) for end in vector.part_in_grains(bound.value_bits))
    nothing = "" if vector.kind is VectorKind.SUM else f"WHEN {part} = 0 THEN 0 "
    return f"CASE {nothing}WHEN {part} > {high} THEN {high} WHEN {part} < {low} THEN {low} ELSE {part} END"


def clamped(part: str, largest: int, end: int | None = None, step: int = 1) -> str:
    """Write an integer clamped to +-`largest` and scaled to grains of 1 / step; NULL stays NULL.

    `clamped_value` is the value of clamped numbers in the finer grains; without it, `largest`.
    """
    end, kept = largest if end is None else end, part if step == 1 else f"{part} * {step}"
    return f"CASE WHEN {part} > {largest} THEN {end} WHEN {part} < -{largest} THEN -{end} ELSE {kept} END"


def scale_groups(plan: PrivatePlan, bounds: Bounding) -> list[list[int]]:
    """Group the indices of scaled vectors by shared clipping factor."""
    groups: dict[int, list[int]] = {}
    for i, (vector, bound) in enumerate(zip(plan.vectors, bounds.vectors, strict=True)):
        if bound.rule is Rule.SCALE:
            groups.setdefault(vector.scale_group, []).append(i)
    return [members for _, members in sorted(groups.items())]


def of_persons(plan: PrivatePlan, source: str, weighted: Mapping[int, str], said: Words = OF_DUCKDB) -> str:
    """Write one row per (person, group) over a person's windows: the maximum of person counts, sums of the rest."""
    by = ", ".join(["person", *(f"k{i}" for i in range(len(plan.keys)))])
    persons = {i for i in weighted if plan.vectors[i].kind is VectorKind.PERSONS}
    made = {i: f"max({own})" if i in persons else said.total.format(own) for i, own in weighted.items()}
    columns = ", ".join(f"{own} AS w{i}" for i, own in made.items())
    return f"SELECT {by}, {columns} FROM {source} GROUP BY {by}"


def weighted(i: int, plan: PrivatePlan, bounds: Bounding, said: Words = OF_DUCKDB) -> str:
    """Write a unit's clipped contribution to one group, in released grains."""
    bound, step = bounds.vectors[i], 2 ** bounds.vectors[i].fraction_bits
    own = "1" if is_unit(plan.vectors[i]) else f"v{i}"
    if bound.rule is Rule.CLAMP:
        return clamped(own, bound.whole_norm, bound.norm_grains, step)
    if bound.rule is Rule.SCALE:
        return f"f{i}" if own == "1" else said.truncated.format(f"{own} * f{i}")
    return own if step == 1 else str(step) if own == "1" else f"{own} * {step}"
