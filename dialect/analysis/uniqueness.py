"""Uniqueness and join multiplicity: whether a row can match several rows of a relation.

Decided from declared keys and join predicates. Proof: `dialect/stability/proofs.md#relation-kinds`.

Join multiplicity is many-to-many where several rows of one person pair with several others, or with several public
rows. The clip bounds declared for a table do not account for such pairs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator

from dialect.algebra.expressions import Call, Expr, Field, Literal, Ref, conjuncts, fields_of
from dialect.algebra.relations import (
    Boundary,
    Cut,
    Distinct,
    Filter,
    Group,
    Join,
    Operator,
    PerPerson,
    Project,
    Public,
    Relation,
    Scan,
    SemiJoin,
    Series,
    SetOperation,
    Sort,
    Values,
    Window,
)
from dialect.algebra.traversal import all_below, sources
from dialect.catalog.model import SqlType

_TURNED = {"=": "=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
EXACT_TYPES = (SqlType.BOOLEAN, SqlType.BIGINT, SqlType.VARCHAR, SqlType.DATE, SqlType.TIMESTAMP)


def set_equal(side: Relation, condition: Expr, signs: Collection[str] = ("=",)) -> Iterator[tuple[Field, Expr]]:
    """Fields of one side that a top-level equality compares with an expression of the same type over the other side.

    `signs` admits other comparison operators than `=`. Yields (field, expression of the other side).
    """
    for part in conjuncts(condition):
        if not (isinstance(part, Call) and part.name in signs):
            continue
        for one, other in (part.arguments, part.arguments[::-1]):
            if not (isinstance(one, Ref) and one.field in side.fields and one.type is other.type):
                continue
            if all(f not in side.fields for f in fields_of(other)):
                yield one.field, other


def pinned(public: Public, condition: Expr, by: Callable[[Expr], bool] = lambda _: True) -> set[Field]:
    """Public fields that a top-level equality fixes to an expression of the other side, of a type with exact equality.

    Equality of DOUBLE, and of a whole number with a DOUBLE, is not exact: different values may compare as equal.
    `accepts` restricts the expressions of the other side.
    """
    return {f for f, other in set_equal(public, condition) if f.type in EXACT_TYPES and by(other)}


def covers_primary_key(public: Public, met: set[Field]) -> bool:
    """Return whether the equated fields contain the whole enforced primary key of the scanned public table."""
    if not isinstance(public.operator, Scan) or not public.operator.table.primary_key:
        return False
    return set(public.operator.table.primary_key) <= {f.origin.column for f in met if f.origin}


def meets_one_row(relation: Relation, condition: Expr) -> bool:
    """Return whether a join key matches at most one row: by a public primary key, or by one row per person."""
    if isinstance(relation, Public):
        return covers_primary_key(relation, pinned(relation, condition))
    if not isinstance(relation, PerPerson) or not relation.one_row_per_person:
        return False
    equal = (part.arguments for part in conjuncts(condition) if isinstance(part, Call) and part.name == "=")
    return any(Ref(relation.person) in values for values in equal)


def keeps_one_place(rows: Relation, condition: Expr, fixed: Callable[[Field], bool]) -> bool:
    """Return whether a filter on row_number() leaves at most one row of each person.

        QUALIFY row_number() OVER (PARTITION BY person ORDER BY ts) = 1

    Claim: at most one row of a person satisfies the condition. Needs rows of persons; `is_constant_per_person` decides
    whether a field has one value in all rows of a person. Raises: nothing.
    Proof: dialect/stability/proofs.md#relation-kinds
    """
    places = set(_places(rows, fixed))
    return bool(places) and any(_is_one_place(part, places) for part in conjuncts(condition))


def _places(relation: Relation, fixed: Callable[[Field], bool]) -> Iterator[Field]:
    """Fields that number all rows of a person from 1 without repetition: row_number() partitioned by the person."""
    operator = relation.operator
    if not isinstance(relation, PerPerson):
        return
    if isinstance(operator, Window):
        numbered = (each for each in operator.calls if each.function == "row_number")
        yield from (n.field for n in numbered if all(isinstance(p, Ref) and fixed(p.field) for p in n.partition))
    if isinstance(operator, Window | Filter | Project | Cut):
        yield from _places(operator.source, fixed)
    elif isinstance(operator, SemiJoin):
        yield from _places(operator.left, fixed)
    elif isinstance(operator, Join) and operator.how != "full":
        if meets_one_row(operator.right, operator.condition):
            yield from _places(operator.left, fixed)
        if operator.how == "inner" and meets_one_row(operator.left, operator.condition):
            yield from _places(operator.right, fixed)


def _is_one_place(part: Expr, places: Collection[Field]) -> bool:
    """Return whether a comparison with a constant allows a single row number: `n = 3`, `n <= 1`, `n < 2`."""
    if not (isinstance(part, Call) and part.name in _TURNED):
        return False
    (one, other), sign = part.arguments, part.name
    if isinstance(one, Literal):
        one, other, sign = other, one, _TURNED[sign]
    if not (isinstance(one, Ref) and one.field in places and isinstance(other, Literal)):
        return False
    most = other.value if isinstance(other.value, int | float) else math.inf
    return sign == "=" or (sign == "<=" and most < 2) or (sign == "<" and most <= 2)


def at_most_one_row(relation: Relation) -> bool:
    """Return whether a relation has at most one row, for every content of the stored tables."""
    operator = relation.operator
    if isinstance(operator, Group | Boundary | Distinct):
        return not operator.keys
    if isinstance(operator, Filter) and isinstance(rows := operator.source, Public):
        return meets_one_row(rows, operator.condition) or at_most_one_row(rows)
    if isinstance(operator, Values):
        return len(operator.rows) <= 1
    if isinstance(operator, Sort) and operator.limit is not None and operator.limit <= 1:
        return True
    if isinstance(operator, Join) and operator.how == "full":
        return False  # a full join without matches has one row of each side
    return isinstance(operator, Sort | Project | Filter | Join | Window) and all(
        map(at_most_one_row, sources(relation))
    )


_SPANS = ("<", "<=", ">", ">=")


def told_apart(side: Public, conditions: Collection[Expr]) -> bool:
    """Return whether conditions presumably match at most one row of a public side; for predictions only.

    Polygons, and bands between two columns, are assumed not to overlap: `ST_Within(p, s.area)`,
    `v >= s.from AND v < s.until`. Otherwise the compared columns must contain a unique key.
    """
    if any(_inside(side, part) for condition in conditions for part in conjuncts(condition)):
        return True
    equal = {field for each in conditions for field, _ in _compared(side, each, ("=",))}
    ends = [found for each in conditions for found in _compared(side, each, _SPANS)]
    if any(value == other and end != begin for begin, value in ends for end, other in ends):
        return True  # a band between two columns; bands are assumed disjoint
    return _one_each(side, equal, {field for field, _ in ends} if equal else set())


def _compared(side: Relation, condition: Expr, signs: Collection[str]) -> Iterator[tuple[Field, Expr]]:
    """Fields of one side that a top-level comparison relates to an expression of the other side, of any type."""
    for part in conjuncts(condition):
        if not (isinstance(part, Call) and part.name in signs):
            continue
        for one, other in (part.arguments, part.arguments[::-1]):
            if isinstance(one, Ref) and one.field in side.fields and not set(fields_of(other)) & set(side.fields):
                yield one.field, other


def _inside(side: Public, part: Expr) -> bool:
    """Return whether a condition reads a polygon of this side."""
    return any(f.type is SqlType.POLYGON and f in side.fields for f in fields_of(part))


def _one_each(relation: Relation, equal: set[Field], spans: set[Field]) -> bool:
    """Return whether the fields compared by equality and by range contain a unique key of the relation."""
    operator = relation.operator
    if at_most_one_row(relation):
        return True
    if isinstance(operator, Scan):
        columns = {f.origin.column for f in operator.fields if f in equal | spans and f.origin is not None}
        return bool(operator.table.primary_key) and columns.issuperset(operator.table.primary_key)
    if isinstance(operator, Group | Distinct) and equal.issuperset(operator.keys):
        return True
    if isinstance(operator, Series):
        return operator.field in equal
    if isinstance(operator, Values):
        return _different(operator, equal)
    if isinstance(operator, Join):
        return _one_pair(operator, equal, spans)
    below = () if isinstance(operator, SetOperation) else sources(relation)[:1]
    return any(_one_each(source, equal | _told_by(operator, equal), spans) for source in below)


def _told_by(operator: Operator, equal: set[Field]) -> set[Field]:
    """Further fields of the source that are fixed: by a filter, or because their date is fixed."""
    if isinstance(operator, Project):
        return {f for made, value in operator.computed if made in equal for f in _day_of(value)}
    if isinstance(operator, Filter):
        return {field for field, _ in _compared(operator.source, operator.condition, ("=",))}
    return set()


def _day_of(value: Expr) -> Iterator[Field]:
    """Fields whose date an expression is. A series is assumed to have one moment per date."""
    return fields_of(value) if isinstance(value, Call) and value.name == "to_date" else iter(())


def _one_pair(join: Join, equal: set[Field], spans: set[Field]) -> bool:
    """Return whether one join side is unique by the compared fields, and the other by these and the join key."""
    for first, second in ((join.left, join.right), (join.right, join.left)):
        more = {field for field, _ in _compared(second, join.condition, ("=",))}
        if _one_each(first, equal, spans) and _one_each(second, equal | more, spans):
            return True
    return False


def _different(values: Values, equal: set[Field]) -> bool:
    """Return whether constant rows differ pairwise in the given fields."""
    places = [i for i, field in enumerate(values.fields) if field in equal]
    told: list[tuple[Literal, ...]] = [tuple(row[i] for i in places) for row in values.rows]
    return len(set(told)) == len(told)


def multiplies(relation: Relation) -> bool:
    """Return whether the plan contains a many-to-many join of one person's rows."""
    operator = relation.operator
    if isinstance(operator, Join) and _several(operator):
        return True
    if isinstance(operator, SemiJoin):
        return multiplies(operator.left)
    return any(multiplies(source) for source in sources(relation))


def pairs_rows(relation: Relation) -> bool:
    """Return whether the plan has a many-to-many join of a person's rows with neither side on its primary key."""
    operator = relation.operator
    if isinstance(operator, SemiJoin):
        return pairs_rows(operator.left)
    if isinstance(operator, Join) and _several(operator):
        sides = (operator.left, operator.right)
        if not any(_met_whole(side, operator.condition) for side in sides):
            return True
    return any(pairs_rows(source) for source in sources(relation))


def spreads(relation: Relation, above: tuple[Expr, ...] = ()) -> bool:
    """Return whether a person's row can match several public rows and count once for each.

    `above` are the enclosing predicates. A heuristic for predictions; no bound depends on it. Polygons, bands between
    two columns, and ranges of time or numbers next to an equated key are assumed not to overlap.
    """
    operator = relation.operator
    if isinstance(operator, SemiJoin):
        return spreads(operator.left, above)
    if isinstance(operator, Filter | Join):
        above = (*above, operator.condition)
    if isinstance(operator, Join):
        sides = (operator.left, operator.right)
        public = [side for side in sides if isinstance(side, Public)]
        if len(public) == 1 and not told_apart(public[0], above):  # the other side is per person
            return True
    return any(spreads(source, above) for source in sources(relation))


def _several(join: Join) -> bool:
    """Return whether one person can have several rows on both sides of a join."""
    sides = (join.left, join.right)
    return all(isinstance(side, PerPerson) and not side.one_row_per_person for side in sides)


def _met_whole(side: Relation, condition: Expr) -> bool:
    """Return whether a join equates the whole declared primary key of the one stored table on this side."""
    met = {f.origin.column for f, _ in set_equal(side, condition) if f.origin is not None}
    tables = [each.operator.table for each in all_below(side) if isinstance(each.operator, Scan)]
    return len(tables) == 1 and bool(tables[0].primary_key) and set(tables[0].primary_key) <= met
