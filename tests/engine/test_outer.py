"""The rest of a question runs where nothing private is, and nothing can be fetched from."""

from __future__ import annotations

import time
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from engine import outer as module
from engine.errors import ExecutionFailed
from engine.outer import outer
from engine.pipeline import Asked, Engine

TABLES = {"release 0": pa.table({"k": ["a", "b"], "n": [3, 4]}), "zone": pa.table({"zone": ["a"]})}


def test_releases_and_public_tables_are_all_there_is() -> None:
    listed = 'SELECT table_name FROM duckdb_tables() UNION SELECT view_name FROM duckdb_views() WHERE NOT "internal"'
    assert set(outer(listed, TABLES).column(0).to_pylist()) == set(TABLES)
    assert outer("SELECT count(*) AS n FROM duckdb_databases() WHERE NOT internal", TABLES).to_pylist() == [{"n": 1}]


@pytest.mark.parametrize("table", ["visit", "stored0.main.visit", "main.visit", '"release 1"'])
def test_no_private_table_can_be_reached(engine: Engine, table: str) -> None:
    engine.answer("SELECT zone, COUNT(*) AS n FROM visit GROUP BY zone", Asked("ann"))
    with pytest.raises(ExecutionFailed):
        outer(f"SELECT * FROM {table}", TABLES)


def test_what_one_question_saw_the_next_does_not() -> None:
    assert outer('SELECT sum(n) AS n FROM "release 0"', TABLES).to_pylist() == [{"n": 7}]
    for _ in range(4):
        with pytest.raises(ExecutionFailed):
            outer('SELECT * FROM "release 0"', {})


def test_empty_databases_are_opened_beforehand() -> None:
    outer("SELECT 1", {})
    assert are_opened()


def are_opened() -> bool:
    """Wait until as many empty databases are open as are kept."""
    deadline = time.monotonic() + 5
    while module._spare.qsize() < module._SPARE and time.monotonic() < deadline:
        time.sleep(0.01)
    return module._spare.qsize() >= module._SPARE


def close_spare() -> None:
    while not module._spare.empty():
        module._spare.get().close()


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM read_csv('{folder}/secret.csv')",
        "SELECT * FROM '{folder}/secret.csv'",
        "SELECT * FROM read_text('{folder}/secret.csv')",
        "SELECT * FROM read_blob('{folder}/town.duckdb')",
        "SELECT * FROM glob('{folder}/*')",
        "ATTACH '{folder}/town.duckdb' AS town (READ_ONLY)",
        "COPY (SELECT 1) TO '{folder}/out.csv'",
        "EXPORT DATABASE '{folder}/out'",
        "INSTALL spatial",
        "LOAD spatial",
        "SET enable_external_access = true",
        "SET lock_configuration = false",
        "SET memory_limit = '100GB'",
        "SET threads = 64",
        "SET temp_directory = '{folder}'",
        "SELECT * FROM secret",  # a Python variable of this name is in scope
    ],
)
def test_the_outer_database_is_locked(tmp_path: Path, statement: str) -> None:
    secret = pa.table({"a": [1]})
    (tmp_path / "secret.csv").write_text("a\n1\n")
    duckdb.connect(str(tmp_path / "town.duckdb")).close()
    with pytest.raises(ExecutionFailed) as failed:
        outer(statement.format(folder=tmp_path), {"own": secret})
    assert str(failed.value) == str(ExecutionFailed())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["secret.csv", "town.duckdb"]


def test_nothing_is_spilled_to_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(module._CONFIG, "memory_limit", "20MB")
    assert are_opened()
    close_spare()
    with pytest.raises(ExecutionFailed):
        outer("SELECT DISTINCT i, hash(i), hash(i + 1) FROM range(3000000) AS t(i)", {})
    assert not Path(".tmp").exists()
    assert are_opened()
    close_spare()  # theirs is the small memory


def test_no_word_of_duckdb_comes_out() -> None:
    with pytest.raises(ExecutionFailed) as failed:
        outer('SELECT CAST(k AS INTEGER) FROM "release 0"', TABLES)
    assert (failed.value.__cause__, failed.value.__context__) == (None, None)
    assert str(failed.value) == str(ExecutionFailed())
