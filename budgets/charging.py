"""Charging: concurrent requests are charged as one batch, with one SQL statement for all of them.

charge_all       charge the batch; if one request is refused, split in halves, down to single requests
charge_together  standing -> earlier charges -> bills -> accounts -> debits -> entries, for all requests or for none

Terms:
    standing       whether a client is registered, removed or frozen
    bill           releases of a request that each holder on the client's path has not paid for yet
    charged terms  loss and windows of a release key, fixed by its first charge
    open           of an account: it has a row, with cap and amount spent; a first charge opens it
    grants         caps that admins set for clients and groups
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate, islice
from types import MappingProxyType
from typing import Any

from sqlalchemy import Connection, Row

from budgets.accounting.accounts import (
    EVERYBODY,
    PER_QUERY,
    Grant,
    budget_refusal,
    check_query_limits,
    effective_caps,
    path_accounts,
    paying_holders,
    query_limits,
)
from budgets.accounting.outlook import PayingAccounts, would_fit
from budgets.accounting.privacy_loss import Loss
from budgets.accounting.records import Bill, Charge, ChargeRequest, make_bill
from budgets.errors import IdempotencyError, LedgerError, ProtocolError
from budgets.log.events import EntryKind, Event, caps_event, charge_event
from budgets.stores import balances, client_tables, journal
from budgets.stores.store import pipelined

Outcome = Charge | Exception


class _NotBatchable(Exception):
    """Internal: one request depends on another of the batch, so they must be charged one after the other."""


def charge_all(connection: Connection, requests: Sequence[ChargeRequest]) -> list[Outcome]:
    """Charge or refuse each request in one transaction; a single request raises its refusal.

    Claim: outcomes and ledger state equal those of charging the requests one after another. Symbols: requests of one
    batch. Formula: charge all in one go if none is refused; otherwise each half by itself.
    Source: proofs.md#charged-together. Raises errors that concern the whole batch.
    """
    if len(requests) == 1:
        return [*charge_together(connection, requests)]
    numbers_by_terms: dict[object, list[int]] = {}  # request numbers, by dataset and caps
    for number, request in enumerate(requests):
        numbers_by_terms.setdefault((request.dataset, request.caps), []).append(number)
    outcomes = dict[int, Outcome]()
    for numbers in numbers_by_terms.values():
        outcomes.update(zip(numbers, _charge_or_split(connection, [requests[each] for each in numbers]), strict=True))
    return [outcomes[number] for number in range(len(requests))]


def _charge_or_split(connection: Connection, requests: Sequence[ChargeRequest]) -> list[Outcome]:
    """Charge the batch, or each half of it by itself; a refused single request is rolled back to its savepoint."""
    if len(requests) == 1:
        try:
            with connection.begin_nested():
                return [*charge_together(connection, requests)]
        except LedgerError as refusal:
            return [refusal]
    try:
        return [*charge_together(connection, requests)]
    except (LedgerError, _NotBatchable):
        half = len(requests) // 2
        return [*_charge_or_split(connection, requests[:half]), *_charge_or_split(connection, requests[half:])]


def charge_together(connection: Connection, requests: Sequence[ChargeRequest]) -> list[Charge]:
    """Charge requests of one dataset and equal caps, all or none; raises the refusal of any.

    For several requests, errors are raised before anything is written. For a single one, the caller rolls back.
    """
    dataset = requests[0].dataset
    standing = client_tables.read_standing(connection, {request.client for request in requests}, dataset)
    for request in requests:
        standing.check(request.client, dataset, request.windows if standing.frozen else ())
    unknown = [request.client for request in requests if not standing.is_registered(request.client)]
    if len(requests) > 1:
        _check_batchable(requests, unknown)
    earlier = journal.find_charges(connection, requests)
    repeats, new = list[ChargeRequest](), list[ChargeRequest]()
    for request in requests:
        (repeats if _idempotency_key(request) in earlier else new).append(request)
    charged = {
        _idempotency_key(request): _repeated_charge(connection, request, earlier[_idempotency_key(request)])
        for request in repeats
    }
    charged |= zip(
        map(_idempotency_key, new), _charge_new(connection, new, clients_known=not unknown) if new else (), strict=True
    )
    for client in unknown if new else ():
        client_tables.add_client(connection, client)
    return [charged[_idempotency_key(request)] for request in requests]


def read_bills(connection: Connection, requests: Sequence[ChargeRequest]) -> list[Bill]:
    """Compute the bills of requests of one dataset, as if charged in order; raises ProtocolError.

    What an earlier request of the batch pays for, a later one does not: `paid` and `charged_terms` grow from bill to
    bill.
    """
    dataset, bills = requests[0].dataset, list[Bill]()
    charged_terms = journal.read_charged_terms(
        connection, dataset, {item.release_key for each in requests for item in each.releases}
    )
    paid = journal.read_paid(connection, dataset, requests, charged_terms) if charged_terms else {}
    for request in requests:
        _check_charged_terms(request, charged_terms)
        bill = make_bill(request, paid)
        for holder, items in bill.unpaid.items():
            paid.setdefault(holder, set()).update(item.release_key for item in items)
        charged_terms |= {item.release_key: (item.loss, frozenset(item.windows)) for item in bill.unpaid[EVERYBODY]}
        bills.append(bill)
    return bills


def read_paying_accounts(
    connection: Connection, request: ChargeRequest, more_windows: Iterable[str] = ()
) -> PayingAccounts:
    """Read the accounts on a client's path for the windows of a request, and for `more_windows`."""
    grants = client_tables.read_grants(connection, request.dataset, paying_holders(request.client))
    windows = dict.fromkeys((*request.windows, *more_windows))
    names = path_accounts(request.client, request.dataset, windows)
    caps = effective_caps(names, request.caps, grants, request.client)
    views = balances.read_accounts_with_caps(connection, request.dataset, caps)
    return PayingAccounts(request.client, {view.name: view for view in views}, query_limits(request.caps, grants))


def _check_batchable(requests: Sequence[ChargeRequest], unknown: Sequence[str]) -> None:
    """Reject batches with a new client or with duplicate request ids: these are charged one by one."""
    if unknown or len(set(map(_idempotency_key, requests))) < len(requests):
        raise _NotBatchable


def _charge_new(connection: Connection, requests: Sequence[ChargeRequest], *, clients_known: bool) -> list[Charge]:
    """Debit requests that were not charged before, and write their ledger entries; charges in the order of requests.

    `clients_known` = all clients are registered. The charge is the last event of its bill, and its entry's sequence is
    the charge id. Releases that anybody was charged for may be stored already.
    """
    dataset, bills = requests[0].dataset, read_bills(connection, requests)
    events_by_bill = [_events_of(*each) for each in _debit_bills(connection, bills, clients_known=clients_known)]
    rows = journal.link_entries(connection, [event for events in events_by_bill for event in events])
    # the opening entry may be first
    ends = accumulate(map(len, events_by_bill), initial=len(rows) - sum(map(len, events_by_bill)))
    charged = {rows[end - 1].sequence: bill for end, bill in zip(islice(ends, 1, None), bills, strict=True)}
    charged_keys = {key for bill in bills for key in bill.already_charged}
    stored = journal.read_releases(connection, dataset, charged_keys) if charged_keys else {}
    with pipelined(connection):
        journal.insert_entries(connection, rows)
        journal.write_charges(connection, charged)
        return [
            _charge(
                bill.request,
                charge_id,
                bill.client_loss,
                tuple(item.release_key for item in bill.request.distinct_releases),
                stored,
            )
            for charge_id, bill in charged.items()
        ]


def _debit_bills(
    connection: Connection, bills: Sequence[Bill], *, clients_known: bool
) -> list[tuple[Bill, balances.OpenedAccounts]]:
    """Debit bills; returns each with the accounts it opened. A new client's accounts have to be opened first.

    If accounts are missing, have other caps or are short, a batch is split (_NotBatchable) and a single bill opens
    them.
    """
    grants = client_tables.read_grants(
        connection, bills[0].request.dataset, {holder for bill in bills for holder in bill.unpaid}
    )
    query_grants = [grant for grant in grants if grant.scope == PER_QUERY]
    for bill in bills:
        _check_query_limits(connection, bill, query_grants)
    opened = balances.OpenedAccounts()
    if not clients_known or not balances.debit_all(connection, bills, grants):
        if len(bills) > 1:
            raise _NotBatchable
        opened = _open_and_debit(connection, bills[0], grants)
    return [(bill, opened) for bill in bills]


def _check_query_limits(connection: Connection, bill: Bill, grants: Sequence[Grant]) -> None:
    """Reject a query above the price limit of one query; raises BudgetRefused."""
    limits = query_limits(bill.request.caps, [grant for grant in grants if grant.holder in bill.unpaid])
    check_query_limits(bill.client_loss, limits, bill.request.client, lambda: _largest_price(connection, bill))


def _open_and_debit(connection: Connection, bill: Bill, grants: Sequence[Grant]) -> balances.OpenedAccounts:
    """Open the accounts of a bill, or move them to current caps, and debit them all; raises BudgetRefused."""
    opened = balances.open_accounts(connection, bill, grants)
    if not balances.debit_all(connection, [bill], grants):
        largest_price = _largest_price(connection, bill)
        raise budget_refusal(balances.read_debits(connection, bill), largest_price)
    return opened


def _largest_price(connection: Connection, bill: Bill) -> Loss:
    """Largest affordable price of a query like this one."""
    return would_fit(read_paying_accounts(connection, bill.request), bill.request.distinct_releases)


def _events_of(bill: Bill, opened: balances.OpenedAccounts) -> list[Event]:
    """Ledger events of a bill: accounts opened, caps changed, then the charge."""
    events = [caps_event(bill, EntryKind.ACCOUNT_OPENED, *each) for each in opened.new.items()]
    events += [caps_event(bill, EntryKind.CAP_CHANGED, *each) for each in opened.changed.items()]
    return [*events, charge_event(bill)]


def _check_charged_terms(request: ChargeRequest, charged_terms: Mapping[str, journal.ChargedTerms]) -> None:
    """Check that each release key has the price and windows of its first charge; raises ProtocolError."""
    for item in request.releases:
        terms = item.loss, frozenset(item.windows)
        if charged_terms.get(item.release_key, terms) != terms:
            raise ProtocolError(
                "A release key stands for one price and one set of windows, and this one was charged with others.",
                "a release key made of everything that the price depends on.",
            )


def _repeated_charge(connection: Connection, request: ChargeRequest, earlier: Row[Any]) -> Charge:
    """Return the earlier charge of the same request id; raises IdempotencyError if its query differs.

    Fewer releases than before are the same query: the others can be derived from stored ones now. More are not.
    """
    if (earlier.body_digest, earlier.dataset) != (request.body_digest, request.dataset):
        raise IdempotencyError(
            f"Request id {request.request_id!r} was used for another question.", "a new request id for a new question."
        )
    keys = journal.read_release_keys(connection, earlier.id)
    if not {item.release_key for item in request.releases} <= set(keys):  # fewer: others are derivable now
        raise IdempotencyError(
            f"Request id {request.request_id!r} was charged for what is not given any more: the data have a new"
            " version, or the engine has, or it is too old.",
            "a new request id.",
        )
    stored = journal.read_releases(connection, request.dataset, keys)
    return _charge(request, earlier.id, Loss(earlier.pico_rho, earlier.atto_delta), keys, stored, repeated=True)


def _charge(
    request: ChargeRequest,
    charge_id: int,
    loss: Loss,
    keys: tuple[str, ...],
    stored: Mapping[str, bytes],
    *,
    repeated: bool = False,
) -> Charge:
    """Charge to return: payloads of the releases that are stored already, and the keys still to be run.

    `stored` = payloads by key, `repeated` = nothing was debited now.
    """
    payloads = {key: stored[key] for key in keys if key in stored}
    to_run = tuple(key for key in keys if key not in stored)
    identity = (request.client, request.dataset, request.request_id)
    return Charge(charge_id, *identity, loss, keys, to_run, MappingProxyType(payloads), repeated)


def _idempotency_key(request: ChargeRequest) -> tuple[str, str]:
    """Idempotency key of a request: client and request id."""
    return request.client, request.request_id
