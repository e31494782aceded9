"""Contribution limits in the query decide clip bounds and rules, within the declared bounds."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import dialect
from dialect.algebra.release_plan import ClipRule, ContributionBounds, PrivatePlan
from dialect.catalog.model import Catalog

BY_CELL = "cell_id, COUNT(*), COUNT(DISTINCT subscriber_id), SUM(dwell_s) FROM events GROUP BY 1"


@pytest.fixture
def bounds(plan_of: Callable[[str], PrivatePlan], catalog: Catalog) -> Callable[[str, str], dict[str, object]]:
    def made(options: str, rest: str = BY_CELL) -> dict[str, object]:
        plan = plan_of(f"SELECT WITH DIFFERENTIAL_PRIVACY OPTIONS({options}) {rest}")
        bounding: ContributionBounds = dialect.bound_contributions(plan, catalog, 9)
        return {str(v.kind): b for v, b in zip(plan.vectors, bounding.vectors, strict=True)} | {
            "max_groups": bounding.max_groups
        }

    return made


def test_row_truncation_bounds_every_query_vector(bounds: Callable[..., dict]) -> None:
    made = bounds("max_rows_contributed = 4")
    assert made["rows"].rule is ClipRule.UNCLIPPED and made["rows"].clip_bound == 4
    assert made["persons"].rule is ClipRule.UNCLIPPED and made["persons"].clip_bound == 2
    assert made["max_groups"] is None


def test_group_truncation_bounds_person_counts(bounds: Callable[..., dict]) -> None:
    made = bounds("max_groups_contributed = 4")
    assert made["max_groups"] == 4 and made["persons"].clip_bound == 2
    assert made["rows"].rule is ClipRule.SCALE
    assert bounds("max_groups_contributed = 9")["max_groups"] is None  # no more groups are there


def test_private_keys_use_the_requested_group_or_row_limit(bounds: Callable[..., dict]) -> None:
    assert bounds("keys = 'private', max_groups_contributed = 5")["max_groups"] == 5
    assert bounds("keys = 'private', max_rows_contributed = 3")["max_groups"] == 3
    assert bounds("keys = 'private', max_rows_contributed = 1")["max_groups"] == 1
