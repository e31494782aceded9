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

from dialect.algebra import Field, Literal, Ref, ReleaseScan
from dialect.algebra.relations import Released
from dialect.catalog.model import SqlType
from dialect.codegen import outer_query
from dialect.codegen.outer_query import OuterSql, UnchangedRelease
from dialect.functions.emitter import write_expr
from dialect.functions.registry import double_call
from engine.backends import lockdown as module
from engine.backends.lockdown import connect_to_memory, run_outer
from engine.errors import ExecutionFailed
from engine.pipeline import post_process as post_process_module
from engine.pipeline.engine import Engine
from engine.pricing.query_terms import Request

TABLES = {"release 0": pa.table({"k": ["a", "b"], "n": [3, 4]}), "zone": pa.table({"zone": ["a"]})}


def test_the_outer_database_has_releases_and_public_tables_alone() -> None:
    listed = 'SELECT table_name FROM duckdb_tables() UNION SELECT view_name FROM duckdb_views() WHERE NOT "internal"'
    named = f"{listed} -- {', '.join(TABLES)}"
    assert set(run_outer(named, TABLES).column(0).to_pylist()) == set(TABLES)
    assert not run_outer(listed, TABLES).num_rows  # what a statement does not name is not there for it
    assert run_outer("SELECT count(*) AS n FROM duckdb_databases() WHERE NOT internal", TABLES).to_pylist() == [
        {"n": 1}
    ]


@pytest.mark.parametrize("table", ["visit", "stored0.main.visit", "main.visit", '"release 1"'])
def test_no_private_table_can_be_reached(engine: Engine, table: str) -> None:
    engine.answer("SELECT zone, COUNT(*) AS n FROM visit GROUP BY zone", Request("ann"))
    with pytest.raises(ExecutionFailed):
        run_outer(f"SELECT * FROM {table}", TABLES)


def test_releases_of_one_query_are_invisible_to_the_next() -> None:
    assert run_outer('SELECT sum(n) AS n FROM "release 0"', TABLES).to_pylist() == [{"n": 7}]
    for _ in range(4):
        with pytest.raises(ExecutionFailed):
            run_outer('SELECT * FROM "release 0"', {})


def test_a_view_of_one_query_shadows_nothing_in_the_next() -> None:
    assert run_outer("SELECT n FROM t", {"t": pa.table({"n": [1]})}).to_pylist() == [{"n": 1}]
    assert run_outer("SELECT n FROM t", {"t": pa.table({"n": [2]})}).to_pylist() == [{"n": 2}]


def as_sql(unchanged: UnchangedRelease) -> str:
    """Write what an outer query shows of a release as the SQL that it stands for."""
    columns = ", ".join(f"{write_expr(expr)} AS {name}" for name, expr in unchanged.columns)
    return f'SELECT {columns} FROM "{unchanged.table}"'


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
    rows, seen = post_process_module._run_outer, list[bool]()

    def both(sql: OuterSql, tables: dict[str, pa.Table]) -> pa.Table:
        seen.append(sql.unchanged_release is None)
        text = sql.text if sql.unchanged_release is None else as_sql(sql.unchanged_release)
        assert rows(sql, tables).equals(run_outer(text, tables))
        return rows(sql, tables)

    monkeypatch.setattr(post_process_module, "_run_outer", both)
    engine.answer(f"SELECT {asked} FROM visit GROUP BY zone", Request("ann"))
    assert seen == [is_run]


def test_variances_of_corrected_numbers_are_computed_as_the_sql_does() -> None:
    field = Field("n", None, SqlType.DOUBLE)
    share = double_call("*", Literal(0.1, SqlType.DOUBLE), double_call("abs", Ref(field)))
    floor = double_call("*", Literal(7.0, SqlType.DOUBLE), double_call("abs", Literal(-1.0, SqlType.DOUBLE)))
    size = double_call("+", share, floor)
    columns = [("s0", Ref(field)), ("v", double_call("+", Literal(3.0, SqlType.DOUBLE), double_call("*", size, size)))]
    released = Released(ReleaseScan(0, (field,)), (field,))
    table = pa.table({"n": [-3.7, 0.0, 1e9 / 3, None]})
    for written, is_run in ((columns, False), ([*columns, ("r", double_call("/", size, size))], True)):
        unchanged = outer_query._unchanged_release(released, written)
        assert (unchanged is None) == is_run
        if unchanged is None:
            continue
        sql, tables = OuterSql("", (), (), (), {}, unchanged_release=unchanged), {"release 0": table}
        assert post_process_module._run_outer(sql, tables).equals(run_outer(as_sql(unchanged), tables))


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
    monkeypatch.setattr(module, "connect_to_memory", partial(_counted, opened, connect_to_memory))
    for _ in range(3):
        run_outer("SELECT 1", {})
    assert len(opened) == module._idle.qsize() == 1


def test_one_question_at_a_time_has_a_database(closed: Callable[[], None]) -> None:
    with ThreadPoolExecutor(12) as pool:
        slow = 'SELECT sum(i) AS n FROM range(300000) AS t(i) WHERE i % 3 = (SELECT n FROM "release 0" LIMIT 1)'
        found = list(pool.map(lambda n: run_outer(slow, {"release 0": pa.table({"n": [n % 3]})}), range(60)))
    assert [table.column("n")[0].as_py() for table in found] == [sum(range(n % 3, 300_000, 3)) for n in range(60)]
    assert 1 <= module._idle.qsize() <= module._MOST_IDLE


def test_a_database_is_discarded_after_a_failure(closed: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[object] = []
    monkeypatch.setattr(module, "connect_to_memory", partial(_counted, opened, connect_to_memory))
    for _ in range(2):
        with pytest.raises(ExecutionFailed):
            run_outer("SELECT error('x')", {})
    assert len(opened) == 2 and module._idle.empty()


def _counted(opened: list[object], opens: Callable[..., duckdb.DuckDBPyConnection], *given: object) -> object:
    opened.append(None)
    return opens(*given)


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
        run_outer(statement.format(folder=tmp_path), {"own": secret})
    assert str(failed.value) == str(ExecutionFailed())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["secret.csv", "town.duckdb"]


def test_nothing_is_spilled_to_disk(closed: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(module._CONFIG, "memory_limit", "20MB")
    with pytest.raises(ExecutionFailed):
        run_outer("SELECT DISTINCT i, hash(i), hash(i + 1) FROM range(3000000) AS t(i)", {})
    assert not Path(".tmp").exists()


@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Tokyo"])
def test_the_machine_has_no_time_zone(zone: str, closed: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        assert run_outer("SELECT current_setting('TimeZone') AS zone", {}).to_pylist() == [{"zone": "UTC"}]
    finally:
        monkeypatch.undo()
        time.tzset()


def test_error_texts_of_duckdb_are_not_shown() -> None:
    with pytest.raises(ExecutionFailed) as failed:
        run_outer('SELECT CAST(k AS INTEGER) FROM "release 0"', TABLES)
    assert (failed.value.__cause__, failed.value.__context__) == (None, None)
    assert str(failed.value) == str(ExecutionFailed())


PLAIN = """SELECT CAST(i AS BIGINT) - 5 AS a, CAST(i AS INTEGER) AS b, CAST(i % 7 AS SMALLINT) AS c, i % 2 = 0 AS d,
 CASE i % 5 WHEN 0 THEN 'nan' WHEN 1 THEN '-0.0' WHEN 2 THEN '-inf' WHEN 3 THEN '1e-308' END::DOUBLE AS e,
 CASE WHEN i % 3 > 0 THEN 'ä' || i END AS f, CASE WHEN i > 0 THEN 9223372036854775807 END AS g FROM range({}) AS t(i)"""
OTHER = """SELECT DATE 'infinity' AS a, TIMESTAMP '9999-12-31 00:00:00' AS b, CAST(1.5 AS DECIMAL(9, 2)) AS c, [1, 2] AS d,
 CAST(2 AS HUGEINT) AS e, CAST('x' AS ENUM('x', 'y')) AS f, 1 AS g, CAST(3 AS UTINYINT) AS h"""


@pytest.mark.parametrize("sql", [*map(PLAIN.format, (0, 1, 255, 256, 257, 900)), OTHER, "SELECT 1 AS a, 2 AS a"])
def test_rows_are_those_that_duckdb_writes_as_arrow(sql: str) -> None:
    with duckdb.connect() as connection:
        expected, found = connection.sql(sql).to_arrow_table(), module.run_statement(connection, sql, {})
    texts = (
        [
            pa.concat_arrays(column.chunks or [pa.array([], column.type)]).to_string(window=1_000)
            for column in each.columns
        ]
        for each in (found, expected)
    )
    assert found.schema == expected.schema and next(texts) == next(texts)
