"""Declared clip bounds: which one applies to a vector, by table, aggregate and grouping keys.

A clip bound declared for a grouping also holds for a plan that groups more coarsely in certain ways
(`proofs.md#usual-keys`). Where columns are joined to a public table, their values per group can be counted there.

Terms: a clip bound is the largest L2 norm of one person's numbers over all groups. It is declared per table, for all
rows and for groups by certain keys (`ClipBoundsByKeys`), each with the share of people within it (expected coverage).
A table that declares none has fallback bounds, of which that share is unknown.
Group memberships are the vector of 1 per group that a person is in. The magnitude of a vector is its largest absolute
value per row. A fact is a predicate that is true of every row.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from dialect.algebra.expressions import (
    Call,
    Expr,
    Field,
    Literal,
    Ref,
    conjunction,
    equal_pairs,
    fields_of,
    reads_only_table,
)
from dialect.algebra.properties import Properties
from dialect.algebra.relations import (
    Distinct,
    Filter,
    Project,
    Public,
    RowTruncation,
    public_values_of,
)
from dialect.algebra.release_plan import Factor, PrivatePlan, QueryVector, VectorKind
from dialect.analysis.uniqueness import has_many_to_many_join, may_match_several_public_rows
from dialect.catalog.model import FALLBACK_VALUE_SHARE, Catalog, ClipBoundsByKeys, Column, SqlType, Table
from dialect.functions.emitter import plain_text
from dialect.functions.registry import OVERLOADS
from dialect.functions.signatures import Effect
from dialect.sensitivity.grouping import (
    grouping_attributes,
    is_single_date,
    key_determination_test,
    key_equivalents,
    per_group_distinct_bounds,
)


def declares_clip_bounds(plan: PrivatePlan, catalog: Catalog) -> bool:
    """Return whether all tables whose rows a plan counts declare clip bounds, so that none is a fallback."""
    return all(table.clip_bounds is not None for table in _widest_tables(plan, catalog))


def max_groups_within(values: Mapping[str, int], further_keys: Collection[str]) -> int | None:
    """Bound the groups by further keys within one group of a plan; None if some key has no bound.

    `values` has the largest number of values of each key in one group: their product bounds the combinations.
    """
    return math.prod(values[text] for text in further_keys) if values.keys() >= set(further_keys) else None


def _scaled(clip_bounds: ClipBoundsByKeys, factor: float) -> ClipBoundsByKeys:
    """Multiply the declared clip bounds of rows and sums; those of group memberships have no such rule."""
    if factor == 1:
        return clip_bounds
    rows = clip_bounds.rows and clip_bounds.rows * factor
    sums = {name: bound * factor for name, bound in clip_bounds.sums.items()}
    return replace(clip_bounds, rows=rows, sums=sums)


def _bound_then_share(bound_and_share: tuple[float, float | None]) -> tuple[float, float]:
    """Order of (clip bound, share of people within it): smaller bounds first, of equal ones the larger share."""
    return bound_and_share[0], -(bound_and_share[1] or 0.0)


def drops_contributions(plan: PrivatePlan, key_count: int | None) -> bool:
    """Return whether limits stated in the query drop rows or groups of people, so that the bias is unknown."""
    rows, groups = plan.limits.max_rows, plan.limits.max_groups
    fewer_rows = rows is not None and isinstance(plan.source.operator, RowTruncation)
    return fewer_rows or (groups is not None and not plan.is_single and (key_count is None or groups < key_count))


def counted_table(plan: PrivatePlan, catalog: Catalog) -> Table | None:
    """Return the one stored table whose rows a plan counts; None for several, or for derived movement.

    Derived movement is stays and trips, which have clip bounds of their own.
    """
    tables = _widest_tables(plan, catalog)
    return tables[0] if len(tables) == 1 and plan.source.derived_from is None else None


def declared_max_groups(plan: PrivatePlan, catalog: Catalog) -> int:
    """Return the declared L0 bound: groups per person, or per person and window if windows are kept apart.

    Branches of a union over different tables add up.
    """
    per_window = sum(
        max(1, table.max_groups_per_person or 1) for table in _distinct_tables(_widest_tables(plan, catalog))
    )
    return per_window * plan.charged_windows.windows_per_unit


def _widest_tables(plan: PrivatePlan, catalog: Catalog) -> list[Table]:
    """Return the table with the most rows per person, one for each branch of a union."""
    return [_widest_table(names, plan.source.derived_from, catalog) for names in plan.union_branches]


def _distinct_tables(tables: list[Table]) -> list[Table]:
    """Return the tables without duplicates, as several branches of a union may read the same one."""
    return list({table.name: table for table in tables}.values())


def _widest_table(names: frozenset[str], derived: Table | None, catalog: Catalog) -> Table:
    """Return the private table with the most rows per person, of those that one union branch reads.

    By the declared clip bounds of rows; where one of the tables declares none, the one with the most rows in all.
    """
    counted = (_with_derived_bounds(catalog.tables_by_name.get(name), derived) for name in names)
    tables = [table for table in counted if table is not None and table.private]
    is_declared = all(table.clip_bounds is not None for table in tables)

    def width(table: Table) -> tuple[float, float, str]:
        """Order of tables by rows per person."""
        size = 0.0 if is_declared or table.has_one_row_per_person else float(table.size_class or 1)
        return size, table.applied_clip_bounds.rows, table.name

    return max(tables, key=width)


def _with_derived_bounds(table: Table | None, derived: Table | None) -> Table | None:
    """Use the clip bounds of stays and trips where a table function derived movement from the rows.

    Other tables are returned as they are. No size class tells how many stays and trips a person makes.
    """
    if table is None or derived is None or table.name != derived.name or table.movement is None:
        return table
    return replace(table, clip_bounds=table.movement.clip_bounds or table.clip_bounds, mean_rows_per_person=None)


def column_multiple(vector: QueryVector, catalog: Catalog) -> tuple[Column, float] | None:
    """Return (column, ratio of magnitudes) for a vector computed from a single bounded column; else None.

    The ratio is that of the largest value of the vector to that of the column. A centred value is no multiple of its
    column, so it is recognised only if it is the column itself.
    """
    if vector.value is None:
        return None
    expr = vector.value.expression
    origins = {f.origin for f in fields_of(expr) if f.origin is not None and f.bounds is not None}
    if len(origins) != 1:
        return None
    origin = origins.pop()
    column = catalog.column(origin.table, origin.column)
    if column is None or column.bounds is None:
        return None
    widest = max(abs(column.bounds.lower), abs(column.bounds.upper))
    if widest == 0:
        return None
    if vector.value.origin == origin:
        return column, 1.0
    if vector.kind is VectorKind.CENTRED:
        return None
    ratio = _max_magnitude(vector.value, vector) / widest  # from the expression alone, as WHERE does not scale a column
    return column, ratio if _is_multiple(expr) else max(1.0, ratio)


def _max_magnitude(value: Field, vector: QueryVector) -> float:
    """Return the largest absolute value of a field; the clamping range of the vector if the field has no bounds."""
    ends = value.bounds if value.bounds is not None and value.bounds.is_finite else None
    lower, upper = (vector.lower, vector.upper) if ends is None else (ends.lower, ends.upper)
    return max(abs(lower), abs(upper))


def _is_multiple(expr: Expr) -> bool:
    """Return whether an expression is one column times a constant, so that its clip bound is scaled exactly."""
    if not isinstance(expr, Call):
        return isinstance(expr, Ref)
    parts = [argument for argument in expr.arguments if not isinstance(argument, Literal)]
    if len(parts) != 1 or not _is_multiple(parts[0]):
        return False
    divided = expr.name == "/" and parts[0] == expr.arguments[0]
    return divided or expr.name == "*" or OVERLOADS[expr.function].effect in (Effect.KEEPS, Effect.NEGATES)


@dataclass(frozen=True)
class DeclaredClipBounds:
    """The declared clip bounds of one plan (L2), and the share of people within them."""

    plan: PrivatePlan
    catalog: Catalog
    known: Properties

    @cached_property
    def tables(self) -> list[Table]:
        """The table with the most rows per person, one for each branch of a union."""
        return _widest_tables(self.plan, self.catalog)

    @cached_property
    def has_multiplied_rows(self) -> bool:
        """Whether joins of the plan multiply a person's rows."""
        source = self.plan.source
        return has_many_to_many_join(source) or self.known.of(may_match_several_public_rows, source)

    def of_vector(self, vector: QueryVector) -> float:
        """Return the declared clip bound (L2) of a vector, in its unit. Privacy holds for any value.

        Windows that are bounded together multiply it by their number; of group memberships, by the square root.

        For a union, the bounds of its branches add up; those of group memberships add in squares, once per table.
        """
        tables, windows = self.tables, self.plan.charged_windows.windows_per_unit
        if vector.kind is VectorKind.PERSONS:  # memberships of union branches add in squares
            per_window = math.hypot(*(self._of_table(vector, table) for table in _distinct_tables(tables)))
            return per_window * math.sqrt(windows)
        return windows * sum(self._of_table(vector, table) for table in tables)

    def within_limits(self, vector: QueryVector) -> float:
        """Return the clip bound of a vector, adjusted to row and group limits stated in the query.

        A person with r rows is in at most r groups, and no count exceeds r; the memberships of g groups have a norm of
        sqrt(g). The bound of a sum is the declared one, scaled up if the stated row limit exceeds the declared bound of
        rows. Stated bounds of a person's number per group are multiplied by the bound of group memberships.
        """
        if vector.partial_bounds is not None:
            persons = self.within_limits(replace(vector, kind=VectorKind.PERSONS, partial_bounds=None))
            return max(abs(vector.partial_bounds.lower), abs(vector.partial_bounds.upper)) * persons
        declared, rows, groups = self.of_vector(vector), self.plan.limits.max_rows, self.plan.limits.max_groups
        if vector.kind is VectorKind.PERSONS:
            max_groups = min((g for g in (rows, groups) if g is not None), default=None)
            return declared if max_groups is None else math.sqrt(max_groups)
        if rows is None:
            return declared
        if vector.is_sum:
            declared_rows = self.of_vector(replace(vector, kind=VectorKind.ROWS))
            return min(rows * max(vector.magnitude, 2.0**-20), declared * max(1.0, rows / declared_rows))
        return float(rows)

    def unclipped_share(self, vector: QueryVector) -> float | None:
        """Return the share of people declared to be within a vector's clip bound; None if nothing is declared."""
        shares = [self._unclipped_share_of_table(vector, table) for table in self.tables]
        return None if None in shares else min(each for each in shares if each is not None)

    def applicable(self, table: Table) -> list[ClipBoundsByKeys]:
        """Return the declared clip bounds of rows and sums that apply to a plan: over all rows, and by grouping keys.

        If at most k groups by the declared keys lie in one group of the plan, the bound is multiplied by sqrt(k):

            declared by (hour), GROUP BY part_of_day(ts) with at most 6 hours in each   ->   bound * sqrt(6)

        Claim: each is valid for the plan's own groups if it is for the groups it is declared for, where a person's
        contributions have one sign. Proof: proofs.md#usual-keys. Raises: nothing.
        """
        declared = table.applied_clip_bounds
        overall = ClipBoundsByKeys((), declared.rows, declared.persons, expected_coverage=declared.expected_coverage)
        if not declared.by_keys:
            return [overall]
        grouping = self.known.of(grouping_attributes, self.plan, table.name)
        others = [(each, frozenset(each.keys) - grouping) for each in declared.by_keys]
        further_keys = frozenset[str]().union(*(keys for _, keys in others))
        values = self.known.of(per_group_distinct_bounds, self.plan, table.name, further_keys)
        with_groups = ((each, max_groups_within(values, keys)) for each, keys in others)
        return [overall, *(_scaled(each, math.sqrt(groups)) for each, groups in with_groups if groups is not None)]

    def of_rows(self, table: Table) -> tuple[float, float | None]:
        """Return (the smallest applicable clip bound of rows, the share of people within it).

        Of equal bounds, the one with the largest share.
        """
        declared = ((each.rows, each.expected_coverage) for each in self.applicable(table) if each.rows is not None)
        return min(declared, key=_bound_then_share)

    def of_persons(self, table: Table) -> ClipBoundsByKeys | None:
        """Choose the declared clip bound of group memberships: the smallest whose keys determine the plan's keys.

        Then the plan has no more groups. Otherwise the one that shares most keys with the plan. Predicates are ignored,
        as a person is in no more groups under them; except for a single date, where the overall bound is far too large
        and the one with most shared keys is nearer.
        """
        key_texts = self.known.of(key_equivalents, self.plan)
        declared = table.applied_clip_bounds.by_keys
        determines_keys = self.known.of(key_determination_test, self.plan, table.name)
        determining = [each for each in declared if each.persons is not None and determines_keys(each.keys)]
        nested = (each for each in declared if key_texts.issuperset(each.keys))
        nearest = max(nested, key=lambda each: len(each.keys), default=None)
        if (
            not self.plan.keys
            or not determining
            or (nearest is not None and is_single_date(self.plan, self.known, table.name))
        ):
            return nearest
        return min(determining, key=lambda each: each.persons or math.inf)

    def _of_table(self, vector: QueryVector, table: Table) -> float:
        """Return the declared clip bound of a vector for the rows of one table, in the vector's unit.

        A sum is at most the bound of its column, and at most the bound of rows times the largest value, or times a
        usual value where the table declares no clip bounds. The magnitude is at least 2^-20, as a clip bound of 0 would
        remove everything.
        """
        if vector.kind is VectorKind.PERSONS:
            by_keys = self.of_persons(table)
            return by_keys.persons if by_keys and by_keys.persons is not None else table.applied_clip_bounds.persons
        rows = self.of_rows(table)[0]
        if vector.kind is VectorKind.ROWS or vector.kind is VectorKind.VALID:
            return rows
        if vector.factor is not None:
            return self._of_product(vector, vector.factor, table, rows)
        largest = max(vector.magnitude, 2.0**-20)
        declared = self._of_column(vector, table)
        if declared is None and table.clip_bounds is None and vector.kind is VectorKind.SUM:
            return max(1.0, rows * FALLBACK_VALUE_SHARE) * largest
        return rows * largest if declared is None else min(declared, rows * largest)

    def _of_product(self, vector: QueryVector, factor: Factor, table: Table, rows: float) -> float:
        """Derive the clip bound of a sum of products from the clip bounds of its two factors.

        It is at most that of one factor times the largest value of the other, in either role, and the smallest valid
        bound is used.
        """
        one = replace(vector, kind=VectorKind.CENTRED, factor=None)
        other = replace(
            one, value=factor.value, lower=factor.lower, upper=factor.upper, centre=factor.centre,
            is_integer=factor.value.type is SqlType.BIGINT and factor.centre.is_integer(),
        )  # fmt: skip
        factor_bounds = [self._of_table(each, table) for each in (one, other)]
        # all clamped products; either factor over all rows times the largest value of the other; both factors
        limits = (
            rows * vector.magnitude,
            factor_bounds[0] * other.magnitude,
            factor_bounds[1] * one.magnitude,
            factor_bounds[0] * factor_bounds[1],
        )
        return max(min(limits), 2.0**-40)

    def _of_column(self, vector: QueryVector, table: Table) -> float | None:
        """Scale a column's declared clip bound to an expression over that column, by the ratio of their magnitudes.

        Expressions that are not multiples keep the column's bound if they only reduce values, as LEAST does: it does
        not change people below the bound.
        """
        multiple = column_multiple(vector, self.catalog)
        clip_bound = None if multiple is None else self._of_sum(vector, multiple[0], table)
        return None if multiple is None or clip_bound is None else clip_bound[0] * multiple[1]

    def _of_sum(self, vector: QueryVector, column: Column, table: Table) -> tuple[float, float | None] | None:
        """Return (declared clip bound of a column's sums, share of people within it); None if nothing is declared.

        For values of one sign, the smallest. With mixed signs, which may cancel, sums by coarser groups can be smaller
        than those by finer ones, so bounds are not scaled, and the one declared by most of the plan's keys is chosen.
        """
        overall, *by_keys = self.applicable(table)
        if vector.kind is VectorKind.CENTRED:
            if column.centred_sum_clip_bound is None:
                return None
            return (column.centred_sum_clip_bound, overall.expected_coverage)
        # (grouping keys, clip bound, share of people within it)
        declared = [
            (each.keys, each.sums[column.name], each.expected_coverage) for each in by_keys if column.name in each.sums
        ]
        if column.sum_clip_bound is not None:
            declared.append(((), column.sum_clip_bound, overall.expected_coverage))
        # mixed signs: only bounds as declared, by all keys or by keys of their own
        if column.bounds is not None and column.bounds.lower < 0 < column.bounds.upper:
            key_texts = {key.canonical_text for key in self.plan.keys}
            unscaled_keys = [each.keys for each in by_keys if each in table.applied_clip_bounds.by_keys]
            declared = [each for each in declared if not each[0] or each[0] in unscaled_keys]
            found = max(declared, key=lambda each: (key_texts.issubset(each[0]), len(each[0])), default=None)
        else:
            found = min(declared, key=lambda each: _bound_then_share(each[1:]), default=None)
        return None if found is None else found[1:]

    def _unclipped_share_of_table(self, vector: QueryVector, table: Table) -> float | None:
        """Return the share of a table's people declared to be within a vector's clip bound; None if unknown."""
        if vector.kind is VectorKind.PERSONS:
            clip_bounds = self.of_persons(table)
            if clip_bounds is None:
                return table.applied_clip_bounds.expected_coverage
            # keys that do not determine the plan's are declared for fewer groups than the plan has
            determines_keys = self.known.of(key_determination_test, self.plan, table.name)
            is_known = clip_bounds.persons is None or determines_keys(clip_bounds.keys)
            return clip_bounds.expected_coverage if is_known else None
        multiple = column_multiple(vector, self.catalog) if vector.kind is VectorKind.SUM else None
        summed = None if multiple is None else self._of_sum(vector, multiple[0], table)
        return (summed or self.of_rows(table))[1]


@dataclass(frozen=True)
class ValuesByGroup:
    """A public relation with one row per value and group of a plan, for counting values per group."""

    key_text: str  # column or expression that clip bounds are declared by
    relation: Public
    groups: tuple[Field, ...]  # empty: a single group


def values_by_group(
    plan: PrivatePlan, catalog: Catalog, known: Properties, extra_keys: Collection[str] = ()
) -> Iterator[ValuesByGroup]:
    """List, per group, the values of declared grouping keys that are joined from public tables.

    `extra_keys` adds grouping keys to those of the declared clip bounds, as text.

    Claim: no group of the plan has rows with more values of `key_text` than the relation has in a group. Proof:
    proofs.md#usual-keys. Raises: nothing.
    """
    table = counted_table(plan, catalog)
    if table is None or table.clip_bounds is None:
        return
    wanted_keys = {
        *extra_keys,
        *(text for clip_bounds in table.clip_bounds.by_keys for text in clip_bounds.keys),
    } - known.of(grouping_attributes, plan, table.name)
    for own, other in equal_pairs(plan.source.predicates) if wanted_keys else ():
        if not isinstance(other, Ref) or own.type is not other.type or not reads_only_table(own, table.name):
            continue
        public = public_values_of(other.field)
        if public is not None and plain_text(own) in wanted_keys:
            yield from _group_values(plan, plain_text(own), other.field, public)


def _group_values(plan: PrivatePlan, text: str, public_field: Field, public: Public) -> Iterator[ValuesByGroup]:
    """Yield the values of a public field per group, if the plan's keys or facts restrict the public relation.

    Otherwise every group could have all its values, and counting them would bound nothing. Keys that read other fields
    than public ones are left out: the groups are then larger, which is safe.
    """
    public_fields = frozenset(public.fields)
    keys = [key for key in plan.key_exprs if _reads_only(key, public_fields)]
    conditions = [fact for fact in plan.source.predicates if _reads_only(fact, public_fields)]
    if public_field in public_fields and (keys or conditions):
        filtered = Public(Filter(public, conjunction(tuple(conditions))), public.fields) if conditions else public
        computed = tuple((Field(f"g{i}", None, key.type), key) for i, key in enumerate(keys))
        groups = tuple(field for field, _ in computed)
        below = Public(Project(filtered, computed), (*public.fields, *groups))
        yield ValuesByGroup(text, Public(Distinct(below, (*groups, public_field)), (*groups, public_field)), groups)


def _reads_only(expr: Expr, fields: frozenset[Field]) -> bool:
    """Return whether an expression reads some fields, and only these."""
    read = frozenset(fields_of(expr))
    return bool(read) and read <= fields
