"""The predicted clipping bias of log-normal contributions equals a numerical integral of the clipped part."""

from __future__ import annotations

import math
from collections.abc import Callable
from importlib import import_module
from statistics import NormalDist

import pytest

from tests.support.planted import Plant, instead

bounding = import_module("dialect.sensitivity.bounding")
SIGMA = 1.2  # standard deviation of ln X
SHARES = (0.9, 0.95, 0.98, 0.99)


def simpson(density: Callable[[float], float], lower: float, upper: float, pairs: int = 20_000) -> float:
    """Integrate by Simpson's rule."""
    step = (upper - lower) / (2 * pairs)
    weights = (1 if i in (0, 2 * pairs) else 2 + 2 * (i % 2) for i in range(2 * pairs + 1))
    return step / 3 * math.fsum(weight * density(lower + i * step) for i, weight in enumerate(weights))


def density(n: float) -> float:
    return math.exp(-n * n / 2) / math.sqrt(2 * math.pi)


def integrated_bias(unclipped_share: float) -> float:
    """Integrate E[min(X, C)] / E[X] - 1, with the quantile by bisection of the integrated density."""
    low, high = 0.0, 5.0
    for _ in range(40):
        middle = (low + high) / 2
        is_below = 0.5 + simpson(density, 0.0, middle, 200) < unclipped_share
        low, high = (middle, high) if is_below else (low, middle)
    clipped = simpson(lambda n: (math.exp(SIGMA * n) - math.exp(SIGMA * low)) * density(n), low, 15.0)
    return -clipped / simpson(lambda n: math.exp(SIGMA * n) * density(n), -15.0, 15.0)


def check_predicted_bias() -> None:
    for share in SHARES:
        assert bounding.predicted_bias(share) == pytest.approx(integrated_bias(share), rel=1e-8)


def test_the_predicted_clipping_bias_is_the_integral_of_the_clipped_part() -> None:
    check_predicted_bias()


def test_the_share_of_persons_that_is_integrated_is_the_declared_one() -> None:
    for share in SHARES:
        z = NormalDist().inv_cdf(share)
        assert simpson(density, -15.0, z) == pytest.approx(share, rel=1e-9)


def biased(formula: Callable[[float, float], float]) -> Plant:
    """Plant another formula of z and s."""
    return instead(bounding, "predicted_bias", lambda share: -formula(NormalDist().inv_cdf(share), SIGMA))


def cdf(z: float) -> float:
    return NormalDist().cdf(z)


PLANTED: dict[str, Plant] = {
    "another deviation of the logarithm": instead(bounding, "LOG_NORMAL_SIGMA", 1.19),
    "clipped rows that are dropped": biased(lambda z, s: cdf(s - z)),
    "the clip bound without the mean": biased(lambda z, s: cdf(s - z) - math.exp(z * s) * cdf(-z)),
    "the variance for half of it": biased(lambda z, s: cdf(s - z) - math.exp(z * s - s * s) * cdf(-z)),
    "the share of persons for that of the total": biased(lambda z, s: cdf(-z)),
}


@pytest.mark.parametrize("bug", PLANTED)
def test_a_planted_formula_is_found(monkeypatch: pytest.MonkeyPatch, bug: str) -> None:
    PLANTED[bug](monkeypatch)
    with pytest.raises(AssertionError):
        check_predicted_bias()
