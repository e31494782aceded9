"""Quantiles and their intervals from a released histogram: post-processing of noisy counts (`proofs.md#quantiles`).

Terms:
    bin         range of values, one key of the release; every group has all bins
    edge        number of bins below a value
    cumulative  rows in a bin and all bins below it; made monotone where noise is not
    rank        index of a row among the rows of its group by value, from 0
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dialect.algebra import Histogram, QuantileOf, ReleaseColumns
from engine.mechanism.gaussian import NoisyVector
from engine.mechanism.intervals import Floats, normal_quantile

_ROUNDING_TOLERANCE = 1e-9  # rounding error, in rows, of a product of doubles with a whole result
RANK_MARGIN = 1.0  # a quantile lies between two neighbouring rows, whose ranks are integers


@dataclass(frozen=True)
class HistogramCounts:
    """Noisy bin counts of every group."""

    noisy: Floats  # one row per group, one column per bin
    sigma: float  # scale of the noise of one count, in rows
    bins: Histogram
    clipping: float = 0.0  # standard deviation of what clipping may have moved, as a share of a group

    def cumulative(self) -> Floats:
        """Compute monotone cumulative counts: half-way between the least monotone majorant and largest minorant."""
        summed = np.cumsum(self.noisy, axis=1)
        above = np.maximum.accumulate(summed, axis=1)
        below = np.minimum.accumulate(summed[:, ::-1], axis=1)[:, ::-1]
        return np.clip((above + below) / 2, 0.0, np.maximum(summed[:, -1:], 0.0))

    def total(self) -> Floats:
        """Noisy number of rows of every group: the sum over its histogram bins."""
        return self.noisy.sum(axis=1)


def quantile_table(
    keys: pa.Table, noisy: NoisyVector, grain: float, sigma: float, columns: ReleaseColumns, confidence: float,
    clipping: float = 0.0,
) -> pa.Table:  # fmt: skip
    """Compute the columns that the outer SQL reads of a released histogram: keys, quantiles, interval ends.

    `clipping` = standard deviation of the error that correcting the counts left, as a share of them.
    """
    bins = columns.histogram
    assert bins is not None  # noqa: S101  checked by the caller
    names = [name for i, name in enumerate(keys.column_names) if i != bins.key_index]
    first, group = (
        _number_groups(keys.select(names)) if names else (np.zeros(1, np.int64), np.zeros(keys.num_rows, np.int64))
    )
    counts = np.zeros((len(first), bins.bin_count))
    counts[group, keys.column(bins.key_index).to_numpy().astype(np.int64)] = noisy * grain
    released = HistogramCounts(counts, sigma * grain, bins, clipping)
    shown = keys.select(names).take(pa.array(first)) if names else None
    columns_by_id: dict[str, Any] = (
        {f.id: shown.column(i) for i, f in enumerate(columns.keys)} if shown is not None else {}
    )
    for output in columns.outputs:
        assert isinstance(output.formula, QuantileOf) and output.interval_fields is not None  # noqa: S101  of a histogram
        value, *ends = quantile(released, output.formula, confidence)
        columns_by_id[output.field.id] = value
        columns_by_id |= {
            end.id: pa.array(end_values) for end, end_values in zip(output.interval_fields, ends, strict=True)
        }
    return pa.table(columns_by_id)


def _number_groups(keys: pa.Table) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the index of the first row of each group, in order of appearance, and the group number of each row."""
    codes = np.zeros(keys.num_rows, dtype=np.int64)
    for column in keys.columns:
        encoded = column.combine_chunks().dictionary_encode(null_encoding="encode")
        codes = codes * len(encoded.dictionary) + encoded.indices.to_numpy()
        _, codes = np.unique(codes, return_inverse=True)  # renumbered, so that the product can't overflow
    _, first, group = np.unique(codes, return_index=True, return_inverse=True)
    order = np.argsort(first)
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    return first[order], place[group]


def quantile(counts: HistogramCounts, formula: QuantileOf, confidence: float) -> tuple[pa.Array, Floats, Floats]:
    """Quantile of every group from its noisy histogram, with the ends of its interval.

    Claim: the ends cover the quantile of the histogram's rows with probability `confidence`, provided sums of its
    noise are normal; a group whose rows are not clearly above 0 has none. Symbols: q = level, C_b = rows below edge b
    of B, n = C_B, sigma = noise of a count. Formula: the bins whose edges satisfy |C_b - q n| <= z sqrt(sigma^2
    (b (1 - q)^2 + (B - b) q^2) + (r n max(q, 1 - q) / 2)^2) + 1, to the side that matters; r = share that clipping may
    have moved. Source: Woodruff, JASA 47 (1952) 635-646, for ranks instead of
    values. Raises: nothing. Proof: proofs.md#quantiles
    """
    z, total = normal_quantile(confidence), counts.total()
    is_unstable = ~(total > z * counts.sigma * np.sqrt(counts.bins.bin_count)) | (total <= 0)
    value = _value_at_rank(counts, _rank(formula, total))
    lower, upper = _interval_ends(counts, formula.level, z)
    lower, upper = np.minimum(lower, value), np.maximum(upper, value)
    if formula.rounding is not None:
        value = _ROUNDING[formula.rounding](value)
        lower, upper = np.floor(lower), np.ceil(upper)
    lower, upper = (np.where(is_unstable, np.nan, end) for end in (lower, upper))
    integers = value.astype(np.int64) if formula.rounding is not None else value
    return pa.array(integers, mask=is_unstable), lower, upper


_ROUNDING = {"down": np.floor, "near": np.rint, "up": np.ceil}


def _rank(formula: QuantileOf, total: Floats) -> Floats:
    """Rank of a quantile, from 0: fractional for QUANTILE_CONT, that of a row for QUANTILE_DISC."""
    if not formula.discrete:
        return formula.level * np.maximum(total - 1, 0.0)
    return np.clip(np.ceil(formula.level * total - _ROUNDING_TOLERANCE) - 1, 0.0, np.maximum(np.floor(total) - 1, 0.0))


def _value_at_rank(counts: HistogramCounts, rank: Floats) -> Floats:
    """Interpolate between the two neighbours of a rank that counts from 0, as QUANTILE_CONT does."""
    cumulative, below = counts.cumulative(), np.floor(rank)
    one, other = (_value_of_row(counts.bins, cumulative, place) for place in (below, np.ceil(rank)))
    return one + (rank - below) * (other - one)


def _value_of_row(bins: Histogram, cumulative: Floats, rank: Floats) -> Floats:
    """Interpolate the value at an integer rank within its bin, whose rows are taken as evenly spread.

    A row lies in the middle of its share of the bin, hence the 0.5.
    """
    bin_index = np.minimum((cumulative <= rank[:, None]).sum(axis=1), bins.bin_count - 1)
    rows = np.arange(len(bin_index))
    before = np.where(bin_index > 0, cumulative[rows, bin_index - 1], 0.0)
    inside = np.maximum(cumulative[rows, bin_index] - before, RANK_MARGIN)
    share = np.clip((rank - before + 0.5) / inside, 0.0, 1.0)
    return np.asarray(bins.starts)[bin_index] + share * np.asarray(bins.value_widths)[bin_index]


def _interval_ends(counts: HistogramCounts, level: float, z: float) -> tuple[Floats, Floats]:
    """Interval ends by Woodruff: the outermost bins at whose edges the cumulative count may be the quantile's rank.

    `edge` counts bins below; `margin` = noise of the cumulative count minus its share of the total, what clipping may
    have moved, and one rank. Clipped rows of a share r that lie all on one side move a rank by r n max(q, 1 - q).
    """
    bins = counts.bins
    edge = np.arange(bins.bin_count + 1)
    summed = np.cumsum(counts.noisy, axis=1)
    beyond = np.concatenate([np.zeros((len(summed), 1)), summed], axis=1) - level * summed[:, -1:]
    noise = counts.sigma * np.sqrt(edge * (1 - level) ** 2 + (bins.bin_count - edge) * level**2)
    moved = counts.clipping * np.maximum(counts.total(), 0.0) * max(level, 1 - level) / 2
    margin = z * np.hypot(noise[None, :], moved[:, None]) + RANK_MARGIN
    first = np.argmax(beyond[:, 1:] >= -margin[:, 1:], axis=1)
    last = bins.bin_count - 1 - np.argmax((beyond[:, :-1] <= margin[:, :-1])[:, ::-1], axis=1)
    starts, spreads = np.asarray(bins.starts), np.asarray(bins.value_widths)
    return starts[first], starts[last] + spreads[last]
