"""An engine whose fresh releases leave in public time; everything else is the engine's own."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, fields

from budgets import Charge
from dialect import Question
from engine.pipeline.engine import Engine
from engine.pricing.prepare import Prepared
from engine.pricing.public_counts import check_time
from engine.pricing.terms import Asked
from engine.reuse.repeats import replayed
from engine.server.worker.pace import Pace


@dataclass(frozen=True)
class PacedEngine(Engine):
    """The engine of a server."""

    pace: Pace = field(default_factory=Pace)

    @classmethod
    def of(cls, engine: Engine, pace: Pace) -> PacedEngine:
        """Put a pace around an engine."""
        kept = {each.name: getattr(engine, each.name) for each in fields(engine) if each.init and each.name != "pace"}
        return cls(**kept, pace=pace)

    def repeated(self, client: str, dataset: str) -> None:
        """Count a free repeat, for a row of the chain when the hour is over."""
        self.ledger.count_repeat(client, dataset)

    def queued(self, bought: tuple[Prepared, ...], asked: Asked) -> AbstractContextManager[None]:
        """Hold a place in the queue of questions that may read data; what is stored and paid for needs none.

        Raises QueueFull, before anything is charged.
        """
        if not bought or replayed(bought, self.ledger, asked.client) is not None:
            return nullcontext()
        return self.pace.queue_place(asked.client)

    def prepare(self, question: Question, asked: Asked) -> tuple[Prepared, ...]:
        """Prepare a question, of which one person's rows can't move the time by much (proofs.md#bucket_seconds).

        Raises Refusal, before anything is charged.
        """
        prepared = super().prepare(question, asked)
        check_time([each.sized.work for each in prepared], self.pace.unit_rows, self.pace.most_rows)
        return prepared

    def reading(self, bought: tuple[Prepared, ...], charge: Charge) -> AbstractContextManager[None]:
        """Stand around the making of what is charged; what this client did not hold before ends with its bucket.

        Claim: when a release is stored, or a failure noted, and with it the time of an answer and all that a ledger
        tells of either, tells of the data no more than in which of the buckets b, 2b, 4b, ... the work ended, b a
        function of plan and catalog. A first replay waits for the same bucket: that another client asked before is told
        by the day of its numbers, never by the time. Own replays and refusals read no data and do not wait. Source:
        proofs.md#paced. Raises Withdrawn.
        """
        if not is_first(charge):
            return nullcontext()
        return self.pace.turn(charge, self.pace.bucket_seconds(bought))


def is_first(charge: Charge) -> bool:
    """Tell whether this client gets something for the first time: it is yet to be run, or was paid for just now."""
    return bool(charge.to_run) or (charge.loss.pico_rho > 0 and not charge.repeated)
