"""Variances and their like: exact where sums are, within their intervals where those are noisy, NULL where too few."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

import numpy as np
import pytest

from dialect.algebra.formulas import MomentsOf
from dialect.functions.aggregates import AGGREGATES, MOMENTS
from engine.mechanism.moments import Estimate, PerValue, compute_moments
from tests.support.sql.samples import gaussian_samples
from tests.support.statistics.statistics import binomial_at_least, binomial_at_most

CENTRES = (30.0, 12.0)
DRAWS = 4_000
LEAST = 0.945  # of 0.95: what is not linear in the noise may cost half a percent


def _sums(function: str, first: np.ndarray, second: np.ndarray) -> tuple[MomentsOf, list[float]]:
    """Exact sums of two samples that a formula needs."""
    needed = MOMENTS[function]
    away = [values - centre for values, centre in zip((first, second), CENTRES, strict=True)][
        : AGGREGATES[function].argument_count
    ]
    sums = [float(each.sum()) for each in away]
    products = [float((away[i] * away[j]).sum()) for i, j in needed.product_pairs]
    places = range(1, 1 + len(sums) + len(products))
    formula = MomentsOf(function, 0, tuple(places[: len(sums)]), tuple(places[len(sums) :]), CENTRES[: len(sums)])
    return formula, [float(len(first)), *sums, *products]


def _found(
    formula: MomentsOf, exact: Sequence[float], sigmas: Sequence[float], draws: int, level: float = 0.95
) -> Estimate:
    noisy = [x + s * gaussian_samples(draws, 1000.0) / 1000.0 if s else np.full(draws, x) for x, s in zip(exact, sigmas, strict=True)]  # fmt: skip
    return compute_moments(formula, noisy, sigmas, level)


def _plain(function: str, y: np.ndarray, x: np.ndarray) -> float:
    slope = float(np.cov(y, x)[0, 1] / np.var(x, ddof=1))
    return {
        "var_pop": float(np.var(y)),
        "var_samp": float(np.var(y, ddof=1)),
        "stddev_pop": float(np.std(y)),
        "stddev_samp": float(np.std(y, ddof=1)),
        "covar_pop": float(np.cov(y, x, ddof=0)[0, 1]),
        "covar_samp": float(np.cov(y, x)[0, 1]),
        "corr": float(np.corrcoef(y, x)[0, 1]),
        "regr_slope": slope,
        "regr_intercept": float(y.mean() - slope * x.mean()),
    }[function]


def _people(seed: int, size: int, spread: float = 9.0) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    x = draw.normal(11.0, 4.0, size)
    return 20 + 0.8 * x + draw.normal(0, spread, size), x


@pytest.mark.parametrize("function", MOMENTS)
@pytest.mark.parametrize("size", [2, 3, 500])
def test_moments_without_noise_are_exact(function: str, size: int) -> None:
    y, x = _people(size, size)
    formula, exact = _sums(function, y, x)
    found = _found(formula, exact, [0.0] * len(exact), 1)
    assert found.value[0] == pytest.approx(_plain(function, y, x), rel=1e-6)
    assert found.lower[0] == found.value[0] == found.upper[0]


@pytest.mark.parametrize("function", MOMENTS)
@pytest.mark.parametrize("noise", [0.01, 0.1, 0.3, 0.45])
def test_moments_lie_in_their_intervals(function: str, noise: float) -> None:
    """Noise is given as a share of the count; at 0.5 the count is unstable, and NULL covers every number."""
    y, x = _people(5, 2_000)
    formula, exact = _sums(function, y, x)
    sizes = [1.0, 9.0, 4.0][: 1 + len(formula.sums)] + [{(0, 0): 90.0, (0, 1): 40.0, (1, 1): 20.0}[pair] for pair in MOMENTS[function].product_pairs]  # fmt: skip
    sigmas = [noise * 2_000 * size for size in sizes]
    found = _found(formula, exact, sigmas, DRAWS)
    told = np.isfinite(found.value)
    if noise <= 0.01:
        assert told.all()
    if not told.any():
        return
    true = _plain(function, y, x)
    held = (found.lower <= true) & (true <= found.upper) & told
    nothing = int((~told).sum()) if noise > 0.3 else 0
    assert binomial_at_least(int(held.sum()) + nothing, int(told.sum()) + nothing, LEAST)
    assert (found.lower <= found.value + 1e-9)[told].all() and (found.value <= found.upper + 1e-9)[told].all()


@pytest.mark.parametrize("function", MOMENTS)
def test_an_understated_noise_scale_is_found(function: str) -> None:
    y, x = _people(7, 2_000)
    formula, exact = _sums(function, y, x)
    sigmas = [0.01 * 2_000 * size for size in (1.0, 9.0, 9.0, 90.0, 90.0, 90.0)[: len(exact)]]
    noisy = [
        value + sigma * gaussian_samples(DRAWS, 1000.0) / 1000.0 for value, sigma in zip(exact, sigmas, strict=True)
    ]
    found = compute_moments(formula, noisy, [sigma / 2 for sigma in sigmas], 0.95)
    held = (found.lower <= _plain(function, y, x)) & (_plain(function, y, x) <= found.upper)
    assert not binomial_at_least(int(held.sum()), DRAWS, LEAST)


@pytest.mark.parametrize("function", ["var_pop", "var_samp", "stddev_samp"])
def test_no_variance_is_negative(function: str) -> None:
    y = np.full(200, 30.5)
    formula, exact = _sums(function, y, y)
    found = _found(formula, exact, [10.0, 50.0, 900.0], 2_000)
    told = np.isfinite(found.value)
    assert told.all()
    assert found.value.min() == found.lower.min() == 0.0
    assert binomial_at_least(int((found.lower <= 0.0).sum()), 2_000, LEAST)


@pytest.mark.parametrize(("function", "count", "told"), [
    ("var_samp", 19.0, False), ("var_samp", 22.0, True), ("var_pop", 19.0, False), ("var_pop", 20.5, True), ("var_samp", -100.0, False),
])  # fmt: skip
def test_too_few_values_have_no_moment(function: str, count: float, told: bool) -> None:
    """At 95% a count of noise 10 is clear of 0 from 19.6 on, and of 1 from 20.6."""
    formula = MomentsOf(function, 0, (1,), (2,), (0.0,))
    found = compute_moments(formula, [np.array([count]), np.array([0.0]), np.array([9e3])], [10.0, 1.0, 1.0], 0.95)
    assert [math.isfinite(each[0]) for each in (found.value, found.lower, found.upper)] == [told] * 3


def test_a_variance_that_may_be_zero_makes_ratios_null() -> None:
    y, _ = _people(3, 400)
    formula, exact = _sums("corr", y, np.full(400, 12.0))
    found = _found(formula, exact, [5.0, 40.0, 40.0, 300.0, 300.0, 300.0], 500)
    assert binomial_at_most(int(np.isfinite(found.value).sum()), 500, 0.025)  # one in forty is clear of 0 by chance


def test_for_small_noise_the_interval_is_the_linearized_one() -> None:
    y, x = _people(11, 5_000)
    formula, exact = _sums("var_pop", y, x)
    sigmas = [1.0, 10.0, 500.0]
    found = compute_moments(formula, [np.array([value]) for value in exact], sigmas, 0.95)
    n, s, q = exact
    slopes = np.array([-q / n**2 + 2 * s**2 / n**3, -2 * s / n**2, 1 / n])
    reach = 1.959964 * float(np.sqrt(((slopes * np.array(sigmas)) ** 2).sum()))
    assert (found.upper[0] - found.lower[0]) / 2 == pytest.approx(reach, rel=1e-3)


def test_many_groups_are_quick() -> None:
    formula = MomentsOf("stddev_samp", 0, (1,), (2,), (0.0,))
    noisy = [np.full(100_000, 500.0), np.full(100_000, 20.0), np.full(100_000, 4e4)]
    begun = time.thread_time()
    compute_moments(formula, noisy, [10.0, 50.0, 900.0], 0.95)
    assert time.thread_time() - begun < 10


@pytest.mark.parametrize("function", sorted(MOMENTS))
def test_what_is_added_for_each_value_moves_sums_and_widens_intervals(function: str) -> None:
    first = np.linspace(20, 50, 400)
    formula, exact = _sums(function, first, 0.1 * first + np.sin(first))
    added = {i: 0.25 * i for i in formula.vectors[1:]}
    clipped = [x - exact[0] * added.get(i, 0.0) for i, x in enumerate(exact)]
    sigmas = [0.01] * len(exact)

    def estimate(sums: Sequence[float], per_value: dict[int, PerValue]) -> list[float]:
        found = compute_moments(formula, [np.array([x]) for x in sums], sigmas, 0.95, per_value)
        return [float(each[0]) for each in (found.value, found.lower, found.upper)]

    plain, narrow = estimate(exact, {}), estimate(clipped, {i: PerValue(each) for i, each in added.items()})
    wide = estimate(clipped, {i: PerValue(each, 0.02) for i, each in added.items()})
    assert narrow[0] == pytest.approx(plain[0]) == wide[0] and wide[1] < narrow[1] < narrow[2] < wide[2]


def test_a_further_error_of_squares_widens_a_variance_above_alone() -> None:
    first = np.linspace(20, 50, 400)
    formula, exact = _sums("var_pop", first, first)
    errors = {formula.products[0]: PerValue(0.0, 0.5), formula.sums[0]: PerValue(0.0, 0.01)}
    ends = []
    for above in (0.0, 20.0):
        given = errors | {formula.products[0]: PerValue(0.0, 0.5, above)}
        found = compute_moments(formula, [np.array([x]) for x in exact], [0.01] * len(exact), 0.95, given)
        ends.append((float(found.lower[0]), float(found.upper[0])))
    assert ends[0][0] == pytest.approx(ends[1][0])
    assert ends[1][1] == pytest.approx(float(np.var(first)) + 1.96 * math.hypot(20.0, 0.5), rel=0.01)
