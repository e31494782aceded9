"""Whether a row of another side meets one public row at most, as far as declared keys and conditions tell."""

from __future__ import annotations

from collections.abc import Collection

from dialect.catalog import SqlType
from dialect.expressions import Expr, Field, Literal, conjuncts, fields_of
from dialect.one_row import at_most_one_row, set_equal
from dialect.relation_parts import sources
from dialect.relations import Distinct, Filter, Group, Join, Public, Relation, Scan, Series, Values
from dialect.set_operation import SetOperation

_SPANS = ("<", "<=", ">", ">=")


def told_apart(side: Public, conditions: Collection[Expr]) -> bool:
    """Tell whether conditions leave one row of a side at most: one polygon, or one value of what names its rows."""
    if any(_inside(side, part) for condition in conditions for part in conjuncts(condition)):
        return True
    equal = {field for each in conditions for field, _ in set_equal(side, each)}
    spans = {field for each in conditions for field, _ in set_equal(side, each, _SPANS)}
    return _one_each(side, equal, spans if equal else set())


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
    if isinstance(operator, Filter):
        equal = equal | {field for field, _ in set_equal(operator.source, operator.condition)}
    below = () if isinstance(operator, SetOperation) else sources(relation)[:1]
    return any(_one_each(source, equal, spans) for source in below)


def _one_pair(join: Join, equal: set[Field], spans: set[Field]) -> bool:
    """Tell whether one side is told, and then the other one by it."""
    for first, second in ((join.left, join.right), (join.right, join.left)):
        more = {field for field, _ in set_equal(second, join.condition)}
        if _one_each(first, equal, spans) and _one_each(second, equal | more, spans):
            return True
    return False


def _different(values: Values, equal: set[Field]) -> bool:
    places = [i for i, field in enumerate(values.fields) if field in equal]
    told: list[tuple[Literal, ...]] = [tuple(row[i] for i in places) for row in values.rows]
    return len(set(told)) == len(told)
