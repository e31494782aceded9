"""Declared clip bounds: which one applies to a vector, by table, aggregate and grouping keys.

A clip bound declared for a grouping also holds for a plan that groups more coarsely in certain ways
(`proofs.md#usual-keys`). Where columns are joined to a public table, their values per group can be counted there.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace

from dialect.algebra.expressions import Call, Expr, Field, Literal, Ref, conjunction, expand, fields_of, is_of_table
from dialect.algebra.intervals import known
from dialect.algebra.relations import Cut, Distinct, Filter, Project, Public, public_list
from dialect.algebra.release_plan import Factor, PrivatePlan, Vector, VectorKind
from dialect.algebra.traversal import branches
from dialect.catalog.model import Catalog, Column, NormsByKeys, SqlType, Table
from dialect.functions.emitter import plain_text
from dialect.sensitivity.grouping import few_values, is_of_one_day, own_keys, parted_by, told_by


def usual_norms(plan: PrivatePlan, table: Table) -> list[NormsByKeys]:
    """Return the declared clip bounds of rows and sums that apply to a plan: over all rows, and by grouping keys.

    If at most k groups by the declared keys lie in one group of the plan, the bound is multiplied by sqrt(k):

        declared by (hour), GROUP BY part_of_day(ts) with at most 6 hours in each   ->   bound * sqrt(6)

    Claim: each is valid for the plan's own groups if it is for the groups it is declared for, where a person's
    contributions have one sign. Proof: proofs.md#usual-keys. Raises: nothing.
    """
    norms, parts = table.norms, parted_by(plan, table.name)
    assert norms is not None  # noqa: S101
    in_all = NormsByKeys((), norms.rows, norms.persons, covers=norms.covers)
    others = [(each, frozenset(each.keys) - parts) for each in norms.by_keys]
    values = few_values(plan, table.name, frozenset().union(*(keys for _, keys in others)))
    met = ((each, most_groups(values, keys)) for each, keys in others)
    return [in_all, *(_times(each, math.sqrt(groups)) for each, groups in met if groups is not None)]


def most_groups(values: Mapping[str, int], others: Collection[str]) -> int | None:
    """Bound the groups by further keys within one group of a plan, from the values of each key; None if unknown."""
    return math.prod(values[text] for text in others) if values.keys() >= set(others) else None


def _times(usual: NormsByKeys, factor: float) -> NormsByKeys:
    if factor == 1:
        return usual
    rows, sums = usual.rows and usual.rows * factor, {name: norm * factor for name, norm in usual.sums.items()}
    return replace(usual, rows=rows, sums=sums)


def norm_of_rows(plan: PrivatePlan, table: Table) -> tuple[float, float]:
    """Return the smallest applicable clip bound of rows, with the largest share of people declared to be within it."""
    declared = ((each.rows, -each.covers) for each in usual_norms(plan, table) if each.rows is not None)
    rows, uncovered = min(declared)
    return rows, -uncovered


def norm_of_persons(plan: PrivatePlan, table: Table) -> NormsByKeys | None:
    """Choose the declared clip bound of group memberships: the smallest whose keys determine the plan's keys.

    Then the plan has no more groups. Otherwise the one that shares most keys with the plan. Predicates are ignored, as
    a person is in no more groups under them; except for a single date, where the overall bound is far too large and
    the one with most shared keys is nearer.
    """
    assert table.norms is not None  # noqa: S101
    own, declared, told = own_keys(plan), table.norms.by_keys, told_by(plan, table.name)
    telling = [each for each in declared if each.persons is not None and told(each.keys)]
    nearest = max((each for each in declared if own.issuperset(each.keys)), key=_keys, default=None)
    if not plan.keys or not telling or (nearest is not None and is_of_one_day(plan, table.name)):
        return nearest
    return min(telling, key=lambda each: each.persons or math.inf)


def _keys(usual: NormsByKeys) -> int:
    return len(usual.keys)


def declared_norm(plan: PrivatePlan, vector: Vector, catalog: Catalog) -> float:
    """Return the declared clip bound (L2) of a vector, in its unit. Privacy holds for any value.

    Windows that are bounded together multiply it by their number; of group memberships, by the square root.
    """
    tables, windows = _widest(plan, catalog), plan.touched.together
    if vector.kind is VectorKind.PERSONS:  # group counts of union branches add up, so norms add in squares
        one = math.hypot(*(_declared(plan, vector, table, catalog) for table in _apart(tables)))
        return one * math.sqrt(windows)
    return windows * sum(_declared(plan, vector, table, catalog) for table in tables)


def _declared(plan: PrivatePlan, vector: Vector, table: Table, catalog: Catalog) -> float:
    assert table.norms is not None  # noqa: S101  the catalog reader refuses a private table without norms
    if vector.kind is VectorKind.PERSONS:
        usual = norm_of_persons(plan, table)
        return usual.persons if usual and usual.persons is not None else table.norms.persons
    rows = norm_of_rows(plan, table)[0]
    if vector.kind is VectorKind.ROWS or vector.kind is VectorKind.VALID:
        return rows
    if vector.factor is not None:
        return _of_product(plan, vector, vector.factor, table, catalog, rows)
    largest = max(vector.magnitude, 2.0**-20)
    declared = _of_column(plan, vector, table, catalog)
    return rows * largest if declared is None else min(declared, rows * largest)


def _of_product(
    plan: PrivatePlan, vector: Vector, factor: Factor, table: Table, catalog: Catalog, rows: float
) -> float:
    """Derive the clip bound of a sum of products: at most that of one factor times the other factor's magnitude."""
    one = replace(vector, kind=VectorKind.CENTRED, factor=None)
    other = replace(
        one, value=factor.value, lower=factor.lower, upper=factor.upper, centre=factor.centre,
        whole=factor.value.type is SqlType.BIGINT,
    )  # fmt: skip
    norms = [_declared(plan, each, table, catalog) for each in (one, other)]
    limits = (rows * vector.magnitude, norms[0] * other.magnitude, norms[1] * one.magnitude, norms[0] * norms[1])
    return max(min(limits), 2.0**-40)


def is_single(plan: PrivatePlan) -> bool:
    """Return whether every privacy unit is in at most one group, by enforced keys."""
    return plan.one_group_per_person or plan.one_row_per_person


def leaves_out(plan: PrivatePlan, key_count: int | None) -> bool:
    """Return whether limits stated in the query drop rows or groups of people, so that the bias is unknown."""
    rows, groups = plan.limits.max_rows, plan.limits.max_groups
    fewer_rows = rows is not None and isinstance(plan.source.operator, Cut)
    return fewer_rows or (groups is not None and not is_single(plan) and (key_count is None or groups < key_count))


def limited_norm(plan: PrivatePlan, vector: Vector, catalog: Catalog) -> float:
    """Return the clip bound of a vector, adjusted to row and group limits stated in the query.

    A person with r rows is in at most r groups, and no count exceeds r; a person in g groups has norm sqrt(g). The
    bound of a sum is the declared one, scaled up if the stated row limit exceeds the declared bound of rows.
    """
    if vector.part is not None:
        persons = limited_norm(plan, replace(vector, kind=VectorKind.PERSONS, part=None), catalog)
        return max(abs(vector.part.lower), abs(vector.part.upper)) * persons
    declared, rows, groups = declared_norm(plan, vector, catalog), plan.limits.max_rows, plan.limits.max_groups
    if vector.kind is VectorKind.PERSONS:
        most = min((g for g in (rows, groups) if g is not None), default=None)
        return declared if most is None else math.sqrt(most)
    if rows is None:
        return declared
    if vector.summed:
        usual = declared_norm(plan, replace(vector, kind=VectorKind.ROWS), catalog)
        return min(rows * max(vector.magnitude, 2.0**-20), declared * max(1.0, rows / usual))
    return float(rows)


def counted_table(plan: PrivatePlan, catalog: Catalog) -> Table | None:
    """Return the one stored table whose rows a plan counts; None for several, or for derived movement."""
    tables = _widest(plan, catalog)
    return tables[0] if len(tables) == 1 and plan.source.derived is None else None


def declared_cover(plan: PrivatePlan, vector: Vector, catalog: Catalog) -> float | None:
    """Return the share of people declared to be within a vector's clip bound; None if nothing is declared."""
    covers = [_covered(plan, vector, table, catalog) for table in _widest(plan, catalog)]
    return None if None in covers else min(each for each in covers if each is not None)


def _covered(plan: PrivatePlan, vector: Vector, table: Table, catalog: Catalog) -> float | None:
    assert table.norms is not None  # noqa: S101
    if vector.kind is VectorKind.PERSONS:
        usual = norm_of_persons(plan, table)
        if usual is None:
            return table.norms.covers
        # keys that do not determine the plan's are declared for fewer groups than the plan has
        said = usual.persons is None or told_by(plan, table.name)(usual.keys)
        return usual.covers if said else None
    found = multiple_of(vector, catalog) if vector.kind is VectorKind.SUM else None
    summed = None if found is None else _sum_norm(plan, vector, found[0], table)
    return (summed or norm_of_rows(plan, table))[1]


def declared_max_groups(plan: PrivatePlan, catalog: Catalog) -> int:
    """Return the declared L0 bound: groups per person, or per person and window if windows are kept apart."""
    one = sum(max(1, table.max_groups_per_person or 1) for table in _apart(_widest(plan, catalog)))
    return one * plan.touched.together


def _widest(plan: PrivatePlan, catalog: Catalog) -> list[Table]:
    """Return the table with the most rows per person, one for each branch of a union."""
    return [_widest_of(names, plan.source.derived, catalog) for names in branches(plan.source)]


def _apart(tables: list[Table]) -> list[Table]:
    return list({table.name: table for table in tables}.values())


def _widest_of(names: frozenset[str], derived: Table | None, catalog: Catalog) -> Table:
    counted = (_counted(catalog.table(name), derived) for name in names)
    tables = [table for table in counted if table is not None and table.norms is not None]
    return max(tables, key=lambda table: (table.norms.rows if table.norms else 0, table.name))


def _counted(table: Table | None, derived: Table | None) -> Table | None:
    """Use the clip bounds of stays and trips where a table function derived movement from the rows."""
    if table is None or derived is None or table.name != derived.name or table.movement is None:
        return table
    return replace(table, norms=table.movement.norms or table.norms)


def _of_column(plan: PrivatePlan, vector: Vector, table: Table, catalog: Catalog) -> float | None:
    """Scale a column's declared clip bound to an expression over that column, by the ratio of their magnitudes.

    Expressions that are not multiples keep the column's bound if they only reduce values, as LEAST does: it does not
    change people below the bound.
    """
    found = multiple_of(vector, catalog)
    norm = None if found is None else _sum_norm(plan, vector, found[0], table)
    return None if found is None or norm is None else norm[0] * found[1]


def multiple_of(vector: Vector, catalog: Catalog) -> tuple[Column, float] | None:
    """Return the single bounded column that a vector's values are computed from, and the ratio of their magnitudes."""
    if vector.value is None:
        return None
    expr = expand(Ref(vector.value))
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
    wider = _largest(vector.value, vector) / widest  # from the expression alone, as WHERE does not scale a column
    return column, wider if _is_multiple(expr) else max(1.0, wider)


def _largest(value: Field, vector: Vector) -> float:
    ends = value.bounds if known(value.bounds) else None
    lower, upper = (vector.lower, vector.upper) if ends is None else (ends.lower, ends.upper)
    return max(abs(lower), abs(upper))


def _is_multiple(expr: Expr) -> bool:
    if not isinstance(expr, Call):
        return isinstance(expr, Ref)
    parts = [argument for argument in expr.arguments if not isinstance(argument, Literal)]
    if len(parts) != 1 or not _is_multiple(parts[0]):
        return False
    divided = expr.name == "/" and parts[0] == expr.arguments[0]
    return divided or expr.name in {"*", "negative", "to_double"}


def _sum_norm(plan: PrivatePlan, vector: Vector, column: Column, table: Table) -> tuple[float, float] | None:
    """Return the declared clip bound of a column's sums, and the share of people within it.

    For values of one sign, the smallest. With mixed signs, which may cancel, the one declared by most of the keys.
    """
    assert table.norms is not None  # noqa: S101
    in_all, *by_keys = usual_norms(plan, table)
    if vector.kind is VectorKind.CENTRED:
        return None if column.centred_norm is None else (column.centred_norm, in_all.covers)
    declared = [(each.keys, each.sums[column.name], each.covers) for each in by_keys if column.name in each.sums]
    if column.sum_norm is not None:
        declared.append(((), column.sum_norm, in_all.covers))
    if column.bounds is not None and column.bounds.lower < 0 < column.bounds.upper:
        own, whole = {key.text for key in plan.keys}, [each.keys for each in by_keys if each in table.norms.by_keys]
        declared = [each for each in declared if not each[0] or each[0] in whole]
        found = max(declared, key=lambda each: (own.issubset(each[0]), len(each[0])), default=None)
    else:
        found = min(declared, key=lambda each: (each[1], -each[2]), default=None)
    return None if found is None else found[1:]


@dataclass(frozen=True)
class ValuesByGroup:
    """A public relation with one row per value and group of a plan, for counting values per group."""

    text: str  # column or expression that clip bounds are declared by
    relation: Public
    groups: tuple[Field, ...]  # empty: a single group


def values_by_group(plan: PrivatePlan, catalog: Catalog, measured: Collection[str] = ()) -> Iterator[ValuesByGroup]:
    """List, per group, the values of declared grouping keys that are joined from public tables.

    `extra_keys` adds grouping keys to those of the declared clip bounds, as text.

    Claim: no group of the plan has rows with more values of `key_text` than the relation has in a group. Proof:
    proofs.md#usual-keys. Raises: nothing.
    """
    table = counted_table(plan, catalog)
    if table is None or table.norms is None:
        return
    known = {*measured, *(text for usual in table.norms.by_keys for text in usual.keys)} - parted_by(plan, table.name)
    for fact in plan.source.facts:
        for own, met in _equal(fact) if known else ():
            if is_of_table(own, table.name) and plain_text(own) in known and (public := public_list(met)):
                yield from _listed(plan, plain_text(own), met, public)


def _equal(fact: Expr) -> Iterator[tuple[Expr, Field]]:
    if isinstance(fact, Call) and fact.name == "=":
        for own, other in (fact.arguments, fact.arguments[::-1]):
            if isinstance(other, Ref) and own.type is other.type:
                yield own, other.field


def _listed(plan: PrivatePlan, text: str, met: Field, public: Public) -> Iterator[ValuesByGroup]:
    there = frozenset(public.fields)
    keys = [key for key in plan.key_exprs if _is_within(key, there)]
    conditions = [fact for fact in plan.source.facts if _is_within(fact, there)]
    if met in there and (keys or conditions):
        left = Public(Filter(public, conjunction(tuple(conditions))), public.fields) if conditions else public
        made = tuple((Field(f"g{i}", None, key.type), key) for i, key in enumerate(keys))
        groups = tuple(field for field, _ in made)
        below = Public(Project(left, made), (*public.fields, *groups))
        yield ValuesByGroup(text, Public(Distinct(below, (*groups, met)), (*groups, met)), groups)


def _is_within(expr: Expr, fields: frozenset[Field]) -> bool:
    read = frozenset(fields_of(expr))
    return bool(read) and read <= fields
