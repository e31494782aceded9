"""Rehearsal: the whole engine over made-up rows, for nothing, and without a look at anybody's."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import duckdb
import pytest

from budgets import BudgetRefused
from dialect import Catalog, Refusal
from engine import open_session
from engine.api.wire.answer import CARD
from engine.catalog.bundled import find_catalog
from engine.catalog.file import load_catalog
from engine.catalog.folders import cache_folder
from engine.catalog.operator import make_operator
from engine.data.snapshot import copy_table
from engine.errors import DataError
from engine.pipeline.engine import Engine
from engine.pricing.clip_bounds.histograms import Calibrations
from engine.pricing.query_terms import Request
from engine.workflows import rehearsal as module
from engine.workflows.rehearsal import rehearsal
from tests.engine.town import CATALOG, ROWS, make_town
from tests.engine.windowed_town import DAYS, WINDOWED
from tests.support.neighbours.attack_catalog import CANARIES, attack_catalog
from tests.support.statistics.calibrated import made_up_calibration
from tests.support.statistics.mibici import needs_mibici
from tests.support.statistics.repeatable_noise import repeatable_noise

ANN = Request("ann", rho=Fraction(1, 20))
OPERATOR = {  # question -> how many keys, where the catalog says so
    "SELECT p.category, COUNT(*) AS n FROM visit v JOIN place p USING (place_id) GROUP BY p.category": None,
    "SELECT s.gender, AVG(v.dwell_min) AS m FROM visit v JOIN subscriber s USING (subscriber_id) GROUP BY 1": None,
    "SELECT hour(ts) AS h, COUNT(DISTINCT subscriber_id) AS n FROM event GROUP BY 1": 24,
    "SELECT o_zone, d_zone, COUNT(*) AS n FROM trip WHERE o_zone <> d_zone GROUP BY 1, 2": None,
    "SELECT visit_date, COUNT(*) AS n FROM passby GROUP BY 1": 32,
}


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Use a cache folder of this test alone."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("PASSERSBY_CACHE", str(folder))
    return folder


@pytest.fixture(autouse=True)
def few(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make few persons up, but for the operator."""
    if "operator" not in request.fixturenames:
        monkeypatch.setattr("engine.workflows.rehearsal.PERSONS", 300)


def rehearsed(catalog: Catalog, sql: str) -> list[dict[str, Any]]:
    with rehearsal(catalog) as stage:
        rows: list[dict[str, Any]] = stage.answer(sql, ANN).answer.table.to_pylist()
    return rows


@pytest.fixture(scope="module")
def operator(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """Make a very small operator."""
    folder = tmp_path_factory.mktemp("operator")
    make_operator(folder, 2_000)
    return load_catalog(folder / "catalog.toml")


def test_the_operator_rehearses(operator: Catalog) -> None:
    with rehearsal(operator) as stage:
        for sql, keys in OPERATOR.items():
            table = stage.answer(sql, ANN).answer.table
            assert table.num_rows == keys or (keys is None and table.num_rows > 1)
            assert all(table.column(i).null_count < table.num_rows for i in range(table.num_columns))


def test_synthetic_rows_are_made_once(operator: Catalog, cache: Path) -> None:
    with rehearsal(operator):
        (file,) = cache.glob("rehearsal-*/made-up.duckdb")
        made = file.stat().st_mtime_ns
    with rehearsal(operator):
        assert file.stat().st_mtime_ns == made
        assert len(list(cache.glob("rehearsal-*"))) == 1


@needs_mibici
def test_mibici_rehearses() -> None:
    mibici = find_catalog("mibici")
    found = rehearsed(mibici, "SELECT origin_zone, COUNT(*) AS n FROM trips GROUP BY origin_zone")
    with rehearsal(mibici) as stage:
        zones = stage.backend.count("SELECT * FROM stage.main.zones")
        looked_up = "SELECT 1 AS x FROM stage.main.trips t JOIN stage.main.stations s ON t.origin_id = s.station_id"
        assert stage.backend.count(f"{looked_up} WHERE t.origin_zone = s.zone_id") > 1000  # of 6,000 trips
        assert stage.backend.count(f"{looked_up} WHERE t.origin_zone <> s.zone_id") == 0
    assert len(found) == zones


def test_the_catalog_of_the_attacks_rehearses_without_a_canary(tmp_path: Path) -> None:
    catalog = attack_catalog(tmp_path)
    assert len(rehearsed(catalog, "SELECT hour(ts) AS h, COUNT(*) AS n FROM events GROUP BY 1")) == 25
    with rehearsal(catalog) as stage:
        for table in ("events", "subscribers"):
            text = stage.backend.public(f"SELECT * FROM stage.main.{table}").to_pydict()
            values = {str(value) for column in text.values() for value in column}
            assert not {"ZZ-CANARY-7f3a", "86399", "24.748219", "9999"} & values
    assert "ZZ-CANARY-7f3a" in CANARIES


def test_private_files_need_not_exist(tmp_path: Path) -> None:
    """Only the zones are there: no file of a person can have been opened."""
    catalog = make_town(tmp_path, rows=ROWS[ROWS.index("CREATE TABLE zone") :])
    sql = "SELECT v.zone, p.gender, COUNT(*) AS n FROM visit v JOIN person p USING (person_id) GROUP BY 1, 2"
    assert len(rehearsed(catalog, sql)) == 7 * 3
    assert len(rehearsed(catalog, "SELECT SUM(price) AS s FROM purchase")) == 1


def test_private_files_that_exist_are_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    private = CATALOG.replace('duckdb = "town.duckdb", table = "zone"', 'duckdb = "zones.duckdb", table = "zone"')
    catalog = make_town(tmp_path, declared=private)
    shutil.copy(tmp_path / "town.duckdb", tmp_path / "zones.duckdb")
    opened: list[str] = []

    def watched(connection: duckdb.DuckDBPyConnection, catalog: Catalog, table: Any, progress: Any) -> None:
        opened.append(table.source.path)
        copy_table(connection, catalog, table, progress)

    monkeypatch.setattr("engine.data.snapshot.copy_table", watched)
    (tmp_path / "town.duckdb").chmod(0o000)
    rehearsed(catalog, "SELECT COUNT(*) AS n FROM visit")
    assert opened == [str(tmp_path / "zones.duckdb")]


def test_the_rows_are_the_same_whatever_the_private_data(tmp_path: Path) -> None:
    stages = []
    for folder, rows in ((tmp_path / "one", ROWS), (tmp_path / "other", ROWS.replace("range(1, 3001)", "range(1, 9)"))):
        folder.mkdir()
        with rehearsal(make_town(folder, rows=rows)) as stage:
            stages.append(
                [stage.backend.public(f"SELECT * FROM stage.main.{t}").to_pydict() for t in ("person", "visit")]
            )
    assert stages[0] == stages[1]


def test_nothing_is_charged(engine: Engine) -> None:
    with rehearsal(engine.catalog) as stage:
        assert stage.ledger is not engine.ledger
        charged = stage.answer("SELECT COUNT(*) AS n FROM visit", ANN).charged_loss
        assert charged.pico_rho == 5 * 10**10, "a rehearsal says what the question would cost"
    assert (engine.ledger.entries(), engine.ledger.accounts()) == ((), ())


def test_every_rehearsal_begins_with_nothing_spent(town: Catalog) -> None:
    sql = "SELECT zone, COUNT(*) AS n FROM visit GROUP BY zone"
    answers = []
    for _ in range(3):
        with rehearsal(town) as stage:
            answers.append(stage.answer(sql, Request("ann", rho=town.datasets[0].budget.client_rho)).answer.table)
    assert not answers[0].equals(answers[1]), "the noise is real"
    with rehearsal(town) as stage, pytest.raises(BudgetRefused):
        stage.answer(sql, Request("ann", rho=2 * town.datasets[0].budget.client_rho))


def test_a_rehearsal_refuses_what_a_query_refuses(town: Catalog) -> None:
    with rehearsal(town) as stage, pytest.raises(Refusal):
        stage.answer("SELECT shop FROM visit", ANN)


def test_synthetic_rows_are_cached_until_catalog_or_public_rows_change(tmp_path: Path, cache: Path) -> None:
    seen: set[str] = set()
    for declared, rows, count in (
        (CATALOG, ROWS, 1),
        (CATALOG, ROWS, 2),  # the file of zones is new
        (CATALOG.replace("[0, 9]", "[0, 90]"), None, 3),
        (CATALOG.replace("rho = 0.2", "rho = 0.3"), None, 3),  # a budget makes no row
    ):
        if rows is not None:
            (tmp_path / "town.duckdb").unlink(missing_ok=True)
            catalog = make_town(tmp_path, rows=rows, declared=declared)
            catalog = make_town(tmp_path, rows="SELECT 1", declared=declared)
        else:
            (tmp_path / "catalog.toml").write_text(declared)
            catalog = load_catalog(tmp_path / "catalog.toml")
        with rehearsal(catalog):
            (kept,) = cache.glob("rehearsal-*")
            assert len(seen := seen | {kept.name}) == count


def test_the_copy_is_its_owners_alone_and_nothing_else_stays(town: Catalog, cache: Path) -> None:
    with rehearsal(town):
        pass
    (folder,) = cache.iterdir()
    assert folder.stat().st_mode & 0o777 == 0o700
    kept = {file.name: file.stat().st_mode & 0o777 for file in folder.iterdir()}
    assert kept == {"made-up.duckdb": 0o600, "of.json": 0o600}


def meddled(monkeypatch: pytest.MonkeyPatch, acts: list[Callable[[Path], object]]) -> None:
    """Run a function each time between the stage's creation and its opening."""
    made = module._synthetic_database

    def meanwhile(catalog: Catalog, cache: Path) -> Path:
        target = made(catalog, cache)
        acts.pop(0)(target)
        return target

    monkeypatch.setattr(module, "_synthetic_database", meanwhile)


def test_a_stage_that_another_state_of_the_catalog_removes_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog = make_town(tmp_path)
    (tmp_path / "catalog.toml").write_text(CATALOG.replace("[0, 9]", "[0, 90]"))
    other = load_catalog(tmp_path / "catalog.toml")
    made, cache = module._synthetic_database, cache_folder()
    meddled(monkeypatch, [lambda _: made(other, cache), lambda _: None])
    assert len(rehearsed(catalog, "SELECT SUM(price) AS s FROM purchase")) == 1


def test_a_stage_is_made_again_once_and_only_where_it_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    catalog, gone = make_town(tmp_path), lambda file: shutil.rmtree(file.parent)
    for acts, left in (([gone, gone, gone], 1), ([lambda file: file.write_text("x"), gone], 1)):
        with monkeypatch.context() as patched:
            meddled(patched, acts)
            with pytest.raises(DataError), rehearsal(catalog):
                pass
        assert len(acts) == left


def test_public_files_that_are_missing_are_named(tmp_path: Path) -> None:
    catalog = make_town(tmp_path)
    (tmp_path / "town.duckdb").unlink()
    with pytest.raises(DataError, match="zone"), rehearsal(catalog):
        pass


def test_a_rehearsal_has_rows_in_every_declared_window(tmp_path: Path) -> None:
    text = WINDOWED.replace('day = { type = "DATE", range = ["2026-10-01", "2026-10-04"]', 'day = { type = "DATE"')
    with rehearsal(make_town(tmp_path, declared=text)) as stage:
        answered = stage.answer("SELECT day, COUNT(*) AS n FROM visit GROUP BY day", ANN)
    counted = answered.answer.table.to_pydict()
    assert [str(day) for day in counted["day"]] == list(DAYS) and min(counted["n"]) > 1_000


# ---------------------------------------------------------------- under a calibration

CALIBRATED = (
    "SELECT COUNT(*) AS n FROM visit",
    "SELECT zone, COUNT(*) AS n, SUM(minutes) AS s FROM visit GROUP BY zone",
    "SELECT zone, COUNT(DISTINCT person_id) AS n FROM visit GROUP BY zone",
    "SELECT SUM(price) AS n FROM purchase",
)


def half_widths(tmp_path: Path, sql: str) -> tuple[dict[str, float], dict[str, float]]:
    """Half-widths by column: of explain under a calibration, and of a rehearsal."""
    with closing(open_session(str(tmp_path / "catalog.toml"), ledger=":memory:")) as session:
        known = made_up_calibration(session.engine.catalog, [0, 0, 0, 0, 0, 0, 90, 90, 40], groups=[700])
        engine = replace(session.engine, calibrations=Calibrations({"town": known}))
        on = replace(session, engine=engine)
        explained, rehearsed = on.explain(sql, client="ann"), on.rehearse(sql, client="ann")
    card = json.loads(rehearsed.schema.metadata[CARD])
    expected = {name: error for name, error in explained["expected_error"].items() if error is not None}
    # lower ends may be cut off at 0
    shown = {
        name: max(high - value for (_, high), value in zip(card["intervals"][name], values, strict=True))
        for name, values in ((name, rehearsed.column(name).to_pylist()) for name in expected)
    }
    return expected, shown


@pytest.mark.parametrize("sql", CALIBRATED)
def test_a_rehearsal_has_the_half_widths_that_explain_names(
    tmp_path: Path, sql: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.workflows.rehearsal.add_noise", repeatable_noise())
    make_town(tmp_path)
    expected, shown = half_widths(tmp_path, sql)
    assert expected and shown == pytest.approx(expected)
    monkeypatch.setattr(
        "engine.workflows.rehearsal.rehearsal", lambda catalog, _: rehearsal(catalog)
    )  # planted: as before
    expected, shown = half_widths(tmp_path, sql)
    assert shown != pytest.approx(expected, rel=0.05)
