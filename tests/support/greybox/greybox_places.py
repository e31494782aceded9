"""Grey-box databases of personal coordinates, whose cells the engine derives in each world separately."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import duckdb
from hypothesis import strategies as st

from dialect.catalog.model import Catalog, ClipBounds, Table
from engine.catalog.file import load_catalog
from engine.data.files.derived_columns import write_derived_rows
from tests.support.greybox.greybox_data import VICTIM, WORLDS
from tests.support.statistics.drawn import one_of_these, some_of
from tests.support.worlds import FOLDER

PUBLIC = ("mast", "area")


@dataclass(frozen=True)
class Sight:
    """Equal rows of one person; coordinates are SQL."""

    person: int
    lon: str
    lat: str
    kind: int
    day: int
    count: int


@dataclass(frozen=True)
class PlaceSource:
    """A FROM clause with its keys and aggregates."""

    rows: str
    keys: tuple[str, ...]
    values: tuple[str, ...] = ("COUNT(*)", "COUNT(DISTINCT s.person)", "SUM(s.kind)")


IN_AREA = "within_polygon(s.lon, s.lat, a.shape)"
# fmt: off
SOURCES = (
    PlaceSource(f"sight s JOIN area a ON {IN_AREA}", ("a.area", "a.level", "s.kind", "s.day")),
    PlaceSource(f"sight s LEFT JOIN area a ON {IN_AREA} AND a.level > 1", ("a.area", "a.area IS NULL", "s.kind")),
    PlaceSource("sight s, area a WHERE ST_Contains(a.shape, ST_Point(s.lon, s.lat)) AND s.kind < 4", ("a.area", "s.day")),
    PlaceSource(f"area a LEFT JOIN sight s ON {IN_AREA}", ("a.area", "a.level"), ("COUNT(s.person)", "COUNT(DISTINCT s.person)", "SUM(s.kind)")),
    PlaceSource("sight s CROSS JOIN area a", (IN_AREA, "a.level")),
    PlaceSource("sight s JOIN mast m ON h3_cell(s.lon, s.lat, 5) = h3_cell(m.lon, m.lat, 5)", ("m.mast", "s.kind")),
    PlaceSource("sight s", ("h3_cell(s.lon, s.lat, 4)", "s.h3_8", "h3_parent(s.h3_8, 3)", "geohash(s.lon, s.lat, 3)", "s.h3_5 IS NULL")),
    PlaceSource(f"(SELECT s.person, COUNT(*) AS n, COUNT(DISTINCT a.area) AS areas FROM sight s JOIN area a ON {IN_AREA} GROUP BY s.person) s", ("s.areas > 1", "s.n > 2"), ("COUNT(*)", "SUM(LEAST(s.n, 20))")),
    PlaceSource(f"sight s JOIN sight t USING (person) JOIN area a ON {IN_AREA} AND NOT within_polygon(t.lon, t.lat, a.shape)", ("a.area", "t.kind")),
)
DEGREES = ("NULL", "'nan'", "'inf'", "'-inf'", "1e308", "-1e308", "5e-324", "-0.0", "180", "-180", "90", "-90", "181", "9", "10", "11", "12", "13", "50", "51", "52", "53", "54", "9.5", "50.5", "53.25")
# fmt: on


@st.composite
def questions(draw: st.DrawFn) -> str:
    """Draw a query about places."""
    source = draw(one_of_these(SOURCES))
    keys = draw(some_of(source.keys))
    values = draw(some_of(source.values, 1, 3))
    by = f" GROUP BY {', '.join(keys)}" if keys else ""
    return f"SELECT {', '.join([*keys, *values])} FROM {source.rows}{by}"


@st.composite
def databases(draw: st.DrawFn) -> tuple[Sight, ...]:
    """Draw sightings, many at the limits of a double, on polygon edges, or of the victim."""
    degrees = st.one_of(st.sampled_from(DEGREES), st.floats(9, 13).map(repr), st.floats(50, 54).map(repr))
    person = st.sampled_from((VICTIM, VICTIM, 1, 2, 3))
    sights = st.builds(Sight, person, degrees, degrees, st.integers(0, 4), st.integers(0, 8), st.integers(1, 6))
    return tuple(draw(st.lists(sights, min_size=1, max_size=12)))


def declare() -> Catalog:
    """Load the places catalog with clip bounds that bind."""
    catalog = load_catalog(FOLDER / "places.toml")
    tight: dict[str, Any] = {"clip_bounds": ClipBounds(2.5, 1.5), "max_rows_per_person": 5, "max_groups_per_person": 3}
    return replace(catalog, tables=tuple(replace(t, **tight) if t.private else t for t in catalog.tables))


def open_worlds(connection: duckdb.DuckDBPyConnection, catalog: Catalog) -> None:
    """Create the public tables of every world with the engine's own code."""
    connection.execute((FOLDER / "places.sql").read_text(encoding="utf-8"))
    for world in WORLDS:
        connection.execute(f"CREATE SCHEMA {world}")
        for name in PUBLIC:
            _make(connection, catalog, world, name, f"FROM main.{name}")


def make_worlds(connection: duckdb.DuckDBPyConnection, catalog: Catalog, sights: Sequence[Sight]) -> None:
    """Insert sightings into every world: shuffled in one, without the victim in another."""
    rows = ", ".join(
        f"({i}, {s.person}, {s.kind}, {s.lon}::DOUBLE, {s.lat}::DOUBLE, DATE '2026-10-01' + {s.day}, {s.count})"
        for i, s in enumerate(sights)
    )
    connection.execute(f"CREATE OR REPLACE TABLE drawn AS FROM (VALUES {rows}) v(i, person, kind, lon, lat, day, n)")
    every = "SELECT i, person, kind, lon, lat, day FROM main.drawn, range(n)"
    for world, written in {
        "everybody": f"{every} ORDER BY i",
        "mixed": f"{every} ORDER BY -i",
        "without": f"{every} WHERE person <> {VICTIM}",
    }.items():
        _make(connection, catalog, world, "sight", f"FROM ({written})")


def _make(connection: duckdb.DuckDBPyConnection, catalog: Catalog, world: str, name: str, rows: str) -> None:
    table = catalog.tables_by_name.get(name)
    assert isinstance(table, Table)
    stored = ", ".join(c.name for c in table.columns if c.cell is None)
    select = write_derived_rows(connection, table, f"SELECT {stored} {rows}", lambda part: None)
    connection.execute(f"CREATE OR REPLACE TABLE {world}.{name} AS {select}")
