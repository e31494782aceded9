"""Compiled queries: all that is known of a client's query before its releases are charged, and their cache.

A compiled query is made once for all stages. The plan cache holds bound queries, prices, outer SQL and advice of
recent requests, separate for each client.

Cached values depend on text, catalog, calibrations and public key sets only: no account, no row, and of releases, which
their client holds, only the noise scales and centres that their key names. A client sees only its own entries, so
response times reveal nothing about other clients (proofs.md#plan-cache).
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any, TypeVar, cast

from budgets import Loss
from dialect import Catalog, Question, compile_query
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


T = TypeVar("T")
MAX_CLIENTS = 100  # the most recent ones
MAX_ENTRIES_PER_CLIENT = 200  # entries of about 20 kB: a bound query, its bounds, price or advice
MAX_CACHED_CHARACTERS = 10_000  # characters of a cached SQL text


@dataclass(frozen=True, eq=False)
class ByIdentity:
    """Cache key by identity: comparing two queries by value takes as long as binding one."""

    value: Question | Catalog

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ByIdentity) and other.value is self.value

    def __hash__(self) -> int:
        return id(self.value)  # unique as long as this reference keeps the object alive


@dataclass
class PlanCache:
    """LRU cache of the latest clients, with the latest entries of each."""

    _entries: OrderedDict[str, OrderedDict[Hashable, Any]] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def read(self, sql: str, client: str, catalog: Catalog, *, with_suggestions: bool = True) -> Question:
        """Bind a query, cached. Raises Refusal."""
        compute = partial(compile_query, sql, catalog, with_suggestions=with_suggestions)
        if len(sql) > MAX_CACHED_CHARACTERS:
            return compute()
        return self.get_or_compute(client, (sql, ByIdentity(catalog)), compute)

    def get_or_compute(self, client: str, key: Hashable, compute: Callable[[], T]) -> T:
        """Return the cached value of a client's key, or compute it; exceptions are not cached.

        Claim: whether it is computed again depends on what this client requested before, on a restart, and on whether
        very many other clients sent requests since. Symbols: `key` names everything that `compute` depends on except
        the catalog and its public tables. Proof: proofs.md#plan-cache. Raises what `compute` does.
        """
        with self._lock:
            entries = self._entries.setdefault(client, OrderedDict())
            self._entries.move_to_end(client)
            while len(self._entries) > MAX_CLIENTS:
                self._entries.popitem(last=False)
            if key in entries:
                entries.move_to_end(key)
                return cast("T", entries[key])
        value = compute()
        with self._lock:
            entries[key] = value
            while len(entries) > MAX_ENTRIES_PER_CLIENT:
                entries.popitem(last=False)
        return value
