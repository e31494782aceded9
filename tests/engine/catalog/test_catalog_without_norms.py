"""A catalog that declares no clip bound: it is read, asks nothing of its steward, and answers every question."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from dialect import compile_query
from dialect.catalog.model import Catalog
from dialect.sensitivity import declares_clip_bounds
from engine.pipeline.bias import clip_bound_origins, column_biases
from engine.pipeline.engine import Engine
from engine.pipeline.explain import explain
from engine.pipeline.notes import question_notes
from engine.pricing.query_terms import Request
from tests.engine.town import CATALOG, ROWS, make_town, opened
from tests.support.without_norms import without_norms

SEEN_ROWS = """
CREATE TABLE seen AS SELECT 1 + i % 50 AS person_id, TIMESTAMP '2026-10-01 08:00:00' + to_minutes(i * 7) AS at,
       'z' || (i // 100 % 7) AS zone, i % 5 * 0.01 AS lon, 0.0 AS lat FROM range(1, 2001) AS t(i);
"""
SEEN = """
[tables.seen]
dataset = "town"
kind = "private"
source = { duckdb = "town.duckdb", table = "seen" }
person = "person_id"
time_column = "at"
size_class = "1e3"
movement = { zone = "zone", lon = "lon", lat = "lat" }
[tables.seen.columns]
person_id = { type = "BIGINT" }
at = { type = "TIMESTAMP", range = ["2026-10-01", "2026-10-31"], nullable = false }
zone = { type = "VARCHAR", values_of = "zone.zone", nullable = false }
lon = { type = "DOUBLE", bounds = [-1, 1] }
lat = { type = "DOUBLE", bounds = [-1, 1] }
"""
QUESTIONS = {
    "count": "SELECT COUNT(*) AS n FROM visit",
    "people": "SELECT zone, COUNT(DISTINCT person_id) AS n FROM visit GROUP BY zone",
    "sum": "SELECT zone, SUM(minutes) AS n FROM visit GROUP BY zone",
    "average": "SELECT zone, AVG(minutes) AS n, AVG(coins) AS m FROM visit GROUP BY zone",
    "variance": "SELECT VAR_SAMP(coins) AS n FROM visit",
    "different values": "SELECT zone, COUNT(DISTINCT coins) AS n FROM visit GROUP BY zone",
    "private keys": "SELECT shop, COUNT(*) AS n FROM visit GROUP BY shop",
    "median": "SELECT MEDIAN(minutes) AS n FROM visit",
    "join": "SELECT gender, COUNT(*) AS n FROM visit JOIN person USING (person_id) GROUP BY gender",
    "person's rows": "SELECT AVG(k) AS n FROM (SELECT person_id, COUNT(*) AS k FROM visit GROUP BY person_id) AS p",
    "through a path": "SELECT SUM(price) AS n FROM purchase",
    "union": "SELECT COUNT(*) AS n FROM (SELECT visit_id FROM visit UNION ALL SELECT visit_id FROM purchase) AS u",
    "stays": "SELECT zone_id, COUNT(*) AS n, SUM(dwell_min) AS m FROM stays(seen) GROUP BY zone_id",
    "trips": "SELECT COUNT(*) AS n, AVG(dist_km) AS km FROM trips(seen)",
}


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    return make_town(tmp_path_factory.mktemp("town"), ROWS + SEEN_ROWS, without_norms(CATALOG + SEEN))


@pytest.fixture(scope="module")
def undeclared(catalog: Catalog) -> Iterator[Engine]:
    with opened(catalog, Path(catalog.path).parent) as engine:
        yield engine


def test_no_clip_bound_is_declared(catalog: Catalog) -> None:
    assert all(table.clip_bounds is None for table in catalog.tables)
    assert all(column.sum_clip_bound is None for table in catalog.tables for column in table.columns)


@pytest.mark.parametrize("title", QUESTIONS)
def test_every_question_is_answered(undeclared: Engine, title: str) -> None:
    answered = undeclared.answer(QUESTIONS[title], Request("ann"))
    assert answered.answer.table.num_rows or title == "private keys"


@pytest.mark.parametrize("title", [title for title in QUESTIONS if title not in ("different values", "median")])
def test_nothing_is_predicted_of_a_fallback_clip_bound(undeclared: Engine, title: str) -> None:
    """The bias is unknown, unless nothing can be clipped, and a note says that nobody declared a clip bound."""
    found = explain(undeclared, QUESTIONS[title], Request("ann"))
    clipped = [origin for each in found.reported for origin in clip_bound_origins(each) if origin]
    assert all(origin.startswith("not declared: ") for origin in clipped)
    if clipped:
        assert None in column_biases(found.question, found.prepared).values()
        texts = [note.text for note in question_notes(found)]
        assert any("no bound is declared" in text or text.startswith("What one person adds") for text in texts)


def test_fallback_clip_bounds_follow_size_classes_and_limits(catalog: Catalog) -> None:
    tables = {table.name: table.applied_clip_bounds for table in catalog.tables if table.private}
    found = {name: (bounds.rows, bounds.persons, bounds.expected_coverage) for name, bounds in tables.items()}
    many = (4 * 1e3 / 1e2, 20**0.5, None)  # four times the mean of a person
    assert found == {"person": (1.0, 1.0, None), "visit": (40.0, 2.0, None), "purchase": many, "seen": many}
    (visit,) = (table for table in catalog.tables if table.name == "visit")
    changed = {
        64.0: replace(visit, mean_rows_per_person=None),  # no table lists the people
        8.0: replace(visit, mean_rows_per_person=0.01),
        5.0: replace(visit, max_rows_per_person=5),
    }
    assert all(table.applied_clip_bounds.rows == rows for rows, table in changed.items())


def test_a_plan_declares_its_clip_bounds_if_its_widest_tables_do(catalog: Catalog, town: Catalog) -> None:
    """Rows of visits are counted in a join with people, whichever of the two tables declares a clip bound."""
    joined = "SELECT COUNT(*) FROM visit JOIN person USING (person_id)"
    declared = {table.name: table for table in town.tables}
    for name, is_declared in (("visit", True), ("person", False)):
        tables = tuple(declared[name] if table.name == name else table for table in catalog.tables)
        mixed = Catalog(catalog.name, catalog.path, catalog.datasets, tables)
        (plan,) = compile_query(joined, mixed).plans
        assert declares_clip_bounds(plan, mixed) is is_declared
