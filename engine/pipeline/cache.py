"""Plan cache: bound queries, prices, outer SQL and advice of recent requests, separate for each client.

Cached values depend on text, catalog, calibrations and public key sets only: no account, no row, and of releases, which
their client holds, only the noise scales and centres that their key names. A client sees only its own entries, so
response times reveal nothing about other clients (proofs.md#plan-cache).
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar, cast

from dialect import Catalog, Question, compile_query

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
