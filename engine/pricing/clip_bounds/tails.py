"""Denoise a calibration histogram: people per bin, with a fitted log-normal upper tail. Post-processing only.

Bins clear of the noise, if connected or far above it, are taken as they are. Above them the tail of the log-normal that
fits the upper bins, noisy ones included, is used (`engine/pricing/proofs.md#tails`).
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from dialect.sensitivity import LOG_NORMAL_SIGMA
from engine.pricing.clip_bounds.histograms import ContributionHistogram, Quantity

SIGNIFICANT_SIGMAS = 3.5  # significance of a bin, in sigma: fewer people may be none
ISOLATED_SIGMAS = 6.0  # significance, in sigma, of a bin far from the others
MAX_BIN_GAP = 2  # largest distance between connected significant bins
MAX_FITTED_BINS = 8  # most bins that a tail is fitted to
MAX_MEAN_SQUARED_ERROR = (
    3.0  # mean squared error of a good fit; worse ones use fewer bins, as people may be of two kinds
)
NOISY_FITTED_BINS = 12  # bins above the significant ones that are fitted too
RELATIVE_MISFIT = 0.15  # relative misfit of a bin: no population is exactly log-normal
SPREAD_PRIOR_DEVIATION = 0.25  # prior deviation of the log-normal's standard deviation from SPREAD
SPREADS = np.arange(0.5, 2.01, 0.05)
TAIL_RELATIVE_ERROR = 0.35  # relative error of the extrapolated tail
MIN_TAIL_PEOPLE = 0.5  # fewer people than this beyond a norm count as none
LN_BIN_WIDTH = math.log(2) / 2  # width of a bin in ln(norm)
Floats = npt.NDArray[np.float64]


def denoised_people(histogram: ContributionHistogram) -> Floats:
    """Denoised number of people in each bin: 0 where noise alone may explain it, extrapolated in the upper tail.

    Bins count from the one far above the noise (the fullest at least) to both sides, as long as bins near them are
    significant: a lone significant bin further off may be noise.
    """
    counts = np.asarray(histogram.counts, dtype=np.float64)
    significant_bins = np.flatnonzero(counts > SIGNIFICANT_SIGMAS * histogram.sigma)
    if len(significant_bins) == 0:
        return np.zeros_like(counts)
    isolated = [*np.flatnonzero(counts > ISOLATED_SIGMAS * histogram.sigma), int(np.argmax(counts))]
    significant, fullest = frozenset(map(int, significant_bins)), int(np.argmax(counts))
    first, last = _end_of_run(significant, int(min(isolated)), -1), _end_of_run(significant, int(max(isolated)), 1)
    people = np.maximum(counts, 0.0)
    people[:first] = 0.0
    root = 0.5 if histogram.subject.kind is Quantity.PERSONS else 1.0  # the norm is the root of a count there
    tail = _extrapolated_tail(counts, histogram.sigma, max(fullest, last - MAX_FITTED_BINS + 1), last, root)
    people[last + 1 :] = _weighted_tail(tail, counts[last + 1 :], histogram.sigma)
    return people


def _end_of_run(significant: frozenset[int], bin_index: int, step: int) -> int:
    """Last bin of a run of significant bins from a bin on, in one direction (step), at most MAX_BIN_GAP bins apart."""
    while True:
        near = [bin_index + step * far for far in range(1, MAX_BIN_GAP + 1) if bin_index + step * far in significant]
        if not near:
            return bin_index
        bin_index = near[0]


def _weighted_tail(tail: Floats, counts: Floats, sigma: float) -> Floats:
    """Combine the extrapolated tail with the noisy counts, by inverse variance."""
    tail_variance = (TAIL_RELATIVE_ERROR * tail) ** 2
    is_fitted = np.arange(len(tail)) < NOISY_FITTED_BINS
    return np.where(
        is_fitted, np.maximum(0.0, tail + tail_variance / (tail_variance + sigma**2) * (counts - tail)), tail
    )


def _extrapolated_tail(counts: Floats, sigma: float, first: int, last: int, root: float) -> Floats:
    """People above the last significant bin, by the log-normal that fits the largest usable run of bins."""
    for begin in range(first, last + 1):
        above, error = _fit_log_normal(counts, sigma, begin, last, root)
        # fewer bins are tried until the fit is good
        if error <= MAX_MEAN_SQUARED_ERROR or root < 1:  # the number of groups is bounded, which no law fits
            break
    beyond = np.cumsum(above[::-1])[::-1]
    return np.where(beyond < MIN_TAIL_PEOPLE, 0.0, above)


def _fit_log_normal(counts: Floats, sigma: float, first: int, last: int, root: float) -> tuple[Floats, float]:
    """Fit a log-normal to bins: people above the last one, and the mean squared error of the fitted bins."""
    observed = counts[first : last + 1 + NOISY_FITTED_BINS]
    middles = (np.arange(first, len(counts)) + 0.5) * LN_BIN_WIDTH
    weights = 1 / (sigma**2 + (RELATIVE_MISFIT * np.maximum(observed, 0.0)) ** 2)
    modes = np.arange(middles[0] - 3, middles[0] + 4, 0.1)
    spreads, centres = (grid.ravel()[:, None] for grid in np.meshgrid(root * SPREADS, modes, indexing="ij"))
    shapes = np.exp(-(((middles[None, :] - centres) / spreads) ** 2) / 2)
    fitted = shapes[:, : len(observed)]
    sizes = np.maximum(0.0, (fitted * weights) @ observed / np.maximum((fitted**2) @ weights, 1e-300))
    misses = (observed - sizes[:, None] * fitted) ** 2 * weights
    best = int(
        np.argmin(misses.sum(axis=1) + ((spreads[:, 0] / root - LOG_NORMAL_SIGMA) / SPREAD_PRIOR_DEVIATION) ** 2)
    )
    return (sizes[best] * shapes[best])[last + 1 - first :], float(misses[best, : last + 1 - first].mean())
