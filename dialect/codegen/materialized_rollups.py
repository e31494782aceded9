"""Materialized rollups: partial aggregates of a plan, read from a stored table with one row per unit and group.

    rollup: person, hour, zone -> rows        query: SELECT zone, COUNT(*) FROM visit GROUP BY zone

A rollup holds the exact numbers of every unit in each of its groups, before contribution bounding and eligibility, and
also for groups outside any public key set. A query that reads it applies these as it would over rows
(`proofs.md#person-rollups`).
"""

from __future__ import annotations

from collections.abc import Mapping

from dialect.algebra.expressions import Expr, Field, Ref, conjunction
from dialect.algebra.release_plan import SUMS_OVER_GROUPS, Bounding, PrivatePlan, Vector, VectorBound, VectorKind
from dialect.algebra.target import Rolled, Rollup, Target
from dialect.analysis.key_rewriting import UntoldError, over_keys
from dialect.analysis.predicates import implied
from dialect.catalog.admission import Admission
from dialect.catalog.model import EngineName, SqlType
from dialect.codegen.admission import are_known
from dialect.codegen.contribution.clipping import LARGEST_WITHIN, is_unit, part
from dialect.codegen.contribution.public_side import coded_keys
from dialect.codegen.engine_syntax import words
from dialect.codegen.relations.relation import write_rows
from dialect.functions.emitter import write_expr
from dialect.planner.reuse.view_matching import Told, steps_of, told

_ONE_VALUE = (  # types whose equal values are identical, so that no expression distinguishes them
    SqlType.BOOLEAN,
    SqlType.BIGINT,
    SqlType.VARCHAR,
    SqlType.DATE,
    SqlType.TIMESTAMP,
    SqlType.TIMESTAMPTZ,
)


def can_be_rolled(plan: PrivatePlan) -> bool:
    """Return whether all vectors of a plan add up across groups, over keys whose equal values are identical."""
    adds_up = all(_adds_up(vector) for vector in plan.vectors)
    told_by_keys = all(key.field.type in _ONE_VALUE for key in plan.keys)
    return adds_up and told_by_keys and plan.limits.max_rows is None and plan.source.kept is None


def _adds_up(vector: Vector) -> bool:
    return vector.kind in (*SUMS_OVER_GROUPS, VectorKind.PERSONS)


def write_rollup(plan: PrivatePlan, bounds: Bounding, target: Target) -> str:
    """Write the rows of a rollup: person, win, h0, ... for its keys, n0, ... for its numbers in value grains."""
    needed = {*plan.unit.values(), *(key.field for key in plan.keys)}
    for vector in plan.vectors:
        needed |= vector.fields
    columns = [f"{field.id} AS {name}" for name, field in plan.unit.items()]
    columns += [f"{key.field.id} AS h{i}" for i, key in enumerate(plan.keys)]
    apart = ", ".join(str(place + 1) for place in range(len(columns)))
    numbers = enumerate(zip(plan.vectors, bounds.vectors, strict=True))
    said = words(target)
    columns += [f"CAST({part(v, bound, said=said)} AS BIGINT) AS n{i}" for i, (v, bound) in numbers if not is_unit(v)]
    source = write_rows(plan.source, needed, target)
    rows = f"SELECT {', '.join(columns)} FROM ({source}) AS s GROUP BY {apart}"
    return (
        f"{rows} ORDER BY {apart}" if target.engine is EngineName.DUCKDB else rows
    )  # a lake's rows are sorted in DuckDB


def read_rolled(
    plan: PrivatePlan, bounds: Bounding, target: Target, admission: Admission | None = None
) -> Rolled | None:
    """Write a plan's partial aggregates over a rollup that covers them; None where no rollup does.

    Claim: for all data, the rows are those of the plan's partials over the rows that the rollup was made of. Symbols:
    none. Source and proof: proofs.md#person-rollups. Raises: nothing.
    """
    able = [each for each in target.rollups if set(each.plan.tables) == set(plan.tables)]
    if not able or plan.key_set is None or not can_be_rolled(plan) or not are_known(admission, target):
        return None
    if _chosen_by_numbers(plan, bounds, target):
        return None
    wanted = told(plan)
    return next((found for each in able if (found := _read(wanted, bounds, each)) is not None), None)


def _chosen_by_numbers(plan: PrivatePlan, bounds: Bounding, target: Target) -> bool:
    """Return whether group truncation over rows would hash encoded keys, which a rollup does not store."""
    return target.lake is None and bounds.max_groups is not None and bool(coded_keys(plan)[1])


def _read(wanted: Told, bounds: Bounding, rollup: Rollup) -> Rolled | None:
    plan, held = wanted.plan, told(rollup.plan)
    places = _places(plan, bounds, rollup)
    if places is None or wanted.structure != held.structure or not _covers(wanted, held):
        return None
    stored, known = _cells(held), tuple(wanted.conditions.values())
    steps = steps_of(stored, known)
    more = [each for text, each in wanted.conditions.items() if text not in held.conditions]
    try:
        asked = [*(wanted.own(Ref(field)) for name, field in plan.unit.items() if name != "person"), *wanted.keys]
        columns = [over_keys(each, stored, steps) for each in asked]
        condition = conjunction(tuple(over_keys(each, stored, steps) for each in more))
    except UntoldError:
        return None
    names = [*(name for name in plan.unit if name != "person"), *(f"k{i}" for i in range(len(plan.keys)))]
    shown = ["person", *(f"{write_expr(expr)} AS {name}" for name, expr in zip(names, columns, strict=True))]
    as_stored = {expr.field for expr in columns if isinstance(expr, Ref)} == set(stored.values())
    numbers = [f"{_number(plan.vectors[i], place, as_stored)} AS v{i}" for i, place in places.items()]
    by = "" if as_stored else f" GROUP BY {', '.join(str(i + 1) for i in range(len(shown)))}"
    text = f"SELECT {', '.join([*shown, *numbers])} FROM {rollup.address} WHERE {write_expr(condition)}{by}"
    return Rolled(text, as_stored)


def _covers(wanted: Told, held: Told) -> bool:
    """Return whether the rollup holds every row that the plan reads: the plan's predicates imply the rollup's."""
    known = tuple(wanted.conditions.values())
    return all(implied(each, known) for text, each in held.conditions.items() if text not in wanted.conditions)


def _cells(held: Told) -> Mapping[Expr, Field]:
    """Map expressions to the stored columns that hold them: keys, and the privacy window."""
    cells = {key: Field(f"h{i}", None, key.type) for i, key in enumerate(held.keys)}
    window = held.plan.touched.window
    if window is not None:
        cells.setdefault(held.own(Ref(window)), Field("win", None, window.type))
    return cells


def _places(plan: PrivatePlan, bounds: Bounding, rollup: Rollup) -> Mapping[int, int] | None:
    """Match each query vector to a stored number with the same value, condition, bounds and grains, or None."""
    found: dict[int, int] = {}
    for i, (vector, bound) in enumerate(zip(plan.vectors, bounds.vectors, strict=True)):
        if is_unit(vector):
            continue
        place = next((j for j in range(len(rollup.plan.vectors)) if _same(plan, i, bound, rollup, j)), None)
        if place is None:
            return None
        found[i] = place
    return found


def _same(plan: PrivatePlan, i: int, bound: VectorBound, rollup: Rollup, j: int) -> bool:
    one, other = plan.vectors[i], rollup.plan.vectors[j]
    ends = [(v.kind, v.lower, v.upper, v.centre, v.whole) for v in (one, other)]
    same = plan.texts[i] == rollup.plan.texts[j] and ends[0] == ends[1] and not is_unit(other)
    return same and (not one.summed or bound.value_bits == rollup.bounds.vectors[j].value_bits)


def _number(vector: Vector, place: int, as_stored: bool) -> str:
    """Write a number of a group from those of stored groups; NULL where it is NULL in all of them."""
    if as_stored:
        return f"n{place}"
    if vector.kind is VectorKind.PERSONS:
        return f"max(n{place})"
    total = f"sum(n{place})"
    return total if vector.summed else f"CAST(least({total}, {LARGEST_WITHIN}) AS BIGINT)"
