"""The nearest finest numbers: against a dense solver, on trees and on crossing levels; never below 0, and whole."""

from __future__ import annotations

import numpy as np
import pytest

from engine.mechanism.gaussian import add_noise, gaussian_scale
from engine.pipeline.consistency import Level, least_squares, non_negative_least_squares, round_consistently

RANDOM = np.random.default_rng(7)  # of test data, not of noise
LEAST_HELD = 0.925  # of 3,000 independent intervals at 0.95, fewer hold in 2 of 10^9 honest runs


def levels(groups: list[np.ndarray], sigmas: list[float]) -> list[Level]:
    made = []
    for some, sigma in zip(groups, sigmas, strict=True):
        made.append(Level(some, RANDOM.normal(10.0, 30.0, some.max() + 1), sigma))
    return made


FINEST = np.arange(60)
CASES = {
    "a tree": [FINEST, FINEST // 5, FINEST // 20, np.zeros(60, dtype=int)],
    "crossing levels": [FINEST, FINEST // 5, FINEST % 5, np.zeros(60, dtype=int)],
    "a level of some groups": [FINEST, np.where(FINEST < 30, FINEST // 10, -1)],
    "groups of many sizes": [FINEST, np.sqrt(FINEST).astype(int), np.zeros(60, dtype=int)],
}


@pytest.mark.parametrize("name", CASES)
def test_consistency_solves_the_normal_equations(name: str) -> None:
    made = levels(CASES[name], [3.0, 1.0, 0.2, 0.05][: len(CASES[name])])
    rows, wanted = [], []
    for each in made:
        matrix = np.zeros((len(each.noisy), 60))
        for i, group in enumerate(each.groups):
            if group >= 0:
                matrix[group, i] = 1
        rows.append(matrix / each.sigma)
        wanted.append(each.noisy / each.sigma)
    dense = np.linalg.lstsq(np.vstack(rows), np.concatenate(wanted), rcond=None)[0]
    assert least_squares(made) == pytest.approx(dense, abs=1e-6)
    kept = non_negative_least_squares(made)
    loss = sum(float(np.sum((each.sums(kept) - each.noisy) ** 2) / each.sigma**2) for each in made)
    cut = np.maximum(dense, 0)
    assert (kept >= 0).all()
    assert loss <= sum(float(np.sum((each.sums(cut) - each.noisy) ** 2) / each.sigma**2) for each in made) + 1e-6


def test_integer_rounding_nearly_preserves_sums_of_runs() -> None:
    numbers = np.abs(RANDOM.normal(0, 3, 1_000))
    made = round_consistently(numbers)
    assert (made >= 0).all() and (np.abs(made - numbers) <= 1).all()
    runs = [(a, b) for a, b in RANDOM.integers(0, 1_000, (200, 2)) if a < b]
    assert all(abs(made[a:b].sum() - numbers[a:b].sum()) <= 1 + 1e-9 for a, b in runs)


def test_consistent_totals_and_differences_have_at_most_their_stated_noise() -> None:
    """300 cities of 10 zones, exact number 1 each; the stated noise is that of the released numbers."""
    cities, zones = 3_000, 10
    coarse, fine = gaussian_scale(40, 10**10), gaussian_scale(30, 10**10)
    groups = np.repeat(np.arange(cities), zones)
    finest = add_noise(np.zeros(cities * zones, dtype=np.int64), 30, fine, 10**10).astype(float)
    totals = add_noise(np.zeros(cities, dtype=np.int64), 40, coarse, 10**10).astype(float)
    both = [Level(np.arange(cities * zones), finest, fine), Level(groups, totals, coarse)]
    found = least_squares(both)
    summed = both[1].sums(found)
    narrow = (1 / coarse**2 + 1 / (zones * fine**2)) ** -0.5
    assert float((np.abs(summed) <= 1.96 * narrow).mean()) >= LEAST_HELD
    assert float((np.abs(summed) <= 1.96 * narrow * 0.8).mean()) < LEAST_HELD  # power
    pairs = found.reshape(cities, zones)
    assert float((np.abs(pairs[:, 0] - pairs[:, 1]) <= 1.96 * fine * 2**0.5).mean()) >= LEAST_HELD
