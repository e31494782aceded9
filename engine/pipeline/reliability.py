"""Reliability rating of each number: good, fair, poor or noise, from its interval and expected bias.

The relative error is half-width plus expected clipping bias, over the number: within a tenth it is good, within a
quarter fair, else poor; where the interval contains 0, or lies below 0 and the number can't be negative, it is noise.
A number of unknown bias is fair at best; one that counts pairs of a person's own rows is poor, as clipping may have
removed any share of them (docs/reading.md#how-reliable-a-number-is).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import StrEnum

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dialect import Question
from dialect.postprocess import never_negative, uncertainty
from engine.mechanism.answer import Answer

Ends = tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]
GOOD_WITHIN, FAIR_WITHIN = 0.10, 0.25


class Reliability(StrEnum):
    """Rating of a number by its relative error."""

    GOOD = "good"
    FAIR = "fair"
    POOR = "poor"
    NOISE = "noise"  # not distinguishable from 0


def reliability(
    answer: Answer,
    biases: Mapping[str, float | None],
    doubts: Mapping[str, Mapping[str, float]] | None = None,
    of_pairs: Collection[str] = (),
    not_negative: Collection[str] = (),
) -> dict[str, list[Reliability | None]]:
    """Rate every number that has an interval; None for one without. Post-processing of shown numbers."""
    told = doubts or {}
    found = {
        name: _words(
            _numbers(answer.table.column(name)),
            *_ends(answer, name, not_negative),
            biases.get(name),
            told.get(name, {}),
        )
        for name in answer.table.column_names
        if name in answer.intervals
    }
    return {name: list(map(_at_most_poor, words)) if name in of_pairs else words for name, words in found.items()}


def not_negative(question: Question) -> frozenset[str]:
    """Names of columns that only noise can make negative, such as counts."""
    positive, shown = never_negative(question), zip(question.columns, uncertainty(question), strict=True)
    sums = {each.name: form.whole() for each, form in shown if form is not None and form.denominator is None}
    return frozenset(name for name, whole in sums.items() if not whole.may_be_negative(positive))


def _ends(answer: Answer, name: str, not_negative: Collection[str]) -> Ends:
    """Interval ends of a column; one entirely below 0 is extended to 0 if the number can't be negative."""
    lower, upper = answer.intervals[name]
    return lower, np.maximum(upper, 0.0) if name in not_negative else upper


def lost(values: npt.NDArray[np.float64], bias: float | None) -> npt.NDArray[np.float64]:
    """Return the expected amount missing from numbers with a relative bias: x = truth (1 + bias)."""
    share = 0.0 if bias is None else -bias / (1 + bias) if bias > -1 else np.inf
    with np.errstate(invalid="ignore"):
        return np.where(values > 0, values * share, 0.0) if share else np.zeros(values.shape)


def _at_most_poor(word: Reliability | None) -> Reliability | None:
    return Reliability.POOR if word in (Reliability.GOOD, Reliability.FAIR) else word


def is_weak(words: Mapping[str, list[Reliability | None]]) -> bool:
    """Check whether most numbers of some column are rated poor or noise."""
    return any(_mostly_weak(column) for column in words.values())


def _mostly_weak(column: list[Reliability | None]) -> bool:
    weak = column.count(Reliability.POOR) + column.count(Reliability.NOISE)
    return 2 * weak > len(column) - column.count(None)


def _numbers(column: pa.ChunkedArray) -> npt.NDArray[np.float64]:
    kind = column.type
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        return np.full(len(column), np.nan)
    found: npt.NDArray[np.float64] = column.cast(pa.float64(), safe=False).fill_null(float("nan")).to_numpy()
    return found


def _words(
    values: npt.NDArray[np.float64],
    lower: npt.NDArray[np.float64],
    upper: npt.NDArray[np.float64],
    bias: float | None,
    doubt: Mapping[str, float],
) -> list[Reliability | None]:
    unknown = bias is None and not doubt
    with np.errstate(invalid="ignore", divide="ignore"):
        away = np.maximum(upper - values, values - lower) + np.abs(lost(values, bias))
        away += doubt.get("share", 0.0) * np.abs(values) + doubt.get("amount", 0.0)
        off = away / np.abs(values)
        places = np.select(
            [np.isnan(off), (lower <= 0) & (upper >= 0), off > FAIR_WITHIN, (off > GOOD_WITHIN) | unknown],
            [0, 1, 2, 3],
            4,
        )
    return [_WORDS[place] for place in places]


_WORDS = (None, Reliability.NOISE, Reliability.POOR, Reliability.FAIR, Reliability.GOOD)
