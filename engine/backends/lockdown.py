"""DuckDB in lockdown: only attached files, no later change of settings, and errors that say nothing.

Also two databases without people's rows: the sandbox, which contains only releases and public tables, for the outer SQL
of a query; and empty copies of the opened tables, against which generated SQL is bound before a charge. Binding depends
on types alone there, so it reveals nothing about the data (`proofs.md#bound-before-charged`).
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import groupby
from operator import itemgetter
from queue import Empty, SimpleQueue

import duckdb
import pyarrow as pa

from dialect import Catalog, Target
from dialect.catalog import OPT_OUT_TABLE, SqlType, Table
from dialect.functions import quote_identifier
from dialect.functions.scalar import POLYGON_TYPE
from engine.backends.protocol import Backend
from engine.errors import ExecutionFailed

# to_arrow_table copies even a million rows faster than a relation is planned twice (`run_statement`)
warnings.filterwarnings("ignore", "Arrow output on a DB-API result")

_FEW_ROWS = 256
_PLAIN_TYPES: Mapping[str, pa.DataType] = {
    "BIGINT": pa.int64(),
    "INTEGER": pa.int32(),
    "SMALLINT": pa.int16(),
    "DOUBLE": pa.float64(),
    "BOOLEAN": pa.bool_(),
    "VARCHAR": pa.string(),
}
DuckDBConfig = dict[str, str | bool | int | float | list[str]]
# set at connect: cursors do not inherit later settings
LOCKDOWN_SETTINGS: Mapping[str, str] = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "allow_unsigned_extensions": "false",
    "python_enable_replacements": "false",
    # the first makes row truncation two to four times slower; the second fails on valid SQL, depending on values; the
    # third plans a statement in the cube of its columns: half a minute for 40 variances
    "disabled_optimizers": "top_n_window_elimination,projection_pullup,projection_placement",
}


def lock_down(connection: duckdb.DuckDBPyConnection) -> None:
    """Forbid access outside the attached files and any change of settings: the last step of opening."""
    connection.execute("SET GLOBAL TimeZone='UTC'")  # for its cursors too, which would use the machine's time zone
    connection.execute("SET enable_external_access=false")
    connection.execute("SET lock_configuration=true")


def connect_to_memory(config: DuckDBConfig) -> duckdb.DuckDBPyConnection:
    """Open a DuckDB in memory with the lockdown settings; `lock_down` follows once everything is attached."""
    return duckdb.connect(config={**LOCKDOWN_SETTINGS, **config})


def run_statement(
    connection: duckdb.DuckDBPyConnection,
    sql: str,
    tables: Mapping[str, pa.Table],
    parsed: duckdb.Statement | None = None,
) -> pa.Table:
    """Run one statement over attached tables, and over those of this call alone. Raises ExecutionFailed.

    It runs on a cursor, as a DuckDB relation would be planned twice. The error has constant text. `parsed` = the
    statement, if it was parsed before.
    """
    with closing(connection.cursor()) as cursor:
        return run_on_cursor(cursor, sql, tables, parsed)


def run_on_cursor(
    cursor: duckdb.DuckDBPyConnection,
    sql: str,
    tables: Mapping[str, pa.Table],
    parsed: duckdb.Statement | None = None,
) -> pa.Table:
    """Run one statement on a cursor, over its temporary tables too. Raises ExecutionFailed, as `run_statement`."""
    try:
        _register(cursor, sql, tables)
        cursor.execute(parsed or sql)
        return _rows(cursor)
    except (duckdb.Error, MemoryError, pa.ArrowException) as failure:
        kind = type(failure).__name__
    raise ExecutionFailed(kind)  # raised outside the handler, so that no engine error is its context


def _rows(cursor: duckdb.DuckDBPyConnection) -> pa.Table:
    """Fetch the rows of a result as Arrow; the first ones of numbers and texts as Python values.

    DuckDB plans a second statement to write Arrow, which takes longer than so few values do.
    """
    described = cursor.description or []
    names, kinds = [name for name, *_ in described], [str(kind) for _, kind, *_ in described]
    if not kinds or not all(kind in _PLAIN_TYPES for kind in kinds):
        return cursor.to_arrow_table()
    rows = cursor.fetchmany(_FEW_ROWS)
    columns = list(zip(*rows, strict=True)) or [()] * len(names)
    pairs = zip(columns, kinds, strict=True)
    first = pa.Table.from_arrays([pa.array(values, _PLAIN_TYPES[kind]) for values, kind in pairs], names)
    return first if len(rows) < _FEW_ROWS else pa.concat_tables([first, cursor.to_arrow_table()])


def _register(cursor: duckdb.DuckDBPyConnection, sql: str, tables: Mapping[str, pa.Table]) -> None:
    """Register the tables that a statement names, visible to this cursor only."""
    for name, table in tables.items():
        if name in sql:  # it takes longer to register one than to look for its name
            cursor.register(name, table)


_CONFIG: DuckDBConfig = {
    "threads": 1,
    "memory_limit": "2GB",
    "max_execution_time": 60_000,
    "temp_directory": "",  # no spilling: the default would be the working directory of the process
}
_MOST_IDLE = 4
_idle: SimpleQueue[duckdb.DuckDBPyConnection] = SimpleQueue()  # locked and empty; opening one costs 20 ms


def run_outer(sql: str, tables: Mapping[str, pa.Table]) -> pa.Table:
    """Run generated SQL over named Arrow tables, in one thread so that the order is deterministic.

    Each query has a database for itself, through a cursor; its tables are dropped when that closes. Raises
    ExecutionFailed.
    """
    database = _borrow()
    try:
        result = run_statement(database, sql, tables)
    except ExecutionFailed:
        threading.Thread(target=database.close).start()  # a failed statement may have left something behind
        raise
    if _idle.qsize() < _MOST_IDLE:
        _idle.put(database)
    else:
        database.close()
    return result


def _borrow() -> duckdb.DuckDBPyConnection:
    try:
        return _idle.get_nowait()
    except Empty:
        database = connect_to_memory(_CONFIG)
        lock_down(database)
        return database


def public_table(table_name: str, catalog: Catalog, backend: Backend) -> pa.Table:
    """Read all rows of a public table."""
    return backend.public(public_table_sql(table_name, catalog, backend.target))


def public_table_sql(table_name: str, catalog: Catalog, target: Target) -> str:
    """Generate SQL that reads all rows of a public table."""
    table = catalog.tables_by_name.get(table_name)
    assert table is not None and not table.private  # noqa: S101  released relations hold no private scan
    columns = ", ".join(quote_identifier(column.name) for column in table.columns)
    return f"SELECT {columns} FROM {target.addresses[table_name]}"


DeclaredColumn = tuple[str, str, str, str, str]  # database, schema, table, column, DuckDB type
_COLUMNS = """
SELECT database_name, schema_name, table_name, column_name, data_type FROM duckdb_columns()
WHERE NOT internal AND database_name NOT IN ('memory', 'system', 'temp')
ORDER BY database_name, schema_name, table_name, column_index
"""
_DECLARED_SCHEMA = ("declared", "main")  # database and schema of tables that are only declared, not attached
_BINDING_CONFIG: DuckDBConfig = {
    "threads": 1,
    "memory_limit": "256MB",
    "max_execution_time": 10_000,
    "temp_directory": "",
}


def declared_columns(tables: Iterable[Table]) -> tuple[DeclaredColumn, ...]:
    """List the columns of tables with their declared types."""
    polygon = {SqlType.POLYGON: POLYGON_TYPE}
    return tuple(
        (*_DECLARED_SCHEMA, table.name, column.name, polygon.get(column.type, column.type.value))
        for table in tables
        for column in table.columns
    )


def declared_address(table: str) -> str:
    """Qualified name of a declared table."""
    return ".".join(map(quote_identifier, (*_DECLARED_SCHEMA, table)))


def eligible_address(eligible_sql: str) -> str:
    """Address of the eligible people that some SQL selects: the same wherever they are materialized."""
    return f"kept_{sha256(eligible_sql.encode()).hexdigest()[:32]}.main.persons"


_MOST_PARSED = 8  # parsed statements of one thread: those of one query


class _ParsedStatements(threading.local):
    """What a thread has bound and not run yet, by text: of the latest statements."""

    def __init__(self) -> None:
        """Start without statements."""
        self.by_text = dict[str, duckdb.Statement]()

    def keep(self, sql: str, statement: duckdb.Statement) -> None:
        """Keep a statement in the place of the oldest one."""
        self.by_text[sql] = statement
        if len(self.by_text) > _MOST_PARSED:
            del self.by_text[next(iter(self.by_text))]


@dataclass(frozen=True)
class EmptyTables:
    """Locked DuckDB connection over empty tables, with a cursor for every statement."""

    target: Target  # addresses of the empty tables
    _connection: duckdb.DuckDBPyConnection
    _types: dict[str, pa.DataType] = field(default_factory=dict)  # Arrow type by DuckDB's type name
    _eligible: set[str] = field(default_factory=set)  # addresses of tables of eligible people
    _eligible_lock: threading.Lock = field(default_factory=threading.Lock)  # held while one is created
    _bound: _ParsedStatements = field(default_factory=_ParsedStatements)

    @classmethod
    def copy_of(
        cls, opened: duckdb.DuckDBPyConnection, target: Target, more_columns: Iterable[DeclaredColumn] = ()
    ) -> EmptyTables:
        """Create an empty copy of each attached table, of some that are stored elsewhere, and of the objections."""
        columns: list[DeclaredColumn] = [*opened.execute(_COLUMNS).fetchall(), *more_columns]
        connection = connect_to_memory(_BINDING_CONFIG)
        for database in dict.fromkeys(column[0] for column in columns):
            connection.execute(f"ATTACH ':memory:' AS {quote_identifier(database)}")
        for place, table_columns in groupby(columns, itemgetter(0, 1, 2)):
            address = ".".join(map(quote_identifier, place))
            connection.execute(f"CREATE SCHEMA IF NOT EXISTS {quote_identifier(place[0])}.{quote_identifier(place[1])}")
            typed = ", ".join(f"{quote_identifier(column)} {kind}" for *_, column, kind in table_columns)
            connection.execute(f"CREATE TABLE {address} ({typed})")
        connection.execute(f"CREATE TABLE {OPT_OUT_TABLE} (person VARCHAR)")  # as in NO_OBJECTIONS
        lock_down(connection)
        return cls(target, connection)

    def columns(self, sql: str, tables: Mapping[str, pa.Table]) -> pa.Table:
        """Bind SQL over these tables and some more, and return its columns without rows.

        Claim: whether it raises depends on the SQL and on types alone. Symbols: tables without rows. Formula: none.
        Source: proofs.md#bound-before-charged. Raises ExecutionFailed, with constant text.
        """
        kinds = self._bind(sql, tables)
        return pa.schema([(column, self._type(kind)) for column, kind in kinds.items()]).empty_table()

    def _bind(self, sql: str, tables: Mapping[str, pa.Table]) -> dict[str, str]:
        """Bind a statement without running it: DuckDB's type of each column. Keeps what was parsed."""
        try:
            with closing(self._connection.cursor()) as cursor:
                _register(cursor, sql, tables)
                (statement,) = cursor.extract_statements(sql)
                bound = cursor.sql(statement)  # planned only where its rows are fetched
                self._bound.keep(sql, statement)
                return dict(zip(bound.columns, map(str, bound.types), strict=True))
        except (duckdb.Error, MemoryError) as failure:
            kind = type(failure).__name__
        raise ExecutionFailed(kind)  # raised outside the handler, so that no engine error is its context

    def parsed(self, sql: str) -> duckdb.Statement | None:
        """Return a statement that this thread has just bound, once: it need not be parsed again to run."""
        return self._bound.by_text.pop(sql, None)

    def eligible_table(self, eligible_sql: str) -> str:
        """Address of a table without rows in the place of the eligible people. Raises ExecutionFailed."""
        address = eligible_address(eligible_sql)
        with self._eligible_lock:
            if address not in self._eligible:
                database = address.partition(".")[0]
                run_statement(self._connection, f"ATTACH IF NOT EXISTS ':memory:' AS {database}", {})
                run_statement(self._connection, f"CREATE OR REPLACE TABLE {address} AS {eligible_sql}", {})
                self._eligible.add(address)
        return address

    def _type(self, kind: str) -> pa.DataType:
        if kind not in self._types:
            typed = run_statement(self._connection, f"SELECT CAST(NULL AS {kind}) AS x LIMIT 0", {})
            self._types[kind] = typed.schema.field(0).type
        return self._types[kind]

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()
