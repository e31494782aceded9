"""A growing ledger does not get slower: every lookup uses an index."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from sqlalchemy import event
from sqlalchemy.engine import Engine

from budgets import AccountName, Ledger
from budgets.stores import store
from budgets.stores.store import _driver_changes as driver_changes
from budgets.stores.store import _driver_rows as driver_rows
from tests.budgets.ledger_checks import answer, ask, item

GROWS = ("entries", "accounts", "charges", "charge_keys", "questions", "purchases", "releases", "clients")
DAYS = ("2026-01-01", "2026-01-02")
Said = list[tuple[str, Any]]


@contextmanager
def recorded_statements() -> Iterator[Said]:
    """Record every statement, with the parameters of one run of it."""
    said: Said = []

    def record(connection: object, cursor: object, statement: str, given: Any, context: object, many: bool) -> None:
        said.append((statement, given[0] if many else given))

    def fetched(driver: Any, text: str, values: Any) -> Any:
        said.append((text, tuple(values)))
        return driver_rows(driver, text, values)

    def changed(driver: Any, text: str, rows: Any) -> int:
        said.append((text, tuple(rows[0])))
        return driver_changes(driver, text, rows)

    event.listen(Engine, "before_cursor_execute", record)
    try:
        with patch.object(store, "_driver_rows", fetched), patch.object(store, "_driver_changes", changed):
            yield said
    finally:
        event.remove(Engine, "before_cursor_execute", record)


def scanned_tables(path: Path, said: Said) -> set[str]:
    """Scans of growing tables: reads without their key's leading columns, or of a whole dataset's accounts."""
    found = set()
    with sqlite3.connect(path) as database:
        for statement, given in said:
            if statement.split()[0] in ("SELECT", "UPDATE", "INSERT"):
                steps = [row[3] for row in database.execute(f"EXPLAIN QUERY PLAN {statement}", given)]
                found |= {step for step in steps if re.match(rf"SCAN ({'|'.join(GROWS)})\b", step)}
                found |= {step for step in steps if re.match(r"SEARCH accounts\b.*\(dataset=\?\)", step)}
    database.close()
    return found


def everyday(path: Path) -> Said:
    """Charge, settle, replay, and read the remaining budget."""
    with Ledger.open(path) as ledger, recorded_statements() as said:
        for number in range(3):
            request = ask(item(f"key {number}", windows=DAYS), client="acme/maps/ann", request=f"{number}")
            made = answer(ledger, ledger.charge(request))
            ledger.replay("acme/maps/ann", "operator", made)
            ledger.outlook(request)
            ledger.preview(request)
            ledger.release_ages("operator", made)
            ledger.account(AccountName("operator", DAYS[0], "acme"))
    return said


def test_no_charge_scans_rows_of_other_queries(tmp_path: Path) -> None:
    said = everyday(tmp_path / "ledger")
    assert len({statement for statement, _ in said}) > 15
    assert scanned_tables(tmp_path / "ledger", said) == set()


def test_a_comparison_that_no_index_serves_is_found(tmp_path: Path) -> None:
    """A boolean that is compared with 1 is one: every account of the dataset was read for each charge."""
    said = everyday(tmp_path / "ledger")
    compared = [(re.sub(r"(IN \(SELECT value FROM json_each\(\?\)\))", r"\1 = 1", text), given) for text, given in said]
    assert compared != said
    assert any("accounts" in step for step in scanned_tables(tmp_path / "ledger", compared))
