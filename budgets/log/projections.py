"""Projections: every other table, recomputed from the entries of the chain without a database.

The stores maintain these tables with SQL. This is an independent implementation in plain Python, so that an auditor
need not trust the SQL (proofs.md#the-chain).

`_HANDLERS` maps each kind of entry to the method that applies it: `entry` with its fields, `content` = its parsed body.
Losses in a body are lists [pico-rho, atto-delta]. Tables and columns have the names of the database.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any, Final

from budgets.accounting.accounts import (
    EVERYBODY,
    LIFETIME,
    OWNER,
    counter_keys,
    folded_name,
    is_client_or_group,
    own_holder,
    path_prefixes,
)
from budgets.log.events import NOTE_PREFIX, Entry, EntryKind

RowKey = tuple[Any, ...]
Row = dict[str, Any]

PRIMARY_KEYS: Final[dict[str, tuple[str, ...]]] = {
    "ledger_format": ("version",),
    "chain_head": ("ledger_id",),
    "accounts": ("dataset", "holder", "window_name"),
    "charges": ("id",),
    "charge_keys": ("charge_id", "position"),
    "questions": ("dataset", "release_key"),
    "purchases": ("dataset", "holder", "release_key"),
    "releases": ("dataset", "release_key"),
    "clients": ("holder",),
    "client_names": ("folded",),
    "caps": ("dataset", "holder", "scope"),
    "freezes": ("dataset", "holder", "window_name"),
    "failures": ("dataset", "holder", "window_name"),
    "top_ups": ("id",),
}


class ProjectedTables:
    """Every derived table, after the entries applied so far."""

    def __init__(self) -> None:
        """Start with empty tables."""
        self.ledger_id = ""
        self.tables: dict[str, dict[RowKey, Row]] = {name: {} for name in PRIMARY_KEYS}

    def apply(self, entry: Entry) -> None:
        """Apply one entry; raises ValueError, KeyError and similar for a malformed body."""
        content = entry.content
        if not entry.kind.startswith(NOTE_PREFIX):
            _HANDLERS[EntryKind(entry.kind)](self, entry, content)
        self._put("chain_head", (self.ledger_id,), sequence=entry.sequence, row_hash=entry.row_hash)

    # ---------------------------------------------------------------- ledger and queries

    def _opened(self, entry: Entry, content: Row) -> None:
        """Set the ledger's id and format: the first entry."""
        del entry
        self.ledger_id = content["ledger_id"]
        self._put("ledger_format", (content["ledger_format"],))

    def _caps_set(self, entry: Entry, content: Row) -> None:
        """Set the caps of holders in some windows, opening their accounts; the amount spent stays.

        A ceiling is the largest cap so far.
        """
        for holder, (pico_rho, atto_delta) in content["caps"].items():
            for window in content["windows"]:
                key = (entry.dataset, holder, window)
                row = self.tables["accounts"].get(key, {})
                self._put(
                    "accounts",
                    key,
                    cap_pico_rho=pico_rho,
                    cap_atto_delta=atto_delta,
                    ceiling_pico_rho=max(pico_rho, row.get("ceiling_pico_rho", 0)),
                    ceiling_atto_delta=max(atto_delta, row.get("ceiling_atto_delta", 0)),
                    spent_pico_rho=row.get("spent_pico_rho", 0),
                    spent_atto_delta=row.get("spent_atto_delta", 0),
                )

    def _charged(self, entry: Entry, content: Row) -> None:
        """Add a charge: its row, its release keys, purchases, debits, and its client if new.

        The loss of the charge is that of the releases which the client itself pays for. The owner is no client.
        """
        own_account_holder = own_holder(entry.holder)
        client_losses = [release["loss"] for release in content["releases"] if own_account_holder in release["payers"]]
        request = {"client": entry.holder, "request_id": entry.request_id, "dataset": entry.dataset}
        request |= {"body_digest": content["body_digest"], "versions": content["versions"]}
        self._put("charges", (entry.sequence,), **request, **_sum_units(client_losses))
        for position, release in enumerate(content["releases"]):
            windows = content["windows"][release["windows"]]
            self._put("charge_keys", (entry.sequence, position), release_key=release["key"])
            self._record_purchase(entry, release, windows)
            for holder in release["payers"]:
                self._debit(entry.dataset, holder, release["loss"], windows)
        if entry.holder != OWNER:
            self._register_client(entry.holder)

    def _record_purchase(self, entry: Entry, release: Row, windows: list[str]) -> None:
        """Record who pays for a release, and its canonical query when everybody pays, which is its first charge."""
        if EVERYBODY in release["payers"]:
            query = {"windows": json.dumps(windows), "question": release["question"]}
            self._put("questions", (entry.dataset, release["key"]), **query, **_sum_units([release["loss"]]))
        for holder in release["payers"]:
            self._put("purchases", (entry.dataset, holder, release["key"]), charge_id=entry.sequence)

    def _debit(self, dataset: str, holder: str, loss: list[int], windows: Iterable[str]) -> None:
        """Spend a loss from a holder's account in each window.

        Clients and groups spend it once per window from their lifetime account too.
        """
        for window in windows:
            self._spend(dataset, holder, window, loss)
            if is_client_or_group(holder):
                self._spend(dataset, holder, LIFETIME, loss)

    def _spend(self, dataset: str, holder: str, window: str, loss: list[int]) -> None:
        """Add a loss [pico-rho, atto-delta] to what one account has spent."""
        account = self.tables["accounts"][dataset, holder, window]
        account["spent_pico_rho"] += loss[0]
        account["spent_atto_delta"] += loss[1]

    def _released(self, entry: Entry, content: Row) -> None:
        """Add a stored release; the chain has a digest in place of its payload."""
        values = {"payload": content["digest"], "settled_at": entry.at, "charge_id": content["charge"]}
        self._put("releases", (entry.dataset, content["key"]), **values)

    def _failed(self, entry: Entry, content: Row) -> None:
        """Increment every counter that a failed execution counts in."""
        for key in counter_keys(entry.holder, entry.dataset, content["windows"]):
            self._put("failures", key, times=self.tables["failures"].get(key, {}).get("times", 0) + 1)

    def _repeated(self, entry: Entry, content: Row) -> None:
        """Validate a repeat; it changes no table, because repeats are free."""
        if not entry.holder or not content["hour"] or content["times"] < 1:
            raise ValueError

    # ---------------------------------------------------------------- admin operations

    def _client_added(self, entry: Entry, content: Row) -> None:
        """Add a client, or reactivate a removed one."""
        del content
        self._register_client(entry.holder)
        self.tables["clients"][entry.holder,]["state"] = "active"

    def _client_removed(self, entry: Entry, content: Row) -> None:
        """Mark a client or group as removed; its accounts stay."""
        del content
        self.tables["clients"][entry.holder,]["state"] = "removed"

    def _granted(self, entry: Entry, content: Row) -> None:
        """Set the cap that an admin granted for a scope."""
        key = (entry.dataset, entry.holder, content["scope"])
        self._put("caps", key, sequence=entry.sequence, **_sum_units([content["cap"]]))

    def _frozen(self, entry: Entry, content: Row) -> None:
        """Freeze a scope."""
        self._put("freezes", (entry.dataset, entry.holder, content["window"]), frozen=1, sequence=entry.sequence)

    def _thawed(self, entry: Entry, content: Row) -> None:
        """Lift the freezes of a scope and reset its failure counters."""
        for row in self._rows_in_scope("freezes", entry, content["window"]):
            if row["frozen"]:
                row |= {"frozen": 0, "sequence": entry.sequence}
        for row in self._rows_in_scope("failures", entry, content["window"]):
            row["times"] = 0

    def _top_up_requested(self, entry: Entry, content: Row) -> None:
        """Add an open request for another cap."""
        request = {"dataset": entry.dataset, "client": entry.holder, "scope": content["scope"], "state": "open"}
        self._put("top_ups", (entry.sequence,), **request, **_sum_units([content["cap"]]))

    def _top_up_approved(self, entry: Entry, content: Row) -> None:
        """Close a request, and set the cap that the entry repeats."""
        self.tables["top_ups"][content["request"],]["state"] = "approved"
        self._granted(entry, content)

    def _top_up_declined(self, entry: Entry, content: Row) -> None:
        """Close a request without a new cap."""
        del entry
        self.tables["top_ups"][content["request"],]["state"] = "declined"

    # ---------------------------------------------------------------- rows

    def _put(self, table: str, key: RowKey, **values: object) -> None:
        """Write a row: key columns and values; a row of clients also enters the table of folded names."""
        self.tables[table][key] = {**dict(zip(PRIMARY_KEYS[table], key, strict=True)), **values}
        if table == "clients":
            self._register_name(key[0])

    def _register_client(self, client: str) -> None:
        """Add a client and its groups; a client that becomes a group stays one."""
        for holder in path_prefixes(client):
            row = self.tables["clients"].setdefault((holder,), {"holder": holder, "state": "active", "is_group": 0})
            self._register_name(holder)
            row["is_group"] = 1 if holder != client else row["is_group"]

    def _register_name(self, holder: str) -> None:
        """Add a folded name, which keeps other spellings of it out."""
        self.tables["client_names"][folded_name(holder),] = {"folded": folded_name(holder), "holder": holder}

    def _rows_in_scope(self, table: str, entry: Entry, window: str) -> list[Row]:
        """Rows of freezes or failures in the scope of a thaw; an empty window matches every window.

        A dataset's failures are also counted per client tree, under the tree's name: those rows are reset with it.
        """
        rows = self.tables[table].items()
        includes_client_trees = table == "failures" and entry.holder == EVERYBODY  # counted per client tree too
        # a key has the parts dataset, holder and window
        holder_rows = [
            (key, row)
            for key, row in rows
            if key[0] == entry.dataset and (includes_client_trees or key[1] == entry.holder)
        ]
        return [row for key, row in holder_rows if window in ("", key[2])]


def _sum_units(losses: list[list[int]]) -> dict[str, int]:
    """Sum losses [pico-rho, atto-delta] into the two columns of a row."""
    return {"pico_rho": sum(loss[0] for loss in losses), "atto_delta": sum(loss[1] for loss in losses)}


_HANDLERS: dict[EntryKind, Callable[[ProjectedTables, Entry, Row], None]] = {
    EntryKind.OPENED: ProjectedTables._opened,  # noqa: SLF001  private methods of the class above
    EntryKind.ACCOUNT_OPENED: ProjectedTables._caps_set,  # noqa: SLF001
    EntryKind.CAP_CHANGED: ProjectedTables._caps_set,  # noqa: SLF001
    EntryKind.CHARGED: ProjectedTables._charged,  # noqa: SLF001
    EntryKind.RELEASED: ProjectedTables._released,  # noqa: SLF001
    EntryKind.FAILED: ProjectedTables._failed,  # noqa: SLF001
    EntryKind.REPEATED: ProjectedTables._repeated,  # noqa: SLF001
    EntryKind.CLIENT_ADDED: ProjectedTables._client_added,  # noqa: SLF001
    EntryKind.CLIENT_REMOVED: ProjectedTables._client_removed,  # noqa: SLF001
    EntryKind.CLIENT_CAPPED: ProjectedTables._granted,  # noqa: SLF001
    EntryKind.FROZEN: ProjectedTables._frozen,  # noqa: SLF001
    EntryKind.THAWED: ProjectedTables._thawed,  # noqa: SLF001
    EntryKind.TOP_UP_REQUESTED: ProjectedTables._top_up_requested,  # noqa: SLF001
    EntryKind.TOP_UP_APPROVED: ProjectedTables._top_up_approved,  # noqa: SLF001
    EntryKind.TOP_UP_DECLINED: ProjectedTables._top_up_declined,  # noqa: SLF001
}
