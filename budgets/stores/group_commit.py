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
from typing import Generic, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from budgets.errors import LedgerUnavailable, UnsafeStore

WHOLE = "whole_transaction"  # outermost savepoint: exists as long as the transaction
MOST_TOGETHER = 64  # parts of one transaction: other processes wait no longer than these take
TURN_SECONDS = 20.0


@dataclass(eq=False)
class Together:
    """One open transaction and its outcome."""

    connection: Connection
    parts: int = 1
    over: bool = False
    failure: BaseException | None = None


class SharedCommits:
    """Group commit among the writer threads of one process."""

    def __init__(self) -> None:
        """Start without an open transaction."""
        mutex = threading.Lock()
        self._turn, self._over = threading.Condition(mutex), threading.Condition(mutex)
        self._busy = False  # a thread writes in the transaction, or commits it
        self._waiting = 0
        self._open: Together | None = None

    @contextmanager
    def part(self, begin: Callable[[], Connection]) -> Iterator[Connection]:
        """Write one part of the shared transaction, begun if none is open; durable when this returns.

        Claim: a part is committed before its writer continues, and a part that raises leaves no trace. Symbols: parts
        of one transaction, one at a time. Formula: the writer that finds nobody waiting commits, all others wait for
        it. Source: proofs.md#one-commit-for-many. Raises what the part raises, and SQLAlchemyError.
        """
        self._take_turn()
        try:
            with self._first_part(begin) if self._open is None else self._next_part(self._open) as connection:
                yield connection
            mine = self._open
        finally:
            self._give_turn()
        if mine is not None:
            self._wait_for(mine)

    @contextmanager
    def _first_part(self, begin: Callable[[], Connection]) -> Iterator[Connection]:
        connection = begin()
        try:
            connection.exec_driver_sql(f"SAVEPOINT {WHOLE}")
            yield connection
        except BaseException:
            _abandon(connection)
            raise
        self._open = Together(connection)

    @contextmanager
    def _next_part(self, together: Together) -> Iterator[Connection]:
        """Work in a savepoint; if it cannot be ended, the database has undone the whole transaction."""
        nested = together.connection.begin_nested()
        try:
            yield together.connection
        except BaseException:
            _end(nested.rollback, together)
            raise
        if not _end(nested.commit, together):
            raise SQLAlchemyError("the part was lost") from together.failure
        together.parts += 1

    def _take_turn(self) -> None:
        with self._turn:
            self._waiting += 1
            given = False
            try:
                given = self._turn.wait_for(lambda: not self._busy, TURN_SECONDS)
            finally:
                self._waiting -= 1
                if not given:  # timed out: wake the threads that relied on this one to commit
                    self._turn.notify()
                    self._over.notify_all()
            if not given:
                raise SQLAlchemyError("no turn to write")
            self._busy = True

    def _give_turn(self) -> None:
        """Commit if no other writer waits, otherwise let the next one write."""
        with self._turn:
            together = self._open
            ends = self._waiting == 0 or (together is not None and together.parts >= MOST_TOGETHER)
            last = together is not None and (ends or together.failure is not None)
            if not last:
                self._busy = False
                self._turn.notify()
        if last and together is not None:
            self._commit(together)

    def _commit(self, together: Together) -> None:
        """Commit the shared transaction, after checking that it is still the one that was begun.

        SQLite undoes a whole transaction by itself when the disk is full or unreadable, and the commit of nothing would
        then succeed.
        """
        try:
            if together.failure is None:
                _is_there(together.connection)
                together.connection.commit()
            else:
                together.connection.invalidate()
        except BaseException as failure:
            together.failure = failure
            together.connection.invalidate()  # its transaction state is unknown
            if not isinstance(failure, SQLAlchemyError):
                raise
        finally:
            _abandon(together.connection)
            with self._turn:
                together.over, self._open, self._busy = True, None, False
                self._turn.notify()
                self._over.notify_all()

    def _wait_for(self, together: Together) -> None:
        with self._over:
            self._over.wait_for(lambda: together.over or self._forsaken())
            forsaken = not together.over
            self._busy = self._busy or forsaken
        if forsaken:
            self._commit(together)
        if together.failure is not None:
            raise SQLAlchemyError("the shared commit failed") from together.failure

    def _forsaken(self) -> bool:
        """Return whether every thread that could have committed gave up waiting for its turn."""
        return not self._busy and self._waiting == 0


def _is_there(connection: Connection) -> None:
    """Raise unless the transaction is the one that was begun: its outermost savepoint must exist."""
    connection.exec_driver_sql(f"RELEASE SAVEPOINT {WHOLE}")


def _end(how: Callable[[], None], together: Together) -> bool:
    """End a savepoint; if it does not exist, the whole transaction is lost. Returns whether it succeeded."""
    try:
        how()
    except BaseException as failure:
        together.failure = failure
    return together.failure is None


def _abandon(connection: Connection) -> None:
    """Return a connection to the pool; uncommitted work is rolled back."""
    with suppress(SQLAlchemyError):
        connection.close()


MOST_AT_ONCE = 64  # requests of one batch: other processes wait no longer than these take
PATIENCE = 0.5  # fraction of the last batch's duration to wait for its threads to return

LONGEST_PATIENCE = 0.01  # seconds

Asked = TypeVar("Asked")
Given = TypeVar("Given")
DoAll = Callable[[Sequence[Asked]], Sequence[Given | Exception]]  # outcomes in order; raises for all


def _shut() -> threading.Lock:
    """Create a locked lock: a cheaper one-shot event."""
    lock = threading.Lock()
    lock.acquire()
    return lock


@dataclass(eq=False)
class _Waiting(Generic[Asked, Given]):
    """A waiting thread's request and its outcome."""

    asked: Asked
    has_turn: bool  # to execute the next batch
    go_on: threading.Lock = field(default_factory=_shut)  # released once, when it has its outcome or its turn
    outcomes: list[Given | BaseException] = field(default_factory=list)  # empty, or one outcome
    behind: _Waiting[Asked, Given] | None = None  # next served thread, which this one wakes
    is_told: bool = False  # woken with an outcome
    is_gone: bool = False  # interrupted while it waited

    def outcome(self) -> Given:
        """Return the outcome, or raise it if it is an exception."""
        (came,) = self.outcomes
        if isinstance(came, BaseException):
            raise came
        return came


@dataclass(frozen=True)
class _Last:
    """When the last batch ended and how many threads may send another request; empty at first."""

    asked: int = 0  # threads served or waiting: all that may send a request next
    patient_until: float = 0.0

    @classmethod
    def since(cls, began: float, asked: int) -> _Last:
        """Record the end of a batch that began at a reading of the monotonic clock."""
        ended = time.perf_counter()
        return cls(asked, ended + min(PATIENCE * (ended - began), LONGEST_PATIENCE))


class Gathered(Generic[Asked, Given]):
    """Batches concurrent requests of the threads of one process."""

    def __init__(self) -> None:
        """Start without waiting threads."""
        self._mutex = threading.Lock()
        self._waiting: list[_Waiting[Asked, Given]] = []
        self._at_work = False
        self._enough, self._enough_came = 0, threading.Condition(self._mutex)  # how many to wait for
        self._last = _Last()

    def ask(self, asked: Asked, do_all: DoAll[Asked, Given]) -> Given:
        """Execute one request, alone or in a batch with concurrent ones, and return its outcome.

        Claim: each request is executed once, and its thread gets its outcome after `do_all` returned. Symbols: waiting
        requests, in order of arrival. Formula: one thread executes a batch; then the first that waits executes the next
        one. Source: budgets/proofs.md#charged-together. Raises the outcome of this request, or what `do_all` raised for
        all.
        """
        with self._mutex:
            mine: _Waiting[Asked, Given] = _Waiting(asked, not self._at_work)
            self._waiting.append(mine)
            self._at_work = True
            if len(self._waiting) == self._enough:
                self._enough_came.notify()
        try:
            self._wait(mine)
        finally:
            if mine.is_told:
                self._tell(mine.behind)
        if not mine.outcomes:
            self._work(mine, do_all)
        return mine.outcome()

    def _wait(self, mine: _Waiting[Asked, Given]) -> None:
        """Wait for an outcome or for the turn to execute; an interrupted thread passes its turn on."""
        try:
            if not mine.has_turn:
                mine.go_on.acquire()
            if not mine.outcomes:
                self._await_those_served()
        except BaseException:
            with self._mutex:
                self._waiting = [each for each in self._waiting if each is not mine]
                mine.is_gone = True
                hands_on = mine.has_turn and not mine.outcomes
            if hands_on:
                self._give_way()
            raise

    def _await_those_served(self) -> None:
        """Wait briefly for the threads served last: the first one back would otherwise form a batch of one."""
        with self._mutex:
            moment = self._last.patient_until - time.perf_counter()
            if moment > 0 and len(self._waiting) < self._last.asked:
                self._enough = self._last.asked
                self._enough_came.wait_for(lambda: len(self._waiting) >= self._enough, moment)
                self._enough = 0

    def _work(self, mine: _Waiting[Asked, Given], do_all: DoAll[Asked, Given]) -> None:
        """Execute all waiting requests as one batch, and pass the turn to the next thread."""
        with self._mutex:
            together, self._waiting = self._waiting[:MOST_AT_ONCE], self._waiting[MOST_AT_ONCE:]
        began = time.perf_counter()
        try:
            outcomes = do_all([each.asked for each in together])
            for each, outcome in zip(together, outcomes, strict=True):
                each.outcomes.append(outcome)
        except BaseException as failure:
            _fail(together, failure)
            raise
        finally:
            with self._mutex:
                self._last = _Last.since(began, min(len(together) + len(self._waiting), MOST_AT_ONCE))
            for each, behind in pairwise(together):
                each.behind = behind
            self._tell(mine.behind)
            self._give_way()

    def _tell(self, served: _Waiting[Asked, Given] | None) -> None:
        """Wake a served thread, which then wakes the next one; interrupted threads are skipped."""
        with self._mutex:
            while served is not None and served.is_gone:
                served = served.behind
            if served is not None:
                served.is_told = True
                served.go_on.release()

    def _give_way(self) -> None:
        with self._mutex:
            if self._waiting:
                self._waiting[0].has_turn = True
                self._waiting[0].go_on.release()
            else:
                self._at_work = False


def _fail(together: Sequence[_Waiting[Asked, Given]], failure: BaseException) -> None:
    """Set the failure of the batch as the outcome of each request; each thread gets its own exception."""
    for each in together:
        told = UnsafeStore(failure.why, failure.hint) if isinstance(failure, UnsafeStore) else _not_known()
        told.__cause__ = failure
        each.outcomes[:] = [told]


def _not_known() -> LedgerUnavailable:
    return LedgerUnavailable(
        "The ledger can't be written now, so nothing is answered.",
        "the same question with the same request id in a moment; it is charged once at most.",
    )
