"""Numbers instead of texts as group keys: the same keys and the same exact integers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from importlib import import_module

import duckdb
import pytest

import dialect
from dialect.algebra.codegen_types import Shortcut, Target
from dialect.algebra.release_plan import PrivatePlan
from dialect.catalog.model import Catalog
from dialect.codegen.contribution.clipping import value_grains
from dialect.codegen.contribution.pushdown import Dictionary, encode_text_keys, pre_grain_values

public_side, render = (
    import_module("dialect.codegen.contribution.pushdown"),
    import_module("dialect.codegen.partials"),
)  # the face shows the function of this name
Answer = Callable[..., list[tuple[object, ...]]]

CODED = (
    "SELECT c.zone, COUNT(*), SUM(e.dwell_s) FROM events e JOIN cells c ON c.cell_id = e.cell_id GROUP BY 1",
    "SELECT c.zone, COUNT(*) FROM events e LEFT JOIN cells c ON c.cell_id = e.cell_id AND c.zone <> 'C3' GROUP BY 1",
    (
        "SELECT z, COUNT(*) FROM events e JOIN (SELECT cell_id, zone AS z FROM cells WHERE zone > 'C1') c USING (cell_id)"
        " WHERE z IN ('C1', 'C2', 'nowhere') GROUP BY 1"
    ),
    (
        "WITH seen AS (SELECT c.zone AS z, hour(ts) AS h FROM events JOIN cells c USING (cell_id) WHERE c.zone <> 'C2')"
        " SELECT z, h, COUNT(*) FROM seen GROUP BY ALL"
    ),
    (
        "SELECT c.zone, d.zone, COUNT(*) FROM events e JOIN cells c USING (cell_id)"
        " JOIN events f ON f.subscriber_id = e.subscriber_id JOIN cells d ON d.cell_id = f.cell_id GROUP BY 1, 2"
    ),
)
LEFT_ALONE = (
    "SELECT cell_id, COUNT(*) FROM events GROUP BY 1",
    "SELECT gender, COUNT(*) FROM subscribers GROUP BY 1",
    "SELECT upper(c.zone), COUNT(*) FROM events e JOIN cells c USING (cell_id) GROUP BY 1",
    "SELECT c.lon, COUNT(*) FROM events e JOIN cells c USING (cell_id) GROUP BY 1",
)


@pytest.fixture(scope="module")
def answer(plan_of: Callable[[str], PrivatePlan], catalog: Catalog, target: Target, folder: object) -> Answer:
    """Run the bounded SQL of a question over cells of which one has no zone."""
    connection = duckdb.connect()
    connection.execute(f"ATTACH '{folder}/D/attack.duckdb' AS d (READ_ONLY)")
    for table in catalog.tables:
        connection.execute(f"CREATE TABLE {table.name} AS FROM d.{table.name}")
    connection.execute("UPDATE cells SET zone = NULL WHERE cell_id = 3")

    def run(sql: str, *without: Shortcut) -> list[tuple[object, ...]]:
        plan, switched = plan_of(sql), replace(target, shortcuts=target.shortcuts - {*without})
        return connection.execute(
            dialect.generate_sql(plan, dialect.bound_contributions(plan, catalog, 25), switched, None).text
        ).fetchall()

    return run


@pytest.mark.parametrize("sql", CODED)
def test_dictionary_encoded_keys_give_the_same_rows(
    sql: str, answer: Answer, plan_of: Callable[[str], PrivatePlan]
) -> None:
    assert encode_text_keys(plan_of(sql))[1]
    coded = answer(sql)
    assert coded == answer(sql, Shortcut.DICTIONARY_CODES)
    assert any(row[-1] for row in coded)


@pytest.mark.parametrize("sql", LEFT_ALONE)
def test_keys_of_other_tables_are_not_encoded(sql: str, plan_of: Callable[[str], PrivatePlan]) -> None:
    plan = plan_of(sql)
    assert encode_text_keys(plan) == (plan, {})


def test_codes_of_other_rows_are_found(answer: Answer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Plant a bug: ranks among other rows than those that are read."""
    right, codes = answer(CODED[0]), render.dictionary_sql

    def among_fewer(coded: Dictionary, target: Target) -> str:
        return codes(coded, replace(target, addresses={**target.addresses, "cells": "(FROM cells WHERE zone > 'C1')"}))

    monkeypatch.setattr(render, "dictionary_sql", among_fewer)
    assert answer(CODED[0]) != right


CELLS = (
    "(SELECT cell_id, zone, least(greatest(lat - 20, 0), 90) AS y, least(greatest(cell_id * 7, 0), 99) AS n FROM cells)"
)
GRAINED = (
    f"SELECT c.zone, SUM(c.n), AVG(c.y), SUM(c.y) FROM events e JOIN {CELLS} c USING (cell_id) GROUP BY 1",
    f"SELECT hour(ts), SUM(y) FROM events e LEFT JOIN {CELLS} c ON c.cell_id = e.cell_id AND c.cell_id <> 2 GROUP BY 1",
    f"SELECT SUM(x) FILTER (WHERE h > 3) FROM (SELECT y AS x, hour(ts) AS h FROM events JOIN {CELLS} c USING (cell_id))",
)


@pytest.mark.parametrize("sql", GRAINED)
def test_converting_public_values_to_grains_early_changes_no_result(
    sql: str, answer: Answer, plan_of: Callable[[str], PrivatePlan], catalog: Catalog
) -> None:
    plan = plan_of(sql)
    assert pre_grain_values(plan, dialect.bound_contributions(plan, catalog, 25))[1]
    early = answer(sql)
    assert early == answer(sql, Shortcut.PUBLIC_GRAINS)
    assert any(row[-1] for row in early)


def test_grains_of_another_size_are_found(answer: Answer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Plant a bug: public rows count in halves of a grain."""
    right = answer(GRAINED[0])
    monkeypatch.setattr(public_side, "value_grains", lambda *given: f"2 * ({value_grains(*given)})")
    assert answer(GRAINED[0]) != right
