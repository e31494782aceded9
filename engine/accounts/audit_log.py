"""Audit log: who, when, which query, which decision, price, windows, versions; no values.

Queries appear as their clients wrote them (`sql`), and in the canonical form in which they were charged (`questions`).
Refusals are not in it: see docs/ledger.md. Key events are in it: who made, rotated or revoked whose key, when; nothing
that identifies a key. Each kind of ledger row has a plain description.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from budgets import Entry, EntryKind, Ledger, Loss, ParamError, own_holder, total

TOPIC = "key"


class KeyAct(StrEnum):
    """Kind of a key event."""

    MADE = "made"
    ROTATED = "rotated"  # replaced by another key, and about to expire
    REVOKED = "revoked"  # together with its replacements


def note_key(ledger: Ledger, *, act: str, name: str, role: str, by: str) -> None:
    """Record a key event of a client in the ledger: neither the key, nor its hash, nor its id."""
    ledger.note(TOPIC, {"act": KeyAct(act).value, "role": role}, actor=by, holder=name)


def key_act(row: Entry) -> str | None:
    """Kind of the key event that a row records; None for other rows."""
    return str(row.said["act"]) if row.kind == f"note_{TOPIC}" else None


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
    """Describe a row: a charge by its outcome, a key event by its kind."""
    if row.kind == EntryKind.CHARGED and decision in BECAME:
        return BECAME[decision]
    if row.kind == "note_key" and decision is not None:
        return f"key {decision}"
    return WORDS.get(row.kind, row.kind.removeprefix("note_").replace("_", " "))


def delta_text(delta: float, digits: int = 3) -> str:
    """Format a delta: 1e-9, not 1e-09."""
    return f"{delta:.{digits}g}".replace("e-0", "e-")


def audit_log(
    rows: Iterable[Entry],
    *,
    kind: str | None = None,
    client: str | None = None,
    since: str | None = None,
    until: str | None = None,
) -> list[dict[str, Any]]:
    """List audit rows, oldest first, filtered by kind, client or group, and a time range [since, until).

    Raises ParamError.
    """
    whole = tuple(rows)
    kinds = sorted({*map(str, WORDS), *(row.kind for row in whole)})
    if kind is not None and kind not in kinds:
        raise ParamError(f"There are no rows of kind {kind!r}.", f"one of {', '.join(kinds)}.")
    first, end = ("" if since is None else _moment(since)), ("~" if until is None else _moment(until))
    asked, became = _questions(whole), _outcomes(whole)
    return [
        _told(row, asked, became)
        for row in whole
        if first <= row.at < end and kind in (None, row.kind) and _is_about(row, client)
    ]


def _is_about(row: Entry, client: str | None) -> bool:
    return client is None or row.holder == client or row.holder.startswith(f"{client}/")


def _questions(rows: Iterable[Entry]) -> dict[tuple[str, str], str]:
    """Map each release to its query, which is recorded where the release was first charged."""
    return {
        (row.dataset, release["key"]): release["question"]
        for row in rows
        for release in row.said.get("releases", ())
        if "question" in release
    }


def _outcomes(rows: Iterable[Entry]) -> dict[int, str]:
    """Determine the outcome of each charge: answered if all its releases are stored, by any execution."""
    whole = tuple(rows)
    made = {(row.dataset, row.said["key"]) for row in whole if row.kind == EntryKind.RELEASED}
    failed = {row.said["charge"] for row in whole if row.kind == EntryKind.FAILED}

    def outcome(row: Entry) -> str:
        if all((row.dataset, release["key"]) in made for release in row.said["releases"]):
            return "answered"
        return "failed" if row.sequence in failed else "charged"

    return {row.sequence: outcome(row) for row in whole if row.kind == EntryKind.CHARGED}


def charged_loss(row: Entry) -> Loss | None:
    """Loss of a charge for the client that requested it (for the owner, of everybody); None for other rows."""
    if row.kind != EntryKind.CHARGED:
        return None
    payer = own_holder(row.holder)
    return total(Loss(*release["loss"]) for release in row.said["releases"] if payer in release["payers"])


def _told(row: Entry, asked: dict[tuple[str, str], str], became: dict[int, str]) -> dict[str, Any]:
    said = row.said
    releases = said.get("releases", ()) if row.kind == EntryKind.CHARGED else ()
    cost = charged_loss(row)
    decision = {
        "sequence": row.sequence,
        "at": row.at,
        "by": row.actor,
        "kind": row.kind,
        "decision": became.get(row.sequence, key_act(row)),
        "told": in_words(row, became.get(row.sequence, key_act(row))),
        "client": row.holder or None,
        "dataset": row.dataset or None,
        "request_id": row.request_id or None,
    }
    return decision | {
        "rho": None if cost is None else float(cost.rho),
        "delta": None if cost is None else float(cost.delta),
        "windows": _windows(said),
        "sql": said.get("wording") or None if releases else None,  # as its client wrote it; unknown in older rows
        "questions": [asked.get((row.dataset, release["key"]), release["key"]) for release in releases],
        "versions": said.get("versions"),
        "reason": said.get("reason"),
    }


def _windows(said: dict[str, Any]) -> list[str]:
    """List every privacy window that a row concerns."""
    if window := said.get("window"):
        return [window]
    found = said.get("windows", ())
    listed = [window for part in found for window in (part if isinstance(part, list) else [part])]
    return list(dict.fromkeys(listed))


def _moment(since: str) -> str:
    """Normalize a date or timestamp to UTC, in the format of ledger rows."""
    try:
        moment = datetime.fromisoformat(since)
    except ValueError:
        raise ParamError(f"{since!r} is no day and no moment.", "2026-10-17, or 2026-10-17T08:00.") from None
    return (moment.replace(tzinfo=moment.tzinfo or UTC)).astimezone(UTC).isoformat(timespec="milliseconds")
