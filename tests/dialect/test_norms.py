"""Which declared norm a vector has: of its table, its kind, its usual keys and its column."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from dialect.catalog import Catalog, NormsByKeys
from dialect.norms import declared_max_groups, declared_norm
from dialect.private_plan import PrivatePlan

BY_KEYS = (
    NormsByKeys(("lat",), rows=13.0),
    NormsByKeys(("hour(ts)",), rows=11.0, persons=2.0, sums={"dwell_s": 7000.0}),
    NormsByKeys(("zone", "hour(ts)"), rows=9.0),
    NormsByKeys(("cell_id",), rows=7.0, sums={"dwell_s": 5000.0}),
    NormsByKeys(("cell_id", "hour(ts)"), rows=5.0, persons=4.0),
)


@pytest.fixture(scope="module")
def usual(catalog: Catalog) -> Catalog:
    tables = tuple(
        replace(t, norms=replace(t.norms, by_keys=BY_KEYS)) if t.name == "events" and t.norms else t
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
    "SELECT hour(ts) + 0, COUNT(*) FROM events GROUP BY 1": [20.0],
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
    "SELECT COUNT(*) FROM events WHERE cell_id = 1 OR cell_id = 2": [20.0],
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
def test_the_norm_of_a_vector(sql: str, usual: Catalog, plan_of: Callable[[str], PrivatePlan]) -> None:
    plan = plan_of(sql)
    found = [declared_norm(plan, vector, usual) for vector in plan.vectors]
    assert sorted(found) == pytest.approx(sorted(NORMS[sql]))


def test_the_number_of_groups(catalog: Catalog, plan_of: Callable[[str], PrivatePlan]) -> None:
    assert declared_max_groups(plan_of("SELECT COUNT(*) FROM events"), catalog) == 9
    assert declared_max_groups(plan_of("SELECT COUNT(*) FROM subscribers"), catalog) == 20  # where none is declared
