"""What lies above the last clear bin is the tail of a log-normal, and what noise alone may have made is left out."""

from __future__ import annotations

import numpy as np
import pytest

from engine.pricing.clip_bounds import tails
from engine.pricing.clip_bounds.histograms import ContributionHistogram, HistogramSubject, Quantity
from engine.pricing.clip_bounds.tails import SIGNIFICANT_SIGMAS, denoised_people
from tests.engine.pricing.test_contribution_distribution import MADE, SIGMA, UNTIL


def noisy(counts: np.ndarray, seed: int) -> ContributionHistogram:
    """A histogram with noise of scale SIGMA."""
    drawn = counts + np.random.default_rng(seed).normal(0, SIGMA, len(counts))
    return ContributionHistogram(
        HistogramSubject("visit", (), Quantity.ROWS),
        tuple(int(n) for n in np.rint(drawn)),
        SIGMA,
        "forever",
        MADE,
        UNTIL,
    )


def log_normal(people: int, seed: int) -> np.ndarray:
    """Count people by squared rows, which are log-normal."""
    rows = np.maximum(1.0, np.rint(np.exp(np.random.default_rng(seed).normal(3.0, 1.2, people))))
    return np.bincount(np.floor(2 * np.log2(rows)).astype(int), minlength=41)


@pytest.mark.parametrize("seed", range(6))
def test_the_tail_holds_about_as_many_rows_as_it_truly_does(seed: int) -> None:
    counts = log_normal(20_000, seed)
    seen = denoised_people(noisy(counts, seed + 100))
    middles = np.exp2((np.arange(41) + 0.5) / 2)
    heavy = np.arange(41) >= np.flatnonzero(counts > SIGNIFICANT_SIGMAS * SIGMA)[-1]  # from the last bin that is clear
    assert (seen * middles)[heavy].sum() == pytest.approx((counts * middles)[heavy].sum(), rel=0.4)
    assert (seen * middles).sum() == pytest.approx((counts * middles).sum(), rel=0.05)


def test_an_isolated_far_bin_is_treated_as_noise() -> None:
    counts = log_normal(20_000, 1)
    counts[36] = 4 * SIGMA
    assert denoised_people(noisy(counts, 3))[30:].sum() < 1
    counts[36] = 20 * SIGMA
    assert denoised_people(noisy(counts, 3))[36] == pytest.approx(
        20 * SIGMA, abs=5 * SIGMA
    )  # that is too clear to be noise


def test_bins_between_clear_ones_are_never_negative() -> None:
    counts = np.zeros(41)
    counts[[3, 4, 5]] = 400, -30, 300
    seen = denoised_people(
        ContributionHistogram(
            HistogramSubject("visit", (), Quantity.ROWS), tuple(map(int, counts)), SIGMA, "forever", MADE, UNTIL
        )
    )
    assert list(seen[:6]) == [0, 0, 0, 400, 0, 300]
    assert seen[6:].sum() < 600


def test_a_histogram_without_clear_bins_has_nobody() -> None:
    assert not denoised_people(noisy(np.zeros(41), 5)).any()


@pytest.mark.parametrize("counted", [0, 30])
def test_noisy_bins_above_the_tail_are_weighted_against_it(counted: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A planted model that extends the tail regardless of the counts there is farther from the truth."""
    counts = log_normal(20_000, 1)
    place = int(np.flatnonzero(counts > SIGNIFICANT_SIGMAS * SIGMA)[-1]) + 1
    counts[place:], counts[place] = 0, counted
    held = ContributionHistogram(
        HistogramSubject("visit", (), Quantity.ROWS), tuple(counts), SIGMA, "forever", MADE, UNTIL
    )
    weighed = denoised_people(held)[place]
    monkeypatch.setattr(tails, "TAIL_RELATIVE_ERROR", 0.0)
    assert abs(weighed - counted) < abs(denoised_people(held)[place] - counted)


def test_the_tail_of_persons_falls_off_as_that_of_a_root() -> None:
    """Persons are clipped by the root of their groups: extrapolated like rows, their tail would be twice as long."""
    groups = np.maximum(1.0, np.rint(np.exp(np.random.default_rng(2).normal(1.0, 0.8, 20_000))))
    counts = np.bincount(np.floor(np.log2(groups)).astype(int), minlength=41)
    persons = denoised_people(
        ContributionHistogram(
            HistogramSubject("visit", ("zone",), Quantity.PERSONS), tuple(counts), 60.0, "forever", MADE, UNTIL
        )
    )
    rows = denoised_people(
        ContributionHistogram(
            HistogramSubject("visit", ("zone",), Quantity.ROWS), tuple(counts), 60.0, "forever", MADE, UNTIL
        )
    )
    last = int(np.flatnonzero(counts > SIGNIFICANT_SIGMAS * 60)[-1])
    true = counts[last + 1 :].sum()
    assert abs(persons[last + 1 :].sum() - true) < abs(rows[last + 1 :].sum() - true)


def test_a_mixture_of_two_populations_has_the_tail_of_the_heavier(monkeypatch: pytest.MonkeyPatch) -> None:
    """A planted reading that fits one law to both kinds continues it from the lighter ones, and finds nobody."""
    held = np.zeros(41, dtype=int)
    held[:15] = (
        45,
        1783,
        6106,
        6907,
        3376,
        978,
        191,
        30,
        8,
        20,
        93,
        219,
        164,
        69,
        11,
    )  # the last two are hidden by noise
    read = ContributionHistogram(
        HistogramSubject("visit", (), Quantity.ROWS), tuple(map(int, held)), 25.0, "forever", MADE, UNTIL
    )
    assert denoised_people(read)[13:].sum() == pytest.approx(80, rel=0.5)
    monkeypatch.setattr(tails, "MAX_MEAN_SQUARED_ERROR", np.inf)
    assert denoised_people(read)[13:].sum() < 20
