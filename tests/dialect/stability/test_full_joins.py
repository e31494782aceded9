"""FULL JOIN and RIGHT JOIN ... USING: which rows are preserved, the merged column, and whose rows they may be."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dialect import Catalog, Code, Refusal, compile_query
from dialect.algebra.relations import PerPerson, Public, Released
from dialect.analysis.canonical_form import CanonicalForm

_BY_CELL = "(SELECT cell_id, COUNT(*) AS {0} FROM events WHERE {1} GROUP BY 1)"
_BOTH = f"{_BY_CELL.format('n', 'lat > 0')} a {{}} {_BY_CELL.format('m', 'dwell_s > 60')} b USING (cell_id)"


def test_releases_are_joined(catalog: Catalog) -> None:
    question = compile_query(f"SELECT * FROM {_BOTH.format('FULL JOIN')}", catalog)
    assert isinstance(question.outer, Released) and len(question.plans) == 2
    assert [shown.name for shown in question.columns] == ["cell_id", "n", "m"]
    assert all(shown.field.nullable for shown in question.columns[1:])


def test_public_tables_are_joined(catalog: Catalog) -> None:
    sql = "SELECT h, c.cell_id, c.zone FROM (SELECT cell_id AS h, * FROM cells) c FULL OUTER JOIN hours USING (h)"
    assert isinstance(compile_query(sql, catalog).outer, Public)


@pytest.mark.parametrize("sides", ["events e FULL JOIN subscribers s", "subscribers s FULL JOIN events e"])
@pytest.mark.parametrize("condition", ["USING (subscriber_id)", "ON e.subscriber_id = s.subscriber_id AND e.lat > 0"])
def test_peoples_rows_are_joined_on_the_person_and_keep_it(sides: str, condition: str, catalog: Catalog) -> None:
    question = compile_query(f"SELECT COUNT(*) FROM {sides} {condition}", catalog)
    (plan,) = question.plans
    assert isinstance(plan.source, PerPerson) and not plan.source.person.nullable


def test_peoples_rows_are_not_joined_on_anything_else(catalog: Catalog) -> None:
    with pytest.raises(Refusal) as refused:
        compile_query("SELECT COUNT(*) FROM events e FULL JOIN subscribers s ON e.cell_id = s.age", catalog)
    assert refused.value.code is Code.JOIN


def test_a_person_key_of_one_side_may_be_null_and_that_of_using_not(catalog: Catalog) -> None:
    both = "(SELECT subscriber_id, age FROM subscribers) s FULL JOIN events e USING (subscriber_id)"
    assert compile_query(f"SELECT COUNT(*) FROM (SELECT subscriber_id FROM {both} GROUP BY 1)", catalog).plans
    with pytest.raises(Refusal):
        compile_query(f"SELECT COUNT(*) FROM (SELECT s.subscriber_id FROM {both} GROUP BY 1)", catalog)


def test_a_declared_range_holds_for_the_rows_that_have_a_value(catalog: Catalog) -> None:
    assert compile_query("SELECT SUM(s.age) FROM events e FULL JOIN subscribers s USING (subscriber_id)", catalog).plans
    assert compile_query(
        "SELECT SUM(e.dwell_s) FROM events e FULL JOIN subscribers s USING (subscriber_id)", catalog
    ).plans


def test_rows_of_an_outer_join_cannot_be_full_joined(catalog: Catalog) -> None:
    kept = (
        "SELECT COUNT(*) FROM cells c LEFT JOIN events e USING (cell_id) FULL JOIN subscribers s USING (subscriber_id)"
    )
    with pytest.raises(Refusal) as refused:
        compile_query(kept, catalog)
    assert refused.value.code is Code.JOIN


def test_a_full_join_of_people_with_public_rows_is_refused(catalog: Catalog) -> None:
    for sides in ("events FULL JOIN cells USING (cell_id)", "cells FULL JOIN events USING (cell_id)"):
        with pytest.raises(Refusal) as refused:
            compile_query(f"SELECT COUNT(*) FROM {sides}", catalog)
        assert refused.value.code is Code.JOIN


def test_a_full_join_cannot_be_a_scalar_subquery(catalog: Catalog) -> None:
    both = "(SELECT COUNT(*) AS n FROM cells) a FULL JOIN (SELECT COUNT(*) AS m FROM hours) b ON n < m"
    assert compile_query(f"SELECT (SELECT n FROM {both.replace('FULL', 'LEFT')}) AS x", catalog)
    with pytest.raises(Refusal) as refused:
        compile_query(f"SELECT (SELECT n FROM {both}) AS x", catalog)
    assert refused.value.code is Code.SUBQUERY


_CELLS = "SELECT c.cell_id FROM cells c {} JOIN hours h ON h.h = c.cell_id AND c.cell_id = 1"
_HOWS = ("INNER", "LEFT", "RIGHT", "FULL")


def test_each_join_below_a_boundary_has_a_text_of_its_own(catalog: Catalog) -> None:
    assert len(_texts(catalog)) == len(_HOWS)


def test_a_full_join_written_as_a_left_one_is_found(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: the same text for both, so that one would be answered by what is stored of the other."""
    monkeypatch.setattr(
        CanonicalForm, "_full_join_text", lambda canon, join: canon._join_text(replace(join, kind="left"))[0]
    )
    assert len(_texts(catalog)) < len(_HOWS)


def _texts(catalog: Catalog) -> set[str]:
    counted = "SELECT COUNT(*) AS n FROM events e JOIN ({}) x USING (cell_id)"
    return {compile_query(counted.format(_CELLS.format(how)), catalog).plans[0].canonical_text for how in _HOWS}


def test_a_value_computed_below_a_full_join_is_not_the_one_computed_above_it(catalog: Catalog) -> None:
    """It is NULL where nothing matched: `1` above the join never is."""
    below = "(SELECT cell_id, 1 AS one FROM cells) c FULL JOIN hours h ON h.h = c.cell_id"
    above = "cells c FULL JOIN hours h ON h.h = c.cell_id"
    sql = "SELECT COUNT(*) AS n FROM events e JOIN (SELECT c.cell_id, {} AS one FROM {}) x USING (cell_id) WHERE x.one = 1"
    texts = {
        compile_query(sql.format(*each), catalog).plans[0].canonical_text for each in (("c.one", below), ("1", above))
    }
    assert len(texts) == 2


def test_a_full_join_condition_is_no_predicate_of_its_result(catalog: Catalog) -> None:
    assert compile_query(_CELLS.format("INNER"), catalog).outer.predicates
    assert not compile_query(_CELLS.format("FULL"), catalog).outer.predicates
