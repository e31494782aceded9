"""Audit log: who, when, which query, which decision, price, windows, versions; no values.

Queries appear as their clients wrote them (`sql`), and in the canonical form in which they were charged (`questions`).
Refusals are not in it: see docs/ledger.md. Key events are in it: who made, rotated or revoked whose key, when; nothing
that identifies a key. Each kind of ledger row has a plain description.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from budgets import Entry, EntryKind, Ledger, Loss, ParamError, own_holder, sum_losses

KEY_TOPIC = "key"


class KeyEvent(StrEnum):
    """Kind of a key event."""

    MADE = "made"
    ROTATED = "rotated"  # replaced by another key, and about to expire
    REVOKED = "revoked"  # together with its replacements


def record_key_event(ledger: Ledger, *, event: str, name: str, role: str, by: str) -> None:
    """Record a key event of a client in the ledger: neither the key, nor its hash, nor its id."""
    ledger.note(KEY_TOPIC, {"act": KeyEvent(event).value, "role": role}, actor=by, holder=name)


def key_event(row: Entry) -> str | None:
    """Kind of the key event that a row records; None for other rows."""
    return str(row.content["act"]) if row.kind == f"note_{KEY_TOPIC}" else None


KIND_DESCRIPTIONS = {
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
OUTCOME_DESCRIPTIONS = {
    "answered": "question answered",
    "charged": "question charged, not answered",
    "failed": "question failed",
}


def describe_row(row: Entry, decision: str | None) -> str:
    """Describe a row: a charge by its outcome, a key event by its kind."""
    if row.kind == EntryKind.CHARGED and decision in OUTCOME_DESCRIPTIONS:
        return OUTCOME_DESCRIPTIONS[decision]
    if row.kind == "note_key" and decision is not None:
        return f"key {decision}"
    return KIND_DESCRIPTIONS.get(row.kind, row.kind.removeprefix("note_").replace("_", " "))


def format_epsilon(epsilon: float, decimals: int = 2) -> str:
    """Format an epsilon, rounded up: never below the loss but for the last digits of a float."""
    return f"{math.ceil(round(epsilon * 10**decimals, 6)) / 10**decimals:.{decimals}f}"


def format_delta(delta: float, digits: int = 3) -> str:
    """Short decimal text of a delta, with an exponent without leading zeros: 1e-9."""
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
    all_rows = tuple(rows)
    kinds = sorted({*map(str, KIND_DESCRIPTIONS), *(row.kind for row in all_rows)})
    if kind is not None and kind not in kinds:
        raise ParamError(f"There are no rows of kind {kind!r}.", f"one of {', '.join(kinds)}.")
    first, end = ("" if since is None else _parse_moment(since)), ("~" if until is None else _parse_moment(until))
    queries, outcomes = _queries_by_release(all_rows), _outcomes(all_rows)
    return [
        _row_json(row, queries, outcomes)
        for row in all_rows
        if first <= row.at < end and kind in (None, row.kind) and _concerns_client(row, client)
    ]


def _concerns_client(row: Entry, client: str | None) -> bool:
    return client is None or row.holder == client or row.holder.startswith(f"{client}/")


def _queries_by_release(rows: Iterable[Entry]) -> dict[tuple[str, str], str]:
    """Map each release to its query, which is recorded where the release was first charged."""
    return {
        (row.dataset, release["key"]): release["question"]
        for row in rows
        for release in row.content.get("releases", ())
        if "question" in release
    }


def _outcomes(rows: Iterable[Entry]) -> dict[int, str]:
    """Determine the outcome of each charge: answered if all its releases are stored, by any execution."""
    all_rows = tuple(rows)
    stored = {(row.dataset, row.content["key"]) for row in all_rows if row.kind == EntryKind.RELEASED}
    failed = {row.content["charge"] for row in all_rows if row.kind == EntryKind.FAILED}

    def outcome(row: Entry) -> str:
        if all((row.dataset, release["key"]) in stored for release in row.content["releases"]):
            return "answered"
        return "failed" if row.sequence in failed else "charged"

    return {row.sequence: outcome(row) for row in all_rows if row.kind == EntryKind.CHARGED}


def charged_loss(row: Entry) -> Loss | None:
    """Loss of a charge for the client that requested it (for the owner, of everybody); None for other rows."""
    if row.kind != EntryKind.CHARGED:
        return None
    payer = own_holder(row.holder)
    return sum_losses(Loss(*release["loss"]) for release in row.content["releases"] if payer in release["payers"])


def _row_json(row: Entry, queries: dict[tuple[str, str], str], outcomes: dict[int, str]) -> dict[str, Any]:
    content = row.content
    releases = content.get("releases", ()) if row.kind == EntryKind.CHARGED else ()
    cost = charged_loss(row)
    decision = {
        "sequence": row.sequence,
        "at": row.at,
        "by": row.actor,
        "kind": row.kind,
        "decision": outcomes.get(row.sequence, key_event(row)),
        "told": describe_row(row, outcomes.get(row.sequence, key_event(row))),
        "client": row.holder or None,
        "dataset": row.dataset or None,
        "request_id": row.request_id or None,
    }
    return decision | {
        "rho": None if cost is None else float(cost.rho),
        "delta": None if cost is None else float(cost.delta),
        "windows": _windows(content),
        "sql": content.get("wording") or None if releases else None,  # as its client wrote it; unknown in older rows
        "questions": [queries.get((row.dataset, release["key"]), release["key"]) for release in releases],
        "versions": content.get("versions"),
        "reason": content.get("reason"),
    }


def _windows(content: dict[str, Any]) -> list[str]:
    """List every privacy window that a row concerns."""
    if window := content.get("window"):
        return [window]
    window_lists = content.get("windows", ())
    listed = [window for part in window_lists for window in (part if isinstance(part, list) else [part])]
    return list(dict.fromkeys(listed))


def _parse_moment(since: str) -> str:
    """Normalize a date or timestamp to UTC, in the format of ledger rows."""
    try:
        moment = datetime.fromisoformat(since)
    except ValueError:
        raise ParamError(f"{since!r} is no day and no moment.", "2026-10-17, or 2026-10-17T08:00.") from None
    return (moment.replace(tzinfo=moment.tzinfo or UTC)).astimezone(UTC).isoformat(timespec="milliseconds")
