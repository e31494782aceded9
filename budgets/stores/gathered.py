"""What threads ask at the same time is done at the same time: one of them does it for all who wait.

Whoever finds nobody at work begins. Those who come meanwhile wait; then one of them does what all of them have asked.
Before it does so it waits a moment for those who were just served: they often ask again, and are then served together.
Those who were served let each other go, one the next: awake all at once they would get into each other's way.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Generic, TypeVar

from budgets.errors import LedgerUnavailable, UnsafeStore

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
        Source: proofs.md#charged-together. Raises the outcome of this one, or what `do_all` raised for all.
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
