"""The scheduler starves nobody: round robin over clients, one slot free of long queries, cancellation frees a place."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from engine import Session
from engine.server.service import Service
from engine.server.settings import Settings
from engine.server.worker import scheduler
from engine.server.worker.pacing import PacedEngine, ResponsePacing
from engine.server.worker.scheduler import QueuedQuery, Scheduler, Withdrawn
from tests.support.server.serving import inhabited
from tests.support.timeouts import MAX_SECONDS, until

SHORT, LONG = 1.0, 4.0
COUNT = "SELECT count(*) AS visits FROM visit"
Begun = list[str]


class Line:
    """Queries that arrive one after another, each in a thread of its own, and end on demand."""

    def __init__(self, slots: int) -> None:
        self.turns, self._number = Scheduler(slots, LONG), 0
        self.begun: Begun = []
        self._ends: dict[str, threading.Event] = {}
        self._threads: list[threading.Thread] = []

    def comes(self, client: str, seconds: float = SHORT) -> str:
        """Queue a query; returns its name once it waits or runs."""
        self._number += 1
        name = f"{client}{self._number}"
        self._ends[name] = threading.Event()
        before = self._present()
        self._threads.append(thread := threading.Thread(target=self._asks, args=(client, name, seconds), daemon=True))
        thread.start()
        self._until(lambda: self._present() > before)
        return name

    def ends(self, name: str) -> None:
        """End a running query; returns once its slot is free or reassigned."""
        self._ends[name].set()
        self._until(lambda: name not in self._running())
        self._settle()

    def sees(self, told: str) -> None:
        """Wait until a query's own thread has recorded its outcome."""
        self._until(lambda: told in self.begun)

    def end(self) -> None:
        """End everything."""
        for ending in self._ends.values():
            ending.set()
        for thread in self._threads:
            thread.join(MAX_SECONDS)

    def _asks(self, client: str, name: str, seconds: float) -> None:
        try:
            with self.turns.hold_slot(QueuedQuery(client, name), seconds):
                self.begun.append(name)
                self._ends[name].wait(MAX_SECONDS)
        except Withdrawn:
            self.begun.append(f"not {name}")

    def _running(self) -> list[str]:
        return [place.name for place in self.turns._running]

    def _present(self) -> int:
        return len(self.turns._waiting) + len(self.turns._running) + sum(n.startswith("not") for n in self.begun)

    def _settle(self) -> None:
        """Wait until whoever may begin has begun."""
        self._until(lambda: self._running() == [n for n in self.begun if n in self._running()] and not self._may())

    def _may(self) -> bool:
        with self.turns._lock:
            return self.turns._next_query() is not None

    def _until(self, there: Callable[[], bool]) -> None:
        until(there, 0.001)


@contextmanager
def line(slots: int) -> Iterator[Line]:
    made = Line(slots)
    try:
        yield made
    finally:
        made.end()


def test_a_heavy_client_does_not_delay_a_light_one() -> None:
    with line(1) as asked:
        first = asked.comes("ann")
        later = [asked.comes("ann") for _ in range(5)]
        bob = asked.comes("bob")
        asked.ends(first)
        assert asked.begun == [first, bob]
        asked.ends(bob)
        assert asked.begun == [first, bob, later[0]]


def test_slots_go_round_robin_over_clients() -> None:
    with line(1) as asked:
        names = [asked.comes(client) for client in "aaabbbcc"]
        for _ in range(len(names) - 1):
            asked.ends(asked.begun[-1])
        assert [name[0] for name in asked.begun] == list("abcabcab")


def test_long_questions_leave_a_slot_to_the_others() -> None:
    with line(2) as asked:
        long = asked.comes("ann", LONG)
        waiting = [asked.comes(client, LONG) for client in ("ann", "bob")]
        short = asked.comes("cem")
        assert asked.begun == [long, short]
        asked.ends(short)
        assert asked.begun == [long, short]  # the slot stays free for who is short
        asked.ends(long)
        assert asked.begun == [long, short, waiting[1]]


def test_with_one_slot_long_queries_get_their_turn() -> None:
    with line(1) as asked:
        assert asked.begun == [] and asked.comes("ann", LONG) == asked.begun[0]


def test_a_cancelled_query_leaves_the_queue_and_never_runs() -> None:
    with line(1) as asked:
        first, second, third = (asked.comes(client) for client in ("ann", "bob", "cem"))
        assert asked.turns.withdraw("bob", second)
        asked.sees(f"not {second}")
        assert not asked.turns.withdraw("ann", first), "what reads data goes on"
        assert not asked.turns.withdraw("cem", second), "another's is not there"
        asked.ends(first)
        assert asked.begun == [first, f"not {second}", third]


def _first_come(waiting: list[QueuedQuery], *_: object) -> QueuedQuery | None:
    return waiting[0] if waiting else None


@pytest.mark.parametrize(
    "held", [test_a_heavy_client_does_not_delay_a_light_one, test_long_questions_leave_a_slot_to_the_others]
)
def test_a_first_come_first_served_queue_is_found(held: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduler, "choose_next", _first_come)
    with pytest.raises(AssertionError):
        held()


@pytest.fixture
def one_slot(town_session: Session, session: Session) -> tuple[Session, Scheduler]:
    """A session with one slot for reads, and its queue; the slot's holder decides when others read."""
    pace = ResponsePacing(least_seconds=0.001, slots=1)
    engine = PacedEngine.of(replace(town_session.engine, ledger=session.engine.ledger), pace)
    return replace(town_session, engine=engine), pace.scheduler


def charges(session: Session) -> list[str]:
    return [row["kind"] for row in session.ledger() if row["kind"] in ("charged", "released", "failed")]


AT_ONCE, SOON = {"Prefer": "respond-async"}, 0.01  # seconds until a question goes on as a job


@pytest.mark.parametrize("headers", [AT_ONCE, {}, {"Idempotency-Key": "mine"}])
def test_a_cancelled_job_that_waited_was_charged_and_costs_nothing_more(
    one_slot: tuple[Session, Scheduler], headers: dict[str, str]
) -> None:
    session, turns_ = one_slot
    with inhabited(session, deadline_seconds=SOON) as served:
        with turns_.hold_slot(QueuedQuery("dan", "holds it"), SHORT):
            waiting = served.ask(COUNT, headers=headers).json()
            until(lambda: turns_._waiting)
            assert served.send("DELETE", f"/v1/jobs/{waiting['id']}").json()["state"] == "cancelled"
            until(lambda: not turns_._waiting)
        assert charges(session) == ["charged"]
        left = served.send("GET", "/v1/budget").json()["accounts"]
        served.house.settings = Settings(deadline_seconds=MAX_SECONDS)  # who asks now waits
        assert served.ask(COUNT).json()["rows"] and served.send("GET", "/v1/budget").json()["accounts"] == left


def test_a_query_over_the_job_limit_is_withdrawn_from_the_queue_uncharged(
    one_slot: tuple[Session, Scheduler], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Regression: it reported no charge, yet was charged, waited on and run for nobody."""
    session, turns_ = one_slot
    withdraw = Service.withdraw

    async def once_it_waits(house: Service, client: str, name: str) -> None:
        while len(turns_._waiting) < 2:
            await asyncio.sleep(0.005)
        await withdraw(house, client, name)

    monkeypatch.setattr(Service, "withdraw", once_it_waits)
    with inhabited(session, deadline_seconds=SOON, jobs_per_client=1) as served:
        with turns_.hold_slot(QueuedQuery("dan", "holds it"), SHORT):
            served.ask("SELECT count(*) AS shops FROM purchase", headers=AT_ONCE)
            told = served.ask(COUNT).json()
            assert told["code"] == "E_RATE" and "longer than you waited" in told["message"]
            assert told["hint"].endswith("is not charged again")
            assert served.ask(COUNT, headers=AT_ONCE).json()["hint"].endswith("nothing was charged")
            until(lambda: len(turns_._waiting) == 1)
        until(lambda: "released" in charges(session) and not turns_._running)
        assert charges(session) == ["charged", "charged", "released"]


def test_a_query_cancelled_before_queueing_never_runs() -> None:
    turns_ = Scheduler(1, LONG)
    with turns_.tracked(QueuedQuery("ann", "one")) as place:
        assert turns_.withdraw("ann", "one") and not turns_.withdraw("bob", "one")
        with pytest.raises(Withdrawn), turns_.hold_slot(place, SHORT):
            pass
    assert not turns_.withdraw("ann", "one")
    assert not (turns_._waiting or turns_._running)


def test_a_client_waits_for_its_next_turn_after_a_slot() -> None:
    """Once called, a place was called for ever: its second turn had no slot, and stood in the line when it was over."""
    turns_, place, begun = Scheduler(1, LONG), QueuedQuery("ann", "one"), threading.Event()
    with turns_.hold_slot(place, SHORT):
        pass

    def again() -> None:
        with turns_.hold_slot(place, SHORT):
            begun.set()

    second = threading.Thread(target=again, daemon=True)
    with turns_.hold_slot(QueuedQuery("bob", "other"), SHORT):
        second.start()
        until(lambda: turns_._waiting)
        assert not begun.wait(0.1)
    second.join(MAX_SECONDS)
    assert begun.is_set() and not (turns_._waiting or turns_._running)
    with turns_.tracked(QueuedQuery("ann", "two")) as place:
        with turns_.hold_slot(place, SHORT):
            pass
        assert turns_.withdraw("ann", "two")
        with pytest.raises(Withdrawn), turns_.hold_slot(place, SHORT):
            pass
