"""Empty copies of the opened tables, in a DuckDB of their own: generated SQL is bound against them before a charge.

Binding depends on types alone here, so it reveals nothing about the data (`proofs.md#bound-before-charged`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter

import duckdb
import pyarrow as pa

from dialect import Target
from dialect.catalog import OPT_OUT_TABLE, SqlType, Table
from dialect.functions import quote_identifier
from dialect.functions.scalar import POLYGON_TYPE
from engine.backends.lockdown import DuckDBConfig, column_types, connect_to_memory, lock_down, run_statement

DeclaredColumn = tuple[str, str, str, str, str]  # database, schema, table, column, DuckDB type
_COLUMNS = """
SELECT database_name, schema_name, table_name, column_name, data_type FROM duckdb_columns()
WHERE NOT internal AND database_name NOT IN ('memory', 'system', 'temp')
ORDER BY database_name, schema_name, table_name, column_index
"""
_DECLARED_SCHEMA = ("declared", "main")  # database and schema of tables that are only declared, not attached
_CONFIG: DuckDBConfig = {
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


@dataclass(frozen=True)
class EmptyTables:
    """Locked DuckDB connection over empty tables, with a cursor for every statement."""

    target: Target  # addresses of the empty tables
    _connection: duckdb.DuckDBPyConnection
    _types: dict[str, pa.DataType] = field(default_factory=dict)  # Arrow type by DuckDB's type name

    @classmethod
    def copy_of(
        cls, opened: duckdb.DuckDBPyConnection, target: Target, more_columns: Iterable[DeclaredColumn] = ()
    ) -> EmptyTables:
        """Create an empty copy of each attached table, of some that are stored elsewhere, and of the objections."""
        columns: list[DeclaredColumn] = [*opened.execute(_COLUMNS).fetchall(), *more_columns]
        connection = connect_to_memory(_CONFIG)
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
        columns = column_types(self._connection, sql, tables)
        return pa.schema([(column, self._type(kind)) for column, kind in columns.items()]).empty_table()

    def _type(self, kind: str) -> pa.DataType:
        if kind not in self._types:
            typed = run_statement(self._connection, f"SELECT CAST(NULL AS {kind}) AS x LIMIT 0", {})
            self._types[kind] = typed.schema.field(0).type
        return self._types[kind]

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()
