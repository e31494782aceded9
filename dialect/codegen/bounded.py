"""PrivatePlan and Bounding -> bounded SQL: exact integers per group, one person's influence cut (`proofs.md#render`).

source    rows of people, with keys, values and conditions
partials  one row per (person, group): the person's exact integers there
chosen    the same, at most L0 groups per person (where these are bounded)
factors   one row per admitted person: what each number is multiplied by (where anything is scaled)
sums      one row per group: the person is gone
answer    one row per public key, zeros included, in public order

Where what persons add is only scaled, who is never scaled needs no row of their own (`light_units`).
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

SHRINK = "(1 - 1 / 281474976710656)"  # 1 - 2^-48: no rounding of the factor can lift a vector above its norm
NO_CODES: Mapping[int, Coded] = {}


def render(plan: PrivatePlan, bounds: Bounding, target: Target, admission: Admission | None) -> BoundedSql:
    """Write the bounded SQL of a plan for DuckDB, or for the lake where people's rows lie."""
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
    """Write the bounded SQL of a plan for DuckDB: over a rollup's numbers, or where people's rows lie beside others."""
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
    """Write the source, and one row per (unit, number of a listed key)."""
    source = _source(without_told(plan), target)
    return source, groups_of(by_number(plan), bounds, grained, numbered_rows(plan, codes))


def _by_keys(plan: PrivatePlan, bounds: Bounding, target: Target, grained: frozenset[int]) -> tuple[str, Rolled]:
    """Write the source, and one row per (unit, group) of it."""
    parted = sides(plan)
    counted = plan if parted is None else counting(plan, parted)
    numbers = groups_of(counted, bounds, grained, "source")
    return _source(counted, target), numbers if parted is None else joined(plan, parted, numbers, target)


def _of_lake(
    plan: PrivatePlan, bounds: Bounding, target: Target, lake: Target, admission: Admission | None
) -> BoundedSql:
    """Write a lake's part, which is handed public rows and gives groups, and DuckDB's, which has the public order."""
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
    """List what comes between rows and groups: the one way in which persons leave."""
    if numbers.weighed:
        return _of_weighed(plan, bounds, codes, numbers)
    scaled, said = any(bound.rule is Rule.SCALE for bound in bounds.vectors), words(target)
    # else DuckDB looks for each row's person among the admitted; what is stored is read again for less than it is kept
    once = None if numbers.as_stored else scaled or admission is not None or bounds.max_groups is not None
    text, after = capped_of(plan, bounds, codes, numbers.text), admission
    if scaled and not said.kept:  # Spark makes once what is read twice if nothing is moved into one of both alone
        text, after = f"SELECT * FROM {of_admitted(f'({text}) AS c', admission, said)}", None
    parts = [("partials", once, text)]
    if bounds.max_groups is not None:
        parts += first_groups(plan, bounds.max_groups, said)
    if scaled:  # one row a person: there it costs least to ask; made once, or rows would meet the admitted first
        made_once = admission is not None and not _is_alone(plan, bounds)
        parts.append(("factors", made_once, _factors(plan, bounds, after, said)))
    parts.append(("sums", False, _sums(plan, bounds, None if scaled else admission, scaled, said)))
    for i, vector, bound in _of_values(plan, bounds):
        parts.append((f"values{i}", False, values(plan, vector, _among(plan, bounds, codes, admission, said))))
        parts.append((f"kept{i}", False, kept(f"values{i}", plan, vector, bound, said)))
        parts.append((f"counts{i}", False, counts(f"kept{i}", plan, vector, bound, f"w{i}")))
    return parts


def _of_weighed(plan: PrivatePlan, bounds: Bounding, codes: Mapping[int, Coded], numbers: Rolled) -> list[Subquery]:
    """List what comes between weighed units' rows and groups: light units are one, heavy ones are scaled."""
    return [
        ("together", True, numbers.text),
        ("partials", False, capped_of(plan, bounds, codes, HEAVY)),
        ("factors", False, _factors(plan, bounds, None)),
        ("heavy", False, _sums(plan, bounds, None, scaled=True)),
        ("light", False, light_sums(plan, bounds)),
        ("sums", False, both_sums(plan)),
    ]


def _of_values(plan: PrivatePlan, bounds: Bounding) -> list[tuple[int, Vector, VectorBound]]:
    """List the vectors that are no sums over people: different values."""
    pairs = enumerate(zip(plan.vectors, bounds.vectors, strict=True))
    return [(i, vector, bound) for i, (vector, bound) in pairs if vector.kind is VectorKind.DISTINCT]


def _among(
    plan: PrivatePlan, bounds: Bounding, codes: Mapping[int, Coded], admission: Admission | None, said: Words
) -> str:
    """Limit rows of (person, group) to admitted persons and to groups that are left."""
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
    """Tell whether a unit's numbers are one row already, which says how long they are."""
    return is_single(plan) and bounds.max_groups is None


def _factors(plan: PrivatePlan, bounds: Bounding, admission: Admission | None, said: Words = OF_DUCKDB) -> str:
    """One row per unit: what turns its numbers into released grains, smaller where a vector's norm exceeds C.

    Where a unit has one row of numbers, these stand beside it.
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
    """Write C / norm, a little less, where the exact sum of squares exceeds C^2; else 1."""
    squares = "count(*)" if is_unit(vector) else said.squares.format(f"v{i}")
    if alone:
        squares = "1" if is_unit(vector) else f"v{i} * v{i}"  # below 2^62
    norm = f"CAST({bound.norm_grains} AS DOUBLE) / {1 << bound.fraction_bits}"  # exact: by a power of two
    if bound.whole_norm << bound.fraction_bits == bound.norm_grains:
        norm = f"CAST({bound.whole_norm} AS DOUBLE)"
    shrunk = f"{norm} / sqrt(CAST({squares} AS DOUBLE)) * {SHRINK}"
    return f"CASE WHEN {squares} > {bound.squared_norm} THEN {shrunk} ELSE CAST(1 AS DOUBLE) END"


def _sums(
    plan: PrivatePlan, bounds: Bounding, admission: Admission | None, scaled: bool, said: Words = OF_DUCKDB
) -> str:
    """One row per group: the person is gone."""
    keys = [f"k{i}" for i in range(len(plan.keys))]
    summed = [i for i, vector in enumerate(plan.vectors) if vector.kind is not VectorKind.DISTINCT]
    source = of_admitted(_from(bounds), admission, said)
    if scaled and _is_alone(plan, bounds):
        source = "factors"  # which have the numbers beside them
    elif scaled:
        source += f" JOIN factors USING ({', '.join(plan.unit)})"
    weights = {i: weighted(i, plan, bounds, said) for i in summed}
    if plan.touched.window is not None and any(plan.vectors[i].kind is VectorKind.PERSONS for i in summed):
        source, weights = f"({of_persons(plan, source, weights, said)}) AS o", {i: f"w{i}" for i in summed}
    totals = [f"{total(plan, bounds.vectors[i], said).format(own)} AS w{i}" for i, own in weights.items()]
    columns = ", ".join([*keys, *totals]) or "count(*) AS nothing"
    by = f" GROUP BY {', '.join(keys)}" if keys else ""
    return f"SELECT {columns} FROM {source}{by}"
