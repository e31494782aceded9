"""Compile a release: clip bounds, price, generated SQL and release key, all from public facts, before data is read.

Terms:
    query vector      one aggregate of the release, with a number for every group
    price             rho of the whole release, in pico-rho (10^-12); each query vector gets a share of it
    released grain    unit of the integers that are released: a fraction of the vector's unit (`VectorBound.grain_size`)
    sigma             scale of the discrete Gaussian noise, in released grains
    private keys      GROUP BY keys that are not public: a first pass (partition selection) releases them, with noise
    weight            with private keys, 1/sqrt(k) per group of a person in k groups; a key needs a noisy sum of weights

A release key is a digest of everything that determines a release, under which it is stored and found again.
Two requests with one key have one plan, one contribution bounding, one noise scale and one version of data and catalog
(engine/catalog/proofs.md#what-a-release-rests-on). No name in the code is part of it
(dialect/catalog/proofs.md#stable-text).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property
from typing import Final

from budgets import PICO, Loss, PricedRelease
from dialect import (
    BoundedSql,
    Catalog,
    ContributionBounds,
    Eligibility,
    PrivatePlan,
    Question,
    bound_contributions,
    generate_sql,
)
from dialect.algebra import ClipRule, Properties, VectorBound, VectorKind
from dialect.analysis import NO_WORK, Work
from dialect.catalog import Layouts, stable_text
from dialect.codegen import ProfileHistogram, plan_over_released_keys, selection_plan, write_profile_sql
from dialect.functions import UnsupportedByEngine
from dialect.postprocess import reads_single_groups as is_by_group
from dialect.sensitivity import TunedClipBound
from engine.backends.protocol import Backend
from engine.catalog.eligibility import cached_by_identity, eligibility_filter
from engine.catalog.version import release_dependency_digest
from engine.errors import EngineKind
from engine.mechanism.gaussian import NoiseRefused, privacy_loss
from engine.pricing.clip_bounds.error_models import clip_error_models, restrict_to_released_groups, vectors_shown_alone
from engine.pricing.clip_bounds.histograms import NO_CALIBRATION, Calibration
from engine.pricing.clip_bounds.profiles.compiled_profile import (
    CompiledProfile,
    bin_counts,
    calibrated_deviations,
    count_statements,
    profile_histograms,
    profiled_vectors,
    shared_plan,
    with_profile_part,
)
from engine.pricing.clip_bounds.profiles.public_magnitudes import Magnitude, vector_magnitudes
from engine.pricing.clip_bounds.tuning import ClipBoundOutcome, ClipErrorModel, clip_bound_outcomes, tune_clip_bounds
from engine.pricing.expected_error import NoiseScales
from engine.pricing.price import (
    Cost,
    PriceParts,
    VectorPrice,
    approximate_threshold,
    equal_parts,
    price,
    split_price,
    split_prices,
)
from engine.pricing.work_limits import check_row_limits, count_keys, count_rows, per_group_distinct_bounds, release_work

MECHANISM_VERSION = "2"  # changes when the same plan and price would mean another release
CORRELATED_VERSION = "1"  # the same for releases with correlated noise alone

_LAYOUTS: Final[Layouts] = {
    Loss: "Loss pico_rho atto_delta",
    ContributionBounds: "Bounding vectors max_groups",
    ClipRule: "Rule WITHIN=UNCLIPPED CLAMP SCALE CHOOSE=TRUNCATE",
    VectorBound: "VectorBound rule norm=clip_bound value_bits norm_grains=clip_bound_grains fraction_bits"
    " sensitivity why=key_reason predicted_bias max_groups max_values",
    Cost: "Cost loss vectors keys threshold threshold_persons max_groups",
    VectorPrice: "VectorPrice pico_rho sigma",
}


def release_key(plan: PrivatePlan, bounds: str, cost: str, catalog: Catalog) -> str:
    """Release key (hex) from a plan and the texts of its contribution bounds and cost."""
    version = catalog.datasets_by_name[plan.dataset].full_data_version
    versions = (version, _eligibility_texts(catalog)[plan.dataset], release_dependency_digest(plan, catalog))
    return hashlib.sha256(
        "\n".join((MECHANISM_VERSION, plan.canonical_text, bounds, cost, *versions)).encode()
    ).hexdigest()


def bounds_text(bounds: ContributionBounds) -> str:
    """Text of contribution bounds for the release key.

    Correction factors appear only if they are not 1, the version of correlated noise only where noise is correlated.
    """
    factors = (
        f" {i} kept {each.retained_share!r}" for i, each in enumerate(bounds.vectors) if each.retained_share != 1
    )
    correlated = (f" {i} correlated {CORRELATED_VERSION}" for i in bounds.centred_vectors)
    return stable_text(bounds, _LAYOUTS) + "".join((*factors, *correlated))


def cost_text(cost: Cost) -> str:
    """Text of a price and its noise scales for the release key; a second round of selection only if there is one."""
    second = "" if cost.second is None else f" second {cost.second.price.pico_rho} {cost.second.threshold}"
    return stable_text(cost, _LAYOUTS) + second


@cached_by_identity
def _eligibility_texts(catalog: Catalog) -> Mapping[str, str]:
    """Eligibility rule of each dataset that the release key covers: a changed rule makes another release.

    An objection does not.
    """
    return {dataset.name: _eligibility_text(dataset.name, catalog) for dataset in catalog.datasets}


def _eligibility_text(dataset: str, catalog: Catalog) -> str:
    """Eligibility rule of a dataset, and from when on its tables are retained."""
    eligible: Eligibility | None = eligibility_filter(catalog, dataset)
    retained = [
        (t.name, t.retained_from) for t in catalog.tables if t.dataset == dataset and t.retained_from is not None
    ]
    return stable_text((None if eligible is None else _rule_text(eligible), retained))


def _rule_text(eligible: Eligibility) -> str:
    """Text of the conditions on the person table; it does not depend on who opted out."""
    table = None if eligible.table is None else eligible.table.name
    return stable_text((table, eligible.conditions))


PROFILE_RULE_VERSION = "profile rule 19"  # changes when the same profile would mean other clip bounds or corrections


@dataclass(frozen=True)
class SelectionRound:
    """One round of partition selection: the noisy weights of some keys."""

    plan: PrivatePlan
    sql: BoundedSql
    cost: VectorPrice


@dataclass(frozen=True)
class PartitionSelection:
    """Partition selection: the passes of a release with private keys that choose them."""

    bounds: ContributionBounds  # of each round
    rounds: tuple[SelectionRound, ...]  # one, or a second one over the keys that the first left open

    @property
    def measurements(self) -> Iterator[tuple[int, VectorPrice]]:
        """Sensitivity and price of the noisy weights of each round."""
        return ((self.bounds.vectors[0].sensitivity, each.cost) for each in self.rounds)

    @property
    def privacy_loss(self) -> Fraction:
        """Loss (rho) of the noisy weights, as they are built."""
        return sum((privacy_loss(sensitivity, each.sigma) for sensitivity, each in self.measurements), Fraction(0))


@dataclass(frozen=True)
class CompiledRelease:
    """Compiled release: clip bounds, cost, SQL and release key, ready to be charged and run."""

    plan: PrivatePlan
    bounds: ContributionBounds
    cost: Cost
    sql: BoundedSql
    release_key: str  # hexadecimal
    unpriced_release: UnpricedRelease
    key_texts: tuple[str, str]  # texts of bounds and cost in the release key
    selection: PartitionSelection | None = None  # private keys: the first of two passes
    profile: CompiledProfile | None = None  # its clip bounds will be chosen from this one

    @property
    def statements(self) -> tuple[BoundedSql, ...]:
        """SQL statements that read the data, in execution order."""
        keys = () if self.selection is None else (each.sql for each in self.selection.rounds)
        return (*keys, *(() if self.profile is None else (self.profile.sql,)), self.sql)

    @property
    def measurements(self) -> Iterator[tuple[int, VectorPrice]]:
        """Sensitivity and price of everything that gets noise but the profile, partition selection first.

        With correlated noise a query vector is two measurements: its centred vector, and the number of units.
        """
        if self.selection is not None:
            yield from self.selection.measurements
        for bound, cost in zip(self.bounds.vectors, self.cost.vectors, strict=True):
            if cost.correlated is None:
                yield bound.sensitivity, cost
            else:
                yield bound.sensitivity, cost.correlated.centred
                yield 1, cost.correlated.units

    @property
    def privacy_loss(self) -> Fraction:
        """Loss (rho) of all its mechanisms but the profile, as they are built, at their actual sensitivities."""
        return sum((privacy_loss(sensitivity, price.sigma) for sensitivity, price in self.measurements), Fraction(0))

    @property
    def key_count(self) -> int | None:
        """Number of public keys; None if keys are private."""
        return self.unpriced_release.key_count

    @property
    def losses(self) -> Mapping[str, Fraction]:
        """Losses (rho) of its profile and of its numbers, as they are built, by release key.

        Private keys are stored with the profile, if there is one, else with the numbers.
        """
        if self.profile is None:
            return {self.release_key: self.privacy_loss}
        of_keys = Fraction(0) if self.selection is None else self.selection.privacy_loss
        of_profile = of_keys + self.profile.privacy_loss
        return {self.profile.release_key: of_profile, self.release_key: self.privacy_loss - of_keys}

    @cached_property
    def priced(self) -> tuple[PricedRelease, ...]:
        """What is charged: its profile, if it has one, with its private keys; and its numbers."""
        windows, text = self.plan.charged_windows.windows, self.plan.canonical_text
        if self.profile is None:
            return (PricedRelease(self.release_key, self.cost.loss, text, windows),)
        loss = self.cost.loss
        first = self.profile.pico_rho + self.cost.keys_pico_rho
        profile = PricedRelease(self.profile.release_key, Loss(first, loss.atto_delta), f"profile of {text}", windows)
        return profile, PricedRelease(self.release_key, Loss(loss.pico_rho - first, 0), text, windows)


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
    price_parts: PriceParts  # proportions of the price: vectors, partition selection of private keys, profile
    calibration: Calibration = NO_CALIBRATION
    work: Work = NO_WORK  # work of both passes, if keys are private
    properties: Properties = field(default_factory=Properties, compare=False, repr=False)  # of the plan's relations
    reads_single_groups: bool = False  # no number of the outer query reads several groups: noise may be correlated
    histograms: tuple[ProfileHistogram, ...] = ()  # of its profile; empty: it needs none
    profiled_vectors: frozenset[int] = frozenset()  # query vectors whose clip bounds the profile chooses
    shown_alone: frozenset[int] | None = None  # query vectors that are columns of their own; None: all of them
    # of profiled vectors that a calibration measured exactly, by index: they predict its error
    calibrated: Mapping[int, ClipErrorModel] = field(default_factory=dict, compare=False)

    def bounds(self, pico_rho: int) -> ContributionBounds:
        """Contribution bounds at a price: tuned clip bounds if a calibration applies, else the declared ones."""
        return self.bounded(self._tuned_clip_bounds(pico_rho)) if any(self.clip_error_models) else self.declared_bounds

    def bounded(self, clip_bounds: Sequence[TunedClipBound | None]) -> ContributionBounds:
        """Contribution bounds with some clip bounds; None where the declared one applies."""
        return bound_contributions(
            self.measured_plan, self.catalog, self.key_count, clip_bounds, self.properties,
            reads_single_groups=self.reads_single_groups and not self._has_profiled_persons,
        )  # fmt: skip

    @property
    def unknown_vectors(self) -> frozenset[int]:
        """Indices of the profiled vectors whose contributions no calibration measured."""
        return self.profiled_vectors - self.calibrated.keys()

    def scales(self, bounds: ContributionBounds, prices: Sequence[VectorPrice]) -> tuple[tuple[float, float], ...]:
        """Pair released grain in units, and scale in grains, of the expected error of each vector.

        Of its noise alone, but for profiled vectors that a calibration measured: of noise and clipping together.
        """
        count = len(self.plan.vectors)
        part = self.price_parts[-1] / sum(self.price_parts[:count]) if self.calibrated else 0.0
        found = calibrated_deviations(self.measured_plan, self.histograms, self.calibrated, prices, part, self.catalog)
        pairs = zip(bounds.vectors, prices, strict=True)
        return tuple(
            (bound.grain_size, found[i] / bound.grain_size if i in found else price.sigma)
            for i, (bound, price) in enumerate(pairs)
        )

    @property
    def _has_profiled_persons(self) -> bool:
        """Whether a count of persons is corrected by a profile, which needs noise of its own in each group."""
        return any(self.plan.vectors[each.vector].kind is VectorKind.PERSONS for each in self.histograms)

    def bounds_with(self, pico_rho: int, chosen: Mapping[int, TunedClipBound]) -> ContributionBounds:
        """Contribution bounds at a price, with the clip bounds of some vectors chosen from their profile."""
        tuned = self._tuned_clip_bounds(pico_rho)
        return self.bounded([chosen.get(i, each) for i, each in enumerate(tuned)])

    def _tuned_clip_bounds(self, pico_rho: int) -> tuple[TunedClipBound | None, ...]:
        """Clip bounds tuned on a calibration; None for the vectors that have none."""
        if not any(self.clip_error_models):
            return (None,) * len(self.clip_error_models)
        return tune_clip_bounds(
            # a share of 0 has no noise scale; `price` refuses it afterwards
            self._clip_error_models_at(pico_rho),
            [max(1, share) for share in self.shares(pico_rho)],
        )

    def profile_share(self, pico_rho: int) -> int:
        """Share of the profile in a price, in pico-rho; 0 without one."""
        return split_price(self.price_parts, pico_rho)[-1] if self.histograms else 0

    def prices_with_profile(self, pico_rho: int) -> tuple[int, ...]:
        """List the prices, in pico-rho, that leave `pico_rho` for the numbers; several, because shares are rounded."""
        if not self.histograms:
            return (pico_rho,)
        about = pico_rho * sum(self.price_parts) // sum(self.price_parts[: len(self.plan.vectors)])
        near = range(about - 3, about + 4)
        return tuple(
            price for price in near if price - self.profile_share(price) - self._selection_share(price) == pico_rho
        )

    def _selection_share(self, pico_rho: int) -> int:
        """Share of partition selection in a price, in pico-rho; 0 with public keys."""
        return 0 if self.selection is None else split_price(self.price_parts, pico_rho)[len(self.plan.vectors)]

    def _clip_error_models_at(self, pico_rho: int) -> tuple[ClipErrorModel | None, ...]:
        """Clip-error models at a price: with private keys, only groups that pass the threshold at that price count.

        Below one pico-rho there is no threshold to compute: `price`
        refuses such a price later, and until then the models of all groups serve.
        """
        if self.selection is None:
            return self.clip_error_models
        share = self._selection_share(pico_rho)
        if share < 1:
            return self.clip_error_models
        # `selection` = (plan, bounds)
        threshold_weight = approximate_threshold(
            self.selection[1], share, self.catalog.datasets_by_name[self.plan.dataset].defaults.delta
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
        # after them: that of partition selection, if keys are private, and that of the profile
        return split_price(self.price_parts, pico_rho)[: len(self.plan.vectors)]

    def cost(self, rho: Fraction, delta: Fraction | None = None) -> Cost:
        """Cost of the release at `rho`; `delta` defaults to the catalog's."""
        threshold_delta = self.catalog.datasets_by_name[self.plan.dataset].defaults.delta if delta is None else delta
        # `selection` = (plan, bounds) of partition selection
        selection_bounds = None if self.selection is None else self.selection[1]
        return price(
            self.plan, self.bounds(math.ceil(rho * PICO)), rho, threshold_delta, self.price_parts, selection_bounds
        )

    def key_texts(self, cost: Cost, bounds: ContributionBounds, profile_key: str | None) -> tuple[str, str]:
        """Texts of bounds and cost in the release key; of a profile its key, never what it says."""
        named = "" if profile_key is None else f" {PROFILE_RULE_VERSION} {profile_key}"
        return bounds_text(bounds) + named, cost_text(cost)

    def release_key(self, cost: Cost, bounds: ContributionBounds) -> str:
        """Release key (hex) of the release at a cost, with the contribution bounds at its price."""
        return release_key(self.plan, *self.key_texts(cost, bounds, self.profile_key(cost)), self.catalog)

    def profile_key(self, cost: Cost) -> str | None:
        """Release key (hex) of its profile at a cost; None if it has none."""
        pico_rho, plan = self.profile_share(cost.loss.pico_rho), self.measured_plan
        if pico_rho < len(self.histograms) or not self.histograms:
            return None
        measured = "; ".join(f"{each.measure} of {plan.vector_texts[each.vector]}" for each in self.histograms)
        text = f"{PROFILE_RULE_VERSION}: {measured}, {self.declared_bounds.max_groups} groups"
        keys = ""  # delta is named beside the threshold: two deltas may have the same rounded threshold
        if cost.keys is not None:
            spent = f"{cost.keys_pico_rho} pico-rho and {cost.loss.atto_delta} atto-delta"
            keys = f", keys {spent} from {cost.threshold} on, {cost.max_groups} each"
        return release_key(plan, text, f"{pico_rho} pico-rho{keys}", self.catalog)

    def profile(self, cost: Cost, own_bounds: ContributionBounds, backend: Backend) -> CompiledProfile | None:
        """Compile the profile of the release at a cost, with its bounds there; None if it needs none."""
        key, plan = self.profile_key(cost), self.measured_plan
        if key is None:
            return None
        shared = shared_plan(plan, own_bounds, self.histograms)
        sql = write_profile_sql(shared, backend.target, eligibility_filter(self.catalog, plan.dataset))
        groups = self.key_count if plan.keys and self.key_count is not None else 1
        if self.selection is not None:
            groups = 0 if plan.others is None else count_rows(plan.others.relation, backend)
        pico_rho = self.profile_share(cost.loss.pico_rho)
        bins = bin_counts(shared, groups if self.selection is None else None, self.catalog)
        return CompiledProfile(shared, sql, key, bins, pico_rho, groups)


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
    once, properties = check_row_limits(plan, backend)
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
    models = clip_error_models(measured_plan, catalog, calibration, key_count, shown_alone, properties)
    declared = bound_contributions(
        measured_plan, catalog, key_count, (), properties, reads_single_groups=reads_single_groups
    )
    # without declared bounds a profile of what is asked chooses, and a calibration of it tells half-widths beforehand
    histograms = profile_histograms(measured_plan, declared, catalog, shown_alone if has_private_keys else None)
    profiled = profiled_vectors(histograms, measured_plan)
    calibrated = {
        i: model
        for i, model in enumerate(models)
        if i in profiled and model is not None and model.is_exact and model.mean_model is None
    }
    models = tuple(None if i in profiled else model for i, model in enumerate(models))
    parts = price_parts or equal_parts(plan.vectors, has_private_keys)
    numbers = max(len(histograms), len(measured_plan.vectors))
    statements = count_statements(histograms, profiled, measured_plan)
    max_groups = None if selection is None else selection[1].max_groups
    work = release_work(plan, once, properties, backend, key_count, statements, numbers, max_groups)
    return UnpricedRelease(
        plan, measured_plan, selection, catalog, key_count, declared, models,
        with_profile_part(parts, plan) if histograms else parts, calibration,
        work, properties, reads_single_groups, histograms, profiled,
        None if shown_alone is None else frozenset(shown_alone), calibrated,
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


@contextmanager
def _refusing_unsupported() -> Iterator[None]:
    """Raise Refusal for functions that the backend's engine can't compute as DuckDB does."""
    try:
        yield
    except UnsupportedByEngine as missing:
        raise EngineKind.NOT_IN_LAKE.at(missing=str(missing)) from None


@_refusing_unsupported()
def price_release(
    unpriced: UnpricedRelease, backend: Backend, rho: Fraction, delta: Fraction | None = None
) -> CompiledRelease:
    """Bound, price and compile an analyzed release. Raises Refusal if a vector's share of rho is too small."""
    cost = unpriced.cost(rho, delta)
    bounds = unpriced.bounds(cost.loss.pico_rho)
    profile = unpriced.profile(cost, bounds, backend)
    eligibility: Eligibility | None = eligibility_filter(unpriced.catalog, unpriced.plan.dataset)
    shared = None if profile is None else profile.shared
    sql = generate_sql(unpriced.measured_plan, bounds, backend.target, eligibility, shared)
    selection = None
    if unpriced.selection is not None and cost.keys is not None:
        selection = _compile_selection(*unpriced.selection, cost, cost.keys, backend, eligibility)
    texts = unpriced.key_texts(cost, bounds, None if profile is None else profile.release_key)
    key = release_key(unpriced.plan, *texts, unpriced.catalog)
    return CompiledRelease(unpriced.plan, bounds, cost, sql, key, unpriced, texts, selection, profile)


def _compile_selection(
    plan: PrivatePlan,
    bounds: ContributionBounds,
    cost: Cost,
    first: VectorPrice,
    backend: Backend,
    eligibility: Eligibility | None,
) -> PartitionSelection:
    """Generate the SQL of each round; the second one is bounded over the keys that the first one leaves open."""
    rounds = [SelectionRound(plan, generate_sql(plan, bounds, backend.target, eligibility), first)]
    if cost.second is not None:
        again = plan_over_released_keys(plan)
        over_open_keys = generate_sql(again, bounds, backend.target, eligibility)
        rounds.append(SelectionRound(again, over_open_keys, cost.second.price))
    return PartitionSelection(bounds, tuple(rounds))


def check_prices(losses: Mapping[str, Fraction], charged: Sequence[PricedRelease]) -> None:
    """Check, before the ledger is charged, that no release costs more than is charged for it.

    Claim: the mechanisms of a release, as they are built, together cost at most its price. Symbols: `losses` = rho of
    the built mechanisms, by release key; `charged` = items of the charge. Formula: sum of the losses by OpenDP's maps
    at scale and sensitivity <= rho.
    Raises: NoiseRefused. Proof: proofs.md#certified-before-charge
    """
    by_key = {item.release_key: item.loss for item in charged}
    for key, measured in losses.items():
        loss = by_key.get(key, Loss(0, 0))
        if measured > loss.rho:
            raise NoiseRefused(float(measured), loss.pico_rho)


def clip_bound_alternatives(compiled: CompiledRelease) -> tuple[tuple[ClipBoundOutcome, ...], ...]:
    """Return the expected error of each query vector at alternative clip bounds; empty if its bound was not tuned."""
    rows = zip(compiled.unpriced_release.clip_error_models, compiled.bounds.vectors, compiled.cost.vectors, strict=True)
    return tuple(
        clip_bound_outcomes(each if b.rule.clips else None, b.clip_bound, cost.pico_rho) for each, b, cost in rows
    )


def noise_scales(compiled: tuple[CompiledRelease, ...]) -> NoiseScales:
    """Noise scale of every query vector, per release: pairs (released grain in units, sigma in released grains)."""
    return tuple(p.unpriced_release.scales(p.bounds, p.cost.vectors) for p in compiled)


def magnitudes(compiled: CompiledRelease, *, shows_largest: bool = False) -> tuple[Magnitude, ...]:
    """Public orders of magnitude of a release's numbers, whose profile is not bought yet.

    `shows_largest`: noisy numbers choose the groups that are shown.
    """
    unpriced = compiled.unpriced_release
    plan, groups, profiled = unpriced.measured_plan, compiled.key_count, unpriced.profiled_vectors
    prices, catalog = compiled.cost.vectors, unpriced.catalog
    return vector_magnitudes(plan, compiled.bounds, prices, profiled, groups, catalog, shows_largest=shows_largest)
