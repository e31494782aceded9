"""Accounts as SQL: open, debit under a condition, read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Row, bindparam, cast, func, insert, select, update

from budgets.accounts import AccountName, AccountView
from budgets.bill import Bill
from budgets.conversion import THRESHOLD_PARTS
from budgets.holders import EVERYBODY
from budgets.loss import NOTHING, Loss
from budgets.policy import STATIC, Debit, Grant, check_ceiling, granted, refusal
from budgets.stores.listed import among, each_of, listed
from budgets.stores.schema import accounts

Caps = dict[tuple[str, ...], dict[str, Loss]]  # by windows, then by holder


@dataclass(frozen=True)
class Opened:
    """What opening the accounts of a charge changed: caps by windows, then by holder."""

    new: Caps = field(default_factory=dict)  # accounts opened by this charge
    recapped: Caps = field(default_factory=dict)  # accounts whose cap was moved since


_OF_DEBIT = (
    accounts.c.dataset == bindparam("of_dataset"),
    accounts.c.holder.in_(bindparam("of_holders", expanding=True)),
    among(accounts.c.window_name, "of_windows"),
)
_DEBIT = (
    update(accounts)
    .where(
        *_OF_DEBIT,
        accounts.c.spent_pico_rho <= accounts.c.cap_pico_rho - bindparam("more_pico_rho"),
        accounts.c.spent_atto_delta <= accounts.c.cap_atto_delta // THRESHOLD_PARTS - bindparam("more_atto_delta"),
    )
    .values(
        spent_pico_rho=accounts.c.spent_pico_rho + bindparam("more_pico_rho"),
        spent_atto_delta=accounts.c.spent_atto_delta + bindparam("more_atto_delta"),
    )
)
_READ = select(accounts).where(*_OF_DEBIT)
_OPENED_WITH = {
    accounts.c.dataset: "dataset",
    accounts.c.holder: "holder",
    accounts.c.ceiling_pico_rho: "pico_rho",
    accounts.c.ceiling_atto_delta: "atto_delta",
    accounts.c.cap_pico_rho: "pico_rho",
    accounts.c.cap_atto_delta: "atto_delta",
    accounts.c.spent_pico_rho: "nothing",
    accounts.c.spent_atto_delta: "nothing",
}
_OPEN = insert(accounts).from_select(
    [accounts.c.window_name, *_OPENED_WITH],
    select(each_of("of_windows"), *(cast(bindparam(of), column.type) for column, of in _OPENED_WITH.items())),
)
_CAPS = (accounts.c.cap_pico_rho, accounts.c.cap_atto_delta)
_UNCHANGED = (
    select(accounts.c.holder, func.count(), *(extreme(cap) for extreme in (func.min, func.max) for cap in _CAPS))
    .where(*_OF_DEBIT)
    .group_by(accounts.c.holder)
)


def open_accounts(connection: Connection, bill: Bill, grants: Sequence[Grant]) -> Opened:
    """Make the accounts of a charge that are not there, and move the others to today's caps.

    Claim: a dataset's ceiling is fixed by its first charge and only by it. Symbols: ceiling, cap of today.
    Formula: ceiling := cap at opening; of other accounts ceiling := max(ceiling, cap) afterwards.
    Source: proofs.md#the-filter. Raises CeilingRaised when today's cap of a dataset is above its ceiling.
    """
    opened = Opened()
    for debit in bill.debits:
        today = {holder: tuple(_todays(bill, grants, holder, debit.windows)) for holder in debit.holders}
        if not _all_there(connection, bill, debit, today):
            _open(connection, bill.request.dataset, debit, today, opened)
    return opened


def debit_all(connection: Connection, dataset: str, debits: Sequence[Debit], fits: Callable[[], Loss]) -> None:
    """Debit every account or none, never beyond its cap; `fits` tells, where one is short, what would fit instead.

    Claim: after every transaction spent <= chargeable(cap at that charge) for each account.
    Symbols: spent before and cap of the account's own row, loss. Formula: spent := spent + loss
    WHERE spent <= chargeable(cap) - loss, and as many rows change as there are accounts, else none is changed.
    Source: proofs.md#never-over-the-cap. Raises BudgetRefused.
    """
    together = connection.begin_nested()
    for debit in debits:
        if connection.execute(_DEBIT, _debit_row(dataset, debit)).rowcount != len(debit.holders) * len(debit.windows):
            together.rollback()
            raise refusal(_read_asked(connection, dataset, debits), fits())
    together.commit()


def read_accounts(connection: Connection, dataset: str | None) -> tuple[AccountView, ...]:
    """Give every account of a dataset, or of all, the shared ones of each window first."""
    statement = select(accounts).order_by(accounts.c.dataset, accounts.c.window_name, accounts.c.holder)
    if dataset is not None:
        statement = statement.where(accounts.c.dataset == dataset)
    return tuple(_view(row) for row in connection.execute(statement))


def read_account(connection: Connection, name: AccountName, cap: Loss | None) -> AccountView | None:
    """Give one account, under today's cap where one is given; None for one that is neither open nor capped."""
    of_name = (accounts.c.dataset == name.dataset, accounts.c.window_name == name.window)
    row = connection.execute(select(accounts).where(*of_name, accounts.c.holder == name.holder)).one_or_none()
    if row is None:
        return None if cap is None else AccountView(name, cap, NOTHING)
    return _under(name, _cap(row) if cap is None else cap, row)


def read_under(connection: Connection, dataset: str, caps: Mapping[AccountName, Loss]) -> tuple[AccountView, ...]:
    """Give some accounts of a dataset under the caps that hold today; one that is not open has spent nothing."""
    asked = {"of_dataset": dataset, "of_holders": list({name.holder for name in caps})}
    rows = connection.execute(_READ, asked | {"of_windows": listed({name.window for name in caps})})
    found = {_name(row): row for row in rows}
    return tuple(_under(name, cap, found.get(name)) for name, cap in caps.items())


def read_datasets(connection: Connection) -> tuple[str, ...]:
    """Give the datasets that were ever charged."""
    return tuple(connection.execute(select(accounts.c.dataset).distinct().order_by(accounts.c.dataset)).scalars())


def read_ceilings(connection: Connection, dataset: str, windows: Sequence[str]) -> dict[AccountName, Loss]:
    """Give the ceilings that first charges of a dataset have fixed."""
    asked = {"of_dataset": dataset, "of_holders": [EVERYBODY], "of_windows": listed(windows)}
    return {_name(row): _ceiling(row) for row in connection.execute(_READ, asked)}


def _todays(
    bill: Bill, grants: Iterable[Grant], holder: str, windows: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], Loss]]:
    """Give today's cap of a holder's accounts, windows of one cap together."""
    request = bill.request
    mine = [grant for grant in grants if grant.holder == holder]
    apart = {STATIC} | {grant.scope for grant in mine}
    alike = tuple(window for window in windows if window not in apart)
    for alone in ([alike] if alike else []) + [(window,) for window in windows if window in apart]:
        account = AccountName(request.dataset, alone[0], holder)
        yield alone, granted(request.caps.of(account, request.client), mine, account)


Todays = Mapping[str, tuple[tuple[tuple[str, ...], Loss], ...]]


def _all_there(connection: Connection, bill: Bill, debit: Debit, today: Todays) -> bool:
    """Tell whether every account is there with today's cap, from one row for each holder."""
    found = connection.execute(_UNCHANGED, _of_debit(bill.request.dataset, debit)).all()
    there = {holder: told for holder, *told in found}
    return all(
        len(caps) == 1 and there.get(holder) == [len(debit.windows), *_units(caps[0][1]), *_units(caps[0][1])]
        for holder, caps in today.items()
    )


def _open(connection: Connection, dataset: str, debit: Debit, today: Todays, opened: Opened) -> None:
    rows = {(row.holder, row.window_name): row for row in connection.execute(_READ, _of_debit(dataset, debit))}
    for holder, windows, cap in ((holder, *each) for holder, caps in today.items() for each in caps):
        new = tuple(window for window in windows if (holder, window) not in rows)
        old = [rows[holder, window] for window in windows if (holder, window) in rows]
        for row in old:
            check_ceiling(_name(row), cap, _ceiling(row))
        moved = tuple(row.window_name for row in old if _cap(row) != cap)
        if new:
            _insert(connection, dataset, holder, new, cap)
            opened.new.setdefault(new, {})[holder] = cap
        if moved:
            recap(connection, [_name(rows[holder, window]) for window in moved], cap)
            opened.recapped.setdefault(moved, {})[holder] = cap


def _insert(connection: Connection, dataset: str, holder: str, windows: Iterable[str], cap: Loss) -> None:
    pico_rho, atto_delta = _units(cap)
    row = {"dataset": dataset, "holder": holder, "of_windows": listed(windows)}
    connection.execute(_OPEN, row | {"pico_rho": pico_rho, "atto_delta": atto_delta, "nothing": 0})


def recap(connection: Connection, names: Sequence[AccountName], cap: Loss) -> None:
    """Move accounts to another cap; a ceiling of others than everybody follows upwards."""
    of_names = {"of_dataset": names[0].dataset, "of_holders": [names[0].holder]}
    of_names["of_windows"] = listed(name.window for name in names)
    for part, units in zip(("pico_rho", "atto_delta"), _units(cap), strict=True):
        ceiling, own = accounts.c[f"ceiling_{part}"], accounts.c[f"cap_{part}"]
        raised = update(accounts).where(*_OF_DEBIT, ceiling < units).values({ceiling: units})
        connection.execute(raised, of_names)
        connection.execute(update(accounts).where(*_OF_DEBIT).values({own: units}), of_names)


def _read_asked(connection: Connection, dataset: str, debits: Iterable[Debit]) -> Iterator[tuple[AccountView, Loss]]:
    """Pair each account of some debits with what it was to pay."""
    for debit in debits:
        for row in connection.execute(_READ, _of_debit(dataset, debit)):
            yield _view(row), debit.loss


def _under(name: AccountName, cap: Loss, row: Row[Any] | None) -> AccountView:
    """Show an account; a dataset's cap is never above its ceiling."""
    if row is None:
        return AccountView(name, cap, NOTHING)
    return AccountView(name, cap.smaller_of(_ceiling(row)) if name.holder == EVERYBODY else cap, _spent(row))


def _view(row: Row[Any]) -> AccountView:
    return AccountView(_name(row), _cap(row), _spent(row))


def _name(row: Row[Any]) -> AccountName:
    return AccountName(row.dataset, row.window_name, row.holder)


def _cap(row: Row[Any]) -> Loss:
    return Loss(row.cap_pico_rho, row.cap_atto_delta)


def _ceiling(row: Row[Any]) -> Loss:
    return Loss(row.ceiling_pico_rho, row.ceiling_atto_delta)


def _spent(row: Row[Any]) -> Loss:
    return Loss(row.spent_pico_rho, row.spent_atto_delta)


def _units(loss: Loss) -> tuple[int, int]:
    return loss.pico_rho, loss.atto_delta


def _of_debit(dataset: str, debit: Debit) -> dict[str, object]:
    return {"of_dataset": dataset, "of_holders": list(debit.holders), "of_windows": listed(debit.windows)}


def _debit_row(dataset: str, debit: Debit) -> dict[str, object]:
    more = {"more_pico_rho": debit.loss.pico_rho, "more_atto_delta": debit.loss.atto_delta}
    return _of_debit(dataset, debit) | more
