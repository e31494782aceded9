"""Numbers that count from one time to another lie within the ends that follow from those of the times."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime, timedelta

import duckdb
import pytest

from dialect import Refusal
from dialect.algebra.expressions import Literal, fields_of
from dialect.algebra.release_plan import PrivatePlan
from dialect.analysis import clocks
from dialect.catalog.model import SqlType
from dialect.functions.emitter import write_expr
from dialect.planner.keys import key_set
from dialect.planner.keys.key_set import over_whole_units

UNITS = ("second", "minute", "hour", "day", "week", "month", "quarter", "year")
# form -> by how much its ends may be wider than the numbers that are possible
FORMS: dict[str, float] = {
    **{f"date_diff('{unit}', prev, ts)": 0 for unit in UNITS},
    **{f"date_sub('{unit}', prev, ts)": 1 for unit in UNITS},
    **{f"date_diff('{unit}', TIMESTAMP '2024-02-29 12:34:56', ts)": 0 for unit in UNITS},
    **{f"date_sub('{unit}', TIMESTAMP '2024-02-29 12:34:56', ts)": 1 for unit in UNITS},
    **{f"date_sub('{unit}', ts, TIMESTAMP '2027-01-01 00:00:01')": 1 for unit in UNITS},
    "date_diff('day', CAST(prev AS DATE), CAST(ts AS DATE))": 0,
    "date_diff('week', date_trunc('day', prev), ts)": 0,
    "date_diff('hour', date_trunc('month', ts), ts)": math.inf,
    "CAST(ts AS DATE) - CAST(prev AS DATE)": 0,
    "CAST(ts AS DATE) - DATE '2026-10-07'": 0,
    "epoch(ts - prev)": 1e-6,
    "epoch(prev - ts) / 60": 1e-6,
    "epoch(ts) - epoch(prev)": 1e-6,
    "epoch_ms(ts) - epoch_ms(prev)": 2,
    "epoch(ts - TIMESTAMP '2026-01-01')": 1e-6,
    "epoch(ts - INTERVAL 4 HOUR - prev)": 1e-6,
}
RANGES = (
    (datetime(2026, 10, 5), datetime(2026, 10, 12)),
    (datetime(2026, 9, 27, 23, 59, 59, 999_999), datetime(2026, 10, 5, 0, 0, 0, 1)),
    (datetime(2023, 12, 31, 22, 0, 1), datetime(2025, 4, 1, 0, 30)),
    (datetime(2026, 10, 7, 8, 15), datetime(2026, 10, 7, 8, 15, 1)),
    (datetime(1969, 11, 30, 12), datetime(1970, 3, 1, 6, 30, 30, 500_000)),
)
BEFORE = "lag(ts + INTERVAL 0 HOUR) OVER (PARTITION BY subscriber_id ORDER BY ts)"
PlanOf = Callable[[str], PrivatePlan]


def _ends(form: str, first: datetime, after: datetime, plan_of: PlanOf) -> tuple[float, float]:
    """Ends to which a sum of the form is clamped, for times from `first` to before `after`."""
    rows = f"SELECT subscriber_id, ts, {BEFORE} AS prev FROM events WHERE ts >= TIMESTAMP '{first}' AND ts < '{after}'"
    (vector,) = plan_of(f"SELECT SUM({form}) FROM ({rows})").vectors
    return vector.lower, vector.upper


def _moments(first: datetime, after: datetime) -> list[datetime]:
    """Moments from `first` to before `after`: both ends, and those next to some of the midnights between them."""
    last, day = after - timedelta(microseconds=1), timedelta(days=1)
    midnights = [datetime(first.year, first.month, first.day) + day * i for i in range((last - first).days + 2)]
    some = midnights[:: len(midnights) // 40 + 1]
    near = (each + timedelta(microseconds=step) for each in some for step in (-1, 0, 1))
    return sorted({first, last, *(each for each in near if first <= each <= last)})


def _possible(form: str, first: datetime, after: datetime, database: duckdb.DuckDBPyConnection) -> tuple[float, float]:
    """Least and largest number that the engine computes of pairs of such moments."""
    times = ", ".join(f"(TIMESTAMP '{each}')" for each in _moments(first, after))
    sql = f"SELECT min({form}), max({form}) FROM (VALUES {times}) AS a(ts), (VALUES {times}) AS b(prev)"
    found = database.execute(sql).fetchone()
    assert found is not None
    return float(found[0]), float(found[1])


def _check(form: str, plan_of: PlanOf, database: duckdb.DuckDBPyConnection) -> None:
    for first, after in RANGES:
        lower, upper = _ends(form, first, after, plan_of)
        least, largest = _possible(form, first, after, database)
        assert lower <= least <= lower + FORMS[form], (first, after)
        assert upper - FORMS[form] <= largest <= upper, (first, after)


@pytest.mark.parametrize("form", FORMS)
def test_counted_times_lie_within_their_ends(form: str, plan_of: PlanOf, database: duckdb.DuckDBPyConnection) -> None:
    _check(form, plan_of, database)


@pytest.mark.parametrize(
    "form", ["date_diff('decade', prev, ts)", "date_diff('day', ts, ts + INTERVAL 1 MONTH)", "epoch(age(ts, prev))"]
)
def test_other_units_and_moved_months_have_no_ends(form: str, plan_of: PlanOf) -> None:
    with pytest.raises(Refusal):
        _ends(form, *RANGES[0], plan_of)


def test_a_person_is_counted_from_the_first_to_the_last_time(plan_of: PlanOf) -> None:
    rows = "SELECT subscriber_id, MIN(ts + INTERVAL 1 DAY) AS a, MAX(ts) AS b FROM events WHERE ts < '2026-10-03' GROUP BY 1"
    (vector,) = plan_of(f"SELECT SUM(date_diff('day', a, b)) FROM ({rows})").vectors
    assert (vector.lower, vector.upper) == (-2, 0)


def test_a_missing_time_keeps_the_other_of_least(plan_of: PlanOf) -> None:
    """A person's first row has none before it, so that LEAST may be 9 where the difference is at most 6."""
    (vector,) = plan_of(
        f"SELECT SUM(least(date_diff('day', prev, ts), 9)) FROM (SELECT subscriber_id, ts, {BEFORE} AS prev FROM events)"
    ).vectors
    assert (vector.lower, vector.upper) == (-6, 9)


def _check_truncated(unit: str, plan_of: PlanOf, database: duckdb.DuckDBPyConnection) -> None:
    rows = f"SELECT subscriber_id, ts, {BEFORE} AS prev FROM events"
    (vector,) = plan_of(f"SELECT SUM(date_diff('{unit}', prev, ts)) FROM ({rows})").vectors
    assert vector.value is not None
    expr = vector.value.expression
    truncated = over_whole_units(expr)
    assert truncated != expr
    before, at = sorted(fields_of(expr), key=lambda field: field.name or "")
    times = [f"(TIMESTAMP '{each}')" for first, after in RANGES for each in _moments(first, after)][::5]
    pairs = f"(VALUES {', '.join(times)}) AS a({at.id}), (VALUES {', '.join(times)}) AS b({before.id})"
    sql = f"SELECT count(*) FROM {pairs} WHERE {write_expr(expr)} IS DISTINCT FROM {write_expr(truncated)}"
    assert database.execute(sql).fetchone() == (0,)


@pytest.mark.parametrize("unit", UNITS)
def test_truncated_times_have_the_same_difference(
    unit: str, plan_of: PlanOf, database: duckdb.DuckDBPyConnection
) -> None:
    _check_truncated(unit, plan_of, database)


def test_times_truncated_to_the_weeks_that_are_counted_are_found(
    plan_of: PlanOf, database: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    truncated = key_set._truncated
    monkeypatch.setattr(key_set, "_truncated", lambda time, _: truncated(time, Literal("week", SqlType.VARCHAR)))
    with pytest.raises(AssertionError):
        _check_truncated("week", plan_of, database)


def _weeks_by_their_mondays(monkeypatch: pytest.MonkeyPatch) -> str:
    """Planted: weeks are counted by the Mondays between two times, not as a seventh of the days."""
    crossed, day = clocks._crossed_units, timedelta(days=1)

    def mondays(unit: str, first: datetime, last: datetime) -> int:
        starts = [each - each.weekday() * day for each in (first, last)]
        return crossed("day", *starts) // 7 if unit == "week" else crossed(unit, first, last)

    monkeypatch.setattr(clocks, "_crossed_units", mondays)
    return "date_diff('week', TIMESTAMP '2024-02-29 12:34:56', ts)"


def _ends_exchanged(monkeypatch: pytest.MonkeyPatch) -> str:
    bounds = clocks.difference_bounds
    monkeypatch.setattr(
        "dialect.analysis.predicates.difference_bounds", lambda call, start, end: bounds(call, start[::-1], end)
    )
    return "date_diff('hour', prev, ts)"


def _whole_units_rounded_up(monkeypatch: pytest.MonkeyPatch) -> str:
    whole = clocks._whole_units
    monkeypatch.setattr(clocks, "_whole_units", lambda *asked: whole(*asked) + 1)
    return "date_sub('hour', TIMESTAMP '2024-02-29 12:34:56', ts)"


@pytest.mark.parametrize("plant", [_weeks_by_their_mondays, _ends_exchanged, _whole_units_rounded_up])
def test_wrong_ends_are_found(
    plant: Callable[[pytest.MonkeyPatch], str],
    plan_of: PlanOf,
    database: duckdb.DuckDBPyConnection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(AssertionError):
        _check(plant(monkeypatch), plan_of, database)
