"""Contribution bounding: a clip rule, a clip bound, and the reason, for every query vector.

Proof: `dialect/algebra/proofs.md#bound`. Decided from public facts alone: the plan, the catalog, the number of public
keys. A tuned clip bound, chosen from public calibration, replaces the declared one.

Expected clipping bias follows from the declared share of people within the clip bound. It rests on an observation
shared by many published data sets: per-person contributions are about log-normal, with a standard deviation of the
logarithm near 1.2.

Correlated noise (`proofs.md#correlated-noise`): people per group, released as a vector centred at half the number of
units, and that number. A unit with any row adds w_g - 1/2, which is 1/2 or -1/2, to each of the d listed groups of the
centred vector y, and 1 to the number of units n. So y moves by exactly sqrt(d) / 2, nothing is clipped, and y_g + n / 2
is the number of people in group g. Its noise has a part that all groups share; its standard deviation is
(sqrt(d) + 1) / 2 times that of a vector of sensitivity 1, where independent noise needs sqrt(d) times, or the clip
bound. Source: Lebeda, arXiv 2408.06853, with theta = 1/2.

Terms: a clip bound is the largest L2 norm of one person's numbers over all groups; the L0 bound is the largest number
of groups per person. Numbers are fixed point: a value grain is 2^-value_bits of the value's unit, and a released grain
2^-fraction_bits of a value grain. A clip bound is proved if no person can exceed it, tuned if it was chosen from public
calibration, and declared if the catalog states it. A partial is a person's number in one group. Reasons exist twice:
`key_reason` is part of release keys and never changes its wording, `plain_reason` is shown.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist

from dialect.algebra.properties import Properties
from dialect.algebra.release_plan import (
    MAX_PARTIAL_GRAINS,
    ClipRule,
    ContributionBounds,
    PrivatePlan,
    QueryVector,
    VectorBound,
    VectorKind,
)
from dialect.catalog.model import Catalog
from dialect.sensitivity.clip_bounds import DeclaredClipBounds, declared_max_groups, drops_contributions

ROOT_BITS = 20  # a root that is not a whole number is rounded up to finer grains, which costs less than a millionth


def correlated_noise_factor(key_count: int) -> float:
    """Compute the standard deviation of one number under correlated noise, over that of a vector of sensitivity 1.

    Both at one price. Formula: (sqrt(d) + 1) / 2, with the price split in the ratio sqrt(d) : 1 between y and n.
    Proof: proofs.md#correlated-noise
    """
    return (math.sqrt(key_count) + 1) / 2


def with_correlated_noise(
    plan: PrivatePlan, vector: QueryVector, bound: VectorBound, key_count: int | None
) -> VectorBound:
    """Return the bound for correlated noise where that has less noise than `bound`, else `bound` itself.

    Decided from the plan and the number of listed keys alone. Only for counts of people over public keys; not where
    windows cross, as one window's removal may then replace a person's vector; not where a key separates several
    windows, as each window of a person would then move the groups of all; not where the query limits groups.

    Claim: with one unit more or less, the centred vector moves by at most `sensitivity`, and the number of units by at
    most 1. Symbols: d = `key_count`; h = half a person in grains. Formula: sensitivity = ceil(h sqrt(d)).
    Proof: proofs.md#correlated-noise
    """
    if (
        key_count is None
        or key_count < 2  # a single number has no noise to share
        or plan.key_set is None
        or vector.kind is not VectorKind.PERSONS
        or plan.charged_windows.is_crossing
        or (plan.charged_windows.has_window_key and len(plan.charged_windows.windows) > 1)
        or plan.limits.is_stated
        or correlated_noise_factor(key_count) >= bound.sensitivity * bound.grain_size
    ):
        return bound
    root_bits = 0 if math.isqrt(key_count) ** 2 == key_count else ROOT_BITS
    root = math.isqrt((key_count << 2 * root_bits) - 1) + 1  # rounded up
    reason = f"a person counts at most once in each of {key_count} groups: correlated noise"
    return VectorBound(
        ClipRule.UNCLIPPED,
        math.sqrt(key_count),
        0,
        2 * root,
        root_bits + 1,
        root,
        reason,
        plain_reason=f"not clipped: a person counts at most once in each of {key_count:,} groups; correlated noise",
        is_correlated=True,
    )


LOG_NORMAL_SIGMA = (
    1.2  # standard deviation of ln(contribution): 1.1 to 1.6 in bicycle trips, check-ins and operator records
)


def predicted_bias(unclipped_share: float) -> float:
    """Predict the relative clipping bias of a total whose contributions are clipped at the `unclipped_share` quantile.

    Claim: for log-normal contributions X with sd(ln X) = s and P[X <= C] = `unclipped_share`, clipping at C changes the
    total by the returned share, which is never positive. A prediction, not a bound: other distributions lose other
    shares.

    Formula: -(Phi(s - z) - exp(z s - s^2 / 2) Phi(-z)), z = Phi^-1(unclipped_share), s = 1.2.
    Raises: ValueError unless 0 < unclipped_share < 1. Proof: proofs.md#predicted-bias
    """
    if not 0 < unclipped_share < 1:
        raise ValueError(f"covers must lie between 0 and 1, not {unclipped_share!r}")
    normal = NormalDist()
    z = normal.inv_cdf(unclipped_share)
    return -max(
        0.0,
        normal.cdf(LOG_NORMAL_SIGMA - z) - math.exp(z * LOG_NORMAL_SIGMA - LOG_NORMAL_SIGMA**2 / 2) * normal.cdf(-z),
    )


@dataclass(frozen=True)
class TunedClipBound:
    """Tuned clip bound of one vector. Privacy holds for any value; a good one has little clipping bias."""

    clip_bound: float  # L2, in the vector's unit
    predicted_bias: float | None  # expected relative clipping bias of a total, at most 0; None: unknown
    key_reason: str  # what it was tuned on, and for which target
    retained_share: float = 1.0  # expected share after clipping; released numbers are divided by it
    residual_bias_bound: float | None = None  # bound on the clipping bias in 19 of 20 groups, as in VectorBound


MAX_CLIP_BOUND_BITS = 27  # clip bounds stay below 2^27 grains, so that squares of clipped sums fit 64 bits
MAX_GRAIN_BITS = 60  # grains are between 2^-60 and 2^60
MIN_SCALED_BITS = 20  # a scaled clip bound has at least 2^20 released grains: truncation costs a millionth


def bound_contributions(
    plan: PrivatePlan,
    catalog: Catalog,
    key_count: int | None,
    tuned: Sequence[TunedClipBound | None] = (),
    properties: Properties | None = None,
    *,
    reads_single_groups: bool = False,
) -> ContributionBounds:
    """Choose the clip rule and clip bound of every vector of a plan, and the L0 bound of the plan.

    `key_count` is the number of public keys, None if it is unknown. `tuned` has a tuned clip bound per vector, None
    where the declared one applies; empty means no vector is tuned. First each vector is bounded alone, then scaled with
    its scale group, then bounded under replacement if the plan crosses privacy windows. The bias is unknown if stated
    limits drop contributions. `properties` are those of the compilation, by default new ones.
    `reads_single_groups`: no number of the outer query reads several groups, so that noise may be correlated between
    groups where each then has less.
    """
    max_groups = _max_groups(plan, catalog, key_count)
    declared = DeclaredClipBounds(plan, catalog, properties or Properties())
    tuned_bounds = tuned or (None,) * len(plan.vectors)
    vectors_and_bounds = zip(plan.vectors, tuned_bounds, strict=True)
    per_window_bounds = _share_scale_rule(
        plan,
        [
            _bound_vector(plan, vector, declared, key_count, max_groups, tuned_bound)
            for vector, tuned_bound in vectors_and_bounds
        ],
    )
    vectors_and_clips = zip(plan.vectors, per_window_bounds, strict=True)
    replacement_bounds = (
        [_under_replacement(plan, vector, bound) for vector, bound in vectors_and_clips]
        if plan.charged_windows.is_crossing
        else per_window_bounds
    )
    with_known_bias = (
        [replace(each, predicted_bias=None) for each in replacement_bounds]
        if drops_contributions(plan, key_count)
        else replacement_bounds
    )
    if reads_single_groups:
        pairs = zip(plan.vectors, with_known_bias, strict=True)
        with_known_bias = [with_correlated_noise(plan, vector, bound, key_count) for vector, bound in pairs]
    return ContributionBounds(tuple(with_known_bias), max_groups)


def _max_groups(plan: PrivatePlan, catalog: Catalog, key_count: int | None) -> int | None:
    """Choose the L0 bound, stated or declared; None if a person cannot be in more groups by construction.

    If the number of keys is unknown, as for released keys, a stated bound always applies. With private keys there is
    always a bound, as every key is released that reaches the threshold; a stated row limit bounds it too.
    """
    stated = min((n for n in (plan.limits.max_groups, plan.limits.max_rows) if n is not None), default=None)
    if plan.key_set is None:
        return 1 if plan.is_single else declared_max_groups(plan, catalog) if stated is None else stated
    stated = plan.limits.max_groups
    return None if plan.is_single or stated is None or (key_count is not None and stated >= key_count) else stated


def _bound_vector(
    plan: PrivatePlan,
    vector: QueryVector,
    declared: DeclaredClipBounds,
    key_count: int | None,
    max_groups: int | None,
    tuned: TunedClipBound | None,
) -> VectorBound:
    """Choose the rule of one vector: unclipped if a bound is proved below the clip bound, otherwise clipped.

    Three kinds of vectors have rules of their own: the count of persons for partition selection, COUNT(DISTINCT), and
    vectors with stated bounds of a person's number per group.
    """
    if plan.key_set is None and max_groups is not None and vector.is_selection_vector:
        return _bound_selection_vector(max_groups)
    if vector.kind is VectorKind.DISTINCT:
        return _bound_distinct_values(plan, vector, declared, key_count, max_groups)
    # the tuned bound, else the declared one within stated limits
    clip_bound = declared.within_limits(vector) if tuned is None else tuned.clip_bound
    if vector.partial_bounds is not None:
        return _bound_clamped_partials(plan, vector, clip_bound, key_count if max_groups is None else max_groups)
    proved, reason = _proved_norm(plan, vector, key_count if max_groups is None else max_groups)
    # int: groups with at most 1 in each; float: an L2 norm of rows
    if isinstance(proved, int) and math.sqrt(proved) <= clip_bound:
        return _bound_unit_per_group(ClipRule.UNCLIPPED, proved, reason)
    if isinstance(proved, float) and proved <= clip_bound:
        return _unclipped_rows(vector, 1 if plan.has_one_row_per_person else plan.limits.max_rows or 1, reason)
    return _clip(
        plan, vector, clip_bound, _declared_bias(vector, declared) if tuned is None else tuned.predicted_bias, tuned
    )


def _bound_selection_vector(max_groups: int) -> VectorBound:
    """Bound the count of persons for partition selection: a person in k groups adds 1 / sqrt(k) to each.

    So the L2 norm of every person is at most 1, and no clip bound has to be declared.
    """
    if max_groups == 1:
        return _bound_unit_per_group(
            ClipRule.TRUNCATE, 1, "keys are private: one unit in at most 1 group, chosen by hash"
        )
    reason = f"keys are private: a person weighs 1 / sqrt(k) in each of k groups, at most {max_groups}, chosen by hash"
    plain = f"private keys: a person in k groups counts 1/sqrt(k) in each, in at most {max_groups} groups"
    return VectorBound(
        ClipRule.SCALE,
        1.0,
        0,
        1 << MIN_SCALED_BITS,
        MIN_SCALED_BITS,
        1 << MIN_SCALED_BITS,
        reason,
        None,
        plain_reason=plain,
    )


def _declared_bias(vector: QueryVector, declared: DeclaredClipBounds) -> float | None:
    """Predict the clipping bias under a declared clip bound; None if nothing is declared.

    None too if the joins of the plan multiply a person's rows, which declared clip bounds do not account for.
    """
    unclipped_share = None if declared.has_multiplied_rows else declared.unclipped_share(vector)
    return None if unclipped_share is None else predicted_bias(unclipped_share)


def _clip(
    plan: PrivatePlan, vector: QueryVector, clip_bound: float, bias: float | None, tuned: TunedClipBound | None
) -> VectorBound:
    """Clip to a bound that nothing proves: clamp the one number of a person, or scale all of them.

    `bias` is the expected clipping bias. `tuned` gives the reason and the bias correction; None for a declared bound.
    """
    source = "" if tuned is None else f", {tuned.key_reason}"
    rule = ClipRule.SCALE
    reason = f"each person's numbers over all groups are scaled to a norm of {clip_bound:g}{source}"
    plain = f"clipped at {clip_bound:g} per person over all groups (L2){source}"
    if plan.is_single:
        rule, reason = ClipRule.CLAMP, f"a person has one number here, clamped to {clip_bound:g}{source}"
        plain = f"clipped at {clip_bound:g} per person, who has one number here{source}"
    made = replace(_clip_to(rule, vector, clip_bound, reason), predicted_bias=bias, plain_reason=plain)
    return _bias_corrected(made, tuned)


def _bias_corrected(bound: VectorBound, tuned: TunedClipBound | VectorBound | None) -> VectorBound:
    """Copy the retained share and the residual bias of a tuned clip bound, which correct the released numbers."""
    if tuned is None:
        return bound
    return replace(bound, retained_share=tuned.retained_share, residual_bias_bound=tuned.residual_bias_bound)


def _under_replacement(plan: PrivatePlan, vector: QueryVector, bound: VectorBound) -> VectorBound:
    """Compute the sensitivity under replacement, for plans that cross privacy windows.

    Removing one person's rows of a window may replace the person's bounded vector by another one. Two vectors within a
    clip bound C are at most 2 C apart if they have signs, sqrt(2) C if no number is negative, and C if there is also a
    single number.
    """
    if not _is_non_negative(vector):
        reason = (
            f"{bound.key_reason}; windows cross, so one vector of a person may stand for another: twice that,"
            " as it is signed"
        )
        plain = f"{bound.reason}; windows cross: sensitivity of replacing a person's vector, 2 times, as it is signed"
        return replace(bound, sensitivity=2 * bound.sensitivity, key_reason=reason, plain_reason=plain)
    if not plan.keys:
        reason = (
            f"{bound.key_reason}; windows cross, and one number of a person that is never below 0 may stand for another"
        )
        plain = f"{bound.reason}; windows cross: sensitivity of replacing a person's number, never below 0"
        return replace(bound, key_reason=reason, plain_reason=plain)
    extra_bits = max(0, MIN_SCALED_BITS + 1 - bound.sensitivity.bit_length())  # makes rounding up the root negligible
    squared = 2 * (bound.sensitivity << extra_bits) ** 2
    reason = (
        f"{bound.key_reason}; windows cross, so one vector of a person may stand for another: the root of 2 times that"
    )
    return replace(
        bound,
        clip_bound_grains=bound.clip_bound_grains << extra_bits,
        fraction_bits=bound.fraction_bits + extra_bits,
        sensitivity=math.isqrt(squared - 1) + 1,
        key_reason=reason,
        plain_reason=f"{bound.reason}; windows cross: sensitivity of replacing a person's vector, sqrt(2) times",
    )


def _is_non_negative(vector: QueryVector) -> bool:
    """Return whether no number of a person is negative, after centring.

    Counts never are, nor are squares of one centred value; sums are if the lower end of the clamping range is at least
    the centre.
    """
    if not vector.is_sum:
        return True
    if vector.partial_bounds is not None:
        return vector.partial_bounds.lower >= 0
    factor = vector.factor
    if factor is not None:  # a product of a value with itself is never negative, unless a number is subtracted
        if vector.offset:
            return False
        same = (vector.value, vector.lower, vector.upper, vector.centre)
        return (factor.value, factor.lower, factor.upper, factor.centre) == same
    return vector.lower >= vector.centre


def _proved_norm(plan: PrivatePlan, vector: QueryVector, groups: int | None) -> tuple[float | int | None, str]:
    """Prove a clip bound that no person exceeds, so that nothing needs clipping.

    Returns (bound, reason). The bound is a float, the L2 norm itself; or an int, the number of groups with at most 1 in
    each; or None if nothing is proved. The kinds differ because the int is compared by its square root. `groups` is the
    L0 bound or the number of keys, None if unknown.
    """
    if groups is not None and plan.limits.max_rows is not None:
        groups = min(groups, plan.limits.max_rows)  # a row is in one group
    if vector.kind is VectorKind.PERSONS:
        if plan.is_single:
            return 1, "a person counts once, in one group"
        return groups, f"a person counts once in each of {groups} groups"
    if plan.limits.max_rows is not None and not plan.has_one_row_per_person:
        rows = plan.limits.max_rows
        return rows * vector.magnitude, f"at most {rows:,} rows of a person are kept, as the question says"
    if not plan.has_one_row_per_person:
        return None, ""
    return vector.magnitude, "a person has one row, and its value is clamped to the declared range"


def choose_value_bits(vector: QueryVector, clip_bound: float) -> int:
    """Choose the grain 2^-bits of a vector: the clip bound has at most 2^27 grains, and integers whole grains.

    The magnitude of a row counts as well as the clip bound, as single values are held in grains before they are
    clipped.
    """
    if not vector.is_sum:
        return 0
    largest = clip_bound if vector.partial_bounds is not None else max(clip_bound, vector.magnitude)
    bits = MAX_CLIP_BOUND_BITS - math.ceil(math.log2(largest))
    return max(-MAX_GRAIN_BITS, min(bits, 0 if vector.is_integer else MAX_GRAIN_BITS))


def finest_value_bits(vector: QueryVector) -> int:
    """Return the most value bits of a vector over all clip bounds and centres that may be chosen."""
    centred = vector
    if vector.kind in (VectorKind.CENTRED, VectorKind.PRODUCT):
        centred = replace(vector, centre=(vector.lower + vector.upper) / 2)
    if vector.factor is not None:
        middle = (vector.factor.lower + vector.factor.upper) / 2
        centred = replace(centred, factor=replace(vector.factor, centre=middle))
    return choose_value_bits(centred, 0.0)


def _unclipped_rows(vector: QueryVector, rows: int, reason: str) -> VectorBound:
    """Bound a limited number of rows by the product with one row's magnitude, each row rounded up to whole grains."""
    limit = rows * vector.magnitude
    bits = choose_value_bits(vector, limit)
    grains = rows * math.ceil(vector.magnitude * 2.0**bits)
    return VectorBound(ClipRule.UNCLIPPED, limit, bits, grains, 0, grains, reason)


def _bound_clamped_partials(
    plan: PrivatePlan, vector: QueryVector, clip_bound: float, groups: int | None
) -> VectorBound:
    """Bound a vector whose partials are clamped to stated bounds: by the number of groups, or by scaling.

    With at most g groups the norm is at most sqrt(g) times the largest partial. The partials are scaled, too, if this
    exceeds the clip bound or if g is unknown. Without keys there is one group, even if there is nothing to count.
    """
    assert vector.partial_bounds is not None  # noqa: S101  the caller checks
    groups = 1 if plan.is_single or groups == 0 else groups
    max_partial = max(abs(vector.partial_bounds.lower), abs(vector.partial_bounds.upper))
    needs_scaling = groups is None or max_partial * math.sqrt(groups) > clip_bound
    limit = clip_bound if groups is None or needs_scaling else max_partial * math.sqrt(groups)
    bits = choose_value_bits(vector, limit)
    low, high = (end * 2.0**-bits for end in vector.partial_bounds_in_grains(bits))
    reason = f"one person's number in a group is kept in [{low:g}, {high:g}]"
    if groups is None or needs_scaling:
        scaled_bound = _clip_to(
            ClipRule.SCALE, vector, clip_bound, f"{reason}, and all of them are scaled to a norm of {clip_bound:g}"
        )
        plain = (
            f"one person's number in a group is clamped to [{low:g}, {high:g}],"
            f" all of them clipped at {clip_bound:g} (L2)"
        )
        return replace(scaled_bound, predicted_bias=None, plain_reason=plain)
    max_partial, grains = max(abs(low), abs(high)), math.ceil(max_partial * 2.0**bits)
    squared = groups * grains * grains
    root = math.isqrt(squared - 1) + 1  # rounded up
    return VectorBound(
        ClipRule.UNCLIPPED,
        max_partial * math.sqrt(groups),
        bits,
        root,
        0,
        root,
        f"{reason}, in at most {groups} groups",
        None,
    )


def _bound_distinct_values(
    plan: PrivatePlan, vector: QueryVector, declared: DeclaredClipBounds, key_count: int | None, max_groups: int | None
) -> VectorBound:
    """Bound a COUNT(DISTINCT): at most m values in each of at most L0 groups, so a person moves each count by <= m.

    `key_count` is the number of public keys, `max_groups` the L0 bound of the plan; None if unknown or not needed. The
    bias is 0 for one row per person, of which nothing is dropped; else unknown.
    """
    groups = _max_groups_of_distinct(plan, vector, declared, key_count, max_groups)
    values = _max_values_per_group(plan, vector, declared, groups)
    squared = groups * values * values
    if plan.limits.max_rows is not None:
        squared = min(squared, plan.limits.max_rows**2)  # a row has one value in one group
    where = f" in each of at most {groups:,} groups" if groups > 1 else ""
    reason = f"at most {values:,} different values of a person count{where}, chosen by hash"
    bias = 0.0 if plan.has_one_row_per_person else None
    return replace(
        _bound_unit_per_group(ClipRule.TRUNCATE, squared, reason), predicted_bias=bias, max_groups=groups,
        max_values=values
    )  # fmt: skip


def _max_groups_of_distinct(
    plan: PrivatePlan, vector: QueryVector, declared: DeclaredClipBounds, key_count: int | None, max_groups: int | None
) -> int:
    """Choose the L0 bound of a COUNT(DISTINCT): stated, else from the declared clip bound of group memberships.

    A person in g groups has a norm of sqrt(g) there, so g is its square; there are no more groups than keys.
    """
    if plan.is_single:
        return 1
    if max_groups is not None:
        return max_groups
    persons = declared.within_limits(replace(vector, kind=VectorKind.PERSONS, partial_bounds=None))
    groups = max(1, round(persons * persons))
    return groups if key_count is None else max(1, min(groups, key_count))


def _max_values_per_group(plan: PrivatePlan, vector: QueryVector, declared: DeclaredClipBounds, groups: int) -> int:
    """Choose m, the values per group: as stated, else from the declared clip bound of rows over the groups.

    With C rows (L2) spread evenly over g groups, a person has C / sqrt(g) rows in each.
    """
    if plan.has_one_row_per_person or vector.is_constant_per_person:
        return 1
    if vector.partial_bounds is not None:
        return max(1, int(vector.partial_bounds.upper))
    rows = plan.limits.max_rows
    if rows is not None:
        return rows
    row_bound = declared.within_limits(replace(vector, kind=VectorKind.ROWS, partial_bounds=None))
    return max(1, math.ceil(row_bound / math.sqrt(groups)))


def _bound_unit_per_group(rule: ClipRule, groups: int, reason: str) -> VectorBound:
    """Bound 1 per group in `groups` groups: the clip bound is sqrt(groups), rounded up to released grains.

    A square root that is not a whole number gets enough fraction bits that rounding it up costs less than a millionth.
    """
    root = math.isqrt(groups)
    fraction_bits = 0 if root * root == groups else max(0, MIN_SCALED_BITS - (root.bit_length() - 1))
    grains = math.isqrt((groups << 2 * fraction_bits) - 1) + 1 if groups > 0 else 1
    return VectorBound(rule, max(1.0, math.sqrt(groups)), 0, grains, fraction_bits, grains, reason)


def _clip_to(rule: ClipRule, vector: QueryVector, clip_bound: float, reason: str) -> VectorBound:
    """Clip to a bound by a rule; one that is not a whole number of value grains gets finer released grains.

    Scaled numbers always do, as scaling makes them fractions.
    """
    bits = choose_value_bits(vector, clip_bound)
    exact = clip_bound * 2.0**bits  # exact: a power of two
    whole_grains = min(max(1, math.floor(exact)), MAX_PARTIAL_GRAINS)
    needs_fraction = rule is ClipRule.SCALE or not exact.is_integer()
    fraction_bits = max(0, MIN_SCALED_BITS - whole_grains.bit_length() + 1) if needs_fraction else 0
    released = max(1, min(math.floor(exact * 2.0**fraction_bits), MAX_PARTIAL_GRAINS << fraction_bits))
    return VectorBound(rule, clip_bound, bits, released, fraction_bits, released, reason)


def _share_scale_rule(plan: PrivatePlan, bounds: list[VectorBound]) -> list[VectorBound]:
    """Use the scale rule for all vectors that share a factor, unless none of them is ever clipped.

    A mean divides a sum by a count: clipping only one of them would change it. `bounds` has one bound per vector.
    """
    result = list(bounds)
    for group in {vector.scale_group for vector in plan.vectors}:
        members = [i for i, vector in enumerate(plan.vectors) if vector.scale_group == group]
        if len(members) == 1 or all(result[i].rule is ClipRule.UNCLIPPED for i in members):
            continue
        for i in members:
            if result[i].rule is not ClipRule.SCALE:
                clip_bound = result[i].clip_bound
                reason = f"{result[i].key_reason}; one factor per person for all parts of the mean"
                bias = result[i].predicted_bias
                plain = f"{result[i].reason}; one factor per person for all parts of the mean"
                clipped = replace(
                    _clip_to(ClipRule.SCALE, plan.vectors[i], clip_bound, reason),
                    predicted_bias=bias,
                    plain_reason=plain,
                )
                result[i] = _bias_corrected(clipped, result[i])
    return result
