"""A steward's files: column names and types, and yes-or-no queries on them; no value comes out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from glob import escape
from pathlib import Path
from typing import Any, Self

import duckdb

from dialect.catalog import Source, SqlType
from dialect.functions import quote_identifier
from engine.catalog.columns import sql_type
from engine.catalog.sources import stored_paths
from engine.data.files.csv_files import UnreadableError, csv_relation, inferred_csv_relation, quoted_paths

OFFLINE_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
}


def connect_offline(file: str = ":memory:", **settings: str | bool | float | list[str]) -> duckdb.DuckDBPyConnection:
    """Open a DuckDB that loads no extensions over the network; timestamps without offset are UTC."""
    connection = duckdb.connect(file, config={**OFFLINE_CONFIG, **settings})
    connection.execute("SET GLOBAL TimeZone = 'UTC'")
    with suppress(duckdb.InvalidInputException):  # fails in notebooks without widgets
        connection.execute("SET enable_progress_bar = false")
    return connection


def connect_spilling(folder: Path, file: str = ":memory:") -> duckdb.DuckDBPyConnection:
    """Open such a DuckDB that takes 4 GB of memory, and spills the rest into a folder."""
    return connect_offline(file, memory_limit="4GB", temp_directory=str(folder / "spill"))


# stored type -> wider declared types
WIDER_TYPES = {SqlType.BIGINT: (SqlType.DOUBLE,), SqlType.DATE: (SqlType.TIMESTAMP,)}

_BITS = {"TINYINT": 8, "SMALLINT": 16, "INTEGER": 32, "INT": 32, "BIGINT": 64}
_INTEGER_RANGES = {name: (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) for name, bits in _BITS.items()}
_INTEGER_RANGES |= {f"U{name}": (0, 2**bits - 1) for name, bits in _BITS.items() if name != "INT"}


class StoredFiles:
    """An in-memory DuckDB that reads files and writes none."""

    def __init__(self) -> None:
        self._connection = connect_offline()
        self._attached: dict[str, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        self._connection.close()

    def columns(self, source: Source, *, guessed: bool = False) -> dict[str, str]:
        """Return the name and type of each column; CSV types are VARCHAR, or inferred if `guessed`.

        Raises UnreadableError.
        """
        try:
            rows = inferred_csv_relation(source.path) if guessed and source.format == "csv" else self._rows(source)
            cursor = self._connection.execute(f"SELECT * FROM {rows} LIMIT 0")
        except duckdb.Error:
            raise UnreadableError from None
        return {column: str(kind) for column, kind, *_ in cursor.description or ()}

    def tables(self, path: str) -> tuple[str, ...]:
        """Return the names of the tables in a DuckDB file, without views. Raises UnreadableError."""
        select = "SELECT table_name FROM duckdb_tables() WHERE database_name = ? AND schema_name = 'main'"
        try:
            alias = self._attach(path)
        except duckdb.Error:
            raise UnreadableError from None
        return tuple(table for (table,) in self._fetch(f"{select} ORDER BY 1", [alias]))

    def has_header(self, path: str) -> bool:
        """Return whether the first line of CSV files, which all share it, looks like a header. Raises UnreadableError.

        DuckDB sniffs one file alone.
        """
        found = stored_paths(path) or [path]
        return bool(self._fetch("SELECT HasHeader FROM sniff_csv(?)", [escape(found[0])])[0][0])

    def typed_relation(self, source: Source, types: dict[str, str]) -> str:
        """Write the relation of a source with the declared types; values of another type become NULL."""
        return f"(SELECT {typed_columns(source, types)} FROM {self._rows(source)})"

    def raw_relation(self, source: Source) -> str:
        """Write the relation of a source with its stored types; CSV values are text."""
        return f"(SELECT * FROM {self._rows(source)})"

    def has_rows(self, select: str) -> bool:
        """Return whether a SELECT returns a row. Raises UnreadableError."""
        return bool(self._fetch(f"SELECT 1 FROM ({select}) LIMIT 1"))

    def count(self, select: str) -> int:
        """Count the rows of a SELECT. Raises UnreadableError."""
        return int(self._fetch(f"SELECT count(*) FROM ({select})")[0][0])

    def all_texts_satisfy(self, select: str, predicate: Callable[[str], bool]) -> bool:
        """Return whether a predicate is true of every distinct text of a SELECT. Raises UnreadableError."""
        return all(predicate(text) for (text,) in self._fetch(f"SELECT DISTINCT * FROM ({select})") if text is not None)

    def _fetch(self, sql: str, parameters: Sequence[str] = ()) -> list[tuple[Any, ...]]:
        """Run one statement and return its rows. Raises UnreadableError."""
        try:
            return self._connection.execute(sql, parameters).fetchall()
        except duckdb.Error:
            raise UnreadableError from None

    def _rows(self, source: Source) -> str:
        """Write the table function or table that reads a source."""
        if source.format == "duckdb":
            return f"{self._attach(source.path)}.main.{quote_identifier(source.table or '')}"
        return files_relation(source)

    def _attach(self, path: str) -> str:
        """Attach a DuckDB file once, read-only, and return its alias."""
        if path not in self._attached:
            alias = f"file_{len(self._attached)}"
            self._connection.execute(f"ATTACH ? AS {alias} (READ_ONLY)", [path])
            self._attached[path] = alias
        return self._attached[path]


def files_relation(source: Source) -> str:
    """Write the table function that reads files; CSV values stay text.

    Raises UnreadableError.
    """
    return csv_relation(source.path) if source.format == "csv" else f"read_parquet({quoted_paths(source.path)})"


def is_type_compatible(stored: str, declared: SqlType) -> bool:
    """Return whether every value of a stored type is a value of the declared type."""
    kind = sql_type(stored)
    return kind is not None and (kind == declared or declared in WIDER_TYPES.get(kind, ()))


def is_copied_as(stored: str, declared: SqlType) -> bool:
    """Return whether a copy has a value of the declared type for every stored one: also the text of a UUID."""
    return is_type_compatible(stored, declared) or (is_uuid(stored) and declared is SqlType.VARCHAR)


def is_uuid(stored: str) -> bool:
    """Return whether a stored type is UUID, which only copies read, as text."""
    return stored.upper() == "UUID"


def uuid_cure(column: str, table: str | None) -> str:
    """Return the cure for a UUID column of a DuckDB table: the SQL that stores it as text."""
    text = f"CAST({quote_identifier(column)} AS VARCHAR) AS {quote_identifier(column)}"
    stored = quote_identifier(table) if table else "old_table"
    return f"store it as text: CREATE TABLE new_table AS SELECT * REPLACE ({text}) FROM {stored}"


def is_integer_range_within(declared: str, stored: str) -> bool:
    """Return whether a declared integer type includes all values of a stored one; True for other types.

    Claim: an objector is found among stored persons, because the value to compare has the declared type. Symbols: the
    ends of both types. Formula: the stored ones lie within the declared ones. Source:
    engine/data/proofs.md#declared-integers.
    Raises nothing.
    """
    outer, inner = (_INTEGER_RANGES.get(kind.upper()) for kind in (declared, stored))
    return outer is None or inner is None or (outer[0] <= inner[0] and inner[1] <= outer[1])


def typed_columns(source: Source, types: Mapping[str, str], row: str = "") -> str:
    """Write the columns of a source with their declared types; `row` is a prefix such as `t.`."""
    quoted = {quote_identifier(column): kind for column, kind in types.items()}
    return ", ".join(f"{typed_value(source, f'{row}{name}', kind)} AS {name}" for name, kind in quoted.items())


def typed_value(source: Source, expression: str, kind: str) -> str:
    """Write the cast of a stored value to the declared type; NULL if it has no value of this type.

    DuckDB pushes a bare TRY_CAST down to its CSV reader, where it raises (duckdb/duckdb issue 23818); no other
    expression is pushed down, and an empty text is a value of no type but VARCHAR.
    """
    if source.format == "csv" and sql_type(kind) is not SqlType.VARCHAR:
        expression = f"nullif({expression}, '')"
    return f"TRY_CAST({expression} AS {kind})"
