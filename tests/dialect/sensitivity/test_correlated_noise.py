"""Correlated noise is chosen from the plan and the number of listed keys, where each number then has less noise."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import pytest

from dialect.algebra.release_plan import PrivatePlan, VectorBound
from dialect.catalog.model import Catalog, ClipBounds
from dialect.sensitivity.bounding import bound_contributions, correlated_noise_factor

Plans = Callable[[str], PrivatePlan]
PEOPLE = "SELECT hour(ts), COUNT(DISTINCT subscriber_id) FROM events GROUP BY 1"


def bounded(
    catalog: Catalog, plan: PrivatePlan, keys: int | None, persons: float, by_group: bool = True
) -> VectorBound:
    """Bound people by hour under a declared clip bound."""
    wide = tuple(replace(t, clip_bounds=t.clip_bounds and ClipBounds(20.0, persons)) for t in catalog.tables)
    given = replace(catalog, tables=wide)
    return bound_contributions(plan, given, keys, reads_single_groups=by_group).vectors[0]


@pytest.mark.parametrize("keys", [0, 1, 2, 3, 7, 24, 25, 31, 168, 5113])
@pytest.mark.parametrize("persons", [1.2, 3.0, 9.0, 100.0])
def test_noise_is_correlated_where_each_number_has_less(
    plan_of: Plans, catalog: Catalog, keys: int, persons: float
) -> None:
    plan = plan_of(PEOPLE)
    made, independent = (bounded(catalog, plan, keys, persons, by_group) for by_group in (True, False))
    noise = independent.sensitivity * independent.grain_size
    assert made.is_correlated == (keys > 1 and correlated_noise_factor(keys) < noise)
    assert made == independent or made.is_correlated
    if made.is_correlated:
        assert not made.rule.clips and made.predicted_bias == 0
        assert (made.sensitivity - 1) ** 2 < keys * made.half_person**2 <= made.sensitivity**2
        assert made.half_person * 2 * made.grain_size == 1
        assert made.sensitivity * made.grain_size == pytest.approx(math.sqrt(keys) / 2, rel=1e-6)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT hour(ts), COUNT(*) FROM events GROUP BY 1",
        "SELECT hour(ts), COUNT(DISTINCT dwell_s) FROM events GROUP BY 1",
        "SELECT COUNT(DISTINCT subscriber_id) FROM events",
        "SELECT gender, COUNT(DISTINCT subscriber_id) FROM subscribers GROUP BY 1",
        PEOPLE.replace("SELECT", "SELECT WITH DIFFERENTIAL_PRIVACY OPTIONS(max_groups_contributed = 4)", 1),
        PEOPLE.replace("SELECT", "SELECT WITH DIFFERENTIAL_PRIVACY OPTIONS(keys = 'private')", 1),
    ],
)
def test_noise_is_independent_elsewhere(plan_of: Plans, catalog: Catalog, sql: str) -> None:
    plan = plan_of(sql)
    assert not bounded(catalog, plan, None if plan.key_set is None else 24, 9.0).is_correlated
