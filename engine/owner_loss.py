"""Ledger -> what the owner's own releases cost in each window: every client sees them, and bears their loss."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from budgets import EVERYBODY, NOTHING, OWNER, EntryKind, Ledger, Loss


def owner_loss(ledger: Ledger, dataset: str) -> Mapping[str, Loss]:
    """Add up what was charged to everybody for the owner alone, by window; windows without are not in it.

    Claim: a client's purchases and these together are all that the client is shown of a window by this engine. Proof:
    proofs.md#owner_loss
    """
    found: defaultdict[str, Loss] = defaultdict(lambda: NOTHING)
    for entry in ledger.audit(kind=EntryKind.CHARGED, holder=OWNER):
        if entry.dataset != dataset:
            continue
        for release in entry.said["releases"]:
            if EVERYBODY in release["payers"]:
                for window in entry.said["windows"][release["windows"]]:
                    found[window] += Loss(*release["loss"])
    return found
