"""Scans: a declared table as a Public or PerPerson relation, with its person key (`proofs.md#relation-kinds`).

Event time: the clock columns of a table, the privacy window of a row, and which other columns determine the window
(`dialect/planner/proofs.md#kept-windows`).

Terms:

    event time       the time column of a stored table, and the date column that must agree with it, if declared
    privacy window   the period (month, week, day) of one person's data that is protected as one privacy unit
    stretch          WindowRange: all privacy windows that a dataset declares, first to last
    wall             function `wall(instant, zone)`: the local time that a clock of the zone shows
    R                max_rows_per_person: the most rows of one person that a table may have
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date

from sqlglot import exp

from dialect.algebra.expressions import Call, Expr, Field, Literal, Origin, Ref, conjunction, conjuncts
from dialect.algebra.relations import Filter, Join, PerPerson, Public, Relation, Scan
from dialect.analysis.date_bounds import EventTime
from dialect.analysis.time_granularity import truncation_unit
from dialect.catalog.model import Catalog, Column, SqlType, Table
from dialect.catalog.privacy_windows import UNITS_WITHIN_WINDOW, PrivacyWindow, WindowRange, next_window_start
from dialect.diagnostics.kinds import Kind
from dialect.errors import Refusal
from dialect.functions.registry import OVERLOADS, definition_of, is_date, is_local_time, to_local_time
from dialect.parser.compile_context import CompileContext, refusal
from dialect.stability.typed_calls import apply_function

_GENERATED = exp.Null()  # node for generated expressions, which have no place in the query
_MAX_RANGES = 100  # most separate ranges per scan; with more, gaps are read and charged too


def event_time_of(table: Table, fields: Sequence[Field]) -> EventTime | None:
    """Return the event-time fields of a stored table; None if it has none."""
    found = {f.origin.column: f for f in fields if f.origin is not None}
    if table.time_column is None:
        return None
    return EventTime(found[table.time_column], found.get(table.date_column or ""))


def window_start(event_time: EventTime, window: PrivacyWindow) -> Expr:
    """Build the expression of the first instant of a row's privacy window: its local time truncated to the window."""
    unit = Literal(str(window), SqlType.VARCHAR)
    return apply_function("date_trunc", [unit, to_local_time(Ref(event_time.time))], _GENERATED)


def is_in_windows(event_time: EventTime, stretch: WindowRange, window_starts: Sequence[date]) -> Expr:
    """Build the condition that a row lies in some privacy windows and on its declared date; NULL times fail it.

    `window_starts` are first days of windows, ascending; adjacent windows become one range of times.
    """
    at = to_local_time(Ref(event_time.time))
    parts = [_is_between(at, first, end) for first, end in merge_adjacent_windows(stretch, window_starts)]
    tests = [parts[0] if len(parts) == 1 else apply_function("or", parts, _GENERATED), *is_on_declared_date(event_time)]
    return conjunction(tuple(part for test in tests for part in conjuncts(test)))


def is_on_declared_date(event_time: EventTime) -> tuple[Expr, ...]:
    """Build the condition that a row's date column is the date of its local time; empty without a date column."""
    if event_time.day is None:
        return ()
    return (
        apply_function(
            "=",
            [Ref(event_time.day), apply_function("to_date", [to_local_time(Ref(event_time.time))], _GENERATED)],
            _GENERATED,
        ),
    )


def merge_adjacent_windows(stretch: WindowRange, window_starts: Sequence[date]) -> list[tuple[date, date]]:
    """Merge adjacent windows into ranges: (first day, day after the last).

    `window_starts` are first days, ascending; of `stretch` only the length of a window is read.
    """
    ranges: list[tuple[date, date]] = []
    for begin in window_starts:
        end = next_window_start(stretch.window, begin)
        if ranges and ranges[-1][1] == begin:
            ranges[-1] = ranges[-1][0], end
        else:
            ranges.append((begin, end))
    return ranges


def limit_ranges(stretch: WindowRange, window_starts: Sequence[date]) -> tuple[date, ...]:
    """First days of the windows to read: as given, or all between first and last if they form too many ranges.

    The additional windows are read and charged too; their number of conditions would slow the scan more.
    """
    if len(merge_adjacent_windows(stretch, window_starts)) <= _MAX_RANGES:
        return tuple(window_starts)
    return WindowRange(stretch.window, window_starts[0], window_starts[-1]).first_days()


def _is_between(at: Expr, first: date, end: date) -> Expr:
    """Build the condition first <= at < end; days are written as dates or as midnights, by the type of `at`."""
    kind = at.type
    # a DATE column is compared with days, a time with their midnights
    ends = [Literal(day.isoformat() if kind is SqlType.DATE else f"{day} 00:00:00", kind) for day in (first, end)]
    return apply_function(
        "and",
        [apply_function(">=", [at, ends[0]], _GENERATED), apply_function("<", [at, ends[1]], _GENERATED)],
        _GENERATED,
    )


def is_same_window(one: Field, other: Field) -> Expr:
    """Build the condition that two rows lie in one privacy window; both fields hold the start of a row's window."""
    return apply_function("=", [Ref(one), Ref(other)], _GENERATED)


def determines_window(expr: Expr, event_times: Iterable[Field], window: PrivacyWindow) -> bool:
    """Return whether an expression determines the privacy window: its value always lies in its row's window."""
    expanded = definition_of(expr)
    return expanded is not None and _determines_window(expanded, frozenset(event_times), window)


def _determines_window(expr: Expr, event_times: frozenset[Field], window: PrivacyWindow) -> bool:
    """Return whether an expression of the event time always lies in its row's privacy window, by its structure.

    True for the time itself, its local time in the column's own zone, its date, and its truncation to a unit that never
    crosses a window boundary: date_trunc('hour', t) for windows of a day. Another zone could cross midnight.
    """
    if isinstance(expr, Ref):
        return expr.field in event_times
    if not isinstance(expr, Call):
        return False
    first = expr.arguments[0]
    if is_local_time(expr):
        own = isinstance(first, Ref) and expr.arguments[1] == Literal(first.field.time_zone or "UTC", SqlType.VARCHAR)
        return own and _determines_window(first, event_times, window)
    row, last = OVERLOADS[expr.function], expr.arguments[-1]
    is_inside = row.keeps_moment or is_date(expr) or truncation_unit(expr, last) in UNITS_WITHIN_WINDOW[window]
    return is_inside and _determines_window(last, event_times, window)


def implies_same_window(condition: Expr, left: Iterable[Field], right: Iterable[Field], window: PrivacyWindow) -> bool:
    """Return whether a join condition implies equal privacy windows: it equates expressions that determine them.

    `left` and `right` are the event time fields of both sides.
    """
    sides = frozenset(left), frozenset(right)
    for part in conjuncts(condition):
        if isinstance(part, Call) and part.name == "=" and part.arguments[0].type is part.arguments[1].type:
            for one, other in (part.arguments, part.arguments[::-1]):
                if determines_window(one, sides[0], window) and determines_window(other, sides[1], window):
                    return _has_comparable_zones(one, other)
    return False


def _has_comparable_zones(one: Expr, other: Expr) -> bool:
    """Return whether equal values imply equal local times; instants must have one time zone."""
    if one.type is not SqlType.TIMESTAMPTZ:
        return True
    return isinstance(one, Ref) and isinstance(other, Ref) and one.field.time_zone == other.field.time_zone


_SCHEMAS_OF_TABLES = ("information_schema", "pg_catalog")
_DEFAULT_MAX_ROWS = 10_000  # R of a table that declares none


def find_table(catalog: Catalog, name: str, node: exp.Expr) -> Table:
    """Look up a declared table; raises Refusal with E_TABLE."""
    table = catalog.tables_by_name.get(name)
    if table is None:
        table_names = ", ".join(t.name for t in catalog.tables[:12])
        raise refusal(Kind.UNKNOWN_TABLE, node, name=node.name[:40], tables=table_names)
    return table


def schema_refusal(node: exp.Table, name: str) -> Refusal:
    """Build the refusal of a schema-qualified table; suggests SHOW TABLES or DESCRIBE for the information schema."""
    if node.text("db").lower() in _SCHEMAS_OF_TABLES:
        kind = Kind.SCHEMA_COLUMNS if name == "columns" else Kind.SCHEMA_TABLES
        return refusal(kind, node, schema=node.text("db")[:40])
    return refusal(Kind.SCHEMA_IN_FRONT, node, name=name[:40])


def scan_table(table: Table, context: CompileContext, node: exp.Expr) -> Relation:
    """Scan a declared table: Public, or PerPerson with the person key that the catalog declares.

    A private table whose person is reached through foreign keys is joined to the table that has the person key. One row
    per person where the person key is the primary key; else at most R rows.
    """
    if not table.private:
        fields = _fields_with_hidden(table, (), context)
        return Public(Scan(table, fields), fields)
    assert table.person is not None  # noqa: S101  the catalog reader refuses a private table without person
    if table.person.through:
        return _scan_through_foreign_keys(table, context, node)
    one_row = table.primary_key == (table.person.column,)  # a person table
    fields = _fields_with_hidden(table, (table.person.column, table.time_column, table.date_column), context, one_row)
    person = _field_of_column(fields, table.person.column)
    person_field = replace(person, is_person_key=True, nullable=False)  # rows without a person are never read
    fields_with_person = tuple(person_field if f == person else f for f in fields)
    return PerPerson(
        Scan(table, fields_with_person), fields_with_person, _admitted_predicates(table, fields_with_person, context),
        person=person_field, dataset=table.dataset,
        has_one_row_per_person=one_row,
        max_rows=1 if one_row else table.max_rows_per_person or _DEFAULT_MAX_ROWS,
        per_window_factors=0 if one_row or not _has_windows((table,), context) else 1,
    )  # fmt: skip


def _has_windows(tables: Sequence[Table], context: CompileContext) -> bool:
    """Return whether rows of joined tables lie in privacy windows: their dataset has them, and one has a time."""
    dataset = context.catalog.datasets_by_name[tables[0].dataset]
    return dataset.window_range is not None and any(table.time_column is not None for table in tables)


def _stored_fields(
    table: Table, columns: Sequence[Column], context: CompileContext, of_person: bool = False
) -> tuple[Field, ...]:
    """Fields of stored columns: their declared types, bounds, domains and time zones.

    `of_person`: the table has one row per person, so the fields are constant per person. Hidden columns have no name.
    Domains of public tables are left out: their values are read from the rows themselves. Rows with NULL in the time or
    date column of a table with windows lie in no privacy window, and so are never read. A primary key is declared to
    hold no NULL, as a column that is not nullable is.

    Proof: `dialect/analysis/proofs.md#touched-windows`.
    """
    has_windows = table.private and context.catalog.datasets_by_name[table.dataset].window_range is not None
    never_null = {table.time_column, table.date_column} if has_windows else set[str | None]()
    if table.private:
        never_null.update(table.primary_key)
    return tuple(
        Field(
            field_id, column.name if column.visible else None, column.type,
            column.nullable and column.name not in never_null, column.bounds,
            domain=column.domain if table.private else None, origin=Origin(table.name, column.name),
            is_constant_per_person=of_person, time_zone=column.time_zone,
            domain_is_complete=table.private and column.complete,
        )
        for column, field_id in zip(columns, context.new_field_ids(len(columns)), strict=True)
    )  # fmt: skip


def _fields_with_hidden(
    table: Table, hidden: tuple[str | None, ...], context: CompileContext, of_person: bool = False
) -> tuple[Field, ...]:
    """Create fields for visible columns, and for hidden columns that every row must carry."""
    shown = [column for column in table.columns if column.visible or column.name in hidden]
    return _link_cells(table, _stored_fields(table, shown, context, of_person))


def _link_cells(table: Table, fields: tuple[Field, ...]) -> tuple[Field, ...]:
    """Link fields of H3 cells to the fields of the coordinates they were computed from, if the relation has these."""
    ids = {f.origin.column: f.id for f in fields if f.origin is not None}
    cells = {
        ids[column.name]: (ids[cell.lon], ids[cell.lat], cell.resolution)
        for column in table.columns
        if (cell := column.cell) is not None and {column.name, cell.lon, cell.lat} <= ids.keys()
    }
    return tuple(replace(f, h3_cell=cells[f.id]) if f.id in cells else f for f in fields)


def _field_of_column(fields: tuple[Field, ...], column: str) -> Field:
    """Field that was read from this stored column."""
    return next(f for f in fields if f.origin is not None and f.origin.column == column)


def _admitted_predicates(table: Table, fields: tuple[Field, ...], context: CompileContext) -> tuple[Expr, ...]:
    """Predicates that hold in every row read: in a declared privacy window, and on its date (`proofs.md#dates`).

    They are stated, not tested here: the window filter of each scan tests them, and data of a dataset without windows
    are refused when they are opened unless every row is on its declared date.
    """
    stretch, event_time = context.catalog.datasets_by_name[table.dataset].window_range, event_time_of(table, fields)
    if event_time is None:
        return ()
    if stretch is None:
        return is_on_declared_date(event_time)
    dates = (
        ()
        if event_time.day is None
        else conjuncts(is_in_windows(EventTime(event_time.day), stretch, stretch.first_days()))
    )
    return (*conjuncts(is_in_windows(event_time, stretch, stretch.first_days())), *dates)


def _scan_through_foreign_keys(table: Table, context: CompileContext, node: exp.Expr) -> PerPerson:
    """Join along foreign keys to the table with the person key: inner joins on primary keys enforced at ingest.

    Each row of the table therefore keeps exactly one person. The person becomes a column of the table, under its name
    in the catalog, or hidden. Rows whose person is NULL are filtered.
    """
    assert table.person is not None  # noqa: S101
    on_path = [table]
    fields = last_fields = _fields_with_hidden(
        table, (table.person.through[0][0], table.time_column, table.date_column), context
    )
    relation = Relation(Scan(table, fields), fields)  # no kind before the person key is found
    for key_column, target_name in table.person.through:
        target = context.catalog.tables_by_name.get(target_name)
        assert target is not None  # noqa: S101  the catalog reader checks the path
        on_path.append(target)
        target_fields = tuple(replace(f, name=None) for f in _stored_fields(target, target.columns, context))
        on = apply_function(
            "=",
            [
                Ref(_field_of_column(last_fields, key_column)),
                Ref(_field_of_column(target_fields, target.primary_key[0])),
            ],
            node,
        )
        relation = Relation(
            Join(relation, Relation(Scan(target, target_fields), target_fields), "inner", on),
            relation.fields + target_fields,
        )
        last_fields = target_fields
    found = _field_of_column(last_fields, table.person.column)
    shown = context.catalog.inherited_person_column(table)
    person = replace(found, name=shown.name if shown is not None else None, is_person_key=True, nullable=False)
    has_person = apply_function("not", [apply_function("is null", [Ref(found)], node)], node)
    fields_with_person = tuple(person if f == person else f for f in relation.fields)
    return PerPerson(
        Filter(relation, has_person), fields_with_person, _admitted_predicates(table, fields, context), person=person,
        dataset=table.dataset,
        max_rows=table.max_rows_per_person or _DEFAULT_MAX_ROWS,
        per_window_factors=int(_has_windows(on_path, context)),  # the limit is per window then
    )  # fmt: skip
