"""A noisy histogram of norms -> the people in each bin, as far as it can be believed; post-processing alone.

Bins that are clear of the noise, and hang together or are far above it, are taken as they are. What lies above them is
the tail of the log-normal that fits the upper bins, noisy ones too (`engine/pricing/proofs.md#tails`).
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from dialect.sensitivity import SPREAD
from engine.pricing.norms.histograms import Histogram, Kind

SURE = 3.5  # times the noise: a bin that holds no more people may hold nobody
CERTAIN = 6.0  # times the noise: such a bin is believed wherever it lies
GAP = 2  # bins from one clear bin to the next: what is no more than sure farther off may be noise
FITTED = 8  # clear bins at most
FITS = 3.0  # squared errors of a bin, on average: what is farther off is fitted to fewer, as people may be of two kinds
LOOKED_AT = 12  # bins above these, of noise or not
MISFIT = 0.15  # of a bin's people: no people are quite log-normal
SPREAD_GUESS = 0.25  # how far the standard deviation of ln(norm) may well be from the usual one
SPREADS = np.arange(0.5, 2.01, 0.05)
CONTINUED = 0.35  # of the people in a bin: how far a tail that continues from the bins before it may be wrong
LEAST_PEOPLE = 0.5  # beyond a norm: fewer are nobody
OF_A_BIN = math.log(2) / 2  # of ln(norm)
Floats = npt.NDArray[np.float64]


def believed(histogram: Histogram) -> Floats:
    """Give the people of each bin: what noise alone may have made is left out, and the tail is continued."""
    counts = np.asarray(histogram.counts, dtype=np.float64)
    clear = np.flatnonzero(counts > SURE * histogram.sigma)
    if len(clear) == 0:
        return np.zeros_like(counts)
    certain = [*np.flatnonzero(counts > CERTAIN * histogram.sigma), int(np.argmax(counts))]
    beside, fullest = frozenset(map(int, clear)), int(np.argmax(counts))
    first, last = _reach(beside, int(min(certain)), -1), _reach(beside, int(max(certain)), 1)
    seen = np.maximum(counts, 0.0)
    seen[:first] = 0.0
    root = 0.5 if histogram.measured.kind is Kind.PERSONS else 1.0  # a norm is the root of a number there
    tail = _tail(counts, histogram.sigma, max(fullest, last - FITTED + 1), last, root)
    seen[last + 1 :] = _weighed(tail, counts[last + 1 :], histogram.sigma)
    return seen


def _reach(clear: frozenset[int], place: int, step: int) -> int:
    """Go from one clear bin to the next, as long as it is near."""
    while True:
        near = [place + step * far for far in range(1, GAP + 1) if place + step * far in clear]
        if not near:
            return place
        place = near[0]


def _weighed(tail: Floats, counts: Floats, sigma: float) -> Floats:
    """Weigh what is continued against what was counted above it, each by how far it may be wrong."""
    held = (CONTINUED * tail) ** 2
    near = np.arange(len(tail)) < LOOKED_AT
    return np.where(near, np.maximum(0.0, tail + held / (held + sigma**2) * (counts - tail)), tail)


def _tail(counts: Floats, sigma: float, first: int, last: int, root: float) -> Floats:
    """Give the people above the last clear bin, by the log-normal that fits the most bins up to it, of those it may."""
    for begin in range(first, last + 1):
        above, missed = _fitted(counts, sigma, begin, last, root)
        if missed <= FITS or root < 1:  # a number of groups has an end, to which no law fits
            break
    beyond = np.cumsum(above[::-1])[::-1]
    return np.where(beyond < LEAST_PEOPLE, 0.0, above)


def _fitted(counts: Floats, sigma: float, first: int, last: int, root: float) -> tuple[Floats, float]:
    """Fit a log-normal to bins: the people above the last one, and how far it is from the others, in squared errors."""
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
