"""Fields left out of an order are functionally determined by the others: checked on every row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from importlib import import_module

import duckdb
import pytest

from dialect.algebra.codegen_types import Target
from dialect.algebra.properties import Properties
from dialect.algebra.relations import BoundQuery, PerPerson, Relation
from dialect.analysis.uniqueness import minimal_ordering_fields
from dialect.codegen.relations.relation import write_rows

dependencies = import_module("dialect.analysis.uniqueness")
SOURCES = {
    "SELECT * FROM events": 5,
    "SELECT * FROM subscribers": 0,  # one row a person
    "SELECT e.*, s.age, s.gender FROM events e JOIN subscribers s ON s.subscriber_id = e.subscriber_id": 5,
    "SELECT e.*, h.h FROM events e JOIN hours h ON h.h = hour(e.ts)": 5,
    "SELECT e.*, h.h FROM events e LEFT JOIN hours h ON h.h = e.cell_id AND e.lat > 20.7": 6,
    "SELECT e.*, c.* FROM events e JOIN cells c ON c.cell_id = e.cell_id": 8,  # whose key is not declared
    "SELECT * FROM events WHERE cell_id = 3": 4,
}


def _violated_dependencies(relation: Relation, target: Target, database: duckdb.DuckDBPyConnection) -> list[str | None]:
    """Fields that are claimed to be functionally determined by others, and are not."""
    rows, found = write_rows(relation, relation.fields, target), []
    for told_by, tells in Properties().of(dependencies.dependencies, relation):
        by = f"GROUP BY {', '.join(f.id for f in told_by)} " if told_by else ""
        for each in sorted(tells & set(relation.fields), key=lambda f: f.id):
            several = f"count(DISTINCT {each.id}) + max(CASE WHEN {each.id} IS NULL THEN 1 ELSE 0 END) > 1"
            if database.execute(f"SELECT 1 FROM ({rows}) {by}HAVING {several} LIMIT 1").fetchall():
                found.append(each.name)
    return found


@pytest.mark.parametrize(("sql", "kept"), SOURCES.items())
def test_columns_left_out_of_a_key_are_functionally_determined(
    sql: str,
    kept: int,
    rows_of: Callable[[str], BoundQuery],
    target: Target,
    database: duckdb.DuckDBPyConnection,
) -> None:
    relation = rows_of(sql).relation
    assert isinstance(relation, PerPerson)
    assert len(minimal_ordering_fields(relation, Properties(), (relation.person,))) == kept
    assert _violated_dependencies(relation, target, database) == []


def test_treating_a_left_join_as_an_inner_one_is_found(
    rows_of: Callable[[str], BoundQuery],
    target: Target,
    database: duckdb.DuckDBPyConnection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    relation = rows_of("SELECT e.*, h.h FROM events e LEFT JOIN hours h ON h.h = e.cell_id AND e.lat > 20.7").relation
    of_join = dependencies._join_dependencies
    monkeypatch.setattr(
        dependencies, "_join_dependencies", lambda join, known: of_join(replace(join, kind="inner"), known)
    )
    assert "h" in _violated_dependencies(relation, target, database)
