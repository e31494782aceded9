"""Projection onto natural limits: it loses no possible number, and changes no count."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialect import compile_query
from dialect.postprocess import column_limits
from engine.mechanism import answer
from engine.mechanism.answer import Answer, project_intervals, projected
from engine.pipeline.engine import Engine
from tests.support.planted import instead

ENDS = st.floats(-1e6, 1e6)
LIMITS = st.sampled_from(
    [(0.0, math.inf), (0.0, 1.0), (-math.inf, 0.0), (-5.0, 7.0), (-math.inf, math.inf), (1.0, math.inf)]
)


def loses(lower: float, upper: float, limits: tuple[float, float], number: float) -> bool:
    """Is a number within its limits covered before the projection, and not after it?"""
    low, high = answer.projected(np.array([lower]), np.array([upper]), *limits)
    was_covered = lower <= number <= upper and limits[0] <= number <= limits[1]
    return was_covered and not low[0] <= number <= high[0]


@given(ENDS, ENDS, LIMITS, st.floats(0, 1))
def test_no_projection_loses_a_possible_number(
    one: float, other: float, limits: tuple[float, float], at: float
) -> None:
    lower, upper = min(one, other), max(one, other)
    low, high = (float(each[0]) for each in projected(np.array([lower]), np.array([upper]), *limits))
    assert limits[0] <= low <= high <= limits[1]
    assert high - low <= upper - lower and (
        low < high or lower == upper or limits[0] in (lower, upper) or limits[1] in (lower, upper)
    )
    for number in (lower, upper, 0.0, 1.0, lower + at * (upper - lower)):
        assert not loses(lower, upper, limits, number)


def test_an_end_beyond_the_number_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    instead(answer, "projected", lambda lower, upper, least, most: (lower.clip(least + 1), upper))(monkeypatch)
    assert loses(-5.0, 5.0, (0.0, math.inf), 0.5)


def test_missing_ends_stay_missing() -> None:
    low, high = projected(np.array([np.nan]), np.array([np.nan]), 0.0, 1.0)
    assert np.isnan(low[0]) and np.isnan(high[0])


def test_numbers_stay_as_released(engine: Engine) -> None:
    question = compile_query("SELECT zone, COUNT(*) AS n, COUNT(*) - 1 AS d FROM visit GROUP BY zone", engine.catalog)
    table = pa.table({"zone": ["a", "b", "c"], "n": [-30, 4, 90], "d": [-31, 3, 89]})
    ends = np.array([-42.0, -8.0, 78.0]), np.array([-18.0, 16.0, 102.0])
    answer = project_intervals(Answer(table, {"n": ends, "d": ends}, {}), question)
    assert answer.table.equals(table)
    assert [each.tolist() for each in answer.intervals["n"]] == [[0, 0, 78], [12, 16, 102]]
    assert [each.tolist() for each in answer.intervals["d"]] == [[-1, -1, 78], [11, 16, 102]]


def test_averages_lie_within_their_limits(engine: Engine) -> None:
    sql = "SELECT zone, AVG(minutes) AS a, 100 * AVG(CASE WHEN minutes > 60 THEN 1 ELSE 0 END) AS p, COUNT(*) AS n FROM visit GROUP BY zone"
    question = compile_query(sql, engine.catalog)
    most = column_limits(question)[1][1]
    numbers = {"zone": ["a", "b", "c"], "a": [-3.5, None, most + 1], "p": [201.5, 40.0, -1.0], "n": [-30, 4, 90]}
    ends = np.array([-42.0, -8.0, 78.0]), np.array([250.0, 260.0, 1e9])
    found = project_intervals(Answer(pa.table(numbers), dict.fromkeys("apn", ends), {}), question).table.to_pydict()
    assert found == {**numbers, "a": [0.0, None, most], "p": [100.0, 40.0, 0.0]}
