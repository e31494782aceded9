"""Response pacing: a fresh release leaves at a public time, computed from its plan's work bound, never from the data.

`PacedEngine` is an engine whose fresh releases leave at that time; in everything else it is the plain engine.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass, field, fields

from budgets import Charge
from dialect import Question
from engine.pipeline.compiled_query import CompiledQuery
from engine.pipeline.engine import Engine
from engine.pricing.compile_release import CompiledRelease
from engine.pricing.query_terms import Request
from engine.pricing.work_limits import check_steps
from engine.reuse.holdings import load_paid_releases
from engine.server.worker.scheduler import LONG_BUCKET_FACTOR, QueuedQuery, Scheduler

MAX_STATEMENT_SECONDS = 600.0  # after which the backend stops a statement
NOISED_NUMBERS_PER_SECOND = 50_000  # far below the speed of a slow machine
PLANNED_VECTOR_SECONDS = 0.01  # to plan the part of a statement that is one vector's
PROFILED_VECTOR_SECONDS = 0.04  # to plan the statements of one profiled vector, and to choose its clip bound

BucketCallback = Callable[[float], None]
# called with the bucket's seconds
bucket_callback: ContextVar[BucketCallback | None] = ContextVar("announced", default=None)
queued_callback: ContextVar[Callable[[], None] | None] = ContextVar("queued", default=None)  # called in the queue
current_query: ContextVar[QueuedQuery | None] = ContextVar("placed", default=None)  # the query of this call


@dataclass(frozen=True)
class ResponsePacing:
    """Assumed speed of this machine, limits of the queue, and the scheduler of its slots."""

    least_seconds: float = 0.5  # the shortest bucket; each further one is twice as long
    rows_per_second: float = 2e6  # read, bounded and summed by one query
    slots: int = 2
    queue: int = 64  # queries that wait or run, each from before its charge to its end
    queue_per_client: int = 32
    unit_rows: float = 2e6  # most work of one privacy unit's rows, in plain rows
    scheduler: Scheduler = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Create the scheduler."""
        object.__setattr__(
            self,
            "scheduler",
            Scheduler(self.slots, LONG_BUCKET_FACTOR * self.least_seconds, self.queue, self.queue_per_client),
        )

    def bucket_seconds(self, prepared: tuple[CompiledRelease, ...]) -> float:
        """Choose the time bucket of a query: the shortest that holds its work and that of one more privacy unit.

        Claim: it is a function of plans, catalog, public tables and settings, and never shorter for a larger bound.
        Symbols: steps of all and of one unit; n, the numbers that are noised; v, the vectors, whose statements are
        planned. Formula: the least least_seconds * 2^k of at least steps / rows_per_second + n /
        NOISED_NUMBERS_PER_SECOND + v * PROFILED_VECTOR_SECONDS, or PLANNED_VECTOR_SECONDS without a profile.
        Source: engine/server/proofs.md#bucket_seconds. Raises nothing.
        """
        expected = sum(map(self._expected_seconds, prepared))
        steps = math.ceil(math.log2(max(expected, self.least_seconds) / self.least_seconds))
        return self.least_seconds * float(2**steps)

    def _expected_seconds(self, prepared: CompiledRelease) -> float:
        work = prepared.unpriced_release.work
        vectors = len(prepared.plan.vectors)
        numbers = (prepared.key_count or 1) * vectors
        of_rows = (work.steps + work.max_unit_steps) / self.rows_per_second
        of_plan = vectors * (PLANNED_VECTOR_SECONDS if prepared.profile is None else PROFILED_VECTOR_SECONDS)
        return of_rows + numbers / NOISED_NUMBERS_PER_SECOND + of_plan

    @property
    def max_rows(self) -> float:
        """Largest work of a query in plain rows: what is done before a statement is stopped."""
        return MAX_STATEMENT_SECONDS * self.rows_per_second

    @contextmanager
    def named_query(self, client: str, name: str | None, *, is_job: bool = False) -> Iterator[None]:
        """Make the query that runs inside withdrawable by this name. Without one, its request id is its name."""
        if name is None:
            yield
            return
        with self.scheduler.tracked(QueuedQuery(client, name, is_job=is_job)) as queued_query:
            token = current_query.set(queued_query)
            try:
                yield
            finally:
                current_query.reset(token)

    @contextmanager
    def queue_place(self, client: str) -> Iterator[None]:
        """Reserve a slot in the queue; raises QueueFull. A job needs none: it has waited for admission."""
        queued_query = current_query.get()
        is_job = queued_query is not None and queued_query.is_job
        with nullcontext() if is_job else self.scheduler.places.hold(client):
            on_queued = queued_callback.get()
            if on_queued is not None:
                on_queued()
            yield

    @contextmanager
    def hold_slot(self, charge: Charge, seconds: float) -> Iterator[None]:
        """Wait for a slot, and hold it to the end of the bucket, doubled until the work is done.

        Claim: the time of what happens inside reveals no more than k. Symbols: b, the bucket's `seconds`; k. Formula:
        the end is at b * 2^k after the slot was had; k is 0 unless the work takes longer than b. Source:
        engine/pipeline/proofs.md#paced.
        Raises Withdrawn where the query was cancelled before it had a slot.
        """
        with self.scheduler.hold_slot(current_query.get() or QueuedQuery(charge.client, charge.request_id), seconds):
            begun = time.monotonic()
            on_bucket = bucket_callback.get()
            if on_bucket is not None:
                on_bucket(seconds)
            try:
                yield
            finally:
                _sleep_to(begun + _round_up_to_bucket(time.monotonic() - begun, seconds))


def _round_up_to_bucket(taken: float, seconds: float) -> float:
    """Round a duration up to seconds * 2^k."""
    end = seconds
    while end < taken:
        end *= 2
    return end


def _sleep_to(moment: float) -> None:
    while (left := moment - time.monotonic()) > 0:
        time.sleep(left)


@dataclass(frozen=True)
class PacedEngine(Engine):
    """The engine of a server: responses are paced, and slots and queue limited."""

    pace: ResponsePacing = field(default_factory=ResponsePacing)

    @classmethod
    def of(cls, engine: Engine, pacing: ResponsePacing) -> PacedEngine:
        """Wrap an engine with response pacing."""
        engine_fields = {
            each.name: getattr(engine, each.name) for each in fields(engine) if each.init and each.name != "pace"
        }
        return cls(**engine_fields, pace=pacing)

    def on_free_repeat(self, client: str, dataset: str) -> None:
        """Count a free replay; the ledger's chain gets one row per hour."""
        self.ledger.count_repeat(client, dataset)

    def queued_execution(self, bought: tuple[CompiledRelease, ...], asked: Request) -> AbstractContextManager[None]:
        """Reserve a slot in the queue of queries that may read data. Replays of paid releases need none.

        Raises QueueFull, before anything is charged.
        """
        if not bought or load_paid_releases(bought, self.ledger, asked.client) is not None:
            return nullcontext()
        return self.pace.queue_place(asked.client)

    def compile(
        self, question: Question, asked: Request, paid_releases: tuple[CompiledRelease, ...] = ()
    ) -> CompiledQuery:
        """Compile a query, and refuse it if one person's rows could change its running time by much.

        Proof: `engine/server/proofs.md#bucket_seconds`.

        Raises Refusal, before anything is charged.
        """
        query = super().compile(question, asked, paid_releases)
        works = [] if paid_releases else [each.work for each in query.unpriced]
        check_steps(works, self.pace.unit_rows, self.pace.max_rows)
        return query

    def data_access(self, bought: tuple[CompiledRelease, ...], charge: Charge) -> AbstractContextManager[None]:
        """Pace the making of a charged release, and a client's first replay of one, to the end of its bucket.

        Claim: the time when a release is stored or a failure noted, and with it the time of an answer and all that a
        ledger states of either, reveals of the data only in which of the buckets b, 2b, 4b, ... the work ended, b a
        function of plan and catalog. A first replay waits for the same bucket: the day of its numbers may reveal that
        another client queried before, its time never does. Own replays and refusals read no data and do not wait.
        Source: engine/pipeline/proofs.md#paced. Raises Withdrawn.
        """
        if not is_first_access(charge):
            return nullcontext()
        return self.pace.hold_slot(charge, self.pace.bucket_seconds(bought))


def is_first_access(charge: Charge) -> bool:
    """Is this the client's first access? True for a release that is still to be made, or was paid for just now."""
    return bool(charge.to_run) or (charge.loss.pico_rho > 0 and not charge.is_repeat)
