"""Levels of intervals that hold together, by Bonferroni, and that are expected where noise selects rows.

Of two hundred intervals at 95%, ten are expected to miss. `OPTIONS(intervals = 'simultaneous')` widens each so that
all of them hold with the requested probability, whichever rows are selected afterwards (docs/reading.md).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from dialect import Question
from dialect.algebra import Join, Public, Relation, ReleaseScan, walk
from dialect.postprocess import candidate_rows, selection_by_noise
from engine.errors import EngineKind
from engine.mechanism.intervals import IntervalLevels


@dataclass(frozen=True)
class JointConfidence:
    """Joint confidence of all intervals of an answer."""

    confidence: float  # probability that all of them cover
    interval_count: int  # upper bound on their number, shown or not


def level_of_each_interval(question: Question, key_counts: Sequence[int | None], confidence: float) -> float:
    """Confidence level of each interval of a query whose intervals hold together.

    `key_counts` = number of public keys of each plan, None for private ones. Raises Refusal as `max_intervals` does.
    """
    return bonferroni_level(JointConfidence(confidence, max_intervals(question, key_counts)))


def joint_confidence(question: Question, key_counts: Sequence[int | None], level: float) -> JointConfidence:
    """Joint confidence of a query's simultaneous intervals, given the level of each.

    Inverse of `bonferroni_level`, for display: rounding to nine digits removes its rounding up.
    """
    interval_count = max_intervals(question, key_counts)
    return JointConfidence(round(1 - (1 - level) * interval_count, 9), interval_count)


def max_intervals(question: Question, key_counts: Sequence[int | None]) -> int:
    """Upper bound on the number of intervals of a query, including rows that are filtered out afterwards.

    Rows: the sum of the releases' groups, or where released rows are joined their product. Columns: all but group keys,
    which have no noise. `key_counts` = number of public keys of each plan. Raises Refusal with E_PARAM where keys are
    private: the number of released keys depends on noise, and the number of candidate keys is not public.
    """
    counts = [release.group_count(key_counts[release.plan_index]) for release in question.releases]
    groups = [count for count in counts if count is not None]
    if len(groups) < len(counts):
        raise EngineKind.SIMULTANEOUS_PRIVATE_KEYS.at(question.options.span("intervals"))
    # joined rows of releases may be more than their groups
    has_join = any(isinstance(each.operator, Join) for each in walk(question.outer))
    rows = math.prod(groups) if has_join else sum(groups)
    keys = {key for release in question.releases for key in release.keys}
    return max(1, rows * sum(column.field not in keys for column in question.columns))


def bonferroni_level(joint: JointConfidence) -> float:
    """Confidence level of each interval at which all of them hold jointly.

    Claim: if each interval misses with probability at most 1 - level, all of `interval_count` hold with probability at
    least `confidence`, however their noises are correlated, and so does any selection of them. Symbols: as in the
    parameter. Formula: 1 - (1 - confidence) / interval_count, rounded up. Source: Bonferroni's inequality.
    Raises: nothing. Proof: proofs.md#bonferroni_level
    """
    return math.nextafter(1 - (1 - joint.confidence) / joint.interval_count, 1.0)


def planned_levels(question: Question, key_counts: Sequence[int | None], confidence: float) -> IntervalLevels:
    """Levels of a query's intervals as far as they are known before it runs; with private keys 0 candidates are known.

    `key_counts` = number of public keys of each plan, None for private ones.
    """
    selection = selection_by_noise(question)
    if selection is None or question.is_simultaneous:
        return IntervalLevels(confidence)

    def count(relation: Relation) -> int | None:
        """Bound the rows of a relation by the groups of the releases below it; public rows next to them are unknown."""
        if isinstance(relation.operator, ReleaseScan):
            columns = question.releases[relation.operator.index]
            return columns.group_count(key_counts[columns.plan_index])
        parts = [] if isinstance(relation, Public) else [count(part) for part in relation.children]
        known = [rows for rows in parts if rows is not None]
        if not parts or len(known) < len(parts):
            return None
        return math.prod(known) if isinstance(relation.operator, Join) else sum(known)

    candidates = candidate_rows(question.outer, question.releases, count)
    return IntervalLevels(confidence, selection, candidates or 0)
