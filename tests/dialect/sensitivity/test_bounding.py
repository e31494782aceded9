"""One clip rule and one clip bound for every query vector, from public facts alone."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialect.algebra.release_plan import ClipRule, PrivatePlan, QueryVector, VectorKind
from dialect.catalog.model import Catalog
from dialect.sensitivity.bounding import TunedClipBound, bound_contributions, choose_value_bits

Plans = Callable[[str], PrivatePlan]

RULES = {
    "SELECT COUNT(*) FROM subscribers": [(ClipRule.UNCLIPPED, 1.0)],
    "SELECT COUNT(DISTINCT subscriber_id) FROM events": [(ClipRule.UNCLIPPED, 1.0)],
    "SELECT COUNT(*) FROM events": [(ClipRule.CLAMP, 20.0)],
    "SELECT SUM(age) FROM subscribers": [(ClipRule.UNCLIPPED, 100.0)],
    "SELECT AVG(age) FROM subscribers": [(ClipRule.UNCLIPPED, 50.0), (ClipRule.UNCLIPPED, 1.0)],
    "SELECT SUM(dwell_s) FROM events": [(ClipRule.CLAMP, 20000.0)],
    "SELECT AVG(dwell_s) FROM events": [(ClipRule.SCALE, 10000.0), (ClipRule.SCALE, 20.0)],
    "SELECT SUM(dwell_s / 2) FROM events": [(ClipRule.CLAMP, 10000.0)],
    "SELECT hour(ts), COUNT(*), COUNT(DISTINCT subscriber_id) FROM events GROUP BY 1": [(ClipRule.SCALE, 3.0), (ClipRule.SCALE, 20.0)],
    "SELECT gender, COUNT(*) FROM events JOIN subscribers USING (subscriber_id) GROUP BY 1": [(ClipRule.CLAMP, 20.0)],
    "SELECT dwell_s > 5, COUNT(DISTINCT subscriber_id) FROM events GROUP BY 1": [(ClipRule.UNCLIPPED, math.sqrt(3))],
    "SELECT home_zone, COUNT(*) FROM subscribers GROUP BY 1": [(ClipRule.TRUNCATE, 1.0), (ClipRule.UNCLIPPED, 1.0)],
    "SELECT cell_id + age, COUNT(*) FROM events JOIN subscribers USING (subscriber_id) GROUP BY 1": [(ClipRule.SCALE, 1.0), (ClipRule.SCALE, 20.0)],
}  # fmt: skip


@pytest.mark.parametrize("sql", RULES)
def test_each_aggregate_has_its_clip_rule_and_bound(sql: str, plan_of: Plans, catalog: Catalog) -> None:
    plan = plan_of(sql)
    keys = 3 if "dwell_s > 5" in sql else 25
    bounds = bound_contributions(plan, catalog, None if plan.key_set is None else keys)
    assert [(each.rule, each.clip_bound) for each in bounds.vectors] == RULES[sql]
    assert (bounds.max_groups is None) == (plan.key_set is not None)
    assert all(each.key_reason for each in bounds.vectors)


@given(groups=st.integers(1, 10**7))
def test_a_root_of_groups_is_rounded_up(groups: int, plan_of: Plans, catalog: Catalog) -> None:
    plan = plan_of("SELECT dwell_s > 5, COUNT(DISTINCT subscriber_id) FROM events GROUP BY 1")
    wide = tuple(
        replace(t, clip_bounds=replace(t.clip_bounds, persons=1e9)) if t.clip_bounds is not None else t
        for t in catalog.tables
    )
    (made,) = bound_contributions(plan, replace(catalog, tables=wide), groups).vectors
    assert made.rule is ClipRule.UNCLIPPED
    assert made.sensitivity**2 >= groups << 2 * made.fraction_bits  # the exact root is not larger
    assert (made.sensitivity - 1) ** 2 < groups << 2 * made.fraction_bits  # and nothing is wasted


def _vector(lower: float, upper: float, centre: float, whole: bool) -> QueryVector:
    return QueryVector(VectorKind.CENTRED, None, None, lower, upper, centre, whole, 0, "")


@given(
    ends=st.tuples(st.floats(-1e12, 1e12), st.floats(-1e12, 1e12)).map(sorted),
    share=st.floats(0, 1),
    norm=st.floats(1e-3, 1e12),
    whole=st.booleans(),
)
def test_grains_limit_the_integers_of_values_and_clip_bounds(
    ends: list[float], share: float, norm: float, whole: bool
) -> None:
    lower, upper = (float(round(end)) for end in ends) if whole else ends
    centre = min(max(lower + (upper - lower) * share, lower), upper)
    vector = _vector(lower, upper, float(round(centre)) if whole else centre, whole)
    bits = choose_value_bits(vector, norm)
    assert Fraction(norm) * Fraction(2) ** bits <= 2**27
    assert Fraction(vector.magnitude) * Fraction(2) ** bits <= 2**27
    assert bits <= 0 or not whole


@pytest.mark.parametrize("kind", [VectorKind.ROWS, VectorKind.VALID, VectorKind.PERSONS])
def test_counts_have_grain_one_for_any_clip_bound(kind: VectorKind) -> None:
    assert choose_value_bits(QueryVector(kind, None, None, 0.0, 1.0, 0.0, True, 0, ""), 1e15) == 0


def test_a_clip_bound_beyond_any_person_s_value_is_reduced_safely(plan_of: Plans, catalog: Catalog) -> None:
    wide = tuple(
        replace(t, clip_bounds=replace(t.clip_bounds, rows=1e18)) if t.clip_bounds is not None else t
        for t in catalog.tables
    )
    (made,) = bound_contributions(plan_of("SELECT COUNT(*) FROM events"), replace(catalog, tables=wide), 1).vectors
    assert made.sensitivity == 2**31 - 1


def test_parts_of_a_mean_share_one_factor(plan_of: Plans, catalog: Catalog) -> None:
    plan = plan_of("SELECT hour(ts), AVG(dwell_s), AVG(lat), COUNT(dwell_s), COUNT(*) FROM events GROUP BY 1")
    groups = {vector.canonical_text: vector.scale_group for vector in plan.vectors}
    assert groups["centred(dwell_s)"] == groups["valid(dwell_s)"] != groups["centred(lat)"] == groups["valid(lat)"]
    assert groups["rows"] not in {groups["valid(dwell_s)"], groups["valid(lat)"]}
    assert all(each.rule is ClipRule.SCALE for each in bound_contributions(plan, catalog, 25).vectors)


@pytest.mark.parametrize(
    ("option", "counted", "known"),
    [
        ("max_groups_contributed = 2", "hour(ts), COUNT(DISTINCT subscriber_id), COUNT(*), SUM(dwell_s)", False),
        ("max_groups_contributed = 25", "hour(ts), COUNT(DISTINCT subscriber_id), COUNT(*), SUM(dwell_s)", True),
        ("max_groups_contributed = 2", "gender, COUNT(DISTINCT subscriber_id), COUNT(*)", True),  # a person has one
        ("max_rows_contributed = 1", "hour(ts), COUNT(DISTINCT subscriber_id), COUNT(*), SUM(dwell_s)", False),
        ("max_rows_contributed = 9", "hour(ts), COUNT(DISTINCT cell_id), AVG(dwell_s)", False),
    ],
)
def test_the_clipping_bias_of_limits_in_the_query_is_unknown(
    plan_of: Plans, catalog: Catalog, option: str, counted: str, known: bool
) -> None:
    sql = f"SELECT WITH DIFFERENTIAL_PRIVACY OPTIONS({option}) {counted} FROM events JOIN subscribers USING (subscriber_id)"
    biases = [each.predicted_bias for each in bound_contributions(plan_of(f"{sql} GROUP BY 1"), catalog, 25).vectors]
    assert all((bias is not None) == known for bias in biases)


def test_a_row_limit_drops_nothing_if_a_person_has_one_row(plan_of: Plans, catalog: Catalog) -> None:
    limited = "SELECT WITH DIFFERENTIAL_PRIVACY OPTIONS(max_rows_contributed = 1) COUNT(*), SUM(age) FROM subscribers"
    assert [each.predicted_bias for each in bound_contributions(plan_of(limited), catalog, 1).vectors] == [0, 0]


@pytest.mark.parametrize("numbers", ["COUNT(*{})", "SUM(dwell_s{})", "AVG(dwell_s{}), COUNT(DISTINCT cell_id{})"])
def test_an_empty_key_set_is_bounded_as_one_key(numbers: str, plan_of: Plans, catalog: Catalog) -> None:
    for named in ("", ", contribution_bounds_per_group => (0, 3)"):
        plan = plan_of(
            f"SELECT hour(ts), {numbers.format(named, named)}, COUNT(DISTINCT subscriber_id) FROM events GROUP BY 1"
        )
        none, one = (bound_contributions(plan, catalog, keys).vectors for keys in (0, 1))
        assert [(b.rule, b.sensitivity) for b in none] == [(b.rule, b.sensitivity) for b in one]


COUNTS = {
    "SELECT COUNT(*) FROM events": VectorKind.ROWS,
    "SELECT COUNT(dwell_s) FROM events": VectorKind.VALID,
    "SELECT hour(ts), COUNT(*) FROM events GROUP BY 1": VectorKind.ROWS,
    "SELECT hour(ts), COUNT(DISTINCT subscriber_id) FROM events GROUP BY 1": VectorKind.PERSONS,
    "SELECT hour(ts), AVG(dwell_s) FROM events GROUP BY 1": VectorKind.VALID,
    "SELECT SUM(age) FROM subscribers JOIN events USING (subscriber_id)": VectorKind.SUM,
}


@pytest.mark.parametrize("sql", COUNTS)
@given(norm=st.floats(1.0, 24.0) | st.integers(1, 48).map(lambda halves: max(1.0, halves / 2)))
def test_a_fractional_clip_bound_is_not_truncated_to_an_integer(
    sql: str, norm: float, plan_of: Plans, catalog: Catalog
) -> None:
    """What is claimed and cut to is C itself, to a millionth: 1.5 persons are not 1, nor are 3.5 rows 3."""
    plan = plan_of(sql)
    chosen = [TunedClipBound(norm, 0.0, "as chosen") for _ in plan.vectors]
    vectors = zip(plan.vectors, bound_contributions(plan, catalog, 25**2, chosen).vectors, strict=True)
    (made,) = (each for vector, each in vectors if vector.kind is COUNTS[sql])
    assert made.clip_bound == norm and made.rule in (ClipRule.SCALE, ClipRule.CLAMP) and made.value_bits == 0
    claimed = Fraction(made.sensitivity) * Fraction(made.grain_size)
    assert Fraction(norm) * (1 - Fraction(1, 2**20)) < claimed <= Fraction(norm)
    assert made.clip_bound_grains == made.sensitivity
    assert made.fraction_bits == 0 or made.rule is ClipRule.SCALE or norm != round(norm)  # whole clamps stay whole
