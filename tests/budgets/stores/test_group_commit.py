"""Threads that call at once: each job runs once, nobody returns before it is done, a failure blocks nobody."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from budgets import LedgerUnavailable, UnsafeStore
from budgets.stores import group_commit
from budgets.stores.group_commit import RequestBatcher
from tests.support.timeouts import until

ASKERS = 24


class Work:
    """Doubles numbers, and blocks the first batch until it is released, so that others queue behind it."""

    def __init__(self) -> None:
        self.gathered: RequestBatcher[int, int] = RequestBatcher()
        self.batches: list[list[int]] = []
        self.began, self.go = threading.Event(), threading.Event()
        self.at_work = threading.Lock()
        self.failure: BaseException | None = None

    def do(self, asked: Sequence[int]) -> list[int | Exception]:
        assert self.at_work.acquire(blocking=False), "two threads work at once"
        try:
            self.batches.append([*asked])
            self.began.set()
            assert self.go.wait(30)
            if self.failure is not None and len(self.batches) == 2:
                raise self.failure
            return [ValueError(f"{each}") if each % 7 == 0 else 2 * each for each in asked]
        finally:
            self.at_work.release()

    def ask(self, number: int) -> int:
        return self.gathered.submit(number, self.do)

    def all(self, numbers: Sequence[int]) -> list[object]:
        """Start the first call, and all others while it runs."""
        with ThreadPoolExecutor(len(numbers)) as pool:
            futures = [pool.submit(self.ask, numbers[0])]
            assert self.began.wait(30)
            futures += [pool.submit(self.ask, number) for number in numbers[1:]]
            until(lambda: len(self.gathered._waiting) >= len(numbers) - 1, 0.001)
            assert not any(future.done() for future in futures), "somebody was told before it was done"
            self.go.set()
            return [future.exception(30) or future.result() for future in futures]


def test_waiting_callers_are_served_in_one_batch_with_their_own_results() -> None:
    work, numbers = Work(), [*range(1, ASKERS)]
    outcomes = work.all(numbers)
    for number, outcome in zip(numbers, outcomes, strict=True):
        assert str(outcome) == str(number if number % 7 == 0 else 2 * number)
    assert work.batches[0] == [1] and len(work.batches) == 2
    assert sorted(each for batch in work.batches for each in batch) == numbers


def test_no_batch_is_larger_than_the_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_commit, "MAX_BATCH_SIZE", 5)
    work, numbers = Work(), [*range(1, ASKERS)]
    work.all(numbers)
    assert [len(batch) for batch in work.batches] == [1, 5, 5, 5, 5, 2]
    assert sorted(each for batch in work.batches for each in batch) == numbers


@pytest.mark.parametrize(
    ("failure", "told"),
    [
        (UnsafeStore("it lies.", "another disk."), UnsafeStore),
        (LedgerUnavailable("it is gone.", "later."), LedgerUnavailable),
        (RuntimeError("a bug"), LedgerUnavailable),
        (KeyboardInterrupt(), LedgerUnavailable),
    ],
)
def test_a_failed_batch_raises_in_every_caller_and_the_next_batch_is_served(
    failure: BaseException, told: type[Exception]
) -> None:
    work, numbers = Work(), [*range(1, ASKERS)]
    work.failure = failure
    first, *others = work.all(numbers)
    assert first == 2
    raised = [each for each in others if each is not failure]
    assert len(raised) == len(others) - 1, "who worked raises what was raised"
    assert {type(each) for each in raised} == {told}
    assert len({id(each) for each in raised}) == len(raised), "two threads raise one exception"
    assert work.ask(100) == 200


def test_a_single_caller_is_served_at_once() -> None:
    work = Work()
    work.go.set()
    assert work.ask(4) == 8
    with pytest.raises(ValueError, match="7"):
        work.ask(7)
    assert work.batches == [[4], [7]] and not work.gathered._is_executing


TOGETHER = [1, *[ASKERS] * 3, ASKERS - 1]  # four times each: the first alone, and one less at the end


class Comers:
    """Threads that call again as soon as they are served, a given number of times."""

    def __init__(self) -> None:
        self.gathered: RequestBatcher[int, int] = RequestBatcher()
        self.batches: list[int] = []
        self.first = threading.Event()

    def do(self, asked: Sequence[int]) -> list[int | Exception]:
        if not self.batches:
            until(lambda: len(self.gathered._waiting) == ASKERS - 1, 0.001)
        self.batches.append(len(asked))
        time.sleep(0.02)  # as long as they may take to come back
        return [*asked]

    def come(self, times: int) -> None:
        def again(number: int) -> None:
            for _ in range(times):
                assert self.gathered.submit(number, self.do) == number

        with ThreadPoolExecutor(ASKERS) as pool:
            for done in [pool.submit(again, number) for number in range(ASKERS)]:
                done.result(60)


def test_callers_that_return_at_once_are_served_in_one_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_commit, "MAX_WAIT_SECONDS", 4.0)
    monkeypatch.setattr(group_commit, "WAIT_FRACTION", 500.0)
    comers = Comers()
    comers.come(4)
    assert comers.batches == TOGETHER


def test_without_patience_the_first_returning_caller_is_served_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """As it was: each round costs one more commit, which all others wait for."""
    monkeypatch.setattr(group_commit, "WAIT_FRACTION", 0.0)
    comers = Comers()
    comers.come(4)
    assert comers.batches != TOGETHER


def test_the_wait_for_others_is_at_most_the_duration_of_the_last_batch() -> None:
    work = Work()
    work.go.set()
    started = time.perf_counter()
    work.gathered._last = group_commit._LastBatch(64, started + 0.05)
    assert work.ask(4) == 8
    assert time.perf_counter() - started >= 0.05
    work.gathered._last = group_commit._LastBatch(64, time.perf_counter() - 0.01)
    assert work.ask(5) == 10
    assert group_commit._LastBatch.ended(time.perf_counter() - 60, 2).wait_until <= time.perf_counter() + 0.01
