"""Possible outcomes of an expression on unmatched rows: a superset of what DuckDB computes."""

from __future__ import annotations

from collections.abc import Callable

import duckdb
import pytest

from dialect.algebra.relations import Kept, Outcome, PerPerson, Project
from dialect.algebra.release_plan import PrivatePlan
from dialect.binder.query import Selected
from dialect.stability.outer_joins import outcomes as outcomes_of

# of e.steps and e.ok, which are NULL where nobody's row matched, and c.x, which may be anything
EXPRESSIONS = (
    "e.dwell_s", "e.dwell_s + 1", "e.dwell_s * 0", "-COALESCE(e.dwell_s, 0)", "COALESCE(e.dwell_s, 0)", "COALESCE(e.dwell_s, 7)",
    "COALESCE(e.dwell_s, c.cell_id)", "COALESCE(e.dwell_s, NULL)", "e.dwell_s > 3", "NOT (e.dwell_s > 3)", "e.dwell_s IS NULL",
    "e.dwell_s IS NOT NULL", "(e.dwell_s > 3) IS TRUE", "(e.dwell_s > 3) IS FALSE", "(e.dwell_s > 3) IS NOT TRUE",
    "e.dwell_s > 3 AND c.cell_id > 1", "e.dwell_s > 3 OR c.cell_id > 1", "e.dwell_s > 3 OR TRUE", "e.dwell_s > 3 AND FALSE",
    "e.dwell_s IN (1, 2)", "e.dwell_s NOT IN (1, 2)", "NULLIF(e.dwell_s, 1)", "NULLIF(1, e.dwell_s)", "LEAST(e.dwell_s, 1)",
    "GREATEST(e.dwell_s, e.lat)", "CASE WHEN e.dwell_s > 3 THEN 1 ELSE 0 END", "CASE WHEN e.dwell_s > 3 THEN 1 END",
    "CASE WHEN e.dwell_s IS NULL THEN 1 ELSE 0 END", "CASE WHEN c.cell_id > 1 THEN e.dwell_s ELSE 0 END", "CASE WHEN e.dwell_s > 3 THEN 0 ELSE e.lat END",
    "CAST(COALESCE(e.dwell_s, 0) AS DOUBLE)", "CAST(e.lat AS VARCHAR)", "e.lat IS DISTINCT FROM 1", "concat(CAST(e.lat AS VARCHAR), 'x')", "hour(e.ts)",
    "e.dwell_s BETWEEN 1 AND 2", "TRUE", "FALSE", "NULL", "0", "5", "c.cell_id IS NULL", "c.zone", "c.cell_id = e.cell_id",
)  # fmt: skip


def _seen(value: object) -> Outcome:
    if value is None:
        return Outcome.NULL
    if isinstance(value, bool):
        return Outcome.TRUE if value else Outcome.FALSE
    return Outcome.ZERO if value == 0 else Outcome.OTHER


@pytest.mark.parametrize("text", EXPRESSIONS)
def test_outcomes_hold_what_duckdb_computes(text: str, rows_of: Callable[[str], Selected]) -> None:
    selected = rows_of(f"SELECT {text} AS x FROM cells c LEFT JOIN events e USING (cell_id)")
    relation = selected.relation
    assert isinstance(relation, PerPerson) and relation.kept is not None
    kept: Kept = relation.kept
    expr = next((expr for f, expr in _computed(relation) if f == selected.columns[0][1]), None)
    outcomes = kept.absent.get(selected.columns[0][1], frozenset(Outcome)) if expr is None else outcomes_of(kept, expr)
    given = "SELECT NULL::INTEGER AS dwell_s, NULL::DOUBLE AS lat, NULL::TIMESTAMP AS ts, NULL::INTEGER AS cell_id"
    for cell in ("NULL", "0", "1", "2"):
        rows = f"({given}) AS e, (SELECT {cell}::INTEGER AS cell_id, 'a' AS zone) AS c"
        (row,) = duckdb.sql(f"SELECT {text} FROM {rows}").fetchall()
        assert _seen(row[0]) in outcomes


def _computed(relation: PerPerson) -> list[tuple[object, object]]:
    return list(relation.operator.computed) if isinstance(relation.operator, Project) else []


@pytest.mark.parametrize(
    ("text", "outcomes"),
    [
        ("e.dwell_s", {Outcome.NULL}),
        ("e.dwell_s > 3 AND c.cell_id > 1", {Outcome.NULL, Outcome.FALSE}),
        ("CASE WHEN e.dwell_s > 3 THEN 1 ELSE 0 END", {Outcome.ZERO}),
        ("COALESCE(e.dwell_s, 7)", {Outcome.OTHER}),
        ("e.dwell_s IS NOT NULL", {Outcome.FALSE}),
    ],
)
def test_outcomes_are_narrow_where_that_is_needed(
    text: str, outcomes: set[Outcome], rows_of: Callable[[str], Selected]
) -> None:
    selected = rows_of(f"SELECT {text} AS x FROM cells c LEFT JOIN events e USING (cell_id)")
    relation = selected.relation
    assert isinstance(relation, PerPerson) and relation.kept is not None
    assert relation.kept.absent[selected.columns[0][1]] == outcomes


def test_keys_are_those_of_the_public_rows(plan_of: Callable[[str], PrivatePlan]) -> None:
    joined = "cells c LEFT JOIN events e ON e.cell_id = c.cell_id AND c.lon > 1"
    plan = plan_of(f"SELECT c.zone, COUNT(e.lat) FROM {joined} WHERE c.lat > 2 GROUP BY 1")
    inner = plan_of(f"SELECT c.zone, COUNT(e.lat) FROM {joined.replace('LEFT ', '')} WHERE c.lat > 2 GROUP BY 1")
    assert plan.key_set is not None and plan.key_set.asked and plan.key_set.closed
    assert plan.canonical != inner.canonical, "ON filters the keys of a JOIN, and none of a LEFT JOIN"
