"""Declared places: columns of H3 cells, which are made when data are opened, and columns of polygons."""

from __future__ import annotations

from dialect.catalog.catalog import Catalog, Column, SqlType, Table
from dialect.catalog.declared_cells import CellOf
from engine.catalog.catalog_section import Section
from engine.catalog.meant import meant
from engine.errors import CatalogError

CELL_TYPES = ("VARCHAR", "TEXT", "STRING", "BIGINT", "UBIGINT")
PARTS = ("lon", "lat", "resolution")


def read_cell(section: Section, stored_type: str) -> CellOf | None:
    """Read of which place a column is the H3 cell; that there are such columns is checked with the table at hand."""
    if "h3" not in section.entries:
        return None
    cell = section.section("h3")
    cell.only(PARTS)
    for name in PARTS:
        cell.need(name, 'write h3 = { lon = "lon", lat = "lat", resolution = 9 }.')
    if stored_type not in CELL_TYPES:
        raise section.error("type", f"an H3 cell is no {stored_type}.", 'write type = "VARCHAR", or "UBIGINT".')
    lon, lat = (cell.reference(name) or "" for name in PARTS[:2])
    return CellOf(lon, lat, cell.whole("resolution", 9, 0, 15))


def check_places(catalog: Catalog, table: Table, column: Column) -> None:
    """Refuse a polygon of people, and a cell that is not made of two numbers of its row."""
    key = f"tables.{table.name}.columns.{column.name}"
    if table.private and column.type is SqlType.POLYGON:
        cure = "move it to a public table, or declare it as VARCHAR."
        raise CatalogError(catalog.path, f"{key}.type", "a private table has no polygons.", cure)
    if column.cell is None:
        return
    for word, name in (("lon", column.cell.lon), ("lat", column.cell.lat)):
        found = table.column(name)
        if found is None:
            cure = meant(name, [c.name for c in table.columns], "declare it.")
            raise CatalogError(catalog.path, f"{key}.h3.{word}", f"{table.name} has no column {name}.", cure)
        if found.type not in (SqlType.DOUBLE, SqlType.BIGINT) or found.cell is not None:
            raise CatalogError(catalog.path, f"{key}.h3.{word}", f"{name} holds no degrees.", "name a DOUBLE column.")
    if column.name in _taken(table):
        why = f"{column.name} has a meaning of its own in {table.name}, and is not made."
        raise CatalogError(catalog.path, f"{key}.h3", why, "give the column of cells another name.")


def _taken(table: Table) -> set[str]:
    """List the columns that are looked up, or name persons, rows or consent."""
    taken = {*table.primary_key, *(join.column for join in table.source.joins), *(j.on for j in table.source.joins)}
    if table.person is not None:
        taken |= {table.person.column, *(own for own, _ in table.person.through)}
    return taken if table.consent is None else taken | {table.consent.column}
