"""Contribution bounding: a clip rule, a clip bound, and the reason, for every query vector.

Proof: `dialect/algebra/proofs.md#bound`. Decided from public facts alone: the plan, the catalog, the number of public
keys. A tuned clip bound, chosen from public calibration, replaces the declared one.

Expected clipping bias follows from the declared share of people within the clip bound. It rests on an observation
shared by many published data sets: per-person contributions are about log-normal, with a standard deviation of the
logarithm near 1.2.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist

from dialect.algebra.release_plan import LARGEST_PART, Bounding, PrivatePlan, Rule, Vector, VectorBound, VectorKind
from dialect.analysis.uniqueness import multiplies, spreads
from dialect.catalog.model import Catalog
from dialect.sensitivity.norms import declared_cover, declared_max_groups, is_single, leaves_out, limited_norm

SPREAD = 1.2  # standard deviation of ln(contribution): 1.1 to 1.6 in bicycle trips, check-ins and operator records


def predicted_bias(covers: float) -> float:
    """Predict the relative clipping bias of a total whose contributions are clipped at the `unclipped_share` quantile.

    Claim: for log-normal contributions X with sd(ln X) = s and P[X <= C] = `unclipped_share`, clipping at C changes the
    total by the returned share, which is never positive. A prediction, not a bound: other distributions lose other
    shares.
    Formula: -(Phi(s - z) - exp(z s - s^2 / 2) Phi(-z)), z = Phi^-1(covers), s = 1.2.
    Raises: ValueError unless 0 < covers < 1. Proof: proofs.md#predicted-bias
    """
    if not 0 < covers < 1:
        raise ValueError(f"covers must lie between 0 and 1, not {covers!r}")
    normal = NormalDist()
    z = normal.inv_cdf(covers)
    return -max(0.0, normal.cdf(SPREAD - z) - math.exp(z * SPREAD - SPREAD**2 / 2) * normal.cdf(-z))


@dataclass(frozen=True)
class ChosenNorm:
    """Tuned clip bound of one vector. Privacy holds for any value; a good one has little clipping bias."""

    norm: float  # L2, in the vector's unit
    predicted_bias: float | None  # expected relative clipping bias of a total, at most 0; None: unknown
    why: str  # what it was tuned on, and for which target
    kept: float = 1.0  # expected share after clipping; released numbers are divided by it
    bias_within: float | None = None  # bound on the clipping bias in 19 of 20 groups, as in VectorBound


LARGEST_NORM_BITS = 27  # clip bounds stay below 2^27 grains, so that squares of clipped sums fit 64 bits
_MOST_BITS = 60  # grains are between 2^-60 and 2^60
SCALED_BITS = 20  # a scaled clip bound has at least 2^20 released grains: truncation costs a millionth


def bound(
    plan: PrivatePlan, catalog: Catalog, key_count: int | None, chosen: Sequence[ChosenNorm | None] = ()
) -> Bounding:
    """Choose the clip rule and clip bound of every vector of a plan; `tuned` tuned bounds replace declared ones."""
    max_groups = _max_groups(plan, catalog, key_count)
    norms = chosen or (None,) * len(plan.vectors)
    pairs_of_norms = zip(plan.vectors, norms, strict=True)
    alone = _alike(plan, [_one(plan, vector, catalog, key_count, max_groups, norm) for vector, norm in pairs_of_norms])
    pairs = zip(plan.vectors, alone, strict=True)
    crossed = [_replaced(plan, vector, bound) for vector, bound in pairs] if plan.touched.crossing else alone
    told = [replace(each, predicted_bias=None) for each in crossed] if leaves_out(plan, key_count) else crossed
    return Bounding(tuple(told), max_groups)


def _max_groups(plan: PrivatePlan, catalog: Catalog, key_count: int | None) -> int | None:
    """Choose the L0 bound, stated or declared; None if a person cannot be in more groups by construction.

    If the number of keys is unknown, as for released keys, a stated bound always applies.
    """
    asked = min((n for n in (plan.limits.max_groups, plan.limits.max_rows) if n is not None), default=None)
    if plan.key_set is None:
        return 1 if is_single(plan) else declared_max_groups(plan, catalog) if asked is None else asked
    asked = plan.limits.max_groups
    return None if is_single(plan) or asked is None or (key_count is not None and asked >= key_count) else asked


def _one(
    plan: PrivatePlan,
    vector: Vector,
    catalog: Catalog,
    key_count: int | None,
    max_groups: int | None,
    chosen: ChosenNorm | None,
) -> VectorBound:
    if plan.key_set is None and max_groups is not None and vector.decides_keys:
        return _weighed(max_groups)
    if vector.kind is VectorKind.DISTINCT:
        return _of_values(plan, vector, catalog, key_count, max_groups)
    norm = limited_norm(plan, vector, catalog) if chosen is None else chosen.norm
    if vector.part is not None:
        return _of_parts(plan, vector, norm, key_count if max_groups is None else max_groups)
    proved, reason = _proved(plan, vector, key_count if max_groups is None else max_groups)
    if isinstance(proved, int) and math.sqrt(proved) <= norm:
        return _in_groups(Rule.WITHIN, proved, reason)
    if isinstance(proved, float) and proved <= norm:
        return _within(vector, 1 if plan.one_row_per_person else plan.limits.max_rows or 1, reason)
    return _cut(
        plan, vector, norm, _declared_bias(plan, vector, catalog) if chosen is None else chosen.predicted_bias, chosen
    )


def _weighed(max_groups: int) -> VectorBound:
    """Bound the count of persons for partition selection: a person in k groups adds 1 / sqrt(k) to each."""
    if max_groups == 1:
        return _in_groups(Rule.CHOOSE, 1, "keys are private: one unit in at most 1 group, chosen by hash")
    why = f"keys are private: a person weighs 1 / sqrt(k) in each of k groups, at most {max_groups}, chosen by hash"
    plain = f"private keys: a person in k groups counts 1/sqrt(k) in each, in at most {max_groups} groups"
    return VectorBound(Rule.SCALE, 1.0, 0, 1 << SCALED_BITS, SCALED_BITS, 1 << SCALED_BITS, why, None, plain_why=plain)


def _declared_bias(plan: PrivatePlan, vector: Vector, catalog: Catalog) -> float | None:
    covers = None if multiplies(plan.source) or spreads(plan.source) else declared_cover(plan, vector, catalog)
    return None if covers is None else predicted_bias(covers)


def _cut(plan: PrivatePlan, vector: Vector, norm: float, bias: float | None, chosen: ChosenNorm | None) -> VectorBound:
    """Clip to a bound that nothing proves: clamp the one number of a person, or scale all of them."""
    source = "" if chosen is None else f", {chosen.why}"
    rule, why = Rule.SCALE, f"each person's numbers over all groups are scaled to a norm of {norm:g}{source}"
    plain = f"clipped at {norm:g} per person over all groups (L2){source}"
    if is_single(plan):
        rule, why = Rule.CLAMP, f"a person has one number here, clamped to {norm:g}{source}"
        plain = f"clipped at {norm:g} per person, who has one number here{source}"
    made = replace(_limited(rule, vector, norm, why), predicted_bias=bias, plain_why=plain)
    return _given_back(made, chosen)


def _given_back(bound: VectorBound, chosen: ChosenNorm | VectorBound | None) -> VectorBound:
    return bound if chosen is None else replace(bound, kept=chosen.kept, bias_within=chosen.bias_within)


def _replaced(plan: PrivatePlan, vector: Vector, bound: VectorBound) -> VectorBound:
    """Compute the sensitivity under replacement, for plans that cross privacy windows.

    Removing one person's rows of a window may replace the person's bounded vector by another one.
    """
    if not _never_negative(vector):
        why = (
            f"{bound.why}; windows cross, so one vector of a person may stand for another: twice that, as it is signed"
        )
        plain = f"{bound.reason}; windows cross: sensitivity of replacing a person's vector, 2 times, as it is signed"
        return replace(bound, sensitivity=2 * bound.sensitivity, why=why, plain_why=plain)
    if not plan.keys:
        why = f"{bound.why}; windows cross, and one number of a person that is never below 0 may stand for another"
        plain = f"{bound.reason}; windows cross: sensitivity of replacing a person's number, never below 0"
        return replace(bound, why=why, plain_why=plain)
    finer = max(0, SCALED_BITS + 1 - bound.sensitivity.bit_length())  # makes rounding up the root negligible
    squared = 2 * (bound.sensitivity << finer) ** 2
    why = f"{bound.why}; windows cross, so one vector of a person may stand for another: the root of 2 times that"
    return replace(
        bound,
        norm_grains=bound.norm_grains << finer,
        fraction_bits=bound.fraction_bits + finer,
        sensitivity=math.isqrt(squared - 1) + 1,
        why=why,
        plain_why=f"{bound.reason}; windows cross: sensitivity of replacing a person's vector, sqrt(2) times",
    )


def _never_negative(vector: Vector) -> bool:
    """Return whether no number of a person is negative, after centring."""
    if not vector.summed:
        return True
    if vector.part is not None:
        return vector.part.lower >= 0
    factor = vector.factor
    if factor is not None:  # a product of a value with itself is never negative
        same = (vector.value, vector.lower, vector.upper, vector.centre)
        return (factor.value, factor.lower, factor.upper, factor.centre) == same
    return vector.lower >= vector.centre


def _proved(plan: PrivatePlan, vector: Vector, groups: int | None) -> tuple[float | int | None, str]:
    """Prove a bound on a person's L2 norm that needs no clipping.

    Returns a norm as a float, or as an int the number of groups with at most 1 in each; None if nothing is proved. With
    it, the reason.
    """
    if groups is not None and plan.limits.max_rows is not None:
        groups = min(groups, plan.limits.max_rows)  # a row is in one group
    if vector.kind is VectorKind.PERSONS:
        if is_single(plan):
            return 1, "a person counts once, in one group"
        return groups, f"a person counts once in each of {groups} groups"
    if plan.limits.max_rows is not None and not plan.one_row_per_person:
        rows = plan.limits.max_rows
        return rows * vector.magnitude, f"at most {rows:,} rows of a person are kept, as the question says"
    if not plan.one_row_per_person:
        return None, ""
    return vector.magnitude, "a person has one row, and its value is clamped to the declared range"


def value_bits(vector: Vector, norm: float) -> int:
    """Choose the grain 2^-bits of a vector: the clip bound has at most 2^27 grains, and integers whole grains."""
    if not vector.summed:
        return 0
    largest = norm if vector.part is not None else max(norm, vector.magnitude)
    bits = LARGEST_NORM_BITS - math.ceil(math.log2(largest))
    return max(-_MOST_BITS, min(bits, 0 if vector.whole else _MOST_BITS))


def _within(vector: Vector, rows: int, why: str) -> VectorBound:
    """Bound a limited number of rows by the product with one row's magnitude, each row rounded to whole grains."""
    limit = rows * vector.magnitude
    bits = value_bits(vector, limit)
    grains = rows * math.ceil(vector.magnitude * 2.0**bits)
    return VectorBound(Rule.WITHIN, limit, bits, grains, 0, grains, why)


def _of_parts(plan: PrivatePlan, vector: Vector, norm: float, groups: int | None) -> VectorBound:
    """Bound a vector whose numbers are clamped per group: by the number of groups, or by scaling."""
    assert vector.part is not None  # noqa: S101  the caller checks
    groups = 1 if is_single(plan) or groups == 0 else groups
    most = max(abs(vector.part.lower), abs(vector.part.upper))
    scaled = groups is None or most * math.sqrt(groups) > norm
    limit = norm if groups is None or scaled else most * math.sqrt(groups)
    bits = value_bits(vector, limit)
    low, high = (end * 2.0**-bits for end in vector.part_in_grains(bits))
    why = f"one person's number in a group is kept in [{low:g}, {high:g}]"
    if groups is None or scaled:
        made = _limited(Rule.SCALE, vector, norm, f"{why}, and all of them are scaled to a norm of {norm:g}")
        plain = (
            f"one person's number in a group is clamped to [{low:g}, {high:g}], all of them clipped at {norm:g} (L2)"
        )
        return replace(made, predicted_bias=None, plain_why=plain)
    most, grains = max(abs(low), abs(high)), math.ceil(most * 2.0**bits)
    squared = groups * grains * grains
    root = math.isqrt(squared - 1) + 1  # rounded up
    return VectorBound(
        Rule.WITHIN, most * math.sqrt(groups), bits, root, 0, root, f"{why}, in at most {groups} groups", None
    )


def _of_values(
    plan: PrivatePlan, vector: Vector, catalog: Catalog, key_count: int | None, max_groups: int | None
) -> VectorBound:
    """Bound a COUNT(DISTINCT): at most m values in each of at most L0 groups, so a person moves each count by <= m."""
    groups = _groups_of_values(plan, vector, catalog, key_count, max_groups)
    values = _values_in_a_group(plan, vector, catalog, groups)
    squared = groups * values * values
    if plan.limits.max_rows is not None:
        squared = min(squared, plan.limits.max_rows**2)  # a row has one value in one group
    why = f"at most {values:,} different values of a person count in each of at most {groups:,} groups, chosen by hash"
    bias = 0.0 if plan.one_row_per_person else None
    return replace(
        _in_groups(Rule.CHOOSE, squared, why), predicted_bias=bias, max_groups=groups, max_values=values
    )  # fmt: skip


def _groups_of_values(
    plan: PrivatePlan, vector: Vector, catalog: Catalog, key_count: int | None, max_groups: int | None
) -> int:
    if is_single(plan):
        return 1
    if max_groups is not None:
        return max_groups
    persons = limited_norm(plan, replace(vector, kind=VectorKind.PERSONS, part=None), catalog)
    usual = max(1, round(persons * persons))
    return usual if key_count is None else max(1, min(usual, key_count))


def _values_in_a_group(plan: PrivatePlan, vector: Vector, catalog: Catalog, groups: int) -> int:
    """Choose m, the values per group: as stated, else from the declared clip bound of rows over the groups."""
    if plan.one_row_per_person or vector.of_person:
        return 1
    if vector.part is not None:
        return max(1, int(vector.part.upper))
    rows = plan.limits.max_rows
    if rows is not None:
        return rows
    norm = limited_norm(plan, replace(vector, kind=VectorKind.ROWS, part=None), catalog)
    return max(1, math.ceil(norm / math.sqrt(groups)))


def _in_groups(rule: Rule, groups: int, why: str) -> VectorBound:
    """Bound 1 per group in `groups` groups: the clip bound is sqrt(groups), rounded up in its last released place."""
    root = math.isqrt(groups)
    fraction = 0 if root * root == groups else max(0, SCALED_BITS - (root.bit_length() - 1))
    grains = math.isqrt((groups << 2 * fraction) - 1) + 1 if groups > 0 else 1
    return VectorBound(rule, max(1.0, math.sqrt(groups)), 0, grains, fraction, grains, why)


def _limited(rule: Rule, vector: Vector, norm: float, why: str) -> VectorBound:
    """Clip to a bound; a small one that is not a whole number of value grains gets finer released grains."""
    bits = value_bits(vector, norm)
    exact = norm * 2.0**bits  # exact: a power of two
    whole = min(max(1, math.floor(exact)), LARGEST_PART)
    finer = rule is Rule.SCALE or not exact.is_integer()
    fraction = max(0, SCALED_BITS - whole.bit_length() + 1) if finer else 0
    released = max(1, min(math.floor(exact * 2.0**fraction), LARGEST_PART << fraction))
    return VectorBound(rule, norm, bits, released, fraction, released, why)


def _alike(plan: PrivatePlan, bounds: list[VectorBound]) -> list[VectorBound]:
    """Use the scale rule for vectors that share a factor, unless none of them is ever clipped."""
    made = list(bounds)
    for group in {vector.scale_group for vector in plan.vectors}:
        members = [i for i, vector in enumerate(plan.vectors) if vector.scale_group == group]
        if len(members) == 1 or all(made[i].rule is Rule.WITHIN for i in members):
            continue
        for i in members:
            if made[i].rule is not Rule.SCALE:
                norm = made[i].norm
                why = f"{made[i].why}; one factor per person for all parts of the mean"
                bias = made[i].predicted_bias
                plain = f"{made[i].reason}; one factor per person for all parts of the mean"
                cut = replace(_limited(Rule.SCALE, plan.vectors[i], norm, why), predicted_bias=bias, plain_why=plain)
                made[i] = _given_back(cut, made[i])
    return made
