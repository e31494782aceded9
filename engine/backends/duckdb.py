"""DuckDB in process: runs bounded SQL on a read-only snapshot, locked down, within memory and time limits."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import duckdb
import pyarrow as pa

from dialect import BoundedSql, Target
from dialect.algebra import MAX_SMALLINT_ROWS, Rollup
from dialect.catalog import OPT_OUT_TABLE
from dialect.codegen import RELEASED_KEYS, read_eligible_from, with_shared_ctes, with_shared_from
from engine.backends.exact import NO_OBJECTIONS, Exact
from engine.backends.lockdown import (
    DeclaredColumn,
    EmptyTables,
    connect_to_memory,
    eligible_address,
    lock_down,
    run_on_cursor,
    run_statement,
)
from engine.backends.protocol import Run
from engine.backends.scratch import Scratch
from engine.errors import DataError, ExecutionFailed, TooLarge, refuse_before_charge

MAX_CACHED_COUNTS = 1_000  # cached counts: a server runs for months, and each query may bring a new text
MAX_CACHED_COLUMNS, MAX_CACHED_VALUES = 100, 10_000  # cached public columns, and values of each


@dataclass(frozen=True)
class Limits:
    """Resource limits: of all queries together, and the time of one statement."""

    memory: str = "4GB"  # of rows and intermediate results, in DuckDB's notation
    threads: int = 2
    seconds: int = 600  # of one statement
    temporary: str = "20GB"  # of disk, for what does not fit in memory


@dataclass
class DuckDBBackend:
    """DuckDB backend: one locked connection, with a cursor for every query."""

    target: Target
    _connection: duckdb.DuckDBPyConnection
    _scratch: Scratch
    _row_counts: dict[str, int] = field(default_factory=dict)  # SQL over public rows -> its row count
    _columns: dict[str, tuple[object, ...]] = field(default_factory=dict)  # SQL over one public column -> its values
    _public_lock: threading.Lock = field(default_factory=threading.Lock)  # held while reading the cache alone
    _eligible_tables: set[str] = field(default_factory=set)  # addresses of materialized tables of eligible people
    _eligible_lock: threading.Lock = field(default_factory=threading.Lock)  # held meanwhile: others wait
    _max_rows_per_person: dict[str, int] = field(default_factory=dict)  # SQL of the largest row count -> its result
    _max_rows_lock: threading.Lock = field(default_factory=threading.Lock)  # held while it is computed
    _empty: list[EmptyTables] = field(default_factory=list)  # at most one, created on first use
    _empty_lock: threading.Lock = field(default_factory=threading.Lock)  # held while it is computed

    @classmethod
    def open(
        cls,
        files: Mapping[str, str],
        addresses: Mapping[str, str],
        scratch: Path,
        limits: Limits | None = None,
        rollups: tuple[Rollup, ...] = (),
    ) -> DuckDBBackend:
        """Attach files read-only under their names, then forbid everything except reading them.

        What does not fit in memory is spilled into a folder of its own under `scratch`, which is removed when this is
        closed, or when the next is opened after this process was killed. Raises DataError for a file that can't be
        attached.
        """
        limits = limits or Limits()
        with ExitStack() as resources:
            spill_folder = resources.enter_context(closing(Scratch(scratch)))
            connection = resources.enter_context(
                connect_to_memory(
                    {
                        "memory_limit": limits.memory,
                        "threads": limits.threads,
                        "max_execution_time": limits.seconds * 1000,
                        "temp_directory": str(spill_folder.path),
                        "max_temp_directory_size": limits.temporary,
                    }
                )
            )
            for alias, path in files.items():
                _attach(connection, alias, path)
            connection.execute(f"CREATE TABLE {OPT_OUT_TABLE} (person VARCHAR)")  # NO_OBJECTIONS
            lock_down(connection)
            small_tables = frozenset(name for name, address in addresses.items() if _has_few_rows(connection, address))
            resources.pop_all()  # the backend closes them from here on
        return cls(Target(dict(addresses), rollups=rollups, small_tables=small_tables), connection, spill_folder)

    @property
    def empty(self) -> EmptyTables:
        """The attached tables without their rows, created on first use."""
        return self.empty_tables(self.target)

    def empty_tables(self, target: Target, more_columns: Iterable[DeclaredColumn] = ()) -> EmptyTables:
        """Return the attached tables and some more without their rows; the first result is cached."""
        with self._empty_lock:
            if not self._empty:
                with self._connection.cursor() as cursor:
                    self._empty.append(EmptyTables.copy_of(cursor, target, more_columns))
            return self._empty[0]

    def run(
        self, bounded: BoundedSql, objected: pa.Table = NO_OBJECTIONS, released_keys: pa.Table | None = None
    ) -> Exact:
        """Run bounded SQL without people who objected. Raises ExecutionFailed, with constant text, if anything fails.

        `released_keys` = keys that passed partition selection, the first pass of a release with private keys: columns
        k0, k1, ...
        """
        prepared = self._prepared(bounded)
        table = self._table(with_shared_ctes(prepared.text, prepared.shared), objected, released_keys)
        return Exact.from_table(table, bounded.key_count, bounded.vector_count)

    def _prepared(self, bounded: BoundedSql) -> BoundedSql:
        """Choose the text without truncation where no person exceeds its limits, and read materialized persons."""
        if bounded.untruncated_text and all(
            self.max_rows_per_person(max_rows_sql) <= limit for max_rows_sql, limit in bounded.untruncated_conditions
        ):
            bounded = replace(bounded, text=bounded.untruncated_text, shared=bounded.untruncated_shared)
        if bounded.eligible_sql:
            bounded = read_eligible_from(bounded, self.eligible_table(bounded.eligible_sql))
        return bounded

    @contextmanager
    def sharing(self) -> Iterator[Run]:
        """Run the statements of one release, whose shared partial aggregates are computed once.

        Claim: each result is that of `run`, and nothing remains afterwards. Symbols: a temporary table of one cursor,
        which counts towards the limits of memory and disk, and is dropped with it. Formula: none. Source:
        dialect/codegen/proofs.md#shared-partials. Raises ExecutionFailed while it runs.
        """
        with closing(self._connection.cursor()) as cursor:
            stored = list[tuple[str, pa.Table, pa.Table | None]]()  # SQL and given tables of each temporary table

            def run(
                bounded: BoundedSql, objected: pa.Table = NO_OBJECTIONS, released_keys: pa.Table | None = None
            ) -> Exact:
                """Run bounded SQL over the shared partials."""
                tables = _given_tables(objected, released_keys)

                def table_of(sql: str) -> str:
                    """Name of the temporary table with the result of a shared subquery."""
                    made = (sql, objected, released_keys)
                    if made not in stored:
                        create = f"CREATE TEMPORARY TABLE temp.main.shared{len(stored)} AS {sql}"
                        run_on_cursor(cursor, create, tables)
                        stored.append(made)
                    return f"temp.main.shared{stored.index(made)}"

                prepared = self._prepared(bounded)
                text = with_shared_from(prepared.text, prepared.shared, table_of)
                return Exact.from_table(run_on_cursor(cursor, text, tables), bounded.key_count, bounded.vector_count)

            yield run

    def eligible_table(self, eligible_sql: str) -> str:
        """Name of the table of eligible people, materialized once per open snapshot. Raises ExecutionFailed.

        Claim: it has the rows of its SQL whenever it is read. Symbols: SQL over stored rows alone. Formula: none.
        Source: proofs.md#kept-persons.
        """
        address = eligible_address(eligible_sql)
        database = address.partition(".")[0]  # of its own: other transactions can't stop compression
        with self._eligible_lock:
            if address not in self._eligible_tables:
                self.run_over(f"ATTACH IF NOT EXISTS ':memory:' AS {database} (COMPRESS)", {})
                self.run_over(f"CREATE OR REPLACE TABLE {address} AS {eligible_sql}", {})
                with suppress(ExecutionFailed):
                    self.run_over(f"CHECKPOINT {database}", {})
                self._eligible_tables.add(address)
        return address

    def max_rows_per_person(self, max_rows_sql: str) -> int:
        """Largest number of rows of one person in a table, counted once per open snapshot.

        Claim: it is the result of its SQL whenever it is called. Symbols: SQL over stored rows alone. Formula: none.
        Source: dialect/codegen/proofs.md#uncut; raises ExecutionFailed.
        """
        with self._max_rows_lock:
            if max_rows_sql not in self._max_rows_per_person:
                self._max_rows_per_person[max_rows_sql] = self._table(max_rows_sql).column("n")[0].as_py() or 0
            return self._max_rows_per_person[max_rows_sql]

    def public(self, sql: str) -> pa.Table:
        """Read public rows; the SQL is generated over public tables only. Raises ExecutionFailed."""
        return self._table(sql)

    def values(self, sql: str) -> tuple[object, ...]:
        """List the non-NULL values of public rows of one column; short lists are cached. Raises ExecutionFailed."""
        with self._public_lock:
            column_values = self._columns.get(sql)
        if column_values is None:
            column_values = tuple(value for value in self._table(sql).column(0).to_pylist() if value is not None)
            with self._public_lock:
                if len(column_values) <= MAX_CACHED_VALUES and len(self._columns) < MAX_CACHED_COLUMNS:
                    self._columns[sql] = column_values
        return column_values

    def run_over(self, sql: str, tables: Mapping[str, pa.Table]) -> pa.Table:
        """Run generated SQL over open tables, private ones too, and over tables of this call alone.

        Private tables are only read by bounded SQL. Raises ExecutionFailed, with constant text.
        """
        parsed = self._empty[0].parsed(sql) if self._empty else None
        return run_statement(self._connection, sql, tables, parsed)

    def count(self, sql: str) -> int:
        """Count public rows, cached by SQL: public tables do not change under an open snapshot.

        Raises Refusal where the count is too expensive: nothing is charged yet.
        """
        with self._public_lock:
            row_count = self._row_counts.get(sql)
        if row_count is None:
            with refuse_before_charge(TooLarge.PUBLIC_LISTS):
                row_count = int(self._table(f"SELECT count(*) AS n FROM ({sql}) AS t").column("n")[0].as_py())
            with self._public_lock:
                self._row_counts[sql] = row_count
                if len(self._row_counts) > MAX_CACHED_COUNTS:
                    del self._row_counts[next(iter(self._row_counts))]  # the oldest entry
        return row_count

    def close(self) -> None:
        """Close the connection and remove spilled files."""
        self._connection.close()
        for empty in self._empty:
            empty.close()
        self._scratch.close()

    def _table(self, sql: str, objected: pa.Table | None = None, released_keys: pa.Table | None = None) -> pa.Table:
        return self.run_over(sql, _given_tables(objected, released_keys))


def _given_tables(objected: pa.Table | None, released_keys: pa.Table | None) -> dict[str, pa.Table]:
    """Name the tables that a statement is given; where nobody has objected, it reads the empty table of the database.

    A given table takes the place of that one, which registering an empty one would do for half a millisecond.
    """
    tables = {RELEASED_KEYS: released_keys}
    if objected is not None and objected.num_rows:
        tables[OPT_OUT_TABLE] = objected
    return {name: table for name, table in tables.items() if table is not None}


def _attach(connection: duckdb.DuckDBPyConnection, alias: str, path: str) -> None:
    try:
        connection.execute(f"ATTACH ? AS {alias} (READ_ONLY)", [path])
    except duckdb.Error:
        cure = "see that it is there, readable and of this machine's DuckDB; what was copied is copied anew without it"
        raise DataError(path, "DuckDB can't open this file.", cure) from None


def _has_few_rows(connection: duckdb.DuckDBPyConnection, address: str) -> bool:
    """Check whether a table has at most MAX_SMALLINT_ROWS rows; an unreadable one counts as large."""
    first = f"SELECT count(*) FROM (SELECT 1 FROM {address} LIMIT {MAX_SMALLINT_ROWS + 1}) AS t"
    with suppress(duckdb.Error):
        return bool(connection.execute(first).fetchall()[0][0] <= MAX_SMALLINT_ROWS)
    return False
