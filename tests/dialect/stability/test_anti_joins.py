"""LEFT JOIN with WHERE right IS NULL becomes an anti-join if the right column is never NULL."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from dialect import compile_query
from dialect.algebra.relations import Relation, SemiJoin, row_inputs
from dialect.algebra.release_plan import ClipRule
from dialect.catalog.model import Catalog
from dialect.sensitivity.bounding import bound_contributions
from engine.catalog.file import load_catalog

NONE = "FROM subscriber s LEFT JOIN visit v ON v.subscriber_id = s.subscriber_id"
# what follows SELECT COUNT(*) -> whether rows are kept that met none
ASKED = {
    f"{NONE} WHERE v.visit_id IS NULL": True,
    f"{NONE} WHERE v.subscriber_id IS NULL AND s.gender = 'f'": True,
    f"{NONE} AND v.place_id = 'P1' WHERE v.place_id IS NULL": True,
    "FROM visit v RIGHT JOIN subscriber s USING (subscriber_id) WHERE v.visit_id IS NULL": True,
    f"{NONE} WHERE v.approach_dir IS NULL": False,
    f"{NONE} WHERE v.visit_id IS NULL OR s.gender = 'f'": False,
    f"{NONE} WHERE coalesce(v.dwell_min, 0) = 0": False,
    f"{NONE} WHERE s.subscriber_id IS NULL": False,
    f"{NONE} WHERE v.visit_id IS NOT NULL": False,
    "FROM subscriber s JOIN visit v USING (subscriber_id) WHERE v.visit_id IS NULL": False,
    "FROM visit v LEFT JOIN place p USING (place_id) WHERE p.name IS NULL": False,
    "FROM zone z LEFT JOIN visit v USING (zone_id) WHERE z.zone_id IS NULL": False,
    "FROM subscriber s LEFT JOIN visit v USING (subscriber_id) LEFT JOIN trip t USING (subscriber_id) WHERE v.visit_id IS NULL": False,
}


@pytest.fixture(scope="module")
def operator() -> Catalog:
    return load_catalog(Path("engine/catalog/operator/catalog.toml"))


@pytest.mark.parametrize("sql", ASKED)
def test_unmatched_outer_join_rows_become_an_anti_join(sql: str, operator: Catalog) -> None:
    (plan,) = compile_query(f"SELECT COUNT(v.visit_id) {sql}", operator).plans
    assert any(isinstance(each.operator, SemiJoin) for each in _below(plan.source)) == ASKED[sql]


def test_people_without_rows_count_once(operator: Catalog) -> None:
    (plan,) = compile_query(f"SELECT COUNT(*) {NONE} WHERE v.visit_id IS NULL", operator).plans
    (found,) = bound_contributions(plan, operator, None).vectors
    assert plan.has_one_row_per_person and (found.rule, found.clip_bound) == (ClipRule.UNCLIPPED, 1.0)


def test_a_primary_key_is_never_null(operator: Catalog) -> None:
    tables = [
        replace(t, columns=tuple(replace(c, nullable=True) for c in t.columns)) if t.name == "visit" else t
        for t in operator.tables
    ]
    for key, unmatched in (("visit_id",), True), ((), False):
        declared = [replace(t, primary_key=key) if t.name == "visit" else t for t in tables]
        (plan,) = compile_query(
            f"SELECT COUNT(*) {NONE} WHERE v.visit_id IS NULL", replace(operator, tables=tuple(declared))
        ).plans
        assert plan.has_one_row_per_person == unmatched


def _below(relation: Relation) -> Iterator[Relation]:
    yield relation
    for each in row_inputs(relation):
        yield from _below(each)
