"""A key of one person alone appears with probability at most its delta; OpenDP's own delta understates that."""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from itertools import product

import numpy as np
import opendp.prelude as dp
import pytest

from engine.mechanism.gaussian import add_noise
from engine.mechanism.thresholds import person_threshold, threshold_delta
from tests.support.sql.samples import measured_pico_rho
from tests.support.statistics.statistics import (
    any_of,
    binomial_at_least,
    binomial_at_most,
    binomial_within,
    gaussian_tail,
    laplace_tail,
    normal_erfc,
)

ATTO = 10**18
SIGMAS = [0.3, 0.9, 1.0, 2.5, 5.0, 17.3, 63.0]
GROUPS = [1, 40, 1_000]
DELTAS = [10**18 // 20, 10**12, 10**6, 10]

Delta = Callable[[float, int, int], float]


def _true_delta(sigma: float, persons_threshold: int, max_groups: int) -> Decimal:
    """Probability, in 60 digits, that 1 + Z reaches the threshold in any of the groups."""
    return any_of(gaussian_tail(sigma, persons_threshold - 1), max_groups)


def _under_reports(claimed: Delta) -> list[tuple[float, int, int]]:
    """Where a delta is less than the exact tail."""
    cases = [(sigma, reached, groups) for sigma, groups in product(SIGMAS, GROUPS) for reached in _thresholds(sigma)]
    return [case for case in cases if Decimal(claimed(*case)) < _true_delta(*case)]


def _thresholds(sigma: float) -> list[int]:
    """Thresholds from the middle of the noise out to its far tail."""
    return sorted({2 + int(sigmas * sigma) for sigmas in (0, 0.5, 1, 1.5, 2, 3, 5, 7, 9)})


def test_delta_never_under_reports() -> None:
    assert not _under_reports(threshold_delta)


@pytest.mark.parametrize(
    "planted",
    [
        lambda sigma, reached, groups: threshold_delta(sigma, reached + 1, groups),
        lambda sigma, reached, _: threshold_delta(sigma, reached, 1),
        lambda sigma, reached, groups: float(_true_delta(sigma, reached, groups)) * (1 - 1e-12),
    ],
    ids=["the person's own 1 forgotten: T for T - 1", "max_groups forgotten", "rounded down"],
)
def test_planted_under_reporting_is_found(planted: Delta) -> None:
    assert _under_reports(planted)


@pytest.mark.parametrize("sigma", SIGMAS)
@pytest.mark.parametrize("max_groups", GROUPS)
@pytest.mark.parametrize("atto_delta", DELTAS)
def test_the_threshold_is_the_least_that_satisfies_delta(sigma: float, max_groups: int, atto_delta: int) -> None:
    reached, delta = person_threshold(sigma, max_groups, atto_delta), Decimal(atto_delta) / ATTO
    assert _true_delta(sigma, reached, max_groups) <= delta
    # least by its own bound; and at most one person above the least of the exact tail
    assert Fraction(threshold_delta(sigma, reached - 1, max_groups)) > Fraction(atto_delta, ATTO)
    assert reached <= 2 or _true_delta(sigma, reached - 2, max_groups) > delta


@pytest.mark.parametrize("sigma", [5.0, 17.3, 63.0])
def test_the_bound_is_close_where_noise_is_wide(sigma: float) -> None:
    for reached, groups in product(_thresholds(sigma)[3:], GROUPS):
        assert Decimal(threshold_delta(sigma, reached, groups)) < _true_delta(sigma, reached, groups) * Decimal("1.25")


def test_the_platform_computes_erfc_as_closely_as_the_proof_needs() -> None:
    for x in np.linspace(0, 26.5, 107):
        off = Decimal(math.erfc(float(x))) / normal_erfc(float(x)) - 1
        assert abs(off) < Decimal(2) ** -40


def _appearances(sigma: float, reached: int, max_groups: int, people: int) -> int:
    """Noise so many people, each alone in `max_groups` keys, and count those of whom any key appears."""
    alone = np.ones(people * max_groups, dtype=np.int64)
    noisy = add_noise(alone, max_groups, sigma, measured_pico_rho(max_groups, sigma))
    return int((noisy >= reached).reshape(people, max_groups).any(axis=1).sum())


def test_a_group_of_one_person_appears_with_probability_delta() -> None:
    sigma, max_groups, people = 5.0, 2, 20_000
    reached = person_threshold(sigma, max_groups, ATTO // 20)
    seen, delta = _appearances(sigma, reached, max_groups, people), threshold_delta(sigma, reached, max_groups)
    assert binomial_at_most(seen, people, delta)
    assert binomial_at_least(seen, people, 0.97 * delta)
    # the same test finds the planted ones at the same size
    assert not binomial_at_most(seen, people, threshold_delta(sigma, reached + 1, max_groups))
    assert not binomial_at_most(seen, people, threshold_delta(sigma, reached, 1))


def test_delta_stays_a_number_at_the_ends() -> None:
    assert threshold_delta(10.0, 1, 5) == 1.0
    assert threshold_delta(10.0, -3, 5) == 1.0
    assert 0 < threshold_delta(1.0, 10**6, 1) < 1e-300
    assert person_threshold(1e15, 10**6, 1) == pytest.approx(10.6e15, rel=0.05)


@pytest.mark.parametrize(
    ("sigma", "max_groups", "atto_delta"),
    [(0.0, 1, 1), (-1.0, 1, 1), (float("nan"), 1, 1), (float("inf"), 1, 1), (1.0, 0, 1), (1.0, 1, 0), (1.0, 1, ATTO)],
)
def test_impossible_thresholds_are_refused(sigma: float, max_groups: int, atto_delta: int) -> None:
    with pytest.raises(ValueError, match="must"):
        person_threshold(sigma, max_groups, atto_delta)


def _opendp_threshold(maker: str, distance: dp.Metric, reached: int) -> dp.Measurement:
    """Build OpenDP's own threshold mechanism at scale 1."""
    dp.enable_features("contrib")
    counts = dp.map_domain(dp.atom_domain(T="String"), dp.atom_domain(T="i64"))
    return getattr(dp.m, maker)(counts, distance, scale=1.0, threshold=reached)


def test_opendp_under_reports_its_threshold() -> None:
    """Its issue 2922: values equal to the threshold are released, delta counts only those above."""
    distance = dp.l01inf_distance(dp.absolute_distance(T="i64"))
    mechanism = _opendp_threshold("make_laplace_threshold", distance, 5)
    claimed, true = mechanism.map((1, 1, 1))[1], float(laplace_tail(1.0, 4))
    assert claimed == pytest.approx(0.00493, abs=1e-5)
    assert true == pytest.approx(0.0134, abs=1e-4)
    keys = 20_000  # each of one person, each an experiment of its own
    seen = len(mechanism({str(key): 1 for key in range(keys)}))
    assert binomial_within(seen, keys, true)
    assert not binomial_at_most(seen, keys, claimed)


@pytest.mark.parametrize("reached", [3, 5, 8])
def test_our_delta_covers_opendps_underestimate(reached: int) -> None:
    distance = dp.l02inf_distance(dp.absolute_distance(T="f64"))
    claimed = _opendp_threshold("make_gaussian_threshold", distance, reached).map((1, 1.0, 1.0))[1]
    true = _true_delta(1.0, reached, 1)
    assert Decimal(claimed) < true <= Decimal(threshold_delta(1.0, reached, 1))
