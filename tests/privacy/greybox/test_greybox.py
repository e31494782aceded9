"""One person moves no exact vector by more than was declared, in whole numbers, on generated data and questions."""

from __future__ import annotations

import os
import random
import re
from dataclasses import replace
from importlib import import_module

import duckdb
import pytest
from hypothesis import strategies as st

from dialect import compile_query
from dialect.catalog.model import Catalog, Column, Domain, SqlType, ValueList, ValueRange
from tests.support.greybox.greybox import SensitivityExceeded, check_drawn, check_on
from tests.support.greybox.greybox_data import VICTIM, Database, Subscriber
from tests.support.greybox.greybox_questions import CHOSEN, EVENTS, MARKS, OTHERS, Source, questions
from tests.support.greybox.norms_pressed import pressing_vectors, scaled
from tests.support.planted import rewritten

clipping = import_module("dialect.codegen.contribution.clipping")

NIGHTLY = bool(os.environ.get("PASSERSBY_NIGHTLY"))
EXAMPLES = 24  # of each half: databases, each with a question, in four worlds; without end: tests/nightly/greybox.py
VECTORS = 100_000 if NIGHTLY else 2_000
NORMS = (2**27, 2**27 - 1, 134_217_689, 100_003, 3)


@pytest.mark.parametrize(
    ("sources", "examples"),
    [(EVENTS, EXAMPLES), (OTHERS, EXAMPLES), (MARKS, EXAMPLES // 5), (CHOSEN, EXAMPLES // 3)],
    ids=["questions of events", "other questions", "of marks", "of rows chosen"],
)
def test_one_person_moves_no_vector_further_than_declared(
    connection: duckdb.DuckDBPyConnection, catalog: Catalog, sources: tuple[Source, ...], examples: int
) -> None:
    check_drawn(connection, catalog, questions(sources), examples)


@pytest.mark.parametrize("sources", [EVENTS, OTHERS], ids=["questions of events", "other questions"])
def test_without_norms_one_person_moves_no_vector_further_than_the_fallback_bound(
    connection: duckdb.DuckDBPyConnection, catalog: Catalog, sources: tuple[Source, ...]
) -> None:
    check_drawn(connection, undeclared(catalog), questions(sources), EXAMPLES // 3)


def undeclared(catalog: Catalog) -> Catalog:
    """Catalog of the grey box without clip bounds and centres; few rows a person, so that fallback bounds bind."""
    columns = {
        table.name: tuple(
            replace(c, sum_clip_bound=None, centred_sum_clip_bound=None, centre=None) for c in table.columns
        )
        for table in catalog.tables
    }
    tables = (
        replace(t, clip_bounds=None, columns=columns[t.name], mean_rows_per_person=0.5) if t.private else t
        for t in catalog.tables
    )
    return replace(catalog, tables=tuple(tables))


@pytest.mark.parametrize("norm", NORMS)
def test_no_vector_exceeds_its_clip_bound(connection: duckdb.DuckDBPyConnection, catalog: Catalog, norm: int) -> None:
    vectors = pressing_vectors(norm, VECTORS)
    assert max(abs(entry) for vector in vectors for entry in vector) == 2**31 - 1
    assert max(scaled(connection, catalog, norm, vectors)) <= 0


def test_vectors_within_their_clip_bound_are_unchanged(connection: duckdb.DuckDBPyConnection, catalog: Catalog) -> None:
    draw = random.Random(5)
    vectors = [[draw.randint(-1_000, 1_000) or 1 for _ in range(9)] for _ in range(200)]
    over = scaled(connection, catalog, 3_000, vectors)
    step = 2**10  # 3,000 grains are cut finer until there are 2^20 of them
    assert over == [(sum(v * v for v in vector) - 3_000**2) * (step // 2) ** 2 for vector in vectors]


def of_key_sets(catalog: Catalog) -> Catalog:
    """Catalog of the grey box whose whole numbers have key sets in place of bounds; most rows are beyond them."""

    def column(declared: Column) -> Column:
        if declared.bounds is None or declared.type is not SqlType.BIGINT:
            return declared
        domain: Domain = ValueRange(-2, 3) if declared.name == "steps" else ValueList((7, 2, None))
        return replace(declared, bounds=None, domain=domain)

    tables = (replace(t, columns=tuple(map(column, t.columns)) if t.private else t.columns) for t in catalog.tables)
    return undeclared(replace(catalog, tables=tuple(tables)))


def test_key_sets_bound_sums_as_declared_bounds_do(connection: duckdb.DuckDBPyConnection, catalog: Catalog) -> None:
    summed = (
        "SELECT SUM(steps) AS s FROM events",
        "SELECT cell_id, AVG(steps) AS a FROM events GROUP BY cell_id",
        "SELECT gender, SUM(age * age) AS s, SUM(2026 - age) AS t FROM subscribers GROUP BY gender",
        "SELECT VAR_SAMP(age) AS v, MEDIAN(age) AS m FROM subscribers",
        "SELECT SUM(m) AS s, AVG(a) AS t FROM (SELECT subscriber_id, MAX(steps) AS m, AVG(steps) AS a FROM events GROUP BY 1)",
    )
    check_drawn(connection, of_key_sets(catalog), st.sampled_from(summed), EXAMPLES // 3)
    sql = "SELECT SUM(steps) AS s, SUM(2026 - age) AS t FROM events JOIN subscribers USING (subscriber_id)"
    (plan,) = compile_query(sql, of_key_sets(catalog)).plans
    assert {(vector.lower, vector.upper) for vector in plan.vectors} == {(-2.0, 3.0), (2019.0, 2024.0)}


@pytest.mark.parametrize("rows", ["subscribers", "(SELECT subscriber_id, MAX(age) AS age FROM subscribers GROUP BY 1)"])
def test_a_planted_key_set_that_clamps_nothing_is_found(
    connection: duckdb.DuckDBPyConnection, catalog: Catalog, monkeypatch: pytest.MonkeyPatch, rows: str
) -> None:
    rewritten(clipping, "_integer_grains", lambda sql: re.sub(r"CASE WHEN (\w+) .*", r"CAST(\1 AS BIGINT)", sql))(
        monkeypatch
    )
    database = Database((), (Subscriber(VICTIM, age="90"), Subscriber(7)))
    with pytest.raises(SensitivityExceeded):
        check_on(connection, of_key_sets(catalog), database, f"SELECT SUM(age) AS s FROM {rows}")
