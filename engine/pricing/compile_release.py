"""Compile a release: clip bounds, price, generated SQL and release key, all from public facts, before data is read.

Terms:
    query vector      one aggregate of the release, with a number for every group
    price             rho of the whole release, in pico-rho (10^-12); each query vector gets a share of it
    released grain    unit of the integers that are released: a fraction of the vector's unit (`VectorBound.grain_size`)
    sigma             scale of the discrete Gaussian noise, in released grains
    private keys      GROUP BY keys that are not public: a first pass (partition selection) releases them, with noise
    weight            with private keys, 1/sqrt(k) per group of a person in k groups; a key needs a noisy sum of weights
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

from budgets import PICO, PricedRelease
from dialect import (
    BoundedSql,
    Catalog,
    ContributionBounds,
    Eligibility,
    PrivatePlan,
    Question,
    Target,
    bound_contributions,
    generate_sql,
)
from dialect.algebra import Properties
from dialect.analysis import NO_WORK, Work
from dialect.codegen import plan_over_released_keys, selection_plan, with_released_keys
from dialect.functions import UnsupportedByEngine
from dialect.postprocess import reads_single_groups as is_by_group
from engine.backends.protocol import Backend
from engine.catalog.eligibility import eligibility_filter
from engine.errors import EngineKind
from engine.mechanism.gaussian import NoiseRefused, privacy_loss
from engine.pricing.budget_allocation import PriceParts, equal_parts, split_price, split_prices
from engine.pricing.clip_bounds.error_models import clip_error_models, restrict_to_released_groups, vectors_shown_alone
from engine.pricing.clip_bounds.histograms import NO_CALIBRATION, Calibration
from engine.pricing.clip_bounds.tuning import ClipBoundOutcome, ClipErrorModel, clip_bound_outcomes, tune_clip_bounds
from engine.pricing.expected_error import NoiseScales
from engine.pricing.price import Cost, VectorPrice, approximate_threshold, price
from engine.pricing.release_key import bounds_text, cost_text, release_key
from engine.pricing.work_limits import check_row_limits, count_keys, per_group_distinct_bounds


@dataclass(frozen=True)
class PartitionSelection:
    """Partition selection: the first of the two passes of a release with private keys."""

    plan: PrivatePlan
    bounds: ContributionBounds
    sql: BoundedSql
    cost: VectorPrice


@dataclass(frozen=True)
class CompiledRelease:
    """Compiled release: clip bounds, cost, SQL and release key, ready to be charged and run."""

    plan: PrivatePlan
    bounds: ContributionBounds
    cost: Cost
    sql: BoundedSql
    release_key: str  # hexadecimal
    unpriced_release: UnpricedRelease
    selection: PartitionSelection | None = None  # private keys: the first of two passes

    @property
    def statements(self) -> tuple[BoundedSql, ...]:
        """SQL statements that read the data, in execution order."""
        return (self.sql,) if self.selection is None else (self.selection.sql, self.sql)

    @property
    def measurements(self) -> Iterator[tuple[int, VectorPrice]]:
        """Sensitivity and price of everything that gets noise, partition selection first.

        With correlated noise a query vector is two measurements: its centred vector, and the number of units.
        """
        if self.selection is not None:
            yield self.selection.bounds.vectors[0].sensitivity, self.selection.cost
        for bound, cost in zip(self.bounds.vectors, self.cost.vectors, strict=True):
            if cost.correlated is None:
                yield bound.sensitivity, cost
            else:
                yield bound.sensitivity, cost.correlated.centred
                yield 1, cost.correlated.units

    @property
    def privacy_loss(self) -> Fraction:
        """Loss (rho) of all its mechanisms together, as they are built, at their actual sensitivities."""
        return sum((privacy_loss(sensitivity, price.sigma) for sensitivity, price in self.measurements), Fraction(0))

    @property
    def key_count(self) -> int | None:
        """Number of public keys; None if keys are private."""
        return self.unpriced_release.key_count


@dataclass(frozen=True)
class UnpricedRelease:
    """Release before its price is known: everything needed to bound and price it at any rho."""

    plan: PrivatePlan
    measured_plan: (
        PrivatePlan  # measured plan: the plan itself, or with private keys its vectors over the released keys
    )
    selection: tuple[PrivatePlan, ContributionBounds] | None  # private keys: plan and bounds of partition selection
    catalog: Catalog
    key_count: int | None  # None: private keys
    declared_bounds: ContributionBounds  # declared by catalog and query
    clip_error_models: tuple[ClipErrorModel | None, ...]  # clip-error model of each vector; None: not tuned
    price_parts: PriceParts  # proportions of the price: of each vector, then of partition selection if keys are private
    calibration: Calibration = NO_CALIBRATION
    work: Work = NO_WORK  # work of both passes, if keys are private
    properties: Properties = field(default_factory=Properties, compare=False, repr=False)  # of the plan's relations
    reads_single_groups: bool = False  # no number of the outer query reads several groups: noise may be correlated

    def bounds(self, pico_rho: int) -> ContributionBounds:
        """Contribution bounds at a price: tuned clip bounds if a calibration applies, else the declared ones."""
        # no vector is tuned
        if not any(self.clip_error_models):
            return self.declared_bounds
        clip_bounds = tune_clip_bounds(
            # a share of 0 has no noise scale; `price` refuses it afterwards
            self._clip_error_models_at(pico_rho),
            [max(1, share) for share in self.shares(pico_rho)],
        )
        return bound_contributions(
            self.measured_plan, self.catalog, self.key_count, clip_bounds, self.properties,
            reads_single_groups=self.reads_single_groups,
        )  # fmt: skip

    def _clip_error_models_at(self, pico_rho: int) -> tuple[ClipErrorModel | None, ...]:
        """Clip-error models at a price: with private keys, only groups that pass the threshold at that price count.

        The last share is that of partition selection. Below one pico-rho there is no threshold to compute: `price`
        refuses such a price later, and until then the models of all groups serve.
        """
        share = split_price(self.price_parts, pico_rho)[-1]
        if self.selection is None or share < 1:
            return self.clip_error_models
        # `selection` = (plan, bounds)
        threshold_weight = approximate_threshold(
            self.selection[1], share, self.catalog.dataset(self.plan.dataset).defaults.delta
        )
        return restrict_to_released_groups(
            self.clip_error_models,
            self.measured_plan,
            self.catalog,
            self.calibration,
            threshold_weight,
            self.properties,
        )

    def shares(self, pico_rho: int) -> tuple[int, ...]:
        """Shares of the query vectors in a price, in pico-rho, rounded down; without that of partition selection."""
        # the last proportion is that of partition selection, if keys are private
        return split_price(self.price_parts, pico_rho)[: len(self.plan.vectors)]

    def cost(self, rho: Fraction, delta: Fraction | None = None) -> Cost:
        """Cost of the release at `rho`; `delta` defaults to the catalog's."""
        threshold_delta = self.catalog.dataset(self.plan.dataset).defaults.delta if delta is None else delta
        # `selection` = (plan, bounds) of partition selection
        selection_bounds = None if self.selection is None else self.selection[1]
        return price(
            self.plan, self.bounds(math.ceil(rho * PICO)), rho, threshold_delta, self.price_parts, selection_bounds
        )

    def release_key(self, cost: Cost, bounds: ContributionBounds) -> str:
        """Release key (hex) of the release at a cost, with the contribution bounds at its price."""
        return release_key(self.plan, bounds_text(bounds), cost_text(cost), self.catalog)


def compile_release(
    plan: PrivatePlan,
    catalog: Catalog,
    backend: Backend,
    rho: Fraction,
    delta: Fraction | None = None,
    calibration: Calibration = NO_CALIBRATION,
    *,
    reads_single_groups: bool = False,
) -> CompiledRelease:
    """Bound, price and compile one release; `delta` defaults to the catalog's. Raises Refusal if it is not possible."""
    unpriced = unpriced_release(plan, catalog, backend, calibration, reads_single_groups=reads_single_groups)
    return price_release(unpriced, backend, rho, delta)


def unpriced_release(
    plan: PrivatePlan,
    catalog: Catalog,
    backend: Backend,
    calibration: Calibration = NO_CALIBRATION,
    price_parts: PriceParts = (),
    shown_alone: Collection[int] | None = None,
    *,
    reads_single_groups: bool = False,
) -> UnpricedRelease:
    """Analyze one release before pricing: work limits, key count, contribution bounds, clip-error models.

    `price_parts` = proportions of the price for its vectors; empty: equal ones. `shown_alone` = indexes of the query
    vectors that are shown as columns of their own; None: all of them. `reads_single_groups` = no number of the outer
    query reads several groups. Raises Refusal.
    """
    work, properties = check_row_limits(plan, backend)
    key_count = count_keys(plan, backend)
    has_private_keys = plan.key_set is None
    distinct_bounds = tuple(per_group_distinct_bounds(plan, catalog, backend, properties, calibration))
    plan = replace(plan, distinct_bounds=distinct_bounds) if distinct_bounds else plan
    keys_plan, measured_plan = (
        (selection_plan(plan), plan_over_released_keys(plan)) if has_private_keys else (None, plan)
    )
    selection = (
        None if keys_plan is None else (keys_plan, bound_contributions(keys_plan, catalog, None, (), properties))
    )
    models, declared = (
        clip_error_models(measured_plan, catalog, calibration, key_count, shown_alone, properties),
        bound_contributions(measured_plan, catalog, key_count, (), properties, reads_single_groups=reads_single_groups),
    )
    return UnpricedRelease(
        plan, measured_plan, selection, catalog, key_count, declared, models,
        price_parts or equal_parts(plan.vectors, has_private_keys), calibration,
        work, properties, reads_single_groups,
    )  # fmt: skip


def unpriced_releases(
    question: Question, catalog: Catalog, backend: Backend, calibration: Calibration
) -> tuple[UnpricedRelease, ...]:
    """Analyze every release of a query before pricing. Raises Refusal if one can't be made."""
    rows = zip(question.plans, split_prices(question), vectors_shown_alone(question), strict=True)
    by_group = is_by_group(question)
    return tuple(
        unpriced_release(plan, catalog, backend, calibration, parts, alone, reads_single_groups=by_group)
        for plan, parts, alone in rows
    )


def price_release(
    unpriced: UnpricedRelease, backend: Backend, rho: Fraction, delta: Fraction | None = None
) -> CompiledRelease:
    """Bound, price and compile an analyzed release. Raises Refusal if a vector's share of rho is too small."""
    cost = unpriced.cost(rho, delta)
    bounds = unpriced.bounds(cost.loss.pico_rho)
    eligibility: Eligibility | None = eligibility_filter(unpriced.catalog, unpriced.plan.dataset)
    sql = _generate_sql(unpriced.measured_plan, bounds, with_released_keys(backend.target), eligibility)
    selection = None
    if unpriced.selection is not None and cost.keys is not None:
        selection = PartitionSelection(
            *unpriced.selection, _generate_sql(*unpriced.selection, backend.target, eligibility), cost.keys
        )
    return CompiledRelease(unpriced.plan, bounds, cost, sql, unpriced.release_key(cost, bounds), unpriced, selection)


def _generate_sql(
    plan: PrivatePlan, bounds: ContributionBounds, target: Target, eligibility: Eligibility | None
) -> BoundedSql:
    """Generate bounded SQL. Raises Refusal for functions that the backend's engine can't compute as DuckDB does."""
    try:
        return generate_sql(plan, bounds, target, eligibility)
    except UnsupportedByEngine as missing:
        raise EngineKind.NOT_IN_LAKE.at(missing=str(missing)) from None


def check_prices(losses: Sequence[Fraction], charged: Sequence[PricedRelease]) -> None:
    """Check, before the ledger is charged, that no release costs more than is charged for it.

    Claim: the mechanisms of a release, as they are built, together cost at most its price. Symbols: `losses` = rho of
    the built mechanisms of each release; `charged` = its item of the charge. Formula: sum of the losses by OpenDP's
    maps at scale and sensitivity <= rho.
    Raises: NoiseRefused. Proof: proofs.md#certified-before-charge
    """
    for loss, item in zip(losses, charged, strict=True):
        if loss > item.loss.rho:
            raise NoiseRefused(float(loss), item.loss.pico_rho)


def clip_bound_alternatives(compiled: CompiledRelease) -> tuple[tuple[ClipBoundOutcome, ...], ...]:
    """Return the expected error of each query vector at alternative clip bounds; empty if its bound was not tuned."""
    rows = zip(compiled.unpriced_release.clip_error_models, compiled.bounds.vectors, compiled.cost.vectors, strict=True)
    return tuple(
        clip_bound_outcomes(each if b.rule.clips else None, b.clip_bound, cost.pico_rho) for each, b, cost in rows
    )


def noise_scales(compiled: tuple[CompiledRelease, ...]) -> NoiseScales:
    """Noise scale of every query vector, per release: pairs (released grain in units, sigma in released grains)."""
    return tuple(
        tuple((b.grain_size, c.sigma) for b, c in zip(p.bounds.vectors, p.cost.vectors, strict=True)) for p in compiled
    )
