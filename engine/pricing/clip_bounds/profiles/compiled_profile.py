"""Compiled profile: histograms of a release, their price and SQL, and how a stored profile is read.

Decided from public facts: plan, catalog, number of keys. Who declares no clip bound gets a profile of the vectors that
would have to be clipped (`engine/pricing/proofs.md#profiles`).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property, lru_cache

import numpy as np
import pyarrow as pa

from dialect import BoundedSql, Catalog, ContributionBounds, Eligibility, PrivatePlan, Target
from dialect.algebra import ClipRule, QueryVector, VectorBound, VectorKind
from dialect.codegen import (
    HIGHEST_BIN,
    LOWEST_BIN,
    Measure,
    OtherCentres,
    ProfileHistogram,
    SharedPlan,
    write_distances_sql,
    write_means_sql,
)
from dialect.sensitivity import MAX_GRAIN_BITS, declares_clip_bounds, finest_value_bits
from engine.backends.exact import Exact
from engine.mechanism.gaussian import NoiseSource, NoisyVector, gaussian_scale, privacy_loss
from engine.mechanism.release import Release
from engine.pricing.clip_bounds.profiles.averages import (
    AboutCentre,
    Averages,
    AveragesAboutCentres,
    Means,
    about_centres,
    average_histograms,
    averages_of,
    with_chosen_centre,
)
from engine.pricing.clip_bounds.profiles.calibrated_error import ExpectedProfile, calibrated_error
from engine.pricing.clip_bounds.profiles.estimator import VectorProfile, or_nothing
from engine.pricing.clip_bounds.profiles.histogram_reading import (
    REMEMBERED_READINGS,
    SIGNIFICANT_SIGMAS,
    Floats,
    HistogramReading,
    possible_bins,
    read_histogram,
)
from engine.pricing.clip_bounds.profiles.products import Grains, about_factors, has_fractional_centre
from engine.pricing.clip_bounds.profiles.unit_means import is_narrow
from engine.pricing.clip_bounds.tuning import ClipErrorModel
from engine.pricing.price import PriceParts, VectorPrice

PROFILE_TENTHS_GROUPED, PROFILE_TENTHS_TOTAL = 1, 2  # share of a release's price, in tenths, with and without keys
MAGNITUDE_BITS = 13  # value grains of the largest value of a row: 2^12 to 2^13
REPLACEMENT_BITS = 20  # a unit that moves from bin to bin: sqrt(2), in grains of 2^-20
PROFILED_KINDS = (VectorKind.ROWS, VectorKind.VALID, VectorKind.SUM, VectorKind.PERSONS)


@dataclass(frozen=True)
class CompiledProfile:
    """Profile of one release, ready to be charged and run."""

    shared: SharedPlan
    sql: BoundedSql
    release_key: str  # hexadecimal
    bin_counts: tuple[int, ...]  # of each histogram: further bins are 0, as no unit is read there
    pico_rho: int  # price of all histograms together
    groups: int  # public keys; 1 without keys; for private keys that of groups of other keys, before they are known

    @property
    def plan(self) -> PrivatePlan:
        """Plan of the release."""
        return self.shared.plan

    @property
    def averages(self) -> tuple[Averages, ...]:
        """Averages that it profiles, with the products below variances."""
        counts = {each.count for each in self.shared.histograms if each.measure is Measure.MEAN}
        return tuple(each for each in averages_of(self.plan) if each.count in counts)

    @property
    def histogram_pico_rho(self) -> int:
        """Price of one histogram, in pico-rho."""
        return self.pico_rho // len(self.shared.histograms)

    @cached_property
    def step(self) -> int:
        """Grains of one unit."""
        return 1 << REPLACEMENT_BITS if self.plan.charged_windows.is_crossing else 1

    @cached_property
    def sensitivity(self) -> int:
        """L2 sensitivity of a histogram in grains: removal changes one bin by 1, replacement two bins."""
        return math.isqrt(2 * self.step**2 - 1) + 1 if self.plan.charged_windows.is_crossing else 1

    @cached_property
    def sigma(self) -> float:
        """Noise scale of each histogram, in grains."""
        return gaussian_scale(self.sensitivity, self.histogram_pico_rho)

    @property
    def hidden_units(self) -> int:
        """Units with the same contribution that its noise can hide, about: three standard deviations of a bin."""
        return math.ceil(SIGNIFICANT_SIGMAS * self.sigma / self.step)

    @property
    def privacy_loss(self) -> Fraction:
        """Loss (rho) of all histograms, as they are built."""
        return len(self.shared.histograms) * privacy_loss(self.sensitivity, self.sigma)

    def measure(self, exact: Exact, add_noise: NoiseSource, selected_keys: pa.Table | None = None) -> Release:
        """Add noise to the histograms: rows of a bin and one number for each histogram, in units.

        `selected_keys` = the private keys over which they were measured, which are stored with them. Bins beyond those
        that public limits leave to a unit are 0, whatever the data.

        Claim: the result is pico_rho-zCDP. Symbols: a unit is in at most one bin of each histogram. Formula: the sum of
        the losses of the histograms. Source and proof: engine/pricing/proofs.md#profiles. Raises NoiseRefused.
        """
        bins = np.arange(LOWEST_BIN, HIGHEST_BIN + 1)
        places = exact.keys.column(0).to_numpy().astype(np.int64) - LOWEST_BIN
        price = self.sensitivity, self.sigma, self.histogram_pico_rho
        noisy = []
        for counts, measured in zip(exact.vectors, self.bin_counts, strict=True):
            dense, released = np.zeros(len(bins), dtype=np.int64), np.zeros(len(bins), dtype=np.int64)
            dense[places] = counts * self.step
            released[:measured] = add_noise(dense[:measured], *price)
            noisy.append(NoisyVector(released))
        grains = (1 / self.step,) * len(noisy)
        sigmas = (self.sigma,) * len(noisy)
        return Release(pa.table({"k0": bins}), tuple(noisy), grains, sigmas, selected_keys=selected_keys)


def profile_histograms(
    plan: PrivatePlan,
    bounds: ContributionBounds,
    catalog: Catalog,
    shown_alone: Collection[int] | None = None,
) -> tuple[ProfileHistogram, ...]:
    """List the histograms of a release's profile; empty if it needs none.

    A vector is profiled if it would be clipped at a bound that nobody declared; an average together with its count.
    Sums of products are profiled after it, about centres that it chose. Different values are not profiled, nor a count
    of people that is only there because keys are private.
    `shown_alone` = vectors that are columns of their own, if keys are private; else None.
    """
    if declares_clip_bounds(plan, catalog) or plan.limits.is_stated:
        return ()
    of_averages = tuple(
        histogram
        for average in averages_of(plan)
        if bounds.vectors[average.count].rule is ClipRule.SCALE
        for histogram in average_histograms(average, plan)
    )
    return of_averages + tuple(
        ProfileHistogram(i, measure)
        for i, (vector, bound) in enumerate(zip(plan.vectors, bounds.vectors, strict=True))
        if (bound.rule.clips or _has_wide_values(vector, bound)) and _is_profiled(vector, plan)
        if not only_selects_keys(i, plan, shown_alone)
        for measure in _measures(vector, plan)
    )


def bin_counts(shared: SharedPlan, groups: int | None, catalog: Catalog) -> tuple[int, ...]:
    """Count the bins of each histogram that a unit may be in by public limits; `groups` None: nobody knows yet."""
    return tuple(_bin_count(each, shared, groups, catalog) for each in shared.histograms)


def _bin_count(histogram: ProfileHistogram, shared: SharedPlan, groups: int | None, catalog: Catalog) -> int:
    """Count the bins of one histogram; `read_histogram` takes no others for possible."""
    if histogram.measure is Measure.MEAN:
        return len(histogram.parts) + 1
    bins, index = HIGHEST_BIN - LOWEST_BIN + 1, histogram.vector
    if groups is None and shared.plan.vectors[index].kind is VectorKind.PERSONS:
        return bins
    most = _most(shared.plan, index, groups or 1, catalog) * 2.0 ** shared.profile_bounds.vectors[index].value_bits
    return possible_bins(bins, most)


def count_statements(histograms: Sequence[ProfileHistogram], profiled: Collection[int], plan: PrivatePlan) -> int:
    """Count the statements of a release with a profile of these histograms; none: one. `profiled` = its vectors.

    They are those of the profile, of totals and of numbers; averages have one more, of distances, and
    products two, of their means and distances.
    """
    has_averages = any(each.measure is Measure.MEAN for each in histograms)
    has_products = any(plan.vectors[i].factor is not None for i in profiled)
    return 3 + has_averages + 2 * has_products if histograms else 1


def profiled_vectors(histograms: Sequence[ProfileHistogram], plan: PrivatePlan) -> frozenset[int]:
    """List the vectors whose clip bounds a profile chooses: those it measures, and products of these."""
    counts = {each.count for each in histograms if each.measure is Measure.MEAN}
    products = (i for each in averages_of(plan) if each.count in counts for i in each.totals)
    return frozenset(each.vector for each in histograms).union(products)


def only_selects_keys(index: int, plan: PrivatePlan, shown_alone: Collection[int] | None) -> bool:
    """Return whether a vector is a count of people that no column reads: it is there because keys are private.

    `shown_alone` = vectors that are columns of their own, if keys are private; else None.
    """
    is_counting_people = plan.vectors[index].kind is VectorKind.PERSONS
    return is_counting_people and shown_alone is not None and index not in shown_alone


def _is_profiled(vector: QueryVector, plan: PrivatePlan) -> bool:
    """Return whether a vector has a profile: it is clipped on its own."""
    alone = sum(other.scale_group == vector.scale_group for other in plan.vectors) == 1
    return alone and vector.kind in PROFILED_KINDS and vector.partial_bounds is None


def _has_wide_values(vector: QueryVector, bound: VectorBound) -> bool:
    """Return whether values of one row a person may be far below the largest: not whole numbers of a narrow range."""
    return vector.kind is VectorKind.SUM and bound.rule is ClipRule.UNCLIPPED and not is_narrow(vector)


def _is_signed(vector: QueryVector) -> bool:
    """Return whether a unit's number may be negative."""
    return vector.is_sum and vector.lower < vector.centre


def _measures(vector: QueryVector, plan: PrivatePlan) -> tuple[Measure, ...]:
    """List the measures of a vector: of a unit in one group the sum is the norm.

    Memberships in k groups have norm sqrt(k), so that one histogram tells both. Sums of signed numbers tell nothing.
    """
    has_totals = vector.kind is not VectorKind.PERSONS and not _is_signed(vector)
    if (not plan.keys and not _is_signed(vector)) or (plan.is_single and has_totals):
        return (Measure.TOTAL,)
    return (Measure.NORM, Measure.TOTAL) if has_totals else (Measure.NORM,)


def shared_plan(plan: PrivatePlan, bounds: ContributionBounds, histograms: Sequence[ProfileHistogram]) -> SharedPlan:
    """Choose the value grains of the partial aggregates that profile, totals and numbers share.

    Whole numbers of a narrow range have fractions of one, in which centres of averages are chosen. Those of profiled
    vectors are as fine as any clip bound may need; others keep the grains of `bounds`, which are
    those of the price. Those of the profile are independent of clip bounds: the largest value has 2^12 to 2^13 of them.
    """
    profiled = profiled_vectors(histograms, plan) | {each.count for each in histograms if each.measure is Measure.MEAN}
    vectors = [replace(v, is_integer=v.is_integer and not has_fractional_centre(v)) for v in plan.vectors]
    fine = [
        replace(bound, rule=ClipRule.UNCLIPPED, value_bits=finest_value_bits(vector)) if i in profiled else bound
        for i, (vector, bound) in enumerate(zip(vectors, bounds.vectors, strict=True))
    ]
    measured = [
        replace(bound, rule=ClipRule.SCALE, value_bits=min(_profile_bits(vector), bound.value_bits), fraction_bits=0)
        for vector, bound in zip(vectors, fine, strict=True)
    ]
    of_profile = replace(bounds, vectors=tuple(measured))
    shared = replace(plan, vectors=tuple(vectors)), replace(bounds, vectors=tuple(fine))
    return SharedPlan(*shared, tuple(histograms), of_profile)


def _profile_bits(vector: QueryVector) -> int:
    """Choose the value bits of one vector; integers have whole grains."""
    bits = MAGNITUDE_BITS - math.ceil(math.log2(vector.magnitude)) if vector.is_sum else 0
    return max(-MAX_GRAIN_BITS, min(bits, 0 if vector.is_integer else MAX_GRAIN_BITS))


@dataclass(frozen=True)
class StoredProfile:
    """A profile with what is stored of it: noisy histograms, and the private keys over which they were measured."""

    compiled: CompiledProfile
    release: Release

    @property
    def groups(self) -> int:
        """Number of groups: public keys, or the released private ones and the groups of other keys."""
        keys = self.release.selected_keys
        return self.compiled.groups if keys is None else max(1, self.compiled.groups + keys.num_rows)

    @property
    def histograms(self) -> Mapping[ProfileHistogram, tuple[Floats, float]]:
        """Noisy units by bin of each histogram, and their noise scale."""
        grain, sigma = self.release.grains[0], self.release.sigmas[0] * self.release.grains[0]
        pairs = zip(self.compiled.shared.histograms, self.release.noisy, strict=True)
        return {each: (np.asarray(noisy * grain, dtype=np.float64), sigma) for each, noisy in pairs}


def read_profile(stored: StoredProfile, catalog: Catalog) -> Mapping[int, VectorProfile]:
    """Read a stored profile: the contributions to each vector that is profiled alone, by its index."""
    plan, histograms = stored.compiled.plan, stored.histograms
    alone = {each.vector for each in histograms if _is_profiled(plan.vectors[each.vector], plan)}
    return {index: _read_vector(stored, index, histograms, catalog) for index in sorted(alone)}


def _read_vector(
    stored: StoredProfile, index: int, histograms: Mapping[ProfileHistogram, tuple[Floats, float]], catalog: Catalog
) -> VectorProfile:
    """Read the histograms of one vector; one of them may not be measured."""
    is_count, most = not stored.compiled.plan.vectors[index].is_sum, _largest_contribution(stored, index, catalog)
    norms, totals = (
        read_histogram(*histograms[each], is_total=each.measure is Measure.TOTAL, is_count=is_count, most=most)
        if each in histograms
        else None
        for each in (ProfileHistogram(index, Measure.NORM), ProfileHistogram(index, Measure.TOTAL))
    )
    return _vector_profile(stored, index, norms, totals)


@or_nothing
def averages_about_centres(
    stored: StoredProfile, catalog: Catalog, prices: Sequence[VectorPrice], shown_alone: Collection[int] | None,
    means: Means | None = None,
) -> tuple[AveragesAboutCentres, ...]:  # fmt: skip
    """Choose the centres of profiled averages; those without a visible unit are left out.

    `prices` of every vector; `shown_alone` = vectors that are columns of their own, None: all of them; `means` =
    measured ones of units' products.
    """
    shared, columns, plan = stored.compiled.shared, stored.histograms, stored.compiled.plan
    shown = range(len(plan.vectors)) if shown_alone is None else shown_alone
    pairs = zip(shared.profile_bounds.vectors, shared.bounds.vectors, strict=True)
    grains = {
        i: Grains(bound.value_bits, fine.value_bits, _largest_contribution(stored, i, catalog))
        for i, (bound, fine) in enumerate(pairs)
    }
    paid = [each.pico_rho for each in prices]
    made = (
        about_centres(
            each, plan, _read_vector(stored, each.count, columns, catalog), columns, paid, grains,
            is_shown=each.count in shown, means=means,
        )
        for each in averages_of(plan)
        if average_histograms(each, plan)[0] in columns
    )  # fmt: skip
    return tuple(each for each in made if each is not None)


def with_chosen_centres(plan: PrivatePlan, groups: Sequence[AveragesAboutCentres]) -> PrivatePlan:
    """Subtract the chosen centres from the values of averages."""
    chosen = {each.total: each for group in groups for each in group.averages}
    vectors = (with_chosen_centre(v, chosen[i]) if i in chosen else v for i, v in enumerate(plan.vectors))
    return replace(plan, vectors=tuple(vectors))


@dataclass(frozen=True)
class AverageStatements:
    """Statements that measure the units of averages after their profile."""

    profile: CompiledProfile
    target: Target
    admission: Eligibility | None

    def means(self, products: Sequence[AboutCentre]) -> BoundedSql:
        """Write the SQL of histograms of units by their mean product."""
        scales = [each.product for each in products if each.product is not None]
        finest = self.profile.shared.bounds.vectors
        bits = {each.total: min(each.value_bits, finest[each.total].value_bits) for each in scales}
        bins = [each.bins(bits[each.total]) for each in scales]
        return write_means_sql(self.profile.shared, self._about(products, bits), bins, self.target, self.admission)

    def distances(self, averages: Sequence[AboutCentre]) -> Iterator[tuple[Sequence[AboutCentre], BoundedSql]]:
        """Write the SQL of class means and of norms of distances: of values, and of products; with what it measures."""
        values, products = (
            [each for each in averages if (each.product is None) == is_value] for is_value in (True, False)
        )
        shared, of = self.profile.shared, (self.target, self.admission)
        if values:
            yield values, write_distances_sql(shared, [each.measured for each in values], *of)
        if products:
            about = self._about(products, {each.total: round(-math.log2(each.grain)) for each in products})
            yield products, write_distances_sql(shared, [each.measured for each in products], *of, about)

    def _about(self, averages: Sequence[AboutCentre], bits: Mapping[int, int]) -> OtherCentres:
        """Take products about the chosen centres of their factors, in grains of so many bits; nothing else is moved."""
        scales, shared = {each.total: each.product for each in averages}, self.profile.shared
        pairs = ((vector, scales.get(i)) for i, vector in enumerate(shared.plan.vectors))
        vectors = (vector if scale is None else about_factors(vector, scale) for vector, scale in pairs)
        grains = enumerate(shared.profile_bounds.vectors)
        in_bits = (replace(each, value_bits=bits.get(i, each.value_bits)) for i, each in grains)
        bounds = replace(shared.profile_bounds, vectors=tuple(in_bits))
        return OtherCentres(replace(shared.plan, vectors=tuple(vectors)), bounds)


def _vector_profile(
    stored: StoredProfile, index: int, norms: HistogramReading | None, totals: HistogramReading | None
) -> VectorProfile:
    """Profile of one vector from the readings of its histograms; one of them may be absent."""
    vector, plan = stored.compiled.plan.vectors[index], stored.compiled.plan
    is_combined = vector.kind is VectorKind.PERSONS and plan.charged_windows.window_field is not None
    signed_factor = 2.0 if _is_signed(vector) else math.sqrt(2) if plan.keys else 1.0
    sensitivity = signed_factor if plan.charged_windows.is_crossing else 1.0
    counts_groups = vector.kind is VectorKind.PERSONS
    scale = (stored.groups, sensitivity, _is_signed(vector), counts_groups)
    facts = (*scale, is_combined, plan.bins_per_group, plan.has_person_key)
    return _profile_of_readings(norms, totals, *facts)


@lru_cache(maxsize=REMEMBERED_READINGS)
def _profile_of_readings(
    norms: HistogramReading | None, totals: HistogramReading | None, groups: int, sensitivity: float,
    is_signed: bool, counts_groups: bool, is_combined: bool, bins_per_group: int, has_person_key: bool,
) -> VectorProfile:  # fmt: skip
    """Profile of one vector: remembered with what was computed of it, as readings are."""
    if norms is not None and totals is not None and totals.last_visible < 0:
        totals = None  # without a visible bin it would say that the total is 0
    if norms is None:
        norms, totals = totals, totals if groups > 1 else None  # sums of units in one group are norms
    elif counts_groups:
        totals = None if is_combined else replace(norms, points=norms.points**2)
    assert norms is not None  # noqa: S101  a profiled vector has a histogram
    counted = (counts_groups, is_combined, bins_per_group, has_person_key)
    return VectorProfile(norms, totals, groups, sensitivity, is_signed, *counted)


def _largest_contribution(stored: StoredProfile, index: int, catalog: Catalog) -> float:
    """Public largest contribution of a unit, in value grains."""
    bits = stored.compiled.shared.profile_bounds.vectors[index].value_bits
    return _most(stored.compiled.plan, index, stored.groups, catalog) * 2.0**bits


def _most(plan: PrivatePlan, index: int, groups: int, catalog: Catalog) -> float:
    """Public largest contribution of a unit, in the vector's unit: its limit of rows times the largest value."""
    vector = plan.vectors[index]
    if vector.kind is VectorKind.PERSONS:
        return math.sqrt(groups)
    tables = (table for table in catalog.tables if table.name in plan.tables)
    return max((table.max_rows_per_person or 1 for table in tables), default=1) * vector.magnitude


def calibrated_deviations(
    plan: PrivatePlan, histograms: Sequence[ProfileHistogram], calibrated: Mapping[int, ClipErrorModel],
    prices: Sequence[VectorPrice], part: float, catalog: Catalog,
) -> Mapping[int, float]:  # fmt: skip
    """Compute the expected error of profiled vectors that a calibration measured, in their units, by index.

    `part` = share of the profile in the price of the numbers.
    """
    pico_rho = max(1, int(part * sum(each.pico_rho for each in prices) / max(1, len(histograms))))
    sigma = gaussian_scale(1, pico_rho) * (math.sqrt(2) if plan.charged_windows.is_crossing else 1)
    found = {}
    for index, model in calibrated.items():
        vector, groups = plan.vectors[index], max(1, round(model.groups)) if plan.keys else 1
        grain = 2.0 ** -_profile_bits(vector)
        has_totals = len(plan.keys) > 0 and Measure.TOTAL in _measures(vector, plan)
        most = _most(plan, index, groups, catalog) / grain
        expected = ExpectedProfile(sigma, grain, most, groups, has_totals, plan.has_person_key)
        found[index] = calibrated_error(model, expected, max(1, prices[index].pico_rho))
    return found


def with_profile_part(parts: PriceParts, plan: PrivatePlan) -> PriceParts:
    """Add the profile's part to the proportions of a price, as the last one."""
    tenths = PROFILE_TENTHS_GROUPED if plan.keys else PROFILE_TENTHS_TOTAL
    return (*(part * (10 - tenths) for part in parts), sum(parts) * tenths)
