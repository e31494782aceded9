"""Reliability rating of each number: good, fair, poor or noise, from its interval and expected bias.

The relative error is half-width plus expected clipping bias, over the number: within a tenth it is good, within a
quarter fair, else poor; where the interval contains 0, or lies below 0 and the number can't be negative, it is noise.
So is a number that noise selected and whose end for all candidates together is not above 0.
A number is fair at best if its bias is unknown, or predicted by declared limits that nothing measured; one that counts
pairs of a person's own rows is poor, as clipping may have removed any share of them
(docs/reading.md#how-reliable-a-number-is).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import StrEnum

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dialect import Question
from dialect.postprocess import counting_columns
from engine.mechanism.answer import Answer

Ends = tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]
GOOD_WITHIN, FAIR_WITHIN = 0.10, 0.25


class Reliability(StrEnum):
    """Rating of a number by its relative error."""

    GOOD = "good"
    FAIR = "fair"
    POOR = "poor"
    NOISE = "noise"  # not distinguishable from 0


def rate_reliability(
    answer: Answer,
    biases: Mapping[str, float | None],
    bias_bounds: Mapping[str, Mapping[str, float]] | None = None,
    pair_columns: Collection[str] = (),
    not_negative: Collection[str] = (),
    guessed_columns: Collection[str] = (),
) -> dict[str, list[Reliability | None]]:
    """Rate every number that has an interval; None for one without. Post-processing of shown numbers."""
    known_bounds = bias_bounds or {}
    ratings = {
        name: _ratings(
            _numbers(answer.table.column(name)),
            *_interval_ends(answer, name, not_negative),
            biases.get(name),
            known_bounds.get(name, {}),
            is_guessed=name in guessed_columns,
        )
        for name in answer.table.column_names
        if name in answer.intervals
    }
    return {
        name: list(map(_capped_at_poor, column_ratings)) if name in pair_columns else column_ratings
        for name, column_ratings in ratings.items()
    }


def non_negative_columns(question: Question) -> frozenset[str]:
    """Names of columns that only noise can make negative, such as counts."""
    columns = ((each.name, each.form) for each in question.columns)
    sums = {name: form.as_linear() for name, form in columns if form is not None and form.denominator is None}
    return frozenset(name for name, whole in sums.items() if not whole.may_be_negative(question.non_negative))


def may_be_nothing(question: Question, answer: Answer) -> list[bool]:
    """Mark rows that noise selected and that may stand for nothing: no count of theirs is clearly above 0.

    Clearly: by ends that hold for all candidates together, so that few answers leave such a row unmarked. Empty where
    noise did not select the rows, or nothing counts them. Private keys that are released have a person.
    """
    ratios = {column.name for column in question.columns if column.form is not None and column.form.denominator}
    counts = [name for name in counting_columns(question) if name in answer.intervals]
    lower_ends = {name: answer.strict_lower.get(name, answer.intervals[name][0]) for name in counts}
    exists = [~np.isnan(lower) if name in ratios else lower > 0 for name, lower in lower_ends.items()]
    exists += [] if answer.hidden_count is None else [answer.hidden_count[0] > 0]
    if answer.candidates is None or not exists:
        return []
    has_private_keys = all(plan.key_set is None and plan.others is None for plan in question.plans)
    return [not has_private_keys and not each for each in np.any(exists, axis=0).tolist()]


def _interval_ends(answer: Answer, name: str, not_negative: Collection[str]) -> Ends:
    """Interval ends of a column, extended to 0 if the number can't be negative and is not clearly above 0.

    It is not where the interval lies below 0, or where a lower end that holds for all candidates of a selection does.
    """
    lower, upper = answer.intervals[name]
    if name not in not_negative:
        return lower, upper
    strict = answer.strict_lower.get(name, lower)
    return np.where(strict > 0, lower, np.minimum(lower, 0.0)), np.maximum(upper, 0.0)


def expected_loss(values: npt.NDArray[np.float64], bias: float | None) -> npt.NDArray[np.float64]:
    """Return the expected amount missing from numbers with a relative bias: x = truth (1 + bias).

    A bias of -1 leaves nothing, so the loss is infinite. Numbers that are not positive miss nothing that is known.
    """
    # share of the shown number that is missing
    share = 0.0 if bias is None else -bias / (1 + bias) if bias > -1 else np.inf
    with np.errstate(invalid="ignore"):
        return np.where(values > 0, values * share, 0.0) if share else np.zeros(values.shape)


def _capped_at_poor(rating: Reliability | None) -> Reliability | None:
    """Lower a rating to poor; noise and None stay."""
    return Reliability.POOR if rating in (Reliability.GOOD, Reliability.FAIR) else rating


def is_mostly_weak(ratings: Mapping[str, list[Reliability | None]]) -> bool:
    """Check whether most numbers of some column are rated poor or noise."""
    return any(
        2 * (column.count(Reliability.POOR) + column.count(Reliability.NOISE)) > len(column) - column.count(None)
        for column in ratings.values()
    )


def _numbers(column: pa.ChunkedArray) -> npt.NDArray[np.float64]:
    """Numbers of a column as floats; NaN for NULL, and throughout for a column that is not numeric."""
    kind = column.type
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        return np.full(len(column), np.nan)
    return column.cast(pa.float64(), safe=False).fill_null(float("nan")).to_numpy()


def _ratings(
    values: npt.NDArray[np.float64],
    lower: npt.NDArray[np.float64],
    upper: npt.NDArray[np.float64],
    bias: float | None,
    bias_bound: Mapping[str, float],
    *,
    is_guessed: bool = False,
) -> list[Reliability | None]:
    """Rate the numbers of one column: the first of these that applies decides.

    No number or no interval: None; interval contains 0: noise; relative error above a quarter: poor; above a tenth, or
    the bias unknown or a guess: fair; else good. The half-width includes the expected bias and the bias bound (share
    and amount).
    """
    has_unknown_bias = is_guessed or (bias is None and not bias_bound)
    with np.errstate(invalid="ignore", divide="ignore"):
        half_range = np.maximum(upper - values, values - lower) + np.abs(expected_loss(values, bias))
        half_range += bias_bound.get("share", 0.0) * np.abs(values) + bias_bound.get("amount", 0.0)
        relative_error = half_range / np.abs(values)
        codes = np.select(
            [
                np.isnan(relative_error),
                (lower <= 0) & (upper >= 0),
                relative_error > FAIR_WITHIN,
                (relative_error > GOOD_WITHIN) | has_unknown_bias,
            ],
            [0, 1, 2, 3],
            4,
        )
    return [_RATING_BY_CODE[code] for code in codes]


_RATING_BY_CODE = (None, Reliability.NOISE, Reliability.POOR, Reliability.FAIR, Reliability.GOOD)
