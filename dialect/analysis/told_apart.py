"""Whether a row of another side meets one public row at most, as far as declared keys and conditions tell."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from dialect.algebra.expressions import Call, Expr, Field, Literal, Ref, conjuncts, fields_of
from dialect.algebra.relation_parts import sources
from dialect.algebra.relations import (
    Distinct,
    Filter,
    Group,
    Join,
    Operator,
    Project,
    Public,
    Relation,
    Scan,
    Series,
    Values,
)
from dialect.algebra.set_operation import SetOperation
from dialect.analysis.one_row import at_most_one_row
from dialect.catalog.catalog import SqlType

_SPANS = ("<", "<=", ">", ">=")


def told_apart(side: Public, conditions: Collection[Expr]) -> bool:
    """Tell whether conditions leave one row of a side at most: one polygon, or one value of what names its rows."""
    if any(_inside(side, part) for condition in conditions for part in conjuncts(condition)):
        return True
    equal = {field for each in conditions for field, _ in _compared(side, each, ("=",))}
    ends = [found for each in conditions for found in _compared(side, each, _SPANS)]
    if any(value == other and end != begin for begin, value in ends for end, other in ends):
        return True  # a value between two columns: bands, which are taken to lie apart
    return _one_each(side, equal, {field for field, _ in ends} if equal else set())


def _compared(side: Relation, condition: Expr, signs: Collection[str]) -> Iterator[tuple[Field, Expr]]:
    """Walk the fields of a side that conjuncts compare with something outside of it, of whatever type."""
    for part in conjuncts(condition):
        if not (isinstance(part, Call) and part.name in signs):
            continue
        for one, other in (part.arguments, part.arguments[::-1]):
            if isinstance(one, Ref) and one.field in side.fields and not set(fields_of(other)) & set(side.fields):
                yield one.field, other


def _inside(side: Public, part: Expr) -> bool:
    return any(f.type is SqlType.POLYGON and f in side.fields for f in fields_of(part))


def _one_each(relation: Relation, equal: set[Field], spans: set[Field]) -> bool:
    """Tell whether no two rows have the same values where they are told."""
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
    """Find what else is told below."""
    if isinstance(operator, Project):
        return {f for made, value in operator.computed if made in equal for f in _day_of(value)}
    if isinstance(operator, Filter):
        return {field for field, _ in _compared(operator.source, operator.condition, ("=",))}
    return set()


def _day_of(value: Expr) -> Iterator[Field]:
    """Walk the moments that a value is the day of: those of a series are each of its own, which is not looked at."""
    return fields_of(value) if isinstance(value, Call) and value.name == "to_date" else iter(())


def _one_pair(join: Join, equal: set[Field], spans: set[Field]) -> bool:
    """Tell whether one side is told, and then the other one by it."""
    for first, second in ((join.left, join.right), (join.right, join.left)):
        more = {field for field, _ in _compared(second, join.condition, ("=",))}
        if _one_each(first, equal, spans) and _one_each(second, equal | more, spans):
            return True
    return False


def _different(values: Values, equal: set[Field]) -> bool:
    places = [i for i, field in enumerate(values.fields) if field in equal]
    told: list[tuple[Literal, ...]] = [tuple(row[i] for i in places) for row in values.rows]
    return len(set(told)) == len(told)
