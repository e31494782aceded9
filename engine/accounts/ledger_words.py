"""What a ledger row says happened, in a few plain words; every kind of row that there can be; and a delta."""

from __future__ import annotations

from budgets import Entry, EntryKind

WORDS = {
    EntryKind.OPENED: "ledger begun",
    EntryKind.ACCOUNT_OPENED: "account opened",
    EntryKind.CAP_CHANGED: "caps changed with the catalog",
    EntryKind.CHARGED: "question charged",
    EntryKind.RELEASED: "numbers stored",
    EntryKind.FAILED: "execution failed",
    EntryKind.REPEATED: "free repeats in an hour",
    EntryKind.CLIENT_ADDED: "client added",
    EntryKind.CLIENT_REMOVED: "client removed",
    EntryKind.CLIENT_CAPPED: "client capped",
    EntryKind.FROZEN: "frozen",
    EntryKind.THAWED: "thawed",
    EntryKind.TOP_UP_REQUESTED: "another cap requested",
    EntryKind.TOP_UP_APPROVED: "another cap approved",
    EntryKind.TOP_UP_DECLINED: "another cap declined",
    "note_calibration": "calibration made",
    "note_key": "key changed",
    "note_objection": "objections recorded or withdrawn",
    "note_objection_figure": "number of objections released",
    "note_shared": "numbers shared",
    "note_standing": "standing question answered",
}
BECAME = {"answered": "question answered", "charged": "question charged, not answered", "failed": "question failed"}


def in_words(row: Entry, decision: str | None) -> str:
    """Say what happened; of a charge, what became of it, and of a key, what was done with it."""
    if row.kind == EntryKind.CHARGED and decision in BECAME:
        return BECAME[decision]
    if row.kind == "note_key" and decision is not None:
        return f"key {decision}"
    return WORDS.get(row.kind, row.kind.removeprefix("note_").replace("_", " "))


def delta_text(delta: float, digits: int = 3) -> str:
    """Write a delta: 1e-9, not 1e-09."""
    return f"{delta:.{digits}g}".replace("e-0", "e-")
