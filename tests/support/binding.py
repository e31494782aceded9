"""Backends for tests of binding: one that can't bind a planted word, and a lake that is only bound."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from unittest.mock import Mock

import pyarrow as pa

from dialect import Target
from engine.backends.lake import LakeBackend
from engine.backends.lockdown import declared_columns
from engine.data.checks.lake import lake_target
from engine.errors import ExecutionFailed
from engine.pipeline.engine import Engine


class Unplannable:
    """A backend whose empty tables refuse what names a word."""

    def __init__(self, backend: Any, word: str) -> None:
        self._backend, self._word = backend, word
        empty = backend.empty
        self.empty = Mock(target=empty.target, columns=self._columns, eligible_table=empty.eligible_table)

    def _columns(self, sql: str, tables: dict[str, pa.Table]) -> pa.Table:
        if self._word in sql:
            raise ExecutionFailed("BinderException")
        return self._backend.empty.columns(sql, tables)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)


class _Unasked:
    """A lake that fails whoever asks it anything."""

    def __getattr__(self, name: str) -> object:
        raise AssertionError(name)


def over_lake(engine: Engine) -> LakeBackend:
    """Backend of an engine's catalog as if people's rows were in a lake, which must not be asked."""
    catalog, opened = engine.catalog, engine.backend
    public = {table.name: opened.target.addresses[table.name] for table in catalog.tables if not table.private}
    private = declared_columns(table for table in catalog.tables if table.private)
    beside = replace(opened, target=Target(public), _empty=[])  # type: ignore[type-var]
    return LakeBackend(lake_target(catalog, public), beside, _Unasked(), private)  # type: ignore[arg-type]
