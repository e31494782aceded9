"""Ledger -> what the owner's own releases cost in each window: every client sees them, and bears their loss."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from budgets import EVERYBODY, NOTHING, OWNER, EntryKind, Ledger, Loss


def owner_loss(ledger: Ledger, dataset: str) -> Mapping[str, Loss]:
    """Add up what was charged to everybody for the owner alone, by window; windows without are not in it.

    Claim: a client's purchases and these together are all that the client is shown of a window by this engine. Proof:
    proofs.md#owner_loss
    """
    found: defaultdict[str, Loss] = defaultdict(lambda: NOTHING)
    for _, windows, loss in _charged(ledger, dataset):
        for window in windows:
            found[window] += loss
    return found


def owner_keys(ledger: Ledger, dataset: str) -> frozenset[str]:
    """Name the releases that the owner was charged for; what a client had bought before is not among them."""
    return frozenset(key for key, _, _ in _charged(ledger, dataset))


def _charged(ledger: Ledger, dataset: str) -> Iterator[tuple[str, Sequence[str], Loss]]:
    for entry in ledger.audit(kind=EntryKind.CHARGED, holder=OWNER):
        for release in entry.said["releases"] if entry.dataset == dataset else ():
            if EVERYBODY in release["payers"]:
                yield release["key"], entry.said["windows"][release["windows"]], Loss(*release["loss"])
