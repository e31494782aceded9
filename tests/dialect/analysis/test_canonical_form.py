"""Equivalent queries have one canonical text; any change that could change a value gives another."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dialect.algebra.release_plan import PrivatePlan

Plans = Callable[[str], PrivatePlan]
SIZE = "CASE WHEN age > 50 THEN 'old' ELSE 'young' END"

SAME: list[tuple[str, str]] = [
    ("SELECT COUNT(*) FROM events", "select count(*) as N from EVENTS as e;"),
    ("SELECT COUNT(*) FROM events WHERE lat > 1 AND lon < 2", "SELECT COUNT(*) FROM events WHERE 2 > lon AND (1 < lat)"),
    ("SELECT COUNT(*) FROM events WHERE lat > 1 AND lon < 2", "SELECT COUNT(*) FROM (SELECT * FROM events WHERE lat > 1) WHERE lon < 2"),
    ("SELECT COUNT(*) FROM events WHERE lat BETWEEN 1 AND 2", "SELECT COUNT(*) FROM events WHERE lat <= 2 AND lat >= 1"),
    ("SELECT COUNT(*) FROM events WHERE cell_id IN (1, 2)", "SELECT COUNT(*) FROM events WHERE cell_id IN (2, 1, 1)"),
    ("SELECT COUNT(*) FROM events WHERE lat = lon", "SELECT COUNT(*) FROM events WHERE lon = lat"),
    ("SELECT COUNT_IF(lat > 1) FROM events", "SELECT COUNT(*) FILTER (WHERE lat > 1) FROM events"),
    ("SELECT COUNT(DISTINCT CASE WHEN lat > 1 THEN subscriber_id END) FROM events", "SELECT COUNT(DISTINCT subscriber_id) FILTER (WHERE lat > 1) FROM events"),
    ("SELECT hour(ts), cell_id, COUNT(*) FROM events GROUP BY ALL", "SELECT COUNT(*), cell_id AS c, EXTRACT(hour FROM ts) AS h FROM events GROUP BY 2, h"),
    ("SELECT x, COUNT(*) FROM (SELECT age + 1 AS x FROM subscribers) GROUP BY x", "SELECT age + 1, COUNT(*) FROM subscribers GROUP BY 1"),
    ("SELECT COUNT(*) FROM events e JOIN cells c ON c.cell_id = e.cell_id", "SELECT COUNT(*) FROM events e JOIN cells c USING (cell_id)"),
    ("SELECT COUNT(*) FROM events e JOIN cells c ON c.cell_id = e.cell_id", "SELECT COUNT(*) FROM events e, cells c WHERE e.cell_id = c.cell_id"),
    ("SELECT SUM(dwell_s), COUNT(*) FROM events", "SELECT COUNT(*) + 1 AS a, SUM(dwell_s) - COUNT(*) AS b FROM events HAVING COUNT(*) > 3"),
    ("SELECT AVG(age) FROM subscribers", "WITH a AS (SELECT age AS b, gender FROM subscribers) SELECT AVG(b) FROM a"),
    ("SELECT COUNT(*) FROM events WHERE ts >= '2026-10-01'", "SELECT COUNT(*) FROM events WHERE ts >= TIMESTAMP '2026-10-01 00:00:00'"),
    ("SELECT SUM(age) FROM subscribers", "SELECT SUM(((CAST(age AS BIGINT)))) FROM subscribers"),
    ("SELECT COUNT(*) FROM events WHERE lat > 1", "SELECT COUNT(*) FROM events WHERE ((lat::DOUBLE) > (1))"),
    ("SELECT gender, COUNT(*) FROM subscribers GROUP BY 1", "SELECT CAST(gender AS VARCHAR), COUNT(*) FROM subscribers GROUP BY 1"),
    ("SELECT COUNT(*) FROM events WHERE ts >= '2026-10-01'", "SELECT COUNT(*) FROM events WHERE CAST(ts AS TIMESTAMP) >= '2026-10-01'"),
    ("SELECT COUNT(*) FROM events WHERE lat > 1 AND lon > 1 AND dwell_s > 1", "SELECT COUNT(*) FROM events WHERE (dwell_s > 1 AND (lon > 1 AND lat > 1))"),
    ("SELECT COUNT(*) FROM events WHERE ts < DATE '2026-10-01' + 7", "SELECT COUNT(*) FROM events WHERE ts < DATE '2026-10-08'"),
]  # fmt: skip

SAME += [
    ("SELECT COUNT(*) FROM events WHERE subscriber_id IN (SELECT subscriber_id FROM subscribers WHERE age > 3)",
     "SELECT COUNT(*) FROM events e WHERE EXISTS (FROM subscribers s WHERE 3 < s.age AND e.subscriber_id = s.subscriber_id)"),
    ("SELECT COUNT(*) FROM events WHERE subscriber_id NOT IN (SELECT subscriber_id FROM subscribers) AND lat > 1",
     "SELECT COUNT(*) FROM (SELECT * FROM events e WHERE NOT EXISTS (FROM subscribers s WHERE s.subscriber_id = e.subscriber_id)) WHERE lat > 1"),
]  # fmt: skip

DIFFERENT: list[tuple[str, str]] = [
    ("SELECT SUM(dwell_s) FROM events", "SELECT SUM(CAST(dwell_s AS INTEGER)) FROM events"),
    ("SELECT COUNT(*) FROM events", "SELECT WITH DIFFERENTIAL_PRIVACY OPTIONS(max_rows_contributed = 3) COUNT(*) FROM events"),
    ("SELECT COUNT(*) FROM events", "SELECT COUNT(*) FROM subscribers"),
    ("SELECT COUNT(*) FROM events", "SELECT COUNT(DISTINCT subscriber_id) FROM events"),
    ("SELECT COUNT(*) FROM events WHERE lat > 1", "SELECT COUNT(*) FROM events WHERE lat >= 1"),
    ("SELECT COUNT(*) FROM events WHERE lat > 1", "SELECT COUNT(*) FROM events WHERE lon > 1"),
    ("SELECT COUNT(*) FROM events WHERE lat > 1", "SELECT COUNT(*) FROM events WHERE NOT lat > 1"),
    ("SELECT COUNT(*) FROM events WHERE cell_id = 1", "SELECT COUNT(*) FROM events WHERE cell_id = 2"),
    ("SELECT COUNT(*) FROM subscribers WHERE home_zone = '1'", "SELECT COUNT(*) FROM subscribers WHERE home_zone = '1 '"),
    ("SELECT COUNT(*) FROM events a JOIN events b USING (subscriber_id) WHERE a.lat > 1", "SELECT COUNT(*) FROM events a JOIN events b USING (subscriber_id) WHERE b.lon > 1"),
    ("SELECT COUNT(*) FROM events a JOIN events b USING (subscriber_id) WHERE a.lat > 1", "SELECT COUNT(*) FROM (SELECT * FROM events WHERE lat > 1) a JOIN events b USING (subscriber_id)"),
    ("SELECT COUNT(*) FROM events e LEFT JOIN subscribers s USING (subscriber_id)", "SELECT COUNT(*) FROM events e JOIN subscribers s USING (subscriber_id)"),
    ("SELECT COUNT(*) FROM events e LEFT JOIN cells c ON c.cell_id = e.cell_id AND e.lat > 1", "SELECT COUNT(*) FROM events e LEFT JOIN cells c ON c.cell_id = e.cell_id WHERE e.lat > 1"),
    (
        f"SELECT size, COUNT(*) FROM events e LEFT JOIN (SELECT subscriber_id, {SIZE} AS size FROM subscribers) s USING (subscriber_id) GROUP BY 1",
        f"SELECT {SIZE} AS size, COUNT(*) FROM events e LEFT JOIN (SELECT subscriber_id, age FROM subscribers) s USING (subscriber_id) GROUP BY 1",
    ),
    (
        f"SELECT size || '!', COUNT(*) FROM events e LEFT JOIN (SELECT subscriber_id, {SIZE} AS size FROM subscribers) s USING (subscriber_id) GROUP BY 1",
        f"SELECT {SIZE} || '!', COUNT(*) FROM events e LEFT JOIN (SELECT subscriber_id, age FROM subscribers) s USING (subscriber_id) GROUP BY 1",
    ),
    ("SELECT d, COUNT(*) FROM events e JOIN (VALUES (1, '2026-10-14')) v(k, d) ON k = e.cell_id GROUP BY d", "SELECT d, COUNT(*) FROM events e JOIN (VALUES (1, DATE '2026-10-14')) v(k, d) ON k = e.cell_id GROUP BY d"),
    ("SELECT COUNT(*) FROM events e JOIN (VALUES (1)) v(k) ON k = e.cell_id", "SELECT COUNT(*) FROM events e JOIN (VALUES (1), (1)) v(k) ON k = e.cell_id"),
    ("SELECT COUNT(*) FROM events e JOIN (SELECT cell_id FROM cells ORDER BY cell_id LIMIT 3) c USING (cell_id)", "SELECT COUNT(*) FROM events e JOIN (SELECT cell_id FROM cells ORDER BY cell_id DESC LIMIT 3) c USING (cell_id)"),
    ("SELECT COUNT(*) FROM events e JOIN (SELECT DISTINCT cell_id FROM cells) c USING (cell_id)", "SELECT COUNT(*) FROM events e JOIN (SELECT cell_id FROM cells) c USING (cell_id)"),
    ("SELECT SUM(dwell_s) FROM events", "SELECT SUM(LEAST(dwell_s, 60)) FROM events"),
    ("SELECT SUM(age) FROM subscribers", "SELECT SUM(age) FILTER (WHERE age > 5) FROM subscribers"),
    ("SELECT SUM(dwell_s) FILTER (WHERE lat > 1) FROM events", "SELECT SUM(dwell_s) FROM events WHERE lat > 1"),
    ("SELECT n, COUNT(*) FROM (SELECT subscriber_id, COUNT(*) AS n FROM events GROUP BY 1) GROUP BY 1", "SELECT n, COUNT(*) FROM (SELECT subscriber_id, cell_id, COUNT(*) AS n FROM events GROUP BY ALL) GROUP BY 1"),
    ("SELECT AVG(n) FROM (SELECT subscriber_id, COUNT(*) AS n FROM events GROUP BY 1 HAVING COUNT(*) > 2) WHERE n < 9", "SELECT AVG(n) FROM (SELECT subscriber_id, COUNT(*) AS n FROM events GROUP BY 1) WHERE n < 9"),
    ("SELECT hour(ts), COUNT(*) FROM events GROUP BY 1", "SELECT hour(ts), COUNT(*) FROM events WHERE hour(ts) < 24 GROUP BY 1"),
    ("SELECT concat(home_zone, 'a', 'b'), COUNT(*) FROM subscribers GROUP BY 1", "SELECT concat(home_zone, 'a'', ''b'), COUNT(*) FROM subscribers GROUP BY 1"),
    ("SELECT COUNT(*) FROM events WHERE (lat > 1 AND lon > 1) OR dwell_s > 1", "SELECT COUNT(*) FROM events WHERE lat > 1 AND (lon > 1 OR dwell_s > 1)"),
    ("SELECT COUNT(*) FROM events WHERE lat - lon > 1", "SELECT COUNT(*) FROM events WHERE lon - lat > 1"),
    ("SELECT COUNT(*) FROM events WHERE coalesce(lat, lon) > 1", "SELECT COUNT(*) FROM events WHERE coalesce(lon, lat) > 1"),
    ("SELECT COUNT(*) FROM events WHERE cell_id = 1", "SELECT COUNT(*) FROM events WHERE cell_id = 1.0"),
    (
        "SELECT b, COUNT(*) FROM events JOIN (SELECT DISTINCT a, b FROM (VALUES (1, 9), (2, 3)) v(a, b) LIMIT 1) ON a = cell_id GROUP BY 1",
        "SELECT b, COUNT(*) FROM events JOIN (SELECT DISTINCT b, a FROM (VALUES (1, 9), (2, 3)) v(a, b) LIMIT 1) ON a = cell_id GROUP BY 1",
    ),
    (
        "SELECT COUNT(*) FROM events JOIN (SELECT DISTINCT subscriber_id, lat, lon FROM events) USING (subscriber_id)",
        "SELECT COUNT(*) FROM events JOIN (SELECT DISTINCT subscriber_id, lon, lat FROM events) USING (subscriber_id)",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("one", "other"), SAME)
def test_equivalent_queries_have_one_canonical_text(one: str, other: str, plan_of: Plans) -> None:
    assert plan_of(one).canonical_text == plan_of(other).canonical_text


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_queries_with_other_values_have_another_canonical_text(one: str, other: str, plan_of: Plans) -> None:
    assert plan_of(one).canonical_text != plan_of(other).canonical_text


def test_all_these_texts_are_different(plan_of: Plans) -> None:
    questions = {sql for pair in DIFFERENT for sql in pair}
    assert len({plan_of(sql).canonical_text for sql in questions}) == len(questions)


def test_a_long_expression_has_a_short_text_of_its_own(plan_of: Plans) -> None:
    def text(last: int) -> str:
        return plan_of(f"SELECT COUNT(*) FROM events WHERE lat {'+ 1 ' * 80} + {last} > 0").canonical_text

    assert len(text(1)) < 400
    assert text(1) != text(2)
    assert text(1) == text(1)
