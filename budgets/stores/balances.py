"""Accounts as SQL: open, debit under a condition, read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, bindparam, insert, select, update

from budgets.accounts import AccountName, AccountView
from budgets.loss import NOTHING, Loss
from budgets.policy import Debit, check_ceiling, refusal
from budgets.stores.schema import EVERYBODY, accounts


@dataclass(frozen=True)
class Opened:
    """What opening the accounts of a charge changed."""

    new: tuple[Debit, ...]  # accounts opened by this charge
    recapped: tuple[Debit, ...]  # accounts whose cap the catalog has moved since


_DEBIT = (
    update(accounts)
    .where(
        accounts.c.dataset == bindparam("of_dataset"),
        accounts.c.window_name == bindparam("of_window"),
        accounts.c.holder == bindparam("of_holder"),
        accounts.c.spent_pico_rho <= bindparam("most_pico_rho"),
        accounts.c.spent_atto_delta <= bindparam("most_atto_delta"),
    )
    .values(
        spent_pico_rho=accounts.c.spent_pico_rho + bindparam("more_pico_rho"),
        spent_atto_delta=accounts.c.spent_atto_delta + bindparam("more_atto_delta"),
    )
)


def open_accounts(connection: Connection, debits: Sequence[Debit]) -> Opened:
    """Make the accounts that are not there, and move the others to today's caps.

    Claim: a dataset's ceiling is fixed by its first charge and only by it. Symbols: ceiling, cap of today.
    Formula: ceiling := cap at opening; of a client's own account ceiling := max(ceiling, cap) afterwards.
    Source: proofs.md#the-filter. Raises CeilingRaised when today's cap of a dataset is above its ceiling.
    """
    there = _rows_by_name(connection, debits)
    new = tuple(debit for debit in debits if debit.name not in there)
    if new:
        connection.execute(insert(accounts), [_opening_row(debit) for debit in new])
    old = [(debit, there[debit.name]) for debit in debits if debit.name in there]
    for debit, row in old:
        check_ceiling(debit.name, debit.cap, _ceiling(row))
    recapped = [(debit, row) for debit, row in old if debit.cap != _cap(row)]
    for debit, row in recapped:
        connection.execute(update(accounts).where(accounts.c.id == row.id).values(_caps(debit, _ceiling(row))))
    return Opened(new, tuple(debit for debit, _ in recapped))


def debit_all(connection: Connection, debits: Sequence[Debit]) -> None:
    """Debit every account or none, never beyond its cap.

    Claim: after every transaction spent <= chargeable(cap at that charge) for each account.
    Symbols: spent before, loss, most = chargeable(cap) - loss. Formula: spent := spent + loss WHERE spent <= most,
    and the number of changed rows is the number of accounts, else none is changed.
    Source: proofs.md#never-over-the-cap. Raises BudgetRefused.
    """
    if not debits:
        return
    together = connection.begin_nested()
    if connection.execute(_DEBIT, [_debit_row(debit) for debit in debits]).rowcount == len(debits):
        together.commit()
        return
    together.rollback()
    rows = _rows_by_name(connection, debits)
    raise refusal(debits, [AccountView(debit.name, debit.cap, _spent(rows[debit.name])) for debit in debits])


def read_accounts(connection: Connection, dataset: str | None) -> tuple[AccountView, ...]:
    """Give every account of a dataset, or of all, the shared one of each window first."""
    statement = select(accounts).order_by(accounts.c.dataset, accounts.c.window_name, accounts.c.holder)
    if dataset is not None:
        statement = statement.where(accounts.c.dataset == dataset)
    return tuple(AccountView(_name(row), _cap(row), _spent(row)) for row in connection.execute(statement))


def read_account(connection: Connection, name: AccountName, cap: Loss | None) -> AccountView | None:
    """Give one account, under today's cap where one is given; None for one that is neither open nor capped."""
    row = connection.execute(select(accounts).where(*_is(name))).one_or_none()
    if row is None:
        return None if cap is None else AccountView(name, cap, NOTHING)
    today = _cap(row) if cap is None else cap
    return AccountView(name, today if name.client else today.smaller_of(_ceiling(row)), _spent(row))


def read_ceilings(connection: Connection, dataset: str, windows: Sequence[str]) -> dict[AccountName, Loss]:
    """Give the ceilings that first charges of a dataset have fixed."""
    statement = select(accounts).where(
        accounts.c.dataset == dataset, accounts.c.holder == EVERYBODY, accounts.c.window_name.in_(windows)
    )
    return {_name(row): _ceiling(row) for row in connection.execute(statement)}


def holder_of(client: str | None) -> str:
    """Write an account's owner as a column holds it."""
    return EVERYBODY if client is None else client


def _rows_by_name(connection: Connection, debits: Sequence[Debit]) -> dict[AccountName, Row[Any]]:
    statement = select(accounts).where(
        accounts.c.dataset.in_({debit.name.dataset for debit in debits}),
        accounts.c.holder.in_({holder_of(debit.name.client) for debit in debits}),
        accounts.c.window_name.in_({debit.name.window for debit in debits}),
    )
    return {_name(row): row for row in connection.execute(statement)}


def _is(name: AccountName) -> tuple[ColumnElement[bool], ...]:
    return (
        accounts.c.dataset == name.dataset,
        accounts.c.window_name == name.window,
        accounts.c.holder == holder_of(name.client),
    )


def _name(row: Row[Any]) -> AccountName:
    return AccountName(row.dataset, row.window_name, None if row.holder == EVERYBODY else row.holder)


def _cap(row: Row[Any]) -> Loss:
    return Loss(row.cap_pico_rho, row.cap_atto_delta)


def _ceiling(row: Row[Any]) -> Loss:
    return Loss(row.ceiling_pico_rho, row.ceiling_atto_delta)


def _spent(row: Row[Any]) -> Loss:
    return Loss(row.spent_pico_rho, row.spent_atto_delta)


def _caps(debit: Debit, ceiling: Loss) -> dict[str, int]:
    """Give an account's caps from today on; a dataset's ceiling stays because its cap is not above it."""
    highest = ceiling.larger_of(debit.cap)
    return {
        "cap_pico_rho": debit.cap.pico_rho,
        "cap_atto_delta": debit.cap.atto_delta,
        "ceiling_pico_rho": highest.pico_rho,
        "ceiling_atto_delta": highest.atto_delta,
    }


def _opening_row(debit: Debit) -> dict[str, object]:
    name = debit.name
    spent = {"spent_pico_rho": 0, "spent_atto_delta": 0}
    owner = {"dataset": name.dataset, "window_name": name.window, "holder": holder_of(name.client)}
    return {**owner, **_caps(debit, debit.cap), **spent}


def _debit_row(debit: Debit) -> dict[str, object]:
    most_pico_rho, most_atto_delta = debit.allowed_before
    return {
        "of_dataset": debit.name.dataset,
        "of_window": debit.name.window,
        "of_holder": holder_of(debit.name.client),
        "most_pico_rho": most_pico_rho,
        "most_atto_delta": most_atto_delta,
        "more_pico_rho": debit.loss.pico_rho,
        "more_atto_delta": debit.loss.atto_delta,
    }
