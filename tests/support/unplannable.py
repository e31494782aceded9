"""A backend that can't bind SQL with a planted word, as an engine would that has no such function."""

from __future__ import annotations

from typing import Any
from unittest.mock import Mock

import pyarrow as pa

from engine.errors import ExecutionFailed


class Unplannable:
    """A backend whose empty tables refuse what names a word."""

    def __init__(self, backend: Any, word: str) -> None:
        self._backend, self._word = backend, word
        self.empty = Mock(target=backend.empty.target, columns=self._columns)

    def _columns(self, sql: str, tables: dict[str, pa.Table]) -> pa.Table:
        if self._word in sql:
            raise ExecutionFailed("BinderException")
        return self._backend.empty.columns(sql, tables)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)
