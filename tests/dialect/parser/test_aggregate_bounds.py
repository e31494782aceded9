"""Bounds named in a call belong to that call, and limit one person's contribution to one group."""

from __future__ import annotations

from collections.abc import Callable

import duckdb
import pytest

import dialect
from dialect.algebra.codegen_types import Target
from dialect.algebra.release_plan import ClipRule, PrivatePlan, VectorBound, VectorKind
from dialect.catalog.model import Bounds, Catalog
from dialect.errors import Code, Refusal

NAMED = "contribution_bounds_per_group => "
Plans = Callable[[str], PrivatePlan]


def _bounded(plan: PrivatePlan, catalog: Catalog, keys: int = 1) -> VectorBound:
    bounds = dialect.bound_contributions(plan, catalog, keys).vectors
    return next(b for v, b in zip(plan.vectors, bounds, strict=True) if v.partial_bounds is not None)


def test_bounds_are_those_of_their_own_call(plan_of: Plans) -> None:
    plan = plan_of(
        f"SELECT SUM(GREATEST(dwell_s, 1), {NAMED}(0, 1.5e2)) FILTER (WHERE lat > 1) / COUNT(*), SUM(lat) FROM events"
    )
    parts = {v.canonical_text: v.partial_bounds for v in plan.vectors}
    assert [part for part in parts.values() if part is not None] == [Bounds(0, 150)]
    assert parts["rows"] is None and parts["sum(lat)"] is None


def test_other_bounds_make_another_release(plan_of: Plans) -> None:
    texts = {
        plan_of(f"SELECT SUM(dwell_s{bounds}) FROM events").canonical_text
        for bounds in ("", f", {NAMED}(0, 100)", f", {NAMED}(0, 101)", f", {NAMED}(-1, 100)")
    }
    assert len(texts) == 4


def test_one_number_in_one_group_is_within_its_bounds(plan_of: Plans, catalog: Catalog) -> None:
    made = _bounded(plan_of(f"SELECT SUM(dwell_s, {NAMED}(-5, 100)) FROM events"), catalog)
    assert made.rule is ClipRule.UNCLIPPED and made.clip_bound == 100 and made.predicted_bias is None
    assert made.sensitivity * made.grain_size == 100


def test_over_many_groups_the_clip_bound_of_persons_decides(plan_of: Plans, catalog: Catalog) -> None:
    by_cell = f"cell_id, COUNT(*, {NAMED}(0, 5)) FROM events GROUP BY 1"
    scaled = _bounded(plan_of(f"SELECT {by_cell}"), catalog, 400)
    assert scaled.rule is ClipRule.SCALE
    few = plan_of(f"SELECT WITH DIFFERENTIAL_PRIVACY OPTIONS(max_groups_contributed = 4) {by_cell}")
    assert (_bounded(few, catalog, 400).rule, _bounded(few, catalog, 400).sensitivity) == (ClipRule.UNCLIPPED, 10)


def test_bounds_of_a_mean_clamp_its_values(plan_of: Plans) -> None:
    plan = plan_of(f"SELECT AVG(dwell_s, {NAMED}(0, 60)) FROM events")
    (centred,) = (v for v in plan.vectors if v.kind is VectorKind.CENTRED)
    assert (centred.lower, centred.upper, centred.partial_bounds) == (0, 60, None)


def test_no_range_need_be_declared(plan_of: Plans, refused: Callable[[str], Refusal]) -> None:
    assert refused("SELECT SUM(1 / dwell_s) FROM events").code is Code.BOUNDS
    assert plan_of(f"SELECT SUM(1 / dwell_s, {NAMED}(0, 9)), AVG(1 / dwell_s, {NAMED}(0, 9)) FROM events")


REFUSED = [
    f"SELECT SUM(dwell_s, {NAMED}(5, 5)) FROM events",
    f"SELECT SUM(dwell_s, {NAMED}(0, 1e99)) FROM events",
    f"SELECT SUM(dwell_s, {NAMED}(0, 1), {NAMED}(0, 1)) FROM events",
    f"SELECT COUNT(*, {NAMED}(0, 1e7)) FROM events",
    f"SELECT COUNT(*, {NAMED}(-1, 0)) FROM events",
    f"SELECT COUNT(DISTINCT subscriber_id, {NAMED}(0, 1)) FROM events",
    f"SELECT SUM(LEAST(dwell_s, 5, {NAMED}(0, 1))) FROM events",
    f"SELECT AVG(n) FROM (SELECT subscriber_id, SUM(dwell_s, {NAMED}(0, 1)) AS n FROM events GROUP BY 1)",
    f"SELECT SUM(n, {NAMED}(0, 1)) FROM (SELECT COUNT(*) AS n FROM events)",
    f"SELECT COUNT(lat, {NAMED}(0, 1)) FROM cells",
    f"SELECT cell_id, {NAMED}(0, 1) FROM cells",
]


@pytest.mark.parametrize("sql", REFUSED)
def test_a_refusal_points_at_the_bounds(sql: str, refused: Callable[[str], Refusal]) -> None:
    found = refused(sql)
    assert found.code is Code.PARAM and found.span is not None
    assert sql[found.span.start : found.span.end].lstrip(", ").startswith("contribution_bounds_per_group")


@pytest.mark.parametrize("bounds", ["(0)", "0, 1", "(0, x)", "(0, 1", "(0, 1 + 1)", "(NULL, 1)"])
def test_invalid_bounds_are_refused(bounds: str, refused: Callable[[str], Refusal]) -> None:
    assert refused(f"SELECT SUM(dwell_s, {NAMED}{bounds}) FROM events").code is Code.PARSE


@pytest.mark.parametrize("number", ["COUNT(*{})", "SUM(age{})"])
def test_bounds_of_integers_are_rounded_outward_and_reported(
    number: str, plan_of: Plans, catalog: Catalog, database: duckdb.DuckDBPyConnection, target: Target
) -> None:
    rows = "events JOIN subscribers USING (subscriber_id)"
    plan = plan_of(f"SELECT {number.format(f', {NAMED}(-0.5, 1.5)')} FROM {rows}")
    made = _bounded(plan, catalog)
    assert "[-1, 2]" in made.key_reason
    assert (made.clip_bound, made.sensitivity * made.grain_size) == (2, 2)
    whole = plan_of(f"SELECT {number.format(f', {NAMED}(-1, 2)')} FROM {rows}")
    texts = [
        dialect.generate_sql(each, dialect.bound_contributions(each, catalog, 1), target, None).text
        for each in (plan, whole)
    ]
    assert database.execute(texts[0]).fetchall() == database.execute(texts[1]).fetchall()
