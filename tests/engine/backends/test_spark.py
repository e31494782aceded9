"""Spark as the backend of a town: DuckDB's exact integers, objectors removed, nothing else read or shown."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from importlib import import_module
from pathlib import Path

import pyarrow as pa
import pytest
from pyspark.sql.connect.client.reattach import ExecutePlanResponseReattachableIterator as Released
from pyspark.sql.connect.session import SparkSession

from budgets import Ledger
from dialect import Catalog, Refusal, compile_query
from dialect.catalog.model import EngineName, Source
from dialect.codegen.engines import dialects
from dialect.codegen.engines import spark as spark_dialect
from engine.backends.duckdb import DuckDBBackend
from engine.backends.lake import LakeBackend
from engine.backends.spark import backend as spark
from engine.backends.spark import session as spark_session
from engine.data.open_data import open_data
from engine.data.snapshot import open_snapshot
from engine.errors import DataError, ExecutionFailed
from engine.mechanism.gaussian import add_noise
from engine.pipeline.engine import Engine
from engine.pricing.compile_release import compile_release
from engine.pricing.query_terms import Request
from tests.engine.town import make_town
from tests.support.greybox.greybox import SensitivityExceeded
from tests.support.neighbours.unread_rows import ASKED, UnreadRows
from tests.support.spark.lake import as_lake
from tests.support.spark.on_lake import both, same, session_of, truncate_unhashed
from tests.support.spark.spark_cluster import Cluster

render = import_module("dialect.codegen.bounded_sql")  # the face of the package has a function of this name
RHO = Fraction(1, 200)
DOUBLE, PLAIN = spark_dialect.SPARK_DOUBLE, "CAST({0} AS DOUBLE)"
QUIET = lambda stage, part: None  # noqa: E731
QUESTIONS = (
    "SELECT zone, day, COUNT(*) AS n, AVG(minutes) AS mean, SUM(coins) AS coins FROM visit GROUP BY zone, day",
    "SELECT z.name, COUNT(DISTINCT v.person_id) AS people FROM visit v JOIN zone z USING (zone) GROUP BY z.name",
    "SELECT shop, COUNT(*) AS n, COUNT(DISTINCT zone) AS zones FROM visit GROUP BY shop",
    "SELECT p.gender, SUM(b.price) AS spent, AVG(b.price) AS mean FROM purchase b JOIN person p USING (person_id) GROUP BY p.gender",
    "SELECT n, COUNT(*) AS people FROM (SELECT person_id, COUNT(*) AS n FROM visit GROUP BY 1) WHERE n BETWEEN 1 AND 30 GROUP BY n",
)
MADE = (
    "CREATE VIEW person_view AS SELECT * FROM parquet.`{0}`",
    "CREATE GLOBAL TEMPORARY VIEW person_now AS SELECT * FROM parquet.`{0}`",
    "CREATE TABLE person_table USING parquet LOCATION '{0}'",
    "CREATE TABLE person_padded (person_id BIGINT, gender CHAR(3)) USING parquet",
)
OBJECTED = pa.table({"person": ["3", "4", "17", "no number", "999999"]})


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    return make_town(tmp_path_factory.mktemp("town"))


@pytest.fixture(scope="module")
def duck(town: Catalog, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DuckDBBackend]:
    folder = tmp_path_factory.mktemp("duck")
    made = open_snapshot(town, folder, QUIET)
    backend = DuckDBBackend.open(made.files, made.addresses, folder)
    yield backend
    backend.close()


@pytest.fixture(scope="module")
def lake(town: Catalog, cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    made = open_snapshot(town, tmp_path_factory.mktemp("written"), QUIET)
    return as_lake(town, tmp_path_factory.mktemp("lake"), cluster.remote, made.files, made.addresses)


@pytest.fixture(scope="module")
def backend(lake: Catalog, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LakeBackend]:
    opened = open_data(lake, tmp_path_factory.mktemp("cache"), QUIET)
    assert isinstance(opened, LakeBackend)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def unread(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[UnreadRows]:
    made = UnreadRows(tmp_path_factory.mktemp("unread"), cluster.remote)
    yield made
    made.close()


@pytest.fixture
def same_paths(monkeypatch: pytest.MonkeyPatch) -> None:
    truncate_unhashed(monkeypatch)


@pytest.mark.usefixtures("same_paths")
@pytest.mark.parametrize("sql", QUESTIONS)
def test_exact_integers_are_duckdbs(
    sql: str, town: Catalog, duck: DuckDBBackend, lake: Catalog, backend: LakeBackend
) -> None:
    pairs = both(sql, (town, duck), (lake, backend), OBJECTED)
    assert pairs and all(same(*pair) for pair in pairs)
    assert any(vector.any() for one, _ in pairs for vector in one.vectors)


def test_no_plan_sorts_rows_by_person_text(lake: Catalog, backend: LakeBackend) -> None:
    by_person = next(sql for sql in QUESTIONS if "p.gender" in sql)
    plan = compile_query(by_person, lake).plans[0]
    assert plan.has_one_group_per_person and "any_value" not in compile_release(plan, lake, backend, RHO).sql.text
    shown = (
        session_of(backend.lake)
        .sql("EXPLAIN SELECT id, any_value(CAST(id AS STRING)) FROM range(9) GROUP BY id")
        .collect()
    )
    assert "SortAggregate" in shown[0][0], "Spark has come to keep texts without sorting: any_value would do"


def test_rows_are_read_once_for_the_factors_and_for_what_they_multiply(lake: Catalog, backend: LakeBackend) -> None:
    bounded = compile_release(compile_query(QUESTIONS[0], lake).plans[0], lake, backend, RHO).sql
    assert "clip_factors AS" in bounded.text and "admitted_persons AS" in bounded.text
    session = session_of(backend.lake)
    session.conf.set("spark.sql.adaptive.enabled", "false")  # which would show what is reused once it has run
    handed = {name: backend.duckdb.run_over(sql, {"opt_outs": OBJECTED}) for name, sql in bounded.broadcast.items()}
    named = {name: spark._broadcast(session, rows) for name, rows in handed.items() if f"{{{name}}}" in bounded.text}
    named |= {name: backend.lake._rows(session, name) for name in ("table_visit", "table_person")}  # type: ignore[attr-defined]
    shown = session.sql(f"EXPLAIN {bounded.text}", **named).collect()[0][0]
    session.conf.unset("spark.sql.adaptive.enabled")
    assert shown.count("ReusedExchange") >= 1
    assert (
        shown.count("minutes")
        and len([line for line in shown.splitlines() if "FileScan" in line and "zone" in line]) == 1
    )


def test_objectors_are_excluded_and_a_planted_bug_is_seen(
    town: Catalog, duck: DuckDBBackend, lake: Catalog, backend: LakeBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = compile_query("SELECT zone, COUNT(*) AS n FROM visit GROUP BY zone", town).plans[0]
    admitted = duck.run(compile_release(plan, town, duck, RHO).sql, OBJECTED)
    bounded = compile_release(plan, lake, backend, RHO).sql
    assert same(backend.run(bounded, OBJECTED), admitted)
    assert not same(backend.run(bounded), admitted)
    monkeypatch.setattr(render, "join_admitted", lambda rows, *_: rows)
    forgetful = compile_release(plan, lake, backend, RHO).sql
    assert not same(backend.run(forgetful, OBJECTED), admitted), "not seen"


def test_the_session_is_set_whatever_the_cluster_is_set_to(backend: LakeBackend) -> None:
    session = session_of(backend.lake)
    assert {name: session.conf.get(name) for name in spark_session.SETTINGS} == dict(spark_session.SETTINGS)
    session.conf.set("spark.sql.ansi.enabled", "false")
    assert session_of(backend.lake).conf.get("spark.sql.ansi.enabled") == "true"


def test_the_session_overrides_legacy_settings(backend: LakeBackend) -> None:
    assert [name for name in session_of(backend.lake).conf.getAll if name.startswith(spark_session.LEGACY_PREFIX)] == []


def test_parquet_statistics_skip_no_row(unread: UnreadRows) -> None:
    assert unread.check(ASKED) == [200, 200, 201]


@pytest.mark.parametrize(("pushed", "form"), [("false", PLAIN), ("true", DOUBLE), ("true", PLAIN)])
def test_settings_and_form_each_suffice_and_without_both_it_is_seen(
    pushed: str, form: str, unread: UnreadRows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        spark_session, "SETTINGS", {**spark_session.SETTINGS, "spark.sql.parquet.filterPushdown": pushed}
    )
    monkeypatch.setattr(spark_dialect, "SPARK_DOUBLE", form)
    for condition in ("lon = 0", "lon > 5"):
        if (pushed, form) == ("true", PLAIN):
            with pytest.raises(SensitivityExceeded):
                unread.check([condition])
        else:
            assert unread.check([condition]) == [200]


def test_a_failure_on_spark_shows_constant_text(backend: LakeBackend) -> None:
    with pytest.raises(ExecutionFailed) as failed:
        backend.lake.gather("SELECT CAST(shop AS INT) AS n FROM {table_visit}", {})  # raises with a value in the text
    assert str(failed.value) == str(ExecutionFailed())
    assert failed.value.kind.endswith("Exception"), "the log has its class"
    assert (failed.value.__cause__, failed.value.__context__) == (None, None)
    assert backend.lake.gather("SELECT count(*) AS n FROM {table_visit}", {}).to_pylist() == [{"n": 3000}]


def test_a_query_beyond_its_time_limit_is_interrupted(lake: Catalog, backend: LakeBackend) -> None:
    slow = spark.SparkLake(lake.remote or "", {}, {}, seconds=0.5)
    with pytest.raises(ExecutionFailed):
        slow.gather(
            "SELECT count(*) AS n FROM range(100000000) a CROSS JOIN range(1000000) b WHERE a.id % 7 = b.id", {}
        )
    slow.close()


def test_a_function_without_a_spark_form_is_refused_before_the_charge(lake: Catalog, backend: LakeBackend) -> None:
    with Ledger.open(":memory:") as ledger:
        engine = Engine(lake, backend, ledger, add_noise)
        with pytest.raises(Refusal, match="E_FUNC: This catalog's people lie in a Spark lake"):
            engine.answer("SELECT COUNT(*) FROM visit WHERE regexp_matches(shop, 's.*')", Request("ana"))
        assert not list(ledger.entries(client="ana"))
        answered = engine.answer("SELECT zone, COUNT(*) AS n FROM visit GROUP BY zone", Request("ana"))
        assert answered.answer.table.num_rows == 7
        assert (
            engine.answer("SELECT zone, COUNT(*) AS n FROM visit GROUP BY zone", Request("ana")).charged_loss.pico_rho
            == 0
        )


def test_a_lake_that_is_not_as_declared_does_not_open(lake: Catalog, backend: LakeBackend, tmp_path: Path) -> None:
    person = lake.tables_by_name.get("person")
    assert person is not None
    gender = next(c for c in person.columns if c.name == "gender")
    wrong = replace(
        person,
        columns=tuple(
            replace(c, type=lake.tables_by_name.get("visit").columns[0].type) if c is gender else c
            for c in person.columns
        ),
    )  # type: ignore[union-attr]
    twice = replace(person, source=lake.tables_by_name.get("visit").source)  # type: ignore[union-attr]
    for changed, why in ((wrong, "gender is stored as string"), (twice, "there is no column gender")):
        tables = tuple(changed if t.name == "person" else t for t in lake.tables)
        with pytest.raises(DataError, match=why):
            open_data(replace(lake, tables=tables), tmp_path, QUIET)


def test_a_view_does_not_open_and_a_table_does(lake: Catalog, backend: LakeBackend, tmp_path: Path) -> None:
    person, session = next(t for t in lake.tables if t.name == "person"), session_of(backend.lake)
    for made in MADE:
        session.sql(made.replace("{0}", person.source.path))

    def opened(name: str) -> None:
        tables = (replace(person, source=Source("spark", name)),)
        open_data(replace(lake, tables=tables), tmp_path, QUIET).close()

    opened("person_table")
    with pytest.raises(DataError, match="it is a view, and its rows may depend on other people's"):
        opened("person_view")
    assert not spark._is_table(session, "global_temp.person_now")
    with pytest.raises(DataError, match=r"gender is stored as char\(3\)"):
        opened("person_padded")


def test_a_session_that_ends_or_is_freed_shuts_nothing_of_the_others(lake: Catalog) -> None:
    own = spark.SparkLake(lake.remote or "", {}, {})
    session, shared = session_of(own), Released._get_or_create_release_thread_pool()
    own.close()
    session.__del__()
    assert not shared._shutdown
    for shuts in (SparkSession.stop, SparkSession.__del__):
        shared = Released._get_or_create_release_thread_pool()
        shuts(session)
        assert shared._shutdown, "not seen"


def test_a_query_continues_in_a_session_that_another_found_lost(lake: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    own, one = spark.SparkLake(lake.remote or "", {}, {}), "SELECT 1 AS n"
    with own.sessions.entered() as session:
        with monkeypatch.context() as patched:
            patched.setattr(spark_session, "_is_configured", lambda session: False)
            assert own.gather(one, {}).num_rows == 1
        assert session_of(own) is not session
        assert session.sql(one).toArrow().num_rows == 1
    with pytest.raises(ValueError, match=r"Channel closed|closed channel"):
        session.sql(one).toArrow()
    own.close()


def test_files_changed_after_opening_fail_every_query(
    lake: Catalog, backend: LakeBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert isinstance(backend.lake, spark.SparkLake)
    first = Path(next(t for t in lake.tables if t.name == "person").source.path) / "0.parquet"
    written, many, opened = first.stat(), "SELECT count(*) AS n FROM {table_person}", backend.lake._fingerprints
    os.utime(first, (1, 1))  # as if written over, by as many bytes
    with pytest.raises(ExecutionFailed):
        backend.lake.gather(many, {})
    with monkeypatch.context() as patched:
        patched.setattr(spark, "_fingerprints", lambda session, sources: {name: opened[name] for name in sources})
        assert backend.lake.gather(many, {}).num_rows == 1, "not seen"
    os.utime(first, ns=(written.st_atime_ns, written.st_mtime_ns))
    assert backend.lake.gather(many, {}).num_rows == 1


def test_an_engine_is_named_once() -> None:
    assert set(dialects.ENGINE_DIALECTS) == set(EngineName)
