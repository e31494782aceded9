"""Values of subqueries that name the row around them: one person moves no vector by more than was declared."""

from __future__ import annotations

import os
from importlib import import_module

import duckdb
import pytest

from dialect import Catalog, Refusal, compile_query
from dialect.algebra.expressions import TRUE, Call, Ref, conjunction, conjuncts
from tests.support.greybox.greybox import check_drawn
from tests.support.greybox.greybox_questions import EVENT_KEYS, EVENT_VALUES, Source, questions

EXAMPLES = 10_000 if os.environ.get("PASSERSBY_NIGHTLY") else 20
correlated = import_module("dialect.binder.subqueries")

# fmt: off
TIED = (
    Source("(SELECT *, (SELECT COUNT(*) FROM events f WHERE f.subscriber_id = o.subscriber_id AND f.cell_id = o.cell_id AND f.steps > 0) AS n FROM events o) e", "e.subscriber_id", ("e.n > 1", *EVENT_KEYS), ("LEAST(e.n, 9)", *EVENT_VALUES), ("e.n > 0", "e.dwell_s < 700")),
    Source("(SELECT * FROM events o WHERE dwell_s >= (SELECT AVG(f.dwell_s) FROM events f WHERE f.subscriber_id = o.subscriber_id)) e", "e.subscriber_id", EVENT_KEYS, EVENT_VALUES, ("e.cell_id > 1",)),
    Source("(SELECT *, (SELECT s.age FROM subscribers s WHERE s.subscriber_id = o.subscriber_id AND s.gender = 'f') AS age, (SELECT z.level FROM zones z WHERE z.zone = 'Z1') AS level FROM events o) e", "e.subscriber_id", ("e.age > 40", "e.level", *EVENT_KEYS), ("e.age", "e.dwell_s"), ("e.age IS NULL",)),
    Source("(SELECT *, subscriber_id IN (SELECT subscriber_id FROM subscribers WHERE age > 30) AS old, EXISTS (SELECT 1 FROM events f WHERE f.subscriber_id = o.subscriber_id AND f.cell_id = o.cell_id + 1) AS next FROM events o WHERE o.steps > 0 OR EXISTS (SELECT 1 FROM cells c WHERE c.cell_id = o.cell_id AND c.x > 0)) e", "e.subscriber_id", ("e.old", "e.next", *EVENT_KEYS), EVENT_VALUES, ("e.old", "NOT e.next")),
    Source("(SELECT *, CASE WHEN o.cell_id IN (SELECT f.cell_id + 1 FROM events f WHERE f.subscriber_id = o.subscriber_id AND f.steps > 0) THEN 1 ELSE 0 END AS follows, CASE WHEN o.cell_id IN (SELECT c.cell_id FROM cells c WHERE c.cell_id = o.cell_id AND c.x > 0) OR o.steps > 5 THEN 1 ELSE 0 END AS known FROM events o) e", "e.subscriber_id", ("e.follows", *EVENT_KEYS), ("e.follows", *EVENT_VALUES), ("e.follows = 1", "e.known > 0")),
)
# fmt: on


def test_one_person_moves_no_vector_further_than_declared(
    connection: duckdb.DuckDBPyConnection, catalog: Catalog
) -> None:
    check_drawn(connection, catalog, questions(TIED), EXAMPLES)


def _without_persons(parts: tuple[object, ...]) -> object:
    """Forget that a value belongs to the person whose row reads it."""
    kept = [part for whole in parts for part in conjuncts(whole) if not _of_persons(part)]  # type: ignore[arg-type]
    return conjunction(tuple(kept)) if kept else TRUE


def _of_persons(part: object) -> bool:
    return isinstance(part, Call) and any(isinstance(side, Ref) and side.field.is_person_key for side in part.arguments)


def test_a_value_of_another_person_is_refused(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    sql = f"SELECT COUNT(*) FROM {TIED[0].rows}"
    assert compile_query(sql, catalog).plans
    monkeypatch.setattr(correlated, "conjunction", _without_persons)
    with pytest.raises(Refusal):
        compile_query(sql, catalog)
