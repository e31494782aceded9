"""Answers on real data: what intervals promise, they keep. Exact vectors are read once and noised many times."""

from __future__ import annotations

import pytest

from tests.bench.accuracy import Outcome, outcomes
from tests.support.mibici import needs_mibici
from tests.support.statistics import binomial_within

NOISINGS = 50
LEVEL = 0.95


@pytest.fixture(scope="module")
def made() -> list[Outcome]:
    """Answer every question at rho 0.005, many times."""
    return outcomes(NOISINGS)


@needs_mibici
def test_pooled_coverage_lies_between_94_and_97_percent(made: list[Outcome]) -> None:
    """At least 2,000 outcomes where bounds do not bind, held against the unclipped truth; and all of them pooled."""
    free = [n for o in made if not o.bounds_bind for n in o.covered_truth]
    every = [n for o in made for n in o.covered]
    for counts in (free, every):
        assert len(counts) * NOISINGS >= 2_000
        assert 0.94 <= sum(counts) / (len(counts) * NOISINGS) <= 0.97


@needs_mibici
def test_every_single_number_covers_by_a_binomial_test_at_1e_6(made: list[Outcome]) -> None:
    """No number hides behind the others."""
    for o in made:
        for n in o.covered:
            assert binomial_within(n, NOISINGS, LEVEL), (o.name, n)


@needs_mibici
def test_the_binomial_test_has_power() -> None:
    """Intervals of half the width cover 67%: the test must see that at this sample size."""
    assert not binomial_within(round(0.673 * NOISINGS), NOISINGS, LEVEL)


@needs_mibici
def test_errors_are_as_small_as_the_readme_says(made: list[Outcome]) -> None:
    """Medians over shown numbers, generous by half of what the README's table gives."""
    error = {o.name: o.relative_error for o in made}
    assert error["people in all"] < 0.005
    assert error["people by day"] < 0.015
    assert error["trips by zone of origin"] < 0.15
    assert max(error.values()) < 0.2
