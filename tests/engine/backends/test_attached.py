"""Files that are attached: all of them, or nothing is left open."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from engine.backends.duckdb import DuckDBBackend
from engine.errors import DataError


def test_a_missing_file_raises_and_leaves_no_connection_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    connections = []
    real = duckdb.connect
    monkeypatch.setattr(duckdb, "connect", lambda **given: connections.append(real(**given)) or connections[-1])
    with pytest.raises(DataError, match="open this file") as failed:
        DuckDBBackend.open({"stored0": str(tmp_path / "gone.duckdb")}, {}, tmp_path / "scratch")
    assert failed.value.__cause__ is None
    assert list((tmp_path / "scratch").iterdir()) == []
    with pytest.raises(duckdb.ConnectionException, match="closed"):
        connections[0].execute("SELECT 1")
