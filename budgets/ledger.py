"""The ledger: charge before data is read, settle before a result is sent; and what auditors read of it.

A register of data subjects' objections is like it: durable on return, visible to every process from then on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Self

from budgets.accounting.accounts import (
    AccountName,
    AccountView,
    Caps,
    Grant,
    check_ceiling,
    check_client_or_owner,
    effective_cap,
    paying_holders,
)
from budgets.accounting.outlook import Outlook, outlook
from budgets.accounting.privacy_loss import Loss
from budgets.accounting.records import (
    Charge,
    ChargeRequest,
    ClientStatus,
    Freeze,
    PaidRelease,
    ReleaseAge,
    StoredRelease,
)
from budgets.administration import AdminOperations
from budgets.charging import charge_all, read_bills, read_paying_accounts
from budgets.errors import LedgerError, ProtocolError, UnsafeStore
from budgets.forecast import RATE_PERIOD, Forecast, dated_debits, forecast
from budgets.log.events import (
    Anchor,
    Entry,
    EntryKind,
    Objection,
    ObjectionEvent,
    ObjectionEventKind,
    RepeatCounts,
    release_event,
    repeat_events,
)
from budgets.log.verify import clock_regressions, verify
from budgets.stores import balances, client_tables, journal
from budgets.stores.copy import write_copy, write_register_copy
from budgets.stores.open import open_store
from budgets.stores.postgres import is_postgres
from budgets.stores.probe import write_probe
from budgets.stores.schema import PROJECTIONS, guard_faults, metadata
from budgets.stores.sqlite import IN_MEMORY
from budgets.stores.store import Store


class Audit:
    """The auditors' half of `Ledger`; it is read-only."""

    _store: Store

    def accounts(self, dataset: str | None = None) -> tuple[AccountView, ...]:
        """List all open accounts under the caps of their last charge; in each window, shared accounts come first."""
        return self._store.read(balances.read_accounts, dataset)

    def entries(
        self,
        client: str | None = None,
        dataset: str | None = None,
        limit: int | None = None,
        *,
        kind: str | None = None,
        since: str | None = None,
    ) -> tuple[Entry, ...]:
        """List the newest ledger entries, oldest first; optionally those of one client, dataset or kind.

        `since` = start time in UTC, as in 2026-10-17T00:00.
        """
        return self._store.read(
            journal.read_entries, kind=kind, dataset=dataset, holder=client, since=since, limit=limit
        )

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


class Ledger(AdminOperations, Audit):
    """A ledger with its admin and audit operations. Thread-safe and multi-process-safe; open it after a fork."""

    def __init__(self, store: Store) -> None:
        """Use an open store."""
        self._store, self._repeats = store, RepeatCounts()

    @classmethod
    def open(cls, path: str | Path) -> Ledger:
        """Open or create a ledger: a file, ":memory:" or a postgresql:// URL; raises UnsafeStore, LedgerUnavailable."""
        return cls(open_store(path))

    @classmethod
    def restore(cls, backup: str | Path, address: str | Path, anchors: Iterable[Anchor] = ()) -> None:
        """Verify a backup and copy it to an empty place; raises UnsafeStore if damaged or older than an anchor."""
        if not is_postgres(str(backup)) and not Path(backup).is_file():
            raise UnsafeStore(f"There is no backup {backup}.", "a file that `ledger backup` wrote.")
        with cls.open(backup) as source:
            for fault in source.verify():
                raise UnsafeStore(f"This backup is not as it was written. {fault}", "another backup.")
            for anchor in anchors:
                source.check_anchor(anchor)
            source.backup(address)

    def close(self) -> None:
        """Write the pending counts of free repeats, and close the connections."""
        self.write_repeats(all_hours=True)
        self._store.close()

    def __enter__(self) -> Self:
        """Return the ledger."""
        return self

    def __exit__(self, *failure: object) -> None:
        """Close the ledger."""
        self.close()

    def probe(self) -> None:
        """Check that the ledger is writable, with an empty commit; raises LedgerUnavailable, UnsafeStore if not."""
        with self._store.writing() as connection:
            write_probe(connection)

    def snapshot(self) -> AbstractContextManager[None]:
        """Context in which all reads of this thread use one snapshot; the thread must not charge in it."""
        return self._store.snapshot()

    def replay(self, client: str, dataset: str, release_keys: Iterable[str]) -> dict[str, StoredRelease]:
        """Return the stored releases, among some keys, that this client has paid for; raises Forbidden."""
        check_client_or_owner(client)
        with self._store.reading() as connection:
            client_tables.check_standing(connection, client)
            return journal.read_replay(connection, client, dataset, tuple(release_keys))

    def check_standing(self, client: str) -> None:
        """Check that a client is neither removed nor frozen in all datasets; raises Forbidden."""
        with self._store.reading() as connection:
            client_tables.check_standing(connection, client)

    def is_charged(self, client: str, request_id: str) -> bool:
        """Has this client made a charge with this request id? If so, `charge` returns it again or refuses."""
        with self._store.reading() as connection:
            return journal.find_charge(connection, client, request_id) is not None

    def count_repeat(self, client: str, dataset: str) -> None:
        """Count a free repeat: an answer made only of stored releases that this client has paid for.

        Claim: the chain grows by at most one entry per hour, client, dataset and process, however many repeats there
        are; no account, purchase or release changes. Formula: entries record the counts of completed hours. Source:
        proofs.md#free-repeats. Raises nothing: a failed write is retried in the next hour.
        """
        if self._repeats.add(client, dataset, journal.now_text()):
            self.write_repeats()

    def write_repeats(self, *, all_hours: bool = False) -> None:
        """Write the repeat counts of completed hours, or all; they stay in memory if the ledger is unavailable."""
        taken = self._repeats.take_pending(None if all_hours else journal.now_text())
        if not taken:
            return
        try:
            with self._store.writing() as connection:
                journal.append(connection, [*repeat_events(taken)])
        except LedgerError:
            self._repeats.restore(taken)

    def release_ages(self, dataset: str, release_keys: Iterable[str]) -> dict[str, ReleaseAge]:
        """Return when the stored releases among some keys were computed, and their age by this machine's clock."""
        return self._store.read(journal.read_release_ages, dataset, tuple(release_keys))

    def preview(self, request: ChargeRequest) -> Loss:
        """Return the loss that charging this request would debit from the client; changes nothing."""
        with self._store.reading() as connection:
            return read_bills(connection, [request])[0].client_loss

    def charge(self, request: ChargeRequest) -> Charge:
        """Debit every account that pays for a query, or none; durable when this returns.

        Claim: the sums of charges stay under every cap, so all releases together satisfy delta-approximate rho-zCDP at
        the dataset's ceiling, for adaptively chosen queries. Symbols: loss of each release, cap of each account.
        Formula: `make_bill` decides who pays, `debit_all` has the condition. A repeated request id pays nothing.
        Source: Whitehouse, Ramdas, Rogers, Wu 2023 (arXiv 2203.05481); budgets/accounting/proofs.md#the-filter. Raises
        BudgetRefused, CeilingRaised, Forbidden, IdempotencyError, ProtocolError, LedgerUnavailable, UnsafeStore.
        """
        return self._store.charge_batcher.submit(request, self._charge_batch)

    def _charge_batch(self, requests: Sequence[ChargeRequest]) -> Sequence[Charge | Exception]:
        """Charge concurrent requests in one transaction; outcomes in their order."""
        with self._store.writing() as connection:
            return charge_all(connection, requests)

    def settle(
        self, charge: Charge, payloads: Mapping[str, bytes], rests_on: Mapping[str, str] | None = None
    ) -> Mapping[str, bytes]:
        """Store the releases of a charge durably, and return the payloads that count.

        Claim: a release key has one result for ever, the first one stored, whoever computed it; a release that rests on
        another one is stored only with the very payload that it was computed from. Symbols: payloads by release key;
        `rests_on` = release key -> key of the one that it was computed from. Formula: insert if absent, without those
        that rest on another payload than the stored one, then read what was stored before.
        Source: proofs.md#one-result-for-ever.
        Raises ProtocolError for keys that the charge did not pay for, LedgerUnavailable, UnsafeStore.
        """
        bases = rests_on or {}
        with self._store.writing() as connection:
            row = journal.find_charge(connection, charge.client, charge.request_id)
            keys = () if row is None else journal.read_release_keys(connection, row.id)
            if row is None or row.id != charge.id or not set(payloads) <= set(keys):
                raise ProtocolError("Only what a charge has paid for can be stored.", "charge before running.")
            at, digests = journal.now_text(), dict[str, str]()  # of what is stored now, by key

            def is_stored(basis: str) -> bool:
                """Check that the payload of a release is the one that is stored, now or before."""
                wanted = {basis: payloads[basis]}
                return basis in digests or journal.read_releases(connection, charge.dataset, wanted) == wanted

            for key in sorted(payloads, key=bases.__contains__):  # those that others rest on come first
                if key not in bases or is_stored(bases[key]):
                    digest = journal.write_release(connection, charge, key, payloads[key], at)
                    digests |= {} if digest is None else {key: digest}
            if digests:
                journal.append(connection, [release_event(charge, *each) for each in digests.items()], at)
            others = [key for key in keys if key not in digests]
            before = journal.read_releases(connection, row.dataset, others) if others else {}
            return MappingProxyType(before | {key: payloads[key] for key in digests})

    def outlook(self, request: ChargeRequest, more_windows: Iterable[str] = ()) -> Outlook:
        """Count how many more queries like this one fit; if none, what fits instead, `more_windows` included."""
        others = tuple(more_windows)
        with self._store.reading() as connection:
            found = outlook(read_paying_accounts(connection, request, others), request.distinct_releases, others)
            stopped = client_tables.why_blocked(connection, request.client, request.dataset, request.windows)
        return found if stopped is None else replace(found, queries_left=0, blocked_reason=stopped)

    def account(self, name: AccountName, cap: Loss | None = None) -> AccountView:
        """Return one account under its granted cap, the given catalog cap, or that of its last charge.

        A shown cap never exceeds the dataset's ceiling. Raises LedgerError for an account that is neither open nor
        capped.
        """
        with self._store.reading() as connection:
            grants = client_tables.read_grants(connection, name.dataset, [name.holder])
            effective = None if cap is None else effective_cap(cap, grants, name)
            view = balances.read_account(connection, name, effective)
        if view is None:
            raise LedgerError(f"Nothing was ever charged to {name}.", "today's cap of it, to see all of it unspent.")
        return view

    def accounts_with_caps(self, dataset: str, caps: Mapping[AccountName, Loss]) -> tuple[AccountView, ...]:
        """Return accounts of a dataset under granted caps, otherwise under the given ones; in the same order."""
        with self._store.reading() as connection:
            grants = client_tables.read_grants(connection, dataset, sorted({name.holder for name in caps}))
            effective = {name: effective_cap(cap, grants, name) for name, cap in caps.items()}
            return balances.read_accounts_with_caps(connection, dataset, effective)

    def check_caps(self, dataset: str, windows: Iterable[str], caps: Caps) -> None:
        """Check a catalog's caps against the fixed ceilings of windows; raises CeilingRaised.

        Proof: budgets/accounting/proofs.md#the-filter.
        """
        with self._store.reading() as connection:
            ceilings = balances.read_ceilings(connection, dataset, tuple(windows))
        for name, ceiling in ceilings.items():
            check_ceiling(name, caps.ceiling(name.window), ceiling)


def register_address(ledger: str) -> str:
    """Address of a ledger's objection register: a separate file, or the same schema of a database."""
    is_separate_file = ledger != IN_MEMORY and not is_postgres(ledger)
    return f"{ledger}.objections" if is_separate_file else ledger


class ObjectionRegister:
    """A register of objections; thread-safe and multi-process-safe."""

    def __init__(self, store: Store) -> None:
        """Use an open store."""
        self._store = store

    @classmethod
    def open_for_ledger(cls, ledger: str) -> ObjectionRegister:
        """Open the register of a ledger: a separate file for a file, separate tables in a PostgreSQL database."""
        return cls(open_store(register_address(ledger), client_tables.prepare_register))

    def record(
        self, kind: ObjectionEventKind, dataset: str, persons: Sequence[str], *, by: str, reason: str
    ) -> ObjectionEvent:
        """Record an objection or a withdrawal for some persons, all or none; durable when this returns."""
        at = datetime.now(UTC).isoformat(timespec="seconds")
        with self._store.writing() as connection:
            return client_tables.write_objection_event(
                connection, ObjectionEvent(0, at, by, dataset, kind, reason), persons
            )

    def objections_after(self, position: int) -> tuple[Objection, ...]:
        """List what any process recorded after a position, in order of commit."""
        return self._store.read(client_tables.read_objections, position)

    def events(self) -> tuple[ObjectionEvent, ...]:
        """List the recorded events, oldest first: when, by whom and why; no persons."""
        return self._store.read(client_tables.read_objection_events)

    def backup(self, ledger: str) -> None:
        """Copy the register to that of a ledger's backup, in one snapshot; raises UnsafeStore if one exists."""
        write_register_copy(self._store, register_address(ledger))

    def close(self) -> None:
        """Close the connections."""
        self._store.close()
