"""What decides the norms of an average's vectors: a ratio keeps its value where sum and count are cut alike.

Everybody's rows are scaled by one factor for both, so that a small norm moves an average only as far as the people who
are scaled differ from others. A calibration tells how people's means differ, and how they change with people's rows
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

UNKNOWN_LEAN = 0.05  # of the largest magnitude of a value, by unit of ln(rows): where none was measured
OTHERWISE = 0.01  # of the largest magnitude: how far people with more rows differ in other ways, group by group
ALIKE = 0.05  # the same, of what people's means were measured to differ by
SHARES = tuple(2.0 ** (-place / 2) for place in range(13))  # of the sum's norm in C times the largest magnitude


@dataclass(frozen=True, eq=False)
class Deviations:
    """How far people's means, and their numbers, are from the centre, in largest magnitudes of a value."""

    people: Floats  # shares of all
    means: Floats  # of each kind of people, less the centre
    sizes: Floats  # at most: the norm of the centred sum over that of the count

    @property
    def width(self) -> float:
        """Give by how much people's means differ: the standard deviation."""
        return math.sqrt(max(0.0, float(self.people @ self.means**2) - float(self.people @ self.means) ** 2))

    @property
    def off(self) -> float:
        """Give how far means are from the centre, in largest magnitudes of a value: the root of the mean square."""
        return math.sqrt(float(self.people @ self.means**2))


def deviations(means: PeoplesMeans, centre: float, magnitude: float, spread: Spread) -> Deviations:
    """Say how far people are from a centre: a variance is at most that of values which lie at both ends of the bounds.

    Of one person's rows over several groups those of each group add up, and what is random in them averages out.
    """
    within = (means.means - means.lower) * (means.upper - means.means)  # Bhatia and Davis
    alone = min(1.0, float(spread.people @ spread.totals) / float(spread.people @ spread.norms**2))
    sizes = np.sqrt((means.means - centre) ** 2 + alone * within)
    return Deviations(means.people, (means.means - centre) / magnitude, np.minimum(1.0, sizes / magnitude))


@dataclass(frozen=True)
class Narrowed:
    """The norm C of a count, and that of the centred sum beside it as a share of C times the largest magnitude."""

    norm: float
    share: float


@dataclass(frozen=True)
class MeanFacts:
    """What decides the norm C of the count below an average, and that of the sum, at most C times the magnitude."""

    spread: Spread  # of rows
    groups: float
    moved: float  # how many times C one person moves the count
    moved_sum: float  # how many times its own C the sum
    lean: float  # by how much a person's mean changes with ln(rows), in largest magnitudes of a value
    deviations: Deviations | None = None  # where people's means were measured, and one sum shares the count's factor

    @property
    def shares(self) -> tuple[float, ...]:
        """List the shares of the sum's norm to choose from."""
        return SHARES if self.deviations is not None else (1.0,)

    def bias(self, norm: float, share: float = 1.0) -> float:
        """Give how far an average may be moved by cutting, in largest magnitudes of a value."""
        return float(self._cut([norm], share)[1][0])

    def least(self, norms: Sequence[float], pico_rho: int, pico_rho_sum: int) -> Narrowed:
        """Choose the norms of least expected error, and of as good ones the smallest."""
        errors = np.array([self._errors(norms, share, pico_rho, pico_rho_sum) for share in self.shares])
        place, at = divmod(int(np.argmin(errors)), len(norms))
        return Narrowed(norms[at], self.shares[place])

    def _errors(self, norms: Sequence[float], share: float, pico_rho: int, pico_rho_sum: int) -> Floats:
        """Give the roots of the expected squared errors of an average, in largest magnitudes of a value."""
        off = OFF_CENTRE if self.deviations is None else min(OFF_CENTRE, self.deviations.off)
        parts = ((self.moved_sum * share) ** 2 / pico_rho_sum, (off * self.moved) ** 2 / pico_rho)
        noise = np.asarray(norms) * math.sqrt(sum(parts) * PICO / 2)
        kept, bias = self._cut(norms, share)
        errors: Floats = np.hypot(noise * self.groups / (kept * self.spread.total), bias)
        return errors

    def _cut(self, norms: Sequence[float], share: float) -> tuple[Floats, Floats]:
        """Give, for each norm, the share of rows that is kept, and how far the average of what is left may be off."""
        people, means, sizes = self._kinds()
        weights = self.spread.people * self.spread.totals / self.spread.total
        activity = np.log(np.maximum(self.spread.totals, 1.0))
        longest = np.outer(self.spread.norms, np.maximum(1.0, sizes / share)).ravel()  # in the count's unit
        each = np.outer(weights, people).ravel()
        columns = np.stack([each, each * np.tile(means, len(weights)), each * np.repeat(activity, len(means))])
        kept, squares = _kept(longest, columns, np.asarray(norms, dtype=np.float64))
        whole, held = columns.sum(axis=1, keepdims=True), kept[0]
        moved, leaning = kept[1:] / held - whole[1:] / whole[0]
        uneven = np.sqrt(np.maximum(0.0, squares / held**2 - 1))
        if self.deviations is None:
            return held, np.hypot(self.lean * leaning, OTHERWISE * uneven)
        spread = math.sqrt(max(0.0, float(weights @ activity**2) - float(weights @ activity) ** 2))
        lean = min(self.lean, self.deviations.width / max(spread, math.ulp(1.0)))  # a covariance is at most that
        parts = (lean * leaning, moved, ALIKE * self.deviations.width * uneven)
        return held, np.sqrt(sum(part**2 for part in parts))

    def _kinds(self) -> tuple[Floats, Floats, Floats]:
        known = self.deviations
        return (np.ones(1), np.zeros(1), np.ones(1)) if known is None else (known.people, known.means, known.sizes)


def _kept(longest: Floats, columns: Floats, norms: Floats) -> tuple[Floats, Floats]:
    """Add up each column times min(1, C / longest), and the first times its square, for every C."""
    order = np.argsort(longest, kind="stable")
    lengths, sorted_columns = np.maximum(longest[order], 1e-300), columns[:, order]
    places = np.searchsorted(lengths, norms, side="right")
    squares = sorted_columns[:1] / lengths**2
    below, above, above_squared = (_sums(each) for each in (sorted_columns, sorted_columns / lengths, squares))
    kept = below[:, places] + norms * (above[:, -1:] - above[:, places])
    squared = below[0, places] + norms**2 * (above_squared[0, -1] - above_squared[0, places])
    return kept, squared


def _sums(columns: Floats) -> Floats:
    """Add up the first 0, 1, 2, ... of each column."""
    return np.concatenate([np.zeros((len(columns), 1)), np.cumsum(columns, axis=1)], axis=1)


def lean_of(leans: Histogram | None, rows: Histogram | None) -> float:
    """Read how people's means change with ln(rows): the slope through the bins, and what noise may hide of it."""
    if leans is None or rows is None:
        return UNKNOWN_LEAN
    people = believed(rows)
    held = people > 0
    if held.sum() < 2:
        return UNKNOWN_LEAN
    means = np.asarray(leans.counts, dtype=np.float64)[held] / people[held] / LEAN_STEPS
    places = np.asarray(leans.measured.bins, dtype=np.float64)[held] * math.log(2) / 2
    noise = leans.sigma / LEAN_STEPS
    known = people[held] ** 2 / (noise**2 + people[held])  # of each bin's mean; people differ, each by at most 1
    weights = known * np.exp(places / 2)  # who has more rows counts for more in an average, and is cut
    apart = places - float(weights @ places) / float(weights.sum())
    across = float(weights @ apart**2)
    slope = float(weights @ (apart * means)) / across
    return min(1.0, max(abs(slope), math.sqrt(float((weights * apart) ** 2 @ (1 / known))) / across))
