"""Simultaneous intervals: the confidence level of each interval, by Bonferroni.

Of two hundred intervals at 95%, ten are expected to miss. `OPTIONS(intervals = 'simultaneous')` widens each so that
all of them hold with the requested probability, whichever rows are selected afterwards (docs/reading.md).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dialect import Code, PrivatePlan, Question, Refusal
from dialect.algebra import Join, Relation, sources
from dialect.parser import IntervalsAre


@dataclass(frozen=True)
class Together:
    """Joint confidence of all intervals of an answer."""

    confidence: float  # probability that all of them cover
    numbers: int  # upper bound on their number, shown or not


def at_level_of_each(question: Question, counted: Callable[[PrivatePlan], int | None], confidence: float) -> float:
    """Confidence level of each interval of a query. Raises Refusal as `max_intervals` does.

    `count_keys` returns the number of public keys of a plan, None for private ones.
    """
    if question.options.intervals is not IntervalsAre.SIMULTANEOUS or not question.releases:
        return confidence
    return level_of_each(Together(confidence, numbers_together(question, [counted(plan) for plan in question.plans])))


def held_together(question: Question, key_counts: Sequence[int | None], level: float) -> Together | None:
    """Joint confidence of a query's intervals, given the level of each; None if they are not simultaneous."""
    if question.options.intervals is not IntervalsAre.SIMULTANEOUS or not question.releases:
        return None
    numbers = numbers_together(question, key_counts)
    return Together(round(1 - (1 - level) * numbers, 9), numbers)


def numbers_together(question: Question, key_counts: Sequence[int | None]) -> int:
    """Upper bound on the number of intervals of a query, including rows that are filtered out afterwards.

    Raises Refusal with E_PARAM where keys are private: the number of released keys depends on noise, and the number of
    candidate keys is not public.
    """
    counts = [release.groups(key_counts[release.plan]) for release in question.releases]
    groups = [count for count in counts if count is not None]
    if len(groups) < len(counts):
        why = "Simultaneous intervals need a list of groups that is known without the data; here it is private."
        raise Refusal(Code.PARAM, why, "intervals = 'each'", question.options.span("intervals"))
    rows = math.prod(groups) if _joins(question.outer) else sum(groups)
    keys = {key for release in question.releases for key in release.keys}
    return max(1, rows * sum(shown.field not in keys for shown in question.columns))


def level_of_each(held: Together) -> float:
    """Confidence level of each interval at which all of them hold jointly.

    Claim: if each interval misses with probability at most 1 - level, all of `interval_count` hold with probability at
    least `confidence`, however their noises are correlated, and so does any selection of them. Symbols: as in the
    parameter. Formula: 1 - (1 - confidence) / interval_count, rounded up. Source: Bonferroni's inequality.
    Raises: nothing. Proof: proofs.md#level_of_each
    """
    return math.nextafter(1 - (1 - held.confidence) / held.numbers, 1.0)


def _joins(relation: Relation) -> bool:
    """Return whether the query joins released rows, so that its answer may have more rows than groups."""
    return isinstance(relation.operator, Join) or any(_joins(source) for source in sources(relation))
