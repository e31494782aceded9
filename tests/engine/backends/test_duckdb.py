"""DuckDB in lockdown: reads the attached files alone, within limits, and shows none of its own error text."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

from dialect import BoundedSql, Catalog, Refusal, compile_query
from engine.backends.duckdb import DuckDBBackend, Limits
from engine.data.snapshot import open_snapshot
from engine.errors import ExecutionFailed, problem
from engine.pipeline.engine import Engine
from engine.pricing.query_terms import Request
from tests.engine.town import make_town

TIGHT = Limits(memory="64MB", threads=2, seconds=1, temporary="8MB")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a folder with a town, and with files that must not be readable."""
    made = tmp_path_factory.mktemp("locked")
    (made / "secret.csv").write_text("word\nZ-SECRET\n")
    with duckdb.connect(str(made / "other.duckdb")) as connection:
        connection.execute("CREATE TABLE secret AS SELECT 'Z-SECRET' AS word")
    return made


@pytest.fixture(scope="module")
def backend(folder: Path) -> Iterator[DuckDBBackend]:
    """Open the town within tight limits."""
    opened = _opened(make_town(folder), folder, TIGHT)
    yield opened
    opened.close()


def _opened(catalog: Catalog, folder: Path, limits: Limits | None = None) -> DuckDBBackend:
    made = open_snapshot(catalog, folder / "cache", lambda stage, fraction: None)
    return DuckDBBackend.open(made.files, made.addresses, folder / "cache", limits)


def fails(backend: DuckDBBackend, sql: str) -> None:
    """Check that a failure has the constant text, with no other error as cause or context."""
    with pytest.raises(ExecutionFailed) as failed:
        backend.public(sql)
    assert str(failed.value) == str(ExecutionFailed())
    assert (failed.value.__cause__, failed.value.__context__) == (None, None)


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM read_csv('{folder}/secret.csv')",
        "SELECT * FROM '{folder}/secret.csv'",
        "SELECT * FROM read_text('{folder}/secret.csv')",
        "SELECT * FROM sniff_csv('{folder}/secret.csv')",
        "SELECT * FROM read_blob('{folder}/other.duckdb')",
        "SELECT * FROM glob('{folder}/*')",
        "SELECT * FROM read_parquet('http://127.0.0.1/x.parquet')",
        "SELECT * FROM read_csv('s3://bucket/x.csv')",
        "ATTACH '{folder}/other.duckdb' AS other (READ_ONLY)",
        "ATTACH '{folder}/new.duckdb' AS new",
        "COPY (SELECT 1) TO '{folder}/out.csv'",
        "COPY stored0.main.visit TO '{folder}/out.parquet'",
        "EXPORT DATABASE '{folder}/out'",
        "INSTALL spatial",
        "LOAD spatial",
        "CREATE SECRET s (TYPE s3)",
        "CREATE TABLE stored0.main.mine AS SELECT 1",
        "DELETE FROM stored0.main.visit",
        "UPDATE stored0.main.person SET consent = 'yes'",
        "DROP TABLE stored0.main.visit",
    ],
)
def test_no_other_file_is_read_and_none_is_written(backend: DuckDBBackend, folder: Path, statement: str) -> None:
    before = sorted(path.name for path in folder.iterdir())
    fails(backend, statement.format(folder=folder))
    assert sorted(path.name for path in folder.iterdir()) == before


@pytest.mark.parametrize(
    "statement",
    [
        "SET enable_external_access = true",
        "SET lock_configuration = false",
        "SET memory_limit = '64GB'",
        "RESET memory_limit",
        "SET threads = 64",
        "PRAGMA threads = 64",
        "SET max_execution_time = 0",
        "SET temp_directory = '{folder}'",
        "SET max_temp_directory_size = '1TB'",
        "SET allowed_directories = ['{folder}']",
        "SET python_enable_replacements = true",
        "SET disabled_optimizers = ''",
        "SET TimeZone = 'Asia/Tokyo'",
        "SET autoinstall_known_extensions = true",
    ],
)
def test_no_setting_can_be_changed(backend: DuckDBBackend, folder: Path, statement: str) -> None:
    fails(backend, statement.format(folder=folder))


def test_no_python_variable_is_a_table(backend: DuckDBBackend) -> None:
    secret = duckdb.sql("SELECT 'Z-SECRET' AS word")
    fails(backend, "SELECT * FROM secret")
    assert secret.fetchall() == [("Z-SECRET",)]


@pytest.mark.parametrize("setting", ["memory_limit", "threads", "max_execution_time", "temp_directory"])
def test_every_cursor_has_the_limits(backend: DuckDBBackend, folder: Path, setting: str) -> None:
    (value,) = backend.public(f"SELECT CAST(current_setting('{setting}') AS VARCHAR) AS v").column("v").to_pylist()
    expected = {"memory_limit": "61.0 MiB", "threads": "2", "max_execution_time": "1000"}
    assert value == expected.get(setting) or value.startswith(str(folder / "cache" / "scratch-"))


def test_the_machine_has_no_time_zone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    own = _opened(make_town(tmp_path), tmp_path)
    try:
        (zone,) = own.public("SELECT current_setting('TimeZone') AS zone").column("zone").to_pylist()
    finally:
        own.close()
        monkeypatch.undo()
        time.tzset()
    assert zone == "UTC"


def test_running_out_of_memory_has_a_constant_error_text(backend: DuckDBBackend) -> None:
    fails(backend, "SELECT count(*) FROM (SELECT DISTINCT i, hash(i), 'x' || i FROM range(20000000) AS t(i))")


def test_a_timeout_has_a_constant_error_text(backend: DuckDBBackend) -> None:
    begun = time.monotonic()
    fails(backend, "SELECT sum(sin(i)) FROM range(100000000000) AS t(i)")
    assert time.monotonic() - begun < 10


def test_a_value_in_an_error_of_duckdb_is_not_shown(backend: DuckDBBackend) -> None:
    fails(backend, "SELECT CAST(shop AS INTEGER) FROM stored0.main.visit")
    fails(backend, "SELECT 9223372036854775807 + coins FROM stored0.main.visit WHERE coins > 0")
    with pytest.raises(ExecutionFailed):
        backend.run(BoundedSql("SELECT CAST('Z-SECRET' AS BIGINT) AS w0", 0, 1))
    with pytest.raises(Refusal, match="nothing was charged"):
        backend.count("SELECT nothing")


def test_the_class_of_a_failure_is_recorded_for_the_log(backend: DuckDBBackend) -> None:
    for sql, kind in (("SELECT nothing", "BinderException"), ("SELECT 'x'::INT", "ConversionException")):
        with pytest.raises(ExecutionFailed) as failed:
            backend.public(sql)
        assert failed.value.kind == kind
        assert kind not in str(problem(failed.value, sql))


def test_the_backend_works_after_a_failure(backend: DuckDBBackend) -> None:
    for _ in range(5):
        fails(backend, "SELECT oops")
    assert backend.count("SELECT * FROM stored0.main.zone") == 7


def test_exact_numbers_come_as_int64_in_order(engine: Engine) -> None:
    sql = "SELECT zone, COUNT(*) AS n, SUM(coins) AS c FROM visit GROUP BY zone"
    (prepared,) = engine.compile(compile_query(sql, engine.catalog), Request("ann")).releases
    exact = engine.backend.run(prepared.sql)
    assert exact.keys.column_names == ["k0"]
    assert exact.keys.column("k0").to_pylist() == [f"z{i}" for i in range(7)]
    assert [(vector.dtype, vector.size) for vector in exact.vectors] == [(np.dtype(np.int64), 7)] * 2
    assert all(vector.flags.owndata and vector.flags.writeable for vector in exact.vectors)


@pytest.mark.parametrize("value", [2**63 - 1, -(2**63), 0, -1])
def test_the_widest_integers_stay_exact(backend: DuckDBBackend, value: int) -> None:
    exact = backend.run(BoundedSql(f"SELECT CAST({value} AS BIGINT) AS w0, CAST(NULL AS BIGINT) AS w1", 0, 2))
    assert [vector.tolist() for vector in exact.vectors] == [[value], [0]]


def test_public_rows_are_counted_once(backend: DuckDBBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    sql = "SELECT zone FROM stored0.main.zone WHERE zone <> 'z0'"
    assert backend.count(sql) == 6
    monkeypatch.setattr(type(backend), "_table", lambda *_: pytest.fail("asked again"))
    assert backend.count(sql) == 6


def test_the_cache_of_row_counts_is_limited(backend: DuckDBBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.backends.duckdb.MAX_CACHED_COUNTS", 3)
    for i in range(9):
        assert backend.count(f"SELECT {i} AS n") == 1
    assert list(backend._row_counts) == [f"SELECT {i} AS n" for i in (6, 7, 8)]


def test_questions_at_the_same_time_do_not_disturb_each_other(engine: Engine) -> None:
    questions = [
        "SELECT zone, COUNT(*) AS n FROM visit GROUP BY zone",
        "SELECT COUNT(DISTINCT person_id) AS n FROM visit",
        "SELECT p.gender, AVG(v.minutes) AS m FROM visit v JOIN person p USING (person_id) GROUP BY 1",
    ]
    prepared = [engine.compile(compile_query(sql, engine.catalog), Request("ann")).releases[0].sql for sql in questions]

    def run(i: int) -> list[list[int]]:
        return [vector.tolist() for vector in engine.backend.run(prepared[i % 3]).vectors]

    alone = [run(i) for i in range(3)]
    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(run, range(36))) == alone * 12


def test_one_long_question_does_not_hold_up_another(town: Catalog, tmp_path: Path) -> None:
    backend = _opened(town, tmp_path, Limits(seconds=3))
    with ThreadPoolExecutor(1) as pool:
        long = pool.submit(fails, backend, "SELECT sum(sin(i)) FROM range(100000000000) AS t(i)")
        assert backend.count("SELECT * FROM stored0.main.zone") == 7
        assert not long.done()
        long.result()
    backend.close()


def test_spilled_files_are_removed_with_the_backend(town: Catalog, tmp_path: Path) -> None:
    backend = _opened(town, tmp_path, Limits(memory="64MB", temporary="1GB"))
    (scratch,) = (tmp_path / "cache").glob("scratch-*")
    assert scratch.stat().st_mode & 0o777 == 0o700
    rows: Any = backend.public("SELECT i, hash(i) AS h FROM range(1200000) AS t(i) ORDER BY h LIMIT 1000000")
    assert rows.num_rows == 1_000_000
    backend.close()
    assert not scratch.exists()


def test_two_backends_read_one_file(town: Catalog, tmp_path: Path) -> None:
    one, other = _opened(town, tmp_path), _opened(town, tmp_path)
    assert one.count("SELECT * FROM stored0.main.visit") == other.count("SELECT * FROM stored0.main.visit") == 3000
    one.close()
    assert other.count("SELECT * FROM stored0.main.person") == 200
    other.close()
