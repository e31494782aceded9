"""Result of the pipeline: an answer, its cost and how it was made."""

from __future__ import annotations

from dataclasses import dataclass

from budgets import Loss
from dialect import Question
from engine.mechanism.answer import Answer
from engine.mechanism.release import Release
from engine.pricing.prepare import Prepared
from engine.reuse.sources import Way


@dataclass(frozen=True)
class Answered:
    """Answer with its cost, sources and notes."""

    question: Question
    answer: Answer
    prepared: tuple[Prepared, ...]
    releases: tuple[Release, ...]
    confidence: float
    charged: Loss  # of this client, now
    dataset: str | None
    notes: tuple[str, ...] = ()  # of the question: how its numbers are made
    ways: tuple[Way, ...] = ()  # how each release came about
    day: str | None = None  # on which the oldest numbers that came from store were made, in UTC
    not_counted: tuple[str, ...] = ()  # which states of consent are not read

    @property
    def told(self) -> tuple[Prepared, ...]:
        """The compiled releases with the actual bounds and noise of their sources."""
        return tuple(way.told for way in self.ways)
