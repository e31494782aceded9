"""Admin operations on a ledger, each with actor and reason: clients, caps, freezes, top-ups, notes; failure counts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection

from budgets.accounting.accounts import (
    EACH_WINDOW,
    EVERYBODY,
    LIFETIME,
    MAX_COUNTED_PER_CLIENT_TREE,
    MAX_FAILURES_PER_WINDOW,
    OWNER,
    PER_QUERY,
    Grant,
    check_client_or_owner,
    check_name,
    check_text,
    check_window,
    client_tree,
    count_window_failures,
    counter_keys,
    failure_limits,
)
from budgets.accounting.privacy_loss import ATTO, Loss
from budgets.accounting.records import Charge, TopUp
from budgets.errors import ParamError
from budgets.log.events import LEDGER_ACTOR, NOTE_PREFIX, EntryKind, Event, encode_loss, failure_event
from budgets.stores import client_tables, journal
from budgets.stores.store import Store


class AdminOperations:
    """The admin half of `Ledger`; every call appends a ledger entry and is durable when it returns."""

    _store: Store

    def add_client(self, client: str, *, actor: str, reason: str) -> None:
        """Add a client, or restore a removed one with its accounts as they were. Raises ParamError, Forbidden."""
        content = _client_content(client, actor, reason)
        with self._store.writing() as connection:
            client_tables.add_client(connection, client, reactivate=True)
            _append(connection, EntryKind.CLIENT_ADDED, "", client, actor, content)

    def remove_client(self, client: str, *, actor: str, reason: str) -> None:
        """Block a client, or a group with its members, from queries; accounts stay. Raises ParamError."""
        content = _client_content(client, actor, reason)
        with self._store.writing() as connection:
            client_tables.remove_client(connection, client)
            _append(connection, EntryKind.CLIENT_REMOVED, "", client, actor, content)

    def cap_client(
        self, client: str, dataset: str, cap: Loss, *, actor: str, reason: str, scope: str = EACH_WINDOW
    ) -> None:
        """Set the cap of a client or group: per window, for one window, over its lifetime, or per query.

        The cap applies from the next charge on. A cap below the amount spent blocks further charges; nothing is
        refunded. Raises ParamError, Forbidden.
        """
        content = _client_content(client, actor, reason) | _cap_content(dataset, scope, cap)
        with self._store.writing() as connection:
            client_tables.check_spelling(connection, client)
            sequence = _append(connection, EntryKind.CLIENT_CAPPED, dataset, client, actor, content)
            client_tables.set_grant(connection, Grant(dataset, client, scope, cap, sequence))

    def freeze(self, *, actor: str, reason: str, client: str = EVERYBODY, dataset: str = "", window: str = "") -> None:
        """Block charges to a client, a group, a dataset, one of its windows, or a combination. Raises ParamError."""
        content = _scope_content(actor, reason, client, dataset, window)
        with self._store.writing() as connection:
            client_tables.check_spelling(connection, client)
            _freeze(connection, dataset, client, actor, content)

    def thaw(self, *, actor: str, reason: str, client: str = EVERYBODY, dataset: str = "", window: str = "") -> None:
        """Lift a freeze of the same scope, or of all its windows, and reset failure counters. Raises ParamError."""
        content = _scope_content(actor, reason, client, dataset, window)
        with self._store.writing() as connection:
            sequence = _append(connection, EntryKind.THAWED, dataset, client, actor, content)
            client_tables.thaw(connection, dataset, client, window, sequence)

    def request_top_up(self, client: str, dataset: str, cap: Loss, *, reason: str, scope: str = EACH_WINDOW) -> int:
        """Request another cap as a client; returns the number of the request.

        Raises ParamError; Forbidden, also for a removed or frozen client.
        """
        content = _client_content(client, client, reason) | _cap_content(dataset, scope, cap)
        with self._store.writing() as connection:
            client_tables.check_spelling(connection, client)
            client_tables.check_standing(connection, client)
            sequence = _append(connection, EntryKind.TOP_UP_REQUESTED, dataset, client, client, content)
            client_tables.insert_top_up(connection, TopUp(sequence, dataset, client, scope, cap, client_tables.OPEN))
            return sequence

    def approve_top_up(self, top_up: int, *, actor: str, reason: str) -> None:
        """Grant the cap that a client has requested; raises ParamError unless the request is open."""
        with self._store.writing() as connection:
            request = client_tables.decide_top_up(connection, top_up, client_tables.APPROVED)
            dataset, client, scope, cap = request.dataset, request.client, request.scope, request.cap
            content = _client_content(client, actor, reason) | _cap_content(dataset, scope, cap) | {"request": top_up}
            sequence = _append(connection, EntryKind.TOP_UP_APPROVED, dataset, client, actor, content)
            client_tables.set_grant(connection, Grant(dataset, client, scope, cap, sequence))

    def decline_top_up(self, top_up: int, *, actor: str, reason: str) -> None:
        """Decline a client's request; raises ParamError unless the request is open."""
        with self._store.writing() as connection:
            request = client_tables.decide_top_up(connection, top_up, client_tables.DECLINED)
            content = _client_content(request.client, actor, reason) | {"request": top_up}
            _append(connection, EntryKind.TOP_UP_DECLINED, request.dataset, request.client, actor, content)

    def top_ups(self, *, open_only: bool = False) -> tuple[TopUp, ...]:
        """Top-up requests of clients with their decisions, oldest first."""
        return self._store.read(client_tables.read_top_ups, client_tables.OPEN if open_only else None)

    def note(self, topic: str, body: Mapping[str, Any], *, actor: str, holder: str = "", dataset: str = "") -> int:
        """Append a note for auditors, free of personal data; returns the sequence of its ledger entry.

        The body is JSON of text, integers, lists and objects. Raises ParamError.
        """
        check_name(topic, "A topic")
        check_name(actor, "An actor")
        with self._store.writing() as connection:
            return _append(connection, NOTE_PREFIX + topic, dataset, holder, actor, body)

    def record_failure(self, charge: Charge) -> None:
        """Record that the execution of a charge failed; the charge stays, and repeated failures freeze accounts.

        Claim: of a client's n executions the failures reveal at most which ones failed, and no client tree can freeze a
        dataset for others. Symbols: failures of a client and of its tree over all datasets; failures of a dataset's
        window, few counted per tree. Formula: frozen at 3, 10 and 10; at most log2(C(n, 0) + ... + C(n, 3)) bits until
        an admin thaws it, without executions that run at the freeze. Source: budgets/accounting/proofs.md#failures.
        Raises LedgerUnavailable, UnsafeStore.
        """
        with self._store.writing() as connection:
            windows = journal.read_windows(connection, charge.id)
            journal.append(connection, [failure_event(charge, windows)])
            counts = {
                key: client_tables.count_failure(connection, *key)
                for key in counter_keys(charge.client, charge.dataset, windows)
            }
            for holder, limit in failure_limits(charge.client).items():
                if counts["", holder, ""] == limit:
                    _freeze_after_failures(connection, "", holder, "", limit)
            for window in sorted(windows):
                by_tree = client_tables.failures_by_tree(connection, charge.dataset, window)
                has_new_counted_failure = (
                    charge.client == OWNER or by_tree[client_tree(charge.client)] <= MAX_COUNTED_PER_CLIENT_TREE
                )
                if has_new_counted_failure and count_window_failures(by_tree) == MAX_FAILURES_PER_WINDOW:
                    _freeze_after_failures(connection, charge.dataset, EVERYBODY, window, MAX_FAILURES_PER_WINDOW)


def _freeze_after_failures(connection: Connection, dataset: str, holder: str, window: str, times: int) -> None:
    """Freeze a holder or a window after `times` failed executions; the ledger itself is the actor."""
    content = {"window": window, "reason": f"{times} failed executions"}
    _freeze(connection, dataset, holder, LEDGER_ACTOR, content)


def _freeze(connection: Connection, dataset: str, holder: str, actor: str, content: Mapping[str, Any]) -> None:
    """Append the event of a freeze, and freeze its scope with the sequence of the new entry."""
    sequence = _append(connection, EntryKind.FROZEN, dataset, holder, actor, content)
    client_tables.freeze(connection, dataset, holder, content["window"], sequence)


def _append(
    connection: Connection, kind: str, dataset: str, holder: str, actor: str, content: Mapping[str, Any]
) -> int:
    """Append one event to the chain; returns the sequence of its entry."""
    return journal.append(connection, [Event(kind, dataset, holder, actor, content=content)])[-1].sequence


def _client_content(client: str, actor: str, reason: str) -> dict[str, Any]:
    """Validate client, actor and reason of an admin operation; returns the entry's body. Raises ParamError."""
    check_client_or_owner(client)
    if client == OWNER:
        raise ParamError("The owner is no client.", "a client's name.")
    return _reason_content(actor, reason)


def _reason_content(actor: str, reason: str) -> dict[str, Any]:
    """Validate actor and reason; returns the entry's body. Raises ParamError for a blank reason."""
    check_name(actor, "An actor")
    check_text(reason, "A reason")
    if not reason.strip():
        raise ParamError("A change of the books has a reason.", "why, in a few words.")
    return {"reason": reason}


def _cap_content(dataset: str, scope: str, cap: Loss) -> dict[str, Any]:
    """Validate dataset, scope and cap of a grant; returns the entry's body. Raises ParamError.

    A rho of 0 is valid: it blocks a client. The delta must leave room for conversion to epsilon.
    """
    check_name(dataset, "A dataset")
    if scope not in (EACH_WINDOW, LIFETIME, PER_QUERY):
        check_window(scope)
    if not 0 < cap.atto_delta < ATTO:
        raise ParamError("A cap must have delta above 0 and below 1.", "delta = 1e-9.")
    return {"scope": scope, "cap": encode_loss(cap)}


def _scope_content(actor: str, reason: str, client: str, dataset: str, window: str) -> dict[str, Any]:
    """Validate the scope of a freeze; returns the entry's body. Raises ParamError.

    An empty field matches everything; client and dataset can't both be empty, or everything would be frozen.
    """
    if not client and not dataset:
        raise ParamError("What is frozen is a client, a group or a dataset.", "a client's or a dataset's name.")
    content = _client_content(client, actor, reason) if client else _reason_content(actor, reason)
    for name, what in ((dataset, "A dataset"), (window, "A window")):
        if name:
            check_name(name, what)
    return content | {"window": window}
