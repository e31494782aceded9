"""How a released number comes from noisy vectors: what `plan` decides and the engine computes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal as OneOf

from dialect.algebra.expressions import Expr, Field


@dataclass(frozen=True)
class CountOf:
    """A released count: vector `vector`, rounded to a whole number."""

    vector: int


@dataclass(frozen=True)
class SumOf:
    """A released sum: vector `vector` in the value's unit."""

    vector: int


@dataclass(frozen=True)
class MeanOf:
    """A released mean: centre + centred sum / count."""

    total: int
    count: int
    centre: float


@dataclass(frozen=True)
class MomentsOf:
    """A released variance, deviation, covariance, correlation or regression, of noisy sums about public centres."""

    function: str  # a name of dialect.functions.aggregates
    count: int  # how many values, or pairs of them
    sums: tuple[int, ...]  # of each value less its centre
    products: tuple[int, ...]  # of two such differences, in the order of dialect.functions.aggregates
    centres: tuple[float, ...]  # one per sum

    @property
    def vectors(self) -> tuple[int, ...]:
        """All of them: the count, the sums, the products."""
        return (self.count, *self.sums, *self.products)


@dataclass(frozen=True)
class QuantileOf:
    """A quantile of a released histogram."""

    level: float  # from 0 to 1
    whole: OneOf["down", "near", "up"] | None = None  # to which whole number it is shown
    discrete: bool = False  # the value of a row, and none between two


Formula = CountOf | SumOf | MeanOf | MomentsOf | QuantileOf


@dataclass(frozen=True)
class ReleasedSum:
    """What was added up over released rows, or taken from one, each with its own noise (`proofs.md#noise-followed`)."""

    field: Field  # what holds its value
    constant: Field | None  # sum, or mean, of what is not noisy; None: nothing is
    terms: tuple[tuple[Field, Expr, Field], ...]  # sum of weighted raw numbers, sum of squared weights, the raw number
    positive: bool  # no weight is below 0


@dataclass(frozen=True)
class NoisyTerm:
    """A weighted noisy number in a row that a union gathered; 0 in rows of the other side."""

    total: Field
    squares: Expr  # what the raw number's variance is multiplied with
    raw: Field
    positive: bool  # never below 0, but for its noise


@dataclass(frozen=True)
class Gathered:
    """A number that UNION ALL gathered: offset + (constant + terms) / (below + below_terms)."""

    field: Field
    offset: Field | None
    constant: Field | None
    terms: tuple[NoisyTerm, ...]
    below: Field | None = None
    below_terms: tuple[NoisyTerm, ...] | None = None  # None: no ratio

    @property
    def every_term(self) -> tuple[NoisyTerm, ...]:
        """Of both parts."""
        return self.terms + (self.below_terms or ())


@dataclass(frozen=True)
class Output:
    """One released number per group."""

    field: Field
    formula: Formula
    ends: tuple[Field, Field] | None = None  # its interval, where the release itself must say it


@dataclass(frozen=True)
class Histogram:
    """Bins between public ends, as one more key of a release: what quantiles are read from."""

    key: int  # position of the bin's number among the plan's keys
    starts: tuple[float, ...]  # where each bin begins, in the value's unit
    spreads: tuple[float, ...]  # from its least value to its largest: less than its width where values are whole

    @property
    def bins(self) -> int:
        """How many bins there are."""
        return len(self.starts)
