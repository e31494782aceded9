"""Correlated noise: people per group, released as a vector centred at half the number of units, and that number.

A unit with any row adds w_g - 1/2, which is 1/2 or -1/2, to each of the d listed groups of the centred vector y, and 1
to the number of units n. So y moves by exactly sqrt(d) / 2, nothing is clipped, and y_g + n / 2 is the number of people
in group g. Its noise has a part that all groups share; its standard deviation is (sqrt(d) + 1) / 2 times that of a
vector of sensitivity 1, where independent noise needs sqrt(d) times, or the clip bound.

Proof: `proofs.md#correlated-noise`. Source: Lebeda, arXiv 2408.06853, with theta = 1/2.
"""

from __future__ import annotations

import math

from dialect.algebra.release_plan import ClipRule, PrivatePlan, QueryVector, VectorBound, VectorKind

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
