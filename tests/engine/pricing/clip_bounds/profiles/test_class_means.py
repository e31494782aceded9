"""Class means: their posterior holds the exact means of classes, and doubts itself where it is contradicted."""

from __future__ import annotations

import numpy as np
import pytest

from engine.pricing.clip_bounds.profiles.class_means import (
    ClassPosterior,
    class_of,
    posterior_of_classes,
    prior_of_classes,
)

UNITS = np.array([900.0, 2000.0, 1500.0, 700.0, 250.0, 60.0, 15.0])
SPREAD = 10.0


@pytest.mark.parametrize("step", [0.05, 0.2, 0.8])
def test_the_posterior_of_classes_holds_their_means(step: float) -> None:
    """Over random walks of several steps and noise that hides the thinnest classes."""
    draw = np.random.default_rng(7)
    deviations, misses = 300.0 / UNITS, []
    for _ in range(200):
        prior = prior_of_classes(UNITS, 0.0, SPREAD, step)
        exact = draw.multivariate_normal(prior.distances, prior.covariance)
        found = posterior_of_classes(UNITS, exact + deviations * draw.standard_normal(7), deviations, 0.0, SPREAD)
        misses.append((found.distances - exact) / np.sqrt(np.diag(found.covariance)))
    assert 0.6 < np.sqrt(np.mean(np.square(misses))) < 1.4


def test_a_contradiction_widens_what_class_means_tell() -> None:
    deviations = 300.0 / UNITS
    found = posterior_of_classes(UNITS, np.zeros(7), deviations, 0.0, SPREAD)
    weights = UNITS / UNITS.sum()
    agreeing, apart = (found.observe_apart(weights, value, 0.01) for value in (0.0, 5.0))
    assert apart.variances(weights[:, None])[0] >= agreeing.variances(weights[:, None])[0]
    assert weights @ apart.distances == pytest.approx(5.0, abs=0.1)
    assert weights @ found.observe(weights, 5.0, 0.01).distances < weights @ apart.distances


def test_a_class_holds_the_units_up_to_twice_as_many_values() -> None:
    assert list(class_of(np.array([0.5, 1, 2, 3, 4, 7, 8, 1e9]), 20)) == [0, 0, 1, 1, 2, 2, 3, 20]


def test_no_class_is_farther_than_a_value() -> None:
    found = ClassPosterior(np.array([-0.5, 0.1, 1.8]), np.eye(3)).within(-0.2, 0.8)
    assert found.distances.tolist() == [-0.2, 0.1, 0.8] and (found.covariance == np.eye(3)).all()
