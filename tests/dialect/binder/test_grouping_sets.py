"""Several sets of keys in one GROUP BY: which there are, what each costs, and what is refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dialect.algebra.relations import BoundQuery, PerPerson, Public, Released
from dialect.binder.group_by import MAX_SETS
from dialect.errors import Code, Refusal
from dialect.postprocess.question import Question

SETS = {
    "ROLLUP (cell_id, hour(ts))": [("cell_id", "hour(ts)"), ("cell_id",), ()],
    "CUBE (cell_id, hour(ts))": [("cell_id", "hour(ts)"), ("cell_id",), ("hour(ts)",), ()],
    "GROUPING SETS ((cell_id), (hour(ts)))": [("cell_id",), ("hour(ts)",)],
    "hour(ts), ROLLUP (cell_id)": [("cell_id", "hour(ts)"), ("hour(ts)",)],
    "ROLLUP ((cell_id, hour(ts)))": [("cell_id", "hour(ts)"), ()],
    "GROUPING SETS (cell_id, cell_id)": [("cell_id",)],  # one release answers both
    "(cell_id, hour(ts))": [("cell_id", "hour(ts)")],
    "()": [()],
}


@pytest.mark.parametrize("clause", SETS)
def test_each_set_of_keys_is_a_release(clause: str, ask: Callable[[str], Question]) -> None:
    question = ask(f"SELECT COUNT(*) FROM events GROUP BY {clause}")
    assert [tuple(key.canonical_text for key in plan.keys) for plan in question.plans] == SETS[clause]


def test_the_kind_is_that_of_each_set(rows_of: Callable[[str], BoundQuery]) -> None:
    sql = "SELECT {} FROM {} GROUP BY {}"
    assert isinstance(rows_of(sql.format("zone", "cells", "CUBE (zone, lat)")).relation, Public)
    assert isinstance(rows_of(sql.format("cell_id", "events", "ROLLUP (cell_id)")).relation, Released)
    persons = rows_of(sql.format("subscriber_id, cell_id", "events", "subscriber_id, ROLLUP (cell_id)")).relation
    assert isinstance(persons, PerPerson)
    assert persons.person.name == "subscriber_id" and not persons.has_one_row_per_person and persons.max_rows == 201


REFUSED = {
    "SELECT COUNT(*) FROM events GROUP BY ROLLUP (subscriber_id)": Code.KEY,
    "SELECT COUNT(*) FROM events GROUP BY GROUPING SETS ((subscriber_id, cell_id), (cell_id))": Code.KEY,
    "SELECT cell_id, GROUPING(lat) FROM events GROUP BY ROLLUP (cell_id)": Code.KEY,
    "SELECT GROUPING(cell_id) FROM events": Code.KEY,
    "SELECT COUNT(*) FROM events GROUP BY CUBE (cell_id, lat, lon, ts, dwell_s, hour(ts))": Code.COMPLEX,
    "SELECT COUNT(*) FROM events GROUP BY CUBE (cell_id, lat, lon), CUBE (ts, dwell_s, hour(ts))": Code.COMPLEX,
    "SELECT lat, COUNT(*) FROM events GROUP BY ROLLUP (cell_id)": Code.KEY,
    "SELECT COUNT(*) FROM events GROUP BY ROLLUP (cell_id, ts)": Code.KEY,
}


@pytest.mark.parametrize("sql", REFUSED)
def test_an_invalid_grouping_set_is_refused(sql: str, refused: Callable[[str], Refusal]) -> None:
    assert refused(sql).code is REFUSED[sql]


def test_as_many_sets_as_allowed_are_read(ask: Callable[[str], Question]) -> None:
    assert len(ask("SELECT COUNT(*) FROM cells GROUP BY CUBE (cell_id, zone, lat, lon, lat + lon)").plans) == 0
    assert MAX_SETS == 2**5


def test_key_sets_of_grouping_sets_contain_null(ask: Callable[[str], Question]) -> None:
    groups = "SELECT subscriber_id, cell_id, COUNT(*) AS n FROM events GROUP BY subscriber_id, ROLLUP (cell_id)"
    (plan,) = ask(f"SELECT cell_id, AVG(n) FROM ({groups}) GROUP BY 1").plans
    assert plan.key_set is not None and plan.key_set.keys[0].nullable
