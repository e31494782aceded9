"""Confidence levels of intervals in an answer whose rows were selected by noisy numbers.

Intervals of numbers that were selected because they are large miss more often than others. At a
higher level they miss at most 1 - confidence of what is shown (false coverage rate). Where neither the number of rows
is fixed nor the noise of each row is its own, all intervals that could have been shown hold together.

Terms:
    candidates  rows from which noise selected the rows of the answer
    affected    column with noise that decided which rows are shown
    strict      level at which the intervals of all candidates hold together (Bonferroni)
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from dialect.postprocess import NoisySelection
from engine.mechanism.intervals import normal_quantile


@dataclass(frozen=True)
class IntervalLevels:
    """Level of the intervals of each column."""

    confidence: float  # that of the client
    selection: NoisySelection | None = None
    candidates: int = 1
    number_count: int = 1  # raw noisy numbers of all releases
    is_correlated: bool = False  # numbers of one vector share noise, as consistent ones do

    @property
    def strict(self) -> float:
        """Level at which the intervals of all candidates of one column hold together."""
        return self.confidence if self.selection is None else false_coverage_level(self.confidence, 1, self.candidates)

    @property
    def null_level(self) -> float:
        """Level at which the denominator of a ratio has to be clear of 0, or the ratio is NULL."""
        return self.strict if self.selection is not None and self.selection.nulls_by_noise else self.confidence

    def is_affected(self, column: int) -> bool:
        """Return whether noise in a column decided which rows are shown."""
        return self.selection is not None and (self.is_correlated or column in self.selection.affected_columns)

    def of_column(self, column: int, shown: int, rows: int) -> float:
        """Confidence level of the intervals of a column: `shown` intervals in `rows` rows."""
        if self.selection is None or not self.is_affected(column):
            return self.confidence
        is_simple = self.selection.is_simple(column) and not self.is_correlated
        has_fixed_size = self.selection.has_fixed_size and shown == rows
        if column in self.selection.columns_of_selected_rows or not (is_simple or has_fixed_size):
            return self.strict
        limit = shown if self.selection.max_rank is None else min(shown, self.selection.max_rank)
        return false_coverage_level(self.confidence, limit, self.candidates)

    def expected(self, column: int) -> float | None:
        """Level of a column's intervals before the rows are known; None where their width depends on the answer."""
        if self.selection is None or not self.is_affected(column):
            return self.confidence
        if column in self.selection.columns_of_selected_rows or not self.candidates:
            return None
        shown = min(self.selection.max_rows or 1, self.candidates)
        return self.of_column(column, shown, shown)

    def variance_factor(self, column: int) -> float:
        """Factor of a column's variance: above 1 where it combines rows that noise selected."""
        if self.selection is None or column not in self.selection.columns_of_selected_rows:
            return 1.0
        return selected_sum_factor(self.confidence, self.strict, self.number_count)


MAX_CANDIDATES = 10**12  # beyond, levels would be rounded to 1


def false_coverage_level(confidence: float, shown: int, candidates: int) -> float:
    """Level of each interval at which selected intervals miss at most 1 - confidence of the time.

    Claim: the expected share of shown intervals that miss is at most 1 - confidence, if `shown` is fixed, or the rule
    is stable and the noise of rows independent; with `shown` = 1 all candidates hold together, for any rule. Symbols:
    `candidates` = numbers from which the shown ones were selected. Formula: 1 - (1 - confidence) shown / candidates,
    rounded up. Source: Benjamini, Yekutieli, J. Am. Stat. Assoc. 100 (2005) 71-81. Raises: nothing.
    Proof: proofs.md#false_coverage_level
    """
    among = min(max(candidates, 1), MAX_CANDIDATES)
    if shown >= among:
        return confidence
    return math.nextafter(1 - (1 - confidence) * max(shown, 1) / among, 1.0)


def selected_sum_factor(confidence: float, level: float, number_count: int) -> float:
    """Variance factor for sums over rows that noise selected, with intervals at `level`.

    Claim: with probability `confidence`, every weighted sum of the numbers lies within the widened interval, whichever
    weights noise has chosen. Symbols: `number_count` = d, the noisy numbers from which rows were selected; x =
    -ln(1 - confidence). Formula: (d + 2 sqrt(d x) + 2 x) / z(level)^2, at least 1. Source: Hsu, Kakade, Zhang,
    Electron. Commun. Probab. 17 (2012) no. 52. Raises: ValueError unless both levels lie between 0 and 1.
    Proof: proofs.md#selected_sum_factor
    """
    x, d = -math.log(1 - confidence), max(number_count, 1)
    return max(1.0, (d + 2 * math.sqrt(d * x) + 2 * x) / normal_quantile(level) ** 2)
