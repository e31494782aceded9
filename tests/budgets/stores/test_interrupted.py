"""An interrupted waiter blocks nobody: its turn and its place go to the next."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait

import pytest

from budgets.stores import group_commit
from budgets.stores.group_commit import RequestBatcher
from tests.budgets.stores.test_group_commit import Work
from tests.support.timeouts import until


class InterruptingLock:
    """A lock whose waiter is interrupted: when it is released, or when somebody leaves."""

    def __init__(self, leave: threading.Event | None = None) -> None:
        self.lock, self.leave = group_commit._locked_lock(), leave
        self.release = self.lock.release

    def acquire(self) -> bool:
        assert self.lock.acquire(timeout=30) if self.leave is None else self.leave.wait(30)
        raise KeyboardInterrupt


def test_a_leader_interrupted_at_its_turn_passes_it_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a notebook: its thread stops where it waits, and those behind it would wait for ever."""
    work, waiting = Work(), group_commit._PendingRequest
    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(work.ask, 1)
        assert work.began.wait(30)
        monkeypatch.setattr(
            group_commit, "_PendingRequest", lambda asked, has_turn: waiting(asked, has_turn, InterruptingLock())
        )
        cut = pool.submit(work.ask, 2)
        until(lambda: len(work.gathered._waiting) >= 1, 0.001)
        monkeypatch.setattr(group_commit, "_PendingRequest", waiting)
        behind = pool.submit(work.ask, 3)
        until(lambda: len(work.gathered._waiting) >= 2, 0.001)
        work.go.set()
        assert first.result(30) == 2
        assert isinstance(cut.exception(30), KeyboardInterrupt)
        assert behind.result(30) == 6
    assert work.batches == [[1], [3]] and not work.gathered._is_executing


def with_one_interrupted(monkeypatch: pytest.MonkeyPatch, *, at_work: bool, longest: float = 30) -> list[object]:
    """Five threads call, the last four are served together, and the third of all is interrupted.

    Give what came of each, None of who waits on.
    """
    asking, waiting = RequestBatcher[int, int](), group_commit._PendingRequest
    began, go, leave = threading.Event(), threading.Event(), threading.Event()
    made: list[group_commit._PendingRequest[int, int]] = []
    futures: list[Future[int]] = []

    def do(asked: Sequence[int]) -> list[int | Exception]:
        began.set()
        assert go.wait(30)
        if at_work and len(asked) > 1:
            leave.set()
            until(futures[2].done, 0.001)
        return [*asked]

    def note(asked: int, has_turn: bool) -> group_commit._PendingRequest[int, int]:
        cut = [InterruptingLock(leave if at_work else None)] if asked == 3 else []
        made.append(waiting(asked, has_turn, *cut))
        return made[-1]

    monkeypatch.setattr(group_commit, "_PendingRequest", note)
    with ThreadPoolExecutor(5) as pool:
        for number in range(1, 6):
            futures.append(pool.submit(asking.submit, number, do))
            assert began.wait(30)
            until(lambda number=number: len(asking._waiting) == number - 1, 0.001)
        go.set()
        done, _ = wait(futures, longest)
        for future, each in zip(futures, made, strict=True):
            if future not in done:
                each.wake.release()
        return [future.exception() or future.result() if future in done else None for future in futures]


@pytest.mark.parametrize("at_work", [True, False])
def test_callers_queued_behind_an_interrupted_one_are_woken(monkeypatch: pytest.MonkeyPatch, at_work: bool) -> None:
    one, two, cut, *behind = with_one_interrupted(monkeypatch, at_work=at_work)
    assert isinstance(cut, KeyboardInterrupt)
    assert (one, two, behind) == (1, 2, [4, 5])


def test_callers_behind_a_vanished_leader_would_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    def wake(_: RequestBatcher[int, int], served: group_commit._PendingRequest[int, int] | None) -> None:
        if served is not None:
            served.is_woken = True
            served.wake.release()

    monkeypatch.setattr(RequestBatcher, "_wake", wake)
    assert with_one_interrupted(monkeypatch, at_work=True, longest=0.5)[3:] == [None, None]


def test_a_leader_interrupted_while_waiting_passes_its_turn_on(monkeypatch: pytest.MonkeyPatch) -> None:
    work = Work()
    work.go.set()

    def interrupt(_: RequestBatcher[int, int]) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as cutting:
        cutting.setattr(RequestBatcher, "_await_returning_threads", interrupt)
        with pytest.raises(KeyboardInterrupt):
            work.ask(1)
    assert not work.gathered._is_executing
    assert work.ask(3) == 6
    assert work.batches == [[3]]
