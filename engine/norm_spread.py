"""Noisy histograms of norms -> how norms and totals are spread over people; post-processing alone."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.calibration import Histogram, Kind

SURE = 3.5  # times the noise: a bin that holds no more people may hold nobody, and nothing above such bins is believed
FLATTEST = 0.7  # of a bin's people the next one may hold, where the histogram is lost in noise: a very heavy tail
FITTED = 8  # bins at most
WITHIN = 2.0  # times the noise
LEAST_PEOPLE = 0.5
POINTS = 4  # of each bin: a quarter of a doubling of squared norms
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Spread:
    """People by how much they contribute, in the vector's own unit."""

    norms: Floats  # of one person's vector over the groups, rising
    totals: Floats  # of the same person over all groups together
    people: Floats  # how many such people one window has
    told: str  # when it was measured, for people

    @property
    def total(self) -> float:
        """Give everybody's contributions together."""
        return float(self.totals @ self.people)

    def lost(self, norm: float) -> float:
        """Give the share of all contributions that is cut away where norms are scaled down to `norm`."""
        kept = np.minimum(1.0, norm / np.maximum(self.norms, 1e-300))
        return float((self.totals * self.people) @ (1 - kept)) / self.total

    def times(self, factor: float, people: float = 1.0) -> Spread:
        """Let everybody contribute so many times as much, and so many times as many people contribute."""
        return Spread(self.norms * factor, self.totals * factor, self.people * people, self.told)


def norm_spread(by_keys: Histogram, in_all: Histogram | None) -> Spread | None:
    """Read a spread from the histogram for some keys and that of the same contributions without keys.

    None where nothing is clear of the noise. Proof: proofs.md#norm_spread
    """
    people, squared = _points(by_keys)
    if people.sum() <= 0:
        return None
    norms = np.sqrt(squared) * by_keys.measured.unit
    if by_keys.measured.kind is Kind.PERSONS:  # in g groups: a norm of the root of g, and a total of g
        totals = squared
    elif by_keys is in_all or in_all is None:
        totals = norms
    else:
        totals = np.maximum(_as_heavy(people, in_all), norms)
    told = f"the calibration of {by_keys.made_on:%Y-%m-%d}"
    return Spread(norms, totals, people, told)


def believed(histogram: Histogram) -> Floats:
    """Leave out what noise alone may have made, and let the tail above the last clear bin fall off as it began to."""
    counts = np.asarray(histogram.counts, dtype=np.float64)
    clear = np.flatnonzero(counts > SURE * histogram.sigma)
    if len(clear) == 0:
        return np.zeros_like(counts)
    seen = np.maximum(counts, 0.0)
    seen[: clear[0]] = 0.0
    _fall_off(seen, int(clear[-1]), histogram.sigma)
    return seen


def _fall_off(seen: Floats, last: int, sigma: float) -> None:
    """Replace what lies above the last clear bin: each bin a share of the one before, a share that never grows."""
    slope, bend = _fall(seen, last)
    share = FLATTEST
    for place in range(last + 1, len(seen)):
        most = seen[place] + WITHIN * sigma  # more would have been seen
        share = min(share, math.exp(slope + bend * (place - last)))
        seen[place] = min(share * seen[place - 1], most)
        if seen[place] < LEAST_PEOPLE:
            seen[place:] = 0.0
            return
        share = min(share, seen[place] / seen[place - 1])


def _fall(seen: Floats, last: int) -> tuple[float, float]:
    """Fit a parabola to the logarithms of the last bins from the fullest one on, as of log-normal contributions."""
    first = max(int(np.argmax(seen)), last - FITTED + 1)
    places = np.arange(first, last + 1)
    places = places[seen[places] > 0]
    if len(places) < 3:
        return 0.0, 0.0
    bent, straight, _ = np.polyfit(places - last, np.log(seen[places]), 2, w=seen[places])
    if bent > 0:
        return float(np.log(seen[last] / seen[places[0]]) / (last - places[0])), 0.0
    return float(straight - bent), float(2 * bent)


def _points(histogram: Histogram) -> tuple[Floats, Floats]:
    """Spread the people of each bin over a few squared norms in it; of 1 row or 1 group exactly where that is all."""
    counts = believed(histogram)
    bins = np.asarray(histogram.measured.bins, dtype=np.float64)
    steps = (np.arange(POINTS) + 0.5) / POINTS
    squared = np.exp2(bins[:, None] + steps[None, :])
    if histogram.measured.column is None:
        squared[0, :] = 1.0
    people = np.repeat(counts / POINTS, POINTS)
    held = people > 0
    return people[held], squared.ravel()[held]


def _as_heavy(people: Floats, in_all: Histogram) -> Floats:
    """Give each point the mean total of the people who are as heavy in all: who is heavy by norm is heavy in all."""
    others, squared = _points(in_all)
    if others.sum() <= 0:
        return np.zeros_like(people)
    places = np.concatenate([[0.0], np.cumsum(others) / others.sum()])
    amounts = np.concatenate([[0.0], np.cumsum(np.sqrt(squared) * in_all.measured.unit * others) / others.sum()])
    ends = np.concatenate([[0.0], np.cumsum(people) / people.sum()])
    up_to = np.interp(ends, places, amounts)
    means: Floats = np.diff(up_to) / np.maximum(np.diff(ends), math.ulp(1.0))
    return means
