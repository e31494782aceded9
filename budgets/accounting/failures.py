"""Failure counters: after how many failed executions a client, a client tree or a window is frozen.

A client's failures freeze that client; those of a client tree freeze its outermost group. A window freezes only after
failures of several trees, because few failures of each are counted: no single party can lock others out of a dataset.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from budgets.accounting.holders import EVERYBODY, OWNER, prefixes

OF_A_CLIENT = 3  # failed executions before a client is frozen, over all datasets
OF_A_TREE = 10  # likewise for all clients of an outermost group together
OF_A_WINDOW = 10  # counted failures before a dataset's window is frozen, over all trees
COUNTED_OF_A_TREE = 3  # per dataset and window: it takes at least four trees to freeze a window

Key = tuple[str, str, str]  # dataset, holder, window; an empty field matches all


def tree_of(client: str) -> str:
    """Outermost group of a client, or the client itself. All clients of one tree count as one party."""
    return client if client == OWNER else prefixes(client)[0]


def counters(client: str, dataset: str, windows: Iterable[str]) -> tuple[Key, ...]:
    """List the counters that one failure increments."""
    tree, of = tree_of(client), sorted(windows)
    own = () if client == OWNER else tuple(("", holder, "") for holder in dict.fromkeys((client, tree)))
    return (*own, *((dataset, EVERYBODY, window) for window in of), *((dataset, tree, window) for window in of))


def most_of(client: str) -> dict[str, int]:
    """Failure limits of a client and of its tree, by holder; the owner has none."""
    if client == OWNER:
        return {}
    return {tree_of(client): OF_A_TREE} | {client: OF_A_CLIENT}


def of_a_window(by_tree: Mapping[str, int]) -> int:
    """Count the failures of one dataset and window, with a maximum per client tree.

    The owner's failures count in full: the owner is no party that could lock out others.

    Claim: a window that clients freeze saw failures of at least four trees. Symbols: failures n_t of tree t since the
    last thaw. Formula: sum of min(n_t, 3), frozen at 10. Source: proofs.md#failures. Raises nothing.
    """
    return sum(n if tree == OWNER else min(n, COUNTED_OF_A_TREE) for tree, n in by_tree.items() if tree != EVERYBODY)
