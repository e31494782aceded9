"""Products below variances and correlations: their usual size, from units' means of them about chosen centres.

A variance is the average of squared distances from a centre, minus the square of the average distance. So it has the
profile of two averages: of the values, and of their squares. The centre of the values follows from the stored profile;
then units are measured by their mean square about it, from which the centre of the squares follows
(`engine/pricing/proofs.md#products`).

Terms:
    product  of two distances, of one column's values or of two columns', from their chosen centres
    size     product of the spreads of both columns' means of units
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from dialect.algebra import QueryVector, VectorKind
from dialect.codegen import CENTRE_STEPS, MeanBins
from engine.pricing.clip_bounds.column_means import MeanDistribution, denoised_means
from engine.pricing.clip_bounds.tails import Floats

LARGEST_SIZES, BINS_PER_SIDE = 2.0**14, 36  # of a unit's mean product: so many sizes, and half doublings below
PRODUCT_GRAINS = 2.0**8  # value grains of a usual product where units are measured
NARROW_RANGE = 64.0  # of whole numbers whose averages have fractional centres
AVERAGED_KINDS = (VectorKind.CENTRED, VectorKind.PRODUCT)
BEYOND = 1.2  # mean of the last bin, over where it begins


@dataclass(frozen=True)
class Grains:
    """Value grains of a sum: 2^-value_bits in a profile, where it is at most `most`, and 2^-finest_bits at least."""

    value_bits: int
    finest_bits: int
    most: float


@dataclass(frozen=True)
class ProductScale:
    """A sum of products about chosen centres: its vectors, centres, and the size of its products."""

    total: int
    count: int
    centres: tuple[float, float]
    size: float
    lower: float  # of one product; 0 for squares
    upper: float

    @property
    def is_square(self) -> bool:
        """Whether its products are never negative: of one column."""
        return self.lower == 0

    @property
    def value_bits(self) -> int:
        """Value bits in which units' means are measured."""
        return grain_bits(self.size)

    @property
    def ends(self) -> Floats:
        """Where bins of units by their mean product begin, but for the first; rising."""
        positive = self.size * LARGEST_SIZES * np.exp2(-np.arange(BINS_PER_SIDE)[::-1] / 2)
        return positive if self.is_square else np.concatenate([-positive[::-1], positive])

    def bins(self, value_bits: int) -> MeanBins:
        """Bins of the histogram of means, in value grains."""
        steps = tuple(round(end * 2.0**value_bits * CENTRE_STEPS) for end in self.ends)
        return MeanBins(self.total, self.count, steps)

    def means(self, units: Floats, sigma: float) -> MeanDistribution | None:
        """Distribution of units' mean products, from noisy units by bin; None if no bin is clear of the noise."""
        people = denoised_means(units[: len(self.ends) + 1], sigma)
        if people.sum() <= 0:
            return None
        ends = self.ends
        first = ends[0] / 2 if self.is_square else BEYOND * ends[0]
        places = np.concatenate([[first], (ends[1:] + ends[:-1]) / 2, [BEYOND * ends[-1]]])
        return _distribution(places, people / people.sum())

    def likely_means(self, means: MeanDistribution) -> MeanDistribution:
        """Distribution that is likely by the means of one column's values alone."""
        if not self.is_square:
            return _distribution(np.array([-self.size, 0.0, self.size]), np.array([0.25, 0.5, 0.25]))
        places = (means.means - self.centres[0]) ** 2 + self.size
        order = np.argsort(places)
        return _distribution(places[order], means.people[order])


def _distribution(places: Floats, people: Floats) -> MeanDistribution:
    """Distribution over places; its range is the reach of its mean size, as products have no narrow range."""
    size = float(np.abs(places) @ people)
    return MeanDistribution(places, people, 0.0, size, float(places @ people))


def grain_bits(usual: float) -> int:
    """Value bits with PRODUCT_GRAINS grains of a usual product."""
    return math.floor(math.log2(PRODUCT_GRAINS / usual))


def product_range(vector: QueryVector, centres: tuple[float, float]) -> tuple[float, float]:
    """Return the least and the largest product of a vector about some centres; of squares, from 0 on."""
    assert vector.factor is not None  # noqa: S101  the caller asks
    own, other = vector, vector.factor
    first, second = (
        (own.lower - centres[0], own.upper - centres[0]),
        (other.lower - centres[1], other.upper - centres[1]),
    )
    corners = [one * two for one in first for two in second]
    is_square = (own.value, own.lower, own.upper) == (other.value, other.lower, other.upper)
    return 0.0 if is_square else min(corners), max(corners)


def has_fractional_centre(vector: QueryVector) -> bool:
    """Return whether the average of whole numbers may have a fractional centre: in a narrow range it matters."""
    widths = [side.upper - side.lower for side in (vector, vector.factor) if side is not None]
    return vector.kind in AVERAGED_KINDS and min(widths) <= NARROW_RANGE


def about_factors(vector: QueryVector, scale: ProductScale) -> QueryVector:
    """Take products about the chosen centres of their factors."""
    assert vector.factor is not None  # noqa: S101  a product has one
    first, second = scale.centres
    return replace(vector, centre=first, factor=replace(vector.factor, centre=second))
