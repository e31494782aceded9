"""Value bounds of a column that declares `bounds = "measure"`, from a calibration's histogram of people by values.

A person is in one bin, by their largest absolute value. The bounds end where people can no longer be told from noise:
values beyond them count as the bound. Post-processing of a released histogram.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from dialect.catalog import Bounds
from engine.pricing.clip_bounds.histograms import HIGHEST_VALUE_BIN, LOWEST_VALUE_BIN, VALUE_BINS, ContributionHistogram

SIGNIFICANT_SIGMAS = 4.5  # of all empty bins of a histogram, one in 1,000 histograms has one above it
NEAR_SIGMAS = 2.5  # the same next to a significant bin
NEAR_BINS = 2


@lru_cache(maxsize=1024)
def bounds_of_values(histogram: ContributionHistogram, *, is_integer: bool) -> Bounds:
    """Compute the bounds of a column from its people by largest absolute value.

    Claim: post-processing; always two numbers within the public range of the bins, lower < upper. Symbols: `is_integer`
    = the column holds integers. Formula: the upper end of the last bin clear of the noise, of both signs if people with
    negative values are clear of it; the largest bin if none is. Raises nothing. Source and proof:
    engine/pricing/proofs.md#value-bounds
    """
    counts = np.asarray(histogram.counts, dtype=np.float64).reshape(2, VALUE_BINS)
    last = _last_clear(counts.sum(axis=0), histogram.sigma * 2**0.5)
    has_negative = bool((counts[1] > SIGNIFICANT_SIGMAS * histogram.sigma).any())
    bin_number = HIGHEST_VALUE_BIN if last is None else LOWEST_VALUE_BIN + last
    end = 2.0 ** ((bin_number + 1) / 2)
    if is_integer:
        end = float(np.ceil(end))
    return Bounds(-end if has_negative or last is None else 0.0, end)


def _last_clear(counts: np.ndarray, sigma: float) -> int | None:
    """Last bin clear of the noise, or next to such a one and nearly so; None if no bin is."""
    clear = np.flatnonzero(counts > SIGNIFICANT_SIGMAS * sigma)
    if not len(clear):
        return None
    last = int(clear[-1])
    near = np.flatnonzero(counts[last + 1 : last + 1 + NEAR_BINS] > NEAR_SIGMAS * sigma)
    return last + 1 + int(near[-1]) if len(near) else last
