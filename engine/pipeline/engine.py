"""Engine.answer(): the whole flow, one line a stage; the order is the guarantee (engine/proofs.md#answer).

A refusal is decided before the ledger, a charge is durable before data is read, a release before it is sent. Plans of
stored releases (proofs.md#stored-plans) and bound, priced queries (proofs.md#plan-cache) are cached. That changes no
answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial

import pyarrow as pa

from budgets import Charge, ChargeRequest, Item, Ledger, Loss
from dialect import Catalog, Code, Question, Refusal
from dialect.algebra import Note
from dialect.parser import TargetError
from dialect.postprocess import sharing_noise
from engine.backends.exact import NOBODY_OBJECTED, Objecting, nobody_objects
from engine.backends.protocol import Backend
from engine.catalog.admission_notes import not_counted
from engine.errors import uncharged, untold
from engine.mechanism.answer import Answer
from engine.mechanism.gaussian import NoiseSource
from engine.mechanism.release import Meaning, Release, to_bytes
from engine.pipeline.answered import Answered
from engine.pipeline.binding import bind_outer, without_groups
from engine.pipeline.cache import Remembered, Same
from engine.pipeline.consistency import agreed, agreed_notes
from engine.pipeline.finish import finish
from engine.pipeline.notes import value_notes, window_notes
from engine.pipeline.outlook import Ahead, ahead, telling_what_fits
from engine.pipeline.target_budget import Holding, aimed_rho, foreseen_errors
from engine.pricing.group_keys import reached
from engine.pricing.norms.histograms import NO_CALIBRATION, NOTHING_KNOWN, Calibration, Knowing
from engine.pricing.norms.values import informed
from engine.pricing.prepare import Choice, Prepared, Sized, all_sized, priced
from engine.pricing.simultaneous import at_level_of_each
from engine.pricing.target_error import aimed_notes
from engine.pricing.terms import Asked, Terms, body_digest, caps, new_request_id, terms, wording
from engine.pricing.work_limits import count_keys
from engine.reuse.holdings import Known, Showing, nothing_shown
from engine.reuse.replay import current, replayed, versions
from engine.reuse.sources import Way, bought_of, parts_that_share
from engine.reuse.view_lookup import Finder, day_of, meaning_of, notes_of


def _nobody_hears(charge: Charge) -> None:
    """Ignore a charge."""


@dataclass(frozen=True)
class Engine:
    """Query engine over one catalog, backend, ledger and noise source."""

    catalog: Catalog
    backend: Backend
    ledger: Ledger
    add_noise: NoiseSource
    objections: Objecting = nobody_objects
    calibrations: Knowing = NOTHING_KNOWN
    showing: Showing = nothing_shown
    heard: Callable[[Charge], None] = _nobody_hears  # called with each durable charge, before it is executed
    known: Known = field(default_factory=dict, init=False, compare=False, repr=False)  # plans of stored releases
    remembered: Remembered = field(default_factory=Remembered, init=False, compare=False, repr=False)

    def answer(self, sql: str, asked: Asked, paid: tuple[Prepared, ...] = ()) -> Answered:
        """Answer a query, or one whose releases are compiled and paid. Raises Refusal, LedgerError, ExecutionFailed."""
        question = self.read(sql, asked.client)  # SQL text -> releases and outer SQL
        prepared = paid or self.prepare(question, asked)  # bounds, price and SQL, from public facts
        confidence = self.confidence(question, asked)
        stored = self.replay(prepared, asked)  # a repeated query is free
        ways = self.ways(question, prepared, asked, stored)  # the client's holdings may answer it for free
        bought = bought_of(ways)
        stored = self.replay(bought, asked) if bought != prepared else stored
        charge: Charge | None = None
        if stored is None:
            self.bind(question, prepared, asked)  # SQL that can't be bound is refused here, for free
            with self.queued(bought, asked):
                with telling_what_fits(lambda: self.ahead(sql, question, prepared, asked)):
                    charge = self.charge(sql, bought, asked)  # durable; budget refusals happen here, before any read
                stored = self.settle(question, bought, charge)  # execute, add noise and store what is not stored yet
        else:
            self.repeated(asked.client, prepared[0].plan.dataset)
        charged = Loss(0, 0) if charge is None or charge.repeated else charge.loss
        with uncharged("Releases that you hold can't be made to agree", when=charge is None):
            releases = agreed(question, ways, tuple(way.release(stored) for way in ways), self.catalog)
        with uncharged("The public tables of this question can't be read", when=charge is None):
            noisy = sharing_noise(question, parts_that_share(ways))
            shown = self.finish(noisy, prepared, releases, confidence)  # post-processing over releases
        dataset = prepared[0].plan.dataset if prepared else None
        told = self.odd_values(question, asked) + window_notes(prepared, free=charged == Loss(0, 0))
        notes = question.notes + told + notes_of(ways) + agreed_notes(releases)
        notes += aimed_notes(question, bought, self.target(question, asked), confidence)
        day = day_of(ways, stored.keys() - set(charge.to_run if charge is not None else ()), self.ledger)
        left_out = self.not_counted(prepared)
        return Answered(question, shown, prepared, releases, confidence, charged, dataset, notes, ways, day, left_out)

    def read(self, sql: str, client: str) -> Question:
        """Bind a query, with measured column centres. Raises Refusal."""
        return self.remembered.read(sql, client, informed(self.catalog, self.calibrations))

    def not_counted(self, prepared: tuple[Prepared, ...]) -> tuple[str, ...]:
        """Describe the consent states whose rows are excluded in the query's dataset."""
        return not_counted(self.catalog, self.catalog.dataset(prepared[0].plan.dataset)) if prepared else ()

    def odd_values(self, question: Question, asked: Asked) -> tuple[Note, ...]:
        """Lint constants that do not occur in the public table of their column; cached."""
        about = (Same(question), value_notes)
        return self.remembered.give(asked.client, about, lambda: value_notes(question, self.catalog, self.backend))

    def ways(
        self,
        question: Question,
        prepared: tuple[Prepared, ...],
        asked: Asked,
        stored: Mapping[str, bytes] | None = None,
    ) -> tuple[Way, ...]:
        """Choose the source of each release: stored, derived, charged or averaged (not with a target error)."""
        if stored is not None:
            return tuple(Way(each, bought=each) for each in prepared)
        catalog, mixes = informed(self.catalog, self.calibrations), self.target(question, asked) is None
        return Finder(catalog, self.backend, self.ledger, self.known, self.showing, mixes).ways(prepared, asked.client)

    def prepare(self, question: Question, asked: Asked) -> tuple[Prepared, ...]:
        """Compile every release of a query, at its share of rho or the price of its target error. Raises Refusal."""
        if len({plan.dataset for plan in question.plans}) > 1:
            raise Refusal(Code.TABLE, "A question looks at one dataset.", "ask one question of each")
        settled, known = self.terms(question, asked), self.calibrated(question)
        about = (Same(question), known)
        made = self.remembered.give(asked.client, about, lambda: all_sized(question, self.catalog, self.backend, known))
        aims = settled.target is not None and made
        rho = aimed_rho(self._holding(question, made, settled, asked)) if aims else settled.rho
        at = (*about, rho, settled.delta)
        paid = self.remembered.give(
            asked.client, at, lambda: tuple(priced(each, self.backend, rho, settled.delta) for each in made)
        )
        return current(paid, self.ledger, self.catalog)

    def calibrated(self, question: Question) -> Calibration:
        """Return the valid calibration of the query's dataset today."""
        return self.calibrations.today(question.plans[0].dataset) if question.plans else NO_CALIBRATION

    def _holding(self, question: Question, made: tuple[Sized, ...], settled: Terms, asked: Asked) -> Holding:
        """Collect what the price of a target error depends on: the query and this client's holdings of it."""
        return Holding(self.catalog, self.backend, self.ledger, question, made, settled, asked.client)

    def target(self, question: Question, asked: Asked) -> TargetError | None:
        """Target error of a query; None if it has a price instead, or neither."""
        return self.terms(question, asked).target

    def confidence(self, question: Question, asked: Asked) -> float:
        """Confidence level of each interval of a query."""
        return self.terms(question, asked).confidence

    def terms(self, question: Question, asked: Asked) -> Terms:
        """Resolve the terms of a query; the confidence is that of each interval."""
        settled, counted = terms(question, asked, self.catalog), lambda plan: count_keys(plan, self.backend)
        return replace(settled, confidence=at_level_of_each(question, counted, settled.confidence))

    def replay(self, prepared: tuple[Prepared, ...], asked: Asked) -> Mapping[str, bytes] | None:
        """Load every release of a query from this client's paid ones; None if any is missing.

        Nothing is charged or written for a repeat. A request id that was charged before goes to the ledger, which
        knows its query.
        """
        if asked.request_id is not None and self.ledger.is_charged(asked.client, asked.request_id):
            return None
        return replayed(prepared, self.ledger, asked.client)

    def request(self, sql: str, prepared: tuple[Prepared, ...], asked: Asked) -> ChargeRequest:
        """Build the charge request: who pays for which releases, with which versions and text."""
        of = self.catalog.dataset(prepared[0].plan.dataset)
        items = tuple(Item(p.release_key, p.cost.loss, p.plan.canonical, p.plan.touched.windows) for p in prepared)
        key, body, noted = asked.request_id or new_request_id(), body_digest(sql, asked), versions(self.catalog, of)
        return ChargeRequest(asked.client, of.name, key, body, items, caps(of), noted, wording(sql))

    def ahead(
        self, sql: str, question: Question, prepared: tuple[Prepared, ...], asked: Asked, now: datetime | None = None
    ) -> Ahead | None:
        """Budget outlook for queries like this one; with `now` also a forecast of how long the budget lasts."""
        if not prepared:
            return None
        request, confidence = self.request(sql, prepared, asked), self.confidence(question, asked)
        left = ahead(self.ledger, self.catalog, question, prepared, request, confidence, now)
        fits = left.outlook.would_fit.pico_rho // len(prepared)
        if left.outlook.further or left.errors or not fits or self.target(question, asked) is None:
            return left
        made, settled = tuple(p.sized for p in prepared), self.terms(question, asked)
        return replace(left, errors=foreseen_errors(self._holding(question, made, settled, asked), fits))

    def bind(self, question: Question, prepared: tuple[Prepared, ...], asked: Asked) -> None:
        """Bind the SQL of a query against empty tables, once for each client. Raises Refusal with E_FUNC."""
        if not prepared:
            return
        confidence, empty = self.confidence(question, asked), self._without_groups(prepared, asked)
        about = (bind_outer, Same(question), tuple(p.release_key for p in prepared), confidence)
        given = (question, prepared, empty, confidence, self.catalog, self.backend)
        self.remembered.give(asked.client, about, lambda: bind_outer(*given))

    def _without_groups(self, prepared: tuple[Prepared, ...], asked: Asked) -> tuple[Release, ...]:
        """Bind the bounded SQL of releases and return empty releases."""
        return tuple(
            self.remembered.give(
                asked.client, (without_groups, p.release_key), partial(without_groups, p, self.catalog, self.backend)
            )
            for p in prepared
        )

    def charge(self, sql: str, prepared: tuple[Prepared, ...], asked: Asked) -> Charge | None:
        """Charge releases that are bound and not paid yet; None for a query over public tables only."""
        if not prepared:
            return None
        self._without_groups(prepared, asked)
        charge = self.ledger.charge(self.request(sql, prepared, asked))
        self.heard(charge)
        return charge

    def settle(self, question: Question, bought: tuple[Prepared, ...], charge: Charge | None) -> Mapping[str, bytes]:
        """Execute and store the charged releases that are not stored yet; the first one stored wins.

        Claim: nothing reveals that data were read, or that reading failed, before `data_access` allows it, nor ever the
        class of the failure. Raises ExecutionFailed, LedgerError; every exception of the execution counts as a
        failure. Proofs: proofs.md#paced, engine/proofs.md#answer
        """
        if charge is None:
            return {}
        made: dict[str, bytes] = {}
        failure: Exception | None = None
        running = [p for p in bought if p.release_key in charge.to_run]
        with self.reading(bought, charge):
            try:
                objected = self.objections(bought[0].plan.dataset) if running else NOBODY_OBJECTED  # one snapshot
                made = {p.release_key: to_bytes(self.release(p, objected, meaning_of(question, p))) for p in running}
            except Exception as error:
                failure = untold(error)  # raised later, so that no other error is its context
        if failure is not None:
            self.ledger.failed(charge)  # repeated failures freeze the account until an admin unlocks it
            raise failure
        return {**charge.stored, **(self.ledger.settle(charge, made) if made else {})}

    def repeated(self, client: str, dataset: str) -> None:
        """Return the hook for a free repeat; a server counts them."""

    def queued(self, bought: tuple[Prepared, ...], asked: Asked) -> AbstractContextManager[None]:
        """Context of charge and execution; a server refuses here a client with too many waiting queries."""
        return nullcontext()

    def reading(self, bought: tuple[Prepared, ...], charge: Charge) -> AbstractContextManager[None]:
        """Context of the execution of a charge; a server's ends at a public time."""
        return nullcontext()

    def release(
        self, prepared: Prepared, objected: pa.Table = NOBODY_OBJECTED, meaning: Meaning | None = None
    ) -> Release:
        """Measure a release: read exact integers and add noise; private keys are selected first.

        Proof: `engine/pricing/proofs.md#partition-selection`.
        """
        released = () if prepared.choice is None else (self._chosen_keys(prepared, prepared.choice, objected),)
        exact = self.backend.run(prepared.sql, objected, *released)  # one row per group, without person keys
        priced = zip(exact.vectors, prepared.bounds.vectors, prepared.cost.vectors, strict=True)
        noisy = [self.add_noise(v, bound.sensitivity, cost.sigma, cost.pico_rho) for v, bound, cost in priced]
        grains, sigmas = (b.grain for b in prepared.bounds.vectors), (c.sigma for c in prepared.cost.vectors)
        return Release(exact.keys, tuple(noisy), tuple(grains), tuple(sigmas), meaning)

    def _chosen_keys(self, prepared: Prepared, choice: Choice, objected: pa.Table) -> pa.Table:
        """Partition selection: keep the keys whose noisy weight passes the threshold."""
        exact = self.backend.run(choice.sql, objected)
        (weights,), (bound,) = exact.vectors, choice.bounds.vectors
        noisy = self.add_noise(weights, bound.sensitivity, choice.cost.sigma, choice.cost.pico_rho)
        return exact.keys.filter(reached(noisy, prepared.cost))

    def finish(
        self, question: Question, prepared: tuple[Prepared, ...], releases: tuple[Release, ...], confidence: float
    ) -> Answer:
        """Post-process the releases of a query: run its outer SQL and compute intervals."""
        return finish(question, prepared, releases, confidence, self.catalog, self.backend)
