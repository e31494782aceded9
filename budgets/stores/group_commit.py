"""Group commit: concurrent requests are executed as one batch, and concurrent transactions share one fsync.

`RequestBatcher`: a thread that finds nobody at work executes its request. Requests that arrive meanwhile wait, and
then one of their threads executes all of them. Before that it waits briefly for the threads just served, which often
send another request at once. Served threads wake each other one by one, which avoids lock contention.

`GroupCommit`: threads take turns writing in one transaction, and each returns when it is durable. A thread that finds
nobody waiting commits for all before it. So a single writer commits at once, and many share one fsync. The first
writes in the transaction itself, each other one in a savepoint: a failure rolls back its own part only.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from budgets.errors import LedgerUnavailable, UnsafeStore

OUTERMOST_SAVEPOINT = "whole_transaction"  # outermost savepoint: exists as long as the transaction
MAX_PARTS = 64  # parts of one transaction: other processes wait no longer than these take
TURN_TIMEOUT_SECONDS = 20.0


@dataclass(eq=False)
class SharedTransaction:
    """One open transaction and its outcome."""

    connection: Connection
    part_count: int = 1
    is_over: bool = False
    failure: BaseException | None = None


class GroupCommit:
    """Group commit among the writer threads of one process."""

    def __init__(self) -> None:
        """Start without an open transaction."""
        mutex = threading.Lock()
        self._turn, self._over = threading.Condition(mutex), threading.Condition(mutex)
        self._busy = False  # a thread writes in the transaction, or commits it
        self._waiting = 0
        self._open: SharedTransaction | None = None

    @contextmanager
    def write_part(self, begin: Callable[[], Connection]) -> Iterator[Connection]:
        """Write one part of the shared transaction, begun if none is open; durable when this returns.

        Claim: a part is committed before its writer continues, and a part that raises leaves no trace. Symbols: parts
        of one transaction, one at a time. Formula: the writer that finds nobody waiting commits, all others wait for
        it. Source: proofs.md#one-commit-for-many. Raises what the part raises, and SQLAlchemyError.
        """
        self._take_turn()
        try:
            with self._first_part(begin) if self._open is None else self._next_part(self._open) as connection:
                yield connection
            transaction = self._open
        finally:
            self._end_turn()
        if transaction is not None:
            self._await_commit(transaction)

    @contextmanager
    def _first_part(self, begin: Callable[[], Connection]) -> Iterator[Connection]:
        """Begin the shared transaction and write its first part; a failure closes it, so that none is open.

        The outermost savepoint shows at the commit whether the database has undone the transaction meanwhile.
        """
        connection = begin()
        try:
            execute_directly(connection, f"SAVEPOINT {OUTERMOST_SAVEPOINT}")
            yield connection
        except BaseException:
            _close_quietly(connection)
            raise
        self._open = SharedTransaction(connection)

    @contextmanager
    def _next_part(self, transaction: SharedTransaction) -> Iterator[Connection]:
        """Work in a savepoint; if it cannot be ended, the database has undone the whole transaction."""
        nested = transaction.connection.begin_nested()
        try:
            yield transaction.connection
        except BaseException:
            _end_savepoint(nested.rollback, transaction)
            raise
        if not _end_savepoint(nested.commit, transaction):
            raise SQLAlchemyError("the part was lost") from transaction.failure
        transaction.part_count += 1

    def _take_turn(self) -> None:
        """Wait until no thread writes, and take the turn; raises SQLAlchemyError after TURN_TIMEOUT_SECONDS.

        A waiting thread was relied on to commit for those before it. If it gives up, they are woken, and one of them
        commits.
        """
        with self._turn:
            self._waiting += 1
            has_turn = False
            try:
                has_turn = self._turn.wait_for(lambda: not self._busy, TURN_TIMEOUT_SECONDS)
            finally:
                self._waiting -= 1
                if not has_turn:  # timed out: wake the threads that relied on this one to commit
                    self._turn.notify()
                    self._over.notify_all()
            if not has_turn:
                raise SQLAlchemyError("no turn to write")
            self._busy = True

    def _end_turn(self) -> None:
        """Commit if no other writer waits, otherwise let the next one write."""
        with self._turn:
            transaction = self._open
            is_full_or_last = self._waiting == 0 or (transaction is not None and transaction.part_count >= MAX_PARTS)
            must_commit = transaction is not None and (is_full_or_last or transaction.failure is not None)
            if not must_commit:
                self._busy = False
                self._turn.notify()
        if must_commit and transaction is not None:
            self._commit(transaction)

    def _commit(self, transaction: SharedTransaction) -> None:
        """Commit the shared transaction, after checking that it is still the one that was begun.

        SQLite undoes a whole transaction by itself when the disk is full or unreadable, and the commit of nothing would
        then succeed.
        """
        try:
            if transaction.failure is None:
                _assert_same_transaction(transaction.connection)
                transaction.connection.commit()
            else:
                transaction.connection.invalidate()
        except BaseException as failure:
            transaction.failure = failure
            transaction.connection.invalidate()  # its transaction state is unknown
            if not isinstance(failure, SQLAlchemyError):
                raise
        finally:
            _close_quietly(transaction.connection)
            with self._turn:
                transaction.is_over, self._open, self._busy = True, None, False
                self._turn.notify()
                self._over.notify_all()

    def _await_commit(self, transaction: SharedTransaction) -> None:
        """Wait until the shared transaction is over; commit it if every thread that could have has given up.

        Raises SQLAlchemyError if the commit failed: then no part is durable.
        """
        with self._over:
            self._over.wait_for(lambda: transaction.is_over or (not self._busy and self._waiting == 0))
            must_commit = not transaction.is_over
            self._busy = self._busy or must_commit
        if must_commit:
            self._commit(transaction)
        if transaction.failure is not None:
            raise SQLAlchemyError("the shared commit failed") from transaction.failure


def _assert_same_transaction(connection: Connection) -> None:
    """Raise unless the transaction is the one that was begun: its outermost savepoint must exist."""
    execute_directly(connection, f"RELEASE SAVEPOINT {OUTERMOST_SAVEPOINT}")


def execute_directly(connection: Connection, statement: str) -> Any:  # noqa: ANN401
    """Execute a statement without parameters, SQLite's by its driver; returns SQLite's first row, None if it has none.

    SQLAlchemy takes ten times as long as such a statement itself. Raises SQLAlchemyError.
    """
    driver = connection.connection.driver_connection
    if connection.dialect.name != "sqlite" or driver is None:
        connection.exec_driver_sql(statement)
        return None
    try:
        return driver.execute(statement).fetchone()
    except connection.dialect.loaded_dbapi.Error as failure:
        raise SQLAlchemyError("the database refused a statement") from failure


def _end_savepoint(end: Callable[[], None], transaction: SharedTransaction) -> bool:
    """End a savepoint; if it does not exist, the whole transaction is lost. Returns whether it succeeded."""
    try:
        end()
    except BaseException as failure:
        transaction.failure = failure
    return transaction.failure is None


def _close_quietly(connection: Connection) -> None:
    """Return a connection to the pool; uncommitted work is rolled back."""
    with suppress(SQLAlchemyError):
        connection.close()


MAX_BATCH_SIZE = 64  # requests of one batch: other processes wait no longer than these take
WAIT_FRACTION = 0.5  # fraction of the last batch's duration to wait for its threads to return

MAX_WAIT_SECONDS = 0.01  # seconds

Asked = TypeVar("Asked")
Given = TypeVar("Given")
ExecuteBatch = Callable[[Sequence[Asked]], Sequence[Given | Exception]]  # outcomes in order; raises for all


def _locked_lock() -> threading.Lock:
    """Create a locked lock: a cheaper one-shot event."""
    lock = threading.Lock()
    lock.acquire()
    return lock


@dataclass(eq=False)
class _PendingRequest(Generic[Asked, Given]):
    """A waiting thread's request and its outcome."""

    request: Asked
    has_turn: bool  # to execute the next batch
    wake: threading.Lock = field(default_factory=_locked_lock)  # released once, when it has its outcome or its turn
    outcomes: list[Given | BaseException] = field(default_factory=list)  # empty, or one outcome
    next_served: _PendingRequest[Asked, Given] | None = None  # next served thread, which this one wakes
    is_woken: bool = False  # woken with an outcome
    is_cancelled: bool = False  # interrupted while it waited

    def outcome(self) -> Given:
        """Return the outcome, or raise it if it is an exception."""
        (result,) = self.outcomes
        if isinstance(result, BaseException):
            raise result
        return result


@dataclass(frozen=True)
class _LastBatch:
    """When the last batch ended and how many threads may send another request; empty at first."""

    expected_requests: int = 0  # threads served or waiting: all that may send a request next
    wait_until: float = 0.0

    @classmethod
    def ended(cls, start: float, expected_requests: int) -> _LastBatch:
        """Record the end of a batch that began at a reading of the monotonic clock."""
        end = time.perf_counter()
        return cls(expected_requests, end + min(WAIT_FRACTION * (end - start), MAX_WAIT_SECONDS))


class RequestBatcher(Generic[Asked, Given]):
    """Batches concurrent requests of the threads of one process."""

    def __init__(self) -> None:
        """Start without waiting threads."""
        self._mutex = threading.Lock()
        self._waiting: list[_PendingRequest[Asked, Given]] = []
        self._is_executing = False
        self._awaited_requests, self._awaited_arrived = 0, threading.Condition(self._mutex)  # how many to wait for
        self._last = _LastBatch()

    def submit(self, request: Asked, execute_batch: ExecuteBatch[Asked, Given]) -> Given:
        """Execute one request, alone or in a batch with concurrent ones, and return its outcome.

        Claim: each request is executed once, and its thread gets its outcome after `execute_batch` returned. Symbols:
        waiting requests, in order of arrival. Formula: one thread executes a batch; then the first that waits executes
        the next one. Source: budgets/proofs.md#charged-together. Raises the outcome of this request, or what
        `execute_batch` raised for all.
        """
        with self._mutex:
            pending: _PendingRequest[Asked, Given] = _PendingRequest(request, not self._is_executing)
            self._waiting.append(pending)
            self._is_executing = True
            # the executing thread waits for this many
            if len(self._waiting) == self._awaited_requests:
                self._awaited_arrived.notify()
        try:
            self._wait(pending)
        finally:
            if pending.is_woken:
                self._wake(pending.next_served)
        if not pending.outcomes:
            self._execute(pending, execute_batch)
        return pending.outcome()

    def _wait(self, pending: _PendingRequest[Asked, Given]) -> None:
        """Wait for an outcome or for the turn to execute; an interrupted thread passes its turn on."""
        try:
            if not pending.has_turn:
                pending.wake.acquire()
            if not pending.outcomes:
                self._await_returning_threads()
        except BaseException:
            with self._mutex:
                self._waiting = [each for each in self._waiting if each is not pending]
                pending.is_cancelled = True
                # it would have executed the next batch
                must_pass_turn = pending.has_turn and not pending.outcomes
            if must_pass_turn:
                self._pass_turn()
            raise

    def _await_returning_threads(self) -> None:
        """Wait briefly for the threads served last: the first one back would otherwise form a batch of one."""
        with self._mutex:
            timeout = self._last.wait_until - time.perf_counter()
            if timeout > 0 and len(self._waiting) < self._last.expected_requests:
                self._awaited_requests = self._last.expected_requests
                self._awaited_arrived.wait_for(lambda: len(self._waiting) >= self._awaited_requests, timeout)
                self._awaited_requests = 0

    def _execute(self, pending: _PendingRequest[Asked, Given], execute_batch: ExecuteBatch[Asked, Given]) -> None:
        """Execute all waiting requests as one batch, and pass the turn to the next thread."""
        with self._mutex:
            batch, self._waiting = self._waiting[:MAX_BATCH_SIZE], self._waiting[MAX_BATCH_SIZE:]
        began = time.perf_counter()
        try:
            outcomes = execute_batch([each.request for each in batch])
            for each, outcome in zip(batch, outcomes, strict=True):
                each.outcomes.append(outcome)
        except BaseException as failure:
            _fail_batch(batch, failure)
            raise
        finally:
            with self._mutex:
                self._last = _LastBatch.ended(began, min(len(batch) + len(self._waiting), MAX_BATCH_SIZE))
            for each, next_served in pairwise(batch):
                each.next_served = next_served
            self._wake(pending.next_served)
            self._pass_turn()

    def _wake(self, served: _PendingRequest[Asked, Given] | None) -> None:
        """Wake a served thread, which then wakes the next one; interrupted threads are skipped."""
        with self._mutex:
            while served is not None and served.is_cancelled:
                served = served.next_served
            if served is not None:
                served.is_woken = True
                served.wake.release()

    def _pass_turn(self) -> None:
        """Pass the turn to execute to the thread that has waited longest; nobody is at work if none waits."""
        with self._mutex:
            if self._waiting:
                self._waiting[0].has_turn = True
                self._waiting[0].wake.release()
            else:
                self._is_executing = False


def _fail_batch(batch: Sequence[_PendingRequest[Asked, Given]], failure: BaseException) -> None:
    """Set the failure of the batch as the outcome of each request; each thread gets its own exception."""
    for each in batch:
        error = UnsafeStore(failure.why, failure.hint) if isinstance(failure, UnsafeStore) else _unavailable()
        error.__cause__ = failure
        each.outcomes[:] = [error]


def _unavailable() -> LedgerUnavailable:
    """Error of a request whose batch failed for a reason that concerns no request."""
    return LedgerUnavailable(
        "The ledger can't be written now, so nothing is answered.",
        "the same question with the same request id in a moment; it is charged once at most.",
    )
