"""Ineligible people are as good as deleted: the exact vectors are the same, to the last integer."""

from __future__ import annotations

import os
import random
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from dialect import Catalog, Target, compile_query
from dialect.catalog.model import IsIn
from engine.backends.duckdb import Limits
from engine.catalog.eligibility import eligibility_filter
from engine.pipeline.engine import Engine
from engine.pricing.query_terms import Request
from tests.engine.town import CATALOG, make_town, opened
from tests.support.sql.passes import passes

# Tight bounds, so that whoever is read pushes others out of nothing but their own share.
DECLARED = CATALOG.replace("rows = 20, persons = 3", "rows = 2, persons = 1").replace("sum_norm = 600", "sum_norm = 40")
QUESTIONS = (
    "SELECT COUNT(*) AS n, COUNT(DISTINCT person_id) AS p FROM visit",
    "SELECT zone, COUNT(*) AS n, COUNT(DISTINCT person_id) AS p, SUM(minutes) AS m FROM visit GROUP BY zone",
    "SELECT zone, AVG(minutes) AS m FROM visit WHERE coins > 0 GROUP BY zone",
    "SELECT shop, COUNT(*) AS n FROM visit GROUP BY shop",
    "SELECT gender, COUNT(*) AS n FROM person GROUP BY gender",
    "SELECT SUM(price) AS s FROM purchase",
    "SELECT p.gender, COUNT(*) AS n FROM visit v JOIN person p USING (person_id) GROUP BY 1",
    "SELECT AVG(c) AS c FROM (SELECT person_id, COUNT(*) AS c FROM visit GROUP BY person_id) AS q",
)
WORLDS = 1_000 if os.environ.get("PASSERSBY_NIGHTLY") else 10
Visit = tuple[int, int, int, int]  # person 1 to 8, who need not exist, or 0, nobody; zone; shop; coins


def random_world(draw: random.Random) -> tuple[list[str | None], list[Visit]]:
    """Draw up to eight people with their states, and up to 25 visits."""
    people = [draw.choice(["yes", "yes", "yes", "no", "", None]) for _ in range(draw.randint(0, 8))]
    sizes = (8, 6, 2, 9)
    visits = [tuple(draw.randint(0, size) for size in sizes) for _ in range(draw.randint(0, 25))]
    return people, visits  # type: ignore[return-value]


def statements(people: list[str | None], visits: list[Visit]) -> str:
    """Write the town of these people."""

    def rows(values: list[str], columns: str, nothing: str) -> str:
        if not values:
            return f"SELECT {nothing} LIMIT 0"
        return f"SELECT * FROM (VALUES {', '.join(values)}) AS t({columns})"

    persons = [
        f"({i}::BIGINT, '{'fm'[i % 2]}', {'NULL' if state is None else repr(state)}::VARCHAR)"
        for i, state in enumerate(people, start=1)
    ]
    seen = [
        f"({person or 'NULL'}::BIGINT, {i}::BIGINT, 'z{zone}', 'shop {shop}', {coins}::INTEGER, {10.5 * coins}::DOUBLE,"
        f" DATE '2026-10-01' + {i % 4})"
        for i, (person, zone, shop, coins) in enumerate(visits, start=1)
    ]
    bought = [f"({i}::BIGINT, {i % (len(visits) + 3)}::BIGINT, {i % 20}::BIGINT)" for i in range(len(visits))]
    nobody = "1::BIGINT AS person_id, 'f' AS gender, 'yes' AS consent"
    no_visit = (
        "1::BIGINT AS person_id, 1::BIGINT AS visit_id, 'z' AS zone, 's' AS shop, 1::INTEGER AS coins,"
        " 1::DOUBLE AS minutes, DATE '2026-10-01' AS \"day\""
    )
    nothing = "1::BIGINT AS purchase_id, 1::BIGINT AS visit_id, 1::BIGINT AS price"
    return f"""
    CREATE TABLE person AS {rows(persons, "person_id, gender, consent", nobody)};
    CREATE TABLE visit AS {rows(seen, 'person_id, visit_id, zone, shop, coins, minutes, "day"', no_visit)};
    CREATE TABLE purchase AS {rows(bought, "purchase_id, visit_id, price", nothing)};
    CREATE TABLE zone AS SELECT 'z' || i AS zone, 'Zone' AS name, i AS inhabitants FROM range(0, 7) AS t(i);
    """


DELETE = """
CREATE OR REPLACE TEMP TABLE gone AS SELECT person_id FROM visit WHERE person_id NOT IN
    (SELECT person_id FROM person WHERE consent = 'yes');
DELETE FROM purchase WHERE visit_id IN (SELECT visit_id FROM visit WHERE person_id IN (FROM gone));
DELETE FROM visit WHERE person_id IN (FROM gone);
DELETE FROM person WHERE consent IS DISTINCT FROM 'yes';
"""


def exact(engine: Engine, world: str) -> list[object]:
    """Keys and exact vectors of every query in one world."""
    names = [table.name for table in engine.catalog.tables]
    target = Target({name: f"stored0.{world}.{name}" for name in names})
    backend = replace(engine.backend, target=target)
    found: list[object] = []
    for sql in QUESTIONS:
        (prepared,) = (
            replace(engine, backend=backend).compile(compile_query(sql, engine.catalog), Request("ann")).releases
        )
        for _, numbers in passes(prepared, backend):
            found.append((numbers.keys.to_pydict(), [vector.tolist() for vector in numbers.vectors]))
    return found


def test_objectors_are_as_good_as_deleted(tmp_path: Path) -> None:
    """Random worlds, each twice: with the rows of whoever is not admitted, and without."""
    draw = random.Random(121)
    catalog = make_town(tmp_path, declared=DECLARED)  # of which only the declarations are used
    with duckdb.connect(str(tmp_path / "town.duckdb")) as connection:
        for world in range(WORLDS):
            made = statements(*random_world(draw))
            for name, rows in ((f"with_{world}", made), (f"without_{world}", made + DELETE)):
                connection.execute(f"CREATE SCHEMA {name}; USE {name}; {rows}")
    with opened(catalog, tmp_path / "cache", limits=Limits(threads=1)) as engine:
        found = [(exact(engine, f"with_{world}"), exact(engine, f"without_{world}")) for world in range(WORLDS)]
    assert [with_them for with_them, _ in found] == [without for _, without in found]
    assert sum(any(any(vector) for vector in vectors) for pair in found for _, vectors in pair[0]) > WORLDS


def test_consent_in_one_table_decides_for_all_tables(town: Catalog) -> None:
    found = eligibility_filter(town, "town")
    assert found.table is town.tables_by_name.get("person")
    assert (found.person_type, found.conditions) == ("BIGINT", (IsIn("consent", ("yes",)),))


def test_without_declared_consent_everybody_is_eligible(town: Catalog) -> None:
    person = town.tables_by_name.get("person")
    assert person is not None
    without = tuple(replace(table, consent=None) if table is person else table for table in town.tables)
    found = eligibility_filter(replace(town, tables=without), "town")
    assert (found.table, found.conditions) == (None, ()), "then only who has objected is left out"


@pytest.mark.parametrize("admitted", ['["yes"]', '["yes", "no"]', '["nobody"]'])
def test_eligible_rows_are_those_with_the_declared_consent(tmp_path: Path, admitted: str) -> None:
    declared = CATALOG.replace('admitted = ["yes"]', f"admitted = {admitted}")
    with opened(make_town(tmp_path, declared=declared), tmp_path / "cache") as engine:
        (prepared,) = engine.compile(
            compile_query("SELECT COUNT(DISTINCT person_id) AS n FROM visit", engine.catalog), Request("a")
        ).releases
        (counted,) = engine.backend.run(prepared.sql).vectors
        grain = prepared.bounds.vectors[0].grain_size
    states = admitted.replace('"', "'").replace("[", "(").replace("]", ")")
    with duckdb.connect(str(tmp_path / "town.duckdb"), read_only=True) as plain:
        truth = plain.execute(
            "SELECT count(DISTINCT v.person_id) FROM visit v JOIN person p USING (person_id)"
            f" WHERE p.consent IN {states}"
        ).fetchall()
    assert counted[0] * grain == truth[0][0]
