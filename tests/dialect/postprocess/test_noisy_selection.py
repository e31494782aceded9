"""Which operators select by noise, which columns that affects, and how much is proven of the selection."""

from __future__ import annotations

import pytest

from dialect import compile_query
from dialect.catalog.model import Catalog
from dialect.postprocess.noisy_selection import NoisySelection, candidate_rows, selection_by_noise

ZONES = "(SELECT hour(ts) AS zone, COUNT(*) AS n, COUNT(DISTINCT subscriber_id) AS p FROM events GROUP BY 1)"
TOTAL = f"(SELECT SUM(n) AS total FROM {ZONES} AS a)"
AFFECTED = {
    f"SELECT zone, n, p FROM {ZONES} AS z": None,
    f"SELECT zone, n, p FROM {ZONES} AS z ORDER BY n": None,
    f"SELECT zone, n, p FROM {ZONES} AS z ORDER BY zone LIMIT 3": None,
    f"SELECT zone, n, p FROM {ZONES} AS z WHERE zone <> 7": None,
    f"SELECT zone, n, RANK() OVER (ORDER BY n) AS r FROM {ZONES} AS z": None,
    f"SELECT SUM(n) AS n FROM {ZONES} AS z": None,
    f"SELECT zone, n, p FROM {ZONES} AS z ORDER BY n LIMIT 3": {1},
    f"SELECT zone, n, p, n - p AS d FROM {ZONES} AS z ORDER BY p LIMIT 3": {2, 3},
    f"SELECT zone, n, p FROM {ZONES} AS z WHERE p > 10": {2},
    f"SELECT zone, p FROM {ZONES} AS z QUALIFY RANK() OVER (ORDER BY n) <= 3": set(),
    "SELECT hour(ts) AS zone, COUNT(*) AS n FROM events GROUP BY 1 HAVING COUNT(*) > 3": {1},
    f"SELECT n, COUNT(*) AS c FROM {ZONES} AS z GROUP BY n": {0, 1},
    f"SELECT DISTINCT n FROM {ZONES} AS z": {0},
    f"SELECT zone, n FROM {ZONES} AS z EXCEPT SELECT zone, p FROM {ZONES} AS y": {1},
    f"SELECT zone, p FROM {ZONES} AS z WHERE n > (SELECT AVG(n) FROM {ZONES} AS a)": set(),
    f"SELECT a.zone, a.n, b.p FROM {ZONES} AS a JOIN {ZONES} AS b ON a.n < b.n": {1},
    f"SELECT SUM(n) AS n, SUM(p) AS p FROM {ZONES} AS z WHERE n > 3": {0, 1},  # n decides which rows SUM(p) adds
    f"SELECT SUM(n) FILTER (WHERE n > 3) AS n, SUM(n) AS m FROM {ZONES} AS z": {0},
}
STABLE = [
    f"SELECT zone, n FROM {ZONES} AS z ORDER BY n DESC LIMIT 3 OFFSET 1",
    f"SELECT zone, n FROM {ZONES} AS z WHERE n > 3 AND p < 5 AND zone <> 7 ORDER BY n DESC LIMIT 3",
    f"SELECT zone, n FROM (SELECT zone, n FROM {ZONES} AS z ORDER BY n LIMIT 3) AS t WHERE zone <> 7",
    f"SELECT zone, n FROM {ZONES} AS z QUALIFY RANK() OVER (ORDER BY n DESC) <= 3",
    f"SELECT zone, n FROM {ZONES} AS z QUALIFY ROW_NUMBER() OVER (ORDER BY n DESC) BETWEEN 2 AND 4",
    f"SELECT zone % 3 AS k, SUM(n) AS n FROM {ZONES} AS z GROUP BY 1 HAVING SUM(n) > 3",
]
UNSTABLE = [
    f"SELECT zone, n FROM {ZONES} AS z QUALIFY DENSE_RANK() OVER (ORDER BY n DESC) <= 3",
    f"SELECT zone, n FROM {ZONES} AS z QUALIFY RANK() OVER (ORDER BY n DESC) = 3",
    f"SELECT zone, n FROM (SELECT zone, n FROM {ZONES} AS z QUALIFY RANK() OVER (ORDER BY n) <= 3) AS t WHERE zone <> 7",
    f"SELECT zone, n FROM {ZONES} AS z QUALIFY ROW_NUMBER() OVER (ORDER BY n DESC) % 2 = 0",
    f"SELECT zone, n FROM {ZONES} AS z WHERE n > (SELECT AVG(n) FROM {ZONES} AS a)",
    f"SELECT zone, n / total AS n FROM {ZONES} AS z CROSS JOIN {TOTAL} AS t WHERE n / total > 0.1",
    f"SELECT SUM(n) AS m, SUM(n) AS n FROM {ZONES} AS z WHERE n > 3",
]
FIXED = [
    f"SELECT zone, n FROM {ZONES} AS z ORDER BY n DESC LIMIT 3",
    f"SELECT zone, n / total AS n FROM {ZONES} AS z CROSS JOIN {TOTAL} AS t ORDER BY n DESC LIMIT 3",
    f"SELECT zone, n FROM {ZONES} AS z QUALIFY ROW_NUMBER() OVER (PARTITION BY zone % 3 ORDER BY n DESC) <= 2",
    f"SELECT zone, n FROM (SELECT zone, n FROM {ZONES} AS z ORDER BY n LIMIT 3) AS t ORDER BY zone",
]
NOT_FIXED = [
    f"SELECT zone, n FROM {ZONES} AS z WHERE n > 3 ORDER BY n DESC LIMIT 3",
    f"SELECT zone, n FROM (SELECT zone, n FROM {ZONES} AS z ORDER BY n LIMIT 3) AS t WHERE zone <> 7",
    f"SELECT zone, n FROM {ZONES} AS z QUALIFY RANK() OVER (ORDER BY n DESC) <= 3",
]


def selection(catalog: Catalog, sql: str) -> NoisySelection:
    found = selection_by_noise(compile_query(sql, catalog))
    assert found is not None
    return found


@pytest.mark.parametrize("sql", AFFECTED)
def test_columns_with_selecting_noise_are_affected(catalog: Catalog, sql: str) -> None:
    found = selection_by_noise(compile_query(sql, catalog))
    assert (None if found is None else set(found.affected_columns)) == AFFECTED[sql]


@pytest.mark.parametrize("sql", STABLE)
def test_stable_selections(catalog: Catalog, sql: str) -> None:
    assert selection(catalog, sql).is_simple(1)


@pytest.mark.parametrize("sql", UNSTABLE)
def test_unstable_selections(catalog: Catalog, sql: str) -> None:
    assert not selection(catalog, sql).is_simple(1)


@pytest.mark.parametrize("sql", FIXED)
def test_selections_of_fixed_size(catalog: Catalog, sql: str) -> None:
    assert selection(catalog, sql).has_fixed_size


@pytest.mark.parametrize("sql", NOT_FIXED)
def test_selections_of_a_size_that_noise_decides(catalog: Catalog, sql: str) -> None:
    assert not selection(catalog, sql).has_fixed_size


@pytest.mark.parametrize(
    ("sql", "candidates"),
    [
        (f"SELECT zone, n FROM {ZONES} AS z WHERE n > 3 AND zone <> 7 ORDER BY n LIMIT 3", 10),
        (f"SELECT a.n FROM {ZONES} AS a JOIN {ZONES} AS b ON a.n < b.n", 100),
        (f"SELECT n FROM {ZONES} AS z WHERE n > 3 UNION ALL SELECT p FROM {ZONES} AS y WHERE p > 3", 20),
        (f"SELECT a.n FROM (SELECT * FROM {ZONES} AS a ORDER BY n LIMIT 3) AS a JOIN {ZONES} AS b USING (zone)", 10),
        (f"SELECT a.n FROM (SELECT * FROM {ZONES} AS a ORDER BY n LIMIT 3) AS a CROSS JOIN {ZONES} AS b", 100),
    ],
)
def test_candidates_are_counted_before_the_first_selection(catalog: Catalog, sql: str, candidates: int) -> None:
    question = compile_query(sql, catalog)
    assert candidate_rows(question.outer, question.releases, lambda _: 10) == candidates
    assert candidate_rows(question.outer, question.releases, lambda _: None) is None
