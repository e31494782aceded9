"""Compile a release: clip bounds, price, generated SQL and release key, all from public facts, before data is read."""

from __future__ import annotations

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
from engine.pricing.expected_error import Scales
from engine.pricing.norms.choose import Foreseen, NormFacts, choose_bounds, foreseen
from engine.pricing.norms.facts import norm_facts, over_threshold, shown_alone
from engine.pricing.norms.histograms import NO_CALIBRATION, Calibration
from engine.pricing.price import Cost, VectorPrice, about_threshold, price
from engine.pricing.release_key import bounds_text, cost_text, release_key
from engine.pricing.split import Parts, evenly, shares, split
from engine.pricing.work_limits import check_work, count_keys, count_values


@dataclass(frozen=True)
class Choice:
    """Partition selection: the first of the two passes of a release with private keys."""

    plan: PrivatePlan
    bounds: Bounding
    sql: BoundedSql
    cost: VectorPrice


@dataclass(frozen=True)
class Prepared:
    """Compiled release: clip bounds, cost, SQL and release key, ready to be charged and run."""

    plan: PrivatePlan
    bounds: Bounding
    cost: Cost
    sql: BoundedSql
    release_key: str  # hexadecimal
    sized: Sized
    choice: Choice | None = None  # private keys: the first of two passes

    @property
    def written(self) -> tuple[BoundedSql, ...]:
        """SQL statements that read the data, in execution order."""
        return (self.sql,) if self.choice is None else (self.choice.sql, self.sql)

    @property
    def key_count(self) -> int | None:
        """Number of public keys; None if keys are private."""
        return self.sized.key_count


@dataclass(frozen=True)
class Sized:
    """Release before its price is known: everything needed to bound and price it at any rho."""

    plan: PrivatePlan
    numbers: PrivatePlan  # measured plan: the plan itself, or with private keys its vectors over the released keys
    choosing: tuple[PrivatePlan, Bounding] | None  # private keys: plan and bounds of partition selection
    catalog: Catalog
    key_count: int | None  # None: private keys
    declared: Bounding  # declared by catalog and query
    facts: tuple[NormFacts | None, ...]  # clip-error model of each vector; None: not tuned
    parts: Parts  # proportion of the price for each vector
    calibration: Calibration = NO_CALIBRATION
    work: Work = NO_WORK  # work of both passes, if keys are private

    def bounds(self, pico_rho: int) -> Bounding:
        """Contribution bounds at a price: tuned clip bounds if a calibration applies, else the declared ones."""
        if not any(self.facts):
            return self.declared
        chosen = choose_bounds(self._facts_at(pico_rho), [max(1, share) for share in self.shares(pico_rho)])
        return bound(self.numbers, self.catalog, self.key_count, chosen)

    def _facts_at(self, pico_rho: int) -> tuple[NormFacts | None, ...]:
        """Clip-error models at a price: with private keys, only groups that pass the threshold at that price count."""
        share = shares(self.parts, pico_rho)[-1]
        if self.choosing is None or share < 1:
            return self.facts
        weight = about_threshold(self.choosing[1], share, self.catalog.dataset(self.plan.dataset).defaults.delta)
        return over_threshold(self.facts, self.numbers, self.catalog, self.calibration, weight)

    def shares(self, pico_rho: int) -> tuple[int, ...]:
        """Split a price among the query vectors, in pico-rho."""
        return shares(self.parts, pico_rho)[: len(self.plan.vectors)]

    def bounded_as(self, bounds: Bounding) -> Sized:
        """Return the same release with fixed contribution bounds at every price."""
        return replace(self, declared=bounds, facts=(None,) * len(self.facts))

    def cost(self, rho: Fraction, delta: Fraction | None = None) -> Cost:
        """Cost of the release at `rho`; `delta` defaults to the catalog's."""
        at = self.catalog.dataset(self.plan.dataset).defaults.delta if delta is None else delta
        chosen = None if self.choosing is None else self.choosing[1]
        return price(self.plan, self.bounds(math.ceil(rho * PICO)), rho, at, self.parts, chosen)

    def release_key(self, cost: Cost) -> str:
        """Release key (hex) of the release at a cost."""
        return release_key(self.plan, bounds_text(self.bounds(cost.loss.pico_rho)), cost_text(cost), self.catalog)


def prepare(
    plan: PrivatePlan,
    catalog: Catalog,
    backend: Backend,
    rho: Fraction,
    delta: Fraction | None = None,
    calibration: Calibration = NO_CALIBRATION,
) -> Prepared:
    """Bound, price and compile one release; `delta` defaults to the catalog's. Raises Refusal if it is not possible."""
    return priced(sized(plan, catalog, backend, calibration), backend, rho, delta)


def sized(
    plan: PrivatePlan,
    catalog: Catalog,
    backend: Backend,
    calibration: Calibration = NO_CALIBRATION,
    parts: Parts = (),
    alone: Collection[int] | None = None,
) -> Sized:
    """Analyze one release before pricing: work limits, key count, contribution bounds, clip-error models.

    `shown_alone` = indexes of the query vectors that are shown as columns of their own; None: all of them. Raises
    Refusal.
    """
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
    """Analyze every release of a query before pricing. Raises Refusal if one can't be made."""
    parted = zip(question.plans, split(question), shown_alone(question), strict=True)
    return tuple(sized(plan, catalog, backend, known, parts, alone) for plan, parts, alone in parted)


def priced(made: Sized, backend: Backend, rho: Fraction, delta: Fraction | None = None) -> Prepared:
    """Bound, price and compile an analyzed release. Raises Refusal if a vector's share of rho is too small."""
    cost = made.cost(rho, delta)
    bounds = made.bounds(cost.loss.pico_rho)
    who: Admission | None = admission(made.catalog, made.plan.dataset)
    sql = _written(made.numbers, bounds, with_released(backend.target), who)
    choice = None
    if made.choosing is not None and cost.keys is not None:
        choice = Choice(*made.choosing, _written(*made.choosing, backend.target, who), cost.keys)
    return Prepared(made.plan, bounds, cost, sql, made.release_key(cost), made, choice)


def _written(plan: PrivatePlan, bounds: Bounding, target: Target, who: Admission | None) -> BoundedSql:
    """Generate bounded SQL. Raises Refusal for functions that the backend's engine can't compute as DuckDB does."""
    try:
        return write(plan, bounds, target, who)
    except NoForm as missing:
        hint = "another function: docs/spark.md names those that Spark has not"
        raise Refusal(Code.FUNC, f"This catalog's people lie in a Spark lake, and {missing}.", hint) from None


def choices_of(made: Prepared) -> tuple[tuple[Foreseen, ...], ...]:
    """Return the expected error of each query vector at alternative clip bounds; empty if its bound was not tuned."""
    rows = zip(made.sized.facts, made.bounds.vectors, made.cost.vectors, strict=True)
    cut = (Rule.SCALE, Rule.CLAMP)
    return tuple(foreseen(each if b.rule in cut else None, b.norm, cost.pico_rho) for each, b, cost in rows)


def scales_of(prepared: tuple[Prepared, ...]) -> Scales:
    """Noise scale of every query vector: (grain in units, sigma in grains)."""
    return tuple(
        tuple((b.grain, c.sigma) for b, c in zip(p.bounds.vectors, p.cost.vectors, strict=True)) for p in prepared
    )
