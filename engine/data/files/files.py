"""A steward's files: their names and types, and yes-or-no questions about them; no value comes out."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Self

import duckdb

from dialect.catalog import Source, SqlType
from dialect.functions import name, quote_text
from engine.catalog.columns import sql_type
from engine.data.files.csv import UnreadableError, read_csv, read_guessed

OFFLINE: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
}


def offline(file: str = ":memory:", **settings: str | bool | float | list[str]) -> duckdb.DuckDBPyConnection:
    """Open a DuckDB that fetches nothing, and in which a time without an offset is UTC's wherever it runs."""
    connection = duckdb.connect(file, config={**OFFLINE, **settings})
    connection.execute("SET GLOBAL TimeZone = 'UTC'")
    return connection


# stored type -> declared types that hold all its values
WIDER = {SqlType.BIGINT: (SqlType.DOUBLE,), SqlType.DATE: (SqlType.TIMESTAMP,)}

_BITS = {"TINYINT": 8, "SMALLINT": 16, "INTEGER": 32, "INT": 32, "BIGINT": 64}
_ENDS = {name: (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) for name, bits in _BITS.items()}
_ENDS |= {f"U{name}": (0, 2**bits - 1) for name, bits in _BITS.items() if name != "INT"}


class StoredFiles:
    """An empty DuckDB that reads files and writes none."""

    def __init__(self) -> None:
        self._connection = offline()
        self._attached: dict[str, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def columns(self, source: Source, *, guessed: bool = False) -> dict[str, str]:
        """Give the name and type of each column; those of a CSV file are text, or guessed from its first lines.

        Raises UnreadableError.
        """
        try:
            rows = read_guessed(source.path) if guessed and source.format == "csv" else self._rows(source)
            cursor = self._connection.execute(f"SELECT * FROM {rows} LIMIT 0")
        except duckdb.Error:
            raise UnreadableError from None
        return {column: str(kind) for column, kind, *_ in cursor.description or ()}

    def tables(self, path: str) -> tuple[str, ...]:
        """Give the names of the tables in a DuckDB file; its views are not opened; raises UnreadableError."""
        select = "SELECT table_name FROM duckdb_tables() WHERE database_name = ? AND schema_name = 'main'"
        try:
            found = self._connection.execute(f"{select} ORDER BY 1", [self._attach(path)]).fetchall()
        except duckdb.Error:
            raise UnreadableError from None
        return tuple(table for (table,) in found)

    def has_header(self, path: str) -> bool:
        """Tell whether the first line of a CSV file reads like names and not like values; raises UnreadableError."""
        try:
            found = self._connection.execute("SELECT HasHeader FROM sniff_csv(?)", [path]).fetchall()
        except duckdb.Error:
            raise UnreadableError from None
        return bool(found[0][0])

    def relation(self, source: Source, types: dict[str, str]) -> str:
        """Write SQL for the rows of a source with the declared types; a value of another type is NULL."""
        casts = ", ".join(f"{cast(source, name(column), kind)} AS {name(column)}" for column, kind in types.items())
        return f"(SELECT {casts} FROM {self._rows(source)})"

    def raw(self, source: Source) -> str:
        """Write SQL for the rows of a source as they are stored; those of a CSV file are text."""
        return f"(SELECT * FROM {self._rows(source)})"

    def any_row(self, select: str) -> bool:
        """Tell whether a SELECT gives any row; raises UnreadableError."""
        try:
            return bool(self._connection.execute(f"SELECT 1 FROM ({select}) LIMIT 1").fetchall())
        except duckdb.Error:
            raise UnreadableError from None

    def count(self, select: str) -> int:
        """Count the rows of a SELECT; raises UnreadableError."""
        try:
            return int(self._connection.execute(f"SELECT count(*) FROM ({select})").fetchall()[0][0])
        except duckdb.Error:
            raise UnreadableError from None

    def every(self, select: str, holds: Callable[[str], bool]) -> bool:
        """Tell whether something holds for every different text that a SELECT gives; raises UnreadableError."""
        try:
            found = self._connection.execute(f"SELECT DISTINCT * FROM ({select})").fetchall()
        except duckdb.Error:
            raise UnreadableError from None
        return all(holds(text) for (text,) in found if text is not None)

    def _rows(self, source: Source) -> str:
        """Write the table function or the table that reads a source."""
        if source.format == "duckdb":
            return f"{self._attach(source.path)}.main.{name(source.table or '')}"
        return read_files(source)

    def _attach(self, path: str) -> str:
        """Attach a DuckDB file once, read-only, and give its name."""
        if path not in self._attached:
            alias = f"file_{len(self._attached)}"
            self._connection.execute(f"ATTACH ? AS {alias} (READ_ONLY)", [path])
            self._attached[path] = alias
        return self._attached[path]


def read_files(source: Source) -> str:
    """Write the table function that reads files; the values of CSV files are left as they stand there.

    Raises UnreadableError.
    """
    return read_csv(source.path) if source.format == "csv" else f"read_parquet({quote_text(source.path)})"


def fits(stored: str, declared: SqlType) -> bool:
    """Tell whether every value of a stored type is one of the declared type."""
    kind = sql_type(stored)
    return kind is not None and (kind == declared or declared in WIDER.get(kind, ()))


def holds(declared: str, stored: str) -> bool:
    """Tell whether every integer of a stored type is one of the declared type; of what is no integer, always.

    Claim: who objects is found among stored persons, as what is compared with them has the declared type. Symbols: the
    ends of both types. Formula: the stored ones lie within the declared ones. Source:
    engine/data/proofs.md#declared-integers.
    Raises nothing.
    """
    outer, inner = (_ENDS.get(kind.upper()) for kind in (declared, stored))
    return outer is None or inner is None or (outer[0] <= inner[0] and inner[1] <= outer[1])


def cast(source: Source, written: str, kind: str) -> str:
    """Write a stored value as the declared type; one that is of no such type is NULL.

    DuckDB hands a bare TRY_CAST down to its CSV reader, where it raises (duckdb/duckdb issue 23818); nothing else is
    handed down, and an empty text is of no type but VARCHAR.
    """
    if source.format == "csv" and sql_type(kind) is not SqlType.VARCHAR:
        written = f"nullif({written}, '')"
    return f"TRY_CAST({written} AS {kind})"
