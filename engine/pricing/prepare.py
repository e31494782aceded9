"""plan + catalog -> everything that is known before data is read: bounds, price, SQL, replay key; all of it public."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Collection
from dataclasses import dataclass, replace
from fractions import Fraction

from budgets import PICO
from dialect import Admission, BoundedSql, Bounding, Catalog, Code, PrivatePlan, Question, Refusal, Target, bound, write
from dialect.algebra import Rule
from dialect.analysis import NO_WORK, Work
from dialect.codegen import over_released, selecting, with_released
from dialect.functions import NoForm
from engine.backends.protocol import Backend
from engine.catalog.admission import admission
from engine.catalog.sources import version_of
from engine.catalog.version import resting_on
from engine.pricing.expected_error import Scales
from engine.pricing.norms.choose import Foreseen, NormFacts, bounds_said, choose_bounds, foreseen
from engine.pricing.norms.facts import norm_facts, over_threshold, shown_alone
from engine.pricing.norms.histograms import NO_CALIBRATION, Calibration
from engine.pricing.price import Cost, VectorPrice, about_threshold, price
from engine.pricing.split import Parts, evenly, shares, split
from engine.pricing.work_limits import check_work, count_keys, count_values

MECHANISM = "2"  # moves when the same plan and price would mean another release


@dataclass(frozen=True)
class Choice:
    """The first pass of a release of private keys: which of them appear."""

    plan: PrivatePlan
    bounds: Bounding
    sql: BoundedSql
    cost: VectorPrice


@dataclass(frozen=True)
class Prepared:
    """One release, ready to be charged and run."""

    plan: PrivatePlan
    bounds: Bounding
    cost: Cost
    sql: BoundedSql
    release_key: str  # hex
    sized: Sized
    choice: Choice | None = None  # of private keys: the first of two passes

    @property
    def written(self) -> tuple[BoundedSql, ...]:
        """List the SQL that runs over the data, in its order."""
        return (self.sql,) if self.choice is None else (self.choice.sql, self.sql)

    @property
    def key_count(self) -> int | None:
        """Count the public keys; None: private keys."""
        return self.sized.key_count


@dataclass(frozen=True)
class Sized:
    """One release that can be bounded and priced: all that is known of it beside the price."""

    plan: PrivatePlan
    numbers: PrivatePlan  # what is noised: the plan itself, or with private keys its numbers over the released ones
    choosing: tuple[PrivatePlan, Bounding] | None  # of private keys: the choice of keys
    catalog: Catalog
    key_count: int | None  # None: private keys
    declared: Bounding  # by the catalog and the question alone
    facts: tuple[NormFacts | None, ...]  # of each vector, what a calibration tells
    parts: Parts  # of each vector, of the price
    calibration: Calibration = NO_CALIBRATION
    work: Work = NO_WORK  # of both passes, where keys are private

    def bounds(self, pico_rho: int) -> Bounding:
        """Bound the release at a price; one price has one bounding."""
        if not any(self.facts):
            return self.declared
        chosen = choose_bounds(self._facts_at(pico_rho), [max(1, share) for share in self.shares(pico_rho)])
        return bound(self.numbers, self.catalog, self.key_count, chosen)

    def _facts_at(self, pico_rho: int) -> tuple[NormFacts | None, ...]:
        """Give what decides the norms: where keys are private, of the groups that reach the threshold at a price."""
        share = shares(self.parts, pico_rho)[-1]
        if self.choosing is None or share < 1:
            return self.facts
        weight = about_threshold(self.choosing[1], share, self.catalog.dataset(self.plan.dataset).defaults.delta)
        return over_threshold(self.facts, self.numbers, self.catalog, self.calibration, weight)

    def shares(self, pico_rho: int) -> tuple[int, ...]:
        """Part a price among the vectors."""
        return shares(self.parts, pico_rho)[: len(self.plan.vectors)]

    def bounded_as(self, bounds: Bounding) -> Sized:
        """Bound the same release so at every price."""
        return replace(self, declared=bounds, facts=(None,) * len(self.facts))

    def cost(self, rho: Fraction, delta: Fraction | None = None) -> Cost:
        """Price the release; without `delta` at the catalog's."""
        at = self.catalog.dataset(self.plan.dataset).defaults.delta if delta is None else delta
        chosen = None if self.choosing is None else self.choosing[1]
        return price(self.plan, self.bounds(math.ceil(rho * PICO)), rho, at, self.parts, chosen)

    def release_key(self, cost: Cost) -> str:
        """Name the release at a price."""
        return _release_key(self.plan, self.bounds(cost.loss.pico_rho), cost, self.catalog)


def prepare(
    plan: PrivatePlan,
    catalog: Catalog,
    backend: Backend,
    rho: Fraction,
    delta: Fraction | None = None,
    calibration: Calibration = NO_CALIBRATION,
) -> Prepared:
    """Bound, price and write one release, without `delta` at the catalog's; raises Refusal where it can't be made."""
    return priced(sized(plan, catalog, backend, calibration), backend, rho, delta)


def sized(
    plan: PrivatePlan,
    catalog: Catalog,
    backend: Backend,
    calibration: Calibration = NO_CALIBRATION,
    parts: Parts = (),
    alone: Collection[int] | None = None,
) -> Sized:
    """Find what bounds and prices one release, all its vectors shown `alone` unless told; raises Refusal."""
    work = check_work(plan, backend)
    keys = count_keys(plan, backend)
    private = plan.key_set is None
    plan = replace(plan, most_values=tuple(count_values(plan, catalog, backend, calibration)))
    first, numbers = (selecting(plan), over_released(plan)) if private else (None, plan)
    choosing = None if first is None else (first, bound(first, catalog, None))
    facts, declared = norm_facts(numbers, catalog, calibration, keys, alone), bound(numbers, catalog, keys)
    return Sized(
        plan, numbers, choosing, catalog, keys, declared, facts, parts or evenly(plan.vectors, private), calibration,
        work,
    )  # fmt: skip


def all_sized(question: Question, catalog: Catalog, backend: Backend, known: Calibration) -> tuple[Sized, ...]:
    """Find what bounds and prices every release of a question; raises Refusal where one can't be made."""
    parted = zip(question.plans, split(question), shown_alone(question), strict=True)
    return tuple(sized(plan, catalog, backend, known, parts, alone) for plan, parts, alone in parted)


def priced(made: Sized, backend: Backend, rho: Fraction, delta: Fraction | None = None) -> Prepared:
    """Bound, price and write one release; raises Refusal where its share is too little."""
    cost = made.cost(rho, delta)
    bounds = made.bounds(cost.loss.pico_rho)
    who: Admission | None = admission(made.catalog, made.plan.dataset)
    sql = _written(made.numbers, bounds, with_released(backend.target), who)
    choice = None
    if made.choosing is not None and cost.keys is not None:
        choice = Choice(*made.choosing, _written(*made.choosing, backend.target, who), cost.keys)
    return Prepared(made.plan, bounds, cost, sql, made.release_key(cost), made, choice)


def _written(plan: PrivatePlan, bounds: Bounding, target: Target, who: Admission | None) -> BoundedSql:
    """Write bounded SQL; raises Refusal for what the backend's engine can't compute as DuckDB does."""
    try:
        return write(plan, bounds, target, who)
    except NoForm as missing:
        hint = "another function: docs/spark.md names those that Spark has not"
        raise Refusal(Code.FUNC, f"This catalog's people lie in a Spark lake, and {missing}.", hint) from None


def choices_of(made: Prepared) -> tuple[tuple[Foreseen, ...], ...]:
    """Say of every vector whose norm was chosen what other norms would give."""
    rows = zip(made.sized.facts, made.bounds.vectors, made.cost.vectors, strict=True)
    cut = (Rule.SCALE, Rule.CLAMP)
    return tuple(foreseen(each if b.rule in cut else None, b.norm, cost.pico_rho) for each, b, cost in rows)


def scales_of(prepared: tuple[Prepared, ...]) -> Scales:
    """Give the noise of every vector: the unit of its grain, its scale in grains."""
    return tuple(
        tuple((b.grain, c.sigma) for b, c in zip(p.bounds.vectors, p.cost.vectors, strict=True)) for p in prepared
    )


def _release_key(plan: PrivatePlan, bounds: Bounding, cost: Cost, catalog: Catalog) -> str:
    """Name a release: the same plan, bounds and price over the same data, declared to mean the same, is the same."""
    return key_of(plan, bounds_said(bounds), repr(cost), catalog)


def key_of(plan: PrivatePlan, bounds: str, cost: str, catalog: Catalog) -> str:
    """Name a release whose bounds and price are known in words alone."""
    version = version_of(catalog.dataset(plan.dataset))
    rests = (version, _admitting(plan, catalog), resting_on(plan, catalog))
    return hashlib.sha256("\n".join((MECHANISM, plan.canonical, bounds, cost, *rests)).encode()).hexdigest()


def _admitting(plan: PrivatePlan, catalog: Catalog) -> str:
    """Say by which rule people and rows are admitted: another rule makes another release, who objected does not."""
    who: Admission | None = admission(catalog, plan.dataset)
    kept = [(t.name, t.kept_from) for t in catalog.tables if t.dataset == plan.dataset and t.kept_from is not None]
    return repr((None if who is None else who.rule, kept))
