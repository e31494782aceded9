"""What happened, row by row, for people and auditors; the only place that reads a clock."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, insert, select

from budgets.accounts import AccountName
from budgets.bill import Bill
from budgets.loss import NOTHING, Loss
from budgets.records import Entry, EntryKind
from budgets.stores.balances import Opened, holder_of
from budgets.stores.schema import EVERYBODY, entries, questions


def now_text() -> str:
    """Give the time in UTC, for people: no budget depends on it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def write_charge(connection: Connection, bill: Bill, opened: Opened) -> None:
    """Write one row for each account opened or given another cap, and for each debit of a release."""
    changes = ((EntryKind.ACCOUNT_OPENED, opened.new), (EntryKind.CAP_CHANGED, opened.recapped))
    caps = [(kind, debit.name, None, debit.cap) for kind, debits in changes for debit in debits]
    paid = [(EntryKind.CHARGED, name, item.release_key, item.loss) for name, items in bill.payments for item in items]
    request = bill.request
    rest = {"at": now_text(), "asked_by": request.client, "request_id": request.request_id}
    rows = [_row(*change) | rest | {"versions": request.versions} for change in (*caps, *paid)]
    if rows:
        connection.execute(insert(entries), rows)


def write_release(connection: Connection, charge: Row[Any], release_key: str) -> None:
    """Write the row of a release that was stored for a charge."""
    account = AccountName(charge.dataset, "", charge.client)
    row = _row(EntryKind.RELEASED, account, release_key, NOTHING) | {"window_name": None, "at": now_text()}
    rest = {"asked_by": charge.client, "request_id": charge.request_id, "versions": charge.versions}
    connection.execute(insert(entries).values(row | rest))


def read_entries(
    connection: Connection, client: str | None, dataset: str | None, limit: int | None
) -> tuple[Entry, ...]:
    """Give the newest rows, oldest first; of one client's own accounts where a client is named."""
    meaning = and_(questions.c.dataset == entries.c.dataset, questions.c.release_key == entries.c.release_key)
    statement = select(entries, questions.c.question).outerjoin(questions, meaning)
    if client is not None:
        statement = statement.where(entries.c.holder == client)
    if dataset is not None:
        statement = statement.where(entries.c.dataset == dataset)
    newest = connection.execute(statement.order_by(entries.c.sequence.desc()).limit(limit)).all()
    return tuple(_entry(row) for row in reversed(newest))


def _row(kind: EntryKind, account: AccountName, release_key: str | None, loss: Loss) -> dict[str, object]:
    return {
        "kind": str(kind),
        "dataset": account.dataset,
        "window_name": account.window,
        "holder": holder_of(account.client),
        "release_key": release_key,
        "pico_rho": loss.pico_rho,
        "atto_delta": loss.atto_delta,
    }


def _entry(row: Row[Any]) -> Entry:
    return Entry(
        sequence=row.sequence,
        at=row.at,
        kind=EntryKind(row.kind),
        dataset=row.dataset,
        window=row.window_name,
        client=None if row.holder == EVERYBODY else row.holder,
        asked_by=row.asked_by,
        request_id=row.request_id,
        release_key=row.release_key,
        question=row.question,
        versions=row.versions,
        loss=Loss(row.pico_rho, row.atto_delta),
    )
