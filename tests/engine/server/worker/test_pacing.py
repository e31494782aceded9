"""When answers leave: at the end of a public time if new to their client, at once otherwise."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

import pytest

from budgets import Charge, Loss
from dialect import compile_query
from engine import Refused, Session
from engine.errors import ExecutionFailed
from engine.pricing.query_terms import Request
from engine.server.worker import pacing
from engine.server.worker import pacing as pace_module
from engine.server.worker.pacing import PacedEngine, ResponsePacing
from tests.support.ledger.blank_ledger import blank_ledger

COUNT = "SELECT count(*) AS visits FROM visit"
BUCKET = 0.5


@dataclass
class Clock:
    """A time that passes only while somebody works or sleeps."""

    now: float = 100.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class Working:
    """A backend whose work takes so long, as the data have it."""

    def __init__(self, backend: Any, clock: Clock, seconds: float, fails: bool = False) -> None:
        self._backend, self._clock, self._seconds, self._fails = backend, clock, seconds, fails

    def run(self, *given: Any) -> Any:
        self._clock.sleep(self._seconds)
        if self._fails:
            raise ExecutionFailed
        return self._backend.run(*given)

    def sharing(self) -> AbstractContextManager[Any]:
        """Run the statements of a release as any others."""
        return nullcontext(self.run)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)


class Watched:
    """A ledger that records when it learns of a release or of a failure."""

    def __init__(self, ledger: Any, clock: Clock) -> None:
        self._ledger, self._clock = ledger, clock
        self.told: list[tuple[str, float]] = []

    def settle(self, *given: Any) -> Any:
        self.told.append(("stored", round(self._clock.now - 100, 9)))
        return self._ledger.settle(*given)

    def record_failure(self, *given: Any) -> Any:
        self.told.append(("failed", round(self._clock.now - 100, 9)))
        return self._ledger.record_failure(*given)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ledger, name)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(pace_module, "time", made)
    return made


@pytest.fixture
def working(town_session: Session, clock: Clock) -> Iterator[Callable[..., Session]]:
    with blank_ledger() as ledger:

        def session(seconds: float, fails: bool = False) -> Session:
            backend: Any = Working(town_session.engine.backend, clock, seconds, fails)
            engine = replace(town_session.engine, ledger=ledger, backend=backend)
            return replace(town_session, engine=PacedEngine.of(engine, ResponsePacing(least_seconds=BUCKET)))

        yield session


def taken(clock: Clock, session: Session, sql: str = COUNT, client: str = "ann", **more: Any) -> float:
    """Duration of a query."""
    begun = clock.now
    with contextlib.suppress(Refused):
        session.query(sql, client=client, **more)
    return round(clock.now - begun, 9)


@pytest.mark.parametrize("work", [0.0, 0.1, 0.499])
def test_a_fresh_release_leaves_at_the_end_of_its_bucket(work: float, working: Any, clock: Clock) -> None:
    assert taken(clock, working(work)) == BUCKET


@pytest.mark.parametrize(("work", "end"), [(0.501, 1.0), (0.9, 1.0), (1.1, 2.0), (3.0, 4.0)])
def test_a_longer_query_leaves_at_the_end_of_a_later_bucket(
    work: float, end: float, working: Any, clock: Clock
) -> None:
    assert taken(clock, working(work)) == end


def test_a_failure_leaves_at_the_end_of_the_bucket_too(working: Any, clock: Clock) -> None:
    assert taken(clock, working(0.2, fails=True)) == BUCKET


@pytest.mark.parametrize(("work", "end"), [(0.1, BUCKET), (0.7, 1.0)])
@pytest.mark.parametrize("fails", [False, True])
def test_the_ledger_records_no_read_before_the_end_of_the_pacing_bucket(
    work: float, end: float, fails: bool, working: Any, clock: Clock
) -> None:
    """Who asks again, reads the history or sees a number grow would learn when the work ended, to the millisecond."""
    assert ledger_events(working(work, fails), clock) == [("failed" if fails else "stored", end)]


def test_a_release_that_is_stored_inside_the_bucket_is_found(
    working: Any, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Planted: the release is stored as soon as it is made, and waits then."""
    whole = PacedEngine.settle

    def settle(self: PacedEngine, question: Any, bought: Any, charge: Any) -> Any:
        with self.data_access(bought, charge):
            return whole(replace(self, pace=ResponsePacing(least_seconds=1e-9)), question, bought, charge)

    monkeypatch.setattr(PacedEngine, "settle", settle)
    assert ledger_events(working(0.1), clock) != [("stored", BUCKET)]


def ledger_events(session: Session, clock: Clock) -> list[tuple[str, float]]:
    """Run a query; events of the ledger with their moments."""
    watched = Watched(session.engine.ledger, clock)
    watching: Any = watched
    taken(clock, replace(session, engine=replace(session.engine, ledger=watching)))
    return watched.told


@pytest.mark.parametrize("raised", [MemoryError(), KeyError("k"), ExecutionFailed()])
def test_any_exception_during_the_release_counts_as_a_failure(
    raised: Exception, town_session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise raised

    monkeypatch.setattr("engine.pipeline.engine.release_to_bytes", fail)
    with blank_ledger() as ledger:
        engine = replace(town_session.engine, ledger=ledger)
        for _ in range(3):
            with pytest.raises(ExecutionFailed):
                engine.answer(COUNT, Request("ann"))
        assert ledger.freezes()


def test_another_client_s_first_answer_waits_as_a_fresh_one(working: Any, clock: Clock) -> None:
    session = working(0.2)
    assert taken(clock, session, client="ann") == BUCKET
    assert taken(clock, session, client="bob") == BUCKET


@pytest.mark.parametrize("more", [{}, {"request_id": "second"}])
def test_replays_refusals_and_explanations_are_not_paced(more: Any, working: Any, clock: Clock) -> None:
    session = working(0.2)
    taken(clock, session, request_id="first")
    assert taken(clock, session, **more) == 0
    assert taken(clock, session, request_id="first") == 0
    assert taken(clock, session, "SELECT zon FROM visit") == 0
    assert taken(clock, session, rho="0.5") == 0  # more than is left
    assert taken(clock, session, "SELECT count(*) AS zones FROM zone") == 0
    session.explain("SELECT count(*) AS n FROM purchase", client="ann")
    assert clock.now == 100 + BUCKET


def test_a_request_that_was_charged_and_not_run_waits(working: Any, clock: Clock) -> None:
    with pytest.raises(Refused, match="E_EXEC"):
        replace(session := working(0.1), engine=replace(session.engine, objections={}.__getitem__)).query(
            COUNT, client="ann", request_id="first"
        )
    assert taken(clock, session, request_id="first") == BUCKET


def test_a_bucket_follows_from_plan_and_catalog_alone(working: Any) -> None:
    engine = working(0.0).engine
    buckets = ResponsePacing(least_seconds=0.001, rows_per_second=1e6)

    def bucket(sql: str) -> float:
        return buckets.bucket_seconds(engine.compile(compile_query(sql, engine.catalog), Request("ann")).releases)

    assert bucket("SELECT count(*) AS n FROM person") == 0.016  # 1e2 rows, one of a person, and a vector to plan
    joined = "SELECT count(*) AS n FROM visit JOIN person USING (person_id)"
    assert bucket(joined) == 0.032  # 1e3 and 1e2, and the 1e4 that one person may have at most
    assert bucket(f"{joined} UNION ALL {joined}") == 0.032  # one release
    assert bucket(f"{joined} UNION ALL {joined.replace('visit', 'purchase')}") == 16.384  # of undeclared size: 1e7
    assert bucket(f"{joined} CROSS JOIN range(50)") >= 8 * bucket(joined)


def charge_of(client: str) -> Charge:
    return Charge(1, client, "town", f"of {client}", Loss(1, 0), (), (), {})


def test_a_slot_is_occupied_until_the_end_of_the_bucket(clock: Clock) -> None:
    pace = ResponsePacing(least_seconds=0.05, slots=1)
    began = threading.Event()

    def first() -> None:
        with pace.hold_slot(charge_of("ann"), 0.2):
            began.set()

    thread = threading.Thread(target=first)
    thread.start()
    assert began.wait(30)
    with pace.hold_slot(charge_of("bob"), 0.05):
        assert round(clock.now - 100, 9) == 0.2
    thread.join(30)


@contextlib.contextmanager
def _no_turn(pace: ResponsePacing, charge: Charge, seconds: float) -> Iterator[None]:
    yield


def test_a_slot_released_before_the_end_of_the_bucket_is_found(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ResponsePacing, "hold_slot", _no_turn)
    with pytest.raises(AssertionError):
        test_a_slot_is_occupied_until_the_end_of_the_bucket(clock)


def _as_soon_as_it_is_there(begun: float, seconds: float) -> float:
    return begun


def _rounded_up(begun: float, seconds: float) -> float:
    return round(begun + 0.05, 1)


def _only_what_is_run(charge: Charge) -> bool:
    return bool(charge.to_run)


PLANTED = [
    (pace_module, "_round_up_to_bucket", _as_soon_as_it_is_there),
    (pace_module, "_round_up_to_bucket", _rounded_up),
]


@pytest.mark.parametrize(("module", "name", "other"), PLANTED, ids=["no wait", "steps of a tenth"])
def test_a_response_time_that_reveals_the_work_is_found(
    module: Any, name: str, other: Any, working: Any, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, name, other)
    with pytest.raises(AssertionError):
        test_a_fresh_release_leaves_at_the_end_of_its_bucket(0.1, working, clock)


def test_a_first_answer_that_does_not_wait_is_found(
    working: Any, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pacing, "is_first_access", _only_what_is_run)
    with pytest.raises(AssertionError):
        test_another_client_s_first_answer_waits_as_a_fresh_one(working, clock)
