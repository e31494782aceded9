"""Answers on real data: what intervals promise, they keep. Exact vectors are read once and noised many times."""

from __future__ import annotations

import pytest

from tests.bench.accuracy import Outcome, outcomes
from tests.support.statistics.mibici import needs_mibici
from tests.support.statistics.statistics import ALPHA, binomial_at_least, binomial_at_most, binomial_within

NOISINGS = 60
LEVEL, MOST = 0.95, 0.97  # ends are rounded outwards


@pytest.fixture(scope="module")
def made() -> list[Outcome]:
    """Answer every question at rho 0.005, many times."""
    return outcomes(NOISINGS)


@needs_mibici
def test_pooled_coverage_is_what_intervals_say(made: list[Outcome]) -> None:
    """At least 2,000 outcomes where bounds do not bind, held against the unclipped truth; and all of them pooled."""
    free = [n for o in made if not o.bounds_bind for n in o.covered_truth]
    every = [n for o in made for n in o.covered]
    for counts in (free, every):
        assert len(counts) * NOISINGS >= 2_000
        assert binomial_at_least(sum(counts), len(counts) * NOISINGS, LEVEL)
        assert binomial_at_most(sum(counts), len(counts) * NOISINGS, MOST)


@needs_mibici
def test_every_single_number_covers_by_a_binomial_test_at_1e_7(made: list[Outcome]) -> None:
    """No number hides behind the others; all together raise one false alarm in ten million."""
    numbers = sum(len(o.covered) for o in made)
    for o in made:
        for n in o.covered:
            assert binomial_within(n, NOISINGS, LEVEL, ALPHA / numbers), (o.name, n)


@needs_mibici
def test_the_binomial_test_has_power() -> None:
    """Intervals of half the width cover 67%: the test must see that at this sample size."""
    assert not binomial_within(round(0.673 * NOISINGS), NOISINGS, LEVEL, ALPHA / 1_000)


@needs_mibici
def test_errors_are_as_small_as_the_readme_states(made: list[Outcome]) -> None:
    """Medians over shown numbers, generous by half of what the README's table gives."""
    error = {o.name: o.relative_error for o in made}
    assert error["people in all"] < 0.005
    assert error["people by day"] < 0.015
    assert error["trips by zone of origin"] < 0.15
    assert max(error.values()) < 0.2
