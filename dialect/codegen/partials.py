"""Partial aggregates of a plan as CTEs, from people's rows in DuckDB or in a lake, or from a materialized rollup.

Bounded SQL, profiles and totals of one release all continue from here. Where they share them, CTEs are:

    shared_partials  per-unit partial aggregates in fine value grains, not capped yet: one row per (unit, group)
    unit_partials    the same in the value grains of one statement, capped
    unit_measures    one row per admitted unit: sums and sums of squares over its groups (`profile`)

`shared_partials` and `unit_measures` are the same text in each statement, so that a backend may compute them once
(`with_shared_from`, `dialect/codegen/proofs.md#shared-partials`). Terms are those of `bounded_sql`. A source with at
most one row per person is not grouped (`dialect/codegen/proofs.md#render`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property

from dialect.algebra.codegen_types import BoundedSql, Shortcut, Subquery, Target, UnitPartials
from dialect.algebra.relations import Distinct, Filter, Group, PerPerson, Project, Relation, Scan
from dialect.algebra.release_plan import ContributionBounds, Factor, PrivatePlan, QueryVector, VectorBound, VectorKind
from dialect.catalog.model import Eligibility, SqlType
from dialect.codegen.contribution.clipping import (
    aggregated_vectors,
    capped_numbers,
    capped_partial,
    partial_aggregate,
    value_grains,
)
from dialect.codegen.contribution.physical_plan import (
    PhysicalPlan,
    dictionary_sql,
    encoded_rows,
    key_set_semi_join,
    key_set_sql,
    physical_plan,
    without_implied_predicates,
)
from dialect.codegen.contribution.pushdown import Dictionary, join_keys
from dialect.codegen.contribution.unclipped_units import is_source_materialized, join_norm_test, norm_test_sql
from dialect.codegen.engines.dialects import DUCKDB_DIALECT, ENGINE_DIALECTS, EngineDialect
from dialect.codegen.lake import KEY_SET, broadcast_sql, check_lake_support, extract_broadcasts, placeholder
from dialect.codegen.materialized_rollups import partials_from_rollup
from dialect.codegen.partition_selection import RELEASED, released_sql, source_ctes, source_keys
from dialect.codegen.relations.relation import stored_table_truncations, write_rows
from dialect.codegen.stored_rows import ELIGIBLE_CTE, eligibility_ctes, objectors_to_broadcast


def is_one_row_per_person(plan: PrivatePlan) -> bool:
    """Return whether no person has a second row, because the source is a primary-key scan or grouped by person.

    Filters and projections add no rows, so that the operator below them decides.

    Claim: no person has a second row, for all data and for each operator that may stand below. Proof:
    dialect/codegen/proofs.md#render. Raises: nothing.
    """
    relation: Relation = plan.source
    while isinstance(relation.operator, Filter | Project):
        relation = relation.operator.source
    if not isinstance(relation, PerPerson):
        return False
    operator = relation.operator
    if isinstance(operator, Group | Distinct):
        return plan.charged_windows.window_field is None and set(operator.keys) == {relation.person}
    return isinstance(operator, Scan) and relation.has_one_row_per_person


def partial_of_row(
    vector: QueryVector, bound: VectorBound, is_grained: bool = False, dialect: EngineDialect = DUCKDB_DIALECT
) -> str:
    """Write the partial aggregate of a unit with a single row, in value grains: no grouping is needed.

    `is_grained`: the value is in value grains already. The result equals that of `partial_aggregate` over the one row:
    a sum is NULL without a value, a person count is 1 or NULL, and a row count is 1 or 0.
    """
    conditions = [vector.condition.id] if vector.condition is not None else []
    if vector.is_sum:
        assert vector.value is not None  # noqa: S101  sums have a value
        value = vector.value.id if is_grained else value_grains(vector, bound, dialect)
        return _case_when(conditions, value) if conditions else value
    if vector.value is not None:
        is_double = vector.kind is VectorKind.VALID and vector.value.type is SqlType.DOUBLE
        conditions.append(f"{vector.value.id} IS NOT NULL")
        conditions += [dialect.is_finite.format(vector.value.id)] if is_double else []
    otherwise = "" if vector.kind is VectorKind.PERSONS else " ELSE CAST(0 AS BIGINT)"
    return _case_when(conditions, "CAST(1 AS BIGINT)", otherwise) if conditions else "CAST(1 AS BIGINT)"


def _case_when(conditions: list[str], then: str, otherwise: str = "") -> str:
    """Write `then` where all conditions are true, else NULL or the ELSE clause `otherwise`."""
    return f"CASE WHEN {' AND '.join(conditions)} THEN {then}{otherwise} END"


def merged_partials(
    plan: PrivatePlan, bounds: ContributionBounds, pre_grained: frozenset[int], rows: str
) -> UnitPartials:
    """Write one row per (clipped unit, group) of `rows`, and one per group for all unclipped units.

    `rows` are joined to the CTE `norm_tests` (`join_norm_test`). The caller writes that CTE first.
    """
    joined_rows, columns = join_norm_test(plan, rows)
    return replace(
        unit_partials(plan, bounds, pre_grained, rows=joined_rows, unit_columns=columns), merges_unclipped_units=True
    )


def unit_partials(
    plan: PrivatePlan,
    bounds: ContributionBounds,
    pre_grained: frozenset[int],
    dialect: EngineDialect = DUCKDB_DIALECT,
    rows: str = "source",
    unit_columns: Mapping[str, str] | None = None,
) -> UnitPartials:
    """Write one row per (unit, group); grouped by the unit alone if the keys are functions of the person.

    `rows` is the FROM item to read. `unit_columns` maps a unit column to the column of `rows` that holds it; by
    default, the plan's own fields. Columns of the result: the unit, k0, ..., then v0, ... of the vectors that have a
    partial.
    """
    has_single_rows = is_one_row_per_person(plan)
    # single rows are not aggregated at all
    is_key_determined = not has_single_rows and plan.has_one_group_per_person and dialect.groups_by_unit_alone
    key_template = "any_value({})" if is_key_determined else "{}"
    keys = "".join(f", {key_template.format(key.field.id)} AS k{position}" for position, key in enumerate(plan.keys))
    columns = {name: field.id for name, field in plan.unit_columns.items()} if unit_columns is None else unit_columns
    unit = ", ".join(f"{column} AS {name}" for name, column in columns.items())
    group_positions = ", ".join(
        str(position + 1) for position in range(len(plan.unit_columns) + (0 if is_key_determined else len(plan.keys)))
    )
    write, group_by = (partial_of_row, "") if has_single_rows else (partial_aggregate, f" GROUP BY {group_positions}")
    pairs = aggregated_vectors(plan, bounds)
    totals = "".join(f", {write(vector, bound, i in pre_grained, dialect)} AS v{i}" for i, vector, bound in pairs)
    return UnitPartials(f"SELECT {unit}{keys}{totals} FROM {rows}{group_by}", keeps_stored_groups=False)


def capped_partials(
    plan: PrivatePlan,
    bounds: ContributionBounds,
    dictionaries: Mapping[int, Dictionary],
    partials: str,
    totals: Sequence[UnitTotal] = (),
) -> str:
    """Write the caps of partial aggregates, and drop groups outside the public key set."""
    of_totals = [each.capped for each in totals if each.capped]
    columns = ", ".join((*plan.unit_columns, *plan.key_columns, *capped_numbers(plan, bounds), *of_totals))
    return f"SELECT {columns} FROM ({partials}) AS p{key_set_semi_join('p', plan, dictionaries)}"


NO_DICTIONARIES: Mapping[int, Dictionary] = {}
SHARED_PARTIALS = "shared_partials"


class Measure(StrEnum):
    """Which number of a unit decides its bin."""

    NORM = "norm"
    TOTAL = "total"
    MEAN = "mean"


@dataclass(frozen=True)
class ProfileHistogram:
    """Histogram of a profile: the query vector, and the number of a unit that decides its bin."""

    vector: int  # index in the plan
    measure: Measure
    count: int = 0  # of MEAN: index of the vector that counts the values
    parts: tuple[float, ...] = ()  # of MEAN: where the parts of the range begin, but for the first, as shares of it

    @cached_property
    def squared_vectors(self) -> tuple[int, ...]:
        """Return the indices of the vectors whose sums of squares over the groups of a unit it measures."""
        if self.measure is Measure.MEAN:
            return self.vector, self.count
        return (self.vector,) if self.measure is Measure.NORM else ()


@dataclass(frozen=True)
class SharedPlan:
    """Plan of partial aggregates that the statements of one release share, with their fine value grains.

    A statement's own grains are at least as coarse, and its centres differ by whole fine grains.
    """

    plan: PrivatePlan
    bounds: ContributionBounds
    histograms: tuple[ProfileHistogram, ...]  # of its profile, whose measures of units clipping factors may read
    profile_bounds: ContributionBounds  # value grains of these measures
    # what was written of it already, by target: with and without truncation
    written: list[tuple[Target, Eligibility | None, Partials]] = field(
        default_factory=list, init=False, compare=False, repr=False
    )


@dataclass(frozen=True)
class Recentred:
    """A vector's number about other centres: a linear combination of shared partials, in integers."""

    terms: tuple[tuple[int, int], ...]  # factor, and index of the vector
    value_bits: int  # of the combination

    def sql(self, bits: int, dialect: EngineDialect) -> str:
        """Write the combination in grains that are 2^bits times as large; of a product in wide integers, clamped.

        It is clamped so that no quotient exceeds 64 bits, in which Spark has it. A unit without values has the sum 0:
        clamped as NULL, which `least` ignores, it would have the largest one.
        """
        (_, own), *others = self.terms
        if len(others) == 1:
            return _coarser(f"(v{own} - {-others[0][0]} * v{others[0][1]})", bits, dialect)
        wide = " + ".join(f"CAST({factor} AS {dialect.wide_integer}) * v{i}" for factor, i in self.terms if factor)
        largest = f"CAST({1 << min(62 + bits, 124)} AS {dialect.wide_integer})"
        return _coarser(f"greatest(-{largest}, least({largest}, coalesce({wide}, 0)))", bits, dialect)


NOT_MOVED: Mapping[int, Recentred] = {}
NO_TOTALS: Mapping[int, int] = {}


@dataclass(frozen=True)
class UnitTotal:
    """A total over all groups that the statement of the numbers measures as well: each unit's sum, clipped."""

    index: int  # of the vector
    clip_bound: int  # in the profile's value grains
    column: str  # of `unit_partials`: the unit's number in a group, in these grains and capped
    capped: str = ""  # SQL of that column; "": it is that of the numbers
    is_one: bool = False  # the number is 1 in each group and has no column


@dataclass(frozen=True)
class Partials:
    """Partial aggregates of a plan as CTEs, with what later CTEs need to know of them."""

    plan: PrivatePlan  # with the keys that rows are grouped by
    answer_plan: PrivatePlan  # with the public keys of the answer
    bounds: ContributionBounds  # their value grains
    target: Target  # that holds people's rows
    eligibility: tuple[Subquery, ...]
    rows: tuple[Subquery, ...]  # people's rows, and norm tests
    keys: tuple[Subquery, ...]  # public keys, and dictionaries of their texts
    unit: UnitPartials
    dictionaries: Mapping[int, Dictionary] = field(default_factory=dict)
    is_key_encoded: bool = False
    is_in_lake: bool = False  # else in DuckDB
    broadcast: Mapping[str, str] = field(default_factory=dict)  # of a lake
    shared: Mapping[str, str] = field(default_factory=dict)  # the subquery `shared_partials`, if statements share it
    totals: tuple[UnitTotal, ...] = ()

    @property
    def eligible_sql(self) -> str:
        """SQL of the eligible persons; "" without conditions."""
        return next((text for cte, _, text in self.eligibility if cte == ELIGIBLE_CTE), "")

    @property
    def ctes(self) -> list[Subquery]:
        """List the CTEs that precede the partial aggregates."""
        return [*self.eligibility, *self.rows, *self.keys]


def read_partials(
    plan: PrivatePlan,
    bounds: ContributionBounds,
    target: Target,
    admission: Eligibility | None,
    rollup_partials: UnitPartials | None,
    *,
    is_shared: bool = False,
) -> Partials:
    """Write the partial aggregates of a plan in DuckDB, from a rollup's or from stored rows.

    Stored rows are read and grouped as the physical plan says. A rollup already holds keys and value grains.
    `is_shared`: encoded keys have the same number wherever the key set is computed.
    """
    physical, rows = PhysicalPlan(plan, plan, bounds), list[Subquery]()
    partials = rollup_partials
    if partials is None:
        physical = physical_plan(plan, bounds, target) if plan.mapping is None else physical
        source, partials = _grouped_rows(physical, target)
        merges = physical.merges_unclipped_units
        released = "" if plan.mapping is None else released_sql(plan.mapping, target)
        rows += source_ctes(plan, source, released, DUCKDB_DIALECT, merges and is_source_materialized(plan))
        if merges:
            test = norm_test_sql(plan, physical.plan, bounds, target, physical.pre_grained, admission)
            rows.append(("norm_tests", True, test))
    bounded_plan, dictionaries, is_encoded = physical.plan, physical.dictionaries, physical.is_key_encoded
    keys = list[Subquery]()
    if bounded_plan.key_set is not None and bounded_plan.keys:
        keys += [(f"dictionary{i}", False, dictionary_sql(each, target)) for i, each in dictionaries.items()]
        keys.append(("key_set", True, key_set_sql(bounded_plan.key_set, dictionaries, target, is_encoded, is_shared)))
    return Partials(
        physical.grouped_plan if is_encoded else bounded_plan, bounded_plan, bounds, target,
        tuple(eligibility_ctes(admission, target, plan.dataset)), tuple(rows), tuple(keys), partials,
        dictionaries, is_encoded,
    )  # fmt: skip


def _grouped_rows(physical: PhysicalPlan, target: Target) -> tuple[str, UnitPartials]:
    """Write the CTE `source`, and its partial aggregates grouped by unit and keys."""
    plan, source_plan, rows = physical.plan, physical.grouped_plan, "source"
    if physical.is_key_encoded:
        source_plan, rows = without_implied_predicates(plan), encoded_rows(plan, physical.dictionaries)
    write = merged_partials if physical.merges_unclipped_units else unit_partials
    partials = write(physical.grouped_plan, physical.bounds, physical.pre_grained, rows=rows)
    if physical.pushdown is not None:
        partials = join_keys(plan, physical.pushdown, partials, target)
    return _source_rows(source_plan, target), partials


def read_lake_partials(
    plan: PrivatePlan, bounds: ContributionBounds, target: Target, lake: Target, admission: Eligibility | None
) -> Partials:
    """Write the partial aggregates of a plan for a lake, over broadcast public rows.

    The key set itself is broadcast only where groups outside it must be dropped.
    """
    check_lake_support(plan, lake)
    source, lake_target, rows = extract_broadcasts(plan.source, lake)
    source_sql = _source_rows(replace(plan, source=source), lake_target)
    eligibility = tuple(eligibility_ctes(admission, lake_target, plan.dataset))
    broadcast, keys = objectors_to_broadcast(admission, plan.dataset in lake.same_bits_datasets), list[Subquery]()
    if key_set_semi_join("p", plan, NO_DICTIONARIES) and plan.key_set is not None:
        keys.append(("key_set", False, f"SELECT * FROM {placeholder(KEY_SET)}"))
        broadcast |= {KEY_SET: key_set_sql(plan.key_set, NO_DICTIONARIES, target)}
    partials = unit_partials(plan, bounds, frozenset(), ENGINE_DIALECTS[lake_target.engine])
    broadcast |= {} if plan.mapping is None else {RELEASED: released_sql(plan.mapping, target)}
    broadcast |= broadcast_sql(rows, lake_target, target)
    sources = source_ctes(
        plan, source_sql, f"SELECT * FROM {placeholder(RELEASED)}", ENGINE_DIALECTS[lake_target.engine]
    )
    return Partials(
        plan, plan, bounds, lake_target, eligibility, tuple(sources), tuple(keys), partials,
        is_in_lake=True, broadcast=broadcast,
    )  # fmt: skip


def _source_rows(plan: PrivatePlan, target: Target) -> str:
    """Write the plan's source with the columns that units, keys and vectors read."""
    needed = {*plan.unit_columns.values(), *source_keys(plan)}
    return write_rows(plan.source, needed.union(*(vector.fields for vector in plan.vectors)), target)


def with_clause(subqueries: Iterable[Subquery], answer: str, dialect: EngineDialect = DUCKDB_DIALECT) -> str:
    """Write WITH and the final SELECT; the flag of a subquery: True MATERIALIZED, None NOT MATERIALIZED."""
    modifiers = {True: dialect.materialized, False: "", None: dialect.not_materialized}
    ctes = ",\n".join(f"{cte} AS {modifiers[materialized]}({text})" for cte, materialized, text in subqueries)
    return f"WITH {ctes}\n{answer}"


def with_untruncated(write: Callable[[Target], BoundedSql], plan: PrivatePlan, target: Target) -> BoundedSql:
    """Write bounded SQL, and if it truncates stored tables, once more without the truncation.

    The second text comes with the conditions under which the engine may run it.
    """
    bounded, truncations = write(target), stored_table_truncations(plan.row_truncations, target)
    if not truncations:
        return bounded
    untruncated = write(replace(target, unexceeded_limits=frozenset(truncations)))
    return replace(
        bounded,
        untruncated_text=untruncated.text,
        untruncated_shared=untruncated.shared,
        untruncated_conditions=tuple((most, kept) for (_, kept), most in truncations.items()),
    )


def is_shareable(plan: PrivatePlan, bounds: ContributionBounds, shared: SharedPlan) -> bool:
    """Return whether the numbers of a plan follow from shared partials: distinct values need the rows."""
    pairs = zip(bounds.vectors, shared.bounds.vectors, strict=True)
    return all(own.value_bits <= fine.value_bits for own, fine in pairs) and all(
        vector.kind is not VectorKind.DISTINCT for vector in plan.vectors
    )


def shared_partials(
    shared: SharedPlan, target: Target, admission: Eligibility | None, *, is_alone: bool = False
) -> Partials:
    """Write the partial aggregates that statements share, once: of all units, in the fine grains of `shared`.

    Groups outside the public key set are dropped here. No unit is merged with others, as none is bounded yet.
    `is_alone`: one statement reads them, so that in DuckDB they are no CTE of their own.
    """
    found = next((each for of, admitted, each in shared.written if of == target and admitted == admission), None)
    if found is None:
        found = _write_shared(shared, target, admission)
        shared.written.append((target, admission, found))
    if is_alone and not found.is_in_lake:
        return found
    sql = with_clause([*found.rows, *found.keys], found.unit.text, ENGINE_DIALECTS[found.target.engine])
    return replace(
        found, rows=((SHARED_PARTIALS, True, sql),), keys=() if found.is_in_lake else found.keys,
        unit=UnitPartials(f"SELECT * FROM {SHARED_PARTIALS}", keeps_stored_groups=True), shared={SHARED_PARTIALS: sql},
    )  # fmt: skip


def _write_shared(shared: SharedPlan, target: Target, admission: Eligibility | None) -> Partials:
    """Write the partial aggregates that statements share, from a rollup, a lake or stored rows."""
    has_rollup = bool(target.rollups) and shared.plan.mapping is None
    rollup = None if not has_rollup else partials_from_rollup(shared.plan, shared.bounds, target, admission)
    is_in_lake = target.lake is not None and rollup is None
    if target.lake is not None and is_in_lake:
        found = read_lake_partials(shared.plan, shared.bounds, target, target.lake, admission)
    else:
        own = replace(target, shortcuts=target.shortcuts - {Shortcut.UNCLIPPED_UNITS})
        found = read_partials(shared.plan, shared.bounds, own, admission, rollup, is_shared=True)
    capped = capped_partials(found.plan, found.bounds, found.dictionaries, found.unit.text)
    keyless = replace(found.plan, key_set=None)
    return replace(found, plan=keyless, is_in_lake=is_in_lake, unit=replace(found.unit, text=capped))


def recentred(shared: SharedPlan, plan: PrivatePlan) -> Mapping[int, Recentred]:
    """Find the vectors of a plan whose values are taken about another centre than in the shared partials.

    Claim: a linear combination of the shared partials, in exact integers, by index of the vector. Symbols: of a sum s
    of n values, about a centre that is c away, s - c n; of a sum q of products, whose centres are c and d away and of
    which o is subtracted each, q - d s - c t + (c d - o) n, with the sums s and t of both factors. Source and proof:
    dialect/codegen/proofs.md#shared-partials. Raises nothing.
    """
    counts = {
        vector.scale_group: i
        for i, vector in enumerate(plan.vectors)
        if vector.kind in (VectorKind.ROWS, VectorKind.VALID)
    }
    found = dict[int, Recentred]()
    for i, (other, own) in enumerate(zip(shared.plan.vectors, plan.vectors, strict=True)):
        bits = shared.bounds.vectors[i].value_bits
        steps = round((own.centre - other.centre) * 2.0**bits)
        if own.factor is not None and other.factor is not None:
            moves = (own.centre - other.centre, own.factor.centre - other.factor.centre)
            if any((*moves, own.offset)):
                found[i] = _recentred_product(i, shared, moves, own.offset, counts[own.scale_group])
        elif steps:
            found[i] = Recentred(((1, i), (-steps, counts[own.scale_group])), bits)
    return found


def _recentred_product(
    index: int, shared: SharedPlan, moves: tuple[float, float], offset: float, count: int
) -> Recentred:
    """Take a sum of products about other centres, in grains that are fine enough for its sums and their centres."""
    vector, bits = shared.plan.vectors[index], [bound.value_bits for bound in shared.bounds.vectors]
    assert vector.factor is not None  # noqa: S101  a product has one
    sums = [_sum_of(side, vector, shared.plan) for side in (vector, vector.factor)]
    steps = [round(move * 2.0 ** bits[total]) for move, total in zip(moves, sums, strict=True)]
    finest = max(bits[sums[0]] + bits[sums[1]], bits[index])
    further = 1 << finest - bits[sums[0]] - bits[sums[1]]
    constant = steps[0] * steps[1] * further - round(offset * 2.0**finest)
    terms = ((1 << finest - bits[index], index), (-steps[1] * further, sums[0]), (-steps[0] * further, sums[1]))
    return Recentred((*terms, (constant, count)), finest)


def _sum_of(side: QueryVector | Factor, product: QueryVector, plan: PrivatePlan) -> int:
    """Find the sum of one factor of a product: of the same values, about the same centre, with the same count."""
    wanted = (product.scale_group, side.value, side.lower, side.upper, side.centre)
    return next(
        i
        for i, each in enumerate(plan.vectors)
        if each.kind is VectorKind.CENTRED
        and (each.scale_group, each.value, each.lower, each.upper, each.centre) == wanted
    )


def in_grains_of(
    found: Partials,
    bounds: ContributionBounds,
    moved: Mapping[int, Recentred] = NOT_MOVED,
    totals: Sequence[tuple[int, int, VectorBound]] = (),
) -> Partials:
    """Convert shared partials to the value grains of one statement.

    `moved` = by index of a vector, its number about other centres; `totals` = vectors whose totals are measured, too:
    index, clip bound of the total, and the bound whose value grains the total has.
    """
    dialect, columns = ENGINE_DIALECTS[found.target.engine], [*found.plan.unit_columns, *found.plan.key_columns]
    for i, _, bound in aggregated_vectors(found.plan, bounds):
        if i in moved:
            number = moved[i].sql(moved[i].value_bits - bound.value_bits, dialect)
        else:
            number = _coarser(f"v{i}", found.bounds.vectors[i].value_bits - bound.value_bits, dialect)
        columns.append(f"{number} AS v{i}")
    of_totals = [_unit_total(found, i, bounds.vectors[i], most, bound) for i, most, bound in totals]
    columns += [number for _, number in of_totals if number]
    text = f"SELECT {', '.join(columns)} FROM ({found.unit.text}) AS s"
    unit = replace(found.unit, text=text)
    return replace(found, bounds=bounds, unit=unit, totals=tuple(total for total, _ in of_totals))


def _unit_total(
    found: Partials, index: int, own: VectorBound, clip_bound: int, of_profile: VectorBound
) -> tuple[UnitTotal, str]:
    """Describe the total of a vector, and write its number in the profile's value grains where the numbers have others.

    The sum of a unit's capped numbers in these grains is that of `unit_measures`.
    """
    vector, dialect = found.plan.vectors[index], ENGINE_DIALECTS[found.target.engine]
    if vector.is_selection_vector:
        return UnitTotal(index, clip_bound, "1", is_one=True), ""
    same = capped_partial("v", vector, own) == capped_partial("v", vector, of_profile)
    if same and own.value_bits == of_profile.value_bits:
        return UnitTotal(index, clip_bound, f"v{index}"), ""
    column = f"m{index}"
    number = _coarser(f"v{index}", found.bounds.vectors[index].value_bits - of_profile.value_bits, dialect)
    return UnitTotal(index, clip_bound, column, capped_partial(column, vector, of_profile)), f"{number} AS {column}"


def _coarser(grains: str, bits: int, dialect: EngineDialect) -> str:
    """Write an integer in grains that are 2^bits times as large, rounded, halves away from zero."""
    if bits == 0:
        return grains
    half, divisor = 1 << bits - 1, 1 << bits
    return dialect.quotient.format(f"({grains} + CASE WHEN {grains} < 0 THEN -{half} ELSE {half} END)", divisor)


def with_shared_from(text: str, shared: Mapping[str, str], table_of: Callable[[str], str]) -> str:
    """Rewrite SQL to read its shared subqueries from tables: `table_of` SQL is the table with its result.

    Claim: the result is that of the text as it is. Symbols: `shared` as of bounded SQL. Formula: none. Source and
    proof: dialect/codegen/proofs.md#shared-partials. Raises what `table_of` does.
    """
    inner = dict(shared)
    for cte, sql in shared.items():
        del inner[cte]
        subquery = f"{cte} AS {DUCKDB_DIALECT.materialized}({sql})"
        if subquery in text:
            table = table_of(with_shared_from(sql, inner, table_of))
            from_table = f"{cte} AS {DUCKDB_DIALECT.not_materialized}(SELECT * FROM {table})"
            text = text.replace(subquery, from_table)
    return text


def with_shared_ctes(text: str, shared: Mapping[str, str]) -> str:
    """Rewrite SQL to compute each of its shared subqueries once, in CTEs of its own.

    Claim: the result is that of the text as it is. Symbols: `shared` as of bounded SQL. Formula: none. Source and
    proof: dialect/codegen/proofs.md#shared-partials. Raises nothing.
    """
    names = dict[str, str]()  # by SQL, each after those that it reads
    rewritten = with_shared_from(text, shared, lambda sql: names.setdefault(sql, f"shared{len(names)}"))
    ctes = "".join(f"{name} AS {DUCKDB_DIALECT.materialized}({sql}),\n" for sql, name in names.items())
    return f"WITH {ctes}{rewritten.removeprefix('WITH ')}" if names else text
