"""Norms that are declared by days hold of one day in other words, and of a few days as the root of their number."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from random import Random

import pytest

from dialect import compile_query
from dialect.algebra.properties import Properties
from dialect.algebra.release_plan import VectorKind
from dialect.analysis.date_bounds import EventTimePredicates
from dialect.catalog.model import ClipBoundsByKeys, Table
from dialect.sensitivity.clip_bounds import DeclaredClipBounds
from engine.catalog.file import load_catalog

DAYS = {  # norms of rows and of people, of trips of one day and by days: none are declared of half a day, or of two
    "WHERE trip_date = '2026-10-10'": (12.0, 6.0),
    "WHERE dep_ts::DATE = '2026-10-10'": (12.0, 6.0),
    "WHERE date_trunc('day', dep_ts) = '2026-10-10'": (12.0, 6.0),
    "WHERE dep_ts >= '2026-10-10' AND dep_ts < '2026-10-11'": (12.0, 6.0),
    "WHERE dep_ts BETWEEN '2026-10-10 07:00:00' AND '2026-10-10 09:30:00'": (12.0, 6.0),
    "WHERE trip_date >= '2026-10-10' AND dep_ts < '2026-10-11'": (12.0, 6.0),
    "WHERE dep_ts >= '2026-10-10' AND dep_ts <= '2026-10-11'": (12.0 * 2**0.5, 6.0),
    "WHERE dep_ts >= '2026-10-10 12:00:00' AND dep_ts < '2026-10-11 12:00:00'": (12.0 * 2**0.5, 6.0),
    "WHERE arr_ts::DATE = '2026-10-10'": (45.0, 6.0),
    "WHERE dep_ts::DATE = '2026-10-10' OR mode = 'car'": (45.0, 6.0),
    "GROUP BY trip_date": (12.0, 4.9),
    "GROUP BY dep_ts::DATE": (12.0, 4.9),
    "GROUP BY date_trunc('day', dep_ts)": (12.0, 4.9),
    "GROUP BY date_trunc('hour', dep_ts)": (12.0, 6.0),
    "GROUP BY strftime(dep_ts, '%Y-%m-%d')": (12.0, 6.0),
    "GROUP BY time_bucket(INTERVAL 30 MINUTE, dep_ts)": (12.0, 6.0),
    "GROUP BY time_bucket(INTERVAL 7 HOUR, dep_ts)": (45.0, 6.0),
    # few days: of a week, of one day of the week
    "GROUP BY date_trunc('week', dep_ts)": (12.0 * 7**0.5, 4.9),
    "GROUP BY dayname(dep_ts)": (12.0 * 5**0.5, 6.0),
    "GROUP BY isodow(trip_date)": (12.0 * 5**0.5, 4.9),
    "GROUP BY month(dep_ts)": (45.0, 6.0),
    "GROUP BY hour_of_week(dep_ts)": (15.0, 6.0),
    "WHERE trip_date BETWEEN '2026-10-05' AND '2026-10-11'": (12.0 * 7**0.5, 6.0),
    "WHERE trip_date BETWEEN '2026-10-05' AND '2026-10-11' AND isodow(dep_ts) IN (6, 7)": (12.0 * 2**0.5, 6.0),
    "WHERE trip_date = '2026-10-10' OR dep_ts::DATE = '2026-10-12'": (12.0 * 2**0.5, 6.0),
    # a public column of the same day
    "JOIN calendar ON d = trip_date GROUP BY d": (12.0, 4.9),
    "JOIN calendar ON d = dep_ts::DATE GROUP BY d": (12.0, 4.9),
    "JOIN calendar ON d = arr_ts::DATE GROUP BY d": (45.0, 6.0),
    "JOIN calendar ON d < trip_date GROUP BY d": (45.0, 6.0),
    # two keys are told by both: of one day that of one of them is nearer
    "JOIN zone ON zone_id = o_zone GROUP BY name, mode": (33.0, 4.9),
    "JOIN zone ON zone_id = o_zone WHERE trip_date = '2026-10-10' GROUP BY name, mode": (12.0, 2.0),
    # groups that the zone tells are no more than zones
    "JOIN zone ON zone_id = o_zone GROUP BY name": (45.0, 3.6),
    "JOIN zone ON zone_id = o_zone JOIN subscriber USING (subscriber_id) GROUP BY level, age_band": (45.0, 3.6),
    "JOIN zone ON zone_id > o_zone GROUP BY name": (45.0, 6.0),
}


@pytest.mark.parametrize("said", DAYS)
def test_equivalent_day_conditions_have_the_clip_bounds_of_the_date(said: str) -> None:
    """Proof: dialect/sensitivity/proofs.md#usual-keys."""
    operator = load_catalog(Path("tests/support/catalogs_with_norms/operator.toml"))
    (plan,) = compile_query(f"SELECT COUNT(*), COUNT(DISTINCT subscriber_id) FROM trip {said}", operator).plans
    found = {vector.kind: DeclaredClipBounds(plan, operator, Properties()).of_vector(vector) for vector in plan.vectors}
    assert (found[VectorKind.ROWS], found[VectorKind.PERSONS]) == DAYS[said]


WEEKS: dict[str, tuple[Callable[[date], object], Callable[[date], bool]]] = {
    "GROUP BY date_trunc('week', dep_ts)": (lambda day: day.isocalendar().week, lambda _: True),
    "GROUP BY dayname(trip_date)": (date.weekday, lambda _: True),
    "GROUP BY day(trip_date)": (lambda day: day.day, lambda _: True),
    "WHERE trip_date BETWEEN '2026-10-04' AND '2026-10-06'": (lambda _: 0, lambda day: day.month == 10 and 4 <= day.day < 7),
    "WHERE isodow(dep_ts) = 7 OR trip_date = '2026-10-06'": (
        lambda _: 0, lambda day: day.isoweekday() == 7 or (day.month, day.day) == (10, 6)
    ),
}  # fmt: skip


@pytest.mark.parametrize("said", WEEKS)
def test_people_are_within_the_clip_bound_of_few_days(said: str) -> None:
    """Proof: dialect/sensitivity/proofs.md#usual-keys. What is declared by days is what a drawn person has by them."""
    group, counts = WEEKS[said]
    operator = load_catalog(Path("tests/support/catalogs_with_norms/operator.toml"))
    (plan,) = compile_query(f"SELECT COUNT(*), COUNT(DISTINCT subscriber_id) FROM trip {said}", operator).plans
    for seed in range(30):
        random = Random(seed)
        days = [date(2026, 10, 1) + timedelta(days=random.choice((0, 3, 4, 5, 10, 11, 31))) for _ in range(20)]
        by_day, by_group = Counter(days), Counter(group(day) for day in days if counts(day))
        usual = ClipBoundsByKeys(("trip_date",), math.hypot(*by_day.values()), len(by_day) ** 0.5)
        tables = tuple(t if t.name != "trip" else _declaring(t, usual, len(days)) for t in operator.tables)
        declared = DeclaredClipBounds(plan, replace(operator, tables=tables), Properties())
        rows, persons = (
            declared.of_vector(next(v for v in plan.vectors if v.kind is kind))
            for kind in (VectorKind.ROWS, VectorKind.PERSONS)
        )
        assert rows >= math.hypot(*by_group.values()) * (1 - 1e-12)
        assert persons >= len(by_group) ** 0.5 * (1 - 1e-12)


def _declaring(table: Table, usual: ClipBoundsByKeys, rows: int) -> Table:
    assert table.clip_bounds is not None
    return replace(table, clip_bounds=replace(table.clip_bounds, rows=float(rows), by_keys=(usual,)))


@pytest.mark.parametrize(("parts", "days"), [(2, 2 * 1096), (60, 0)])
def test_days_are_counted_once_and_under_few_conditions(parts: int, days: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the date and by its time; no client is charged for it: an explanation with forty sums and fifty conditions took half a minute."""
    operator = load_catalog(Path("tests/support/catalogs_with_norms/operator.toml"))
    sums = ", ".join(f"SUM(LEAST(dist_km, {end}))" for end in range(20, 40))
    among = " AND ".join(f"(trip_date <> '2026-10-{1 + part % 28:02}' OR o_zone = 'Z{part}')" for part in range(parts))
    sql = f"SELECT {sums} FROM trip WHERE trip_date BETWEEN '2024-01-01' AND '2026-12-31' AND {among}"
    (plan,) = compile_query(sql, operator).plans
    asked: list[date] = []
    possible = EventTimePredicates.is_possible
    monkeypatch.setattr(
        EventTimePredicates, "is_possible", lambda known, day: asked.append(day) or possible(known, day)
    )
    declared = DeclaredClipBounds(plan, operator, Properties())
    assert all(declared.of_vector(vector) > 0 for vector in (*plan.vectors, *plan.vectors))
    assert len(asked) == days
