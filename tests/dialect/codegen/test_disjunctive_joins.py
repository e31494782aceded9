"""A disjunctive equi-join has the pairs of the join on OR, each once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from types import ModuleType

import duckdb
import pytest

from dialect.algebra.codegen_types import Shortcut, Target
from dialect.algebra.relations import BoundQuery, PerPerson, Relation
from dialect.catalog.model import EngineName
from dialect.codegen.relations.relation import write_rows

either_equality: ModuleType = import_module("dialect.analysis.predicates")
writers: ModuleType = import_module("dialect.codegen.relations.relation")
Rows = Callable[[str], BoundQuery]
EITHER = {
    "h.h = hour(e.ts) OR h.h = e.cell_id": 2,
    "h.h = hour(e.ts) OR h.h = e.cell_id OR e.cell_id + 1 = h.h": 3,
    "(h.h = e.cell_id OR e.cell_id + 1 = h.h) AND h.h < 20 AND e.lat > 20.7": 2,
    "(h.h = nullif(e.cell_id, 3) OR h.h = nullif(hour(e.ts), e.cell_id)) AND h.h <> 5": 2,
    "h.h = e.cell_id": 1,
    "h.h = e.cell_id OR e.cell_id = 3": 1,
    "h.h = e.cell_id OR h.h > hour(e.ts)": 1,
    "NOT (h.h = e.cell_id OR h.h = hour(e.ts))": 1,
    "h.h IN (1, 2) OR h.h = e.cell_id": 1,
}


def _joined(condition: str, rows_of: Rows) -> Relation:
    return _of(f"SELECT e.*, h.h FROM events e JOIN hours h ON {condition}", rows_of)


def _of(sql: str, rows_of: Rows) -> Relation:
    relation = rows_of(sql).relation
    assert isinstance(relation, PerPerson)
    return relation


def _pairs(relation: Relation, target: Target, database: duckdb.DuckDBPyConnection) -> Counter[str]:
    return Counter(map(repr, database.execute(write_rows(relation, relation.fields, target)).fetchall()))


def _on_or(relation: Relation, target: Target, database: duckdb.DuckDBPyConnection) -> Counter[str]:
    return _pairs(relation, replace(target, shortcuts=target.shortcuts - {Shortcut.DISJUNCTIVE_JOINS}), database)


@pytest.mark.parametrize(("condition", "parts"), EITHER.items())
def test_the_pairs_are_those_of_the_join_on_or(
    condition: str, parts: int, rows_of: Rows, target: Target, database: duckdb.DuckDBPyConnection
) -> None:
    relation = _joined(condition, rows_of)
    assert write_rows(relation, relation.fields, target).count("UNION ALL") == parts - 1
    found = _pairs(relation, target, database)
    assert found and found == _on_or(relation, target, database)


def test_pairs_that_match_both_disjuncts_are_found_if_joined_twice(
    rows_of: Rows, target: Target, database: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    relation = _joined(next(iter(EITHER)), rows_of)
    once = _on_or(relation, target, database)
    monkeypatch.setattr(
        writers,
        "_disjoint_conditions",
        lambda join, _: [writers.write_expr(each) for each in writers.split_equalities(join)],
    )
    twice = _pairs(relation, target, database)
    assert twice > once


def test_a_disjunctive_left_join_keeps_an_unmatched_row_once(
    rows_of: Rows, target: Target, database: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Gathered, who meets one of two equalities would also stand there as who meets nothing."""
    sql = "SELECT e.*, h.h FROM events e LEFT JOIN hours h ON h.h = hour(e.ts) OR h.h = e.cell_id"
    relation = _of(sql, rows_of)
    found = _pairs(relation, target, database)
    assert found and found == _on_or(relation, target, database)
    asked = either_equality._disjunctive_equalities
    monkeypatch.setattr(either_equality, "_disjunctive_equalities", lambda join: asked(replace(join, kind="inner")))
    assert _pairs(relation, target, database) > found


def test_expensive_inputs_and_other_engines_use_a_single_join(rows_of: Rows, target: Target) -> None:
    either = "h.h = x.n OR h.h = x.n + 1"
    grouped = rows_of(
        f"SELECT x.*, h.h FROM (SELECT subscriber_id, count(*) AS n FROM events GROUP BY 1) x JOIN hours h ON {either}"
    ).relation
    assert "UNION ALL" not in write_rows(grouped, grouped.fields, target)
    joined = _joined(next(iter(EITHER)), rows_of)
    assert "UNION ALL" not in write_rows(joined, joined.fields, replace(target, engine=EngineName.SPARK))


def test_nested_disjunctive_joins_are_expanded_only_once(rows_of: Rows, target: Target) -> None:
    """Or its sides would be written four times, and eight times with one more."""
    either = "h.h = e.cell_id OR h.h = hour(e.ts)"
    sql = f"SELECT e.*, h.h FROM events e JOIN hours h ON {either} JOIN hours g ON g.h = e.cell_id OR g.h = hour(e.ts)"
    relation = rows_of(sql).relation
    assert write_rows(relation, relation.fields, target).count("UNION ALL") == 1
