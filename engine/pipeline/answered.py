"""Result of the pipeline: an answer, its cost and how it was made."""

from __future__ import annotations

from dataclasses import dataclass

from budgets import Loss
from dialect import Question
from dialect.algebra import Note
from engine.mechanism.answer import Answer
from engine.mechanism.release import Release
from engine.pricing.compile_release import CompiledRelease
from engine.reuse.sources import ReleaseSource


@dataclass(frozen=True)
class Answered:
    """Answer with its cost, sources and notes."""

    question: Question
    answer: Answer
    prepared: tuple[CompiledRelease, ...]
    releases: tuple[Release, ...]
    confidence: float
    charged_loss: Loss  # charged to this client by this request
    dataset: str | None
    notes: tuple[Note, ...] = ()  # how the numbers were computed
    sources: tuple[ReleaseSource, ...] = ()  # source of each release
    oldest_day: str | None = None  # date, in UTC, of the oldest stored numbers used
    excluded_consent: tuple[str, ...] = ()  # consent states whose rows are excluded

    @property
    def reported(self) -> tuple[CompiledRelease, ...]:
        """The compiled releases with the actual bounds and noise of their sources."""
        return tuple(source.reported for source in self.sources)
