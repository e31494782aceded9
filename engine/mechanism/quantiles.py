"""Quantiles and their intervals from a released histogram: post-processing of noisy counts (`proofs.md#quantiles`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dialect.algebra import Histogram, QuantileOf, ReleaseColumns
from engine.mechanism.gaussian import NoisyVector
from engine.mechanism.intervals import Floats, normal_quantile

_NO_MORE = 1e-9  # rounding error, in rows, of a product of doubles with a whole result
ONE_ROW = 1.0  # a quantile lies between two neighbouring rows, whose ranks are integers


@dataclass(frozen=True)
class Counts:
    """Noisy bin counts of every group."""

    noisy: Floats  # one row per group, one column per bin
    sigma: float  # scale of the noise of one count, in rows
    bins: Histogram

    def cumulative(self) -> Floats:
        """Compute monotone cumulative counts: half-way between the least monotone majorant and largest minorant."""
        summed = np.cumsum(self.noisy, axis=1)
        above = np.maximum.accumulate(summed, axis=1)
        below = np.minimum.accumulate(summed[:, ::-1], axis=1)[:, ::-1]
        nearest: Floats = np.clip((above + below) / 2, 0.0, np.maximum(summed[:, -1:], 0.0))
        return nearest

    def total(self) -> Floats:
        """Sum the rows of every group."""
        rows: Floats = self.noisy.sum(axis=1)
        return rows


def quantile_table(
    keys: pa.Table, noisy: NoisyVector, grain: float, sigma: float, columns: ReleaseColumns, confidence: float
) -> pa.Table:
    """Compute the columns that the outer SQL reads of a released histogram: keys, quantiles, interval ends."""
    bins = columns.histogram
    assert bins is not None  # noqa: S101  checked by the caller
    names = [name for i, name in enumerate(keys.column_names) if i != bins.key]
    first, group = _groups(keys.select(names)) if names else (np.zeros(1, np.int64), np.zeros(keys.num_rows, np.int64))
    counts = np.zeros((len(first), bins.bins))
    counts[group, keys.column(bins.key).to_numpy().astype(np.int64)] = noisy * grain
    released = Counts(counts, sigma * grain, bins)
    shown = keys.select(names).take(pa.array(first)) if names else None
    made: dict[str, Any] = {f.id: shown.column(i) for i, f in enumerate(columns.keys)} if shown is not None else {}
    for output in columns.outputs:
        assert isinstance(output.formula, QuantileOf) and output.ends is not None  # noqa: S101  of a histogram
        value, *ends = quantile(released, output.formula, confidence)
        made[output.field.id] = value
        made |= {end.id: pa.array(at) for end, at in zip(output.ends, ends, strict=True)}
    return pa.table(made)


def _groups(keys: pa.Table) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the number the groups in order of appearance: the first row of each, and each row's group."""
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


def quantile(counts: Counts, formula: QuantileOf, confidence: float) -> tuple[pa.Array, Floats, Floats]:
    """Compute one quantile of every group, with the ends of its interval.

    Claim: the ends cover the quantile of the histogram's rows with probability `confidence`, provided sums of its
    noise are normal; a group whose rows are not clearly above 0 has none. Symbols: q = level, C_b = rows below edge b
    of B, n = C_B, sigma = noise of a count. Formula: the bins whose edges satisfy |C_b - q n| <= z sigma sqrt(b (1 -
    q)^2 + (B - b) q^2) + 1, to the side that matters. Source: Woodruff, JASA 47 (1952) 635-646, for ranks instead of
    values. Raises: nothing. Proof: proofs.md#quantiles
    """
    z, total = normal_quantile(confidence), counts.total()
    weak = ~(total > z * counts.sigma * np.sqrt(counts.bins.bins)) | (total <= 0)
    value = _at_rank(counts, _rank(formula, total))
    lower, upper = _ends(counts, formula.level, z)
    lower, upper = np.minimum(lower, value), np.maximum(upper, value)
    if formula.whole is not None:
        value = _ROUNDED[formula.whole](value)
        lower, upper = np.floor(lower), np.ceil(upper)
    lower, upper = (np.where(weak, np.nan, end) for end in (lower, upper))
    whole = value.astype(np.int64) if formula.whole is not None else value
    return pa.array(whole, mask=weak), lower, upper


_ROUNDED = {"down": np.floor, "near": np.rint, "up": np.ceil}


def _rank(formula: QuantileOf, total: Floats) -> Floats:
    """Rank of a quantile, from 0: fractional for QUANTILE_CONT, that of a row for QUANTILE_DISC."""
    if not formula.discrete:
        return formula.level * np.maximum(total - 1, 0.0)
    found: Floats = np.clip(np.ceil(formula.level * total - _NO_MORE) - 1, 0.0, np.maximum(np.floor(total) - 1, 0.0))
    return found


def _at_rank(counts: Counts, rank: Floats) -> Floats:
    """Interpolate between the two neighbours of a rank that counts from 0, as QUANTILE_CONT does."""
    cumulative, below = counts.cumulative(), np.floor(rank)
    one, other = (_neighbour(counts.bins, cumulative, place) for place in (below, np.ceil(rank)))
    return one + (rank - below) * (other - one)


def _neighbour(bins: Histogram, cumulative: Floats, place: Floats) -> Floats:
    """Interpolate the value at an integer rank within its bin."""
    at = np.minimum((cumulative <= place[:, None]).sum(axis=1), bins.bins - 1)
    rows = np.arange(len(at))
    before = np.where(at > 0, cumulative[rows, at - 1], 0.0)
    inside = np.maximum(cumulative[rows, at] - before, ONE_ROW)
    share = np.clip((place - before + 0.5) / inside, 0.0, 1.0)
    found: Floats = np.asarray(bins.starts)[at] + share * np.asarray(bins.spreads)[at]
    return found


def _ends(counts: Counts, level: float, z: float) -> tuple[Floats, Floats]:
    bins = counts.bins
    edge = np.arange(bins.bins + 1)
    summed = np.cumsum(counts.noisy, axis=1)
    beyond = np.concatenate([np.zeros((len(summed), 1)), summed], axis=1) - level * summed[:, -1:]
    reach = z * counts.sigma * np.sqrt(edge * (1 - level) ** 2 + (bins.bins - edge) * level**2) + ONE_ROW
    first = np.argmax(beyond[:, 1:] >= -reach[1:], axis=1)
    last = bins.bins - 1 - np.argmax((beyond[:, :-1] <= reach[:-1])[:, ::-1], axis=1)
    starts, spreads = np.asarray(bins.starts), np.asarray(bins.spreads)
    return starts[first], starts[last] + spreads[last]
