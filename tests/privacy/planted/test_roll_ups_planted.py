"""Bugs of several sets of keys, planted one by one: each is found by the questions by hand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import pytest
from sqlglot import exp

from dialect.algebra.expressions import Call, Case, Expr, Literal, Ref
from dialect.algebra.relations import Filter, Released
from dialect.algebra.release_plan import VectorKind
from dialect.binder.group_by import GroupResolver
from dialect.catalog.model import SqlType
from dialect.functions.registry import OVERLOADS_BY_NAME
from dialect.planner import grouping_set_reuse
from dialect.planner.keys.key_set import public_lists
from dialect.planner.keys.public_domains import PublicList
from dialect.planner.releases import plan_release_point
from tests.support.sql.oracle import Oracle
from tests.support.sql.sql_cases import sql_cases
from tests.support.worlds import make_world

CASES = {case.title: case.sql for case in sql_cases("exact_groupings")}
_IS_NULL, _NOT = OVERLOADS_BY_NAME["is null"][0].row_name, OVERLOADS_BY_NAME["not"][0].row_name
OUTSIDE = "SELECT cell_id, COUNT(*) AS n FROM events GROUP BY ROLLUP (cell_id)"


@pytest.fixture(scope="module")
def oracle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Oracle]:
    with Oracle(make_world("operator", tmp_path_factory.mktemp("operator"))) as made:
        yield made


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Oracle]:
    with Oracle(make_world("attack", tmp_path_factory.mktemp("attack"))) as made:
        yield made


def test_persons_that_are_added_up_are_found(oracle: Oracle, monkeypatch: pytest.MonkeyPatch) -> None:
    sql = CASES["people are not added up"]
    assert oracle.ask(sql).difference is None
    monkeypatch.setattr(grouping_set_reuse, "SHOWN_ADDITIVE_KINDS", tuple(VectorKind))
    monkeypatch.setattr(
        grouping_set_reuse, "_mean_log_sensitivity", lambda draft: 0.0
    )  # its norm alone speaks against it here
    assert oracle.ask(sql).difference is not None


def test_the_null_of_a_set_taken_for_a_null_key_is_found(oracle: Oracle, monkeypatch: pytest.MonkeyPatch) -> None:
    sql = CASES["a null of a set is told from a null key"]
    assert oracle.ask(sql).difference is None

    def is_null_key(names: GroupResolver, node: exp.Grouping) -> Expr:
        key = names.bind_special(node.expressions[0])
        assert key is not None
        one, none = Literal(1, SqlType.BIGINT), Literal(0, SqlType.BIGINT)
        return Case(((Call(_IS_NULL, (key,), SqlType.BOOLEAN), one),), none, SqlType.BIGINT)

    monkeypatch.setattr(GroupResolver, "_bind_grouping", is_null_key)
    assert oracle.ask(sql).difference is not None


def test_a_null_key_that_is_not_added_up_is_found(oracle: Oracle, monkeypatch: pytest.MonkeyPatch) -> None:
    sql = CASES["a total that is added up, and a key that is NULL"]
    assert oracle.ask(sql).difference is None

    def without(boundary, planning):
        below = plan_release_point(boundary, planning)
        there = Call(_NOT, (Call(_IS_NULL, (Ref(below.fields[0]),), SqlType.BOOLEAN),), SqlType.BOOLEAN)
        return Released(Filter(below, there), below.fields)

    monkeypatch.setattr(grouping_set_reuse, "plan_release_point", without)
    assert oracle.ask(sql).difference is not None


def test_a_declared_list_taken_for_a_closed_one_is_found(attacked: Oracle, monkeypatch: pytest.MonkeyPatch) -> None:
    total = f"SELECT n FROM ({OUTSIDE.replace('COUNT', 'GROUPING(cell_id) AS g, COUNT')}) WHERE g = 1"
    assert attacked.ask(total).difference is None

    def closed(*given) -> Mapping[Expr, PublicList]:
        return {
            expr: replace(each, source=replace(each.source, is_exhaustive=True), size=2)
            for expr, each in public_lists(*given).items()
        }

    monkeypatch.setattr(grouping_set_reuse, "public_lists", closed)
    assert attacked.ask(total).difference is not None
