"""Result of the pipeline: an answer, its cost and how it was made."""

from __future__ import annotations

from dataclasses import dataclass

from budgets import Loss
from dialect import Question
from dialect.algebra import Note
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
    charged: Loss  # charged to this client by this request
    dataset: str | None
    notes: tuple[Note, ...] = ()  # how the numbers were computed
    ways: tuple[Way, ...] = ()  # source of each release
    day: str | None = None  # date, in UTC, of the oldest stored numbers used
    not_counted: tuple[str, ...] = ()  # consent states whose rows are excluded

    @property
    def told(self) -> tuple[Prepared, ...]:
        """The compiled releases with the actual bounds and noise of their sources."""
        return tuple(way.told for way in self.ways)
