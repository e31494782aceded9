"""A ratio is NULL where its denominator may be 0 within its noise, wherever the ratio is used."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import duckdb
import pytest

from dialect.algebra.codegen_types import Target
from dialect.algebra.relations import release_table_name
from dialect.codegen.outer_query import write_outer_query
from dialect.postprocess.question import Question

R = "(SELECT cell_id AS c, COUNT(*) AS n, SUM(dwell_s) AS s FROM events GROUP BY cell_id)"
ROWS = {1: (100, 50.0), 2: (1, 70.0), 3: (40, 60.0), 4: (-90, 80.0), 5: (19, 10.0)}  # n has a deviation of 10
CLEAR = [3, 1]  # by s / n, at 95%


def ask_released(question: Question, variance: float = 100.0, confidence: float = 0.95) -> list[tuple[Any, ...]]:
    """Answer the outer part over ROWS; every raw number has one variance."""
    (release,) = question.releases
    raw = [f.id for f in release.raw_fields]
    target = Target({release_table_name(0): "r"})
    sql = write_outer_query(question, dict.fromkeys(raw, variance), target, confidence).text
    given = [*release.keys, *(output.field for output in release.outputs), *release.raw_fields]
    named = ", ".join(f"{column} AS {f.id}" for f, column in zip(given, "knsns", strict=True))
    with duckdb.connect() as connection:
        values = ", ".join(f"({k}, {n}, {s}::DOUBLE)" for k, (n, s) in ROWS.items())
        connection.execute(f"CREATE TABLE r AS SELECT {named} FROM (VALUES {values}) AS v(k, n, s)")
        return connection.execute(sql).fetchall()


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        (f"SELECT c FROM {R} WHERE s / n IS NOT NULL ORDER BY s / n DESC", CLEAR),
        (f"SELECT c FROM {R} ORDER BY s / n DESC NULLS LAST, c LIMIT 3", [3, 1, 2]),
        (f"SELECT c FROM (SELECT c, coalesce(s / n, 0) AS r FROM {R}) WHERE r = 0 ORDER BY c", [2, 4, 5]),
        (f"SELECT c FROM {R} WHERE 2 * s / (n + n) > 1 ORDER BY c", [3]),
    ],
)
def test_an_unstable_ratio_is_null_everywhere(sql: str, expected: list[int], ask: Callable[[str], Question]) -> None:
    assert [row[0] for row in ask_released(ask(sql))] == expected


def test_a_join_on_a_ratio_drops_unstable_ones(ask: Callable[[str], Question]) -> None:
    sql = f"SELECT r.c FROM {R} r JOIN (VALUES (0.0), (1.0)) v(least) ON r.s / r.n > v.least ORDER BY 1"
    assert ask_released(ask(sql)) == [(1,), (3,), (3,)]


def test_an_aggregate_over_releases_ignores_unstable_ratios(ask: Callable[[str], Question]) -> None:
    (row,) = ask_released(ask(f"SELECT COUNT(s / n), MAX(s / n) FROM {R}"))
    assert row == (2, 60.0 / 40)


def test_a_difference_of_noisy_numbers_may_lie_on_either_side(ask: Callable[[str], Question]) -> None:
    """s - n is -50, 69, 20, 170, -9; its deviation is 14.1."""
    rows = ask_released(ask(f"SELECT c, n / (s - n) FROM {R} ORDER BY c"))
    assert [row[0] for row in rows if row[1] is not None] == [1, 2, 4]


def test_a_higher_confidence_asks_more_of_a_denominator(ask: Callable[[str], Question]) -> None:
    sql = f"SELECT c FROM {R} WHERE s / n IS NOT NULL ORDER BY c"
    assert ask_released(ask(sql), confidence=0.5) == [(1,), (3,), (5,)]
    assert ask_released(ask(sql), confidence=0.99999) == [(1,)]


def test_an_exact_denominator_is_divided_by_directly(ask: Callable[[str], Question]) -> None:
    rows = ask_released(ask(f"SELECT c, n / (c - 3) FROM {R} ORDER BY c"))
    assert [row[1] for row in rows] == [-50.0, -1.0, math.inf, -90.0, 9.5]
    exact = ask_released(ask(f"SELECT c FROM {R} WHERE s / n IS NOT NULL ORDER BY c"), variance=0.0)
    assert [row[0] for row in exact] == [1, 2, 3, 4, 5]
