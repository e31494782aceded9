"""Admin operations on a ledger, each with actor and reason: clients, caps, freezes, top-ups, notes; failure counts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection

from budgets.accounting.accounts import LIFETIME, check_text
from budgets.accounting.failures import COUNTED_OF_A_TREE, OF_A_WINDOW, counters, most_of, of_a_window, tree_of
from budgets.accounting.holders import EVERYBODY, OWNER, check_client, check_name, check_window
from budgets.accounting.loss import ATTO, Loss
from budgets.accounting.policy import EACH_WINDOW, PER_QUERY, Grant
from budgets.accounting.records import Charge, TopUp
from budgets.errors import ParamError
from budgets.log.events import NOTE, EntryKind, Event, failure_said, units
from budgets.stores import clients, journal
from budgets.stores.store import Store


class Administration:
    """The admin half of `Ledger`; every call appends a ledger entry and is durable when it returns."""

    _store: Store

    def add_client(self, client: str, *, actor: str, reason: str) -> None:
        """Add a client, or restore a removed one with its accounts as they were. Raises ParamError, Forbidden."""
        said = _said(client, actor, reason)
        with self._store.writing() as connection:
            clients.add_client(connection, client, back=True)
            journal.append(connection, [Event(EntryKind.CLIENT_ADDED, "", client, actor, said=said)])

    def remove_client(self, client: str, *, actor: str, reason: str) -> None:
        """Block a client, or a group with its members, from queries; accounts stay. Raises ParamError."""
        said = _said(client, actor, reason)
        with self._store.writing() as connection:
            clients.remove_client(connection, client)
            journal.append(connection, [Event(EntryKind.CLIENT_REMOVED, "", client, actor, said=said)])

    def cap_client(
        self, client: str, dataset: str, cap: Loss, *, actor: str, reason: str, scope: str = EACH_WINDOW
    ) -> None:
        """Set the cap of a client or group: per window, for one window, over its lifetime, or per query.

        The cap applies from the next charge on. A cap below the amount spent blocks further charges; nothing is
        refunded. Raises ParamError, Forbidden.
        """
        said = _said(client, actor, reason) | _cap_said(dataset, scope, cap)
        with self._store.writing() as connection:
            clients.check_spelling(connection, client)
            event = Event(EntryKind.CLIENT_CAPPED, dataset, client, actor, said=said)
            sequence = journal.append(connection, [event])[-1].sequence
            clients.grant(connection, Grant(dataset, client, scope, cap, sequence))

    def freeze(self, *, actor: str, reason: str, client: str = EVERYBODY, dataset: str = "", window: str = "") -> None:
        """Block charges to a client, a group, a dataset, one of its windows, or a combination. Raises ParamError."""
        said = _scope_said(actor, reason, client, dataset, window)
        with self._store.writing() as connection:
            clients.check_spelling(connection, client)
            _freeze(connection, Event(EntryKind.FROZEN, dataset, client, actor, said=said))

    def thaw(self, *, actor: str, reason: str, client: str = EVERYBODY, dataset: str = "", window: str = "") -> None:
        """Lift a freeze of the same scope, or of all its windows, and reset failure counters. Raises ParamError."""
        said = _scope_said(actor, reason, client, dataset, window)
        with self._store.writing() as connection:
            event = Event(EntryKind.THAWED, dataset, client, actor, said=said)
            sequence = journal.append(connection, [event])[-1].sequence
            clients.thaw(connection, dataset, client, window, sequence)

    def request_top_up(self, client: str, dataset: str, cap: Loss, *, reason: str, scope: str = EACH_WINDOW) -> int:
        """Request another cap as a client; returns the number of the request. Raises ParamError, Forbidden."""
        said = _said(client, client, reason) | _cap_said(dataset, scope, cap)
        with self._store.writing() as connection:
            clients.check_spelling(connection, client)
            event = Event(EntryKind.TOP_UP_REQUESTED, dataset, client, client, said=said)
            sequence = journal.append(connection, [event])[-1].sequence
            clients.request_top_up(connection, TopUp(sequence, dataset, client, scope, cap, clients.OPEN))
            return sequence

    def approve_top_up(self, top_up: int, *, actor: str, reason: str) -> None:
        """Grant the cap that a client has requested; raises ParamError unless the request is open."""
        with self._store.writing() as connection:
            asked = clients.decide_top_up(connection, top_up, clients.APPROVED)
            said = _said(asked.client, actor, reason) | _cap_said(asked.dataset, asked.scope, asked.cap)
            event = Event(
                EntryKind.TOP_UP_APPROVED, asked.dataset, asked.client, actor, said={**said, "request": top_up}
            )
            sequence = journal.append(connection, [event])[-1].sequence
            clients.grant(connection, Grant(asked.dataset, asked.client, asked.scope, asked.cap, sequence))

    def decline_top_up(self, top_up: int, *, actor: str, reason: str) -> None:
        """Decline a client's request; raises ParamError unless the request is open."""
        with self._store.writing() as connection:
            asked = clients.decide_top_up(connection, top_up, clients.DECLINED)
            said = {**_said(asked.client, actor, reason), "request": top_up}
            journal.append(
                connection, [Event(EntryKind.TOP_UP_DECLINED, asked.dataset, asked.client, actor, said=said)]
            )

    def top_ups(self, *, open_only: bool = False) -> tuple[TopUp, ...]:
        """List the requests for other caps, oldest first."""
        with self._store.reading() as connection:
            return clients.read_top_ups(connection, clients.OPEN if open_only else None)

    def note(self, topic: str, body: Mapping[str, Any], *, actor: str, holder: str = "", dataset: str = "") -> int:
        """Append a note for auditors, free of personal data; returns the sequence of its ledger entry.

        The body is JSON of text, integers, lists and objects. Raises ParamError.
        """
        check_name(topic, "A topic")
        check_name(actor, "An actor")
        with self._store.writing() as connection:
            return journal.append(connection, [Event(NOTE + topic, dataset, holder, actor, said=body)])[-1].sequence

    def failed(self, charge: Charge) -> None:
        """Record that the execution of a charge failed; the charge stays, and repeated failures freeze accounts.

        Claim: failed executions leak a bounded number of bits until an admin looks, and no client tree can freeze a
        dataset for others. Symbols: failures of a client and of its tree over all datasets; failures of a dataset's
        window, few counted per tree. Formula: frozen at 3, 10 and 10. Source: budgets/accounting/proofs.md#failures.
        Raises LedgerUnavailable, UnsafeStore.
        """
        with self._store.writing() as connection:
            windows = journal.read_windows(connection, charge.id)
            journal.append(connection, [failure_said(charge, windows)])
            times = {
                key: clients.count_failure(connection, *key) for key in counters(charge.client, charge.dataset, windows)
            }
            for holder, most in most_of(charge.client).items():
                if times["", holder, ""] == most:
                    _freeze_for(connection, "", holder, "", most)
            for window in sorted(windows):
                by_tree = clients.failures_by_tree(connection, charge.dataset, window)
                grew = charge.client == OWNER or by_tree[tree_of(charge.client)] <= COUNTED_OF_A_TREE
                if grew and of_a_window(by_tree) == OF_A_WINDOW:
                    _freeze_for(connection, charge.dataset, EVERYBODY, window, OF_A_WINDOW)


def _freeze_for(connection: Connection, dataset: str, holder: str, window: str, times: int) -> None:
    said = {"window": window, "reason": f"{times} failed executions"}
    _freeze(connection, Event(EntryKind.FROZEN, dataset, holder, said=said))


def _freeze(connection: Connection, event: Event) -> None:
    sequence = journal.append(connection, [event])[-1].sequence
    clients.freeze(connection, event.dataset, event.holder, event.said["window"], sequence)


def _said(client: str, actor: str, reason: str) -> dict[str, Any]:
    """Validate client, actor and reason of an admin operation; returns the entry's body. Raises ParamError."""
    check_client(client)
    if client == OWNER:
        raise ParamError("The owner is no client.", "a client's name.")
    return _why(actor, reason)


def _why(actor: str, reason: str) -> dict[str, Any]:
    check_name(actor, "An actor")
    check_text(reason, "A reason")
    if not reason.strip():
        raise ParamError("A change of the books has a reason.", "why, in a few words.")
    return {"reason": reason}


def _cap_said(dataset: str, scope: str, cap: Loss) -> dict[str, Any]:
    check_name(dataset, "A dataset")
    if scope not in (EACH_WINDOW, LIFETIME, PER_QUERY):
        check_window(scope)
    if not 0 < cap.atto_delta < ATTO:
        raise ParamError("A cap must have delta above 0 and below 1.", "delta = 1e-9.")
    return {"scope": scope, "cap": units(cap)}


def _scope_said(actor: str, reason: str, client: str, dataset: str, window: str) -> dict[str, Any]:
    if not client and not dataset:
        raise ParamError("What is frozen is a client, a group or a dataset.", "a client's or a dataset's name.")
    said = _said(client, actor, reason) if client else _why(actor, reason)
    for name, what in ((dataset, "A dataset"), (window, "A window")):
        if name:
            check_name(name, what)
    return said | {"window": window}
