"""The outer query runs in a database without private data or external access."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from dialect.codegen.outer_query import OuterSql
from engine.backends import sandbox as module
from engine.backends.sandbox import outer
from engine.errors import ExecutionFailed
from engine.pipeline import finish as finishing
from engine.pipeline.engine import Engine
from engine.pricing.terms import Asked

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


def test_a_view_of_one_question_hides_nothing_from_the_next() -> None:
    assert outer("SELECT n FROM t", {"t": pa.table({"n": [1]})}).to_pylist() == [{"n": 1}]
    assert outer("SELECT n FROM t", {"t": pa.table({"n": [2]})}).to_pylist() == [{"n": 2}]


@pytest.mark.parametrize(
    ("asked", "is_run"),
    [
        ("zone, count(*) AS n, avg(minutes) AS a, count(*) AS again", False),
        ("count(*) AS n, zone, sum(minutes) AS m", False),
        ("zone, count(*) + 1 AS n", True),
    ],
)
def test_rows_that_are_shown_as_released_are_those_of_the_sql(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, asked: str, is_run: bool
) -> None:
    rows, seen = finishing._rows, list[bool]()

    def both(sql: OuterSql, tables: dict[str, pa.Table]) -> pa.Table:
        seen.append(sql.as_released is None)
        assert rows(sql, tables).equals(outer(sql.text, tables))
        return rows(sql, tables)

    monkeypatch.setattr(finishing, "_rows", both)
    engine.answer(f"SELECT {asked} FROM visit GROUP BY zone", Asked("ann"))
    assert seen == [is_run]


@pytest.fixture
def closed() -> Iterator[Callable[[], None]]:
    """Close what is open, and once more at the end."""

    def close() -> None:
        while not module._idle.empty():
            module._idle.get().close()

    close()
    yield close
    close()


def test_a_database_is_opened_once_for_many_questions(
    closed: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[object] = []
    monkeypatch.setattr(module, "_open", partial(_counted, opened, module._open))
    for _ in range(3):
        outer("SELECT 1", {})
    assert len(opened) == module._idle.qsize() == 1


def test_one_question_at_a_time_has_a_database(closed: Callable[[], None]) -> None:
    with ThreadPoolExecutor(12) as pool:
        slow = 'SELECT sum(i) AS n FROM range(300000) AS t(i) WHERE i % 3 = (SELECT n FROM "release 0" LIMIT 1)'
        found = list(pool.map(lambda n: outer(slow, {"release 0": pa.table({"n": [n % 3]})}), range(60)))
    assert [table.column("n")[0].as_py() for table in found] == [sum(range(n % 3, 300_000, 3)) for n in range(60)]
    assert 1 <= module._idle.qsize() <= module._MOST_IDLE


def test_a_database_in_which_something_failed_is_used_no_more(
    closed: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[object] = []
    monkeypatch.setattr(module, "_open", partial(_counted, opened, module._open))
    for _ in range(2):
        with pytest.raises(ExecutionFailed):
            outer("SELECT error('x')", {})
    assert len(opened) == 2 and module._idle.empty()


def _counted(opened: list[object], opens: Callable[[], duckdb.DuckDBPyConnection]) -> duckdb.DuckDBPyConnection:
    opened.append(None)
    return opens()


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


def test_nothing_is_spilled_to_disk(closed: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(module._CONFIG, "memory_limit", "20MB")
    with pytest.raises(ExecutionFailed):
        outer("SELECT DISTINCT i, hash(i), hash(i + 1) FROM range(3000000) AS t(i)", {})
    assert not Path(".tmp").exists()


@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Tokyo"])
def test_the_machine_has_no_time_zone(zone: str, closed: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        assert outer("SELECT current_setting('TimeZone') AS zone", {}).to_pylist() == [{"zone": "UTC"}]
    finally:
        monkeypatch.undo()
        time.tzset()


def test_no_word_of_duckdb_comes_out() -> None:
    with pytest.raises(ExecutionFailed) as failed:
        outer('SELECT CAST(k AS INTEGER) FROM "release 0"', TABLES)
    assert (failed.value.__cause__, failed.value.__context__) == (None, None)
    assert str(failed.value) == str(ExecutionFailed())
