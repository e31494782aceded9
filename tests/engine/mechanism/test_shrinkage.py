"""Numbers close to the noise are shown as such groups are on average: less wrong, in the same order, of the same sum."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.mechanism import shrinkage
from engine.mechanism.answer import project_intervals
from engine.mechanism.shrinkage import (
    FULLY_SHRUNK,
    LARGEST_MOVE,
    LEAST_GROUPS,
    NEAR,
    shrink,
    shrink_numbers,
)
from engine.pipeline.engine import Engine
from engine.pricing.query_terms import Request
from tests.support.planted import instead

NUMBERS = st.lists(st.integers(-400, 2000), min_size=1, max_size=60)
NOISE = 100.0


def sum_that_stays(noisy: np.ndarray) -> bool:
    """Is the sum of near numbers the same after shrinking, or the least one that the largest moves allow?"""
    shrunk, is_near = shrink(noisy, NOISE)
    x = noisy[is_near] / NOISE
    weights = np.clip((NEAR - x) / (NEAR - FULLY_SHRUNK), 0.0, 1.0)
    least = (1 - weights) * x + weights * np.maximum(x - LARGEST_MOVE, 0.0)
    return float(shrunk[is_near].sum()) == pytest.approx(NOISE * max(x.sum(), least.sum()), abs=1e-6)


@given(NUMBERS)
def test_shrinking_keeps_order_sum_and_larger_numbers(numbers: list[int]) -> None:
    noisy = np.array(numbers, dtype=np.float64)
    shrunk, is_near = shrink(noisy, NOISE)
    order = np.argsort(noisy, kind="stable")
    assert (np.diff(shrunk[order]) >= -1e-9).all()
    assert shrunk[~is_near].tolist() == noisy[~is_near].tolist()
    assert sum_that_stays(noisy)
    if is_near.any():
        assert is_near.tolist() == (noisy < NEAR * NOISE).tolist() and is_near.sum() >= LEAST_GROUPS
        assert (shrunk[is_near] >= -1e-9).all()


@given(NUMBERS)
def test_no_number_moves_far(numbers: list[int]) -> None:
    noisy = np.array(numbers, dtype=np.float64)
    shrunk, _ = shrink(noisy, NOISE)
    largest = LARGEST_MOVE * NOISE + 1e-6
    assert (shrunk >= noisy - largest).all()
    assert (shrunk <= np.maximum(noisy + largest, 1e-6)).all()


@pytest.mark.parametrize("groups", [12, 50, 3000])
def test_one_large_group_is_not_drowned(groups: int) -> None:
    noisy = np.random.default_rng(3).normal(0, NOISE, groups).clip(-300, 300)
    noisy[0] = 390
    shrunk, _ = shrink(noisy, NOISE)
    assert shrunk[0] + 1e-6 >= 390 - LARGEST_MOVE * NOISE and shrunk[0] <= 390 + 1e-6


def test_a_sum_that_moves_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    noisy = np.array([-150.0, 20, 90, 160, 30, 0, 75, -10, 210, 40, 60, 5])
    assert sum_that_stays(noisy)
    instead(shrinkage, "_isotonic", lambda values, by: 1.01 * values)(monkeypatch)
    assert not sum_that_stays(noisy)


@pytest.mark.parametrize("law", ["nothing", "exponential", "log-normal", "alike"])
def test_shrunk_numbers_are_less_wrong(law: str) -> None:
    draw = np.random.default_rng(7)
    exact = {
        "nothing": np.zeros(300),
        "exponential": draw.exponential(60, 300),
        "log-normal": np.exp(draw.normal(3.0, 1.5, 300)),
        "alike": np.full(300, 120.0),
    }[law]
    noisy = exact + draw.normal(0, NOISE, 300)
    shrunk, _ = shrink(noisy, NOISE)
    assert ((shrunk - exact) ** 2).mean() < 0.5 * ((noisy - exact) ** 2).mean()


def test_few_groups_large_numbers_and_those_without_a_negative_one_stay() -> None:
    exact = np.array([0.0, 30.0, 120.0] * 20)
    for noisy in (np.array([-30.0] * (LEAST_GROUPS - 1)), np.array([510.0, 900.0] * 30), exact):
        shrunk, is_near = shrink(noisy, NOISE)
        assert not is_near.any() and shrunk.tolist() == noisy.tolist()


@given(st.lists(st.floats(0, 50), min_size=1, max_size=40))
def test_rounding_keeps_order_and_sum_but_for_ties(values: list[float]) -> None:
    numbers = np.sort(np.array(values))
    rounded = shrinkage._round_to_sum(numbers)
    assert (np.diff(rounded) >= 0).all() and (np.abs(rounded - numbers) < 1).all()
    fractions = numbers - np.floor(numbers)
    ties = max((int((fractions == each).sum()) for each in fractions if each > 0), default=1)
    assert abs(rounded.sum() - numbers.sum()) <= 0.5 + ties - 1 + 1e-6


BY_ZONE_AND_DAY = "SELECT zone, day, COUNT(*) AS n FROM visit GROUP BY zone, day{0}"


@pytest.mark.parametrize("confidence", [0.5, 0.65, 0.8, 0.95])
def test_an_answer_is_shrunk_within_its_intervals(confidence: float, engine: Engine) -> None:
    given = engine.answer(BY_ZONE_AND_DAY.format(" ORDER BY n DESC"), Request("ann", confidence=confidence))
    released = given.answer.table.column("n").to_numpy()
    answer = shrink_numbers(project_intervals(given.answer, given.question), given.question)
    numbers, (lower, upper) = answer.table.column("n").to_numpy(), answer.intervals["n"]
    assert answer.shrunk == {"n": (released < NEAR * given.answer.noise["n"]).sum()}
    assert (np.diff(numbers) <= 0).all()
    assert (lower <= numbers).all() and (numbers <= upper).all()
    assert (numbers != released).any()


def test_confidence_moves_no_number(engine: Engine) -> None:
    shown = []
    for confidence in (0.95, 0.999):
        given = engine.answer(BY_ZONE_AND_DAY.format(""), Request("ann", confidence=confidence))
        shown.append(shrink_numbers(project_intervals(given.answer, given.question), given.question))
    assert shown[0].shrunk and shown[0].table.equals(shown[1].table) and shown[0].shrunk == shown[1].shrunk


@pytest.mark.parametrize(
    "sql",
    [
        BY_ZONE_AND_DAY.format(" HAVING COUNT(*) > 0"),
        BY_ZONE_AND_DAY.format(" ORDER BY n DESC LIMIT 20"),
        BY_ZONE_AND_DAY.format("").replace("COUNT(*)", "COUNT(*) - 7"),
        BY_ZONE_AND_DAY.format("").replace("COUNT(*)", "COUNT(*) - COUNT(DISTINCT person_id)"),
        BY_ZONE_AND_DAY.format("").replace("COUNT(*)", "AVG(minutes)"),
    ],
)
def test_selected_rows_and_ratios_stay_as_released(engine: Engine, sql: str) -> None:
    given = engine.answer(sql, Request("ann"))
    answer = shrink_numbers(given.answer, given.question)
    assert answer.table.num_rows and answer.table.equals(given.answer.table) and not answer.shrunk
