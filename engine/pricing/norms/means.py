"""Clip bounds of averages: a ratio hardly changes where sum and count are clipped by the same factor.

One factor per person scales both, so that a small clip bound biases an average only by how much clipped people differ
from others. A calibration measures how people's means differ, and how they change with the number of their rows
(`engine/pricing/proofs.md#mean_norms`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from budgets import PICO
from engine.pricing.norms.histograms import LEAN_STEPS, Histogram
from engine.pricing.norms.spread import Spread
from engine.pricing.norms.tails import Floats, believed
from engine.pricing.norms.values import PeoplesMeans
from engine.pricing.split import OFF_CENTRE

UNKNOWN_LEAN = 0.05  # assumed slope of means over ln(rows), in largest magnitudes of a value
OTHERWISE = 0.01  # other differences of people with more rows, by group, in largest magnitudes of a value
ALIKE = 0.05  # the same, as a share of the measured standard deviation of means
SHARES = tuple(2.0 ** (-place / 2) for place in range(13))  # clip bound of the sum, in C times the largest magnitude


@dataclass(frozen=True, eq=False)
class Deviations:
    """People's means and norms about the public centre, in units of the largest magnitude of a value."""

    people: Floats  # shares of people, adding up to 1
    means: Floats  # means of each kind of people minus the centre
    sizes: Floats  # largest ratio of a person's norm of the centred sum to that of the count

    @property
    def width(self) -> float:
        """Standard deviation of people's means."""
        return math.sqrt(max(0.0, float(self.people @ self.means**2) - float(self.people @ self.means) ** 2))

    @property
    def off(self) -> float:
        """Root mean square of people's means about the centre, in units of the largest magnitude of a value."""
        return math.sqrt(float(self.people @ self.means**2))


def deviations(means: PeoplesMeans, centre: float, magnitude: float, spread: Spread) -> Deviations:
    """Deviations of people's means from a centre; a person's variance is bounded by that of values at both bounds.

    Over several groups a person's sums add up and their random parts average out.
    """
    within = (means.means - means.lower) * (means.upper - means.means)  # variance bound of Bhatia and Davis
    alone = min(1.0, float(spread.people @ spread.totals) / float(spread.people @ spread.norms**2))
    sizes = np.sqrt((means.means - centre) ** 2 + alone * within)
    return Deviations(means.people, (means.means - centre) / magnitude, np.minimum(1.0, sizes / magnitude))


@dataclass(frozen=True)
class Narrowed:
    """Clip bound C of a count; clip bound of the average's centred sum, as a share of C times the largest magnitude."""

    norm: float
    share: float


@dataclass(frozen=True)
class MeanFacts:
    """Clip-error model of an average: noise and clipping bias as a function of the clip bounds of its count and sum."""

    spread: Spread  # distribution of rows
    groups: float
    moved: float  # sensitivity of the count, in clip bounds
    moved_sum: float  # sensitivity of the sum, in its clip bounds
    lean: float  # slope of people's means over ln(rows), in largest magnitudes of a value
    deviations: Deviations | None = None  # measured means; None: unknown, or several sums

    @property
    def shares(self) -> tuple[float, ...]:
        """Candidate clip bounds of the sum, as shares of C times the largest magnitude."""
        return SHARES if self.deviations is not None else (1.0,)

    def bias(self, norm: float, share: float = 1.0) -> float:
        """Return the expected clipping bias of an average, in units of the largest magnitude of a value."""
        return float(self._cut([norm], share)[1][0])

    def least(self, norms: Sequence[float], pico_rho: int, pico_rho_sum: int) -> Narrowed:
        """Clip bounds of least expected error; of equally good ones the smallest."""
        errors = np.array([self._errors(norms, share, pico_rho, pico_rho_sum) for share in self.shares])
        place, at = divmod(int(np.argmin(errors)), len(norms))
        return Narrowed(norms[at], self.shares[place])

    def _errors(self, norms: Sequence[float], share: float, pico_rho: int, pico_rho_sum: int) -> Floats:
        """Root mean squared error of an average for each clip bound, in units of the largest magnitude of a value."""
        off = OFF_CENTRE if self.deviations is None else min(OFF_CENTRE, self.deviations.off)
        parts = ((self.moved_sum * share) ** 2 / pico_rho_sum, (off * self.moved) ** 2 / pico_rho)
        noise = np.asarray(norms) * math.sqrt(sum(parts) * PICO / 2)
        kept, bias = self._cut(norms, share)
        errors: Floats = np.hypot(noise * self.groups / (kept * self.spread.total), bias)
        return errors

    def _cut(self, norms: Sequence[float], share: float) -> tuple[Floats, Floats]:
        """For each clip bound: the share of rows left by clipping, and the bias of the average of what is left."""
        people, means, sizes = self._kinds()
        weights = self.spread.people * self.spread.totals / self.spread.total
        activity = np.log(np.maximum(self.spread.totals, 1.0))
        longest = np.outer(self.spread.norms, np.maximum(1.0, sizes / share)).ravel()  # per person, in the count's unit
        each = np.outer(weights, people).ravel()
        columns = np.stack([each, each * np.tile(means, len(weights)), each * np.repeat(activity, len(means))])
        kept, squares = _kept(longest, columns, np.asarray(norms, dtype=np.float64))
        whole, held = columns.sum(axis=1, keepdims=True), kept[0]
        moved, leaning = kept[1:] / held - whole[1:] / whole[0]
        uneven = np.sqrt(np.maximum(0.0, squares / held**2 - 1))
        if self.deviations is None:
            return held, np.hypot(self.lean * leaning, OTHERWISE * uneven)
        spread = math.sqrt(max(0.0, float(weights @ activity**2) - float(weights @ activity) ** 2))
        lean = min(self.lean, self.deviations.width / max(spread, math.ulp(1.0)))  # bounds the covariance
        parts = (lean * leaning, moved, ALIKE * self.deviations.width * uneven)
        return held, np.sqrt(sum(part**2 for part in parts))

    def _kinds(self) -> tuple[Floats, Floats, Floats]:
        known = self.deviations
        return (np.ones(1), np.zeros(1), np.ones(1)) if known is None else (known.people, known.means, known.sizes)


def _kept(longest: Floats, columns: Floats, norms: Floats) -> tuple[Floats, Floats]:
    """Sum of each column times min(1, C / norm), and of the first column times its square, for every clip bound C."""
    order = np.argsort(longest, kind="stable")
    lengths, sorted_columns = np.maximum(longest[order], 1e-300), columns[:, order]
    places = np.searchsorted(lengths, norms, side="right")
    squares = sorted_columns[:1] / lengths**2
    below, above, above_squared = (_sums(each) for each in (sorted_columns, sorted_columns / lengths, squares))
    kept = below[:, places] + norms * (above[:, -1:] - above[:, places])
    squared = below[0, places] + norms**2 * (above_squared[0, -1] - above_squared[0, places])
    return kept, squared


def _sums(columns: Floats) -> Floats:
    """Prefix sums of each column, starting with 0."""
    return np.concatenate([np.zeros((len(columns), 1)), np.cumsum(columns, axis=1)], axis=1)


def lean_of(leans: Histogram | None, rows: Histogram | None) -> float:
    """Slope of people's means over ln(rows), or the largest slope that noise may hide, if that is more."""
    if leans is None or rows is None:
        return UNKNOWN_LEAN
    people = believed(rows)
    held = people > 0
    if held.sum() < 2:
        return UNKNOWN_LEAN
    means = np.asarray(leans.counts, dtype=np.float64)[held] / people[held] / LEAN_STEPS
    places = np.asarray(leans.measured.bins, dtype=np.float64)[held] * math.log(2) / 2
    noise = leans.sigma / LEAN_STEPS
    known = people[held] ** 2 / (noise**2 + people[held])  # precision of each bin's mean; people differ by at most 1
    weights = known * np.exp(places / 2)  # heavier people weigh more in averages, and are clipped
    apart = places - float(weights @ places) / float(weights.sum())
    across = float(weights @ apart**2)
    slope = float(weights @ (apart * means)) / across
    return min(1.0, max(abs(slope), math.sqrt(float((weights * apart) ** 2 @ (1 / known))) / across))
