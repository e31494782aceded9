"""Bounded SQL: exact integers per group in which each person's contribution is bounded (`proofs.md#render`).

PrivatePlan and Bounding -> BoundedSql, by these CTEs:

    source    rows of people, with keys, values and conditions
    partials  per-unit partial aggregates: one row per (person, group), exact integers
    chosen    the same after group truncation: at most L0 groups per person, where a limit is needed
    factors   clipping factors: one row per admitted person, where vectors are scaled
    sums      one row per group: the person is gone
    answer    one row per public key, zeros included, in public order

Where vectors are only scaled, unclipped units are summed without a row of their own (`light_units`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from dialect.algebra.release_plan import Bounding, PrivatePlan, Rule, Vector, VectorBound, VectorKind
from dialect.algebra.target import BoundedSql, Rolled, Subquery, Target
from dialect.catalog.admission import Admission
from dialect.codegen.admission import admission_parts, eligible, objections, of_admitted
from dialect.codegen.contribution.clipping import is_unit, of_persons, scale_groups, total, weighted
from dialect.codegen.contribution.distinct import counts, kept, values
from dialect.codegen.contribution.eager_aggregation import counting, joined, sides
from dialect.codegen.contribution.group_limit import first_groups
from dialect.codegen.contribution.key_numbers import by_number, is_numbered, numbered_rows, without_told
from dialect.codegen.contribution.key_rows import codes_of, in_public_order, keys_of, listed_among
from dialect.codegen.contribution.light_units import HEAVY, both_sums, is_kept, light_sums, weighing
from dialect.codegen.contribution.per_unit import capped_of, groups_of, numbers_of
from dialect.codegen.contribution.public_side import Coded, coded_keys, grained_values
from dialect.codegen.engine_syntax import OF_DUCKDB, Words, words
from dialect.codegen.lake import GATHERED, LISTED, check_written, handed_over, place, rows_handed
from dialect.codegen.materialized_rollups import read_rolled
from dialect.codegen.relations.relation import write_rows
from dialect.codegen.relations.truncation import cuts_of_stored
from dialect.sensitivity.norms import is_single

SHRINK = "(1 - 1 / 281474976710656)"  # 1 - 2^-48: a margin, so that no rounding can lift a vector above its clip bound
NO_CODES: Mapping[int, Coded] = {}


def render(plan: PrivatePlan, bounds: Bounding, target: Target, admission: Admission | None) -> BoundedSql:
    """Write the bounded SQL of a plan for DuckDB, or for the lake that holds people's rows."""
    rolled = read_rolled(plan, bounds, target, admission)
    if target.lake is not None and rolled is None:
        return _of_lake(plan, bounds, target, target.lake, admission)
    bounded = _beside(plan, bounds, target, admission, rolled)
    if rolled is not None or not (cuts := cuts_of_stored(plan.source, target, write_rows)):
        return bounded
    uncut = _beside(plan, bounds, replace(target, uncut=frozenset(cuts)), admission, None).text
    return replace(bounded, uncut=uncut, uncut_if=tuple((most, kept) for (_, kept), most in cuts.items()))


def _beside(
    plan: PrivatePlan, bounds: Bounding, target: Target, admission: Admission | None, numbers: Rolled | None
) -> BoundedSql:
    """Write the bounded SQL of a plan for DuckDB, from a rollup's partial aggregates or from stored rows."""
    codes, numbered, parts = NO_CODES, False, admission_parts(admission, target, plan.dataset)
    if numbers is None:
        asked = plan
        plan, codes = coded_keys(plan)
        plan, grained = grained_values(plan, bounds)
        numbered = is_numbered(plan, bounds, codes)
        given = (plan, bounds, target, grained)
        source, numbers = _by_number(*given, codes) if numbered else _by_keys(*given)
        parts.append(("source", numbers.weighed and is_kept(asked), source))
        parts += [("weighed", True, weighing(asked, *given, admission))] if numbers.weighed else []
    if plan.key_set is not None and plan.keys:
        parts += [(f"codes{i}", False, codes_of(coded, target)) for i, coded in codes.items()]
        parts.append(("keys", True, keys_of(plan.key_set, codes, target, numbered)))
    parts += _groups(by_number(plan) if numbered else plan, bounds, target, admission, codes, numbers)
    text = _with(parts, in_public_order(plan, codes, numbered))
    return BoundedSql(text, len(plan.keys), len(plan.vectors), eligible=eligible(admission, target))


def _by_number(
    plan: PrivatePlan, bounds: Bounding, target: Target, grained: frozenset[int], codes: Mapping[int, Coded]
) -> tuple[str, Rolled]:
    """Write the source, and its partial aggregates grouped by unit and encoded key."""
    source = _source(without_told(plan), target)
    return source, groups_of(by_number(plan), bounds, grained, numbered_rows(plan, codes))


def _by_keys(plan: PrivatePlan, bounds: Bounding, target: Target, grained: frozenset[int]) -> tuple[str, Rolled]:
    """Write the source, and its partial aggregates grouped by unit and keys, with aggregation pushdown if possible."""
    parted = sides(plan)
    counted = plan if parted is None else counting(plan, parted)
    numbers = groups_of(counted, bounds, grained, "source")
    return _source(counted, target), numbers if parted is None else joined(plan, parted, numbers, target)


def _of_lake(
    plan: PrivatePlan, bounds: Bounding, target: Target, lake: Target, admission: Admission | None
) -> BoundedSql:
    """Write two statements: the lake's, over broadcast public rows, and DuckDB's, which adds the public key order."""
    check_written(plan, lake)
    source, read, rows = handed_over(plan.source, lake)
    parts = [
        *admission_parts(admission, read, plan.dataset),
        ("source", False, _source(replace(plan, source=source), read)),
    ]
    listed = listed_among("p", plan, NO_CODES) != ""
    keys = [] if plan.key_set is None or not plan.keys else [("keys", True, keys_of(plan.key_set, NO_CODES, target))]
    parts += [("keys", False, f"SELECT * FROM {place(LISTED)}")] if listed else []
    numbers = numbers_of(plan, bounds, frozenset(), words(read))
    parts += _groups(plan, bounds, read, admission, NO_CODES, numbers)
    text = _with(parts, in_public_order(replace(plan, key_set=None), NO_CODES, ordered=False), words(lake))
    handed = objections(admission, plan.dataset in lake.same_bits) | ({LISTED: keys[0][2]} if listed else {})
    handed |= {name: rows_handed(public, text, target) for name, public in rows.items()}
    last = in_public_order(plan, NO_CODES, tables=("sums",))
    in_order = _with([*keys, ("sums", False, f"SELECT * FROM {GATHERED}")], last)
    return BoundedSql(text, len(plan.keys), len(plan.vectors), handed, in_order)


def _with(parts: Iterable[Subquery], answer: str, said: Words = OF_DUCKDB) -> str:
    made = {True: said.kept, False: "", None: said.again}
    ctes = ",\n".join(f"{cte} AS {made[once]}({text})" for cte, once, text in parts)
    return f"WITH {ctes}\n{answer}"


def _groups(
    plan: PrivatePlan,
    bounds: Bounding,
    target: Target,
    admission: Admission | None,
    codes: Mapping[int, Coded],
    numbers: Rolled,
) -> list[Subquery]:
    """Write the CTEs from partial aggregates to sums per group. Only here do person keys leave the rows."""
    if numbers.weighed:
        return _of_weighed(plan, bounds, codes, numbers)
    scaled, said = any(bound.rule is Rule.SCALE for bound in bounds.vectors), words(target)
    # materialized, else DuckDB joins admitted persons to rows; reading a rollup again is cheaper than materializing it
    once = None if numbers.as_stored else scaled or admission is not None or bounds.max_groups is not None
    text, after = capped_of(plan, bounds, codes, numbers.text), admission
    if scaled and not said.kept:  # Spark computes a CTE once only if no filter is pushed into one of its reads
        text, after = f"SELECT * FROM {of_admitted(f'({text}) AS c', admission, said)}", None
    parts = [("partials", once, text)]
    if bounds.max_groups is not None:
        parts += first_groups(plan, bounds.max_groups, said)
    if (
        scaled
    ):  # admission is cheapest here, at one row per person; materialized, so that DuckDB does not push it into the rows
        made_once = admission is not None and not _is_alone(plan, bounds)
        parts.append(("factors", made_once, _factors(plan, bounds, after, said)))
    parts.append(("sums", False, _sums(plan, bounds, None if scaled else admission, scaled, said)))
    for i, vector, bound in _of_values(plan, bounds):
        parts.append((f"values{i}", False, values(plan, vector, _among(plan, bounds, codes, admission, said))))
        parts.append((f"kept{i}", False, kept(f"values{i}", plan, vector, bound, said)))
        parts.append((f"counts{i}", False, counts(f"kept{i}", plan, vector, bound, f"w{i}")))
    return parts


def _of_weighed(plan: PrivatePlan, bounds: Bounding, codes: Mapping[int, Coded], numbers: Rolled) -> list[Subquery]:
    """Write the CTEs from partial aggregates to sums where unclipped units are already merged."""
    return [
        ("together", True, numbers.text),
        ("partials", False, capped_of(plan, bounds, codes, HEAVY)),
        ("factors", False, _factors(plan, bounds, None)),
        ("heavy", False, _sums(plan, bounds, None, scaled=True)),
        ("light", False, light_sums(plan, bounds)),
        ("sums", False, both_sums(plan)),
    ]


def _of_values(plan: PrivatePlan, bounds: Bounding) -> list[tuple[int, Vector, VectorBound]]:
    """Select the vectors of distinct values, which are counted across people and not summed."""
    pairs = enumerate(zip(plan.vectors, bounds.vectors, strict=True))
    return [(i, vector, bound) for i, (vector, bound) in pairs if vector.kind is VectorKind.DISTINCT]


def _among(
    plan: PrivatePlan, bounds: Bounding, codes: Mapping[int, Coded], admission: Admission | None, said: Words
) -> str:
    """Write the joins that limit per-unit rows to admitted persons and remaining groups."""
    admitted = of_admitted("", admission, said)
    if bounds.max_groups is not None:
        same = [f"chosen.{name} = v.{name}" for name in plan.unit]
        same += [f"chosen.k{i} IS NOT DISTINCT FROM v.k{i}" for i in range(len(plan.keys))]
        return f"{admitted} SEMI JOIN chosen ON {' AND '.join(same)}"
    return admitted + listed_among("v", plan, codes)


def _source(plan: PrivatePlan, target: Target) -> str:
    needed = {*plan.unit.values(), *(key.field for key in plan.keys)}
    for vector in plan.vectors:
        needed |= vector.fields
    return write_rows(plan.source, needed, target)


def _from(bounds: Bounding) -> str:
    return "partials" if bounds.max_groups is None else "chosen"


def _is_alone(plan: PrivatePlan, bounds: Bounding) -> bool:
    """Return whether a unit has one row of partial aggregates, whose norm is then computed from that row alone."""
    return is_single(plan) and bounds.max_groups is None


def _factors(plan: PrivatePlan, bounds: Bounding, admission: Admission | None, said: Words = OF_DUCKDB) -> str:
    """Write clipping factors: per unit, the factor from value grains to released grains, smaller if a norm exceeds C.

    Where a unit has one row of partial aggregates, that row gets the factors as columns.
    """
    alone, columns = _is_alone(plan, bounds), []
    for members in scale_groups(plan, bounds):
        ratios = [_ratio(i, plan.vectors[i], bounds.vectors[i], said, alone) for i in members]
        least = ratios[0] if len(ratios) == 1 else f"least({', '.join(ratios)})"
        for i in members:
            factor = f"{least} * {2 ** bounds.vectors[i].fraction_bits}"
            columns.append(f"{said.truncated.format(factor) if is_unit(plan.vectors[i]) else factor} AS f{i}")
    unit = ", ".join(plan.unit)
    of_unit = f"SELECT {unit}, {', '.join(columns)} FROM {_from(bounds)} GROUP BY {unit}"
    factors = f"SELECT *, {', '.join(columns)} FROM partials" if alone else of_unit
    return factors if admission is None else f"SELECT * FROM {of_admitted(f'({factors}) AS f', admission, said)}"


def _ratio(i: int, vector: Vector, bound: VectorBound, said: Words = OF_DUCKDB, alone: bool = False) -> str:
    """Write min(1, C / norm) from the exact sum of squares, with a margin that absorbs every rounding error."""
    squares = "count(*)" if is_unit(vector) else said.squares.format(f"v{i}")
    if alone:
        squares = "1" if is_unit(vector) else f"v{i} * v{i}"  # below 2^62
    norm = f"CAST({bound.norm_grains} AS DOUBLE) / {1 << bound.fraction_bits}"  # exact: a division by a power of two
    if bound.whole_norm << bound.fraction_bits == bound.norm_grains:
        norm = f"CAST({bound.whole_norm} AS DOUBLE)"
    shrunk = f"{norm} / sqrt(CAST({squares} AS DOUBLE)) * {SHRINK}"
    return f"CASE WHEN {squares} > {bound.squared_norm} THEN {shrunk} ELSE CAST(1 AS DOUBLE) END"


def _sums(
    plan: PrivatePlan, bounds: Bounding, admission: Admission | None, scaled: bool, said: Words = OF_DUCKDB
) -> str:
    """Write the sums over units: one row per group, without persons."""
    keys = [f"k{i}" for i in range(len(plan.keys))]
    summed = [i for i, vector in enumerate(plan.vectors) if vector.kind is not VectorKind.DISTINCT]
    source = of_admitted(_from(bounds), admission, said)
    if scaled and _is_alone(plan, bounds):
        source = "factors"  # has the partial aggregates as columns, too
    elif scaled:
        source += f" JOIN factors USING ({', '.join(plan.unit)})"
    weights = {i: weighted(i, plan, bounds, said) for i in summed}
    if plan.touched.window is not None and any(plan.vectors[i].kind is VectorKind.PERSONS for i in summed):
        source, weights = f"({of_persons(plan, source, weights, said)}) AS o", {i: f"w{i}" for i in summed}
    totals = [f"{total(plan, bounds.vectors[i], said).format(own)} AS w{i}" for i, own in weights.items()]
    columns = ", ".join([*keys, *totals]) or "count(*) AS nothing"
    by = f" GROUP BY {', '.join(keys)}" if keys else ""
    return f"SELECT {columns} FROM {source}{by}"
