"""Suggestions of refusals are accepted and answer the refused query: newcomers' queries on the bundled operator."""

from __future__ import annotations

from pathlib import Path

import pytest

from dialect.catalog.model import Catalog
from engine.catalog.file import load_catalog
from tests.support.sql.refused import followed, refusal_of, sql_of

MINUTES = "DATE_DIFF('MINUTE', start_ts, end_ts)"
TRIED = {
    # a public table by its key, before a private one by its person
    "select zone_id, count(distinct subscriber_id) from event group by 1": "select zone_id, count(distinct subscriber_id) from event JOIN cell USING (cell_id) group by 1",
    "select h3_9, count(*) from event group by 1": "select h3_9, count(*) from event JOIN cell USING (cell_id) group by 1",
    # of a person's rows each meets the one row of that person
    "select gender, count(*) from visit group by 1": "select gender, count(*) from visit JOIN subscriber USING (subscriber_id) group by 1",
    # and never all of them all others
    "select count(*) from trip where place_id = 'P1'": "FROM visit",
    "select count(distinct dist_km) from visit": "FROM trip",
    "select isnull(mode,'x') m, count(*) from trip group by 1": "select coalesce(mode, 'x') m, count(*) from trip group by 1",
    "select count(*) from trip where mode == 'car' && dist_km > 5": "select count(*) from trip where mode == 'car' AND dist_km > 5",
    "select to_date(dep_ts) d, count(*) from trip group by 1": "select CAST(dep_ts AS DATE) d, count(*) from trip group by 1",
    "select datepart(hour, dep_ts) h, count(*) from trip group by 1": "select date_part('hour', dep_ts) h, count(*) from trip group by 1",
    "select first(place_id) from visit": "SELECT place_id, COUNT(*) FROM visit GROUP BY place_id",
    "select * from information_schema.tables": "SHOW TABLES",
    "select avg(end_ts - start_ts) from visit": f"select avg(LEAST(GREATEST({MINUTES}, 0), 1440)) from visit",
    "select histogram(dwell_min) from visit": "SELECT FLOOR(dwell_min / 10) * 10, COUNT(*) FROM visit GROUP BY FLOOR(dwell_min / 10) * 10",
    "select zone_id, hour(start_ts) h, count(*) from visit group by zone_id": "select zone_id, hour(start_ts) h, count(*) from visit group by zone_id, h",
    "select zone_id, hour(start_ts), count(*) from visit group by 1": "select zone_id, hour(start_ts), count(*) from visit group by 1, HOUR(start_ts)",
    # each table by its own, where rows of different people would be compared
    "select p.place_id, count(*) n, (select count(*) from visit v where v.place_id = p.place_id and v.dwell_min > 5) m from passby p group by 1 limit 3": "WITH p AS (SELECT p.place_id, COUNT(*) AS n FROM passby AS p GROUP BY 1), v AS (SELECT v.place_id, COUNT(*) AS m FROM visit AS v WHERE v.dwell_min > 5 GROUP BY 1) SELECT place_id, n, m FROM p JOIN v USING (place_id) LIMIT 3",
    "select p.place_id, count(distinct p.subscriber_id) n, avg(dwell_min) m from passby p join visit v using (place_id) group by 1 order by m": "WITH p AS (SELECT p.place_id, COUNT(DISTINCT p.subscriber_id) AS n FROM passby AS p GROUP BY 1), v AS (SELECT v.place_id, AVG(dwell_min) AS m FROM visit AS v GROUP BY 1) SELECT place_id, n, m FROM p JOIN v USING (place_id) ORDER BY m",
    "select count(distinct p.subscriber_id) n, count(distinct v.subscriber_id) m from passby p, visit v where p.place_id = v.place_id and p.place_id = 'P1'": "SELECT (SELECT COUNT(DISTINCT p.subscriber_id) FROM passby AS p WHERE p.place_id = 'P1') AS n, (SELECT COUNT(DISTINCT v.subscriber_id) FROM visit AS v WHERE v.place_id = 'P1') AS m",
    # the place that the question joins on, too
    "select count(p.heading || v.approach_dir) from passby p join visit v using (place_id)": "select count(p.heading || v.approach_dir) from passby p join visit v USING (subscriber_id, place_id)",
    "select month(trip_date) as m, count(*) from trip group by month": "select month(trip_date) as m, count(*) from trip group by m",
    "select hour(dep_ts), count(*) from trip group by hour": "select hour(dep_ts), count(*) from trip group by 1",
    # every day that is declared, not one
    "select start_ts d, count(*) from visit where zone_id = 'Z1' group by 1": "select date_trunc('hour', start_ts) d, count(*) from visit where zone_id = 'Z1' group by 1",
    # the asker's own end, and one more
    "select avg(least(date_diff('minute', start_ts, end_ts), 240)) from visit": f"select AVG(GREATEST(LEAST({MINUTES}, 240), 0)) from visit",
    "select avg(greatest(date_diff('minute', start_ts, end_ts), 5)) from visit": f"select AVG(LEAST(GREATEST({MINUTES}, 5), YOUR_MAX)) from visit",
    "select avg(greatest(date_diff('minute', start_ts, end_ts), 200)) from visit": f"select AVG(LEAST(GREATEST({MINUTES}, 200), YOUR_MAX)) from visit",
    "select avg(least(date_diff('minute', start_ts, end_ts), -5)) from visit": f"select AVG(GREATEST(LEAST({MINUTES}, -5), YOUR_MIN)) from visit",
    # a clause that reads what is computed
    "select mode, count(*) as n from trip where n > 100 and dist_km > 3 group by 1": "SELECT mode, COUNT(*) AS n FROM trip WHERE dist_km > 3 GROUP BY 1 HAVING n > 100",
    "select mode, rank() over (order by count(*) desc) r from trip where r <= 2 group by 1": "SELECT mode, RANK() OVER (ORDER BY COUNT(*) DESC) AS r FROM trip GROUP BY 1 QUALIFY r <= 2",
    # quotes and types
    "select count(*) from visit where place_id = P1": "select count(*) from visit where place_id = 'P1'",
    "select count(*) from trip where dist_km > '10'": "select count(*) from trip where dist_km > 10",
    "select count(*) from trip where 3 = mode": "select count(*) from trip where '3' = mode",
    "select count(*) from trip where dep_ts like '2026-10-05%'": "select count(*) from trip where CAST(dep_ts AS DATE) = DATE '2026-10-05'",
    "select `zone_id`, count(*) from visit group by 1": 'select "zone_id", count(*) from visit group by 1',
    "select [mode], count(*) from trip group by 1": "select mode, count(*) from trip group by 1",
}  # fmt: skip


@pytest.fixture(scope="module")
def operator() -> Catalog:
    return load_catalog(Path("engine/catalog/operator/catalog.toml"))


@pytest.mark.parametrize(("sql", "tried"), TRIED.items())
def test_a_suggestion_is_the_intended_query(sql: str, tried: str, operator: Catalog) -> None:
    refusal = refusal_of(sql, operator)
    assert refusal is not None and sql_of(refusal.hint) == tried


@pytest.mark.parametrize("sql", TRIED)
def test_every_suggestion_is_accepted(sql: str, operator: Catalog) -> None:
    refusal = refusal_of(sql, operator)
    sent = None if refusal is None else followed(sql, refusal)
    assert sent is None or refusal_of(sent, operator) is None


def test_truncating_a_time_without_a_declared_range_is_refused_for_that(operator: Catalog) -> None:
    refusal = refusal_of("select date_trunc('day', arr_ts), count(*) from trip group by 1", operator)
    assert refusal is not None
    assert refusal.why.startswith("arr_ts has no declared range")


@pytest.mark.parametrize(
    ("sql", "declared"),
    [
        ("SELECT MIN(t.dep_ts), MAX(t.dep_ts) FROM trip t", True),
        ("SELECT mode, max(trip_date) FROM trip GROUP BY 1", True),
        ("SELECT max(arr_ts) FROM trip", False),
        ("SELECT min(mode) FROM trip", False),
    ],
)
def test_the_least_and_greatest_time_name_the_declared_range(sql: str, declared: bool, operator: Catalog) -> None:
    refusal = refusal_of(sql, operator)
    assert refusal is not None
    assert ("The catalog declares 2026-10-01 to 2026-11-01." in refusal.why) is declared


def test_shortened_lists_of_names_state_how_many_are_omitted(operator: Catalog) -> None:
    unknown, shown = (refusal_of(sql, operator) for sql in ("select count(*) from zzz", "summarize zzz"))
    assert unknown is not None and shown is not None
    assert len(operator.tables) == 13
    assert unknown.hint.endswith(" and 1 more") and shown.why.endswith(" and 1 more.")
