"""An interrupted waiter blocks nobody: its turn and its place go to the next."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait

import pytest

from budgets.stores import group_commit
from budgets.stores.group_commit import Gathered
from tests.budgets.stores.test_gathered import Work
from tests.support.patience import until


class Cut:
    """A lock whose waiter is interrupted: when it is released, or when somebody leaves."""

    def __init__(self, leave: threading.Event | None = None) -> None:
        self.lock, self.leave = group_commit._shut(), leave
        self.release = self.lock.release

    def acquire(self) -> bool:
        assert self.lock.acquire(timeout=30) if self.leave is None else self.leave.wait(30)
        raise KeyboardInterrupt


def test_who_is_interrupted_at_its_turn_hands_it_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a notebook: its thread stops where it waits, and those behind it would wait for ever."""
    work, waiting = Work(), group_commit._Waiting
    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(work.ask, 1)
        assert work.began.wait(30)
        monkeypatch.setattr(group_commit, "_Waiting", lambda asked, has_turn: waiting(asked, has_turn, Cut()))
        cut = pool.submit(work.ask, 2)
        until(lambda: len(work.gathered._waiting) >= 1, 0.001)
        monkeypatch.setattr(group_commit, "_Waiting", waiting)
        behind = pool.submit(work.ask, 3)
        until(lambda: len(work.gathered._waiting) >= 2, 0.001)
        work.go.set()
        assert first.result(30) == 2
        assert isinstance(cut.exception(30), KeyboardInterrupt)
        assert behind.result(30) == 6
    assert work.batches == [[1], [3]] and not work.gathered._at_work


def with_one_interrupted(monkeypatch: pytest.MonkeyPatch, *, at_work: bool, longest: float = 30) -> list[object]:
    """Five threads call, the last four are served together, and the third of all is interrupted.

    Give what came of each, None of who waits on.
    """
    asking, waiting = Gathered[int, int](), group_commit._Waiting
    began, go, leave = threading.Event(), threading.Event(), threading.Event()
    made: list[group_commit._Waiting[int, int]] = []
    futures: list[Future[int]] = []

    def do(asked: Sequence[int]) -> list[int | Exception]:
        began.set()
        assert go.wait(30)
        if at_work and len(asked) > 1:
            leave.set()
            until(futures[2].done, 0.001)
        return [*asked]

    def note(asked: int, has_turn: bool) -> group_commit._Waiting[int, int]:
        cut = [Cut(leave if at_work else None)] if asked == 3 else []
        made.append(waiting(asked, has_turn, *cut))
        return made[-1]

    monkeypatch.setattr(group_commit, "_Waiting", note)
    with ThreadPoolExecutor(5) as pool:
        for number in range(1, 6):
            futures.append(pool.submit(asking.ask, number, do))
            assert began.wait(30)
            until(lambda number=number: len(asking._waiting) == number - 1, 0.001)
        go.set()
        done, _ = wait(futures, longest)
        for future, each in zip(futures, made, strict=True):
            if future not in done:
                each.go_on.release()
        return [future.exception() or future.result() if future in done else None for future in futures]


@pytest.mark.parametrize("at_work", [True, False])
def test_those_behind_one_that_is_interrupted_are_told(monkeypatch: pytest.MonkeyPatch, at_work: bool) -> None:
    one, two, cut, *behind = with_one_interrupted(monkeypatch, at_work=at_work)
    assert isinstance(cut, KeyboardInterrupt)
    assert (one, two, behind) == (1, 2, [4, 5])


def test_those_behind_one_that_is_gone_would_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    def tell(_: Gathered[int, int], served: group_commit._Waiting[int, int] | None) -> None:
        if served is not None:
            served.is_told = True
            served.go_on.release()

    monkeypatch.setattr(Gathered, "_tell", tell)
    assert with_one_interrupted(monkeypatch, at_work=True, longest=0.5)[3:] == [None, None]


def test_who_is_interrupted_while_it_waits_for_others_hands_on_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    work = Work()
    work.go.set()

    def cut(_: Gathered[int, int]) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as cutting:
        cutting.setattr(Gathered, "_await_those_served", cut)
        with pytest.raises(KeyboardInterrupt):
            work.ask(1)
    assert not work.gathered._at_work
    assert work.ask(3) == 6
    assert work.batches == [[3]]
