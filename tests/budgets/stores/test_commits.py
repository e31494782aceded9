"""Group commit: no writer returns before it, a failed one affects no other, and nobody waits for ever."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress

import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from budgets import BudgetRefused, Ledger, LedgerUnavailable, Loss
from budgets.stores import group_commit
from budgets.stores.open import open_store
from budgets.stores.store import Store
from tests.budgets.ledger_checks import SHARED, ask, check_books, item
from tests.budgets.spender import WIDE
from tests.support.timeouts import until

ASKERS = 12


@pytest.fixture
def store(address: str) -> Iterator[Store]:
    opened = open_store(address)
    yield opened
    opened.close()


class BlockedWriter:
    """A writer that blocks its turn until it is released, so that others queue behind it."""

    def __init__(self, store: Store) -> None:
        self.store, self.has_turn, self.go = store, threading.Event(), threading.Event()

    def write(self) -> None:
        with self.store.writing():
            self.has_turn.set()
            assert self.go.wait(30)


@contextmanager
def gathered(store: Store, pool: ThreadPoolExecutor, behind: int) -> Iterator[tuple[Future[None], list[Future[None]]]]:
    """Queue writers behind one that holds its turn; the list is filled inside, and all go on afterwards."""
    held, waiting = BlockedWriter(store), list[Future[None]]()
    first = pool.submit(held.write)
    assert held.has_turn.wait(30)
    yield first, waiting
    until(lambda: store.group_commit._waiting >= behind, 0.001)
    held.go.set()


def note(ledger: Ledger, number: int) -> None:
    """Write something in a savepoint of its own: charges are batched before they take a turn."""
    ledger.note("kept", {"number": number}, actor="eve")


def noted(ledger: Ledger) -> list[int]:
    return sorted(entry.content["number"] for entry in ledger.entries(kind="note_kept"))


def charge(ledger: Ledger, number: int, rho: str = "0.001") -> None:
    ledger.charge(ask(item(f"key {number}", rho), client=f"client {number}", request=f"r{number}", caps=WIDE))


def test_writers_at_once_share_one_commit(store: Store) -> None:
    ledger, committed = Ledger(store), []
    event.listen(store.writer, "commit", committed.append)
    with ThreadPoolExecutor(ASKERS + 1) as pool:
        with gathered(store, pool, ASKERS) as (first, waiting):
            waiting += [pool.submit(note, ledger, number) for number in range(ASKERS)]
        for future in (first, *waiting):
            future.result(30)
    assert len(committed) == 1
    assert noted(ledger) == [*range(ASKERS)]
    check_books(ledger)


def test_one_writer_alone_commits_at_once_and_needs_no_savepoint_of_a_part(store: Store) -> None:
    ledger, said = Ledger(store), []
    event.listen(store.writer, "savepoint", lambda connection, name: said.append(name))
    with store.writing() as connection:
        connection.execute(text("SELECT 1"))
    assert not said and not store.group_commit._busy
    charge(ledger, 1)
    check_books(ledger)


def test_nobody_returns_before_the_commit(store: Store) -> None:
    ledger, reached, go = Ledger(store), threading.Event(), threading.Event()

    def block(_: object) -> None:
        reached.set()
        assert go.wait(30)

    with ThreadPoolExecutor(ASKERS + 1) as pool:
        with gathered(store, pool, ASKERS) as (first, waiting):
            event.listen(store.writer, "commit", block)
            waiting += [pool.submit(note, ledger, number) for number in range(ASKERS)]
        assert reached.wait(30)
        time.sleep(0.05)
        assert not any(future.done() for future in (first, *waiting))
        go.set()
        for future in (first, *waiting):
            future.result(30)


def test_a_failed_write_leaves_the_others_of_its_batch_intact(store: Store) -> None:
    ledger = Ledger(store)

    def fail() -> None:
        with store.writing() as connection:
            connection.execute(text("INSERT INTO nowhere VALUES (1)"))

    with ThreadPoolExecutor(ASKERS + 3) as pool:
        with gathered(store, pool, ASKERS + 2) as (first, waiting):
            waiting += [pool.submit(note, ledger, number) for number in range(ASKERS // 2)]
            waiting += [pool.submit(charge, ledger, 98, "0.3"), pool.submit(fail)]
            waiting += [pool.submit(note, ledger, number) for number in range(ASKERS // 2, ASKERS)]
        first.result(30)
        raised = [type(future.exception(30)) for future in waiting]
    kept = [type(None)] * (ASKERS // 2)
    assert raised == [*kept, BudgetRefused, LedgerUnavailable, *kept]
    assert noted(ledger) == [*range(ASKERS)]
    check_books(ledger)


def test_the_first_writer_of_a_batch_may_fail(store: Store) -> None:
    ledger = Ledger(store)
    with pytest.raises(BudgetRefused):
        charge(ledger, 1, "0.3")
    with pytest.raises(LedgerUnavailable), store.writing() as connection:
        connection.execute(text("INSERT INTO nowhere VALUES (1)"))
    assert ledger.accounts() == ()
    charge(ledger, 2)
    check_books(ledger)


def test_a_commit_that_fails_fails_for_all(store: Store) -> None:
    ledger = Ledger(store)

    def fail(_: object) -> None:
        raise OperationalError("COMMIT", None, Exception("the disk is full"))

    with ThreadPoolExecutor(ASKERS + 1) as pool:
        with gathered(store, pool, ASKERS) as (first, waiting):
            event.listen(store.writer, "commit", fail)
            waiting += [pool.submit(note, ledger, number) for number in range(ASKERS)]
        assert {type(future.exception(30)) for future in (first, *waiting)} == {LedgerUnavailable}
    event.remove(store.writer, "commit", fail)
    assert noted(ledger) == []
    charge(ledger, 1)
    check_books(ledger)


def test_a_writer_that_times_out_leaves_no_other_writer_waiting(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first left the commit to the second, who gives up at that very moment."""
    monkeypatch.setattr(group_commit, "TURN_TIMEOUT_SECONDS", 0.2)
    ledger, turn = Ledger(store), store.group_commit
    take, late = turn._take_turn, threading.Event()

    def slow() -> None:
        if threading.current_thread().name == "late":
            with turn._turn:
                turn._waiting += 1
            late.set()
            time.sleep(0.3)
            with turn._turn:
                turn._waiting -= 1
                turn._over.notify_all()
            raise SQLAlchemyError
        take()

    monkeypatch.setattr(turn, "_take_turn", slow)

    def give_up() -> None:
        with pytest.raises(LedgerUnavailable):
            charge(ledger, 2)

    second = threading.Thread(target=give_up, name="late")
    second.start()
    assert late.wait(30)
    charge(ledger, 1)
    second.join(30)
    assert not second.is_alive()
    assert ledger.account(SHARED).spent == Loss.rounded_up("0.001")


def test_a_writer_gives_up_in_time(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_commit, "TURN_TIMEOUT_SECONDS", 0.1)
    held = BlockedWriter(store)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(held.write)
        assert held.has_turn.wait(30)
        with pytest.raises(LedgerUnavailable):
            charge(Ledger(store), 1)
        held.go.set()
        first.result(30)
    charge(Ledger(store), 2)


def test_an_interrupted_writer_leaves_no_other_writer_waiting(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    held, turn = BlockedWriter(store), store.group_commit._turn
    wait = turn.wait_for

    def interrupt(predicate: Callable[[], bool], timeout: float | None = None) -> bool:
        if threading.current_thread() is threading.main_thread():
            raise KeyboardInterrupt
        return wait(predicate, timeout)

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(held.write)
        assert held.has_turn.wait(30)
        monkeypatch.setattr(turn, "wait_for", interrupt)
        with pytest.raises(KeyboardInterrupt):
            note(Ledger(store), 1)
        held.go.set()
        first.result(30)
    monkeypatch.undo()
    assert store.group_commit._waiting == 0
    note(Ledger(store), 2)


# ------------------------------------------------------------------ a store that undoes everything by itself


def undone(store: Store, *, told: bool) -> None:
    """Make the store roll back the whole transaction, as SQLite does on a full disk; writers may not notice."""
    with store.writing() as connection:
        connection.exec_driver_sql("ROLLBACK")
        if told:
            raise OperationalError("INSERT", None, Exception("the disk is full"))


def outcomes(store: Store, told: bool) -> list[type[BaseException] | None]:
    """Outcomes of two notes, of the rollback behind them, and of a note after it."""
    ledger = Ledger(store)
    with ThreadPoolExecutor(5) as pool:
        with gathered(store, pool, 4) as (first, waiting):
            for number in (1, 2, None, 3):
                behind = len(waiting)
                until(lambda behind=behind: store.group_commit._waiting >= behind, 0.001)
                made = (note, ledger, number) if number else (lambda: undone(store, told=told),)
                waiting.append(pool.submit(*made))
        return [None if (raised := each.exception(30)) is None else type(raised) for each in (first, *waiting)]


@pytest.mark.parametrize("told", [True, False])
def test_a_rollback_by_the_store_fails_every_writer_of_the_transaction(told: bool, store: Store) -> None:
    said = outcomes(store, told)
    assert said[:4] == [LedgerUnavailable] * 4  # whoever holds the turn, both notes, and who met the full disk
    ledger = Ledger(store)
    assert noted(ledger) == ([3] if said[4] is None else [])
    note(ledger, 9)
    assert noted(ledger)[-1] == 9
    check_books(ledger)


def test_a_rolled_back_savepoint_is_not_reported_as_durable(store: Store) -> None:
    with pytest.raises(LedgerUnavailable):
        undone(store, told=False)
    charge(Ledger(store), 1)
    check_books(Ledger(store))


def test_an_empty_commit_reported_as_durable_is_found(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: a savepoint that can't be ended is passed over, and nobody looks for the transaction."""

    def ended(how: Callable[[], None], _: object) -> bool:
        with suppress(SQLAlchemyError):
            how()
        return True

    monkeypatch.setattr(group_commit, "_end_savepoint", ended)
    monkeypatch.setattr(group_commit, "_assert_same_transaction", lambda _: None)
    said = outcomes(store, told=True)
    lost = {number for number, each in ((1, said[1]), (2, said[2])) if each is None} - {*noted(Ledger(store))}
    assert lost, "a note that was said to be durable is gone"
