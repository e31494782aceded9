"""Backend protocol: how the engine runs bounded SQL and reads public rows (`proofs.md#backends`)."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Protocol

import pyarrow as pa

from dialect import BoundedSql, Target
from engine.backends.exact import NO_OBJECTIONS, Exact


class Run(Protocol):
    """Runs bounded SQL, as `Backend.run` does."""

    def __call__(
        self, bounded: BoundedSql, objected: pa.Table = NO_OBJECTIONS, released_keys: pa.Table | None = None
    ) -> Exact:
        """Run bounded SQL. Raises ExecutionFailed, with constant text."""


class Lake(Protocol):
    """Cluster that stores private rows outside DuckDB and runs SQL of its own engine."""

    def gather(self, text: str, rows: Mapping[str, pa.Table]) -> pa.Table:
        """Run SQL with placeholders for the lake's tables and for the rows sent along. Raises ExecutionFailed."""

    def storage_fingerprints(self) -> Mapping[str, object]:
        """Fingerprint of each table's storage when it was first opened, in JSON types. Raises ExecutionFailed."""

    def stored_types(self, table: str) -> Mapping[str, str]:
        """Return the stored type of each column of a table, by lower-case name. Raises ExecutionFailed."""

    def is_stored_table(self, table: str) -> bool:
        """Check that a table's rows are stored in files, and not computed by a view. Raises ExecutionFailed."""

    def files_reflect_changes(self, table: str) -> bool:
        """Check that a table's file list changes whenever its rows do. Raises ExecutionFailed."""

    def detect_person_types(self, table: str) -> None:
        """Determine how the person keys of a table are read, before the first query. Raises ExecutionFailed."""

    def close(self) -> None:
        """Close its sessions."""


class Empty(Protocol):
    """Empty copies of the tables in DuckDB, against which SQL is bound before a charge."""

    @property
    def target(self) -> Target:
        """Addresses of the empty tables."""

    def columns(self, sql: str, tables: Mapping[str, pa.Table]) -> pa.Table:
        """Bind SQL over these tables and some more, and return its columns without rows. Raises ExecutionFailed."""

    def eligible_table(self, eligible_sql: str) -> str:
        """Address of the eligible people, as `run` reads them from a table. Raises ExecutionFailed."""


class Backend(Protocol):
    """Open data of one version, with checked types and keys."""

    @property
    def target(self) -> Target:
        """Addresses of the tables, and the engine to generate SQL for."""

    @property
    def empty(self) -> Empty:
        """Empty copies of the tables."""

    def run(
        self, bounded: BoundedSql, objected: pa.Table = NO_OBJECTIONS, released_keys: pa.Table | None = None
    ) -> Exact:
        """Run bounded SQL without people who objected, within limits. Raises ExecutionFailed, with constant text.

        `released_keys` = keys that passed partition selection, the first pass of a release with private keys: columns
        k0, k1, ...
        """

    def sharing(self) -> AbstractContextManager[Run]:
        """Context in which statements with the same shared partial aggregates may compute them once."""

    def public(self, sql: str) -> pa.Table:
        """Read public rows; the SQL is generated over public tables only. Raises ExecutionFailed."""

    def values(self, sql: str) -> tuple[object, ...]:
        """List the non-NULL values of public rows of one column. Raises ExecutionFailed."""

    def count(self, sql: str) -> int:
        """Count public rows. Raises Refusal where that is too expensive: nothing is charged yet."""

    def close(self) -> None:
        """Close the data, cancelling running statements."""
