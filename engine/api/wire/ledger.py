"""Wire shapes of releases and ledger rows. Amounts are shown as floats; the ledger stores integers."""

from __future__ import annotations

from typing import Any

from budgets import Entry, PaidRelease
from engine.accounts.audit_log import charged_loss


def paid_release_shape(release: PaidRelease) -> dict[str, Any]:
    """Show a release that a client has paid for."""
    return {
        "release_id": release.release_key,
        "dataset": release.dataset,
        "windows": list(release.windows),
        "sql": release.query_text or None,
        "question": release.canonical_query,
        "rho": float(release.loss.rho),
        "delta": float(release.loss.delta),
        "settled_at": release.settled_at,
    }


def entry_shape(row: Entry) -> dict[str, Any]:
    """Show one ledger row: its body as it is hashed, and the price where it is a charge."""
    loss = charged_loss(row)
    return {
        "sequence": row.sequence,
        "at": row.at,
        "kind": str(row.kind),
        "dataset": row.dataset,
        "client": row.holder or None,
        "asked_by": row.actor,
        "request_id": row.request_id,
        "rho": None if loss is None else float(loss.rho),
        "delta": None if loss is None else float(loss.delta),
        "body": row.body,
        "row_hash": row.row_hash.hex(),
    }
