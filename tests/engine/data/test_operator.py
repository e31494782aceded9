"""The bundled operator: the same rows everywhere, tables as promised, and people who differ as people do."""

from __future__ import annotations

import re
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

import dialect
from dialect.algebra.release_plan import ClipRule
from dialect.catalog.model import Catalog, ColumnValues, SqlType, Table, ValueList, ValueRange
from engine.catalog.file import load_catalog
from engine.catalog.operator import make as make_module
from engine.catalog.operator import make_operator, operator_path
from engine.data.files.derived_columns import source_type
from tests.support.timeouts import MAX_SECONDS
from tests.support.tree import ROOT

EVENTS = 300_000  # several row groups, so that threads have something to share
TRUE_OF_IT = dict(
    re.findall(r"^# title: (.+)\n([^;]+);", (ROOT / "tests/sql/operator.sql").read_text(encoding="utf-8"), re.MULTILINE)
)
QUESTIONS = ROOT.parent / "shared" / "questions"
PRIVATE = ("subscriber", "event", "visit", "passby", "trip")
COLUMNS = {
    "subscriber": "subscriber_id UBIGINT, age_band VARCHAR, gender VARCHAR, contract_type VARCHAR, home_mcc SMALLINT, "
    "home_zone VARCHAR, work_zone VARCHAR, jurisdiction VARCHAR, consent_state VARCHAR, weight DOUBLE",
    "event": "subscriber_id UBIGINT, ts TIMESTAMP, cell_id VARCHAR, event_type VARCHAR, domain VARCHAR, tac INTEGER, "
    "mcc SMALLINT",
    "visit": "subscriber_id UBIGINT, visit_id UBIGINT, place_id VARCHAR, zone_id VARCHAR, h3_9 VARCHAR, "
    "start_ts TIMESTAMP, end_ts TIMESTAMP, dwell_min DOUBLE, approach_dir VARCHAR, prev_zone VARCHAR, "
    "next_zone VARCHAR, visit_date DATE",
    "passby": "subscriber_id UBIGINT, place_id VARCHAR, ts TIMESTAMP, heading VARCHAR, visit_date DATE",
    "trip": "subscriber_id UBIGINT, trip_id UBIGINT, o_zone VARCHAR, d_zone VARCHAR, via_zones VARCHAR[], "
    "dep_ts TIMESTAMP, arr_ts TIMESTAMP, dist_km DOUBLE, mode VARCHAR, o_activity VARCHAR, d_activity VARCHAR, "
    "trip_date DATE",
    "cell": "cell_id VARCHAR, site_id VARCHAR, lon DOUBLE, lat DOUBLE, azimuth_deg DOUBLE, beam_deg DOUBLE, "
    "range_m DOUBLE, technology VARCHAR, valid_from DATE, valid_to DATE, zone_id VARCHAR, h3_9 VARCHAR",
    "zone": "zone_id VARCHAR, name VARCHAR, level SMALLINT, parent_id VARCHAR, iso2 VARCHAR, lon DOUBLE, lat DOUBLE, "
    "area_km2 DOUBLE, population INTEGER, shape VARCHAR",
    "place": "place_id VARCHAR, name VARCHAR, category VARCHAR, lon DOUBLE, lat DOUBLE, radius_m DOUBLE, "
    "zone_id VARCHAR, h3_9 VARCHAR",
    "calendar": "d DATE, iso_dow SMALLINT, is_weekend BOOLEAN, is_holiday BOOLEAN",
    "dim_age": "age_band VARCHAR",
    "dim_gender": "gender VARCHAR",
    "dim_hour": "h SMALLINT",
    "dim_dir": "approach_dir VARCHAR",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_operator(tmp_path_factory.mktemp("operator"), EVENTS).parent


@pytest.fixture(scope="module")
def operator(folder: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(str(folder / "operator.duckdb"), read_only=True) as connection:
        yield connection


@pytest.fixture(scope="module")
def catalog(folder: Path) -> Catalog:
    return load_catalog(folder / "catalog.toml")


@pytest.fixture(scope="module")
def declared(folder: Path) -> Catalog:
    """Load the operator's catalog as it was with norms."""
    text = Path("tests/support/catalogs_with_norms/operator.toml").read_text(encoding="utf-8")
    (folder / "declared.toml").write_text(text, encoding="utf-8")
    return load_catalog(folder / "declared.toml")


def _one(connection: duckdb.DuckDBPyConnection, sql: str) -> tuple:
    rows = connection.execute(sql).fetchall()
    assert len(rows) == 1
    return rows[0]


def _digests(database: Path) -> dict[str, tuple]:
    """Row count of each table, and a sum over its rows that is independent of their order."""
    with duckdb.connect(str(database), read_only=True) as connection:
        return {t: _one(connection, f"SELECT count(*), sum(hash(t)::HUGEINT) FROM {t} t") for t in COLUMNS}


@pytest.mark.parametrize("threads", [1, 4])
def test_threads_and_slices_change_no_row(
    tmp_path: Path, folder: Path, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(make_module, "SUBSCRIBERS_PER_SLICE", 10_000 // threads**2)
    made = make_operator(tmp_path, EVENTS, threads=threads)
    assert _digests(made) == _digests(folder / "operator.duckdb")


def test_order_changes_no_row_and_is_kept(tmp_path: Path, operator: duckdb.DuckDBPyConnection) -> None:
    back = "SELECT count(*) FROM (SELECT {0} < lag({0}) OVER (ORDER BY rowid) AS back FROM {1}) WHERE back"
    by_time = make_operator(tmp_path / "time", 20_000, order="time")
    assert _digests(by_time) == _digests(make_operator(tmp_path / "person", 20_000))
    with duckdb.connect(str(by_time), read_only=True) as connection:
        assert _one(connection, back.format("ts", "event")) == (0,)
    for table in PRIVATE:
        assert _one(operator, back.format("subscriber_id", table)) == (0,)


def test_the_operator_has_the_requested_size(operator: duckdb.DuckDBPyConnection) -> None:
    assert _one(operator, "SELECT count(*) FROM event")[0] == pytest.approx(EVENTS, rel=0.15)


@pytest.mark.parametrize("table", COLUMNS)
def test_tables_are_those_that_are_promised(operator: duckdb.DuckDBPyConnection, table: str) -> None:
    described = operator.execute(f"DESCRIBE {table}").fetchall()
    assert ", ".join(f"{name} {kind}" for name, kind, *_ in described) == COLUMNS[table]


def test_files_are_the_owners_alone(folder: Path) -> None:
    assert stat.S_IMODE((folder / "operator.duckdb").stat().st_mode) == 0o600
    assert stat.S_IMODE((folder / "catalog.toml").stat().st_mode) == 0o600
    assert sorted(path.name for path in folder.iterdir()) == ["catalog.toml", "operator.duckdb"]


def test_the_cached_operator_is_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PASSERSBY_CACHE", str(tmp_path / "cache"))
    told: list[tuple[str, float]] = []
    catalog = operator_path(10_000, lambda stage, fraction: told.append((stage, fraction)))
    assert load_catalog(catalog).name == "operator"
    assert told[0] == ("city", 0.0)
    assert told[-1] == ("done", 1.0)
    assert [fraction for _, fraction in told] == sorted(fraction for _, fraction in told)
    assert stat.S_IMODE(catalog.parent.stat().st_mode) == 0o700
    told.clear()
    assert operator_path(10_000, lambda stage, fraction: told.append((stage, fraction))) == catalog
    assert not told


@pytest.mark.parametrize(("events", "told"), [("1e4", "catalog.toml"), ("many", "write a number"), ("0", "from 1 to")])
def test_one_command_makes_the_operator(tmp_path: Path, events: str, told: str) -> None:
    command = [
        sys.executable,
        "-m",
        "engine.catalog.operator",
        "--events",
        events,
        "--order",
        "time",
        "--into",
        str(tmp_path),
    ]
    run = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=MAX_SECONDS)
    assert told in run.stdout + run.stderr
    assert (run.returncode == 0) == (tmp_path / "operator.duckdb").exists() == (events == "1e4")


@pytest.mark.parametrize("events", [0, -5, 10**11])
def test_an_impossible_size_is_refused(tmp_path: Path, events: int) -> None:
    with pytest.raises(ValueError, match="an operator has 1 to"):
        make_operator(tmp_path, events)
    assert not list(tmp_path.iterdir())


def test_size_classes_follow_the_size(catalog: Catalog, tmp_path: Path) -> None:
    large = load_catalog(make_module.write_catalog(tmp_path, 10**8))
    assert [t.size_class for t in (*catalog.tables, *large.tables) if t.name == "event"] == ["1e5", "1e8"]


def _domain_sql(column_domain: ValueList | ValueRange | ColumnValues) -> str:
    match column_domain:
        case ColumnValues(table, column):
            return f"IN (SELECT {column} FROM {table})"
        case ValueRange(lower, upper):
            return f"BETWEEN {lower!r} AND {upper!r}"
        case ValueList(values):
            return f"IN ({', '.join(map(repr, values))})"


@pytest.mark.parametrize("table", COLUMNS)
def test_catalog_describes_the_table(operator: duckdb.DuckDBPyConnection, catalog: Catalog, table: str) -> None:
    declared = catalog.tables_by_name.get(table)
    assert declared
    assert ", ".join(f"{c.name} {source_type(c)}" for c in declared.columns) == COLUMNS[table]
    assert declared.private == (table in PRIVATE)
    for column in declared.columns:
        if not column.nullable:
            assert _one(operator, f"SELECT count(*) FROM {table} WHERE {column.name} IS NULL") == (0,)
        if column.domain:
            value = f"{column.name}::DATE" if column.type is SqlType.TIMESTAMP else column.name
            outside = f"SELECT count(*) FROM {table} WHERE NOT {value} {_domain_sql(column.domain)}"
            assert _one(operator, outside) == (0,), column.name
    if declared.primary_key:
        key = ", ".join(declared.primary_key)
        assert _one(operator, f"SELECT count(*) = count(DISTINCT ({key})) FROM {table}") == (True,)


def _clip_bounds(table: Table) -> Iterator[tuple[str, str, float]]:
    """Summand, group keys and clip bound, for rows, persons and sums."""
    assert table.clip_bounds
    yield "count(*)", "subscriber_id", table.clip_bounds.rows
    for by in table.clip_bounds.by_keys:
        keys = ", ".join(by.keys)
        pairs = [("count(*)", by.rows), ("1", by.persons), *((f"sum({name})", c) for name, c in by.sums.items())]
        yield from ((value, keys, norm) for value, norm in pairs if norm)
    yield from ((f"sum({c.name})", "subscriber_id", c.sum_clip_bound) for c in table.columns if c.sum_clip_bound)
    yield from (
        (f"sum({c.name} - {c.centre})", "subscriber_id", c.centred_sum_clip_bound)
        for c in table.columns
        if c.centred_sum_clip_bound
    )


@pytest.mark.parametrize("table", ["event", "visit", "passby", "trip"])
def test_clip_bounds_bind_for_few_people(operator: duckdb.DuckDBPyConnection, declared: Catalog, table: str) -> None:
    found = declared.tables_by_name.get(table)
    assert found
    for value, keys, norm in _clip_bounds(found):
        groups = f"SELECT subscriber_id, {value}::DOUBLE AS v FROM {table} GROUP BY subscriber_id, {keys}"
        norms = f"SELECT sqrt(sum(v * v)) AS n FROM ({groups}) GROUP BY subscriber_id"
        (share,) = _one(operator, f"SELECT avg((n > {norm})::INT) FROM ({norms})")
        # a presence in few groups has a largest norm, which may be the declared one
        assert (0 if value == "1" else 0.005) <= share < 0.1, (value, keys, norm)


@pytest.mark.parametrize(
    ("keys", "known"),
    [
        ("hour(ts)", True),
        ("gender, hour(ts)", True),  # a person has one
        ("hour(ts), dayofweek(ts)", False),
        ("ts::DATE, hour(ts)", False),
        ("cell_id, event_type", False),
    ],
)
def test_the_clipping_bias_of_undeclared_groups_is_unknown(declared: Catalog, keys: str, known: bool) -> None:
    sql = f"SELECT {keys}, COUNT(DISTINCT subscriber_id) FROM event JOIN subscriber USING (subscriber_id) GROUP BY ALL"
    (plan,) = dialect.compile_query(sql, declared).plans
    (made,) = dialect.bound_contributions(plan, declared, 1_000).vectors
    assert made.rule is ClipRule.SCALE and (made.predicted_bias is not None) == known


@pytest.mark.parametrize("title", TRUE_OF_IT)
def test_the_operator_has_its_documented_properties(operator: duckdb.DuckDBPyConnection, title: str) -> None:
    assert _one(operator, TRUE_OF_IT[title]) == (True,)


def _questions() -> dict[str, str]:
    if not QUESTIONS.exists():
        return {}
    text = (QUESTIONS / "questions.sql").read_text(encoding="utf-8")
    parts = re.split(r"^-- (?=Q\d+ )", text, flags=re.MULTILINE)[1:]
    return {part.split()[0]: part.split("\n", 1)[1] for part in parts}


@pytest.mark.skipif(not QUESTIONS.exists(), reason="the analysts' questions are absent: they lie beside the project")
def test_every_question_has_an_answer(operator: duckdb.DuckDBPyConnection) -> None:
    macros = (QUESTIONS / "macros.sql").read_text(encoding="utf-8")
    with operator.cursor() as cursor:
        cursor.execute(macros.replace("CREATE MACRO", "CREATE TEMP MACRO"))
        rows = {name: len(cursor.execute(sql).fetchall()) for name, sql in _questions().items()}
    assert len(rows) >= 24
    assert min(rows.values()) > 1, rows
    assert rows["Q12"] == 144
    assert rows["Q25"] > 50
