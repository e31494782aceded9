"""Plan cache: bound queries, prices and advice of recent requests, separate for each client.

Cached values depend on text, catalog, calibrations and public key sets only: no account, no release, no row. A client
sees only its own entries, so response times reveal nothing about other clients (proofs.md#plan-cache).
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

from dialect import Catalog, Question, read

T = TypeVar("T")
MOST_CLIENTS = 100  # the most recent ones
MOST_OF_A_CLIENT = 200  # entries of about 20 kB: a bound query, its bounds, price or advice
LONGEST = 10_000  # characters of a cached SQL text


@dataclass(frozen=True, eq=False)
class Same:
    """Cache key by identity: comparing two queries by value takes as long as binding one."""

    itself: Question | Catalog

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Same) and other.itself is self.itself

    def __hash__(self) -> int:
        return id(self.itself)  # unique as long as this reference keeps the object alive


@dataclass
class Remembered:
    """LRU cache of the latest clients, with the latest entries of each."""

    _shelves: OrderedDict[str, OrderedDict[Hashable, Any]] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def read(self, sql: str, client: str, catalog: Catalog) -> Question:
        """Bind a query, cached. Raises Refusal."""
        if len(sql) > LONGEST:
            return read(sql, catalog)
        return self.give(client, (sql, Same(catalog)), lambda: read(sql, catalog))

    def give(self, client: str, key: Hashable, make: Callable[[], T]) -> T:
        """Return the cached value of a client's key, or compute it; exceptions are not cached.

        Claim: whether it is computed again depends on what this client requested before, on a restart, and on whether
        very many other clients sent requests since. Symbols: `key` names everything that `compute` depends on except
        the catalog and its public tables. Proof: proofs.md#plan-cache. Raises what `compute` does.
        """
        with self._lock:
            shelf = self._shelves.setdefault(client, OrderedDict())
            self._shelves.move_to_end(client)
            while len(self._shelves) > MOST_CLIENTS:
                self._shelves.popitem(last=False)
            if key in shelf:
                shelf.move_to_end(key)
                return cast("T", shelf[key])
        made = make()
        with self._lock:
            shelf[key] = made
            while len(shelf) > MOST_OF_A_CLIENT:
                shelf.popitem(last=False)
        return made
