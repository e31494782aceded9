"""Subqueries inside aggregates: one person moves no vector by more than was declared (`proofs.md#correlated-values`)."""

from __future__ import annotations

import os
from importlib import import_module

import duckdb
import pytest

from dialect import Catalog, Refusal, compile_query
from dialect.algebra.expressions import TRUE, Call, Ref, conjunction, conjuncts
from tests.support.greybox.greybox import check_drawn
from tests.support.greybox.greybox_questions import EVENT_KEYS, Source, questions

EXAMPLES = 10_000 if os.environ.get("PASSERSBY_NIGHTLY") else 20
correlated = import_module("dialect.binder.subqueries")

# fmt: off
_OLD = "EXISTS (SELECT 1 FROM subscribers s WHERE s.subscriber_id = e.subscriber_id AND s.age > 30)"
_NEXT = "EXISTS (SELECT 1 FROM events f WHERE f.subscriber_id = e.subscriber_id AND f.cell_id = e.cell_id + 1)"
_MANY = "(SELECT COUNT(*) FROM events f WHERE f.subscriber_id = e.subscriber_id AND f.steps > 0)"
INSIDE = (
    Source("events e", "e.subscriber_id", EVENT_KEYS, (f"CASE WHEN {_OLD} THEN e.dwell_s ELSE 0 END", f"LEAST({_MANY}, 9)", "e.steps"), (_NEXT, f"{_MANY} > 1", "e.cell_id > 1")),
    Source("events e JOIN cells c USING (cell_id)", "e.subscriber_id", ("c.zone", "c.x"), (f"CASE WHEN {_NEXT} THEN e.steps END", f"e.steps * LEAST({_MANY}, 3)"), (_OLD, "e.subscriber_id IN (SELECT subscriber_id FROM events WHERE steps > 0)")),
)
# fmt: on


def test_one_person_moves_no_vector_further_than_declared(
    connection: duckdb.DuckDBPyConnection, catalog: Catalog
) -> None:
    check_drawn(connection, catalog, questions(INSIDE), EXAMPLES)


def _without_persons(parts: tuple[object, ...]) -> object:
    """Forget that a value belongs to the person whose row reads it."""
    kept = [part for whole in parts for part in conjuncts(whole) if not _of_persons(part)]  # type: ignore[arg-type]
    return conjunction(tuple(kept)) if kept else TRUE


def _of_persons(part: object) -> bool:
    return isinstance(part, Call) and any(isinstance(side, Ref) and side.field.is_person_key for side in part.arguments)


@pytest.mark.parametrize("test", [_OLD, _NEXT, f"{_MANY} > 1"])
def test_a_test_by_another_persons_rows_is_refused(
    test: str, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    sql = f"SELECT COUNT(*) FILTER (WHERE {test}) FROM events e"
    assert compile_query(sql, catalog).plans
    monkeypatch.setattr(correlated, "conjunction", _without_persons)
    with pytest.raises(Refusal):
        compile_query(sql, catalog)


@pytest.mark.parametrize("test", [_OLD, _NEXT, f"{_MANY} > 1"])
def test_it_is_the_same_release_as_below_the_groups(test: str, catalog: Catalog) -> None:
    """An aggregate's subquery is computed with the rows, as one in FROM would be: there is no second mechanism."""
    inside = compile_query(f"SELECT COUNT(*) FILTER (WHERE {test}) AS n FROM events e", catalog)
    below = compile_query(f"SELECT COUNT(*) FILTER (WHERE t) AS n FROM (SELECT *, {test} AS t FROM events e)", catalog)
    assert [plan.canonical_text for plan in inside.plans] == [plan.canonical_text for plan in below.plans]
