"""Possible outcomes of an expression on unmatched rows: a superset of what DuckDB computes."""

from __future__ import annotations

from collections.abc import Callable

import duckdb
import pytest

from dialect.algebra.relations import BoundQuery, NullExtendedValue, PerPerson, PreservedSide, Project
from dialect.algebra.release_plan import PrivatePlan
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
    "ROUND(COALESCE(e.lat, 0), 1)", "CAST(COALESCE(e.lat, 0) AS DECIMAL(4, 1))", "ROUND(COALESCE(e.lat, 7))",
    "e.dwell_s BETWEEN 1 AND 2", "TRUE", "FALSE", "NULL", "0", "5", "c.cell_id IS NULL", "c.zone", "c.cell_id = e.cell_id",
)  # fmt: skip


def _seen(value: object) -> NullExtendedValue:
    if value is None:
        return NullExtendedValue.NULL
    if isinstance(value, bool):
        return NullExtendedValue.TRUE if value else NullExtendedValue.FALSE
    return NullExtendedValue.ZERO if value == 0 else NullExtendedValue.OTHER


@pytest.mark.parametrize("text", EXPRESSIONS)
def test_outcomes_of_unmatched_rows_contain_duckdbs_values(text: str, rows_of: Callable[[str], BoundQuery]) -> None:
    selected = rows_of(f"SELECT {text} AS x FROM cells c LEFT JOIN events e USING (cell_id)")
    relation = selected.relation
    assert isinstance(relation, PerPerson) and relation.preserved_side is not None
    kept: PreservedSide = relation.preserved_side
    expr = next((expr for f, expr in _computed(relation) if f == selected.columns[0][1]), None)
    outcomes = (
        kept.unmatched_values.get(selected.columns[0][1], frozenset(NullExtendedValue))
        if expr is None
        else outcomes_of(kept, expr)
    )
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
        ("e.dwell_s", {NullExtendedValue.NULL}),
        ("e.dwell_s > 3 AND c.cell_id > 1", {NullExtendedValue.NULL, NullExtendedValue.FALSE}),
        ("CASE WHEN e.dwell_s > 3 THEN 1 ELSE 0 END", {NullExtendedValue.ZERO}),
        ("COALESCE(e.dwell_s, 7)", {NullExtendedValue.OTHER}),
        ("e.dwell_s IS NOT NULL", {NullExtendedValue.FALSE}),
        ("ROUND(COALESCE(e.lat, 0), 1)", {NullExtendedValue.ZERO}),
    ],
)
def test_outcomes_of_unmatched_rows_are_tight_where_needed(
    text: str, outcomes: set[NullExtendedValue], rows_of: Callable[[str], BoundQuery]
) -> None:
    selected = rows_of(f"SELECT {text} AS x FROM cells c LEFT JOIN events e USING (cell_id)")
    relation = selected.relation
    assert isinstance(relation, PerPerson) and relation.preserved_side is not None
    assert relation.preserved_side.unmatched_values[selected.columns[0][1]] == outcomes


def test_keys_are_those_of_the_public_rows(plan_of: Callable[[str], PrivatePlan]) -> None:
    joined = "cells c LEFT JOIN events e ON e.cell_id = c.cell_id AND c.lon > 1"
    plan = plan_of(f"SELECT c.zone, COUNT(e.lat) FROM {joined} WHERE c.lat > 2 GROUP BY 1")
    inner = plan_of(f"SELECT c.zone, COUNT(e.lat) FROM {joined.replace('LEFT ', '')} WHERE c.lat > 2 GROUP BY 1")
    assert plan.key_set is not None and plan.key_set.is_listed_by_query and plan.key_set.is_exhaustive
    assert plan.canonical_text != inner.canonical_text, "ON filters the keys of a JOIN, and none of a LEFT JOIN"
