"""Denoise a calibration histogram: people per bin, with a fitted log-normal upper tail. Post-processing only.

Bins clear of the noise, if connected or far above it, are taken as they are. Above them the tail of the log-normal that
fits the upper bins, noisy ones included, is used (`engine/pricing/proofs.md#tails`).
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from dialect.sensitivity import SPREAD
from engine.pricing.norms.histograms import Histogram, Kind

SURE = 3.5  # significance of a bin, in sigma: fewer people may be none
CERTAIN = 6.0  # significance, in sigma, of a bin far from the others
GAP = 2  # largest distance between connected significant bins
FITTED = 8  # most bins that a tail is fitted to
FITS = 3.0  # mean squared error of a good fit; worse ones use fewer bins, as people may be of two kinds
LOOKED_AT = 12  # bins above the significant ones that are fitted too
MISFIT = 0.15  # relative misfit of a bin: no population is exactly log-normal
SPREAD_GUESS = 0.25  # prior deviation of the log-normal's standard deviation from SPREAD
SPREADS = np.arange(0.5, 2.01, 0.05)
CONTINUED = 0.35  # relative error of the extrapolated tail
LEAST_PEOPLE = 0.5  # fewer people than this beyond a norm count as none
OF_A_BIN = math.log(2) / 2  # width of a bin in ln(norm)
Floats = npt.NDArray[np.float64]


def believed(histogram: Histogram) -> Floats:
    """Denoised number of people in each bin: 0 where noise alone may explain it, extrapolated in the upper tail."""
    counts = np.asarray(histogram.counts, dtype=np.float64)
    clear = np.flatnonzero(counts > SURE * histogram.sigma)
    if len(clear) == 0:
        return np.zeros_like(counts)
    certain = [*np.flatnonzero(counts > CERTAIN * histogram.sigma), int(np.argmax(counts))]
    beside, fullest = frozenset(map(int, clear)), int(np.argmax(counts))
    first, last = _reach(beside, int(min(certain)), -1), _reach(beside, int(max(certain)), 1)
    seen = np.maximum(counts, 0.0)
    seen[:first] = 0.0
    root = 0.5 if histogram.measured.kind is Kind.PERSONS else 1.0  # the norm is the root of a count there
    tail = _tail(counts, histogram.sigma, max(fullest, last - FITTED + 1), last, root)
    seen[last + 1 :] = _weighed(tail, counts[last + 1 :], histogram.sigma)
    return seen


def _reach(clear: frozenset[int], place: int, step: int) -> int:
    """Last bin of a run of significant bins from a place, in one direction, with gaps of less than GAP bins."""
    while True:
        near = [place + step * far for far in range(1, GAP + 1) if place + step * far in clear]
        if not near:
            return place
        place = near[0]


def _weighed(tail: Floats, counts: Floats, sigma: float) -> Floats:
    """Combine the extrapolated tail with the noisy counts, by inverse variance."""
    held = (CONTINUED * tail) ** 2
    near = np.arange(len(tail)) < LOOKED_AT
    return np.where(near, np.maximum(0.0, tail + held / (held + sigma**2) * (counts - tail)), tail)


def _tail(counts: Floats, sigma: float, first: int, last: int, root: float) -> Floats:
    """People above the last significant bin, by the log-normal that fits the largest usable run of bins."""
    for begin in range(first, last + 1):
        above, missed = _fitted(counts, sigma, begin, last, root)
        if missed <= FITS or root < 1:  # the number of groups is bounded, which no law fits
            break
    beyond = np.cumsum(above[::-1])[::-1]
    return np.where(beyond < LEAST_PEOPLE, 0.0, above)


def _fitted(counts: Floats, sigma: float, first: int, last: int, root: float) -> tuple[Floats, float]:
    """Fit a log-normal to bins: people above the last one, and the mean squared error of the fitted bins."""
    seen = counts[first : last + 1 + LOOKED_AT]
    middles = (np.arange(first, len(counts)) + 0.5) * OF_A_BIN
    weights = 1 / (sigma**2 + (MISFIT * np.maximum(seen, 0.0)) ** 2)
    modes = np.arange(middles[0] - 3, middles[0] + 4, 0.1)
    spreads, centres = (grid.ravel()[:, None] for grid in np.meshgrid(root * SPREADS, modes, indexing="ij"))
    shapes = np.exp(-(((middles[None, :] - centres) / spreads) ** 2) / 2)
    fitted = shapes[:, : len(seen)]
    sizes = np.maximum(0.0, (fitted * weights) @ seen / np.maximum((fitted**2) @ weights, 1e-300))
    misses = (seen - sizes[:, None] * fitted) ** 2 * weights
    best = int(np.argmin(misses.sum(axis=1) + ((spreads[:, 0] / root - SPREAD) / SPREAD_GUESS) ** 2))
    return (sizes[best] * shapes[best])[last + 1 - first :], float(misses[best, : last + 1 - first].mean())
