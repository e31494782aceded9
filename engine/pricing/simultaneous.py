"""confidence of all intervals of an answer together -> the level of each of them, by Bonferroni.

Whoever looks at two hundred intervals of 95% sees ten that miss. `OPTIONS(intervals = 'simultaneous')` makes each so
much wider that all hold together as often as asked, whichever rows are picked out afterwards (docs/reading.md).
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
    """The promise of all intervals of an answer."""

    confidence: float  # that all of them hold
    numbers: int  # how many they are at most, shown or not


def at_level_of_each(question: Question, counted: Callable[[PrivatePlan], int | None], confidence: float) -> float:
    """Give the level at which each interval of a question is made; raises Refusal as `numbers_together` does.

    `counted` counts the public keys of a plan, and gives None for private ones.
    """
    if question.options.intervals is not IntervalsAre.SIMULTANEOUS or not question.releases:
        return confidence
    return level_of_each(Together(confidence, numbers_together(question, [counted(plan) for plan in question.plans])))


def held_together(question: Question, key_counts: Sequence[int | None], level: float) -> Together | None:
    """Tell what intervals at the level of each hold together; None where each was to hold by itself."""
    if question.options.intervals is not IntervalsAre.SIMULTANEOUS or not question.releases:
        return None
    numbers = numbers_together(question, key_counts)
    return Together(round(1 - (1 - level) * numbers, 9), numbers)


def numbers_together(question: Question, key_counts: Sequence[int | None]) -> int:
    """Count how many intervals a question may have at most, those that are sorted out afterwards included.

    Raises Refusal with E_PARAM where keys are private: which of them are shown depends on their noise, and how many
    might have been is nobody's to know.
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
    """Give the level at which each of some intervals must hold, so that all of them do.

    Claim: if each interval misses with probability at most 1 - level, all of `numbers` hold with probability at least
    `confidence`, however their noises depend on each other, and so does any choice among them. Symbols: as in Together.
    Formula: 1 - (1 - confidence) / numbers, rounded up. Source: Bonferroni's inequality.
    Raises: nothing. Proof: proofs.md#level_of_each
    """
    return math.nextafter(1 - (1 - held.confidence) / held.numbers, 1.0)


def _joins(relation: Relation) -> bool:
    """Tell whether released rows are paired with others, so that there may be more of them than groups."""
    return isinstance(relation.operator, Join) or any(_joins(source) for source in sources(relation))
