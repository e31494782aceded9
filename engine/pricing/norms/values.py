"""Distribution of people's means of a column, and the public centre about which its averages are computed.

The sum below an average is of values minus a public centre, and its noise grows with their distance from it. Where a
calibration measured people's means, the centre is chosen from them (`engine/pricing/proofs.md#usual_values`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from dialect.catalog import Catalog, Column, Table
from engine.pricing.norms.histograms import FARTHEST, NEAREST, Histogram, Kind, Knowing
from engine.pricing.norms.tails import Floats

CLEAR = 4.5  # significance in sigma: one empty bin in 10,000 histograms passes
FALLS = 0.5  # largest ratio of an insignificant bin to its neighbour
FINEST = 1024  # resolution of a centre: parts of the range
MOST = 0.9  # share of people whose distance from the centre decides the noise of a sum
_CATALOGS = 4  # cached catalogs


@dataclass(frozen=True, eq=False)
class PeoplesMeans:
    """Distribution of per-person means of a column, in its unit."""

    means: Floats  # rising
    people: Floats  # shares of people, adding up to 1
    lower: float  # the column's bounds
    upper: float

    centre: float  # public centre of least noise for averages


def peoples_means(histogram: Histogram | None, column: Column) -> PeoplesMeans | None:
    """Distribution of means from a calibration histogram; None if it has other bounds or no significant bin.

    Needs and guarantees: engine/pricing/proofs.md#usual_values
    """
    if histogram is None or column.bounds is None:
        return None
    lower, upper = column.bounds.lower, column.bounds.upper
    return _read(histogram, lower, upper) if histogram.measured.unit == upper - lower else None


@lru_cache(maxsize=256)
def _read(histogram: Histogram, lower: float, upper: float) -> PeoplesMeans | None:
    people = _held(np.asarray(histogram.counts, dtype=np.float64), histogram.sigma)
    if people.sum() <= 0:
        return None
    shares, places = people / people.sum(), _middles()
    centre = lower + (upper - lower) * _centre(places, shares)
    return PeoplesMeans(lower + (upper - lower) * places, shares, lower, upper, centre)


def _centre(places: Floats, shares: Floats) -> float:
    """Centre of least expected noise of an average, as a share of the column's range.

    The sum's clip bound grows with the distance that covers MOST of the people (two thirds of the price); the noise of
    the count (one third) moves an average by the distance of the overall mean.
    """
    tried = np.arange(FINEST + 1) / FINEST
    far = np.abs(places[None, :] - tried[:, None])
    order = np.argsort(far, axis=1)
    most = np.argmax(np.cumsum(shares[order], axis=1) >= MOST, axis=1)
    reach = np.take_along_axis(far, np.take_along_axis(order, most[:, None], axis=1), axis=1)[:, 0]
    return float(tried[np.argmin(reach**2 + 2 * (tried - float(places @ shares)) ** 2)])


def informed(catalog: Catalog, known: Knowing) -> Catalog:
    """Catalog as queries are bound against today: each column with the usual value measured by a calibration."""
    usual = dict(_usual_values(catalog, known))
    if not usual:
        return catalog
    said = tuple(usual.items())
    for of, before, there in tuple(_made):
        if of is catalog and before == said:
            return there
    made = replace(catalog, tables=tuple(_informed(table, usual) for table in catalog.tables))
    _made.append((catalog, said, made))
    return made


_made = deque[tuple[Catalog, tuple[tuple[tuple[str, str], float], ...], Catalog]](maxlen=_CATALOGS)


def _usual_values(catalog: Catalog, known: Knowing) -> Iterator[tuple[tuple[str, str], float]]:
    today = {of.name: known.today(of.name) for of in catalog.datasets}
    for table in catalog.tables:
        for column in table.columns:
            if table.private and column.centre is None and column.centred_norm is not None:
                means = peoples_means(today[table.dataset].find(table.name, (), Kind.MEANS, column.name), column)
                if means is not None:
                    yield (table.name, column.name), means.centre


def _informed(table: Table, usual: dict[tuple[str, str], float]) -> Table:
    if not any(name == table.name for name, _ in usual):
        return table
    return replace(table, columns=tuple(replace(c, usual=usual.get((table.name, c.name))) for c in table.columns))


def _held(counts: Floats, sigma: float) -> Floats:
    """Denoised number of people in each bin: significant bins as counted, beyond them at most halving per bin."""
    clear = counts > CLEAR * sigma
    return np.maximum(_falling(counts, clear), _falling(counts[::-1], clear[::-1])[::-1])


def _falling(counts: Floats, clear: npt.NDArray[np.bool_]) -> Floats:
    held, before = np.zeros_like(counts), 0.0
    for place, count in enumerate(counts):
        before = float(count) if clear[place] else min(max(0.0, float(count)), FALLS * before)
        held[place] = before
    return held


def _middles() -> Floats:
    """Midpoint of each bin as a share of the column's range."""
    ends = np.exp2(np.arange(FARTHEST, NEAREST + 2) / 2)
    ends[0], ends[-1] = 0.0, 0.5
    low = (ends[1:] + ends[:-1]) / 2
    return np.concatenate([low, 1 - low[::-1]])
