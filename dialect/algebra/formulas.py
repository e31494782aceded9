"""Formulas of released numbers: how each is computed from noisy query vectors.

The planner chooses them; the engine evaluates them after noise has been added. A raw number is a noisy vector's value
in one group before rounding; a raw field holds it. A centre is a public constant that is subtracted from values before
they are summed, so that less noise is needed; a centred sum is a sum of such differences.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal as OneOf

from dialect.algebra.expressions import Expr, Field


@dataclass(frozen=True)
class CountOf:
    """A released count: the noisy vector at index `vector`, rounded to an integer."""

    vector: int


@dataclass(frozen=True)
class SumOf:
    """A released sum: the noisy vector at index `vector`, in the value's unit."""

    vector: int


@dataclass(frozen=True)
class MeanOf:
    """A released mean: centre + noisy centred sum / noisy count."""

    centred_sum: int
    count: int
    centre: float


@dataclass(frozen=True)
class MomentsOf:
    """A released second-moment statistic, such as a variance or a correlation, of noisy sums about public centres."""

    function: str  # a name of dialect.functions.aggregates
    count: int  # index of the vector that counts values, or pairs of values
    sums: tuple[int, ...]  # sum of each centred argument
    products: tuple[int, ...]  # sums of products of two centred arguments, in the order of MOMENTS
    centres: tuple[float, ...]  # public centre of each sum

    @property
    def vectors(self) -> tuple[int, ...]:
        """Indices of all vectors used: the count, the sums, then the products."""
        return (self.count, *self.sums, *self.products)


@dataclass(frozen=True)
class QuantileOf:
    """A quantile read from a released histogram."""

    level: float  # from 0 to 1
    rounding: OneOf["down", "near", "up"] | None = None  # rounding to an integer, where values are integers
    discrete: bool = False  # quantile_disc: always the value of a row, never interpolated


Formula = CountOf | SumOf | MeanOf | MomentsOf | QuantileOf


@dataclass(frozen=True)
class ReleasedSum:
    """Sum over released rows, or one value taken from them, with its noise terms (`proofs.md#noise-followed`).

        SELECT sum(n) FROM (SELECT zone, COUNT(*) AS n FROM visit GROUP BY zone)

    The variance of the sum is the sum of squared weights times the variance of each raw number.
    """

    field: Field  # holds the sum
    exact_part: Field | None  # sum or mean of the part without noise; None: there is none
    # (sum of weighted raw values, sum of squared weights, raw field)
    noise_terms: tuple[tuple[Field, Expr, Field], ...]
    has_non_negative_weights: bool  # no weight is negative


@dataclass(frozen=True)
class NoisyTerm:
    """Weighted noisy number of one input of a UNION ALL, as a column of the union; 0 in rows of the other input."""

    weighted_value: Field
    squared_weight: Expr  # squared weight: factor of the raw number's variance
    raw: Field
    is_non_negative: bool  # the exact value is never negative


@dataclass(frozen=True)
class NoisyUnionColumn:
    """Noise terms of a UNION ALL column: offset + (constant + terms) / (denominator_constant + denominator_terms).

        SELECT n AS x FROM a UNION ALL SELECT s / m FROM b

    Each row gets its uncertainty from the terms of the input that it came from; the terms of the other are 0.
    """

    field: Field
    offset: Field | None
    constant: Field | None
    terms: tuple[NoisyTerm, ...]
    denominator_constant: Field | None = None
    denominator_terms: tuple[NoisyTerm, ...] | None = None  # None: not a ratio

    @property
    def all_terms(self) -> tuple[NoisyTerm, ...]:
        """Noise terms of numerator and denominator."""
        return self.terms + (self.denominator_terms or ())


@dataclass(frozen=True)
class ReleasedNumber:
    """A released number: one value per group."""

    field: Field
    formula: Formula
    interval_fields: tuple[Field, Field] | None = (
        None  # lower and upper field of its interval, where the release itself holds them
    )


@dataclass(frozen=True)
class Histogram:
    """Histogram bins between public edges, used as an additional group key; quantiles are read from their counts."""

    key_index: int  # index of the bin-number key among the plan's keys
    starts: tuple[float, ...]  # lower edge of each bin, in the value's unit
    value_widths: tuple[float, ...]  # largest minus smallest possible value of each bin; below its width for integers

    @property
    def bin_count(self) -> int:
        """Number of bins."""
        return len(self.starts)
