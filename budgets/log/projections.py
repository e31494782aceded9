"""Projections: every other table, recomputed from the entries of the chain without a database.

The stores maintain these tables with SQL. This is an independent implementation in plain Python, so that an auditor
need not trust the SQL (proofs.md#the-chain).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any, Final

from budgets.accounting.accounts import LIFETIME
from budgets.accounting.failures import counters
from budgets.accounting.holders import EVERYBODY, OWNER, is_client, own_holder, prefixes
from budgets.accounting.names import folded_name
from budgets.log.chain import Entry
from budgets.log.events import NOTE, EntryKind

Key = tuple[Any, ...]
Row = dict[str, Any]

KEYS: Final[dict[str, tuple[str, ...]]] = {
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


class Books:
    """Every derived table, after the entries applied so far."""

    def __init__(self) -> None:
        """Start with empty tables."""
        self.ledger_id = ""
        self.tables: dict[str, dict[Key, Row]] = {name: {} for name in KEYS}

    def add(self, entry: Entry) -> None:
        """Apply one entry; raises ValueError, KeyError and similar for a malformed body."""
        said = entry.said
        if not entry.kind.startswith(NOTE):
            _KINDS[EntryKind(entry.kind)](self, entry, said)
        self._put("chain_head", (self.ledger_id,), sequence=entry.sequence, row_hash=entry.row_hash)

    # ---------------------------------------------------------------- ledger and queries

    def _opened(self, entry: Entry, said: Row) -> None:
        del entry
        self.ledger_id = said["ledger_id"]
        self._put("ledger_format", (said["ledger_format"],))

    def _capped(self, entry: Entry, said: Row) -> None:
        for holder, (pico_rho, atto_delta) in said["caps"].items():
            for window in said["windows"]:
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

    def _charged(self, entry: Entry, said: Row) -> None:
        own = own_holder(entry.holder)
        paid = [release["loss"] for release in said["releases"] if own in release["payers"]]
        about = {"client": entry.holder, "request_id": entry.request_id, "dataset": entry.dataset}
        about |= {"body_digest": said["body_digest"], "versions": said["versions"]}
        self._put("charges", (entry.sequence,), **about, **_units(paid))
        for position, release in enumerate(said["releases"]):
            windows = said["windows"][release["windows"]]
            self._put("charge_keys", (entry.sequence, position), release_key=release["key"])
            self._paid(entry, release, windows)
            for holder in release["payers"]:
                self._debit(entry.dataset, holder, release["loss"], windows)
        if entry.holder != OWNER:
            self._know(entry.holder)

    def _paid(self, entry: Entry, release: Row, windows: list[str]) -> None:
        if EVERYBODY in release["payers"]:
            about = {"windows": json.dumps(windows), "question": release["question"]}
            self._put("questions", (entry.dataset, release["key"]), **about, **_units([release["loss"]]))
        for holder in release["payers"]:
            self._put("purchases", (entry.dataset, holder, release["key"]), charge_id=entry.sequence)

    def _debit(self, dataset: str, holder: str, loss: list[int], windows: Iterable[str]) -> None:
        for window in windows:
            self._spend(dataset, holder, window, loss)
            if is_client(holder):
                self._spend(dataset, holder, LIFETIME, loss)

    def _spend(self, dataset: str, holder: str, window: str, loss: list[int]) -> None:
        account = self.tables["accounts"][dataset, holder, window]
        account["spent_pico_rho"] += loss[0]
        account["spent_atto_delta"] += loss[1]

    def _released(self, entry: Entry, said: Row) -> None:
        made = {"payload": said["digest"], "settled_at": entry.at, "charge_id": said["charge"]}
        self._put("releases", (entry.dataset, said["key"]), **made)

    def _failed(self, entry: Entry, said: Row) -> None:
        for key in counters(entry.holder, entry.dataset, said["windows"]):
            self._put("failures", key, times=self.tables["failures"].get(key, {}).get("times", 0) + 1)

    def _repeated(self, entry: Entry, said: Row) -> None:
        """Validate a repeat; it changes no table, because repeats are free."""
        if not entry.holder or not said["hour"] or said["times"] < 1:
            raise ValueError

    # ---------------------------------------------------------------- admin operations

    def _added(self, entry: Entry, said: Row) -> None:
        del said
        self._know(entry.holder)
        self.tables["clients"][entry.holder,]["state"] = "active"

    def _removed(self, entry: Entry, said: Row) -> None:
        del said
        self.tables["clients"][entry.holder,]["state"] = "removed"

    def _granted(self, entry: Entry, said: Row) -> None:
        key = (entry.dataset, entry.holder, said["scope"])
        self._put("caps", key, sequence=entry.sequence, **_units([said["cap"]]))

    def _frozen(self, entry: Entry, said: Row) -> None:
        self._put("freezes", (entry.dataset, entry.holder, said["window"]), frozen=1, sequence=entry.sequence)

    def _thawed(self, entry: Entry, said: Row) -> None:
        for row in self._named("freezes", entry, said["window"]):
            if row["frozen"]:
                row |= {"frozen": 0, "sequence": entry.sequence}
        for row in self._named("failures", entry, said["window"]):
            row["times"] = 0

    def _asked_for(self, entry: Entry, said: Row) -> None:
        about = {"dataset": entry.dataset, "client": entry.holder, "scope": said["scope"], "state": "open"}
        self._put("top_ups", (entry.sequence,), **about, **_units([said["cap"]]))

    def _approved(self, entry: Entry, said: Row) -> None:
        self.tables["top_ups"][said["request"],]["state"] = "approved"
        self._granted(entry, said)

    def _declined(self, entry: Entry, said: Row) -> None:
        del entry
        self.tables["top_ups"][said["request"],]["state"] = "declined"

    # ---------------------------------------------------------------- rows

    def _put(self, table: str, key: Key, **values: object) -> None:
        self.tables[table][key] = {**dict(zip(KEYS[table], key, strict=True)), **values}
        if table == "clients":
            self._name(key[0])

    def _know(self, client: str) -> None:
        for holder in prefixes(client):
            row = self.tables["clients"].setdefault((holder,), {"holder": holder, "state": "active", "is_group": 0})
            self._name(holder)
            row["is_group"] = 1 if holder != client else row["is_group"]

    def _name(self, holder: str) -> None:
        self.tables["client_names"][folded_name(holder),] = {"folded": folded_name(holder), "holder": holder}

    def _named(self, table: str, entry: Entry, window: str) -> list[Row]:
        rows = self.tables[table].items()
        trees = table == "failures" and entry.holder == EVERYBODY  # counted per client tree too
        named = [(key, row) for key, row in rows if key[0] == entry.dataset and (trees or key[1] == entry.holder)]
        return [row for key, row in named if window in ("", key[2])]


def _units(losses: list[list[int]]) -> dict[str, int]:
    return {"pico_rho": sum(loss[0] for loss in losses), "atto_delta": sum(loss[1] for loss in losses)}


_KINDS: dict[EntryKind, Callable[[Books, Entry, Row], None]] = {
    EntryKind.OPENED: Books._opened,  # noqa: SLF001  private methods of the class above
    EntryKind.ACCOUNT_OPENED: Books._capped,  # noqa: SLF001
    EntryKind.CAP_CHANGED: Books._capped,  # noqa: SLF001
    EntryKind.CHARGED: Books._charged,  # noqa: SLF001
    EntryKind.RELEASED: Books._released,  # noqa: SLF001
    EntryKind.FAILED: Books._failed,  # noqa: SLF001
    EntryKind.REPEATED: Books._repeated,  # noqa: SLF001
    EntryKind.CLIENT_ADDED: Books._added,  # noqa: SLF001
    EntryKind.CLIENT_REMOVED: Books._removed,  # noqa: SLF001
    EntryKind.CLIENT_CAPPED: Books._granted,  # noqa: SLF001
    EntryKind.FROZEN: Books._frozen,  # noqa: SLF001
    EntryKind.THAWED: Books._thawed,  # noqa: SLF001
    EntryKind.TOP_UP_REQUESTED: Books._asked_for,  # noqa: SLF001
    EntryKind.TOP_UP_APPROVED: Books._approved,  # noqa: SLF001
    EntryKind.TOP_UP_DECLINED: Books._declined,  # noqa: SLF001
}
