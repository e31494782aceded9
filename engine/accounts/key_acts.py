"""What the ledger's chain keeps of keys: who made, rotated or revoked whose, when; nothing by which one is known."""

from __future__ import annotations

from enum import StrEnum

from budgets import Entry, Ledger

TOPIC = "key"


class KeyAct(StrEnum):
    """What was done with a key."""

    MADE = "made"
    ROTATED = "rotated"  # another was made in its place, and this one ends soon
    REVOKED = "revoked"  # with all that were made in its place


def note_key(ledger: Ledger, *, act: str, name: str, role: str, by: str) -> None:
    """Write a row that says what was done with a key of a name: neither the key, nor its hash, nor its id."""
    ledger.note(TOPIC, {"act": KeyAct(act).value, "role": role}, actor=by, holder=name)


def key_act(row: Entry) -> str | None:
    """Say what a row tells of a key; None for rows about anything else."""
    return str(row.said["act"]) if row.kind == f"note_{TOPIC}" else None
