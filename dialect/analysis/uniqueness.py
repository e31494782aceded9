"""Uniqueness and join multiplicity: whether a row can match several rows of a relation.

Decided from declared keys and join predicates. Proof: `dialect/stability/proofs.md#relation-kinds`.

Join multiplicity is many-to-many where several rows of one person pair with several others, or with several public
rows. The clip bounds declared for a table do not account for such pairs.

A field is equated if a top-level conjunct `a = b` fixes it to an expression of the other side. Types have exact
equality if equal values are interchangeable, which DOUBLE is not.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator

from dialect.algebra.expressions import Call, Expr, Field, Literal, Ref, conjuncts, fields_of
from dialect.algebra.relations import (
    Distinct,
    Filter,
    Group,
    Join,
    Operator,
    PerPerson,
    Project,
    Public,
    Relation,
    ReleasePoint,
    RowTruncation,
    Scan,
    SemiJoin,
    Series,
    SetOperation,
    Sort,
    Values,
    Window,
)
from dialect.algebra.traversal import walk
from dialect.catalog.model import SqlType

_FLIPPED = {"=": "=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
EXACT_TYPES = (SqlType.BOOLEAN, SqlType.BIGINT, SqlType.VARCHAR, SqlType.DATE, SqlType.TIMESTAMP)


def equated_fields(side: Relation, condition: Expr, signs: Collection[str] = ("=",)) -> Iterator[tuple[Field, Expr]]:
    """Yield the fields of one side that a top-level equality compares with an expression over the other side.

    Yields (field, expression of the other side), which are of one type. `signs` are the accepted comparison operators.
    """
    for part in conjuncts(condition):
        if not (isinstance(part, Call) and part.name in signs):
            continue
        for one, other in (part.arguments, part.arguments[::-1]):
            if not (isinstance(one, Ref) and one.field in side.fields and one.type is other.type):
                continue
            if all(f not in side.fields for f in fields_of(other)):
                yield one.field, other


def exactly_equated_fields(
    public: Public, condition: Expr, accepts: Callable[[Expr], bool] = lambda _: True
) -> set[Field]:
    """Return the public fields that a top-level equality fixes to a value of the other side, exactly.

    Equality of DOUBLE, and of a whole number with a DOUBLE, is not exact: different values may compare as equal.
    `accepts` restricts the expressions of the other side.
    """
    return {f for f, other in equated_fields(public, condition) if f.type in EXACT_TYPES and accepts(other)}


def covers_primary_key(public: Public, equated: set[Field]) -> bool:
    """Return whether the equated fields contain the whole enforced primary key of the scanned public table."""
    if not isinstance(public.operator, Scan) or not public.operator.table.primary_key:
        return False
    return set(public.operator.table.primary_key) <= {f.origin.column for f in equated if f.origin}


def matches_at_most_one_row(relation: Relation, condition: Expr) -> bool:
    """Return whether a join key matches at most one row: by a public primary key, or by one row per person.

    Of private rows only the person key is known to be unique.
    """
    if isinstance(relation, Public):
        return covers_primary_key(relation, exactly_equated_fields(relation, condition))
    if not isinstance(relation, PerPerson) or not relation.has_one_row_per_person:
        return False
    equal = (part.arguments for part in conjuncts(condition) if isinstance(part, Call) and part.name == "=")
    return any(Ref(relation.person) in values for values in equal)


def selects_one_row_number(rows: Relation, condition: Expr, is_constant_per_person: Callable[[Field], bool]) -> bool:
    """Return whether a filter on row_number() leaves at most one row of each person.

        QUALIFY row_number() OVER (PARTITION BY person ORDER BY ts) = 1

    Claim: at most one row of a person satisfies the condition. Needs rows of persons; `is_constant_per_person` decides
    whether a field has one value in all rows of a person. Raises: nothing.
    Proof: dialect/stability/proofs.md#relation-kinds
    """
    row_numbers = set(_row_number_fields(rows, is_constant_per_person))
    return bool(row_numbers) and any(_allows_one_row_number(conjunct, row_numbers) for conjunct in conjuncts(condition))


def _row_number_fields(relation: Relation, is_constant_per_person: Callable[[Field], bool]) -> Iterator[Field]:
    """Yield the fields that number all rows of a person from 1 without repetition.

    They are row_number() partitioned by nothing but constants of the person. Filters and joins may remove rows, but not
    repeat them: a join does not if it matches at most one row.
    """
    operator = relation.operator
    if not isinstance(relation, PerPerson):
        return
    if isinstance(operator, Window):
        numbered = (each for each in operator.calls if each.function == "row_number")
        yield from (
            n.result
            for n in numbered
            if all(isinstance(p, Ref) and is_constant_per_person(p.field) for p in n.partition)
        )
    if isinstance(operator, Window | Filter | Project | RowTruncation):
        yield from _row_number_fields(operator.source, is_constant_per_person)
    elif isinstance(operator, SemiJoin):
        yield from _row_number_fields(operator.left, is_constant_per_person)
    elif isinstance(operator, Join) and operator.kind != "full":
        if matches_at_most_one_row(operator.right, operator.condition):
            yield from _row_number_fields(operator.left, is_constant_per_person)
        # a left join pads the right side with NULL, where nothing is numbered
        if operator.kind == "inner" and matches_at_most_one_row(operator.left, operator.condition):
            yield from _row_number_fields(operator.right, is_constant_per_person)


def _allows_one_row_number(conjunct: Expr, row_numbers: Collection[Field]) -> bool:
    """Return whether a comparison with a constant allows a single row number: `n = 3`, `n <= 1`, `n < 2`."""
    if not (isinstance(conjunct, Call) and conjunct.name in _FLIPPED):
        return False
    (one, other), sign = conjunct.arguments, conjunct.name
    if isinstance(one, Literal):
        one, other, sign = other, one, _FLIPPED[sign]
    if not (isinstance(one, Ref) and one.field in row_numbers and isinstance(other, Literal)):
        return False
    limit = other.value if isinstance(other.value, int | float) else math.inf
    return sign == "=" or (sign == "<=" and limit < 2) or (sign == "<" and limit <= 2)


def has_at_most_one_row(relation: Relation) -> bool:
    """Return whether a relation has at most one row, for every content of the stored tables."""
    operator = relation.operator
    if isinstance(operator, Group | ReleasePoint | Distinct):
        return not operator.keys
    if isinstance(operator, Filter) and isinstance(rows := operator.source, Public):
        return matches_at_most_one_row(rows, operator.condition) or has_at_most_one_row(rows)
    if isinstance(operator, Values):
        return len(operator.rows) <= 1
    if isinstance(operator, Sort) and operator.limit is not None and operator.limit <= 1:
        return True
    if isinstance(operator, Join) and operator.kind == "full":
        return False  # a full join without matches has one row of each side
    return isinstance(operator, Sort | Project | Filter | Join | Window) and all(
        map(has_at_most_one_row, relation.children)
    )


_RANGE_COMPARISONS = ("<", "<=", ">", ">=")


def is_presumed_unique(side: Public, conditions: Collection[Expr]) -> bool:
    """Return whether conditions presumably match at most one row of a public side; for predictions only.

    Polygons, and bands between two columns, are assumed not to overlap: `ST_Within(p, s.area)`,
    `v >= s.from AND v < s.until`. Otherwise the compared columns must contain a unique key.
    """
    if any(_reads_polygon(side, part) for condition in conditions for part in conjuncts(condition)):
        return True
    equated = {field for each in conditions for field, _ in _compared_fields(side, each, ("=",))}
    ranges = [found for each in conditions for found in _compared_fields(side, each, _RANGE_COMPARISONS)]
    if any(value == other and upper != lower for lower, value in ranges for upper, other in ranges):
        return True  # a band between two columns; bands are assumed disjoint
    return _contains_unique_key(side, equated, {field for field, _ in ranges} if equated else set())


def _compared_fields(side: Relation, condition: Expr, signs: Collection[str]) -> Iterator[tuple[Field, Expr]]:
    """Yield the fields of one side that a top-level comparison relates to the other side, of any type.

    Yields (field, expression of the other side); `signs` are the accepted comparison operators.
    """
    for part in conjuncts(condition):
        if not (isinstance(part, Call) and part.name in signs):
            continue
        for one, other in (part.arguments, part.arguments[::-1]):
            if isinstance(one, Ref) and one.field in side.fields and not set(fields_of(other)) & set(side.fields):
                yield one.field, other


def _reads_polygon(side: Public, conjunct: Expr) -> bool:
    """Return whether a condition reads a polygon of this side."""
    return any(f.type is SqlType.POLYGON and f in side.fields for f in fields_of(conjunct))


def _contains_unique_key(relation: Relation, equated: set[Field], ranged: set[Field]) -> bool:
    """Return whether the fields compared by equality and by range contain a unique key of the relation.

    `equated` and `ranged` are these fields. A range counts like an equality, as ranges next to a key are assumed not to
    overlap.
    """
    operator = relation.operator
    if has_at_most_one_row(relation):
        return True
    if isinstance(operator, Scan):
        columns = {f.origin.column for f in operator.fields if f in equated | ranged and f.origin is not None}
        return bool(operator.table.primary_key) and columns.issuperset(operator.table.primary_key)
    if isinstance(operator, Group | Distinct) and equated.issuperset(operator.keys):
        return True
    if isinstance(operator, Series):
        return operator.field in equated
    if isinstance(operator, Values):
        return _has_distinct_rows(operator, equated)
    if isinstance(operator, Join):
        return _is_join_unique(operator, equated, ranged)
    below = () if isinstance(operator, SetOperation) else relation.children[:1]
    return any(
        _contains_unique_key(source, equated | _fields_fixed_below(operator, equated), ranged) for source in below
    )


def _fields_fixed_below(operator: Operator, equated: set[Field]) -> set[Field]:
    """Return further fields of the source that are fixed: by a filter, or because their date is fixed."""
    if isinstance(operator, Project):
        return {f for output, value in operator.computed if output in equated for f in _dated_fields(value)}
    if isinstance(operator, Filter):
        return {field for field, _ in _compared_fields(operator.source, operator.condition, ("=",))}
    return set()


def _dated_fields(value: Expr) -> Iterator[Field]:
    """Yield the fields whose date an expression is. A series is assumed to have one moment per date."""
    return fields_of(value) if isinstance(value, Call) and value.name == "to_date" else iter(())


def _is_join_unique(join: Join, equated: set[Field], ranged: set[Field]) -> bool:
    """Return whether one join side is unique by the compared fields, and the other by these and the join key."""
    for first, second in ((join.left, join.right), (join.right, join.left)):
        joined = {field for field, _ in _compared_fields(second, join.condition, ("=",))}
        if _contains_unique_key(first, equated, ranged) and _contains_unique_key(second, equated | joined, ranged):
            return True
    return False


def _has_distinct_rows(values: Values, equated: set[Field]) -> bool:
    """Return whether constant rows differ pairwise in the given fields."""
    places = [i for i, field in enumerate(values.fields) if field in equated]
    compared_rows: list[tuple[Literal, ...]] = [tuple(row[i] for i in places) for row in values.rows]
    return len(set(compared_rows)) == len(compared_rows)


def has_many_to_many_join(relation: Relation) -> bool:
    """Return whether the plan contains a many-to-many join of one person's rows."""
    return any(True for _ in _many_to_many_joins(relation))


def has_unkeyed_many_to_many_join(relation: Relation) -> bool:
    """Return whether the plan has a many-to-many join of a person's rows with neither side on its primary key."""
    return any(
        not any(_equates_primary_key(side, join.condition) for side in (join.left, join.right))
        for join in _many_to_many_joins(relation)
    )


def _many_to_many_joins(relation: Relation) -> Iterator[Join]:
    """Yield the joins in which one person can have several rows on both sides."""
    for each in walk(relation, _repeating_inputs):
        repeats = (isinstance(side, PerPerson) and not side.has_one_row_per_person for side in each.children)
        if isinstance(each.operator, Join) and all(repeats):
            yield each.operator


def _repeating_inputs(relation: Relation) -> tuple[Relation, ...]:
    """Return the inputs whose rows may be repeated above: the right side of a semi-join repeats no row."""
    return relation.children[:1] if isinstance(relation.operator, SemiJoin) else relation.children


def may_match_several_public_rows(relation: Relation, above: tuple[Expr, ...] = ()) -> bool:
    """Return whether a person's row can match several public rows and count once for each.

    `above` are the enclosing predicates. A heuristic for predictions; no bound depends on it. Polygons, bands between
    two columns, and ranges of time or numbers next to an equated key are assumed not to overlap.
    """
    operator = relation.operator
    if isinstance(operator, Filter | Join):
        above = (*above, operator.condition)
    public = [side for side in relation.children if isinstance(side, Public)] if isinstance(operator, Join) else []
    if len(public) == 1 and not is_presumed_unique(public[0], above):  # the other side is per person
        return True
    return any(may_match_several_public_rows(source, above) for source in _repeating_inputs(relation))


def _equates_primary_key(side: Relation, condition: Expr) -> bool:
    """Return whether a join equates the whole declared primary key of the one stored table on this side.

    The key is declared, not enforced, so this is for predictions. A side of several tables has no such key.
    """
    equated = {f.origin.column for f, _ in equated_fields(side, condition) if f.origin is not None}
    tables = [each.operator.table for each in walk(side) if isinstance(each.operator, Scan)]
    return len(tables) == 1 and bool(tables[0].primary_key) and set(tables[0].primary_key) <= equated
