"""Lake backend: private rows are aggregated in the lake, public tables and the final order are in DuckDB.

Materialized rollups of the lake are stored in DuckDB too, and read there.
"""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from dialect import BoundedSql, Target
from dialect.catalog import OBJECTED
from dialect.codegen import GATHERED, RELEASED_KEYS
from engine.backends.duckdb import DuckDBBackend
from engine.backends.empty_tables import Column, EmptyTables, address_of
from engine.backends.exact import NOBODY_OBJECTED, Exact
from engine.backends.protocol import Lake


@dataclass(frozen=True)
class LakeBackend:
    """Lake, with a DuckDB of the public tables that are joined to its rows."""

    target: Target
    beside: DuckDBBackend
    lake: Lake
    declared: tuple[Column, ...] = ()  # columns of private tables, as the catalog declares them

    @property
    def empty(self) -> EmptyTables:
        """Empty copies, in DuckDB, of the public tables and of the declared private ones.

        A cluster can't bind SQL for free: the same plan's DuckDB form is bound instead.
        """
        of_people = {table: address_of(table) for *_, table, _, _ in self.declared}
        return self.beside.emptied(Target({**self.beside.target.addresses, **of_people}), self.declared)

    def run(
        self, bounded: BoundedSql, objected: pa.Table = NOBODY_OBJECTED, released_keys: pa.Table | None = None
    ) -> Exact:
        """Send the lake its SQL with public rows and objections, and sort its groups in the public order."""
        if not bounded.in_order:  # it reads a materialized rollup, which is in DuckDB
            return self.beside.run(bounded, objected, released_keys)
        given = {OBJECTED: objected} | ({} if released_keys is None else {RELEASED_KEYS: released_keys})
        rows = {name: self.beside.over(sql, given) for name, sql in bounded.handed.items()}
        gathered = self.lake.gather(bounded.text, rows)
        ordered = self.beside.over(bounded.in_order, {**given, GATHERED: gathered})
        return Exact.of(ordered, bounded.keys, bounded.vectors)

    def public(self, sql: str) -> pa.Table:
        """Read public rows; raises ExecutionFailed."""
        return self.beside.public(sql)

    def values(self, sql: str) -> tuple[object, ...]:
        """List the values of public rows of one column; raises ExecutionFailed."""
        return self.beside.values(sql)

    def count(self, sql: str) -> int:
        """Count public rows. Raises Refusal where that is too expensive."""
        return self.beside.count(sql)

    def close(self) -> None:
        """Close the lake and DuckDB."""
        self.lake.close()
        self.beside.close()
