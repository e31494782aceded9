"""A question -> notes of constants that a declared domain does not hold.

`gender = 'female'` where it lists F and M; `day >= DATE '2027-01-01'` where its range ends before.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from dialect.algebra.expressions import Call, Expr, Field, Literal, Ref, children
from dialect.algebra.relation_parts import expressions_of
from dialect.algebra.relations import Relation
from dialect.catalog.catalog import Catalog, ColumnOf, SqlType, ValueList, ValueRange
from dialect.functions.constant_folding import moment

_COMPARE = {"=", "<>", "in", "is not distinct from", "is distinct from"}
_MIRROR = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "=": "=", "in": "in"}
_NOTHING = {  # of a range from lower to upper meets a constant, and how that is said
    "=": ("no {}", lambda lower, upper, at: not lower <= at <= upper),
    "in": ("no {}", lambda lower, upper, at: not lower <= at <= upper),
    "<": ("nothing before {}", lambda lower, upper, at: at <= lower),
    "<=": ("nothing up to {}", lambda lower, upper, at: at < lower),
    ">": ("nothing after {}", lambda lower, upper, at: at >= upper),
    ">=": ("nothing from {} on", lambda lower, upper, at: at > upper),
}
_MOST_TOLD = 8  # values of a list


def unlisted_notes(relation: Relation, catalog: Catalog) -> tuple[str, ...]:
    """Tell which constants are compared with columns that do not declare them; decided by text and catalog alone."""
    return tuple(dict.fromkeys(note for expr in expressions_of(relation) for note in _found(expr, catalog)))


def _found(expr: Expr, catalog: Catalog) -> Iterator[str]:
    for part in children(expr):
        yield from _found(part, catalog)
    if not isinstance(expr, Call) or expr.name not in _COMPARE | _MIRROR.keys():
        return
    columns = [part.field for part in expr.arguments if isinstance(part, Ref)]
    constants = [part for part in expr.arguments if isinstance(part, Literal)]
    if len(columns) != 1 or len(columns) + len(constants) < len(expr.arguments):
        return
    listed = columns[0].domain or _declared_time(columns[0], catalog)
    if isinstance(listed, ValueRange):
        sign = expr.name if isinstance(expr.arguments[0], Ref) else _MIRROR.get(expr.name, "")
        yield from (told for part in constants if (told := _beyond(columns[0], listed, sign, part)) is not None)
    elif isinstance(listed, ValueList) and expr.name in _COMPARE:
        odd = [part for part in constants if part.value is not None and part.value not in listed.values]
        yield from (_note(columns[0].name or "a column", part, listed) for part in odd)


def _declared_time(column: Field, catalog: Catalog) -> ValueRange | None:
    """Give the dates of a table's time that its date column declares."""
    table = None if column.origin is None else catalog.table(column.origin.table)
    if table is None or column.origin is None or column.origin.column != table.time_column or table.date_column is None:
        return None
    dates = table.column(table.date_column)
    return dates.domain if dates is not None and isinstance(dates.domain, ValueRange) else None


def looked_up(part: object) -> Iterator[tuple[Field, Literal]]:
    """Walk the constants that are compared with columns whose values are those of a public table."""
    for expr in expressions_of(part):
        yield from _looked_up(expr)


def _looked_up(expr: Expr) -> Iterator[tuple[Field, Literal]]:
    for part in children(expr):
        yield from _looked_up(part)
    columns = [part.field for part in children(expr) if isinstance(part, Ref)]
    compared = isinstance(expr, Call) and expr.name in _COMPARE and len(columns) == 1
    if compared and isinstance(columns[0].domain, ColumnOf):
        constants = (part for part in children(expr) if isinstance(part, Literal))
        yield from ((columns[0], part) for part in constants if part.value is not None)


def _note(name: str, constant: Literal, listed: ValueList) -> str:
    told = [shown_value(value) for value in listed.values[:_MOST_TOLD]]
    more = f" and {len(listed.values) - _MOST_TOLD} more" if len(listed.values) > _MOST_TOLD else ""
    odd = f"{shown_value(constant.value)} is none of its declared values"
    return f"{name}: {odd}, {', '.join(told)}{more}: no row should hold it"


def _beyond(column: Field, listed: ValueRange, sign: str, constant: Literal) -> str | None:
    """Say that no value of a declared range meets a constant; None where one may."""
    words, is_beyond = _NOTHING.get(sign, ("", lambda lower, upper, at: False))
    try:
        lower, upper, at = (_place(end, column.type) for end in (listed.lower, listed.upper, constant.value))
    except ValueError:  # of another kind than the column is
        return None
    if column.type is SqlType.TIMESTAMP and isinstance(upper, datetime):  # its range is of whole days
        upper += timedelta(days=1, microseconds=-1)
    if not is_beyond(lower, upper, at):
        return None
    held = f"its declared range, {listed.lower} to {listed.upper}, holds {words.format(constant.value)}"
    return f"{column.name or 'a column'}: {held}: no row should be there"


def _place(value: object, kind: SqlType) -> float | datetime:
    """Order the values of a range: numbers, or moments."""
    if kind in (SqlType.DATE, SqlType.TIMESTAMP) and isinstance(value, str):
        return moment(value)
    if kind in (SqlType.DATE, SqlType.TIMESTAMP) or isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError
    return value


def shown_value(value: object) -> str:
    """Show a declared value in a note: text in quotes, and not endless."""
    return f"'{value[:40]}'" if isinstance(value, str) else str(value)
