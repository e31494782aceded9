"""Distribution of people's means of a column, and the public centre about which its averages are computed.

The sum below an average is of values minus a public centre, and its noise grows with their distance from it. Where a
calibration measured people's means, the centre is chosen from them (`engine/pricing/proofs.md#usual_values`). A usual
value is that chosen centre.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from dialect.catalog import Bounds, Catalog, Column, SqlType, Table
from engine.pricing.clip_bounds.histograms import (
    HIGHEST_DISTANCE_BIN,
    LOWEST_DISTANCE_BIN,
    CalibrationProvider,
    ContributionHistogram,
    Quantity,
)
from engine.pricing.clip_bounds.tails import Floats
from engine.pricing.clip_bounds.value_bounds import bounds_of_values

SIGNIFICANT_MEAN_SIGMAS = 4.5  # significance in sigma: one empty bin in 10,000 histograms passes
MAX_NEIGHBOUR_RATIO = 0.5  # largest ratio of an insignificant bin to its neighbour
CENTRE_RESOLUTION = 1024  # resolution of a centre: parts of the range
COVERED_PEOPLE_SHARE = 0.9  # share of people whose distance from the centre decides the noise of a sum
_CACHED_CATALOGS = 4  # cached catalogs


@dataclass(frozen=True, eq=False)
class MeanDistribution:
    """Distribution of per-person means of a column, in its unit."""

    means: Floats  # rising
    people: Floats  # shares of people, adding up to 1
    lower: float  # the column's bounds
    upper: float

    centre: float  # public centre of least noise for averages
    resolution: float = math.inf  # deviation of means within a bin


_ENDS = np.exp2(np.arange(LOWEST_DISTANCE_BIN + 1, HIGHEST_DISTANCE_BIN + 1) / 2)
# where the bins of a histogram of means begin, but for the first, as shares of the column's range
MEAN_PARTS = (*_ENDS.tolist(), 0.5, *(1 - _ENDS[::-1]).tolist())


def mean_distribution(histogram: ContributionHistogram | None, column: Column) -> MeanDistribution | None:
    """Distribution of means from a calibration histogram; None if it has other bounds or no significant bin.

    Needs and guarantees: engine/pricing/proofs.md#usual_values
    """
    if histogram is None or column.bounds is None:
        return None
    lower, upper = column.bounds.lower, column.bounds.upper
    return distribution_of_means(histogram, lower, upper) if histogram.subject.unit == upper - lower else None


@lru_cache(maxsize=256)
def distribution_of_means(histogram: ContributionHistogram, lower: float, upper: float) -> MeanDistribution | None:
    """Distribution of means between two bounds, from a denoised histogram; None if no bin is clear of the noise."""
    people = denoised_means(np.asarray(histogram.counts, dtype=np.float64), histogram.sigma)
    if people.sum() <= 0:
        return None
    shares, places = people / people.sum(), _bin_midpoints()
    centre = lower + (upper - lower) * _best_centre(places, shares)
    return MeanDistribution(lower + (upper - lower) * places, shares, lower, upper, centre)


def _best_centre(places: Floats, shares: Floats) -> float:
    """Centre of least expected noise of an average, as a share of the column's range.

    `places` = midpoints of the bins as shares of the range, `shares` = people in them. The sum's clip bound grows with
    the distance that covers COVERED_PEOPLE_SHARE of the people (two thirds of the price); the noise of the count (one
    third) moves an average by the distance of the overall mean.
    """
    candidates = np.arange(CENTRE_RESOLUTION + 1) / CENTRE_RESOLUTION
    distances = np.abs(places[None, :] - candidates[:, None])
    order = np.argsort(distances, axis=1)
    covering = np.argmax(np.cumsum(shares[order], axis=1) >= COVERED_PEOPLE_SHARE, axis=1)
    reach = np.take_along_axis(distances, np.take_along_axis(order, covering[:, None], axis=1), axis=1)[:, 0]
    return float(candidates[np.argmin(reach**2 + 2 * (candidates - float(places @ shares)) ** 2)])


def with_measured_columns(catalog: Catalog, calibrations: CalibrationProvider) -> Catalog:
    """Catalog as queries are bound against today: each column with the usual value and the bounds that were measured.

    Bounds that are measured clamp values, and decide nothing else (dialect/binder/proofs.md#measured-bounds).
    """
    measured = dict(_measured_columns(catalog, calibrations))
    if not measured:
        return catalog
    key = tuple(measured.items())
    for cached_catalog, cached_key, cached in tuple(_cached_results):
        if cached_catalog is catalog and cached_key == key:
            return cached
    result = replace(catalog, tables=tuple(_with_measured(table, measured) for table in catalog.tables))
    _cached_results.append((catalog, key, result))
    return result


ColumnName = tuple[str, str]  # of a table, and of one of its columns
Measured = tuple[float | None, Bounds | None]  # usual value and bounds of a column
_cached_results = deque[tuple[Catalog, tuple[tuple[ColumnName, Measured], ...], Catalog]](maxlen=_CACHED_CATALOGS)


def _measured_columns(catalog: Catalog, calibrations: CalibrationProvider) -> Iterator[tuple[ColumnName, Measured]]:
    """Usual value, or bounds, of each (table, column) of a private table that was measured.

    Columns with a centre of their own, and those whose averages are not computed about a centre, need no usual value.
    """
    today = {dataset.name: calibrations.today(dataset.name) for dataset in catalog.datasets}
    for table in (each for each in catalog.tables if each.private and today[each.dataset].histograms):
        for column in table.columns:
            calibration = today[table.dataset]
            is_averaged = column.centred_sum_clip_bound is not None or table.clip_bounds is None
            if column.centre is None and is_averaged and column.bounds is not None:
                means = mean_distribution(calibration.find(table.name, (), Quantity.MEANS, column.name), column)
                if means is not None:
                    yield (table.name, column.name), (means.centre, None)
            values = calibration.find(table.name, (), Quantity.VALUES, column.name) if column.measures_bounds else None
            if values is not None:
                bounds = bounds_of_values(values, is_integer=column.type is SqlType.BIGINT)
                yield (table.name, column.name), (None, bounds)


def _with_measured(table: Table, measured: Mapping[ColumnName, Measured]) -> Table:
    """Table with what was measured of its columns; the same table if nothing was."""
    if not any(name == table.name for name, _ in measured):
        return table
    found = ((column, measured.get((table.name, column.name), (None, None))) for column in table.columns)
    columns = (replace(c, calibrated_typical_value=value, measured_bounds=bounds) for c, (value, bounds) in found)
    return replace(table, columns=tuple(columns))


def denoised_means(counts: Floats, sigma: float) -> Floats:
    """Denoised number of people in each bin: significant bins as counted, beyond them at most halving per bin."""
    significant = counts > SIGNIFICANT_MEAN_SIGMAS * sigma
    return np.maximum(_limited_decay(counts, significant), _limited_decay(counts[::-1], significant[::-1])[::-1])


def _limited_decay(counts: Floats, significant: npt.NDArray[np.bool_]) -> Floats:
    """People per bin from left to right: a significant bin as counted, any other at most half of the one before."""
    # `place` = index of the bin
    people, previous = np.zeros_like(counts), 0.0
    for place, count in enumerate(counts):
        previous = float(count) if significant[place] else min(max(0.0, float(count)), MAX_NEIGHBOUR_RATIO * previous)
        people[place] = previous
    return people


def _bin_midpoints() -> Floats:
    """Midpoint of each bin as a share of the column's range."""
    ends = np.exp2(np.arange(LOWEST_DISTANCE_BIN, HIGHEST_DISTANCE_BIN + 2) / 2)
    ends[0], ends[-1] = 0.0, 0.5
    low = (ends[1:] + ends[:-1]) / 2
    return np.concatenate([low, 1 - low[::-1]])
