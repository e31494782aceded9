"""Scans: a declared table as a Public or PerPerson relation, with its person key (`proofs.md#relation-kinds`).

Event time: the clock columns of a table, the privacy window of a row, and which other columns determine the window
(`dialect/planner/proofs.md#kept-windows`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date

from sqlglot import exp

from dialect.algebra.expressions import Call, Expr, Field, Literal, Origin, Ref, conjunction, conjuncts
from dialect.algebra.relations import Filter, Join, PerPerson, Public, Relation, Scan
from dialect.analysis.date_bounds import Clock
from dialect.catalog.model import Catalog, Column, SqlType, Table
from dialect.catalog.privacy_windows import INSIDE, Stretch, Window, next_begin
from dialect.errors import Code, Refusal, Suggestion
from dialect.functions.inference import definition
from dialect.parser.context import Reading, refusal
from dialect.stability.calls import call, wall

_NOWHERE = exp.Null()  # node for generated expressions, which have no place in the query
_MOST_RANGES = 100  # most separate ranges per scan; with more, gaps are read and charged too


def clock_of(table: Table, fields: Sequence[Field]) -> Clock | None:
    """Return the event-time fields of a stored table; None if it has none."""
    found = {f.origin.column: f for f in fields if f.origin is not None}
    if table.time_column is None:
        return None
    return Clock(found[table.time_column], found.get(table.date_column or ""))


def window_of(clock: Clock, window: Window) -> Expr:
    """Build the expression of the beginning of a row's privacy window, in its time zone."""
    unit = Literal(str(window), SqlType.VARCHAR)
    return call("date_trunc", [unit, wall(Ref(clock.time))], _NOWHERE)


def during(clock: Clock, stretch: Stretch, begins: Sequence[date]) -> Expr:
    """Build the condition that a row lies in some privacy windows and on its declared date; NULL times fail it."""
    at = wall(Ref(clock.time))
    parts = [_between(at, first, end) for first, end in ranges_of(stretch, begins)]
    tests = [parts[0] if len(parts) == 1 else call("or", parts, _NOWHERE), *on_date(clock)]
    return conjunction(tuple(part for test in tests for part in conjuncts(test)))


def on_date(clock: Clock) -> tuple[Expr, ...]:
    """Build the condition that a row's date column is the date of its time, if the table has one."""
    if clock.day is None:
        return ()
    return (call("=", [Ref(clock.day), call("to_date", [wall(Ref(clock.time))], _NOWHERE)], _NOWHERE),)


def ranges_of(stretch: Stretch, begins: Sequence[date]) -> list[tuple[date, date]]:
    """Merge adjacent windows into ranges: first day, and the day after the last."""
    made: list[tuple[date, date]] = []
    for begin in begins:
        end = next_begin(stretch.window, begin)
        if made and made[-1][1] == begin:
            made[-1] = made[-1][0], end
        else:
            made.append((begin, end))
    return made


def without_gaps(stretch: Stretch, begins: Sequence[date]) -> tuple[date, ...]:
    """Return all windows between first and last if the given ones form too many separate ranges."""
    if len(ranges_of(stretch, begins)) <= _MOST_RANGES:
        return tuple(begins)
    return Stretch(stretch.window, begins[0], begins[-1]).begins()


def _between(at: Expr, first: date, end: date) -> Expr:
    kind = at.type
    ends = [Literal(day.isoformat() if kind is SqlType.DATE else f"{day} 00:00:00", kind) for day in (first, end)]
    return call("and", [call(">=", [at, ends[0]], _NOWHERE), call("<", [at, ends[1]], _NOWHERE)], _NOWHERE)


def in_same_window(one: Field, other: Field) -> Expr:
    """Build the condition that two rows lie in the same privacy window."""
    return call("=", [Ref(one), Ref(other)], _NOWHERE)


def tells_window(expr: Expr, clocks: Iterable[Field], window: Window) -> bool:
    """Return whether an expression determines the privacy window: its value always lies in its row's window."""
    known = definition(expr)
    return known is not None and _tells(known, frozenset(clocks), window)


def _tells(expr: Expr, clocks: frozenset[Field], window: Window) -> bool:
    if isinstance(expr, Ref):
        return expr.field in clocks
    if not isinstance(expr, Call):
        return False
    first = expr.arguments[0]
    if expr.name == "wall":
        own = isinstance(first, Ref) and expr.arguments[1] == wall_zone(first.field)
        return own and _tells(first, clocks, window)
    if expr.name in ("to_date", "to_timestamp"):
        return _tells(first, clocks, window)
    inside = expr.name == "date_trunc" and isinstance(first, Literal) and first.value in INSIDE[window]
    return inside and _tells(expr.arguments[1], clocks, window)


def wall_zone(field: Field) -> Literal:
    """Return the default time zone of an instant: that of its column, else UTC."""
    return Literal(field.time_zone or "UTC", SqlType.VARCHAR)


def equal_windows(condition: Expr, left: Iterable[Field], right: Iterable[Field], window: Window) -> bool:
    """Return whether a join condition implies equal privacy windows: it equates expressions that determine them."""
    sides = frozenset(left), frozenset(right)
    for part in conjuncts(condition):
        if isinstance(part, Call) and part.name == "=" and part.arguments[0].type is part.arguments[1].type:
            for one, other in (part.arguments, part.arguments[::-1]):
                if tells_window(one, sides[0], window) and tells_window(other, sides[1], window):
                    return _comparable(one, other)
    return False


def _comparable(one: Expr, other: Expr) -> bool:
    """Return whether equal values imply equal local times; instants must have one time zone."""
    if one.type is not SqlType.TIMESTAMPTZ:
        return True
    return isinstance(one, Ref) and isinstance(other, Ref) and one.field.time_zone == other.field.time_zone


_OF_TABLES = ("information_schema", "pg_catalog")
_MOST_ROWS = 10_000  # R of a table that declares none


def find_table(catalog: Catalog, name: str, node: exp.Expr) -> Table:
    """Look up a declared table; raises Refusal with E_TABLE."""
    table = catalog.table(name)
    if table is None:
        known = ", ".join(t.name for t in catalog.tables[:12])
        raise refusal(Code.TABLE, f"There is no table {node.name[:40]}.", f"one of {known}", node)
    return table


def with_schema(node: exp.Table, name: str) -> Refusal:
    """Refuse a schema-qualified table; suggests SHOW TABLES or DESCRIBE for the information schema."""
    if node.text("db").lower() in _OF_TABLES:
        why = f"{node.text('db')[:40]} is not there: statements tell what is declared, free of charge."
        return refusal(Code.TABLE, why, "DESCRIBE and a table's name" if name == "columns" else "SHOW TABLES", node)
    return refusal(Code.TABLE, "Tables have no schema in front.", f"FROM {name[:40]}", node, Suggestion(name))


def scan(table: Table, reading: Reading, node: exp.Expr) -> Relation:
    """Scan a declared table."""
    if not table.private:
        fields = _with_cells(table, tuple(_stored(table, c, reading) for c in table.columns if c.visible))
        return Public(Scan(table, fields), fields)
    assert table.person is not None  # noqa: S101  the catalog reader refuses a private table without person
    if table.person.through:
        return _through(table, reading, node)
    one_row = table.primary_key == (table.person.column,)
    fields = _fields_with(table, (table.person.column, table.time_column, table.date_column), reading, one_row)
    person = _of_column(fields, table.person.column)
    named = replace(person, is_person=True, nullable=False)  # rows without a person are never read
    kept = tuple(named if f == person else f for f in fields)
    return PerPerson(
        Scan(table, kept), kept, _admitted(table, kept, reading), person=named, dataset=table.dataset,
        one_row_per_person=one_row,
        max_rows=1 if one_row else table.max_rows_per_person or _MOST_ROWS,
        timed=0 if one_row or table.time_column is None else 1,
    )  # fmt: skip


def _stored(table: Table, column: Column, reading: Reading, of_person: bool = False) -> Field:
    nullable = column.nullable and not _is_timed(table, column, reading)
    return Field(
        reading.fresh(), column.name if column.visible else None, column.type, nullable, column.bounds,
        domain=column.domain if table.private else None, origin=Origin(table.name, column.name),
        of_person=of_person, time_zone=column.time_zone, complete=table.private and column.complete,
    )  # fmt: skip


def _is_timed(table: Table, column: Column, reading: Reading) -> bool:
    """Return whether rows with NULL in this column lie in no privacy window, and so are never read.

    Proof: `dialect/analysis/proofs.md#touched-windows`.
    """
    times = (table.time_column, table.date_column) if table.private else ()
    return column.name in times and reading.catalog.dataset(table.dataset).stretch is not None


def _fields_with(
    table: Table, hidden: tuple[str | None, ...], reading: Reading, of_person: bool = False
) -> tuple[Field, ...]:
    """Create fields for visible columns, and for hidden columns that every row must carry."""
    shown = [column for column in table.columns if column.visible or column.name in hidden]
    return _with_cells(table, tuple(_stored(table, column, reading, of_person) for column in shown))


def _with_cells(table: Table, fields: tuple[Field, ...]) -> tuple[Field, ...]:
    """Link fields of grid cells to the coordinate fields they were computed from."""
    ids = {f.origin.column: f.id for f in fields if f.origin is not None}
    cells = ((f, _cell_of(table, f, ids)) for f in fields)
    return tuple(f if cell is None else replace(f, cell=cell) for f, cell in cells)


def _cell_of(table: Table, field: Field, ids: Mapping[str, str]) -> tuple[str, str, int] | None:
    column = table.column(field.origin.column) if field.origin is not None else None
    cell = None if column is None else column.cell
    if cell is None or cell.lon not in ids or cell.lat not in ids:
        return None
    return ids[cell.lon], ids[cell.lat], cell.resolution


def _of_column(fields: tuple[Field, ...], column: str) -> Field:
    return next(f for f in fields if f.origin is not None and f.origin.column == column)


def _admitted(table: Table, fields: tuple[Field, ...], reading: Reading) -> tuple[Expr, ...]:
    """Return the predicates of admitted rows: in a declared privacy window, and on their date (`proofs.md#dates`)."""
    stretch, clock = reading.catalog.dataset(table.dataset).stretch, clock_of(table, fields)
    if clock is None:
        return ()
    if stretch is None:
        return on_date(clock)
    dates = () if clock.day is None else conjuncts(during(Clock(clock.day), stretch, stretch.begins()))
    return (*conjuncts(during(clock, stretch, stretch.begins())), *dates)


def _through(table: Table, reading: Reading, node: exp.Expr) -> PerPerson:
    """Join along foreign keys to the table with the person key: inner joins on primary keys enforced at ingest.

    The person becomes a column of the table, under its name in the catalog.
    """
    assert table.person is not None  # noqa: S101
    on_path = [table]
    fields = last = _fields_with(table, (table.person.through[0][0], table.time_column, table.date_column), reading)
    relation = Relation(Scan(table, fields), fields)  # no kind before the person key is found
    for own, target_name in table.person.through:
        target = reading.catalog.table(target_name)
        assert target is not None  # noqa: S101  the catalog reader checks the path
        on_path.append(target)
        far = tuple(replace(_stored(target, column, reading), name=None) for column in target.columns)
        on = call("=", [Ref(_of_column(last, own)), Ref(_of_column(far, target.primary_key[0]))], node)
        relation = Relation(Join(relation, Relation(Scan(target, far), far), "inner", on), relation.fields + far)
        last = far
    found = _of_column(last, table.person.column)
    shown = reading.catalog.borrowed_person(table)
    person = replace(found, name=shown.name if shown is not None else None, is_person=True, nullable=False)
    known = call("not", [call("is null", [Ref(found)], node)], node)
    kept = tuple(person if f == person else f for f in relation.fields)
    return PerPerson(
        Filter(relation, known), kept, _admitted(table, fields, reading), person=person, dataset=table.dataset,
        max_rows=table.max_rows_per_person or _MOST_ROWS, timed=int(any(each.time_column for each in on_path)),
    )  # fmt: skip
