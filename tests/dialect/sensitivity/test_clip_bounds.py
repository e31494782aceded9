"""Which declared clip bound a query vector has: of its table, its kind, its usual keys and its column."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from operator import itemgetter
from random import Random
from typing import Any

import pytest

from dialect import compile_query
from dialect.algebra.properties import Properties
from dialect.algebra.release_plan import PrivatePlan
from dialect.analysis.date_bounds import EventTimePredicates
from dialect.catalog.model import Catalog, ClipBoundsByKeys
from dialect.sensitivity.clip_bounds import DeclaredClipBounds, declared_max_groups
from dialect.sensitivity.grouping import per_group_distinct_bounds
from engine.catalog.bundled import find_catalog

BY_KEYS = (
    ClipBoundsByKeys(("lat",), rows=13.0),
    ClipBoundsByKeys(("hour(ts)",), rows=11.0, persons=2.0, sums={"dwell_s": 7000.0}),
    ClipBoundsByKeys(("zone", "hour(ts)"), rows=9.0),
    ClipBoundsByKeys(("cell_id",), rows=7.0, sums={"dwell_s": 5000.0}),
    ClipBoundsByKeys(("cell_id", "hour(ts)"), rows=5.0, persons=4.0),
    ClipBoundsByKeys(("cast(ts as date)",), rows=9.5, persons=1.5),
)


@pytest.fixture(scope="module")
def usual(catalog: Catalog) -> Catalog:
    return _with(catalog, by_keys=BY_KEYS)


def _with(catalog: Catalog, **norms: Any) -> Catalog:
    tables = tuple(
        replace(t, clip_bounds=replace(t.clip_bounds, **norms)) if t.name == "events" and t.clip_bounds else t
        for t in catalog.tables
    )
    return replace(catalog, tables=tables)


NORMS = {
    "SELECT COUNT(*), COUNT(DISTINCT subscriber_id), SUM(dwell_s) FROM events": [3.0, 20.0, 20000.0],
    "SELECT hour(ts), COUNT(*), COUNT(DISTINCT subscriber_id), SUM(dwell_s) FROM events GROUP BY 1": [
        2.0,
        11.0,
        7000.0,
    ],
    "SELECT zone, hour(ts), COUNT(*), COUNT(DISTINCT subscriber_id) FROM events JOIN cells USING (cell_id) GROUP BY ALL": [
        3.0,
        9.0,
    ],
    "SELECT gender, hour(ts), COUNT(*) FROM events JOIN subscribers USING (subscriber_id) GROUP BY ALL": [11.0],
    "SELECT hour(ts) + 0, COUNT(*) FROM events GROUP BY 1": [11.0],
    "SELECT hour(ts) * 0, COUNT(*) FROM events GROUP BY 1": [20.0],
    # a public column that every row has equal to one of its own
    "SELECT c.cell_id, COUNT(e.lat) FROM cells c LEFT JOIN events e ON e.cell_id = c.cell_id GROUP BY 1": [7.0],
    # one value in other words, and a few: the root of how many there are times as much
    "SELECT COUNT(*) FROM events WHERE cell_id IN (1)": [7.0],
    "SELECT COUNT(*) FROM events WHERE cell_id BETWEEN 2 AND 2": [7.0],
    "SELECT COUNT(*) FROM events WHERE cell_id >= 2 AND 3 > cell_id": [7.0],
    "SELECT COUNT(*) FROM events WHERE lat >= 3 AND lat <= 3": [13.0],
    "SELECT COUNT(*), SUM(dwell_s) FROM events WHERE cell_id IN (1, 2, 1)": [7.0 * 2**0.5, 5000.0 * 2**0.5],
    "SELECT COUNT(*) FROM events WHERE cell_id IN (1, 2, 3) AND cell_id <> 5 AND cell_id IN (3, 4)": [7.0],
    "SELECT COUNT(*) FROM events WHERE cell_id = 1 OR (cell_id = 2 AND lat > 3)": [7.0 * 2**0.5],
    "SELECT COUNT(*) FROM events WHERE cell_id = 1 OR lat > 3": [20.0],
    "SELECT COUNT(*) FROM events WHERE hour(ts) BETWEEN 7 AND 9": [11.0 * 3**0.5],
    "SELECT cell_id, COUNT(*) FROM events WHERE hour(ts) < 9 AND hour(ts) >= 8 GROUP BY 1": [5.0],
    "SELECT COUNT(*) FROM events WHERE cell_id IN (1, 2) AND hour(ts) IN (8, 9)": [7.0 * 2**0.5],
    "SELECT COUNT(*) FROM events WHERE cell_id IN (1, 2, 3, 4, 5, 6, 7, 8, 9)": [20.0],
    # days of a time that no column is the date of
    "SELECT COUNT(*) FROM events WHERE ts >= '2026-10-05' AND ts < '2026-10-06'": [9.5],
    "SELECT COUNT(*) FROM events WHERE ts::DATE BETWEEN '2026-10-05' AND '2026-10-07'": [9.5 * 3**0.5],
    "SELECT date_trunc('hour', ts), COUNT(*) FROM events WHERE ts >= '2026-10-05' AND ts < '2026-10-20' GROUP BY 1": [
        9.5
    ],
    "SELECT date_trunc('week', ts), COUNT(*), COUNT(DISTINCT subscriber_id) FROM events WHERE ts >= '2026-10-03' AND ts < '2026-10-08' GROUP BY 1": [
        1.5,
        9.5 * 3**0.5,
    ],
    "SELECT SUM(dwell_s / 2), SUM(LEAST(dwell_s, 60)) FROM events": [10000.0, 1200.0],
    "SELECT SUM(100 * dwell_s), SUM(-dwell_s * 2) FROM events": [2e6, 40000.0],
    "SELECT SUM(dwell_s * dwell_s), SUM(LEAST(dwell_s, 3600)) FROM events": [20000.0 * 7200, 20000.0],
    "SELECT SUM(dwell_s + lat) FROM events": [20 * 7290.0],
    "SELECT SUM(age) FROM subscribers": [100.0],
    # all of one value of a column are one group of those by it
    "SELECT COUNT(*), SUM(dwell_s) FROM events WHERE cell_id = 1": [7.0, 5000.0],
    "SELECT cell_id, COUNT(*), SUM(dwell_s) FROM events WHERE cell_id = 1 GROUP BY 1": [7.0, 5000.0],
    "SELECT COUNT(*) FROM events WHERE 1 = cell_id AND lat > 3": [7.0],
    "SELECT hour(ts), COUNT(*) FROM events WHERE cell_id = 1 GROUP BY 1": [5.0],
    # who is at one place is in as many hours at most; by place and hour together people are in more groups
    "SELECT hour(ts), COUNT(DISTINCT subscriber_id) FROM events WHERE cell_id = 1 GROUP BY 1": [2.0],
    # of as many keys, those by which it groups
    "SELECT hour(ts), COUNT(*) FROM events WHERE lat = 3 GROUP BY 1": [11.0],
    "SELECT COUNT(*) FROM events WHERE lat = 3": [13.0],
    # finer groups have no larger norm: the smallest is taken of those by whose keys the rows are parted
    "SELECT gender, COUNT(*), SUM(dwell_s) FROM events JOIN subscribers USING (subscriber_id) WHERE cell_id = 1 GROUP BY 1": [
        7.0,
        5000.0,
    ],
    "SELECT CASE WHEN dwell_s > 60 THEN 1 ELSE 2 END, COUNT(lat) FROM events WHERE cell_id = 1 GROUP BY 1": [7.0],
    "SELECT dwell_s > 60, lon > 3, COUNT(*) FROM events WHERE hour(ts) = 8 AND 1 = cell_id GROUP BY ALL": [5.0],
    "SELECT COUNT(*), SUM(dwell_s) FROM events WHERE hour(ts) = 8": [11.0, 7000.0],
    "SELECT COUNT(*) FROM events WHERE hour(ts) = 8 AND lat = 3": [11.0],
    "SELECT lat > 3, COUNT(DISTINCT subscriber_id) FROM events WHERE cell_id = 1 AND hour(ts) = 8 GROUP BY 1": [3.0],
    "SELECT COUNT(*) FROM events WHERE hour(ts) > 8": [20.0],
    "SELECT COUNT(*) FROM events WHERE hour(ts) + 0 = 8": [20.0],
    "SELECT COUNT(*) FROM events WHERE cell_id = 1 OR cell_id = 2": [7.0 * 2**0.5],
    "SELECT COUNT(*) FROM events WHERE cell_id <> 1": [20.0],
    "SELECT COUNT(*) FROM events WHERE cell_id > 1": [20.0],
    "SELECT COUNT(*) FILTER (WHERE cell_id = 1) FROM events": [20.0],
    "SELECT COUNT(*) FROM cells JOIN events ON events.lat = cells.lat WHERE cells.cell_id = 1": [20.0],
    "SELECT SUM(lat) FROM events": [1800.0],
    "SELECT COUNT(*) FROM (SELECT lat FROM events UNION ALL SELECT age FROM subscribers)": [21.0],
    "SELECT COUNT(*), SUM(dwell_s) FROM (SELECT dwell_s FROM events UNION ALL SELECT dwell_s FROM events)": [
        40.0,
        40000.0,
    ],
    "SELECT COUNT(*) FROM (SELECT subscriber_id, lat FROM events EXCEPT SELECT subscriber_id, age FROM subscribers)": [
        20.0
    ],
    "SELECT COUNT(DISTINCT u.subscriber_id) FROM (SELECT subscriber_id FROM events UNION ALL SELECT subscriber_id FROM subscribers) u"
    " JOIN events USING (subscriber_id)": [3.0],
    "SELECT COUNT(DISTINCT subscriber_id) FROM (SELECT subscriber_id FROM events UNION ALL SELECT subscriber_id FROM subscribers)": [
        10.0**0.5
    ],
}


@pytest.mark.parametrize("sql", NORMS)
def test_the_clip_bound_of_a_query_vector(sql: str, usual: Catalog, plan_of: Callable[[str], PrivatePlan]) -> None:
    plan = plan_of(sql)
    found = [DeclaredClipBounds(plan, usual, Properties()).of_vector(vector) for vector in plan.vectors]
    assert sorted(found) == pytest.approx(sorted(NORMS[sql]))


def test_if_signs_cancel_the_clip_bound_of_most_keys_is_used(
    catalog: Catalog, plan_of: Callable[[str], PrivatePlan]
) -> None:
    by_keys = (
        ClipBoundsByKeys(("hour(ts)",), sums={"lat": 5.0}),
        ClipBoundsByKeys(("cell_id", "hour(ts)"), sums={"lat": 7.0}),
    )
    declared = _with(catalog, by_keys=by_keys)
    for sql, norm in {
        "SELECT hour(ts), SUM(lat) FROM events GROUP BY 1": 5.0,
        "SELECT hour(ts), SUM(lat) FROM events WHERE cell_id = 1 GROUP BY 1": 7.0,
    }.items():
        plan = plan_of(sql)
        assert [DeclaredClipBounds(plan, declared, Properties()).of_vector(vector) for vector in plan.vectors] == [norm]


def test_people_are_within_the_clip_bound_of_their_groups(
    catalog: Catalog, plan_of: Callable[[str], PrivatePlan]
) -> None:
    """Proof: dialect/sensitivity/proofs.md#usual-keys. What is declared is what a drawn person has, by cells, by hours, by both."""
    plans = {sql: plan_of(sql) for sql in QUESTIONS}
    for seed in range(60):
        rows = _drawn(Random(seed))
        for sql, (parts, counts) in QUESTIONS.items():
            _is_within(plans[sql], _declared_of(catalog, rows), _clip_bounds(rows, parts, counts))


def test_grouping_keys_without_effect_are_found(
    catalog: Catalog, plan_of: Callable[[str], PrivatePlan], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "dialect.sensitivity.clip_bounds.grouping_attributes", lambda *_: frozenset({"cell_id", "hour(ts)"})
    )
    with pytest.raises(AssertionError):
        test_people_are_within_the_clip_bound_of_their_groups(catalog, plan_of)


def test_several_values_that_count_as_one_are_found(
    catalog: Catalog, plan_of: Callable[[str], PrivatePlan], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dialect.sensitivity.clip_bounds.max_groups_within", lambda *_: 1)
    with pytest.raises(AssertionError):
        test_people_are_within_the_clip_bound_of_their_groups(catalog, plan_of)


Row = tuple[int, int, float]  # cell, hour, seconds
SHOWN = "COUNT(*), COUNT(dwell_s), SUM(dwell_s)"
# a question, what its groups are by, and which rows count
QUESTIONS: dict[str, tuple[Callable[[Row], object], Callable[[Row], bool]]] = {
    f"SELECT {SHOWN} FROM events WHERE cell_id = 1": (lambda _: 0, lambda row: row[0] == 1),
    f"SELECT {SHOWN} FROM events WHERE hour(ts) = 2": (lambda _: 0, lambda row: row[1] == 2),
    f"SELECT dwell_s > 60, {SHOWN} FROM events WHERE cell_id = 1 GROUP BY 1": (
        lambda row: row[2] > 60, lambda row: row[0] == 1
    ),
    f"SELECT dwell_s > 60, {SHOWN} FROM events WHERE cell_id = 1 AND hour(ts) = 2 GROUP BY 1": (
        lambda row: row[2] > 60, lambda row: row[:2] == (1, 2)
    ),
    f"SELECT hour(ts), dwell_s > 60, {SHOWN} FROM events GROUP BY ALL": (
        lambda row: (row[1], row[2] > 60), lambda _: True
    ),
    f"SELECT {SHOWN} FROM events WHERE cell_id IN (1, 3)": (lambda _: 0, lambda row: row[0] in (1, 3)),
    f"SELECT {SHOWN} FROM events WHERE (cell_id = 1 OR cell_id = 2) AND hour(ts) BETWEEN 2 AND 3": (
        lambda _: 0, lambda row: row[0] in (1, 2) and row[1] in (2, 3)
    ),
    f"SELECT cell_id + 1, {SHOWN} FROM events WHERE hour(ts) > 1 AND hour(ts) <= 3 GROUP BY 1": (
        lambda row: row[0], lambda row: row[1] in (2, 3)
    ),
    f"SELECT hour(ts), {SHOWN} FROM events WHERE cell_id = 1 GROUP BY ALL": (
        lambda row: row[1], lambda row: row[0] == 1
    ),
    f"SELECT dwell_s > 60, {SHOWN} FROM events WHERE cell_id <> 1 GROUP BY ALL": (
        lambda row: row[2] > 60, lambda row: row[0] != 1
    ),
}  # fmt: skip


def _drawn(random: Random) -> list[Row]:
    cells, hours = random.randint(1, 4), random.randint(1, 4)
    rows = random.randint(1, 30)
    return [
        (random.randint(1, cells), random.randint(1, hours), random.choice((0.0, 30.0, 900.0))) for _ in range(rows)
    ]


def _clip_bounds(rows: list[Row], parts: Callable[[Row], object], counts: Callable[[Row], bool]) -> tuple[float, float]:
    """Find the norms of a person's rows and seconds over their groups."""
    numbers, seconds = Counter[object](), Counter[object]()
    for row in filter(counts, rows):
        numbers[parts(row)] += 1
        seconds[parts(row)] += int(row[2])
    return math.hypot(*numbers.values()), math.hypot(*seconds.values())


def _declared_of(catalog: Catalog, rows: list[Row]) -> Catalog:
    parts = {("cell_id",): itemgetter(0), ("hour(ts)",): itemgetter(1), ("cell_id", "hour(ts)"): itemgetter(0, 1)}
    found = {keys: _clip_bounds(rows, part, lambda _: True) for keys, part in parts.items()}
    usual = [ClipBoundsByKeys(keys, n, sums={"dwell_s": max(s, 1.0)}) for keys, (n, s) in found.items()]
    return _with(catalog, rows=float(len(rows)), by_keys=tuple(usual))


def _is_within(plan: PrivatePlan, catalog: Catalog, norms: tuple[float, float]) -> None:
    for vector in plan.vectors:
        assert DeclaredClipBounds(plan, catalog, Properties()).of_vector(vector) >= norms[vector.is_sum] * (1 - 1e-12)


def test_the_number_of_groups(catalog: Catalog, plan_of: Callable[[str], PrivatePlan]) -> None:
    assert declared_max_groups(plan_of("SELECT COUNT(*) FROM events"), catalog) == 9
    assert declared_max_groups(plan_of("SELECT COUNT(*) FROM subscribers"), catalog) == 20  # where none is declared


DATES = {  # most dates in one group; the catalog declares 32
    "SELECT place_id, COUNT(*) FROM visit GROUP BY 1": 32,
    "SELECT visit_date, COUNT(*) FROM visit GROUP BY 1": 1,
    "SELECT isodow(visit_date), COUNT(*) FROM visit GROUP BY 1": 5,
    "SELECT COUNT(*) FROM visit WHERE isodow(start_ts) = 6": 5,
    "SELECT COUNT(*) FROM visit WHERE visit_date < DATE '2026-10-05'": 4,
}


@pytest.mark.parametrize("sql", DATES)
def test_dates_have_equal_counts_without_looking_at_each(sql: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (plan,) = compile_query(sql, find_catalog("operator")).plans
    by_date = frozenset({"visit_date"})
    found = per_group_distinct_bounds(plan, Properties(), "visit", by_date)
    monkeypatch.setattr(EventTimePredicates, "may_exclude_dates", True)
    assert found == per_group_distinct_bounds(plan, Properties(), "visit", by_date) == {"visit_date": DATES[sql]}
