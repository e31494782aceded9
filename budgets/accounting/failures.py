"""Failure counters: after how many failed executions a client, a client tree or a window is frozen.

A client's failures freeze that client; those of a client tree freeze its outermost group. A window freezes only after
failures of several trees, because few failures of each are counted: no single party can lock others out of a dataset.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from budgets.accounting.accounts import EVERYBODY, OWNER, path_prefixes

MAX_FAILURES_PER_CLIENT = 3  # failed executions before a client is frozen, over all datasets
MAX_FAILURES_PER_CLIENT_TREE = 10  # likewise for all clients of an outermost group together
MAX_FAILURES_PER_WINDOW = 10  # counted failures before a dataset's window is frozen, over all trees
MAX_COUNTED_PER_CLIENT_TREE = 3  # per dataset and window: it takes at least four trees to freeze a window

CounterKey = tuple[str, str, str]  # dataset, holder, window; an empty field matches all


def client_tree(client: str) -> str:
    """Outermost group of a client, or the client itself. All clients of one tree count as one party."""
    return client if client == OWNER else path_prefixes(client)[0]


def counter_keys(client: str, dataset: str, windows: Iterable[str]) -> tuple[CounterKey, ...]:
    """List the counters that one failure increments."""
    tree, sorted_windows = client_tree(client), sorted(windows)
    own = () if client == OWNER else tuple(("", holder, "") for holder in dict.fromkeys((client, tree)))
    return (
        *own,
        *((dataset, EVERYBODY, window) for window in sorted_windows),
        *((dataset, tree, window) for window in sorted_windows),
    )


def failure_limits(client: str) -> dict[str, int]:
    """Failure limits of a client and of its tree, by holder; the owner has none."""
    if client == OWNER:
        return {}
    return {client_tree(client): MAX_FAILURES_PER_CLIENT_TREE} | {client: MAX_FAILURES_PER_CLIENT}


def count_window_failures(by_tree: Mapping[str, int]) -> int:
    """Count the failures of one dataset and window, with a maximum per client tree.

    The owner's failures count in full: the owner is no party that could lock out others.

    Claim: a window that clients freeze saw failures of at least four trees. Symbols: failures n_t of tree t since the
    last thaw. Formula: sum of min(n_t, 3), frozen at 10. Source: proofs.md#failures. Raises nothing.
    """
    return sum(
        n if tree == OWNER else min(n, MAX_COUNTED_PER_CLIENT_TREE) for tree, n in by_tree.items() if tree != EVERYBODY
    )
