"""Local rollups of a lake: DuckDB's exact integers, with any objections, and of its files alone."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import cast

import duckdb
import pyarrow as pa
import pytest
from typer.testing import CliRunner

from dialect import Catalog, compile_query
from dialect.catalog.model import Consent, Source
from dialect.codegen import stored_rows
from engine.api import steward
from engine.backends.duckdb import DuckDBBackend
from engine.backends.exact import NO_OBJECTIONS
from engine.backends.lake import LakeBackend
from engine.backends.protocol import Lake
from engine.backends.spark import backend as spark
from engine.backends.spark.backend import SparkLake
from engine.data import lake_layout, lake_optimize
from engine.data.checks.lake import lake_placeholder
from engine.data.files.cache import forget, publish
from engine.data.lake_optimize import optimize_lake
from engine.data.materialized_rollups import LAYOUT_ALIAS
from engine.data.open_data import open_lake
from engine.data.snapshot import open_snapshot
from engine.errors import CatalogError, DataError, ExecutionFailed
from engine.pricing.compile_release import CompiledRelease, compile_release
from passersby.cli.app import app
from tests.conftest import NIGHTLY
from tests.engine.data.test_layout import BY_GENDER, BY_ROWS, DECLARED, OF_GENDER, ROLLED
from tests.engine.town import CATALOG, ROWS, make_town
from tests.engine.windowed_town import WINDOWED
from tests.support.spark.lake import as_lake
from tests.support.spark.on_lake import both, same, session_of, truncate_unhashed
from tests.support.spark.spark_cluster import Cluster

QUIET = lambda stage, part: None  # noqa: E731
RHO = Fraction(1, 10)
JOINED = "SELECT z.name, v.coins, count(*) AS n, count(DISTINCT person_id) AS p FROM visit v JOIN zone z USING (zone) GROUP BY z.name, v.coins"
OF_JOINED = (
    "SELECT z.name, count(*) AS n FROM visit v JOIN zone z USING (zone) GROUP BY z.name",
    JOINED.replace("GROUP BY", "WHERE z.name <> 'Zone 1' GROUP BY"),
)
BIG = 2**63 - 100  # the half of people is above 2^63
OBJECTED = pa.table({"person": ["3", "7", "nobody", str(BIG + 5), str(BIG + 153)]})
ASKED = (*ROLLED, *OF_JOINED, *OF_GENDER)
UNSIGNED = CATALOG.replace('person_id = { type = "BIGINT"', 'person_id = { type = "UBIGINT"')
OF_UNSIGNED = ROWS.replace("SELECT i AS person_id", f"SELECT CAST({BIG} + i::HUGEINT AS UBIGINT) AS person_id").replace(
    "SELECT 1 + i % 220 AS person_id", f"SELECT CAST({BIG} + (1 + i % 220)::HUGEINT AS UBIGINT) AS person_id"
)


class Town:
    """People in a lake with local rollups, and the same people in DuckDB."""

    def __init__(self, folder: Path, cluster: Cluster, declared: str, rows: str = ROWS) -> None:
        folder.mkdir(exist_ok=True)
        rollups = DECLARED.replace("rollups = [", f"rollups = ['''{JOINED}''', '''{BY_GENDER}''', ")
        town = make_town(folder, rows, declared.replace("[datasets.town.budget]", f"{rollups}\n[datasets.town.budget]"))
        made = open_snapshot(town, folder / "written", QUIET)
        self.catalog = as_lake(town, folder / "lake", cluster.remote, made.files, made.addresses)
        self.remote, self.cache = cluster.remote, folder / "cache"
        self.here = DuckDBBackend.open(made.files, made.addresses, folder / "here")
        self.account = optimize_lake(self.catalog, self.remote, self.cache, QUIET)
        self.kept = open_lake(self.catalog, self.remote, self.cache, QUIET)

    def prepared(self, sql: str) -> Iterator[tuple[CompiledRelease, CompiledRelease]]:
        for plan in compile_query(sql, self.catalog).plans:
            one, other = (compile_release(plan, self.catalog, each, RHO) for each in (self.here, self.kept))
            yield one, other

    def rolled(self, sql: str) -> bool:
        return all('"rollup ' in other.sql.text for _, other in self.prepared(sql))

    def differ(self, sql: str) -> bool:
        """Does any exact integer of a query differ, for any objections?"""
        given = (self.catalog, self.here), (self.catalog, self.kept)
        return not all(same(*pair) for who in (NO_OBJECTIONS, OBJECTED) for pair in both(sql, *given, who))

    def close(self) -> None:
        self.here.close()
        self.kept.close()


@pytest.fixture
def same_paths(monkeypatch: pytest.MonkeyPatch) -> None:
    truncate_unhashed(monkeypatch)


@pytest.fixture(scope="module")
def by_day(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(lake_optimize, "ROWS_PER_PART", 600)  # so that some are read in parts
        made = Town(tmp_path_factory.mktemp("by_day"), cluster, WINDOWED)
    yield made
    made.close()


@pytest.fixture(scope="module")
def unsigned(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    made = Town(tmp_path_factory.mktemp("unsigned"), cluster, UNSIGNED, OF_UNSIGNED)
    assert made.kept.target.lake is not None and made.kept.target.lake.same_bits_datasets == {"town"}
    yield made
    made.close()


@pytest.mark.parametrize("sql", ASKED)
def test_local_rollups_of_a_lake_give_duckdbs_integers(by_day: Town, sql: str) -> None:
    assert by_day.rolled(sql) and not by_day.differ(sql)


@pytest.mark.parametrize("sql", [sql for sql in BY_ROWS if "gender" not in sql])
def test_a_query_that_rollups_do_not_determine_reads_the_lake(by_day: Town, sql: str) -> None:
    assert all(other.sql.ordering_sql and '"rollup ' not in other.sql.text for _, other in by_day.prepared(sql))


@pytest.mark.usefixtures("same_paths")
@pytest.mark.parametrize("sql", ASKED if NIGHTLY else ROLLED[2:3])
def test_rollups_give_what_the_lakes_own_rows_give(by_day: Town, sql: str) -> None:
    bare = replace(by_day.kept, target=replace(by_day.kept.target, rollups=()))
    for plan in compile_query(sql, by_day.catalog).plans:
        one, other = (compile_release(plan, by_day.catalog, each, RHO).sql for each in (bare, by_day.kept))
        assert one.ordering_sql and not other.ordering_sql
        assert same(bare.run(one, OBJECTED), by_day.kept.run(other, OBJECTED))


@pytest.mark.usefixtures("same_paths")
@pytest.mark.parametrize("sql", ASKED)
def test_persons_above_all_signed_numbers_are_the_same_ones_and_may_object(unsigned: Town, sql: str) -> None:
    assert unsigned.rolled(sql) and not unsigned.differ(sql)


@pytest.mark.parametrize("person", ["12", "3"])
def test_an_objector_moves_rolled_up_numbers_at_most_by_the_sensitivity(by_day: Town, person: str) -> None:
    moved, without = 0, pa.table({"person": [person]})
    for sql in ASKED:
        for _, other in (pair for pair in by_day.prepared(sql) if pair[1].selection is None):
            whole, less = by_day.kept.run(other.sql), by_day.kept.run(other.sql, without)
            for one, two, bound in zip(whole.vectors, less.vectors, other.bounds.vectors, strict=True):
                distance = sum(int(d) ** 2 for d in one - two)
                assert distance <= bound.sensitivity**2
                moved += distance > 0
    assert moved > len(ROLLED)


def test_bounds_prices_and_names_of_releases_are_the_same(by_day: Town) -> None:
    for sql in ASKED:
        for one, other in by_day.prepared(sql):
            assert (one.bounds, one.cost, one.release_key) == (other.bounds, other.cost, other.release_key)


def test_rollups_are_read_without_the_lake(by_day: Town) -> None:
    alone = replace(by_day.kept, lake=None)  # type: ignore[arg-type]
    assert all(alone.run(other.sql, OBJECTED).vectors for _, other in by_day.prepared(ROLLED[0]))


@pytest.mark.parametrize("planted", ["who objects as text", "nobody objects", "states of the lake's columns"])
def test_a_planted_eligibility_rule_is_found(unsigned: Town, monkeypatch: pytest.MonkeyPatch, planted: str) -> None:
    if planted == "states of the lake's columns":
        everybody = dict.fromkeys(
            unsigned.kept.target.eligible_tables, '(SELECT DISTINCT person FROM layout.main."rollup %s")'
        )
        named = unsigned.kept.target.rollups[0].address.split('"')[1].removeprefix("rollup ")
        target = replace(unsigned.kept.target, eligible_tables={sql: of % named for sql, of in everybody.items()})
        monkeypatch.setattr(unsigned, "kept", replace(unsigned.kept, target=target))
    else:
        said = {"who objects as text": "SELECT TRY_CAST(person AS UBIGINT) AS person FROM opt_outs",
                "nobody objects": "SELECT person FROM opt_outs WHERE false"}[planted]  # fmt: skip
        objections = stored_rows.objectors_to_broadcast
        monkeypatch.setattr(
            stored_rows, "objectors_to_broadcast", lambda *given: objections(*given) | {"opt_outs": said}
        )
    assert unsigned.differ(ROLLED[2])


def test_a_planted_loss_is_found(by_day: Town) -> None:
    spoilt = by_day.cache / "spoilt.duckdb"
    spoilt.write_bytes(by_day.account.file.read_bytes())
    rollups = [each.address.removeprefix("layout.main.") for each in by_day.kept.target.rollups]
    with duckdb.connect(str(spoilt)) as connection:
        kept = [connection.execute(f"SELECT count(*) FROM {each}").fetchone() for each in rollups]
        assert max(rows for row in kept if row is not None for rows in row) > 600, "read in parts"
        for each in rollups:
            connection.execute(f"DELETE FROM {each} WHERE person = 12")
    files, addresses = {LAYOUT_ALIAS: str(spoilt)}, by_day.kept.target.addresses
    with closing(DuckDBBackend.open(files, addresses, by_day.cache)) as beside:
        less = replace(by_day.kept, duckdb=beside)
        for _, other in by_day.prepared(ROLLED[2]):
            assert not same(by_day.kept.run(other.sql), less.run(other.sql))


def test_rollups_of_other_files_or_consent_states_are_not_used(by_day: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    def found(catalog: Catalog) -> lake_layout.LocalTables:
        with closing(fresh(by_day)) as lake:
            return lake_layout.open_local_tables(catalog, by_day.cache, lake, QUIET)

    def found_file() -> Path | None:
        with closing(fresh(by_day)) as lake:
            return lake_layout._current_layout(by_day.catalog, by_day.cache, lake)

    assert len(found(by_day.catalog).rollups) == 4 and len(found(by_day.catalog).eligible) == 1
    consent = Consent("consent", ("yes", "no"))
    tables = tuple(replace(t, consent=consent) if t.name == "person" else t for t in by_day.catalog.tables)
    others = found(replace(by_day.catalog, tables=tables))
    assert len(others.rollups) == 4 and not others.eligible
    plan = compile_query(ROLLED[2], by_day.catalog).plans[0]
    target = replace(by_day.kept.target, eligible_tables=others.eligible)
    assert compile_release(plan, by_day.catalog, replace(by_day.kept, target=target), RHO).sql.ordering_sql, (
        "asked of the lake"
    )
    first = Path(next(t for t in by_day.catalog.tables if t.name == "visit").source.path) / "0.parquet"
    written = first.stat()
    os.utime(first, (1, 1))
    gone = found_file()
    os.utime(first, ns=(written.st_atime_ns, written.st_mtime_ns))
    assert gone is None and found_file() == by_day.account.file


def fresh(town: Town) -> SparkLake:
    """A lake session that has seen no files yet; one left open delays the end of the cluster by a minute."""
    return SparkLake(town.remote, {lake_placeholder(t): t.source for t in town.catalog.tables if t.private}, {})


class Silent:
    """A lake that does not answer."""

    def storage_fingerprints(self) -> Mapping[str, object]:
        raise ExecutionFailed("SparkConnectGrpcException")


@pytest.mark.parametrize("planted", [False, True], ids=["as it is", "planted: opened without"])
def test_a_lake_that_does_not_answer_leaves_its_layout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, planted: bool
) -> None:
    rows = ROWS + f"COPY zone TO '{tmp_path}/zone.csv';"
    csv = CATALOG.replace('{ duckdb = "town.duckdb", table = "zone" }', '{ csv = "zone.csv" }')
    town = make_town(tmp_path, rows, csv.replace("[datasets.town.budget]", f"{DECLARED}\n[datasets.town.budget]"))
    made = tmp_path / "made.duckdb"
    made.touch()
    kept = tmp_path / "cache" / "layout-0123" / "data.duckdb"
    (tmp_path / "cache").mkdir()
    publish(made, kept, town)
    lake = cast("Lake", Silent())
    if planted:
        monkeypatch.setattr(lake_layout, "_current_layout", lambda *_: None)
        lake_layout.open_local_tables(town, tmp_path / "cache", lake, QUIET)
    else:
        with pytest.raises(DataError, match="the lake does not answer"):
            lake_layout.open_local_tables(town, tmp_path / "cache", lake, QUIET)
    assert kept.exists() is not planted


@pytest.mark.parametrize(
    ("rollups", "why"),
    [
        ((), "no dataset declares rollups"),
        (("SELECT zone, count(DISTINCT shop) FROM visit GROUP BY zone",), "add up"),
    ],
)
def test_a_rollup_that_cannot_be_materialized_is_refused_with_the_reason(
    by_day: Town, rollups: tuple[str, ...], why: str
) -> None:
    datasets = tuple(replace(each, rollups=rollups) for each in by_day.catalog.datasets)
    with pytest.raises(CatalogError, match=why):
        optimize_lake(replace(by_day.catalog, datasets=datasets), by_day.remote, by_day.cache, QUIET)


def test_losing_the_lake_during_optimize_leaves_the_old_layout(by_day: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    before = sorted(by_day.cache.rglob("*.duckdb"))

    def lost(self: SparkLake, text: str, rows: object) -> pa.Table:
        raise ExecutionFailed("SparkConnectGrpcException")

    monkeypatch.setattr(lake_optimize, "open_lake", lambda *_: replace(by_day.kept))
    monkeypatch.setattr(SparkLake, "gather", lost)
    monkeypatch.setattr(SparkLake, "close", lambda self: None)
    monkeypatch.setattr(DuckDBBackend, "close", lambda self: None)
    with pytest.raises(DataError, match="the lake does not answer"):
        optimize_lake(by_day.catalog, by_day.remote, by_day.cache, QUIET)
    assert sorted(by_day.cache.rglob("*.duckdb")) == before


def test_a_table_without_row_counts_in_its_files_gets_no_layout(by_day: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = next(t for t in by_day.catalog.tables if t.name == "person").source.path
    lake = SparkLake(by_day.remote, {"plain": Source("spark", "rolled_person"), "path": Source("parquet", folder)}, {})
    session_of(lake).sql(f"CREATE TABLE rolled_person USING parquet LOCATION '{folder}'")
    assert lake.files_reflect_changes("plain") and lake.files_reflect_changes("path")
    monkeypatch.setattr(spark, "_table_format", lambda *_: "delta")
    assert not lake.files_reflect_changes("plain")
    lake.close()
    monkeypatch.setattr(SparkLake, "files_reflect_changes", lambda self, table: table != "table_person")
    monkeypatch.setattr(lake_optimize, "open_lake", lambda *_: by_day.kept)
    monkeypatch.setattr(LakeBackend, "close", lambda self: None)
    with pytest.raises(DataError, match="who was erased since"):
        optimize_lake(by_day.catalog, by_day.remote, by_day.cache, QUIET)


def test_rollups_are_removed_with_the_catalog_s_other_copies(unsigned: Town) -> None:
    assert unsigned.account.bytes_before is None and unsigned.account.file.stat().st_mode & 0o077 == 0
    copied = unsigned.cache.with_name("copied")
    shutil.copytree(unsigned.cache, copied, ignore=shutil.ignore_patterns("spill*", ".*"))
    assert forget(unsigned.catalog, copied).copies == 1
    assert not list(copied.rglob("*.duckdb"))


def test_the_optimize_command_reports_the_rollups_of_a_lake(by_day: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steward, "find_catalog", lambda *_: by_day.catalog)
    monkeypatch.setattr(lake_optimize, "optimize_lake", lambda *_: by_day.account)
    told = CliRunner().invoke(app, ["catalog", "optimize", "town"])
    assert told.exit_code == 0 and "beside a lake, 4 rollups, in" in told.stdout.replace("\n", " ")
