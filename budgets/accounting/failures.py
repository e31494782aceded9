"""What a failed execution counts against: its client, its tree of clients, and each window of the dataset.

A client's failures freeze that client, those of a tree its outermost group. A window is frozen by several trees alone:
of each of them few failures count, so that nobody's failures lock others out of a dataset.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from budgets.accounting.holders import EVERYBODY, OWNER, prefixes

OF_A_CLIENT = 3  # executions that may fail before an admin has to look, over all datasets
OF_A_TREE = 10  # likewise, of all clients of an outermost group
OF_A_WINDOW = 10  # of one dataset and window, of all trees together
COUNTED_OF_A_TREE = 3  # of one dataset and window, however many there are: a window is frozen by four trees at least

Key = tuple[str, str, str]  # dataset, holder, window; an empty part of the name means all


def tree_of(client: str) -> str:
    """Give the outermost group that a client is in, or the client itself: clients of one tree are one party."""
    return client if client == OWNER else prefixes(client)[0]


def counters(client: str, dataset: str, windows: Iterable[str]) -> tuple[Key, ...]:
    """Name every count that one failure raises by one."""
    tree, of = tree_of(client), sorted(windows)
    own = () if client == OWNER else tuple(("", holder, "") for holder in dict.fromkeys((client, tree)))
    return (*own, *((dataset, EVERYBODY, window) for window in of), *((dataset, tree, window) for window in of))


def most_of(client: str) -> dict[str, int]:
    """Give how many failures each party of a client may have; the owner has none of its own."""
    if client == OWNER:
        return {}
    return {tree_of(client): OF_A_TREE} | {client: OF_A_CLIENT}


def of_a_window(by_tree: Mapping[str, int]) -> int:
    """Count the failures of one dataset and window, few of each tree; the owner is no party that could lock out others.

    Claim: a window that clients freeze saw failures of at least four trees. Symbols: failures n_t of tree t since an
    admin looked. Formula: sum of min(n_t, 3), frozen at 10. Source: proofs.md#failures. Raises nothing.
    """
    return sum(n if tree == OWNER else min(n, COUNTED_OF_A_TREE) for tree, n in by_tree.items() if tree != EVERYBODY)
