"""Layouts and rollups: the same exact integers as over raw data, also of neighbours and of who objects."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from typer.testing import CliRunner

import engine
from dialect import Catalog, compile_query
from dialect.analysis import predicates
from dialect.codegen import materialized_rollups
from engine.backends.duckdb import DuckDBBackend
from engine.backends.exact import Exact
from engine.catalog.file import load_catalog
from engine.data.layout import build_layout, layout_file, open_layout_or_snapshot
from engine.data.snapshot import open_snapshot
from engine.errors import CatalogError, DataError
from engine.pricing.compile_release import CompiledRelease, compile_release
from passersby.cli.app import app
from tests.engine.town import CATALOG, ROWS, make_town
from tests.engine.windowed_town import WINDOWED

BY_ZONE = """SELECT zone, day, count(*) AS n, count(coins) AS c, count(DISTINCT person_id) AS p, sum(minutes) AS m,
 sum(coins) AS s, count(*) FILTER (WHERE coins > 2) AS f, count(DISTINCT person_id) FILTER (WHERE coins > 2) AS q
 FROM visit GROUP BY zone, day"""
RICH = "SELECT zone, count(*) AS n, count(DISTINCT person_id) AS p FROM visit WHERE coins > 2 GROUP BY zone"
DECLARED = f"rollups = ['''{BY_ZONE}''', '''{RICH}''']"
BY_GENDER = """SELECT gender, count(*) AS n, count(DISTINCT person_id) AS p FROM visit JOIN person USING (person_id)
 GROUP BY gender"""
OF_GENDER = (BY_GENDER, "SELECT count(*) AS n FROM visit JOIN person USING (person_id) WHERE gender = 'f'")
ROLLED = (
    BY_ZONE,
    RICH,
    "SELECT zone, count(*) AS n, count(DISTINCT person_id) AS p FROM visit GROUP BY zone",
    "SELECT day, sum(coins) AS s, sum(minutes) AS m FROM visit WHERE zone <> 'z1' GROUP BY day",
    "SELECT count(*) AS n, count(DISTINCT person_id) AS p, count(coins) AS c FROM visit",
    "SELECT zone, count(*) FILTER (WHERE coins > 2) AS f FROM visit WHERE day >= DATE '2026-10-03' GROUP BY zone",
    "SELECT CASE WHEN zone = 'z1' THEN 'a' ELSE 'b' END AS k, count(DISTINCT person_id) AS p FROM visit GROUP BY 1",
    "SELECT zone, count(*) AS n FROM visit WHERE coins > 2 AND zone IN ('z1', 'z2') GROUP BY zone",
)
BY_ROWS = (
    "SELECT zone, count(*) AS n FROM visit WHERE minutes > 5 GROUP BY zone",
    "SELECT zone, count(DISTINCT shop) AS n FROM visit GROUP BY zone",
    "SELECT shop, count(*) AS n FROM visit GROUP BY shop",
    "SELECT gender, count(*) AS n FROM visit JOIN person USING (person_id) GROUP BY gender",
    "SELECT sum(price) AS s, count(*) AS n FROM purchase",
    "SELECT WITH DIFFERENTIAL_PRIVACY OPTIONS(max_rows_contributed = 2) zone, count(*) AS n FROM visit GROUP BY zone",
)
OBJECTED = pa.table({"person": pa.array(["3", "7", "nobody"])})
Planted = Callable[[duckdb.DuckDBPyConnection], object]


@dataclass
class Both:
    """One catalog's data, raw and laid out."""

    catalog: Catalog
    raw: DuckDBBackend
    laid: DuckDBBackend

    def prepared(self, sql: str) -> list[tuple[CompiledRelease, CompiledRelease]]:
        """Prepare a question over both."""
        plans = compile_query(sql, self.catalog).plans
        return [
            tuple(compile_release(p, self.catalog, b, Fraction(1, 10)) for b in (self.raw, self.laid)) for p in plans
        ]

    def differ(self, sql: str) -> bool:
        """Does any exact integer of a query differ, for any objections?"""
        pairs = [(one, other) for one, other in self.prepared(sql) if one.selection is None]
        return any(
            not same(self.raw.run(one.sql, who), self.laid.run(other.sql, who))
            for one, other in pairs
            for who in (OBJECTED.slice(0, 0), OBJECTED)
        )

    def close(self) -> None:
        """Close both."""
        self.raw.close()
        self.laid.close()


def same(one: Exact, other: Exact) -> bool:
    return one.keys.equals(other.keys) and all(map(np.array_equal, one.vectors, other.vectors))


def both(
    folder: Path, declared: str = CATALOG, rows: str = ROWS, planted: Planted | None = None, rollups: str = DECLARED
) -> Both:
    """Make a town, raw and laid out; `planted` spoils the layout."""
    folder.mkdir(exist_ok=True)
    catalog = make_town(folder, rows, declared.replace("[datasets.town.budget]", f"{rollups}\n[datasets.town.budget]"))
    cache = folder / "cache"
    made = open_snapshot(catalog, cache, lambda *_: None)
    raw = DuckDBBackend.open(made.files, made.addresses, cache)
    account = build_layout(catalog, cache, lambda *_: None)
    assert (
        account.rollups == rollups.count("SELECT")
        and account.bytes_after > 0
        and account.bytes_before > 0
        and account.seconds > 0
    )
    if planted is not None:
        with duckdb.connect(str(account.file)) as connection:
            planted(connection)
    found, kept = open_layout_or_snapshot(catalog, cache, lambda *_: None)
    assert len(kept) == account.rollups
    return Both(catalog, raw, DuckDBBackend.open(found.files, found.addresses, cache, rollups=kept))


@pytest.fixture(scope="module", params=[CATALOG, WINDOWED], ids=["forever", "by day"])
def town(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Both:
    made = both(tmp_path_factory.mktemp("laid") / "town", request.param)
    request.addfinalizer(made.close)
    return made


@pytest.mark.parametrize("sql", ROLLED)
def test_rollups_give_the_same_integers(town: Both, sql: str) -> None:
    assert all('"rollup ' in laid.sql.text and '"rollup ' not in raw.sql.text for raw, laid in town.prepared(sql))
    assert not town.differ(sql)


@pytest.mark.parametrize("declared", [CATALOG, WINDOWED], ids=["forever", "by day"])
def test_a_rollup_may_have_one_row_per_person(tmp_path: Path, declared: str) -> None:
    made = both(tmp_path / "town", declared, rollups=f"rollups = ['''{BY_GENDER}''']")
    for sql in OF_GENDER:
        assert all('"rollup ' in laid.sql.text for _, laid in made.prepared(sql)) and not made.differ(sql)
    made.close()


@pytest.mark.parametrize("sql", BY_ROWS)
def test_a_query_that_rollups_do_not_determine_reads_the_rows(town: Both, sql: str) -> None:
    assert not any('"rollup ' in laid.sql.text for _, laid in town.prepared(sql))
    assert not town.differ(sql)


def test_bounds_prices_and_names_of_releases_are_the_same(town: Both) -> None:
    for sql in (*ROLLED, *BY_ROWS):
        for raw, laid in town.prepared(sql):
            assert (raw.bounds, raw.cost, raw.release_key) == (laid.bounds, laid.cost, laid.release_key)


@pytest.mark.parametrize("declared", [CATALOG, WINDOWED], ids=["forever", "by day"])
def test_one_person_moves_rolled_up_numbers_at_most_by_the_sensitivity(tmp_path: Path, declared: str) -> None:
    whole = both(tmp_path / "whole", declared)
    rows = ROWS + "DELETE FROM visit WHERE person_id = 12 AND day = DATE '2026-10-04';"
    if declared is CATALOG:
        rows = ROWS + "DELETE FROM visit WHERE person_id = 12;"
    less = both(tmp_path / "less", declared, rows)
    moved = 0
    for sql in ROLLED:
        for (_, one), (_, other) in zip(whole.prepared(sql), less.prepared(sql), strict=True):
            exact = whole.laid.run(one.sql), less.laid.run(other.sql)
            for a, b, bound in zip(exact[0].vectors, exact[1].vectors, one.bounds.vectors, strict=True):
                distance = sum(int(d) ** 2 for d in a - b)
                assert distance <= bound.sensitivity**2
                moved += distance > 0
    assert moved > len(ROLLED)
    whole.close()
    less.close()


def _lose_a_group(connection: duckdb.DuckDBPyConnection) -> None:
    ((first,),) = connection.execute(
        "SELECT table_name FROM duckdb_columns() WHERE table_name LIKE 'rollup %' AND column_name = 'h1'"
    ).fetchall()
    connection.execute(
        f"""DELETE FROM "{first}" WHERE person = 12 AND h0 = (SELECT min(h0) FROM "{first}" WHERE person = 12)"""
    )


def _lose_a_row(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("DELETE FROM visit WHERE visit_id = 17")


@pytest.mark.parametrize(("spoil", "sql"), [(_lose_a_group, ROLLED[2]), (_lose_a_row, BY_ROWS[0])])
def test_a_planted_loss_is_found(tmp_path: Path, spoil: Planted, sql: str) -> None:
    spoilt = both(tmp_path / "town", planted=spoil)
    assert spoilt.differ(sql)
    spoilt.close()


def test_a_planted_reading_of_a_rollup_that_left_rows_out_is_found(town: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(materialized_rollups, "_covers", lambda *_: True)
    monkeypatch.setattr(town.laid, "target", replace(town.laid.target, rollups=town.laid.target.rollups[1:]))
    assert town.differ(ROLLED[2])


def test_changed_data_and_declarations_find_no_layout(tmp_path: Path) -> None:
    made = both(tmp_path / "town")
    made.close()
    cache, file = tmp_path / "town" / "cache", Path(made.catalog.path)
    text = file.read_text().replace("coins > 2) AS q", "coins > 3) AS q")
    file.write_text(text)
    changed = load_catalog(file)
    assert [each.plan.canonical_groups for each in open_layout_or_snapshot(changed, cache, lambda *_: None)[1]] == [
        compile_query(RICH, changed).plans[0].canonical_groups
    ]
    database = tmp_path / "town" / "town.duckdb"
    os.utime(database, ns=(0, database.stat().st_mtime_ns + 1_000_000))
    assert (
        open_layout_or_snapshot(changed, cache, lambda *_: None)[1] == () and not layout_file(changed, cache).exists()
    )


@pytest.mark.parametrize(
    ("sql", "why"),
    [
        ("SELECT zone, count(DISTINCT shop) FROM visit GROUP BY zone", "add up"),
        ("SELECT nothing FROM visit", "refused"),
        ("SELECT zone, stddev(coins) FROM visit GROUP BY zone", "add up"),
    ],
)
def test_a_query_that_cannot_be_a_rollup_is_refused_with_the_reason(tmp_path: Path, sql: str, why: str) -> None:
    declared = CATALOG.replace("[datasets.town.budget]", f'rollups = ["{sql}"]\n[datasets.town.budget]')
    with pytest.raises(CatalogError, match=why):
        build_layout(make_town(tmp_path, ROWS, declared), tmp_path / "cache", lambda *_: None)


def test_consent_that_is_withdrawn_finds_no_layout_though_the_file_is_as_it_was(tmp_path: Path) -> None:
    made = both(tmp_path / "town")
    made.close()
    cache, database = tmp_path / "town" / "cache", tmp_path / "town" / "town.duckdb"
    before = database.read_bytes()
    with duckdb.connect(str(database)) as writer:
        writer.execute("PRAGMA disable_checkpoint_on_shutdown")
        writer.execute("UPDATE person SET consent = 'no'")
    assert database.read_bytes() == before and Path(f"{database}.wal").exists(), "the change lies in the log alone"
    assert not layout_file(made.catalog, cache).exists()


def test_a_layout_is_not_read_while_its_data_can_not_be_opened(tmp_path: Path) -> None:
    made = both(tmp_path / "town")
    made.close()
    cache, database = tmp_path / "town" / "cache", tmp_path / "town" / "town.duckdb"
    times = database.stat()
    database.write_bytes(b"x" * times.st_size)
    os.utime(database, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert layout_file(made.catalog, cache).exists()
    with pytest.raises(DataError):
        open_layout_or_snapshot(made.catalog, cache, lambda *_: None)


def test_every_session_of_the_catalog_reads_its_layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PASSERSBY_CACHE", str(tmp_path / "cache"))
    declared = CATALOG.replace("[datasets.town.budget]", f"{DECLARED}\n[datasets.town.budget]")
    where = make_town(tmp_path, ROWS, declared).path
    told = CliRunner().invoke(app, ["catalog", "optimize", where, "--format", "json"])
    assert told.exit_code == 0, told.output
    account = json.loads(told.stdout)
    assert account["rollups"] == 2 and Path(account["file"]).stat().st_size == account["bytes_after"]
    assert Path(account["file"]).stat().st_mode & 0o077 == 0
    with engine.open_session(where, ledger=":memory:") as session:
        shown = session.explain(ROLLED[2], client="ana")
        assert '"rollup ' in shown["sql"] and session.query(ROLLED[2], client="ana").num_rows == 7


TIMED = ROWS + (
    "ALTER TABLE visit ADD COLUMN began TIMESTAMP; UPDATE visit SET began = CASE visit_id % 5"
    " WHEN 0 THEN TIMESTAMP '290309-12-22 (BC) 00:00:00' ELSE TIMESTAMP '2026-10-01 07:30:00' + to_hours(visit_id % 90) END;"
)
WITH_TIME = CATALOG.replace(
    'shop = { type = "VARCHAR" }',
    'shop = { type = "VARCHAR" }\nbegan = { type = "TIMESTAMP", range = ["2026-10-01", "2026-10-05"] }',
    1,
)
BY_HOUR = "SELECT date_trunc('hour', began) AS h, count(*) AS n FROM visit GROUP BY h"
FAR = (
    "SELECT hour(began) AS k, count(*) AS n FROM visit GROUP BY k",
    "SELECT count(*) AS n FROM visit WHERE began < TIMESTAMP '2026-10-03'",
)
NEAR = (
    "SELECT count(*) AS n FROM visit",
    "SELECT hour(began) AS k, count(*) AS n FROM visit WHERE began >= TIMESTAMP '2026-10-01' AND began < TIMESTAMP '2026-10-04' GROUP BY k",
)


def _over_hours(folder: Path) -> Both:
    return both(folder, WITH_TIME, TIMED, rollups=f'rollups = ["""{BY_HOUR}"""]')


def test_hourly_rollups_exclude_times_beyond_the_calendar(tmp_path: Path) -> None:
    made = _over_hours(tmp_path / "town")
    assert not any(made.differ(sql) for sql in (*FAR, *NEAR))
    rolled = {sql: all('"rollup ' in laid.sql.text for _, laid in made.prepared(sql)) for sql in (*FAR, *NEAR)}
    assert rolled == dict.fromkeys(FAR, False) | dict.fromkeys(NEAR, True)
    made.close()


@pytest.mark.parametrize("sql", FAR)
def test_planted_hourly_rollups_of_every_time_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sql: str
) -> None:
    made = _over_hours(tmp_path / "town")
    monkeypatch.setattr(materialized_rollups, "non_null_keys", lambda cells, _: cells)
    assert made.differ(sql)
    made.close()


NAMED = "SELECT name, count(*) AS n FROM visit JOIN zone USING (zone) GROUP BY name"
FIRST_OF = (
    "SELECT WITH DIFFERENTIAL_PRIVACY OPTIONS(max_groups_contributed = 1) {0}, count(*) AS n FROM {1} GROUP BY {0}"
)
ONE_NAME = FIRST_OF.format("name", "visit JOIN zone USING (zone)")  # over rows, ranks of the names are hashed
ONE_ZONE = FIRST_OF.format("zone", "visit")


@pytest.mark.parametrize("declared", [CATALOG, WINDOWED], ids=["forever", "by day"])
def test_the_same_groups_of_a_person_are_chosen(tmp_path: Path, declared: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Plant a bug: a hash of names that are stored chooses others than one of their ranks among public rows."""
    made = both(tmp_path / "town", declared, rollups=f"rollups = ['{NAMED}', '{BY_ZONE}']".replace("'", "'''"))
    rolled = {
        sql: all('"rollup ' in laid.sql.text for _, laid in made.prepared(sql)) for sql in (NAMED, ONE_NAME, ONE_ZONE)
    }
    assert rolled == {NAMED: True, ONE_NAME: False, ONE_ZONE: True} and not any(map(made.differ, rolled))
    monkeypatch.setattr(materialized_rollups, "_truncates_by_encoded_key", lambda *_: False)
    assert made.differ(ONE_NAME)
    made.close()


HUGE = "".join(f"UPDATE visit SET visit_id = {2**53 + more} WHERE visit_id = {21 + more};" for more in range(2))
LISTED = f"SELECT visit_id, count(*) AS n FROM visit WHERE visit_id IN (5, {2**53}) GROUP BY visit_id"
AS_DOUBLE = f"SELECT count(*) AS n FROM visit WHERE visit_id = {2**53}.0"  # true of the next whole number too


def test_a_double_that_several_whole_numbers_equal_names_none_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Plant a bug: a row that is equal to the double alone is looked for in a rollup of the whole number's."""
    made = both(tmp_path / "town", rows=ROWS + HUGE, rollups=f"rollups = ['{LISTED}']")
    assert not made.differ(LISTED) and not made.differ(AS_DOUBLE)
    monkeypatch.setattr(predicates, "_is_ambiguous_integer", lambda *_: False)
    assert made.differ(AS_DOUBLE)
    made.close()
