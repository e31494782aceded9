"""Means of units by class: how the means of units with many values differ from those of units with few.

One clipping factor per unit scales sum and count of an average, so that the average of what is left weighs units with
many values less. Class means tell what this moves. They are released with noise; what they leave open follows from a
random walk over the classes (`engine/pricing/proofs.md#averages`).

Terms:
    class     units with 2^b to 2^(b+1) - 1 values
    distance  mean of a unit minus the centre of the average
    spread    standard deviation of the means of units
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.pricing.clip_bounds.tails import Floats

USUAL_STEP = 0.25  # usual difference of neighbouring classes, in spreads
STEPS = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6)  # possible ones
STEP_SPREAD = 0.7  # standard deviation of the logarithm of the step


@dataclass(frozen=True, eq=False)
class ClassPosterior:
    """Distances of classes: expected, and their covariance."""

    distances: Floats
    covariance: Floats

    def variances(self, weights: Floats) -> Floats:
        """Variance of weighted sums of distances; classes x alternatives."""
        return np.einsum("bc,bd,dc->c", weights, self.covariance, weights)

    def moved(self, by: float) -> ClassPosterior:
        """Distances that are all larger by a number."""
        return ClassPosterior(self.distances + by, self.covariance)

    def within(self, least: float, most: float) -> ClassPosterior:
        """Distances between the least and the largest one of a value."""
        return ClassPosterior(np.clip(self.distances, least, most), self.covariance)

    def observe(self, weights: Floats, value: float, variance: float) -> ClassPosterior:
        """Distances once a weighted sum of them is observed with an error of known variance."""
        covariances = self.covariance @ weights
        gain = covariances / (float(weights @ covariances) + variance)
        distances = self.distances + gain * (value - float(weights @ self.distances))
        return ClassPosterior(distances, self.covariance - np.outer(gain, covariances))

    def observe_apart(self, weights: Floats, value: float, variance: float) -> ClassPosterior:
        """As `observe`, but what is known of the distances counts less the more it contradicts the observation."""
        expected = float(weights @ self.distances)
        own = float(weights @ self.covariance @ weights)
        doubt = max(1.0, (value - expected) ** 2 / max(own + variance, 1e-300))
        return ClassPosterior(self.distances, self.covariance * doubt**2).observe(weights, value, variance)


def prior_of_classes(units: Floats, usual: float, spread: float, step: float = USUAL_STEP) -> ClassPosterior:
    """Distances before any is measured: about `usual`, walking at random from the fullest class on."""
    places = np.arange(len(units)) - int(np.argmax(units))
    nearest = np.minimum(np.abs(places)[:, None], np.abs(places)[None, :])
    walk = np.where(np.multiply.outer(places, places) > 0, nearest, 0)
    covariance = spread**2 * (0.25 + step**2 * walk)
    return ClassPosterior(np.full(len(units), usual), covariance)


def posterior_of_classes(
    units: Floats, measured: Floats, deviations: Floats, usual: float, spread: float
) -> ClassPosterior:
    """Distances once they are measured: a mixture over the possible steps of the walk.

    `measured` = noisy distances by class, `deviations` = standard deviations of their noise.
    """
    likelihoods, found = list[float](), list[ClassPosterior]()
    for step in STEPS:
        prior = prior_of_classes(units, usual, spread, step)
        whole = prior.covariance + np.diag(deviations**2)
        gain = np.linalg.solve(whole, prior.covariance).T
        misfit = measured - prior.distances
        distances, covariance = prior.distances + gain @ misfit, prior.covariance - gain @ prior.covariance
        log_step = math.log(step / USUAL_STEP) / STEP_SPREAD
        log_likelihood = -0.5 * float(misfit @ np.linalg.solve(whole, misfit) + np.linalg.slogdet(whole)[1])
        likelihoods.append(log_likelihood - 0.5 * log_step**2)
        found.append(ClassPosterior(distances, covariance))
    weights = np.exp(np.array(likelihoods) - max(likelihoods))
    weights /= weights.sum()
    mean = sum(weight * each.distances for weight, each in zip(weights, found, strict=True))
    second = sum(
        weight * (each.covariance + np.outer(each.distances - mean, each.distances - mean))
        for weight, each in zip(weights, found, strict=True)
    )
    return ClassPosterior(np.asarray(mean), np.asarray(second))


def clamped_part(distances: Floats, reach: float) -> Floats:
    """Estimate what clamping took of class means: little about the centre, much where a mean is near the reach."""
    near = np.minimum(np.abs(distances), 0.9 * reach)
    return 0.5 * np.sign(distances) * near**2 / (reach - near)


def class_of(values: Floats, highest: int) -> npt.NDArray[np.int64]:
    """Class of units with these numbers of values."""
    return np.clip(np.floor(np.log2(np.maximum(values, 1.0)) + 1e-9), 0, highest).astype(np.int64)
