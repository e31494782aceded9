"""Projection of shown intervals onto natural limits: a count is not negative, a share is at most 1.

Numbers stay as they were released: sums of them are unbiased, and only their display is moved into the interval.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from dialect import Question
from dialect.postprocess import column_limits
from engine.mechanism.answer import Answer, Ends
from engine.mechanism.intervals import Floats


def project_intervals(answer: Answer, question: Question) -> Answer:
    """Intersect the intervals of an answer with the natural limits of their columns."""
    limits = {column.name: limits for column, limits in zip(question.columns, column_limits(question), strict=True)}
    intervals: Mapping[str, Ends] = {
        name: projected(*ends, *limits[name]) if name in limits else ends for name, ends in answer.intervals.items()
    }
    return replace(answer, intervals=dict(intervals))


def projected(lower: Floats, upper: Floats, least: float, most: float) -> Ends:
    """Intersect intervals with the range of the exact number.

    Claim: an interval covers the exact number after projection if it did before. Symbols: `least`, `most` = the range.
    Formula: [max(lower, least), min(upper, most)]; one beyond the range becomes half its width from the nearer end.
    Raises: nothing. Proof: proofs.md#projected
    """
    with np.errstate(invalid="ignore"):  # missing ends stay NaN
        half = (upper - lower) / 2
        below, above = upper < least, lower > most
        low = np.where(above, np.maximum(most - half, least), np.maximum(lower, least))
        high = np.where(below, np.minimum(least + half, most), np.minimum(upper, most))
        return np.where(below, least, low), np.where(above, most, high)
