"""Which keys are public, and their key sets: found in text and catalog, none in the data."""

from __future__ import annotations

from collections.abc import Callable

import duckdb
import pytest

from dialect.algebra.codegen_types import Target
from dialect.algebra.expressions import Expr, Field, fields_of
from dialect.algebra.release_plan import KeySet, PrivatePlan
from dialect.analysis import predicates
from dialect.codegen.relations.relation import write_rows
from dialect.errors import Code, Refusal
from dialect.planner.keys import restrictions

EVENTS = "FROM events e JOIN cells c ON c.cell_id = e.cell_id"
BOTH = "FROM events e LEFT JOIN subscribers s ON s.subscriber_id = e.subscriber_id"
WEEK = "ts >= '2026-10-01' AND ts < '2026-10-08'"

# keys and rest of the question -> number of keys, and some of them
LISTED: list[tuple[str, str, int, list[tuple[object, ...]]]] = [
    ("c.zone", EVENTS, 5, [("C0",), ("C4",)]),
    ("c.zone, c.cell_id", EVENTS, 15, [("C3", 3)]),
    ("c.zone || '-' || CAST(c.cell_id AS VARCHAR)", EVENTS, 15, [("C3-3",)]),
    ("c.zone", f"{EVENTS} WHERE c.zone IN ('C1', 'C2', 'C9')", 2, [("C1",), ("C2",)]),
    ("c.zone", f"{EVENTS} WHERE c.zone <> 'C1' AND c.cell_id < 4", 2, [("C2",), ("C3",)]),
    ("c.zone", f"{EVENTS} AND c.zone > 'C2'", 2, [("C3",), ("C4",)]),
    ("c.zone", "FROM events e LEFT JOIN cells c ON c.cell_id = e.cell_id", 6, [("C0",), (None,)]),
    ("a.zone, b.zone", f"{EVENTS.replace(' c ', ' a ').replace('c.', 'a.')} JOIN cells b ON b.zone = a.zone", 5, [("C1", "C1")]),
    ("b.zone, a.h", "FROM cells b JOIN hours a ON a.h = b.cell_id JOIN events e ON e.cell_id = a.h", 15, [("C1", 1)]),
    ("b.zone", "FROM cells a LEFT JOIN cells b ON b.cell_id = a.cell_id + 14 JOIN events e ON e.cell_id = a.cell_id", 2, [("C0",), (None,)]),
    ("v.n", "FROM events e JOIN (VALUES (1, 'one'), (2, NULL)) v(k, n) ON v.k = e.cell_id", 2, [("one",), (None,)]),
    ("v.zone", "FROM events e JOIN (SELECT zone, COUNT(*) AS n FROM cells GROUP BY zone HAVING COUNT(*) > 3) v ON v.n = e.cell_id", 1, [("C3",)]),
    ("v.cell_id", "FROM events e JOIN (SELECT cell_id FROM cells ORDER BY cell_id DESC LIMIT 3) v ON v.cell_id = e.cell_id", 3, [(15,), (13,)]),
    ("hour(ts)", "FROM events", 25, [(0,), (23,), (None,)]),
    ("hour(ts)", "FROM events WHERE ts IS NOT NULL", 24, [(0,), (23,)]),
    ("hour(ts), isodow(ts)", "FROM events WHERE date_trunc('day', ts) < '2026-10-05'", 96, [(0, 4), (23, 7)]),
    ("hour(ts)", "FROM events WHERE ts IS NOT NULL OR dwell_s > 60", 25, [(0,), (None,)]),
    ("dwell_s > 600", "FROM events WHERE dwell_s > 60 OR hour(ts) < 24", 3, [(False,), (None,)]),
    ("dwell_s > 600", "FROM events WHERE coalesce(dwell_s, 1) > 0", 3, [(False,), (None,)]),
    ("hour(ts)", "FROM events WHERE coalesce(ts, TIMESTAMP '2026-10-01') > '2026-09-01'", 25, [(0,), (None,)]),
    ("hour(ts)", "FROM events WHERE NOT (ts IS NOT NULL)", 25, [(0,), (None,)]),
    ("hour(ts)", "FROM events WHERE (ts IS NOT NULL) = FALSE", 25, [(0,), (None,)]),
    ("hour(ts), isodow(ts)", "FROM events", 169, [(0, 1), (None, None)]),
    ("hour(ts), dayname(ts), part_of_day(ts)", "FROM events", 673, [(0, "Monday", "night"), (None, None, None)]),
    ("h, dow", "FROM (SELECT subscriber_id, hour(ts) AS h, isodow(ts) AS dow FROM events)", 169, [(None, None)]),
    ("dwell_s > 60, dwell_s > 600", "FROM events", 5, [(True, False), (None, None)]),
    ("hour(ts), dwell_s > 60", "FROM events", 75, [(None, True), (0, None)]),
    ("hour(ts), coalesce(hour(ts), 0) > 5", "FROM events", 25, [(None, False), (7, True)]),
    ("dwell_s > 60, coalesce(dwell_s, 1) > 0", "FROM events", 6, [(None, True), (True, True)]),
    ("hour(ts)", "FROM events WHERE hour(ts) BETWEEN 7 AND 9", 3, [(7,), (9,)]),
    ("hour(ts)", "FROM events WHERE hour(ts) IN (1, 2.0, 2.5, NULL)", 2, [(1,), (2,)]),
    ("hour(ts)", "FROM events WHERE hour(ts) IN (NULL)", 0, []),
    ("hour(ts), CASE WHEN hour(ts) < 12 THEN 'am' ELSE 'pm' END", "FROM events", 25, [(3, "am"), (13, "pm")]),
    ("CASE WHEN hour(ts) < 12 THEN 'am' ELSE 'pm' END", "FROM events", 2, [("am",), ("pm",)]),
    ("CASE WHEN dwell_s < 60 THEN 'short' WHEN dwell_s < 600 THEN 'long' END", "FROM events", 3, [("short",), (None,)]),
    ("CASE WHEN dwell_s < 60 THEN gender ELSE 'other' END", BOTH, 5, [("f",), ("other",), (None,)]),
    ("dwell_s > 60", "FROM events", 3, [(True,), (None,)]),
    ("dwell_s > 60 AND lat > 1", "FROM events", 3, [(False,), (None,)]),
    ("(dwell_s > 60)::INT", "FROM events", 3, [(0,), (1,), (None,)]),
    ("coalesce(dwell_s > 60, FALSE)", "FROM events", 2, [(False,), (True,)]),
    ("dayname(ts)", f"FROM events WHERE {WEEK}", 7, [("Monday",)]),
    ("dayname(ts)", "FROM events", 8, [("Monday",), (None,)]),
    # parts of a date on known days: those that these have
    ("month(ts)", f"FROM events WHERE {WEEK}", 1, [(10,)]),
    ("monthname(ts), year(ts)", "FROM events WHERE ts BETWEEN '2026-12-20' AND '2027-01-03'", 4, [("December", 2026)]),
    ("day(ts)", "FROM events WHERE ts BETWEEN '2026-10-30' AND '2026-11-02'", 4, [(30,), (2,)]),
    ("month(ts)", "FROM events WHERE ts BETWEEN '2026-01-01' AND '2027-01-01'", 12, [(1,), (12,)]),
    ("month(ts)", "FROM events WHERE ts BETWEEN '1026-01-01' AND '2027-01-01'", 12, [(1,), (12,)]),
    ("isodow(ts)", "FROM events", 8, [(7,)]),
    ("hour_of_week(ts)", "FROM events", 169, [(167,)]),
    ("is_weekend(ts)", "FROM events", 3, [(True,), (None,)]),
    ("p.days", "FROM (SELECT subscriber_id, COUNT(DISTINCT ts::DATE) AS days FROM events GROUP BY 1) p", 8, [(0,), (7,)]),
    ("p.days // 3", "FROM (SELECT subscriber_id, COUNT(DISTINCT ts::DATE) AS days FROM events GROUP BY 1) p", 3, [(0,), (2,)]),
    ("part_of_day(ts)", "FROM events", 5, [("night",), (None,)]),
    ("dwell_band(dwell_s / 60)", "FROM events", 8, [("5-10",), (">240",), (None,)]),
    ("compass8(bearing_deg(lon, lat, 13.4, 52.5))", "FROM events", 9, [("N",), ("NW",), (None,)]),
    ("compass8(c.cell_id * 30)", EVENTS, 8, [("N",), ("NW",)]),
    ("haversine_m(lon, lat, 13.4, 52.5) < 500", "FROM events", 3, [(True,), (None,)]),
    ("within_m(lon, lat, 13.4, 52.5, 500), hour_of_week(ts)", "FROM events WHERE lon IS NOT NULL", 507, [(True, 0)]),
    ("grid_cell(c.cell_id, c.cell_id, 100000)", EVENTS, 15, []),
    ("width_bucket(h, 0, 24, 6)", "FROM (SELECT subscriber_id, hour(ts) AS h FROM events)", 7, [(1,), (6,), (None,)]),
    ("width_bucket(dwell_s, 0, 3600, 12)", "FROM events", 14, [(1,), (13,), (None,)]),
    ("width_bucket(dwell_s, 600, 3600, 5)", "FROM events WHERE dwell_s < 1200", 2, [(0,), (1,)]),
    ("sign(lat)", "FROM events", 4, [(-1,), (None,)]),
    ("cell_id", "FROM events", 16, [(15,), (None,)]),
    ("cell_id", "FROM events WHERE cell_id IN (3, 3, 99)", 2, [(3,), (99,)]),
    ("cell_id", "FROM events WHERE cell_id = 3", 1, [(3,)]),
    ("cell_id", "FROM events WHERE 4 >= cell_id AND cell_id > 1", 3, [(2,), (4,)]),
    ("cell_id // 5", "FROM events WHERE cell_id BETWEEN 0 AND 14", 3, [(0,), (2,)]),
    ("gender", BOTH, 4, [("x",), (None,)]),
    ("gender, cell_id > 3", f"{BOTH} WHERE cell_id BETWEEN 1 AND 5", 8, [("f", True), (None, False)]),
    ("band", "FROM events e LEFT JOIN (SELECT subscriber_id, CASE WHEN age < 30 THEN 'young' ELSE 'old' END AS band FROM subscribers) s USING (subscriber_id)", 3, [("young",), ("old",), (None,)]),
    ("h", "FROM events e LEFT JOIN (SELECT subscriber_id, hour(ts) AS h FROM events) s USING (subscriber_id)", 25, [(0,), (None,)]),
    ("z", "FROM events e LEFT JOIN (SELECT e.subscriber_id, upper(c.zone) AS z FROM events e JOIN cells c ON c.cell_id = e.cell_id) s USING (subscriber_id)", 6, [("C0",), (None,)]),
    ("z", f"FROM (SELECT e.subscriber_id, MIN(c.zone) AS z {EVENTS} GROUP BY 1)", 6, [("C0",), (None,)]),
    ("z, w", f"FROM (SELECT e.subscriber_id, MIN(c.zone) AS z, MAX(c.zone) AS w {EVENTS} GROUP BY 1)", 36, [("C0", "C4")]),
    ("z", f"FROM (SELECT e.subscriber_id, MIN(c.zone) FILTER (WHERE c.cell_id > 3) AS z {EVENTS} GROUP BY 1)", 6, [(None,)]),
    ("n", "FROM (SELECT subscriber_id, COUNT(*) AS n FROM events GROUP BY 1 HAVING COUNT(*) BETWEEN 3 AND 6)", 4, [(3,), (6,)]),
    ("CASE WHEN n = 1 THEN '1' ELSE '2+' END", "FROM (SELECT subscriber_id, COUNT(*) AS n FROM events GROUP BY 1)", 2, [("2+",)]),
    ("CAST(ts AS DATE)", f"FROM events WHERE {WEEK}", 7, []),
    ("CAST(ts AS DATE)", "FROM events", 8, [(None,)]),
    ("date_trunc('hour', ts)", f"FROM events WHERE {WEEK}", 168, []),
    ("date_trunc('month', ts)", "FROM events WHERE ts >= '2026-01-15' AND ts < '2026-03-01'", 2, []),
    ("date_trunc('week', ts)", f"FROM events WHERE {WEEK}", 2, []),
    ("date_trunc('week', CAST(ts AS DATE))", f"FROM events WHERE {WEEK}", 2, []),
    ("time_bucket(INTERVAL 90 MINUTE, ts)", "FROM events WHERE ts >= '2026-10-01' AND ts < '2026-10-02'", 16, []),
    ("time_bucket(INTERVAL 2 MONTH, ts)", "FROM events WHERE ts BETWEEN '2026-01-15' AND '2026-06-15'", 3, []),
    ("time_bucket(INTERVAL 1 DAY, ts)", "FROM events", 8, [(None,)]),
    ("year(ts)", "FROM events WHERE ts >= '2024-05-01' AND ts < DATE '2026-01-01'", 2, [(2024,), (2025,)]),
    ("CAST(ts AS DATE) + 1", "FROM events WHERE CAST(ts AS DATE) BETWEEN '2026-10-01' AND DATE '2026-10-01' + 3", 4, []),
    ("hour(ts)", "FROM events WHERE ts > '2026-10-01' AND 1 = 0", 0, []),
    ("date_trunc('day', seen)", f"FROM (SELECT subscriber_id, MIN(ts) AS seen FROM events WHERE {WEEK} GROUP BY 1)", 7, []),
    ("z", "FROM (SELECT subscriber_id, MAX(cell_id) AS z FROM events WHERE cell_id IN (3, 5) GROUP BY 1)", 2, [(3,), (5,)]),
    ("z", "FROM (SELECT subscriber_id, MAX(cell_id) FILTER (WHERE lat > 1) AS z FROM events WHERE cell_id IN (3, 5) GROUP BY 1)", 16, [(None,)]),
    ("'all'", "FROM events", 1, [("all",)]),
    ("cell_id = NULL", "FROM events", 1, [(None,)]),
]  # fmt: skip

PRIVATE = (
    "home_zone FROM subscribers",
    "age FROM subscribers",
    "home_zone, gender FROM subscribers",
    "upper(home_zone) FROM subscribers",
    "CAST(lon AS BIGINT) FROM events",
    "CASE WHEN age > 5 THEN home_zone ELSE 'x' END FROM subscribers",
    "cell_id + age FROM events JOIN subscribers USING (subscriber_id)",
    "CAST(lon AS VARCHAR) FROM events",
    "z FROM (SELECT subscriber_id, MIN(home_zone) AS z FROM subscribers GROUP BY 1)",
)

TOO_LONG = {
    "age FROM subscribers WHERE age BETWEEN 0 AND 1000000": ("age", "a range in the question"),
    "age FROM subscribers WHERE age BETWEEN -9223372036854775807 AND 9223372036854775807": ("age", "18,446,744,073,709,551,615"),
    "date_trunc('second', ts) FROM events WHERE ts >= '2000-01-01' AND ts < '2026-01-01'": ("date_trunc", "a range of time"),
    "time_bucket(INTERVAL 1 SECOND, ts) FROM events WHERE ts >= '2000-01-01' AND ts < '2026-01-01'": ("time_bucket", "time"),
    "date_trunc('second', ts) FROM events WHERE ts >= '0001-01-01' AND ts <= '9999-12-31'": ("date_trunc", "315,5"),
    "CAST(ts AS DATE), age FROM events JOIN subscribers USING (subscriber_id) WHERE ts >= '2000-01-01' AND ts < '2026-01-01'"
    " AND age BETWEEN 0 AND 1000": ("cast(ts as date)", "9,497"),
    "CAST(ts AS DATE) FROM events WHERE ts >= '0001-01-01' AND ts <= '9999-12-31'": ("cast(ts as date)", "3,652,059"),
}  # fmt: skip


def _keys(plan: PrivatePlan, target: Target, database: duckdb.DuckDBPyConnection) -> list[tuple[object, ...]]:
    """Key rows of a plan's key set, in the order of the query's own keys."""
    listed = plan.key_set
    assert isinstance(listed, KeySet)
    shown = ", ".join(f.id for f in listed.keys)
    return database.execute(f"SELECT {shown} FROM ({write_rows(listed.relation, listed.keys, target)})").fetchall()


@pytest.mark.parametrize(("keys", "rest", "count", "some"), LISTED, ids=lambda value: str(value)[:70])
def test_keys_with_declared_values_are_public(
    keys: str,
    rest: str,
    count: int,
    some: list[tuple[object, ...]],
    plan_of: Callable[[str], PrivatePlan],
    target: Target,
    database: duckdb.DuckDBPyConnection,
) -> None:
    plan = plan_of(f"SELECT {keys}, COUNT(*) {rest} GROUP BY ALL")
    found = _keys(plan, target, database)
    assert len(found) == count, sorted(found, key=repr)[:10]
    assert len(set(found)) == count
    columns = {frozenset(map(repr, row)) for row in found}
    assert all(frozenset(map(repr, row)) in columns for row in some)
    assert len(plan.keys) == len(plan.key_set.keys) if plan.key_set else False


ROLE = "CASE WHEN e.cell_id = 1 THEN 'one' WHEN s.gender = 'f' THEN 'f' ELSE 'other' END"


@pytest.mark.parametrize(
    ("keys", "lists", "count"),
    [
        (ROLE, 1, 3),
        (f"{ROLE}, e.cell_id", 2, 31),
        (f"{ROLE}, e.cell_id, s.gender", 2, 64),
        (f"{ROLE}, hour(ts)", 2, 75),
    ],
)
def test_a_case_over_constants_adds_no_product_of_key_sets(
    keys: str,
    lists: int,
    count: int,
    plan_of: Callable[[str], PrivatePlan],
    target: Target,
    database: duckdb.DuckDBPyConnection,
) -> None:
    rows = BOTH.replace("FROM events e LEFT JOIN", "FROM events e JOIN")
    plan = plan_of(f"SELECT {keys}, COUNT(*) {rows} GROUP BY ALL")
    assert plan.key_set is not None and len(plan.key_set.sources) == lists
    assert len(_keys(plan, target, database)) == count


@pytest.mark.parametrize("rest", PRIVATE)
def test_keys_without_declared_values_are_private(rest: str, plan_of: Callable[[str], PrivatePlan]) -> None:
    keys, _, table = rest.partition(" FROM ")
    plan = plan_of(f"SELECT {keys}, COUNT(*) FROM {table} GROUP BY ALL")
    assert plan.key_set is None
    assert any(vector.canonical_text == "persons" for vector in plan.vectors)


@pytest.mark.parametrize("rest", TOO_LONG)
def test_an_oversized_key_set_is_refused_by_name_before_it_is_built(
    rest: str, refused: Callable[[str], Refusal]
) -> None:
    keys, _, table = rest.partition(" FROM ")
    refusal = refused(f"SELECT {keys}, COUNT(*) FROM {table} GROUP BY ALL")
    assert refusal.code is Code.KEY
    assert refusal.span is not None
    assert all(word in refusal.why for word in TOO_LONG[rest])
    assert "coarser" in refusal.hint


@pytest.mark.parametrize(
    "key", ["ts", "lon", "lat * 2", "ts - TIMESTAMP '2026-01-01'", "ts + INTERVAL 1 HOUR", "CAST(ts AS TIMESTAMP)"]
)
def test_keys_of_their_own_in_every_row_are_refused(key: str, refused: Callable[[str], Refusal]) -> None:
    assert refused(f"SELECT {key}, COUNT(*) FROM events GROUP BY 1").code is Code.KEY


def outside_closed_lists(
    plan_of: Callable[[str], PrivatePlan], target: Target, database: duckdb.DuckDBPyConnection
) -> list[set[tuple[object, ...]]]:
    """Keys of rows that each closed list of LISTED lacks."""
    found = []
    for keys, rest, _, _ in LISTED:
        plan = plan_of(f"SELECT {keys}, COUNT(*) {rest} GROUP BY ALL")
        if plan.key_set is None or not plan.key_set.is_exhaustive:
            continue
        held = [key.field for key in plan.keys]
        rows = f"SELECT {', '.join(f.id for f in held)} FROM ({write_rows(plan.source, held, target)})"
        found.append(set(database.execute(rows).fetchall()) - set(_keys(plan, target, database)))
    return found


def test_every_row_has_its_key_in_a_closed_list(
    plan_of: Callable[[str], PrivatePlan], target: Target, database: duckdb.DuckDBPyConnection
) -> None:
    found = outside_closed_lists(plan_of, target, database)
    assert len(found) > 20
    assert not any(found)


def test_a_list_without_a_null_that_rows_have_is_found(
    plan_of: Callable[[str], PrivatePlan],
    target: Target,
    database: duckdb.DuckDBPyConnection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As if every field that a predicate reads were not NULL where it is TRUE, below OR and COALESCE too."""
    monkeypatch.setattr(predicates, "null_rejected_fields", fields_of)
    assert (None,) in set().union(*outside_closed_lists(plan_of, target, database))


def test_values_that_are_not_null_together_are_missed(
    plan_of: Callable[[str], PrivatePlan],
    target: Target,
    database: duckdb.DuckDBPyConnection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As if COALESCE were NULL where the field that it reads is."""

    def is_null_with(expr: Expr) -> Field | None:
        return next(iter(fields_of(expr)), None)

    monkeypatch.setattr(restrictions, "_field_that_makes_null", is_null_with)
    monkeypatch.setattr(restrictions, "may_be_null", lambda _: True)
    assert (True, None) in set().union(*outside_closed_lists(plan_of, target, database))
