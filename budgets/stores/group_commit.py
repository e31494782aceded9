"""Group commit: requests that arrive together share one execution, and transactions share one flush of the disk.

Gathered requests: a thread that finds none at work begins. Those that come meanwhile wait; then one of them does the
work of all. Before that it waits a moment for those that were just served: they often ask again, and are then served
together. Those that were served wake each other one by one, because all at once they would contend.

Shared commits: threads take turns in one transaction, and each returns when it is durable. A thread that finds nobody
waiting behind it commits for all before it. So one writer alone commits at once, and many share the disk's flushes.
The first works in the transaction itself, each other in a savepoint: one that fails takes its own part back, and no
other's.
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

WHOLE = "whole_transaction"  # a savepoint that lives as long as the transaction in which the first part wrote
MOST_TOGETHER = 64  # parts of one transaction: other processes wait no longer than these take
TURN_SECONDS = 20.0


@dataclass(eq=False)
class Together:
    """One open transaction and what became of it."""

    connection: Connection
    parts: int = 1
    over: bool = False
    failure: BaseException | None = None


class SharedCommits:
    """The turns of one process's writers."""

    def __init__(self) -> None:
        """Begin with nobody writing."""
        mutex = threading.Lock()
        self._turn, self._over = threading.Condition(mutex), threading.Condition(mutex)
        self._busy = False  # somebody works in the transaction, or commits it
        self._waiting = 0
        self._open: Together | None = None

    @contextmanager
    def part(self, begin: Callable[[], Connection]) -> Iterator[Connection]:
        """Write a part of a transaction, begun where none is open; durable when this returns.

        Claim: what a part wrote is committed before its writer goes on, and a part that raises leaves nothing behind.
        Symbols: parts of one transaction, one at a time. Formula: who finds nobody waiting commits, all others wait for
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
        """Work in a savepoint; one that can't be ended is gone, with all that was written before it."""
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
                if not given:  # whoever relied on this one to commit, or to go on, must do it now
                    self._turn.notify()
                    self._over.notify_all()
            if not given:
                raise SQLAlchemyError("no turn to write")
            self._busy = True

    def _give_turn(self) -> None:
        """Commit if nobody waits who could, else let the next one write."""
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
        """Commit what all wrote, if it is there: a store may undo a whole transaction by itself, and begin another.

        SQLite does so where the disk is full or can't be read, and then a commit of nothing succeeds.
        """
        try:
            if together.failure is None:
                _is_there(together.connection)
                together.connection.commit()
            else:
                together.connection.invalidate()
        except BaseException as failure:
            together.failure = failure
            together.connection.invalidate()  # what it holds open can't be told
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
        """Tell whether everybody who could have committed gave up waiting for a turn."""
        return not self._busy and self._waiting == 0


def _is_there(connection: Connection) -> None:
    """Raise where the transaction is not the one that was begun."""
    connection.exec_driver_sql(f"RELEASE SAVEPOINT {WHOLE}")


def _end(how: Callable[[], None], together: Together) -> bool:
    """End a savepoint; where it is not there, nobody's part is."""
    try:
        how()
    except BaseException as failure:
        together.failure = failure
    return together.failure is None


def _abandon(connection: Connection) -> None:
    """Give a connection back; what was not committed is undone."""
    with suppress(SQLAlchemyError):
        connection.close()


MOST_AT_ONCE = 64  # of one transaction: other processes wait no longer than these take
PATIENCE = 0.5  # of the time that the last took: as long those whom it served may take to ask again

LONGEST_PATIENCE = 0.01  # seconds

Asked = TypeVar("Asked")
Given = TypeVar("Given")
DoAll = Callable[[Sequence[Asked]], Sequence[Given | Exception]]  # one outcome for each, in order; raises for all


def _shut() -> threading.Lock:
    """Give a lock that is held: it is waited for as an Event is, at a fraction of the cost."""
    lock = threading.Lock()
    lock.acquire()
    return lock


@dataclass(eq=False)
class _Waiting(Generic[Asked, Given]):
    """What one thread has asked, and what became of it."""

    asked: Asked
    has_turn: bool  # to work
    go_on: threading.Lock = field(default_factory=_shut)  # let go once, when it has its outcome or its turn
    outcomes: list[Given | BaseException] = field(default_factory=list)  # none yet, or one
    behind: _Waiting[Asked, Given] | None = None  # who was served with it, and is told after it
    is_told: bool = False  # that it was served
    is_gone: bool = False  # interrupted while it waited

    def outcome(self) -> Given:
        """Give what came of it, or raise that."""
        (came,) = self.outcomes
        if isinstance(came, BaseException):
            raise came
        return came


@dataclass(frozen=True)
class _Last:
    """What was done last; nothing at first."""

    asked: int = 0  # who was served, and who came meanwhile: all who may ask again
    patient_until: float = 0.0

    @classmethod
    def since(cls, began: float, asked: int) -> _Last:
        """End what began at a moment of the clock that only goes forward."""
        ended = time.perf_counter()
        return cls(asked, ended + min(PATIENCE * (ended - began), LONGEST_PATIENCE))


class Gathered(Generic[Asked, Given]):
    """The threads of one process that ask for the same kind of thing."""

    def __init__(self) -> None:
        """Begin with nobody waiting."""
        self._mutex = threading.Lock()
        self._waiting: list[_Waiting[Asked, Given]] = []
        self._at_work = False
        self._enough, self._enough_came = 0, threading.Condition(self._mutex)  # whom one that has its turn waits for
        self._last = _Last()

    def ask(self, asked: Asked, do_all: DoAll[Asked, Given]) -> Given:
        """Give what came of one thing that was asked, done alone or together with what others ask.

        Claim: each thing is done once, and whoever asked it gets its outcome after `do_all` returned. Symbols: waiting,
        in the order of their coming. Formula: one thread works; when it is done the first that waits goes on with all.
        Source: budgets/proofs.md#charged-together. Raises the outcome of this one, or what `do_all` raised for all.
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
        """Wait for an outcome, or for a turn to work; who is interrupted leaves both to the others."""
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
        """Give those who were served last a moment to ask again: the first one back would be served alone."""
        with self._mutex:
            moment = self._last.patient_until - time.perf_counter()
            if moment > 0 and len(self._waiting) < self._last.asked:
                self._enough = self._last.asked
                self._enough_came.wait_for(lambda: len(self._waiting) >= self._enough, moment)
                self._enough = 0

    def _work(self, mine: _Waiting[Asked, Given], do_all: DoAll[Asked, Given]) -> None:
        """Do what is asked, the one's own thing first, and let the next go on."""
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
        """Let one that was served go on, which tells the one behind it; who is gone is passed over."""
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
    """Let what failed fail for all; each thread raises an exception of its own."""
    for each in together:
        told = UnsafeStore(failure.why, failure.hint) if isinstance(failure, UnsafeStore) else _not_known()
        told.__cause__ = failure
        each.outcomes[:] = [told]


def _not_known() -> LedgerUnavailable:
    return LedgerUnavailable(
        "The ledger can't be written now, so nothing is answered.",
        "the same question with the same request id in a moment; it is charged once at most.",
    )
