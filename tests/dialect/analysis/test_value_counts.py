"""How many different values one person can have: no more than declared values, dates and predicates leave possible."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from importlib import import_module
from typing import Any

import duckdb
import pytest

from dialect.algebra.release_plan import PrivatePlan
from dialect.analysis.date_bounds import EventTimePredicates

value_counts = import_module("dialect.analysis.value_counts")
ROWS = 200  # declared for a person

# counted value, rest of the subquery -> least and largest count of a person
COUNTED: list[tuple[str, str, tuple[int, int]]] = [
    ("DISTINCT ts::DATE", "", (0, 7)),
    ("DISTINCT ts::DATE", "WHERE ts >= '2026-10-03'", (0, 5)),
    ("DISTINCT ts::DATE", "WHERE isodow(ts) IN (6, 7)", (0, 2)),
    ("DISTINCT ts::DATE", "WHERE ts::DATE <> '2026-10-03' AND dayname(ts) <> 'Sunday'", (0, 6)),
    ("DISTINCT date_trunc('week', ts)", "", (0, 2)),
    ("DISTINCT date_trunc('hour', ts)", "", (0, 168)),
    ("DISTINCT date_trunc('minute', ts)", "", (0, ROWS)),
    ("DISTINCT hour(ts)", "", (0, 24)),
    ("DISTINCT hour(ts)", "WHERE hour(ts) BETWEEN 7 AND 9", (0, 3)),
    ("DISTINCT isodow(ts)", "WHERE ts < '2026-10-04'", (0, 3)),
    ("DISTINCT dayname(ts)", "", (0, 7)),
    ("DISTINCT (ts::DATE, hour(ts))", "", (1, ROWS)),
    ("DISTINCT (isodow(ts), dwell_s > 60)", "", (1, 24)),
    ("DISTINCT dwell_s > 60", "", (0, 2)),
    ("DISTINCT CASE WHEN dwell_s < 60 THEN 'short' WHEN dwell_s < 600 THEN 'long' END", "", (0, 2)),
    ("DISTINCT floor(dwell_s / 600)::INT", "", (0, 13)),
    ("DISTINCT ts", "", (0, ROWS)),
    ("DISTINCT dwell_s", "", (0, ROWS)),
    ("DISTINCT lon", "", (0, ROWS)),
    ("DISTINCT cell_id", "WHERE cell_id IN (1, 2, 3)", (0, 3)),
    ("DISTINCT cell_id % 4", "", (0, 7)),
    ("*", "", (1, ROWS)),
]
DECLARED = """
CREATE TABLE events AS
SELECT 1 AS subscriber_id, TIMESTAMP '2026-10-01' + n * INTERVAL 10 MINUTE AS ts, c AS cell_id,
       CASE WHEN n % 14 = 13 THEN NULL ELSE 600.0 * (n % 13) END AS dwell_s, n * 0.1 AS lon
FROM range(7 * 144) AS times(n), range(-3, 16) AS cells(c)
"""


def _range(plan_of: Callable[[str], PrivatePlan], value: str, where: str) -> tuple[float, float]:
    """Ends to which a person's count is clamped where it is summed."""
    counted = f"SELECT subscriber_id, COUNT({value}) AS n FROM events {where} GROUP BY 1"
    (vector,) = plan_of(f"SELECT SUM(n) FROM ({counted}) AS p").vectors
    return vector.lower, vector.upper


@pytest.mark.parametrize(("value", "where", "ends"), COUNTED)
def test_a_persons_count_is_clamped_to_what_is_possible(
    value: str, where: str, ends: tuple[int, int], plan_of: Callable[[str], PrivatePlan]
) -> None:
    assert _range(plan_of, value, where) == ends


def _uncovered(plan_of: Callable[[str], PrivatePlan]) -> list[tuple[str, str]]:
    """Find counts whose range is too small for a person who has every declared value."""
    with duckdb.connect(config={"threads": 1}) as database:
        database.execute(DECLARED)

        def most(value: str, where: str) -> Any:
            """Count the values of that person, of as many rows as one may have."""
            return min(ROWS, *database.execute(f"SELECT COUNT({value}) FROM events {where}").fetchall()[0])

        return [(value, where) for value, where, _ in COUNTED if most(value, where) > _range(plan_of, value, where)[1]]


def test_a_person_has_no_more_values_than_are_possible(
    plan_of: Callable[[str], PrivatePlan], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not _uncovered(plan_of)
    possible_dates = value_counts.possible_dates

    def without_last(*given: Any) -> list[date] | None:
        """Planted: the last date of a range is left out."""
        dates: list[date] | None = possible_dates(*given)
        return None if dates is None else dates[:-1]

    monkeypatch.setattr(value_counts, "possible_dates", without_last)
    assert _uncovered(plan_of)


@pytest.mark.parametrize(
    ("value", "where", "ends"),
    [
        ("COUNT(*)", "(SELECT DISTINCT subscriber_id, ts::DATE AS day FROM events)", (1, 8)),  # NULL is a group
        ("COUNT(*)", "(SELECT subscriber_id, ts::DATE AS day FROM events GROUP BY 1, 2)", (1, 8)),
        ("SUM(n)", "(SELECT subscriber_id, hour(ts), COUNT(DISTINCT ts::DATE) AS n FROM events GROUP BY 1, 2)", (0, 175)),
        ("MAX(dwell_s)", "events WHERE dwell_s < 600", (0, 600)),
        ("AVG(dwell_s) FILTER (WHERE dwell_s > 60)", "events", (60, 7200)),
    ],
)  # fmt: skip
def test_a_number_of_a_persons_groups_has_a_range(
    value: str, where: str, ends: tuple[float, float], plan_of: Callable[[str], PrivatePlan]
) -> None:
    (vector,) = plan_of(f"SELECT SUM(v) FROM (SELECT subscriber_id, {value} AS v FROM {where} GROUP BY 1) p").vectors
    assert (vector.lower, vector.upper) == pytest.approx(ends)


def test_what_all_dates_between_the_ends_satisfy_is_not_evaluated(
    plan_of: Callable[[str], PrivatePlan], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The planted bug: every predicate is left out, and so each date is possible."""
    ends = [_range(plan_of, value, where) for value, where, _ in COUNTED]
    monkeypatch.setattr(EventTimePredicates, "_admits", lambda *_: False)
    assert [_range(plan_of, value, where) for value, where, _ in COUNTED] == ends
    monkeypatch.setattr(EventTimePredicates, "_admits", lambda *_: True)
    assert [_range(plan_of, value, where) for value, where, _ in COUNTED] != ends
