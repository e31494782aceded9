"""Compiled query: all that is known of a client's query before its releases are charged, made once for all stages."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from budgets import Loss
from dialect import Question
from dialect.algebra import Note
from engine.mechanism.answer import Answer
from engine.mechanism.release import Release
from engine.pricing.compile_release import CompiledRelease, UnpricedRelease
from engine.pricing.query_terms import QueryTerms, Request
from engine.reuse.sources import ReleaseSource


@dataclass(frozen=True)
class CompiledQuery:
    """A client's query with its terms and its compiled releases, which the passes of the compiler add in turn."""

    question: Question  # SQL text, plans of its releases, outer query
    request: Request
    terms: QueryTerms  # the confidence is that of each interval, rho the price of each release
    unpriced: tuple[UnpricedRelease, ...] = ()  # what every price has in common, one for each plan
    releases: tuple[CompiledRelease, ...] = ()  # one for each plan

    @property
    def dataset(self) -> str | None:
        """Name of the dataset; None for a query over public tables only."""
        return self.releases[0].plan.dataset if self.releases else None


@dataclass(frozen=True)
class SourcedQuery:
    """A compiled query with the source of each release and the notes on both."""

    query: CompiledQuery
    sources: tuple[ReleaseSource, ...]  # source of each release
    notes: tuple[Note, ...]  # how the numbers are computed
    excluded_consent: tuple[str, ...]  # consent states whose rows are excluded

    @property
    def question(self) -> Question:
        """The planned query."""
        return self.query.question

    @property
    def prepared(self) -> tuple[CompiledRelease, ...]:
        """The compiled releases at the query's price."""
        return self.query.releases

    @cached_property
    def reported(self) -> tuple[CompiledRelease, ...]:
        """Return the compiled releases with the actual bounds and noise of their sources."""
        return tuple(source.reported for source in self.sources)


@dataclass(frozen=True)
class Answered(SourcedQuery):
    """Answer of a query, with its cost."""

    answer: Answer
    releases: tuple[Release, ...]
    charged_loss: Loss  # charged to this client by this request
    oldest_day: str | None = None  # date, in UTC, of the oldest stored numbers used
