"""Lints: notes on predicates that no row satisfies, or that probably do not mean what was intended.

A constant outside its declared domain: `gender = 'female'` where the domain has F and M; `day >= DATE '2027-01-01'`
where the range ends before.

A date compared with a timestamp, which means its midnight: `ts BETWEEN '2026-10-01' AND '2026-10-31'` ends when the
last day begins; `ts = '2026-10-10'` is true only at midnight.

A contradiction, by function ranges, declared bounds and the text itself: `hour(t) = 25`; `day >= DATE '2026-10-05'
AND day < DATE '2026-10-05'`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from itertools import product

from dialect.algebra.expressions import Call, Expr, Field, Literal, Ref, children
from dialect.algebra.intervals import known
from dialect.algebra.relations import Relation
from dialect.algebra.traversal import expressions_of
from dialect.catalog.model import Catalog, ColumnOf, SqlType, ValueList, ValueRange
from dialect.functions.constant_folding import moment
from dialect.functions.emitter import plain_text
from dialect.functions.inference import range_of
from dialect.notes import Note, NoteCode

MOST_TOLD = 8
_MOMENTS = (SqlType.TIMESTAMP, SqlType.TIMESTAMPTZ)
_BARE = re.compile(r"'\s*(\d{4})-(\d\d?)-(\d\d?)\s*'", re.ASCII)
_MIDNIGHT_MIRROR = {">=": "<=", "=": "=", "in": "in"}  # for a constant on the left


def midnight_notes(relation: Relation, sql: str) -> tuple[Note, ...]:
    """Return notes on dates that are compared with timestamps and so mean midnight, by the text alone."""
    bare = {f"{int(year):04}-{int(month):02}-{int(day):02}" for year, month, day in _BARE.findall(sql)}
    found = (note for expr in expressions_of(relation) for note in _bare_dates(expr, bare)) if bare else ()
    return tuple(dict.fromkeys(found))[:MOST_TOLD]


def _bare_dates(expr: Expr, bare: set[str]) -> Iterator[Note]:
    for part in children(expr):
        yield from _bare_dates(part, bare)
    if not isinstance(expr, Call) or len(expr.arguments) < 2:
        return
    sign = expr.name if isinstance(expr.arguments[0], Ref) else _MIDNIGHT_MIRROR.get(expr.name)
    columns = [part.field for part in expr.arguments if isinstance(part, Ref)]
    if sign not in ("<=", "=", "in") or len(columns) != 1 or columns[0].type not in _MOMENTS or not columns[0].origin:
        return
    for part in expr.arguments:
        if isinstance(part, Literal) and (day := _midnight(part)) is not None and day.isoformat() in bare:
            yield _midnight_note(columns[0].name or "a column", sign, day)


def _midnight(constant: Literal) -> date | None:
    """Return the date whose midnight a constant is; None for other constants."""
    if constant.type not in (SqlType.DATE, *_MOMENTS) or constant.value is None:
        return None
    try:
        at = moment(str(constant.value))
    except ValueError:
        return None
    whole = not (at.hour or at.minute or at.second or at.microsecond)
    return at.date() if whole and at.date() < date.max else None


def _midnight_note(name: str, sign: str, day: date) -> Note:
    after = day + timedelta(days=1)
    if sign == "<=":
        text = f"{name} <= '{day}' ends at midnight, when that day begins. For the whole day: {name} < '{after}'."
        return Note(NoteCode.MIDNIGHT, text)
    whole = f"{name} >= '{day}' AND {name} < '{after}'"
    return Note(NoteCode.MIDNIGHT, f"{name} = '{day}' matches midnight only. For the whole day: {whole}.")


_MIRROR: Mapping[str, str] = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "=": "="}
_FROM, _UP_TO = (">", ">=", "="), ("<", "<=", "=")
_STRICT = ("<", ">")
_Said = tuple[str, Literal]  # comparison operator and constant


def never_true_notes(relation: Relation) -> tuple[Note, ...]:
    """Return notes on predicates that are never true, by text and catalog alone."""
    return tuple(dict.fromkeys(note for expr in expressions_of(relation) for note in _contradictions(expr)))


def _contradictions(expr: Expr) -> Iterator[Note]:
    for part in children(expr):
        yield from _contradictions(part)
    said = list(_said(expr)) if isinstance(expr, Call) else []
    for value in dict.fromkeys(value for value, _ in said):
        about = [each for of, each in said if of == value]
        beyond = next((each for each in about if _beyond(value, each)), None)
        clash = next((pair for pair in product(about, about) if _apart(*pair)), None)
        if beyond is not None:
            within = range_of(value)
            ends = f"from {within.lower:g} to {within.upper:g}"
            yield Note(NoteCode.FALSE_PREDICATE, f"{plain_text(value)} is {ends}, and never {_shown(beyond)}.")
        elif clash is not None:
            both = f"both {_shown(clash[0])} and {_shown(clash[1])}"
            yield Note(NoteCode.FALSE_PREDICATE, f"{plain_text(value)} is never {both}: no row matches.")


def _said(expr: Call) -> Iterator[tuple[Expr, _Said]]:
    """Comparisons with constants in a single comparison or in the operands of an AND."""
    for part in expr.arguments if expr.name == "and" else (expr,):
        if not isinstance(part, Call) or part.name not in _MIRROR:
            continue
        one, other = part.arguments
        if isinstance(other, Literal) and not isinstance(one, Literal):
            yield one, (part.name, other)
        elif isinstance(one, Literal) and not isinstance(other, Literal):
            yield other, (_MIRROR[part.name], one)


def _beyond(value: Expr, said: _Said) -> bool:
    """Return whether a comparison is outside the range of a function, or of a column with declared bounds."""
    within, at = range_of(value), _place(said[1])
    if not isinstance(at, float) or not known(within) or (isinstance(value, Ref) and value.field.origin is None):
        return False
    return _misses((">=", float(within.lower)), (said[0], at)) or _misses((said[0], at), ("<=", float(within.upper)))


def _apart(one: _Said, other: _Said) -> bool:
    return _misses((one[0], _place(one[1])), (other[0], _place(other[1])))


def _misses(one: tuple[str, object], other: tuple[str, object]) -> bool:
    """Return whether a lower bound exceeds an upper bound."""
    (begins, low), (ends, high) = one, other
    if begins not in _FROM or ends not in _UP_TO:
        return False
    if isinstance(low, float) and isinstance(high, float):
        return low > high or (low == high and (begins in _STRICT or ends in _STRICT))
    if isinstance(low, datetime) and isinstance(high, datetime):
        return low > high or (low == high and (begins in _STRICT or ends in _STRICT))
    return False


def _place(constant: Literal) -> float | datetime | None:
    """Position of a constant: a number or a moment; None for other types."""
    value = constant.value
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float):
        return float(value)
    try:
        return moment(str(value)) if constant.type in ("DATE", "TIMESTAMP") else None
    except ValueError:
        return None


def _shown(said: _Said) -> str:
    return f"{said[0]} {said[1].value}"


_COMPARE = {"=", "<>", "in", "is not distinct from", "is distinct from"}
_UNLISTED_MIRROR = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "=": "=", "in": "in"}
_NOTHING = {  # no value from lower to upper satisfies the comparison; phrase for the note
    "=": ("no {}", lambda lower, upper, at: not lower <= at <= upper),
    "in": ("no {}", lambda lower, upper, at: not lower <= at <= upper),
    "<": ("nothing before {}", lambda lower, upper, at: at <= lower),
    "<=": ("nothing up to {}", lambda lower, upper, at: at < lower),
    ">": ("nothing after {}", lambda lower, upper, at: at >= upper),
    ">=": ("nothing from {} on", lambda lower, upper, at: at > upper),
}
_MOST_TOLD = 8  # values shown of a list


def unlisted_notes(relation: Relation, catalog: Catalog) -> tuple[Note, ...]:
    """Return notes on constants outside the declared domain of the compared column, by text and catalog alone."""
    return tuple(
        dict.fromkeys(note for expr in expressions_of(relation) for note in _unlisted_constants(expr, catalog))
    )


def _unlisted_constants(expr: Expr, catalog: Catalog) -> Iterator[Note]:
    for part in children(expr):
        yield from _unlisted_constants(part, catalog)
    if not isinstance(expr, Call) or expr.name not in _COMPARE | _UNLISTED_MIRROR.keys():
        return
    columns = [part.field for part in expr.arguments if isinstance(part, Ref)]
    constants = [part for part in expr.arguments if isinstance(part, Literal)]
    if len(columns) != 1 or len(columns) + len(constants) < len(expr.arguments):
        return
    listed = columns[0].domain or _declared_time(columns[0], catalog)
    if isinstance(listed, ValueRange):
        sign = expr.name if isinstance(expr.arguments[0], Ref) else _UNLISTED_MIRROR.get(expr.name, "")
        yield from (told for part in constants if (told := _beyond_list(columns[0], listed, sign, part)) is not None)
    elif isinstance(listed, ValueList) and expr.name in _COMPARE:
        odd = [part for part in constants if part.value is not None and part.value not in listed.values]
        yield from (_unlisted_note(columns[0].name or "a column", part, listed) for part in odd)


def _declared_time(column: Field, catalog: Catalog) -> ValueRange | None:
    """Date range of a table's event time, declared by its date column."""
    table = None if column.origin is None else catalog.table(column.origin.table)
    if table is None or column.origin is None or column.origin.column != table.time_column or table.date_column is None:
        return None
    dates = table.column(table.date_column)
    return dates.domain if dates is not None and isinstance(dates.domain, ValueRange) else None


def looked_up(part: object) -> Iterator[tuple[Field, Literal]]:
    """Constants that are compared with columns whose domain is a column of a public table."""
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


def _unlisted_note(name: str, constant: Literal, listed: ValueList) -> Note:
    told = [shown_value(value) for value in listed.values[:_MOST_TOLD]]
    more = f" and {len(listed.values) - _MOST_TOLD} more" if len(listed.values) > _MOST_TOLD else ""
    odd = f"{shown_value(constant.value)} is none of its declared values"
    return Note(NoteCode.UNLISTED_VALUE, f"{name}: {odd}, {', '.join(told)}{more}: no row should match.")


def _beyond_list(column: Field, listed: ValueRange, sign: str, constant: Literal) -> Note | None:
    """Note that no value in a declared range satisfies the comparison; None if one may."""
    words, is_beyond = _NOTHING.get(sign, ("", lambda lower, upper, at: False))
    try:
        lower, upper, at = (_list_place(end, column.type) for end in (listed.lower, listed.upper, constant.value))
    except ValueError:  # of another type than the column
        return None
    if column.type is SqlType.TIMESTAMP and isinstance(upper, datetime):  # the range is declared in whole days
        upper += timedelta(days=1, microseconds=-1)
    if not is_beyond(lower, upper, at):
        return None
    held = f"its declared range, {listed.lower} to {listed.upper}, holds {words.format(constant.value)}"
    return Note(NoteCode.UNLISTED_VALUE, f"{column.name or 'a column'}: {held}: no row should match.")


def _list_place(value: object, kind: SqlType) -> float | datetime:
    """Position of a value of a declared range: a number or a moment. Raises ValueError for a value of another type."""
    if kind in (SqlType.DATE, SqlType.TIMESTAMP) and isinstance(value, str):
        return moment(value)
    if kind in (SqlType.DATE, SqlType.TIMESTAMP) or isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError
    return value


def shown_value(value: object) -> str:
    """Return a declared value as text for a note: quoted, at most 40 characters."""
    return f"'{value[:40]}'" if isinstance(value, str) else str(value)
