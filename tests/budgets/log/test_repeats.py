"""Free repeats are counted by the hour, and leave the chain, the accounts and the disk alone."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from budgets import Ledger, LedgerUnavailable
from budgets.log.events import Entry, EntryKind
from budgets.log.verify import verify
from budgets.stores import journal
from tests.budgets.ledger_checks import ask, check_books, check_repeats_are_free, item


def test_repeats_are_free_and_counted(ledger: Ledger) -> None:
    check_repeats_are_free(ledger)
    check_books(ledger)


def at(monkeypatch: pytest.MonkeyPatch, moment: str) -> None:
    monkeypatch.setattr(journal, "now_text", lambda: moment)


def counted(ledger: Ledger) -> list[tuple[str, str, int]]:
    return [(row.holder, row.content["hour"], row.content["times"]) for row in ledger.entries(kind=EntryKind.REPEATED)]


def test_repeat_counts_of_an_hour_are_written_after_it(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    at(monkeypatch, "2026-11-29T12:59:59.000+00:00")
    for client in ("ann", "ben", "ann"):
        ledger.count_repeat(client, "operator")
    assert counted(ledger) == []
    at(monkeypatch, "2026-11-29T13:00:00.000+00:00")
    ledger.count_repeat("ann", "operator")
    assert counted(ledger) == [("ann", "2026-11-29T12", 2), ("ben", "2026-11-29T12", 1)]
    ledger.write_repeats()
    assert len(counted(ledger)) == 2, "this hour is not over"
    ledger.write_repeats(all_hours=True)
    assert counted(ledger)[2:] == [("ann", "2026-11-29T13", 1)] and not ledger.verify()


def test_an_unwritable_ledger_still_answers_and_counts_repeats(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise LedgerUnavailable("The disk is full.", "a larger one")

    ledger.count_repeat("ann", "operator")
    with monkeypatch.context() as patched:
        patched.setattr(journal, "append", fails)
        ledger.write_repeats(all_hours=True)
    ledger.count_repeat("ann", "operator")
    ledger.write_repeats(all_hours=True)
    assert [times for _, _, times in counted(ledger)] == [2]


def test_no_repeat_is_lost_or_counted_twice_by_threads(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    hours = iter(range(10**6))
    lock = threading.Lock()

    def now() -> str:
        with lock:
            return f"2026-11-29T{next(hours) // 25:02}:00:00.000+00:00"

    monkeypatch.setattr(journal, "now_text", now)
    threads = [
        threading.Thread(target=lambda: [ledger.count_repeat("ann", "operator") for _ in range(50)]) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ledger.write_repeats(all_hours=True)
    assert sum(times for _, _, times in counted(ledger)) == 200


@pytest.mark.parametrize("said", ['{"format":1,"hour":"","times":2}', '{"format":1,"hour":"2026-11-29T12","times":0}'])
def test_a_row_that_counts_nothing_is_found(ledger: Ledger, said: str) -> None:
    ledger.count_repeat("ann", "operator")
    ledger.write_repeats(all_hours=True)
    rows = list(ledger.entries())
    changed: Entry = replace(rows[-1], body=said)
    assert any("does not say what its kind says" in wrong for wrong in verify([*rows[:-1], changed], {}))


def test_closing_writes_pending_repeat_counts(address: str) -> None:
    with Ledger.open(address) as ledger:
        ledger.charge(ask(item("aa")))
        ledger.count_repeat("ann", "operator")
    with Ledger.open(address) as ledger:
        assert [times for _, _, times in counted(ledger)] == [1]
