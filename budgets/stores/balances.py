"""The accounts table: open accounts, debit them conditionally, read them.

Terms:
    account      row for dataset, holder and privacy window (or the lifetime): ceiling, cap and amount spent
    current cap  cap that applies now, by catalog and grants; the row has that of its last charge
    open         insert the row of an account, with its ceiling equal to its cap
    of_holders, of_windows  lists in SQL parameters: one statement reads or debits all their combinations
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Row, bindparam, cast, insert, select, true, update

from budgets.accounting.accounts import (
    EVERYBODY,
    STATIC_WINDOW,
    AccountName,
    AccountView,
    Debit,
    Grant,
    check_ceiling,
    effective_cap,
)
from budgets.accounting.privacy_loss import THRESHOLD_DELTA_DIVISOR, ZERO_LOSS, Loss
from budgets.accounting.records import Bill, sum_debits
from budgets.stores.group_commit import execute_directly
from budgets.stores.schema import accounts
from budgets.stores.store import change_rows, fetch_rows, in_list, list_elements

CapsByWindows = dict[tuple[str, ...], dict[str, Loss]]  # by windows, then by holder


@dataclass(frozen=True)
class OpenedAccounts:
    """What opening the accounts of a charge changed: caps by windows, then by holder."""

    new: CapsByWindows = field(default_factory=dict)  # accounts opened by this charge
    changed: CapsByWindows = field(default_factory=dict)  # accounts whose cap this charge changed


_IN_DEBIT = (
    accounts.c.dataset == bindparam("of_dataset"),
    in_list(accounts.c.holder, "of_holders"),
    in_list(accounts.c.window_name, "of_windows"),
)
_DEBIT = (
    update(accounts)
    .where(
        *_IN_DEBIT,
        accounts.c.cap_pico_rho == bindparam("todays_pico_rho"),
        accounts.c.cap_atto_delta == bindparam("todays_atto_delta"),
        accounts.c.spent_pico_rho <= accounts.c.cap_pico_rho - bindparam("more_pico_rho"),
        accounts.c.spent_atto_delta
        <= accounts.c.cap_atto_delta // THRESHOLD_DELTA_DIVISOR - bindparam("more_atto_delta"),
    )
    .values(
        spent_pico_rho=accounts.c.spent_pico_rho + bindparam("more_pico_rho"),
        spent_atto_delta=accounts.c.spent_atto_delta + bindparam("more_atto_delta"),
    )
)
_READ = select(accounts).where(*_IN_DEBIT)
_OPENED_VALUES = {  # column: name of the SQL parameter with its value
    accounts.c.dataset: "dataset",
    accounts.c.ceiling_pico_rho: "pico_rho",
    accounts.c.ceiling_atto_delta: "atto_delta",
    accounts.c.cap_pico_rho: "pico_rho",
    accounts.c.cap_atto_delta: "atto_delta",
    accounts.c.spent_pico_rho: "nothing",
    accounts.c.spent_atto_delta: "nothing",
}
_HOLDERS, _WINDOWS = list_elements("of_holders"), list_elements("of_windows")
_OPEN = insert(accounts).from_select(
    [accounts.c.holder, accounts.c.window_name, *_OPENED_VALUES],
    select(
        _HOLDERS.c.value, _WINDOWS.c.value, *(cast(bindparam(of), column.type) for column, of in _OPENED_VALUES.items())
    ).select_from(_HOLDERS.join(_WINDOWS, true())),
)


def open_accounts(connection: Connection, bill: Bill, grants: Sequence[Grant]) -> OpenedAccounts:
    """Open the missing accounts of a charge, and set the others to their current caps.

    Claim: a dataset's ceiling is fixed by its first charge and only by it. Symbols: ceiling, current cap. Formula:
    ceiling := cap at opening; for other accounts ceiling := max(ceiling, cap) afterwards. Source:
    budgets/accounting/proofs.md#the-filter. Raises CeilingRaised if a dataset's current cap exceeds its ceiling.

    Returns what it opened and what it changed, for the ledger entries of the charge.
    """
    opened, dataset = OpenedAccounts(), bill.request.dataset
    of_holders = [*{holder for debit in bill.debits for holder in debit.holders}]
    of_windows = [*{window for debit in bill.debits for window in debit.windows}]
    parameters = {"of_dataset": dataset, "of_holders": of_holders, "of_windows": of_windows}
    rows = {(row.holder, row.window_name): row for row in fetch_rows(connection, _READ, parameters)}
    for debit in bill.debits:
        # current = (holder, its (windows, current cap) pairs); payer = holder of one of them
        current = ((holder, _caps_by_windows(bill, grants, holder, debit.windows)) for holder in debit.holders)
        for payer, windows, cap in ((holder, *each) for holder, caps in current for each in caps):
            new = tuple(window for window in windows if (payer, window) not in rows)
            old = [rows[payer, window] for window in windows if (payer, window) in rows]
            for row in old:
                check_ceiling(_name(row), cap, _ceiling(row))
            if new:
                opened.new.setdefault(new, {})[payer] = cap
            if moved := tuple(row.window_name for row in old if _cap(row) != cap):
                set_caps(connection, [AccountName(dataset, window, payer) for window in moved], cap)
                opened.changed.setdefault(moved, {})[payer] = cap
    _insert(connection, dataset, opened.new)
    return opened


def debit_all(connection: Connection, bills: Sequence[Bill], grants: Sequence[Grant]) -> bool:
    """Debit every account of some bills of one dataset, or none; returns whether they were debited.

    Claim: after every transaction spent <= chargeable(cap at that charge) for each account. Symbols: spent before and
    cap of the account's own row, loss. Formula: spent := spent + loss WHERE cap = current cap AND spent <=
    chargeable(cap) - loss; if fewer rows change than there are accounts, all is rolled back: an account is missing, has
    another cap, or is short. Source: proofs.md#never-over-the-cap. Raises nothing.
    """
    debits = sum_debits(bills)
    rows = [row for debit in debits for row in _debit_rows(bills, grants, debit)]
    execute_directly(connection, "SAVEPOINT debits")
    is_charged = not rows or change_rows(connection, _DEBIT, rows) == sum(debit.accounts for debit in debits)
    if not is_charged:
        execute_directly(connection, "ROLLBACK TO SAVEPOINT debits")
    execute_directly(connection, "RELEASE SAVEPOINT debits")
    return is_charged


def read_debits(connection: Connection, bill: Bill) -> Iterator[tuple[AccountView, Loss]]:
    """Pair each account of a bill with the loss it is to be debited."""
    for debit in bill.debits:
        for row in fetch_rows(connection, _READ, _debit_parameters(bill.request.dataset, debit)):
            yield _view(row), debit.loss


def read_accounts(connection: Connection, dataset: str | None) -> tuple[AccountView, ...]:
    """Read the accounts of a dataset, or of all; in each window, shared accounts come first."""
    statement = select(accounts).order_by(accounts.c.dataset, accounts.c.window_name, accounts.c.holder)
    if dataset is not None:
        statement = statement.where(accounts.c.dataset == dataset)
    return tuple(_view(row) for row in connection.execute(statement))


def read_account(connection: Connection, name: AccountName, cap: Loss | None) -> AccountView | None:
    """Read one account under `cap`, or under its stored cap if None; None if it is neither open nor capped."""
    conditions = (accounts.c.dataset == name.dataset, accounts.c.window_name == name.window)
    row = connection.execute(select(accounts).where(*conditions, accounts.c.holder == name.holder)).one_or_none()
    if row is None:
        return None if cap is None else AccountView(name, cap, ZERO_LOSS)
    return _view_with_cap(name, _cap(row) if cap is None else cap, row)


def read_accounts_with_caps(
    connection: Connection, dataset: str, caps: Mapping[AccountName, Loss]
) -> tuple[AccountView, ...]:
    """Read accounts of a dataset under the given caps; an account that is not open has spent nothing."""
    of_holders, of_windows = [*{name.holder for name in caps}], [*{name.window for name in caps}]
    parameters = {"of_dataset": dataset, "of_holders": of_holders, "of_windows": of_windows}
    found = {_name(row): row for row in fetch_rows(connection, _READ, parameters)}
    return tuple(_view_with_cap(name, cap, found.get(name)) for name, cap in caps.items())


def read_datasets(connection: Connection) -> tuple[str, ...]:
    """Datasets with at least one account, that is with a charge."""
    return tuple(connection.execute(select(accounts.c.dataset).distinct().order_by(accounts.c.dataset)).scalars())


def read_ceilings(connection: Connection, dataset: str, windows: Sequence[str]) -> dict[AccountName, Loss]:
    """Read the ceilings that the first charges of a dataset fixed, by dataset account."""
    parameters = {"of_dataset": dataset, "of_holders": [EVERYBODY], "of_windows": windows}
    return {_name(row): _ceiling(row) for row in fetch_rows(connection, _READ, parameters)}


def _caps_by_windows(
    bill: Bill, grants: Iterable[Grant], holder: str, windows: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], Loss]]:
    """Group a holder's windows by current cap: windows without a cap of their own share one."""
    request = bill.request
    own_grants = [grant for grant in grants if grant.holder == holder]
    single_windows = {STATIC_WINDOW} | {grant.scope for grant in own_grants}
    common_windows = tuple(window for window in windows if window not in single_windows)
    for windows_of_cap in ([common_windows] if common_windows else []) + [
        (window,) for window in windows if window in single_windows
    ]:
        account = AccountName(request.dataset, windows_of_cap[0], holder)
        yield windows_of_cap, effective_cap(request.caps.cap_of(account, request.client), own_grants, account)


def _debit_rows(bills: Sequence[Bill], grants: Sequence[Grant], debit: Debit) -> Iterator[dict[str, Any]]:
    """Build the parameters of the UPDATE for a debit: one row for each group of holders and windows with equal caps.

    Clients without a grant share the catalog's cap, so they are grouped together; other holders are looked up one by
    one.
    """
    first, bill_by_client = bills[0].request, {bill.request.client: bill for bill in bills}
    # clients without grants: the catalog's cap
    default_cap_clients = bill_by_client.keys() - {grant.holder for grant in grants}
    by_cap: dict[str | None, list[str]] = {}
    for holder in debit.holders:
        by_cap.setdefault(None if holder in default_cap_clients else holder, []).append(holder)
    holders_by_terms: dict[tuple[tuple[str, ...], Loss], list[str]] = {}
    for holders in by_cap.values():
        for windows_and_cap in _caps_by_windows(
            bill_by_client.get(holders[0], bills[0]), grants, holders[0], debit.windows
        ):
            holders_by_terms.setdefault(windows_and_cap, []).extend(holders)
    for (windows, cap), holders in holders_by_terms.items():
        row = _debit_parameters(first.dataset, Debit(tuple(holders), windows, debit.loss))
        row |= {"todays_pico_rho": cap.pico_rho, "todays_atto_delta": cap.atto_delta}
        yield row | {"more_pico_rho": debit.loss.pico_rho, "more_atto_delta": debit.loss.atto_delta}


def _insert(connection: Connection, dataset: str, new: CapsByWindows) -> None:
    """Insert new accounts with nothing spent: one statement for each list of windows and equal cap."""
    for windows, caps in new.items():
        for cap in dict.fromkeys(caps.values()):
            holders = [holder for holder, own in caps.items() if own == cap]
            row = {"dataset": dataset, "of_windows": windows, "of_holders": holders, "nothing": 0}
            change_rows(connection, _OPEN, [row | vars(cap)])


def set_caps(connection: Connection, names: Sequence[AccountName], cap: Loss) -> None:
    """Set accounts of one holder to another cap; their ceilings rise with it, except the dataset's."""
    windows = [name.window for name in names]
    parameters = {"of_dataset": names[0].dataset, "of_holders": [names[0].holder], "of_windows": windows}
    for part, units in vars(cap).items():
        ceiling, cap_column = accounts.c[f"ceiling_{part}"], accounts.c[f"cap_{part}"]
        raised = update(accounts).where(*_IN_DEBIT, ceiling < units).values({ceiling: units})
        connection.execute(raised, parameters)
        connection.execute(update(accounts).where(*_IN_DEBIT).values({cap_column: units}), parameters)


def _view_with_cap(name: AccountName, cap: Loss, row: Row[Any] | None) -> AccountView:
    """Build the view of an account; a dataset's cap never shows above its ceiling."""
    if row is None:
        return AccountView(name, cap, ZERO_LOSS)
    return AccountView(name, cap.componentwise_min(_ceiling(row)) if name.holder == EVERYBODY else cap, _spent(row))


def _view(row: Row[Any]) -> AccountView:
    """Return the view of an account's row under its stored cap."""
    return AccountView(_name(row), _cap(row), _spent(row))


def _name(row: Row[Any]) -> AccountName:
    """Return the account's key from its row."""
    return AccountName(row.dataset, row.window_name, row.holder)


def _cap(row: Row[Any]) -> Loss:
    """Return the stored cap: that of the account's last charge."""
    return Loss(row.cap_pico_rho, row.cap_atto_delta)


def _ceiling(row: Row[Any]) -> Loss:
    """Return the ceiling: fixed for the dataset account, elsewhere the largest cap so far."""
    return Loss(row.ceiling_pico_rho, row.ceiling_atto_delta)


def _spent(row: Row[Any]) -> Loss:
    """Return the sum of all debits."""
    return Loss(row.spent_pico_rho, row.spent_atto_delta)


def _debit_parameters(dataset: str, debit: Debit) -> dict[str, object]:
    """Build the SQL parameters that select the accounts of a debit."""
    return {"of_dataset": dataset, "of_holders": debit.holders, "of_windows": debit.windows}
