"""Engine.answer(): the whole flow, one line a stage; the order is the guarantee (engine/proofs.md#answer).

A refusal is decided before the ledger, a charge is durable before data is read, a release before it is sent. Plans of
stored releases (proofs.md#stored-plans) and bound, priced queries (proofs.md#plan-cache) are cached. That changes no
answer.

Terms:
    compiled   releases with clip bounds, price and SQL, not yet paid or run
    stored     payloads of releases that this client has paid for and that were computed before, by release key
    source     where the numbers of a release come from: stored releases, a new charge, or both
    holdings   all stored releases of a client
    objected   person keys that have objected to processing, excluded from every release
    shown      answer after post-processing: table, intervals
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial

import pyarrow as pa

from budgets import Charge, ChargeRequest, Ledger, Loss
from dialect import Catalog, Question
from dialect.algebra import Note
from dialect.codegen import OuterSql
from dialect.postprocess import mark_shared_noise, with_centres
from engine.backends.exact import NO_OBJECTIONS, FindObjections, no_objections
from engine.backends.protocol import Backend, Run
from engine.catalog.eligibility import excluded_consent_notes
from engine.errors import EngineKind, ExecutionFailed, TooLarge, redact, refuse_before_charge
from engine.mechanism.answer import Answer
from engine.mechanism.gaussian import NoiseSource, NoisyVector, at_most
from engine.mechanism.intervals import IntervalLevels
from engine.mechanism.release import (
    RawNoise,
    Release,
    ReleaseDescription,
    measured_centres,
    release_from_bytes,
    release_to_bytes,
)
from engine.pipeline.compiled_query import Answered, ByIdentity, CompiledQuery, PlanCache
from engine.pipeline.consistency import consistency_notes, make_query_consistent
from engine.pipeline.notes import refuse_unlisted_values, unlisted_value_notes, window_notes
from engine.pipeline.outlook import BudgetOutlook, adding_alternatives, budget_outlook
from engine.pipeline.post_process import WriteOuterSql, bind_outer, bind_release, post_process, write_outer_sql
from engine.pipeline.target_budget import StoredAnswers, predicted_errors, rho_for_target
from engine.pricing.clip_bounds.column_means import with_measured_columns
from engine.pricing.clip_bounds.histograms import NO_CALIBRATION, NO_CALIBRATIONS, Calibration, CalibrationProvider
from engine.pricing.clip_bounds.profiles.compiled_profile import CompiledProfile, StoredProfile
from engine.pricing.clip_bounds.profiles.numbers import corrected, noisy_totals
from engine.pricing.compile_release import (
    CompiledRelease,
    PartitionSelection,
    SelectionRound,
    UnpricedRelease,
    check_prices,
    price_release,
    unpriced_releases,
)
from engine.pricing.noisy_release import is_promising, noisy_release, passes_both_rounds, passes_threshold
from engine.pricing.profiled_release import measure_averages, profiled_release
from engine.pricing.query_terms import Request, caps, ledger_text, new_request_id, request_digest, resolve_terms
from engine.pricing.simultaneous import level_of_each_interval
from engine.pricing.target_error import target_notes
from engine.reuse.holdings import (
    RecoveredPlans,
    ScheduledKeys,
    load_paid_releases,
    matchable_plan,
    no_scheduled_keys,
    version_text,
    with_current_keys,
)
from engine.reuse.sources import (
    ReleaseSource,
    ViewMatcher,
    charged_releases,
    correlated_vectors,
    describe_release,
    oldest_day,
    plan_index,
    source_notes,
    with_measured,
)


def _ignore_charge(charge: Charge) -> None:
    """Ignore a charge."""


@dataclass(frozen=True)
class Engine:
    """Query engine over one catalog, backend, ledger and noise source."""

    catalog: Catalog
    backend: Backend
    ledger: Ledger
    add_noise: NoiseSource
    objections: FindObjections = no_objections
    calibrations: CalibrationProvider = NO_CALIBRATIONS
    scheduled_keys: ScheduledKeys = no_scheduled_keys
    on_charge: Callable[[Charge], None] = _ignore_charge  # called with each durable charge, before it is executed
    recovered_plans: RecoveredPlans = field(default_factory=RecoveredPlans, init=False, compare=False, repr=False)
    plan_cache: PlanCache = field(default_factory=PlanCache, init=False, compare=False, repr=False)

    def answer(self, sql: str, request: Request, paid_releases: tuple[CompiledRelease, ...] = ()) -> Answered:
        """Answer a query, or one whose releases are compiled and paid. Raises Refusal, LedgerError, ExecutionFailed."""
        question = self.read(sql, request.client)  # SQL text -> releases and outer SQL
        query = self.compile(question, request, paid_releases)  # bounds, price and SQL, from public facts
        with self.ledger.snapshot():
            stored = self.replay(query.releases, request)  # a repeated query is free
            sources = self.release_sources(query, stored)  # the client's holdings may answer it for free
            to_charge = charged_releases(sources)
            stored = self.replay(to_charge, request) if to_charge != query.releases else stored
        charge: Charge | None = None
        if stored is None:
            self.bind(query)  # SQL that can't be bound is refused here, for free
            with self.queued_execution(to_charge, request):
                with adding_alternatives(lambda: self.budget_outlook(query, to_charge)):
                    charge = self.charge(sql, to_charge, request)  # durable; refusals happen here, before any read
                stored = self.settle(question, to_charge, charge)  # execute, add noise and store what is not stored yet
        elif query.dataset is not None:
            self.on_free_repeat(request.client, query.dataset)
        loss = Loss(0, 0) if charge is None or charge.is_repeat else charge.loss
        with refuse_before_charge(TooLarge.CONSISTENCY, when=charge is None):
            releases = tuple(source.build(stored) for source in sources)
            adjusted: tuple[Note, ...] = ()
            if question.options.consistent:
                releases = make_query_consistent(sources, releases, self.catalog)
                adjusted = consistency_notes(releases)
        with refuse_before_charge(TooLarge.PUBLIC_TABLES, when=charge is None):
            noisy = self.with_measured_noise(query, sources, releases)
            write = partial(self._write_outer_sql, request.client)
            shown = self.finish(noisy, query.releases, releases, query.terms.confidence, write)  # post-processing
        sources = with_measured(sources, releases)
        notes = self.notes(query, sources, is_free=loss == Loss(0, 0), consistency=adjusted)
        oldest = oldest_day(sources, stored.keys() - set(charge.to_run if charge is not None else ()), self.ledger)
        return Answered(query, sources, notes, self.excluded_consent_notes(query), shown, releases, loss, oldest)

    def read(self, sql: str, client: str, *, with_suggestions: bool = True) -> Question:
        """Bind a query: SQL text to the plans of its releases, with measured column centres. Raises Refusal."""
        catalog = with_measured_columns(self.catalog, self.calibrations)
        return self.plan_cache.read(sql, client, catalog, with_suggestions=with_suggestions)

    def excluded_consent_notes(self, query: CompiledQuery) -> tuple[str, ...]:
        """Describe the consent states whose rows are excluded in the query's dataset."""
        if query.dataset is None:
            return ()
        return excluded_consent_notes(self.catalog, self.catalog.datasets_by_name[query.dataset])

    def notes(
        self,
        query: CompiledQuery,
        sources: tuple[ReleaseSource, ...],
        *,
        is_free: bool,
        consistency: tuple[Note, ...] = (),
    ) -> tuple[Note, ...]:
        """Collect the notes on how the numbers of a query come about."""
        question, unlisted_key = query.question, (ByIdentity(query.question), unlisted_value_notes)
        unlisted = self.plan_cache.get_or_compute(
            query.request.client, unlisted_key, lambda: unlisted_value_notes(question, self.catalog, self.backend)
        )
        windows = window_notes(query.releases, is_free=is_free)
        bought = target_notes(question, charged_releases(sources), query.terms.target, query.terms.confidence)
        return question.notes + unlisted + windows + source_notes(sources) + consistency + bought

    def release_sources(
        self, query: CompiledQuery, stored: Mapping[str, bytes] | None = None
    ) -> tuple[ReleaseSource, ...]:
        """Choose the source of each release: stored, derived from a stored one, or charged."""
        if stored is not None:
            return tuple(map(ReleaseSource, query.releases))
        catalog = with_measured_columns(self.catalog, self.calibrations)
        matcher = ViewMatcher(catalog, self.backend, self.ledger, self.recovered_plans, self.scheduled_keys)
        return matcher.choose_sources(query.releases, query.request.client)

    def compile(
        self, question: Question, request: Request, paid_releases: tuple[CompiledRelease, ...] = ()
    ) -> CompiledQuery:
        """Compile a query by the passes of COMPILE_PASSES, each from frozen data to frozen data.

        `paid_releases` = its releases, if they are compiled and paid already. Raises Refusal.
        """
        if len({plan.dataset for plan in question.plans}) > 1:
            raise EngineKind.SEVERAL_DATASETS.at()
        query = CompiledQuery(question, request, resolve_terms(question, request, self.catalog), releases=paid_releases)
        for compile_pass in COMPILE_PASSES:
            query = compile_pass(self, query)
        return query

    def _analyze_releases(self, query: CompiledQuery) -> CompiledQuery:
        """Limit the work of each release, count its public keys, and bound contributions, for every price."""
        if query.releases:
            return replace(query, unpriced=tuple(each.unpriced_release for each in query.releases))
        question, calibration = query.question, self.calibration(query.question)
        unpriced = self.plan_cache.get_or_compute(
            query.request.client,
            (ByIdentity(question), calibration),
            lambda: self._unpriced_releases(question, calibration),
        )
        return replace(query, unpriced=unpriced)

    def _unpriced_releases(self, question: Question, calibration: Calibration) -> tuple[UnpricedRelease, ...]:
        """Refuse values that no row should have, then bound the contributions of each release."""
        refuse_unlisted_values(question, self.catalog, self.backend)
        return unpriced_releases(question, self.catalog, self.backend, calibration)

    def _set_interval_level(self, query: CompiledQuery) -> CompiledQuery:
        """Set the confidence of each interval, so that all hold together where the query wants simultaneous ones."""
        if not query.question.is_simultaneous:
            return query
        key_counts = [each.key_count for each in query.unpriced]
        level = level_of_each_interval(query.question, key_counts, query.terms.confidence)
        return replace(query, terms=replace(query.terms, confidence=level))

    def _price_target_error(self, query: CompiledQuery) -> CompiledQuery:
        """Set rho to the price of the target error, if the query has one."""
        if query.terms.target is None or not query.unpriced or query.releases:
            return query
        return replace(query, terms=replace(query.terms, rho=rho_for_target(self._stored_answers(query))))

    def _price_releases(self, query: CompiledQuery) -> CompiledQuery:
        """Price each release and generate its SQL; its key is that of the generation that applies now."""
        if query.releases:
            return query
        rho, delta = query.terms.rho, query.terms.delta
        compiled = self.plan_cache.get_or_compute(
            query.request.client,
            (ByIdentity(query.question), self.calibration(query.question), rho, delta),
            lambda: tuple(price_release(each, self.backend, rho, delta) for each in query.unpriced),
        )
        return replace(query, releases=with_current_keys(compiled, self.ledger, self.catalog))

    def calibration(self, question: Question) -> Calibration:
        """Return the valid calibration of the query's dataset today."""
        return self.calibrations.today(question.plans[0].dataset) if question.plans else NO_CALIBRATION

    def _stored_answers(self, query: CompiledQuery) -> StoredAnswers:
        """Collect what the price of a target error depends on: the query and this client's holdings of it."""
        return StoredAnswers(
            self.catalog, self.backend, self.ledger, query.question, query.unpriced, query.terms, query.request.client
        )

    def predict_answer(self, query: CompiledQuery) -> Answer | None:
        """Predict a query's answer at its price from the one that this client bought at the nearest other price."""
        answers, price = self._stored_answers(query), query.releases[0].cost.loss.pico_rho
        prices = answers.prices()
        nearest = min(prices, key=lambda each: abs(math.log(each / price)), default=None)
        return None if nearest is None else answers.predict_answer(nearest, price)

    def replay(self, compiled: tuple[CompiledRelease, ...], request: Request) -> Mapping[str, bytes] | None:
        """Load every release of a query from this client's paid ones; None if any is missing.

        Nothing is charged or written for a repeat. A request id that was charged before goes to the ledger, which
        knows its query.
        """
        if request.request_id is not None and self.ledger.is_charged(request.client, request.request_id):
            return None
        return load_paid_releases(compiled, self.ledger, request.client)

    def charge_request(self, sql: str, compiled: tuple[CompiledRelease, ...], request: Request) -> ChargeRequest:
        """Build the charge request: who pays for which releases, with which versions and text."""
        dataset = self.catalog.datasets_by_name[compiled[0].plan.dataset]
        items = tuple(item for p in compiled for item in p.priced)
        key = request.request_id or new_request_id()
        body = request_digest(sql, request)
        noted_versions = version_text(self.catalog, dataset)
        return ChargeRequest(
            request.client, dataset.name, key, body, items, caps(dataset.budget), noted_versions, ledger_text(sql)
        )

    def budget_outlook(
        self, query: CompiledQuery, charged: tuple[CompiledRelease, ...] = (), now: datetime | None = None
    ) -> BudgetOutlook | None:
        """Budget outlook for queries like this one; with `now` also a forecast of how long the budget lasts.

        `charged` = the releases that make the query's price where some of its own are held; all of them by default.
        """
        compiled, terms = query.releases, query.terms
        if not compiled:
            return None
        paid, dataset = charged or compiled, self.catalog.datasets_by_name[compiled[0].plan.dataset]
        priced = tuple(item for each in paid for item in each.priced)
        another = ChargeRequest(query.request.client, dataset.name, "another", "another", priced, caps(dataset.budget))
        outlook = budget_outlook(
            self.ledger, self.catalog, query.question, compiled, another, terms.confidence, now, len(paid)
        )
        # per release; stored answers predict widths that depend on data, which only a target error needs
        fitting_pico_rho = outlook.outlook.would_fit.pico_rho // len(paid)
        if outlook.outlook.queries_left or outlook.fitting_errors or not fitting_pico_rho or terms.target is None:
            return outlook
        return replace(outlook, fitting_errors=predicted_errors(self._stored_answers(query), fitting_pico_rho))

    def bind(self, query: CompiledQuery) -> None:
        """Bind the SQL of a query against empty tables, once for each client. Raises Refusal with E_FUNC."""
        compiled, confidence = query.releases, query.terms.confidence
        if not compiled:
            return
        empty = self._bind_releases(compiled, query.request)
        write = partial(self._write_outer_sql, query.request.client)
        key = bind_outer, ByIdentity(query.question), tuple(each.release_key for each in compiled), confidence
        arguments = (query.question, compiled, empty, confidence, self.catalog, self.backend, write)
        self.plan_cache.get_or_compute(query.request.client, key, lambda: bind_outer(*arguments))

    def with_measured_noise(
        self, query: CompiledQuery, sources: tuple[ReleaseSource, ...], releases: tuple[Release, ...]
    ) -> Question:
        """Return the question with measured centres and with the noise that its releases share, cached."""
        question, centres, correlated = query.question, measured_centres(releases), correlated_vectors(sources)
        if not centres and not correlated:
            return question
        key = with_centres, ByIdentity(question), tuple(centres.items()), tuple(correlated.items())
        return self.plan_cache.get_or_compute(
            query.request.client, key, lambda: mark_shared_noise(with_centres(question, centres), correlated)
        )

    def _write_outer_sql(self, client: str, question: Question, raw: RawNoise, levels: IntervalLevels) -> OuterSql:
        """Write the outer SQL of a query over releases of some noise, cached."""
        key = write_outer_sql, ByIdentity(question), raw.key, levels
        return self.plan_cache.get_or_compute(client, key, lambda: write_outer_sql(question, raw, levels))

    def _bind_releases(self, compiled: tuple[CompiledRelease, ...], request: Request) -> tuple[Release, ...]:
        """Bind the bounded SQL of releases against empty tables, cached, and return releases without rows.

        They have the types of the real ones, so the outer SQL can be bound over them.
        """
        return tuple(
            self.plan_cache.get_or_compute(
                request.client, (bind_release, p.release_key), partial(bind_release, p, self.catalog, self.backend)
            )
            for p in compiled
        )

    def charge(self, sql: str, compiled: tuple[CompiledRelease, ...], request: Request) -> Charge | None:
        """Charge releases that are bound and not paid yet; None for a query over public tables only."""
        if not compiled:
            return None
        self._bind_releases(compiled, request)
        charge_request = self.charge_request(sql, compiled, request)
        losses = {key: loss for each in compiled for key, loss in each.losses.items()}
        check_prices(losses, charge_request.releases)  # no mechanism costs more than is charged for it
        charge = self.ledger.charge(charge_request)
        self.on_charge(charge)
        return charge

    def settle(
        self, question: Question, charged_releases: tuple[CompiledRelease, ...], charge: Charge | None
    ) -> Mapping[str, bytes]:
        """Execute and store the charged releases that are not stored yet; the first one stored wins.

        Claim: nothing reveals that data were read, or that reading failed, before `data_access` allows it, nor ever the
        class of the failure. Raises ExecutionFailed, LedgerError; every exception of the execution counts as a
        failure. Proofs: proofs.md#paced, engine/proofs.md#answer
        """
        if charge is None:
            return {}
        payloads, rests_on = dict[str, bytes](), dict[str, str]()
        failure: Exception | None = None
        running = [p for p in charged_releases if p.release_key in charge.to_run]
        with self.data_access(charged_releases, charge):
            try:
                # one snapshot
                objected = self.objections(charged_releases[0].plan.dataset) if running else NO_OBJECTIONS
                rests_on = {p.release_key: p.profile.release_key for p in running if p.profile is not None}
                with self._statements(running) as run:
                    profiles = self._draw_profiles(running, charge, objected, run)
                    measured = {
                        p.release_key: release_to_bytes(self._measure(question, p, charge, objected, profiles, run))
                        for p in running
                    }
                payloads = {key: profiles[key] for key in rests_on.values()} | measured
            except Exception as error:
                failure = redact(error)  # raised later, so that no other error is its context
        if failure is not None:
            self.ledger.record_failure(charge)  # repeated failures freeze the account until an admin unlocks it
            raise failure
        settled = self.ledger.settle(charge, payloads, rests_on) if payloads else {}
        missing = [p.release_key for p in running if p.release_key not in settled]
        if missing:  # somebody stored another profile meanwhile: numbers of this one are dropped unseen
            again = replace(charge, stored={**charge.stored, **settled}, to_run=tuple(missing))
            return self.settle(question, charged_releases, again)
        plans = {p.release_key: matchable_plan(question, plan_index(question, p)) for p in running}
        self.recovered_plans.add(plans | dict.fromkeys(rests_on.values()))  # nothing is derived from a profile
        return {**charge.stored, **settled}

    def on_free_repeat(self, client: str, dataset: str) -> None:
        """React to a free repeat: nothing here; a server counts them."""

    def queued_execution(
        self, charged_releases: tuple[CompiledRelease, ...], request: Request
    ) -> AbstractContextManager[None]:
        """Context of charge and execution; a server refuses here a client with too many waiting queries."""
        return nullcontext()

    def data_access(
        self, charged_releases: tuple[CompiledRelease, ...], charge: Charge
    ) -> AbstractContextManager[None]:
        """Context of the execution of a charge; a server's ends at a public time."""
        return nullcontext()

    def measure_release(
        self, compiled: CompiledRelease, objected: pa.Table = NO_OBJECTIONS, meaning: ReleaseDescription | None = None
    ) -> Release:
        """Measure a release without a profile: read exact integers and add noise; private keys are selected first.

        `objected` = persons to exclude; `meaning` = description stored with the release, by which its plan is recovered
        later. Proof: `engine/pricing/proofs.md#partition-selection`.
        """
        released = self._select_keys(compiled, objected, self.add_noise)
        exact = self.backend.run(compiled.sql, objected, *released)  # one row per group, without person keys
        return noisy_release(exact, compiled.bounds, compiled.cost, self.add_noise, meaning)

    def _statements(self, running: list[CompiledRelease]) -> AbstractContextManager[Run]:
        """Context of the statements of releases: those with a profile share their partial aggregates."""
        has_profile = any(p.profile is not None for p in running)
        return self.backend.sharing() if has_profile else nullcontext(self.backend.run)

    def _draw_profiles(
        self, running: list[CompiledRelease], charge: Charge, objected: pa.Table, run: Run
    ) -> Mapping[str, bytes]:
        """Return the profiles of releases by key: those that are stored, and a draw of each other.

        Claim: numbers are stored with the profile that their clip bounds were chosen from, or not at all. Source and
        proof: engine/pricing/proofs.md#profiles.
        """
        profiles = [(p, p.profile) for p in running if p.profile is not None]
        drawn = {
            profile.release_key: release_to_bytes(self._draw_profile(compiled, profile, objected, run))
            for compiled, profile in profiles
            if profile.release_key not in charge.stored
        }
        return {**charge.stored, **drawn}

    def _draw_profile(
        self, compiled: CompiledRelease, profile: CompiledProfile, objected: pa.Table, run: Run
    ) -> Release:
        """Draw a profile; of a release with private keys after these, over which it is measured.

        Claim: keys, profile and numbers cost what is charged. Source and proof: engine/pricing/proofs.md#profiles.
        """
        limited = at_most(self.add_noise, compiled.priced[0].loss.rho)
        released = self._select_keys(compiled, objected, limited)
        exact = run(profile.sql, objected, *released)
        return profile.measure(exact, limited, *released)

    def _measure(
        self,
        question: Question,
        compiled: CompiledRelease,
        charge: Charge,
        objected: pa.Table,
        profiles: Mapping[str, bytes],
        run: Run,
    ) -> Release:
        """Measure a release, with clip bounds chosen from its profile, over the keys stored with it, if it has one."""
        if compiled.profile is None:
            return self.measure_release(compiled, objected, describe_release(question, compiled))
        limited = at_most(self.add_noise, compiled.priced[-1].loss.rho)
        stored = StoredProfile(compiled.profile, release_from_bytes(profiles[compiled.profile.release_key]))
        keys, target = stored.release.selected_keys, self.backend.target
        is_drawn = compiled.profile.release_key not in charge.stored
        read = partial(run, objected=objected, released_keys=keys)
        averages = measure_averages(compiled, stored, read, limited, target, is_drawn=is_drawn)
        chosen = profiled_release(compiled, stored, averages, target, is_drawn=is_drawn)
        if not is_drawn and not averages.groups:  # no other statement reads what it may share
            read = partial(self.backend.run, objected=objected, released_keys=keys)
        exact, exact_totals = chosen.read(read)
        choice, meaning, release = chosen.choice, describe_release(question, chosen.release), chosen.release
        totals = noisy_totals(choice.vectors, exact_totals, limited) if exact_totals else {}
        measured = noisy_release(exact, release.bounds, release.cost, limited, meaning)
        return corrected(measured, choice.vectors, choice.averages, choice.bounds, totals)

    def _select_keys(self, compiled: CompiledRelease, objected: pa.Table, noise: NoiseSource) -> tuple[pa.Table, ...]:
        """Partition selection: keep the keys whose noisy weight passes the threshold; nothing for public keys.

        Keys that the first of two rounds leaves open, and its noisy weights, are used by the second one and dropped.
        Proof: `engine/pricing/proofs.md#two-rounds`.
        """
        selection, cost = compiled.selection, compiled.cost
        if selection is None:
            return ()
        first, *further = selection.rounds
        keys, noisy = self._noisy_weights(selection, first, noise, objected)
        passed = passes_threshold(noisy, cost)
        for second in further:
            is_open = is_promising(noisy, cost)
            again, noisy_again = self._noisy_weights(selection, second, noise, objected, keys.filter(is_open))
            if not again.equals(keys.filter(is_open)):
                raise ExecutionFailed
            passed[is_open] = passes_both_rounds(noisy, is_open, noisy_again, cost)
        return (keys.filter(passed),)

    def _noisy_weights(
        self,
        selection: PartitionSelection,
        of_round: SelectionRound,
        noise: NoiseSource,
        objected: pa.Table,
        *keys: pa.Table,
    ) -> tuple[pa.Table, NoisyVector]:
        """Measure one round of partition selection: keys, and the noisy sum of person weights of each."""
        exact = self.backend.run(of_round.sql, objected, *keys)
        (weights,), (bound,) = exact.vectors, selection.bounds.vectors
        noisy = noise(weights, bound.sensitivity, of_round.cost.sigma, of_round.cost.pico_rho)
        return exact.keys, noisy

    def finish(
        self,
        question: Question,
        compiled: tuple[CompiledRelease, ...],
        releases: tuple[Release, ...],
        confidence: float,
        write: WriteOuterSql = write_outer_sql,
    ) -> Answer:
        """Post-process the releases of a query: run its outer SQL and compute intervals at a confidence level."""
        return post_process(question, compiled, releases, confidence, self.catalog, self.backend, write)


# what is known of a query before its releases are charged, in order
COMPILE_PASSES: tuple[Callable[[Engine, CompiledQuery], CompiledQuery], ...] = (
    Engine._analyze_releases,  # noqa: SLF001
    Engine._set_interval_level,  # noqa: SLF001
    Engine._price_target_error,  # noqa: SLF001
    Engine._price_releases,  # noqa: SLF001
)
