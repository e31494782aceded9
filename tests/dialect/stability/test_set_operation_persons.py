"""Set operations of people's rows: whose rows they give, how many, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import duckdb
import pytest

from dialect.algebra.codegen_types import Target
from dialect.algebra.relations import BoundQuery, PerPerson
from dialect.algebra.release_plan import PrivatePlan
from dialect.binder.query import bind_query
from dialect.catalog.model import Catalog
from dialect.codegen.relations.relation import write_rows
from dialect.errors import Code, Refusal
from dialect.parser.compile_context import CompileContext
from dialect.parser.parser import parse
from dialect.stability import set_operations
from dialect.stability.set_operations import private_set_operation

E, S = "SELECT subscriber_id, cell_id FROM events", "SELECT subscriber_id, age FROM subscribers"
MOST = 40  # rows of one person in events

ROWS = {  # -> one row per person, most rows of one
    f"{E} UNION ALL {S}": (False, MOST + 1),
    f"{E} UNION {E}": (False, 2 * MOST),
    "SELECT cell_id FROM events UNION ALL SELECT age FROM subscribers": (False, MOST + 1),
    f"{E} UNION ALL {E} UNION ALL {S}": (False, 2 * MOST + 1),
    f"{E} EXCEPT ALL {S}": (False, MOST),
    f"{E} INTERSECT {E}": (False, MOST),
    f"{E} INTERSECT {S}": (True, 1),
    f"{S} EXCEPT {E}": (True, 1),
    "SELECT subscriber_id FROM events UNION SELECT subscriber_id FROM subscribers": (True, 1),
    "SELECT subscriber_id FROM events UNION ALL SELECT subscriber_id FROM subscribers": (False, MOST + 1),
    "SELECT subscriber_id FROM events EXCEPT SELECT subscriber_id FROM subscribers": (True, 1),
}


@pytest.fixture(scope="module")
def tight(catalog: Catalog) -> Catalog:
    """Declare exactly as many rows of one person as there are."""
    tables = (replace(t, max_rows_per_person=MOST) if t.name == "events" else t for t in catalog.tables)
    return replace(catalog, tables=tuple(tables))


def _rows(sql: str, catalog: Catalog) -> PerPerson:
    relation = bind_query(parse(sql), CompileContext(catalog, sql)).relation
    assert isinstance(relation, PerPerson)
    return relation


def _most(relation: PerPerson, target: Target, database: duckdb.DuckDBPyConnection) -> int:
    rows = write_rows(relation, relation.fields, target)
    grouped = f"SELECT count(*) AS n FROM ({rows}) GROUP BY {relation.person.id}"
    (most,) = database.execute(f"SELECT coalesce(max(n), 0) FROM ({grouped})").fetchall()[0]
    return int(most)


@pytest.mark.parametrize("sql", ROWS)
def test_how_many_rows_a_person_has(
    sql: str, tight: Catalog, target: Target, database: duckdb.DuckDBPyConnection
) -> None:
    relation = _rows(sql, tight)
    assert (relation.has_one_row_per_person, relation.max_rows) == ROWS[sql]
    assert _most(relation, target, database) <= relation.max_rows


def test_a_union_that_counts_once_is_found(
    tight: Catalog, target: Target, database: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    def once(operator: Any, left: PerPerson, *given: Any) -> PerPerson:
        return replace(private_set_operation(operator, left, *given), max_rows=left.max_rows)

    monkeypatch.setattr(set_operations, "private_set_operation", once)
    relation = _rows(f"{E} UNION ALL {E}", tight)
    assert _most(relation, target, database) > relation.max_rows


def test_the_person_is_carried_and_can_not_be_named(
    rows_of: Callable[[str], BoundQuery], refused: Callable[[str], Refusal]
) -> None:
    selected = rows_of("SELECT cell_id FROM events UNION ALL SELECT age FROM subscribers")
    assert isinstance(selected.relation, PerPerson)
    assert [name for name, _ in selected.columns] == ["cell_id"]
    assert selected.relation.person.name is None and selected.relation.person in selected.relation.fields
    lost = "SELECT COUNT(DISTINCT subscriber_id) FROM (SELECT cell_id FROM events UNION ALL SELECT cell_id FROM events)"
    assert refused(lost).code is Code.COLUMN


def test_a_carried_person_is_no_column_that_is_compared(rows_of: Callable[[str], BoundQuery]) -> None:
    operator = rows_of(f"{E} EXCEPT ALL {S}").relation.operator
    assert len(operator.columns) == 2  # type: ignore[union-attr]


REFUSED = {
    "SELECT COUNT(*) FROM (SELECT cell_id FROM events UNION SELECT cell_id FROM events)": Code.SUBQUERY,
    "SELECT COUNT(*) FROM (SELECT cell_id FROM events INTERSECT ALL SELECT cell_id FROM events)": Code.SUBQUERY,
    f"SELECT COUNT(*) FROM ({E} UNION SELECT cell_id, subscriber_id FROM events)": Code.PERSON_KEY,
    f"SELECT COUNT(*) FROM ({E} UNION ALL SELECT cell_id, subscriber_id FROM events)": Code.PERSON_KEY,
    "SELECT COUNT(*) FROM (SELECT subscriber_id FROM events UNION ALL SELECT 7 FROM events)": Code.PERSON_KEY,
    "SELECT COUNT(*) FROM (SELECT subscriber_id FROM events UNION SELECT NULL FROM events)": Code.SUBQUERY,
    "SELECT COUNT(*) FROM (SELECT f.subscriber_id FROM events e LEFT JOIN events f ON f.subscriber_id = e.subscriber_id AND"
    " f.cell_id > e.cell_id UNION SELECT subscriber_id FROM events)": Code.SUBQUERY,
    f"SELECT COUNT(*) FROM ({E} UNION ALL SELECT 1, h FROM hours)": Code.ROWS,
    f"SELECT COUNT(*) FROM ({E} UNION ALL SELECT 1, COUNT(*) FROM events)": Code.ROWS,
    f"SELECT COUNT(*) FROM ({E} UNION ALL {S} LIMIT 5)": Code.SAMPLE,
    f"{E} UNION ALL {S}": Code.ROWS,
    "SELECT COUNT(*) FROM (SELECT e.lat FROM cells LEFT JOIN events e USING (cell_id) UNION ALL SELECT lat FROM events)": Code.SUBQUERY,
}  # fmt: skip


@pytest.mark.parametrize("sql", REFUSED)
def test_a_set_operation_that_could_mix_persons_is_refused(sql: str, refused: Callable[[str], Refusal]) -> None:
    assert refused(sql).code is REFUSED[sql]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT COUNT(*) FROM (SELECT cell_id FROM events UNION SELECT cell_id FROM events)",
        "SELECT COUNT(*) FROM (SELECT hour(ts) FROM events EXCEPT (SELECT cell_id FROM events INTERSECT SELECT age FROM subscribers))",
    ],
)
def test_a_refused_set_operation_suggests_the_person_key(
    sql: str, refused: Callable[[str], Refusal], plan_of: Callable[[str], PrivatePlan]
) -> None:
    hint = refused(sql).hint
    assert hint.count("SELECT subscriber_id, ") == sql.count("SELECT") - 1
    assert plan_of(hint).vectors
