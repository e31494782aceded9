"""Read access for auditors: ledger entries, balances, releases, and verification that nothing was tampered with."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from budgets.accounting.accounts import AccountName, AccountView
from budgets.accounting.holders import check_client_or_owner, paying_holders
from budgets.accounting.policy import Grant
from budgets.accounting.records import ClientStatus, Freeze, PaidRelease
from budgets.errors import UnsafeStore
from budgets.forecast import RATE_PERIOD, Forecast, dated_debits, forecast
from budgets.log.anchor import Anchor
from budgets.log.chain import Entry
from budgets.log.events import EntryKind
from budgets.log.verify import clock_regressions, verify
from budgets.stores import balances, client_tables, journal
from budgets.stores.copy import write_copy
from budgets.stores.schema import PROJECTIONS, guard_faults, metadata
from budgets.stores.store import Store


class Audit:
    """The auditors' half of `Ledger`; it is read-only."""

    _store: Store

    def accounts(self, dataset: str | None = None) -> tuple[AccountView, ...]:
        """List all open accounts under the caps of their last charge; in each window, shared accounts come first."""
        return self._store.read(balances.read_accounts, dataset)

    def entries(
        self, client: str | None = None, dataset: str | None = None, limit: int | None = None
    ) -> tuple[Entry, ...]:
        """List the newest ledger entries, oldest first; optionally those of one client or dataset."""
        return self._store.read(journal.read_entries, dataset=dataset, holder=client, limit=limit)

    def find_entries(
        self, *, kind: str | None = None, holder: str | None = None, since: str | None = None
    ) -> tuple[Entry, ...]:
        """List ledger entries by kind, holder and start time (UTC, as in 2026-10-17T00:00); oldest first."""
        return self._store.read(journal.read_entries, kind=kind, holder=holder, since=since)

    def forecasts(self, client: str, views: Iterable[AccountView], now: datetime) -> dict[AccountName, Forecast]:
        """Estimate when accounts on a client's path run out at the current rate; for display only."""
        rows: tuple[Entry, ...] = ()
        remaining = {view.name: view.remaining for view in views}
        with self._store.reading() as connection:
            for dataset in {name.dataset for name in remaining}:
                since = (now - RATE_PERIOD).isoformat()
                rows += journal.read_entries(connection, kind=EntryKind.CHARGED, dataset=dataset, since=since)
        found = {
            name: forecast(debits, remaining[name], now)
            for name, debits in dated_debits(rows, paying_holders(client)).items()
            if name in remaining
        }
        return {name: estimate for name, estimate in found.items() if estimate is not None}

    def paid_releases(self, client: str) -> tuple[PaidRelease, ...]:
        """List everything that a client has paid for, oldest first, without payloads. Raises ParamError."""
        check_client_or_owner(client)
        return self._store.read(journal.read_purchases, client)

    def versions(self, dataset: str) -> tuple[str, ...]:
        """List the distinct code and catalog versions under which a dataset was charged."""
        return self._store.read(journal.read_versions, dataset)

    def canonical_queries(self, dataset: str) -> tuple[str, ...]:
        """List the canonical query of every release of a dataset that anybody has paid for."""
        return self._store.read(journal.read_canonical_queries, dataset)

    def clients(self) -> tuple[ClientStatus, ...]:
        """List every known client and group by name, with its state."""
        return self._store.read(client_tables.read_clients)

    def freezes(self) -> tuple[Freeze, ...]:
        """List the scopes that are frozen now."""
        return self._store.read(client_tables.read_freezes)

    def grants(self, dataset: str) -> tuple[Grant, ...]:
        """List the caps that admins have set for clients and groups of a dataset."""
        with self._store.reading() as connection:
            return client_tables.read_grants(
                connection, dataset, [m.client for m in client_tables.read_clients(connection)]
            )

    def anchor(self) -> Anchor:
        """Return an anchor of the last entry, to be stored where nobody with write access to the ledger can write."""
        with self._store.reading() as connection:
            head = journal.read_head(connection)
            return Anchor(head.ledger_id, head.sequence, head.row_hash.hex(), balances.read_datasets(connection))

    def backup(self, address: str | Path) -> None:
        """Copy the ledger to an empty place in one snapshot; raises UnsafeStore where something exists already.

        The copy is a complete ledger that can be verified and restored. It must not be charged while the original is in
        use.
        """
        write_copy(self._store, address)

    def check_anchor(self, anchor: Anchor) -> None:
        """Check that this ledger extends the history of an anchor; raises UnsafeStore if not."""
        with self._store.reading() as connection:
            head = journal.read_head(connection)
            found = journal.read_hash(connection, anchor.sequence)
        if head.ledger_id != anchor.ledger_id:
            raise UnsafeStore("The anchor is of another ledger.", "the ledger that the anchor was taken from.")
        if head.sequence < anchor.sequence:
            raise UnsafeStore(
                f"The ledger ends at row {head.sequence} and has been at row {anchor.sequence}: this is an older copy, "
                "and what was spent since is not in it.",
                "the newer copy.",
            )
        if anchor.sequence and found.hex() != anchor.row_hash:
            raise UnsafeStore(
                f"Row {anchor.sequence} of the ledger is not the row that it was: the ledger was rewritten.",
                "passersby ledger verify, and a backup from before.",
            )

    def verify(self, anchor: Anchor | None = None) -> tuple[str, ...]:
        """List every sign of tampering with the ledger; empty if there is none.

        Claim: see `budgets.log.verify.verify`. Source: budgets/log/proofs.md#the-chain. Raises LedgerUnavailable.
        """
        with self._store.reading() as connection:
            tables = {table.name: journal.read_rows(connection, table) for table in PROJECTIONS}
            found = verify(journal.read_chain(connection), tables, anchor)
            return (*guard_faults(connection, metadata), *found)

    def clock_regressions(self) -> tuple[str, ...]:
        """List where the clocks of machines ran backwards, this machine's against the last entry included.

        No budget depends on a clock, and nothing is refused.
        """
        with self._store.reading() as connection:
            moments = [(f"row {row.sequence}", row.at) for row in journal.read_chain(connection)]
        return tuple(clock_regressions([*moments, ("this machine's clock", journal.now_text())]))
