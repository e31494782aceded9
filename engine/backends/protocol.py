"""The seam between a plan and whatever runs it: four methods, and where tables lie (`proofs.md#backends`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import pyarrow as pa

from dialect import BoundedSql, Target
from engine.backends.exact import NOBODY_OBJECTED, Exact


class Lake(Protocol):
    """Where people's rows lie, if not in DuckDB: something that runs SQL of its own engine."""

    def gather(self, text: str, rows: Mapping[str, pa.Table]) -> pa.Table:
        """Run SQL whose places in braces are the lake's tables and the rows that are handed; raises ExecutionFailed."""

    def stored(self) -> Mapping[str, object]:
        """Say of each table what it is stored in, as it was met first, in JSON's types; raises ExecutionFailed."""

    def types(self, table: str) -> Mapping[str, str]:
        """Give the columns of a table, in lower case, and what they are stored as; raises ExecutionFailed."""

    def is_stored(self, table: str) -> bool:
        """Tell whether a table's rows lie in files, and are not made when they are read; raises ExecutionFailed."""

    def tells_changes(self, table: str) -> bool:
        """Tell whether a table's files are others whenever its rows are; raises ExecutionFailed."""

    def try_persons(self, table: str) -> None:
        """Find how the persons of a table are read, before anybody asks; raises ExecutionFailed."""

    def close(self) -> None:
        """Let go of its sessions."""


class Empty(Protocol):
    """The same tables in DuckDB, without their rows: what SQL is bound against before anything is charged."""

    @property
    def target(self) -> Target:
        """Say where tables lie there."""

    def columns(self, sql: str, tables: Mapping[str, pa.Table]) -> pa.Table:
        """Bind SQL over these tables and some more; give its columns, without rows. Raises ExecutionFailed."""


class Backend(Protocol):
    """Opened data, of one version, whose types and keys were checked."""

    @property
    def target(self) -> Target:
        """Say where tables lie, and which engine is written for."""

    @property
    def empty(self) -> Empty:
        """Give the tables without their rows."""

    def run(
        self, bounded: BoundedSql, objected: pa.Table = NOBODY_OBJECTED, released_keys: pa.Table | None = None
    ) -> Exact:
        """Run bounded SQL without who has objected, within limits; raises ExecutionFailed, with constant text.

        `released_keys` are what the first pass of a release of private keys has released: columns k0, k1, ...
        """

    def public(self, sql: str) -> pa.Table:
        """Read public rows; the SQL is generated over public tables only. Raises ExecutionFailed."""

    def values(self, sql: str) -> tuple[object, ...]:
        """List the values of public rows of one column, NULL left out; raises ExecutionFailed."""

    def count(self, sql: str) -> int:
        """Count public rows; raises Refusal where that is too much: nothing is charged yet where it is counted."""

    def close(self) -> None:
        """Let go of the data, and of whatever still runs."""
