"""Lake backend: private rows are aggregated in the lake, public tables and the final order are in DuckDB.

Materialized rollups of the lake are stored in DuckDB too, and read there.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import pyarrow as pa

from dialect import BoundedSql, Target
from dialect.catalog import OPT_OUT_TABLE
from dialect.codegen import LAKE_RESULT, RELEASED_KEYS
from engine.backends.duckdb import DuckDBBackend
from engine.backends.exact import NO_OBJECTIONS, Exact
from engine.backends.lockdown import DeclaredColumn, EmptyTables, declared_address
from engine.backends.protocol import Lake, Run


@dataclass(frozen=True)
class LakeBackend:
    """Lake, with a DuckDB of the public tables that are joined to its rows."""

    target: Target
    duckdb: DuckDBBackend
    lake: Lake
    private_columns: tuple[DeclaredColumn, ...] = ()  # columns of private tables, as the catalog declares them

    @property
    def empty(self) -> EmptyTables:
        """Empty copies, in DuckDB, of the public tables and of the declared private ones.

        A cluster can't bind SQL for free: the same plan's DuckDB form is bound instead.
        """
        private_addresses = {table: declared_address(table) for *_, table, _, _ in self.private_columns}
        return self.duckdb.empty_tables(
            Target({**self.duckdb.target.addresses, **private_addresses}), self.private_columns
        )

    def run(
        self, bounded: BoundedSql, objected: pa.Table = NO_OBJECTIONS, released_keys: pa.Table | None = None
    ) -> Exact:
        """Send the lake its SQL with public rows and objections, and sort its groups in the public order."""
        if not bounded.ordering_sql:  # it reads a materialized rollup, which is in DuckDB
            return self.duckdb.run(bounded, objected, released_keys)
        tables = {OPT_OUT_TABLE: objected} | ({} if released_keys is None else {RELEASED_KEYS: released_keys})
        rows = {name: self.duckdb.run_over(sql, tables) for name, sql in bounded.broadcast.items()}
        gathered = self.lake.gather(bounded.text, rows)
        ordered = self.duckdb.run_over(bounded.ordering_sql, {**tables, LAKE_RESULT: gathered})
        return Exact.from_table(ordered, bounded.key_count, bounded.vector_count)

    def sharing(self) -> AbstractContextManager[Run]:
        """Run each statement on its own: a lake keeps nothing between them."""
        return nullcontext(self.run)

    def public(self, sql: str) -> pa.Table:
        """Read public rows; raises ExecutionFailed."""
        return self.duckdb.public(sql)

    def values(self, sql: str) -> tuple[object, ...]:
        """List the values of public rows of one column; raises ExecutionFailed."""
        return self.duckdb.values(sql)

    def count(self, sql: str) -> int:
        """Count public rows. Raises Refusal where that is too expensive."""
        return self.duckdb.count(sql)

    def close(self) -> None:
        """Close the lake and DuckDB."""
        self.lake.close()
        self.duckdb.close()
