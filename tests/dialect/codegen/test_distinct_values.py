"""How many values of a person count, in how many groups, and what that costs."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from dialect import Catalog, Question, bound_contributions
from dialect.algebra.release_plan import ClipRule, VectorBound, VectorKind

OPTIONS = "SELECT WITH DIFFERENTIAL_PRIVACY OPTIONS({}) {} FROM events GROUP BY cell_id"


def _bound(question: Question, catalog: Catalog, keys: int) -> VectorBound:
    (plan,) = question.plans
    place = next(i for i, vector in enumerate(plan.vectors) if vector.kind is VectorKind.DISTINCT)
    return bound_contributions(plan, catalog, keys).vectors[place]


@pytest.mark.parametrize(
    ("sql", "keys", "groups", "values"),
    [
        (OPTIONS.format("max_groups_contributed = 3, max_rows_contributed = 7", "COUNT(DISTINCT ts)"), 50, 3, 7),
        (OPTIONS.format("max_groups_contributed = 9, max_rows_contributed = 2", "COUNT(DISTINCT ts)"), 50, 9, 2),
        ("SELECT COUNT(DISTINCT ts, contribution_bounds_per_group => (0, 4)) FROM events", 1, 1, 4),
        ("SELECT COUNT(DISTINCT gender) FROM subscribers", 1, 1, 1),
        ("SELECT COUNT(DISTINCT s.gender) FROM events e JOIN subscribers s USING (subscriber_id)", 1, 1, 1),
    ],
)
def test_options_of_the_query_bound_distinct_values_per_person(
    sql: str, keys: int, groups: int, values: int, ask: Callable[[str], Question], catalog: Catalog
) -> None:
    made = _bound(ask(sql), catalog, keys)
    assert (made.rule, made.max_groups, made.max_values) == (ClipRule.TRUNCATE, groups, values)
    rows = float(values) if "max_rows_contributed" in sql else math.inf
    exact = min(math.sqrt(groups) * values, rows)
    assert 0 <= made.sensitivity * made.grain_size - exact < 1e-4 * exact
    assert made.sensitivity**2 >= exact**2 / made.grain_size**2 - 1e-9


def test_without_options_the_catalog_bounds_distinct_values_per_person(
    ask: Callable[[str], Question], catalog: Catalog
) -> None:
    by_cell = _bound(ask("SELECT cell_id, COUNT(DISTINCT ts) FROM events GROUP BY 1"), catalog, 10_000)
    alone = _bound(ask("SELECT COUNT(DISTINCT ts) FROM events"), catalog, 1)
    assert by_cell.max_groups is not None and by_cell.max_values is not None
    assert alone.max_groups == 1 and alone.max_values is not None
    assert alone.max_values >= by_cell.max_values
    few = _bound(ask("SELECT cell_id, COUNT(DISTINCT ts) FROM events GROUP BY 1"), catalog, 2)
    assert few.max_groups == 2
    assert by_cell.predicted_bias is None
