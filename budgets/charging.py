"""Charging: what askers ask at the same time is charged together, by statements for all of them.

charge_all       as many together as can be; where one is refused, halves, down to the one
charge_together  standing -> earlier charges -> bills -> accounts -> debits -> rows, for all or for none
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate, islice
from types import MappingProxyType
from typing import Any

from sqlalchemy import Connection, Row

from budgets.accounting.accounts import path_accounts
from budgets.accounting.bill import Bill, make_bill
from budgets.accounting.holders import EVERYBODY, payers
from budgets.accounting.loss import Loss
from budgets.accounting.outlook import Room, would_fit
from budgets.accounting.policy import PER_QUERY, Grant, check_query, query_limits, refusal, todays_caps
from budgets.accounting.records import Charge, ChargeRequest
from budgets.errors import IdempotencyError, LedgerError, ProtocolError
from budgets.log.events import EntryKind, Event, caps_said, charge_said
from budgets.stores import balances, clients, journal
from budgets.stores.store import sent_together

Outcome = Charge | Exception


class _NotTogether(Exception):
    """Requests of which one has to be seen before the other is charged; never seen outside."""


def charge_all(connection: Connection, requests: Sequence[ChargeRequest]) -> list[Outcome]:
    """Charge each request or refuse it, in one transaction; one alone raises its refusal.

    Claim: what comes of the requests, and what is written, is what would come of charging them one after another.
    Symbols: requests of one moment. Formula: all together where nothing is refused; else each half by itself.
    Source: proofs.md#charged-together. Raises what fails for all.
    """
    if len(requests) == 1:
        return [*charge_together(connection, requests)]
    alike: dict[object, list[int]] = {}  # of one dataset, under the same caps
    for number, request in enumerate(requests):
        alike.setdefault((request.dataset, request.caps), []).append(number)
    outcomes = dict[int, Outcome]()
    for numbers in alike.values():
        outcomes.update(zip(numbers, _in_halves(connection, [requests[each] for each in numbers]), strict=True))
    return [outcomes[number] for number in range(len(requests))]


def _in_halves(connection: Connection, requests: Sequence[ChargeRequest]) -> list[Outcome]:
    """Charge all of them, or each half by itself; one that is refused undoes what it has written."""
    if len(requests) == 1:
        try:
            with connection.begin_nested():
                return [*charge_together(connection, requests)]
        except LedgerError as refusal:
            return [refusal]
    try:
        return [*charge_together(connection, requests)]
    except (LedgerError, _NotTogether):
        half = len(requests) // 2
        return [*_in_halves(connection, requests[:half]), *_in_halves(connection, requests[half:])]


def charge_together(connection: Connection, requests: Sequence[ChargeRequest]) -> list[Charge]:
    """Charge requests of one dataset under the same caps; raises the refusal of any.

    What it raises of several was raised before anything was written; of one, the caller undoes what was.
    """
    dataset = requests[0].dataset
    found = clients.read_standing(connection, {request.client for request in requests}, dataset)
    for request in requests:
        found.check(request.client, dataset, request.windows if found.frozen else ())
    unknown = [request.client for request in requests if not found.knows(request.client)]
    if len(requests) > 1:
        _check_apart(requests, unknown)
    earlier = journal.find_charges(connection, requests)
    again, new = list[ChargeRequest](), list[ChargeRequest]()
    for request in requests:
        (again if _name(request) in earlier else new).append(request)
    charged = {_name(request): _repeat(connection, request, earlier[_name(request)]) for request in again}
    charged |= zip(map(_name, new), _charge_new(connection, new, are_known=not unknown) if new else (), strict=True)
    for client in unknown if new else ():
        clients.add_client(connection, client)
    return [charged[_name(request)] for request in requests]


def read_bills(connection: Connection, requests: Sequence[ChargeRequest]) -> list[Bill]:
    """Make the bills of requests of one dataset, as if each had been charged before the next; raises ProtocolError."""
    dataset, bills = requests[0].dataset, list[Bill]()
    meanings = journal.read_meanings(
        connection, dataset, {item.release_key for each in requests for item in each.items}
    )
    paid = journal.read_paid(connection, dataset, requests, meanings) if meanings else {}
    for request in requests:
        _check_meaning(request, meanings)
        bill = make_bill(request, paid)
        for holder, items in bill.unpaid.items():
            paid.setdefault(holder, set()).update(item.release_key for item in items)
        meanings |= {item.release_key: (item.loss, frozenset(item.windows)) for item in bill.unpaid[EVERYBODY]}
        bills.append(bill)
    return bills


def read_room(connection: Connection, request: ChargeRequest, more_windows: Iterable[str] = ()) -> Room:
    """Read every account on a client's path in the windows of a question, and in some more."""
    grants = clients.read_grants(connection, request.dataset, payers(request.client))
    windows = dict.fromkeys((*request.windows, *more_windows))
    names = path_accounts(request.client, request.dataset, windows)
    caps = todays_caps(names, request.caps, grants, request.client)
    views = balances.read_under(connection, request.dataset, caps)
    return Room(request.client, {view.name: view for view in views}, query_limits(request.caps, grants))


def _check_apart(requests: Sequence[ChargeRequest], unknown: Sequence[str]) -> None:
    """Leave who was never charged, and who asks twice under one request id, to be charged one after another."""
    if unknown or len(set(map(_name, requests))) < len(requests):
        raise _NotTogether


def _charge_new(connection: Connection, requests: Sequence[ChargeRequest], *, are_known: bool) -> list[Charge]:
    """Debit what requests cost that were not made before, and write them down."""
    dataset, bills = requests[0].dataset, read_bills(connection, requests)
    said = [_said(*each) for each in _debited(connection, bills, are_known=are_known)]
    rows = journal.follow(connection, [event for events in said for event in events])
    ends = accumulate(map(len, said), initial=len(rows) - sum(map(len, said)))  # the first row of all may be another
    charged = {rows[end - 1].sequence: bill for end, bill in zip(islice(ends, 1, None), bills, strict=True)}
    known = {key for bill in bills for key in bill.known}
    stored = journal.read_releases(connection, dataset, known) if known else {}
    with sent_together(connection):
        journal.write(connection, rows)
        journal.write_charges(connection, charged)
        return [
            _charge(bill.request, charge_id, bill.client_loss, _keys(bill.request), stored)
            for charge_id, bill in charged.items()
        ]


def _debited(connection: Connection, bills: Sequence[Bill], *, are_known: bool) -> list[tuple[Bill, balances.Opened]]:
    """Debit all that some bills ask for; give with each what accounts it opened. Who is not known has none yet."""
    grants = clients.read_grants(
        connection, bills[0].request.dataset, {holder for bill in bills for holder in bill.unpaid}
    )
    of_query = [grant for grant in grants if grant.scope == PER_QUERY]
    for bill in bills:
        _check_query(connection, bill, of_query)
    opened = balances.Opened()
    if not are_known or not balances.debit_all(connection, bills, grants):
        if len(bills) > 1:
            raise _NotTogether
        opened = _open_and_debit(connection, bills[0], grants)
    return [(bill, opened) for bill in bills]


def _check_query(connection: Connection, bill: Bill, grants: Sequence[Grant]) -> None:
    """Refuse a question that costs its client more than one question may; raises BudgetRefused."""
    limits = query_limits(bill.request.caps, [grant for grant in grants if grant.holder in bill.unpaid])
    check_query(bill.client_loss, limits, bill.request.client, lambda: _fits(connection, bill))


def _open_and_debit(connection: Connection, bill: Bill, grants: Sequence[Grant]) -> balances.Opened:
    """Open the accounts of a bill, or move them to today's caps, and debit them all; raises BudgetRefused."""
    opened = balances.open_accounts(connection, bill, grants)
    if not balances.debit_all(connection, [bill], grants):
        fits = _fits(connection, bill)
        raise refusal(balances.read_asked(connection, bill), fits)
    return opened


def _fits(connection: Connection, bill: Bill) -> Loss:
    """Give what a question like this may cost at most."""
    return would_fit(read_room(connection, bill.request), bill.request.distinct_items)


def _said(bill: Bill, opened: balances.Opened) -> list[Event]:
    """Say what a bill opened, and then that it was charged."""
    said = [caps_said(bill, EntryKind.ACCOUNT_OPENED, *each) for each in opened.new.items()]
    said += [caps_said(bill, EntryKind.CAP_CHANGED, *each) for each in opened.recapped.items()]
    return [*said, charge_said(bill)]


def _check_meaning(request: ChargeRequest, meanings: Mapping[str, journal.Meaning]) -> None:
    """Refuse a release key that was charged before with another price or other windows; raises ProtocolError."""
    for item in request.items:
        if meanings.get(item.release_key, (item.loss, frozenset(item.windows))) != (item.loss, frozenset(item.windows)):
            raise ProtocolError(
                "A release key stands for one price and one set of windows, and this one was charged with others.",
                "a release key made of everything that the price depends on.",
            )


def _repeat(connection: Connection, request: ChargeRequest, earlier: Row[Any]) -> Charge:
    """Give the charge that the same request made before; it pays for its own releases and for nothing else."""
    if (earlier.body_digest, earlier.dataset) != (request.body_digest, request.dataset):
        raise IdempotencyError(
            f"Request id {request.request_id!r} was used for another question.", "a new request id for a new question."
        )
    keys = journal.read_keys(connection, earlier.id)
    if not {item.release_key for item in request.items} <= set(keys):  # fewer: what was stored since says the rest
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
    mine = {key: stored[key] for key in keys if key in stored}
    to_run = tuple(key for key in keys if key not in stored)
    about = (request.client, request.dataset, request.request_id)
    return Charge(charge_id, *about, loss, keys, to_run, MappingProxyType(mine), repeated)


def _keys(request: ChargeRequest) -> tuple[str, ...]:
    return tuple(item.release_key for item in request.distinct_items)


def _name(request: ChargeRequest) -> tuple[str, str]:
    """Give what a request is known by."""
    return request.client, request.request_id
