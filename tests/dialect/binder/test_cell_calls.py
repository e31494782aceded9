"""h3_cell is the parent of the cells that were made of its very arguments, and of nothing else."""

from __future__ import annotations

import pytest

import dialect
from dialect.catalog.model import Catalog
from dialect.errors import Code, Refusal
from tests.support.worlds import make_world

COUNT = "SELECT {} AS cell, count(*) AS n FROM sight s GROUP BY 1"


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    return make_world("places", tmp_path_factory.mktemp("places"))


def _canonical(sql: str, catalog: Catalog) -> list[str]:
    return [plan.canonical_text for plan in dialect.compile_query(sql, catalog).plans]


@pytest.mark.parametrize(
    ("asked", "means"),
    [
        ("h3_cell(lon, lat, 8)", "h3_8"),
        ("h3_cell(s.lon, s.lat, 5)", "h3_5"),
        ("h3_cell(lon, lat, 6)", "h3_parent(h3_8, 6)"),
        ("H3_Cell(lon, lat, 4)", "h3_parent(h3_5, 4)"),  # of the coarsest that is fine enough
    ],
)
def test_a_cell_of_coordinates_is_a_declared_column_or_its_parent(asked: str, means: str, places: Catalog) -> None:
    assert _canonical(COUNT.format(asked), places) == _canonical(COUNT.format(means), places)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT count(*) FROM sight a JOIN sight b USING (person) WHERE h3_cell(b.lon, b.lat, 5) = a.h3_5",
        "WITH s AS (SELECT * FROM sight WHERE kind = 1) SELECT count(*) FROM s WHERE h3_cell(lon, lat, 5) IS NOT NULL",
        "SELECT h3_cell(m.lon, m.lat, 3) AS cell, count(*) FROM mast m GROUP BY 1",
        "SELECT m.mast, count(s.person) FROM mast m LEFT JOIN sight s ON h3_cell(s.lon, s.lat, 5) = h3_cell(m.lon, m.lat, 5) GROUP BY 1",
        "SELECT lon, lat, h3_7, h3_cell(lon, lat, 6) AS c, count(*) FROM mast GROUP BY lon, lat, h3_7, h3_cell(lon, lat, 6)",
    ],
)
def test_a_cell_call_is_allowed_wherever_a_column_is(sql: str, places: Catalog) -> None:
    dialect.compile_query(sql, places)


@pytest.mark.parametrize(
    ("sql", "hint"),
    [
        ("SELECT h3_cell(lon, lat, 9) AS c, count(*) FROM sight GROUP BY 1", "h3_cell(lon, lat, 8)"),
        ("SELECT h3_cell(lat, lon, 5) AS c, count(*) FROM sight GROUP BY 1", 'in sight: h3 = { lon = "lat", lat = "lon"'),
        ("SELECT count(*) FROM (SELECT person, lon, lat FROM sight) s WHERE h3_cell(lon, lat, 5) IS NULL", "select it in the subquery"),
        ("SELECT count(*) FROM sight a JOIN sight b USING (person) WHERE h3_cell(a.lon, b.lat, 5) IS NULL", "in sight: h3"),
        ("SELECT count(*) FROM sight WHERE h3_cell(lon + 1, lat, 5) IS NULL", "the column of longitude"),
        ("SELECT count(*) FROM sight WHERE h3_cell(9.5, 50.5, 5) IS NULL", "the column of longitude"),
        ("SELECT count(*) FROM sight WHERE h3_cell(lon, lat, kind) IS NULL", "h3_cell(lon, lat, 9)"),
        ("SELECT count(*) FROM sight WHERE h3_cell(lon, lat, 16) IS NULL", "h3_cell(lon, lat, 9)"),
        ("SELECT count(*) FROM sight WHERE h3_cell(lon, lat) IS NULL", "h3_cell(lon, lat, 9)"),
    ],
)  # fmt: skip
def test_other_arguments_are_refused_with_a_suggestion(sql: str, hint: str, places: Catalog) -> None:
    with pytest.raises(Refusal) as refused:
        dialect.compile_query(sql, places)
    assert refused.value.code is Code.FUNC and hint in refused.value.hint


def test_the_suggested_resolution_is_accepted(places: Catalog) -> None:
    with pytest.raises(Refusal) as refused:
        dialect.compile_query("SELECT h3_cell(lon, lat, 9) AS c, count(*) FROM sight GROUP BY 1", places)
    dialect.compile_query(
        refused.value.hint if refused.value.hint.startswith("SELECT") else COUNT.format(refused.value.hint), places
    )
