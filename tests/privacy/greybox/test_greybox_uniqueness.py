"""Rows without stored columns are ordered by computed ones: neither threads nor row order decide a number."""

from __future__ import annotations

import os
from dataclasses import replace
from importlib import import_module
from typing import Any

import duckdb
import pytest

from dialect import Catalog
from dialect.algebra.expressions import Field
from dialect.algebra.relations import PerPerson, RowTruncation
from tests.support.greybox.greybox import GreyBox, SensitivityExceeded, UnexpectedChange, check_drawn
from tests.support.greybox.greybox_data import (
    VICTIM,
    Database,
    Declared,
    Run,
    Subscriber,
    declare,
    declared_as,
    make_worlds,
)
from tests.support.greybox.greybox_questions import Source, questions

EXAMPLES = 10_000 if os.environ.get("PASSERSBY_NIGHTLY") else 16
dependencies, write_cut, joins = (
    import_module("dialect.analysis.uniqueness"),
    import_module("dialect.codegen.relations.relation"),
    import_module("dialect.stability.joins"),
)

DIFFERENT = "(SELECT DISTINCT subscriber_id, cell_id * 2 AS c, hour(ts) AS h FROM events)"
GROUPED = "(SELECT subscriber_id, cell_id * 2 AS c, hour(ts) AS h, COUNT(*) AS n FROM events GROUP BY ALL)"
JOINED = "JOIN events e ON e.subscriber_id = d.subscriber_id AND e.cell_id = d.c"
# fmt: off
QUESTIONS = (
    f"SELECT COUNT(*) FROM (SELECT c, lag(c) OVER (PARTITION BY subscriber_id ORDER BY h) AS p FROM {DIFFERENT} d) x WHERE p > c",
    f"SELECT c, COUNT(*) FROM (SELECT c, row_number() OVER (PARTITION BY subscriber_id ORDER BY h) AS k FROM {DIFFERENT} d) x WHERE k <= 2 AND c BETWEEN 0 AND 20 GROUP BY 1",
    f"SELECT COUNT(*) FROM (SELECT c, lag(c) OVER (PARTITION BY subscriber_id ORDER BY n) AS p FROM {GROUPED} d) x WHERE p > c",
    f"SELECT hour(e.ts), COUNT(*) FROM {DIFFERENT} d {JOINED} GROUP BY 1",
    f"SELECT hour(e.ts), COUNT(*) FROM {GROUPED} d {JOINED} GROUP BY 1",
)
SOURCES = (
    Source(f"(SELECT *, lag(c) OVER (PARTITION BY subscriber_id ORDER BY h) AS p FROM {DIFFERENT} d) x", "x.subscriber_id", ("x.h", "x.p > x.c"), ("LEAST(GREATEST(x.c, 0), 9)", "LEAST(GREATEST(x.p, 0), 9)"), ("x.p > x.c", "x.h > 8")),
    Source(f"{DIFFERENT} d {JOINED}", "d.subscriber_id", ("d.h", "hour(e.ts)"), ("e.dwell_s", "e.steps"), ("e.steps > 0", "d.h > 8")),
    Source(f"{GROUPED} d {JOINED}", "d.subscriber_id", ("d.h", "d.n > 1"), ("e.dwell_s", "LEAST(d.n, 9)"), ("d.n > 1",)),
)
# fmt: on
TIMES = ("TIMESTAMP '2026-10-01 08:00:00'", "TIMESTAMP '2026-10-02 09:00:00'")
PEOPLE = (VICTIM, *range(1, 12))
MANY = Database(
    tuple(Run(str(person), 60, 5, cell=cell, ts=ts) for person in PEOPLE for cell in (1, 3) for ts in TIMES),
    tuple(map(Subscriber, PEOPLE)),
    declared=Declared(max_rows=7, rows=50, persons=5, max_groups=5),
)

LATER = "JOIN events o ON e.subscriber_id = o.subscriber_id AND o.ts >= e.ts"
PAIRS = (
    f"SELECT o.cell_id, COUNT(*), SUM(e.dwell_s) FROM events e {LATER} GROUP BY 1",
    f"SELECT e.cell_id, COUNT(*) FROM events e FULL {LATER} GROUP BY 1",
    "SELECT cell_id, COUNT(*) FROM events e WHERE NOT EXISTS (SELECT 1 FROM events o WHERE e.subscriber_id = o.subscriber_id AND o.ts > e.ts) GROUP BY 1",
)
KEYS = (
    "SELECT COUNT(DISTINCT cell_id) FROM events",
    "SELECT hour(ts), COUNT(DISTINCT cell_id), COUNT(*) FROM events GROUP BY 1",
    "SELECT COUNT(DISTINCT e.cell_id) FROM events e JOIN events o USING (subscriber_id, cell_id)",
    "SELECT cell_id, COUNT(*) FROM events WHERE cell_id BETWEEN 0 AND 20 GROUP BY 1",
)


@pytest.fixture
def box(connection: duckdb.DuckDBPyConnection) -> GreyBox:
    make_worlds(connection, MANY)
    return GreyBox(connection, declared_as(declare(), MANY.declared))


@pytest.mark.parametrize("sql", QUESTIONS)
def test_computed_keys_make_rows_unique(sql: str, box: GreyBox) -> None:
    box.check(sql)


@pytest.mark.parametrize("sql", QUESTIONS)
def test_a_uniqueness_bug_that_uses_stored_columns_alone_is_caught(
    sql: str, box: GreyBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stored(fields: tuple[object, ...]) -> list[object]:
        return [f for f in fields if f.definition is None]  # type: ignore[attr-defined]

    for module in (dependencies, write_cut):
        monkeypatch.setattr(module, "identifying_fields", stored)
    with pytest.raises((UnexpectedChange, SensitivityExceeded)):
        for _ in range(5):
            box.check(sql)


def test_one_person_moves_no_vector_further_than_declared(connection: duckdb.DuckDBPyConnection) -> None:
    catalog: Catalog = declare()

    check_drawn(connection, catalog, questions(SOURCES), EXAMPLES)


def few_pairs(connection: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch) -> GreyBox:
    """Open worlds where a join may make 20 pairs of a person's rows."""
    monkeypatch.setattr(joins, "_MAX_PAIRS", 20)
    make_worlds(connection, MANY)
    return GreyBox(connection, declared_as(declare(), replace(MANY.declared, max_rows=200)))


@pytest.mark.parametrize("sql", PAIRS)
def test_smaller_limits_of_joins_are_personal(
    sql: str, connection: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    few_pairs(connection, monkeypatch).check(sql)


@pytest.mark.parametrize("sql", PAIRS)
def test_a_planted_limit_of_joins_over_all_people_is_found(
    sql: str, connection: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    def of_cells(side: PerPerson, person: Field, limit: int, **named: Any) -> RowTruncation:
        cells = (field for field in side.fields if field.name == "cell_id")
        return RowTruncation(side, next(cells, person), limit, **named)

    box = few_pairs(connection, monkeypatch)
    monkeypatch.setattr(joins, "RowTruncation", of_cells)
    with pytest.raises((UnexpectedChange, SensitivityExceeded)):
        box.check(sql)


def repeated_keys(connection: duckdb.DuckDBPyConnection) -> GreyBox:
    """Open worlds where rows repeat a declared primary key."""
    declared = declared_as(declare(), MANY.declared)
    tables = (replace(t, primary_key=("cell_id",)) if t.name == "events" else t for t in declared.tables)
    make_worlds(connection, MANY)
    return GreyBox(connection, replace(declared, tables=tuple(tables)))


@pytest.mark.parametrize("sql", KEYS)
def test_a_declared_key_that_repeats_moves_no_vector_further(sql: str, connection: duckdb.DuckDBPyConnection) -> None:
    repeated_keys(connection).check(sql)
