"""Unclipped units are summed without rows of their own: the integers equal those of one row per person and group."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from random import Random

import duckdb
import pyarrow as pa
import pytest

from dialect import bound_contributions, generate_sql
from dialect.algebra.codegen_types import Shortcut, Target
from dialect.algebra.release_plan import PrivatePlan
from dialect.catalog.model import Catalog, Eligibility, IsIn

light_units, render = (
    import_module("dialect.codegen.contribution.unclipped_units"),
    import_module("dialect.codegen.bounded_sql"),
)
Plans = Callable[[str], PrivatePlan]
Rows = list[tuple[object, ...]]
Vectors = Callable[[PrivatePlan], Rows]
BY_CELL = "SELECT cell_id, {} FROM events GROUP BY 1"
AT_CELLS = (
    "SELECT c.zone, COUNT(*) FROM events e JOIN cells c ON c.cell_id = e.cell_id GROUP BY 1"  # one cell is there twice
)
IN_CELLS = "JOIN (SELECT cell_id, zone, LEAST(GREATEST(lat, 0), 100) AS x FROM cells) c USING (cell_id)"
AGAIN = (
    BY_CELL.format("COUNT(*)"),
    BY_CELL.format("SUM(dwell_s)"),
    BY_CELL.format("AVG(dwell_s), COUNT(*)"),
    BY_CELL.format("COUNT(*) FILTER (WHERE dwell_s > 60), SUM(dwell_s) FILTER (WHERE lat > 20.7), COUNT(lon)"),
    BY_CELL.format("VARIANCE(lat), SUM(LEAST(dwell_s, 900))"),
    "SELECT hour(ts) AS h, cell_id, COUNT(*) FROM events WHERE dwell_s > 10 GROUP BY ALL",
    "SELECT date_trunc('day', ts) AS d, COUNT(*) FROM events WHERE ts < TIMESTAMP '2026-10-04' AND ts >= TIMESTAMP '2026-10-02' GROUP BY 1",
    "SELECT h.h, e.cell_id, COUNT(*) FROM events e JOIN hours h ON h.h = hour(e.ts) GROUP BY 1, 2",
    "SELECT e.cell_id, COUNT(*) FROM events e LEFT JOIN hours h ON h.h = hour(e.ts) + 12 GROUP BY 1",
    f"SELECT c.zone, SUM(c.x), COUNT(*) FROM events e {IN_CELLS} GROUP BY 1",
    AT_CELLS,
    "SELECT s.gender, e.cell_id, COUNT(*) AS n FROM events e JOIN subscribers s USING (subscriber_id) GROUP BY 1, 2",
)
KEPT = (
    "SELECT hour(ts) AS h, COUNT(*), SUM(dwell_s) FROM events WHERE cell_id = 3 GROUP BY 1",
    "SELECT cell_id, COUNT(*), SUM(m) FROM (SELECT subscriber_id, cell_id, hour(ts) AS h, MAX(dwell_s) AS m FROM events GROUP BY 1, 2, 3) GROUP BY 1",
    f"SELECT c.zone, hour(ts) AS h, SUM(c.x) FROM events e {IN_CELLS} WHERE e.cell_id = 3 GROUP BY 1, 2",
    "SELECT a.cell_id, COUNT(*) FROM events a JOIN events b ON a.subscriber_id = b.subscriber_id AND a.ts < b.ts GROUP BY 1",
)
OTHERWISE = (
    BY_CELL.format("COUNT(*), COUNT(DISTINCT subscriber_id)"),
    BY_CELL.format("COUNT(DISTINCT hour(ts))"),
    "SELECT COUNT(*) FROM events",
    "SELECT s.gender, COUNT(*) FROM events e JOIN subscribers s USING (subscriber_id) GROUP BY 1",
    "SELECT gender, COUNT(*) FROM subscribers GROUP BY 1",
    "SELECT WITH DIFFERENTIAL_PRIVACY OPTIONS(max_groups_contributed = 2) cell_id, COUNT(*) FROM events GROUP BY 1",
    "SELECT cell_id + age, COUNT(*) FROM events JOIN subscribers USING (subscriber_id) GROUP BY 1",
)
ODD = (
    "NULL",
    "CAST('nan' AS DOUBLE)",
    "CAST('-inf' AS DOUBLE)",
    "-1e308",
    "7300",
    "0",
    "600",
    "5000",
    "0.00006103515625",
)


def _run(person: int | str, times: int, cell: object, hour: int, dwell: object, lat: object = 20.8) -> list[str]:
    ts = f"TIMESTAMP '2026-10-0{1 + hour % 5} {hour:02}:00:00'"
    return [f"({person}, {ts}, {cell}, 1.0, {lat}, {dwell})"] * times


def _at_the_clip_bound() -> list[str]:
    """Persons just below, at and above a clip bound: of 20 rows, a sum of 20,000, a centred sum of 10,000."""
    rows = _run("NULL", 30, 3, 8, 50)
    for person, times in ((1, 19), (2, 20), (3, 21), (4, 20), (5, 21)):
        rows += (
            _run(person, times, 3, 8, 0) if person < 4 else _run(person, times - 1, 3, 8, 0) + _run(person, 1, 4, 9, 0)
        )
    rows += _run(6, 4, 3, 8, 5000) + _run(7, 4, 3, 8, 5000) + _run(7, 1, 3, 8, 0.001)
    rows += _run(8, 2, 3, 8, 7200) + _run(8, 12, 4, 8, 0)  # its signs cancel: 13,200 and -7,200
    rows += _run(9, 11, 3, 8, 0) + _run(9, 4, 14, 8, 0)  # the cell that is there twice: 22 rows and 4
    rows += _run(11, 40, "NULL", 8, 1) + _run(12, 20, "NULL", 8, 1) + _run(13, 20, 99, 8, 1) + _run(13, 21, 3, 8, 1)
    rows += _run(20, 300, 3, 8, 7200) + _run(30, 1, 5, 0, "NULL")  # who does not consent; who has no value
    return rows


def _drawn(seed: int) -> list[str]:
    draw, rows = Random(seed), _at_the_clip_bound()
    for person in range(101, 140):
        for _ in range(draw.choice((1, 2, 3, 6, 40))):
            cell, hour = draw.choice((1, 2, 3, 3, 14, "NULL", 99)), draw.randrange(24)
            rows += _run(
                person, draw.choice((1, 1, 2, 9, 20)), cell, hour, draw.choice(ODD), draw.choice(("NULL", 20.6, 21))
            )
    return rows


@pytest.fixture(scope="module")
def drawn(folder: Path) -> Iterator[Callable[[int], duckdb.DuckDBPyConnection]]:
    """Databases of the catalog with drawn events."""
    with duckdb.connect(config={"threads": 2}) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(f"ATTACH '{folder}/D/attack.duckdb' AS d (READ_ONLY)")
        for table in ("subscribers", "cells", "hours"):
            connection.execute(f"CREATE TABLE {table} AS FROM d.{table}")
        connection.register("opt_outs", pa.table({"person": pa.array(["101", "2"], pa.string())}))

        known = set[int]()

        def made(seed: int) -> duckdb.DuckDBPyConnection:
            if seed not in known:
                connection.execute(f"CREATE TABLE drawn{seed} AS FROM d.events LIMIT 0")
                connection.execute(f"INSERT INTO drawn{seed} VALUES {', '.join(_drawn(seed))}")
                known.add(seed)
            connection.execute(f"CREATE OR REPLACE TABLE events AS FROM drawn{seed}")
            return connection

        yield made


@pytest.fixture(scope="module")
def admissions(catalog: Catalog) -> tuple[Eligibility | None, ...]:
    """Nobody asked; who has objected alone; who consents and has not objected."""
    return (
        None,
        Eligibility("BIGINT", None),
        Eligibility("BIGINT", catalog.tables_by_name.get("subscribers"), (IsIn("consent", (True,)),)),
    )


def _both(
    plan: PrivatePlan, connection: duckdb.DuckDBPyConnection, catalog: Catalog, target: Target, who: Eligibility | None
) -> tuple[Rows, Rows]:
    """Run a plan with unclipped units separated, and with one row per unit and group."""
    bounds, found = bound_contributions(plan, catalog, 400), []
    for without in (set(), {Shortcut.UNCLIPPED_UNITS}):
        text = generate_sql(plan, bounds, replace(target, shortcuts=target.shortcuts - without), who).text
        assert ("norm_tests" in text) == (not without)
        found.append(connection.execute(text).fetchall())
    return found[0], found[1]


@pytest.mark.parametrize("sql", AGAIN + KEPT)
def test_the_unclipped_shortcut_gives_the_integers_of_the_full_plan(
    sql: str, plan_of: Plans, drawn: Callable[[int], duckdb.DuckDBPyConnection], catalog: Catalog, target: Target,
    admissions: tuple[Eligibility | None, ...],
) -> None:  # fmt: skip
    plan = plan_of(sql)
    assert light_units.is_source_materialized(plan) == (sql in KEPT)
    for seed in range(2):
        for who in admissions:
            made, expected = _both(plan, drawn(seed), catalog, target, who)
            assert made == expected
            assert any(row[-1] for row in made)


def test_a_person_is_clipped_separately_in_each_privacy_window(
    plan_of: Plans, drawn: Callable[[int], duckdb.DuckDBPyConnection], catalog: Catalog, target: Target,
    admissions: tuple[Eligibility | None, ...],
) -> None:  # fmt: skip
    plan = plan_of("SELECT date_trunc('day', ts) AS d, cell_id, COUNT(*), AVG(dwell_s) FROM events GROUP BY ALL")
    windowed = replace(plan, charged_windows=replace(plan.charged_windows, window_field=plan.keys[0].field))
    assert set(windowed.unit_columns) == {"person", "win"}
    for who in admissions:
        made, expected = _both(windowed, drawn(1), catalog, target, who)
        assert made == expected != _both(plan, drawn(1), catalog, target, who)[0]


@pytest.mark.parametrize("sql", OTHERWISE)
def test_non_additive_aggregates_use_the_full_plan(sql: str, plan_of: Plans, catalog: Catalog) -> None:
    plan = plan_of(sql)
    assert not light_units.can_merge_unclipped(plan, bound_contributions(plan, catalog, 400))


def test_only_units_within_the_clip_bound_are_unclipped(
    plan_of: Plans, drawn: Callable[[int], duckdb.DuckDBPyConnection], catalog: Catalog, target: Target
) -> None:
    """The persons at the clip bound are classified as expected; else the equality above would prove little."""
    plan = plan_of(BY_CELL.format("COUNT(*)"))
    text = generate_sql(plan, bound_contributions(plan, catalog, 400), target).text
    rows = (
        drawn(0).execute(text.rpartition("\nSELECT")[0] + " SELECT person, clipped_person FROM norm_tests").fetchall()
    )
    assert [person for person, heavy in sorted(rows) if person < 30 and heavy is None] == [1, 2, 4, 6, 7, 8, 9, 12]
    assert {heavy for person, heavy in rows if person in (3, 5, 11, 13, 20)} == {3, 5, 11, 13, 20}


def _changed(name: str, change: Callable[[str], str]) -> Callable[[pytest.MonkeyPatch], None]:
    as_written = getattr(light_units, name)
    return lambda monkeypatch: monkeypatch.setattr(light_units, name, lambda *given: change(as_written(*given)))


PLANTED: dict[str, tuple[Callable[[pytest.MonkeyPatch], None], str]] = {
    "one row more than the norm": (_changed("_norm_upper_bound", lambda sql: f"({sql} - 1)"), BY_CELL.format("COUNT(*)")),
    "one grain more than the norm": (
        lambda m: m.setattr(light_units, "value_grains", lambda v, b: f"{v.value.id} * {2**b.value_bits} - 17"),
        BY_CELL.format("SUM(dwell_s)"),
    ),
    "different rows alone": (_changed("_norm_upper_bound", lambda sql: sql.replace("count(*)", "count(DISTINCT c0)")), AGAIN[0]),
    "signs that cancel": (_changed("_norm_upper_bound", lambda sql: sql.replace("abs(", "(")), BY_CELL.format("AVG(dwell_s)")),
    "rows that a join repeats": (lambda m: m.setattr(light_units, "matches_at_most_one_row", lambda *_: True), AT_CELLS),
    "one vector of two": (_changed("_norm_upper_bound", lambda sql: "0" if "sum" in sql else sql), BY_CELL.format("COUNT(*), SUM(dwell_s)")),
    "light units left out": (
        lambda m: m.setattr(render, "unclipped_sums", lambda *given: light_units.unclipped_sums(*given) + " AND k0 < 4"), AGAIN[0],
    ),
    "light units finer than they are": (
        lambda m: m.setattr(render, "unclipped_sums", lambda *given: light_units.unclipped_sums(*given).replace("* ", "* 2 * ")), AGAIN[0],
    ),
}  # fmt: skip


@pytest.mark.parametrize("bug", PLANTED)
def test_a_planted_bug_gives_other_integers(
    bug: str, plan_of: Plans, drawn: Callable[[int], duckdb.DuckDBPyConnection], catalog: Catalog, target: Target,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    plant, sql = PLANTED[bug]
    plant(monkeypatch)
    made, expected = _both(plan_of(sql), drawn(0), catalog, target, None)
    assert made != expected
