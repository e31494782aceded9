"""Databases for the grey box: a catalog whose clip bounds always bind, and persons with extreme values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb

from dialect.catalog.model import Catalog, ClipBounds, Table
from engine.catalog.file import load_catalog

VICTIM = 4217
WORLDS = ("everybody", "mixed", "without", "refused")
PRIVATE = ("events", "subscribers", "visits", "marks")
PUBLIC = ("cells", "zones", "hours")


@dataclass(frozen=True)
class Declared:
    """Declarations that a steward may choose freely; the guarantee must not depend on them."""

    rows: float = 2.5
    persons: float = 1.5
    max_groups: int = 3  # L0
    max_rows: int = 5  # R
    sum_norm: float = 9000.0
    consent: bool = True  # does the catalog require consent?


@dataclass(frozen=True)
class Run:
    """Rows of one person's events, `spread` distinct ones among `count`; values are SQL."""

    person: str
    count: int = 1
    spread: int = 1
    cell: int = 1
    ts: str = "TIMESTAMP '2026-10-01 08:00:00'"
    lon: str = "'1.5'"
    dwell: str = "'600'"
    steps: str = "10"


@dataclass(frozen=True)
class Subscriber:
    """Row of a person; values are SQL."""

    person: int
    age: str = "34"
    gender: str = "'f'"
    zone: str = "'Z1'"
    cell: str = "1"
    born: str = "DATE '1990-01-02'"
    consent: str = "true"


@dataclass(frozen=True)
class Database:
    """A database; its public tables have duplicates, NULLs and both zeros."""

    runs: tuple[Run, ...]
    subscribers: tuple[Subscriber, ...]
    visits: tuple[tuple[int, str, int], ...] = ()  # (visit, person, its marks)
    declared: Declared = Declared()


def declare() -> Catalog:
    """Load the catalog."""
    return load_catalog(Path(__file__).parent / "greybox.toml")


def declared_as(catalog: Catalog, declared: Declared) -> Catalog:
    """Replace the declared contribution bounds of private tables; one that declares no norms stays without."""
    return replace(catalog, tables=tuple(_changed(table, declared) for table in catalog.tables))


def _changed(table: Table, declared: Declared) -> Table:
    if not table.private:
        return table
    norms, columns = table.clip_bounds, table.columns
    if table.name == "events" and norms is not None:
        norms = ClipBounds(declared.rows, declared.persons)
        columns = tuple(replace(c, sum_clip_bound=declared.sum_norm) if c.name == "dwell_s" else c for c in columns)
    return replace(
        table,
        clip_bounds=norms,
        columns=columns,
        max_groups_per_person=declared.max_groups,
        max_rows_per_person=declared.max_rows,
        consent=table.consent if declared.consent else None,
    )


def make_worlds(connection: duckdb.DuckDBPyConnection, database: Database) -> None:
    """Create the four worlds of a database; parts that all databases share are created once."""
    if not connection.execute(_ARE_THERE).fetchall():
        _open_worlds(connection)
    connection.execute(_everybody(database) + "".join(map(_neighbours, PRIVATE)))


def _open_worlds(connection: duckdb.DuckDBPyConnection) -> None:
    """Create the public rows, and the views of the world of refused consent."""
    for world in WORLDS:
        connection.execute(f"DROP SCHEMA IF EXISTS {world} CASCADE; CREATE SCHEMA {world}")
    connection.execute("".join(_table(name, columns, ()) for name, columns in _COLUMNS.items()) + _PUBLIC_ROWS)
    for world in WORLDS[1:]:
        connection.execute("".join(f"CREATE VIEW {world}.{table} AS FROM everybody.{table};" for table in PUBLIC))
    for table in PRIVATE:
        changed = f"* REPLACE (consent AND subscriber_id <> {VICTIM} AS consent)" if table == "subscribers" else "*"
        connection.execute(f"CREATE VIEW refused.{table} AS SELECT {changed} FROM everybody.{table}")


def _neighbours(table: str) -> str:
    """SQL of a private table's rows in the other worlds."""
    person = person_of(table)
    return f"""
        CREATE OR REPLACE TABLE mixed.{table} AS FROM everybody.{table} AS t
            WHERE {person} IS NOT NULL ORDER BY hash(rowid * 7919 + 13);
        CREATE OR REPLACE TABLE without.{table} AS FROM everybody.{table} AS t WHERE {person} IS DISTINCT FROM {VICTIM};
    """


def person_of(table: str) -> str:
    """SQL of the person of a row t of a private table."""
    if table != "marks":
        return "subscriber_id"
    return "(SELECT any_value(subscriber_id) FROM everybody.visits AS v WHERE v.visit_id = t.visit_id)"


def has_rows(database: Database, person: int) -> bool:
    """Return whether a person has rows in a database."""
    named = {run.person for run in database.runs} | {visitor for _, visitor, _ in database.visits}
    return str(person) in named or any(each.person == person for each in database.subscribers)


def _everybody(database: Database) -> str:
    events = [_events(run) for run in database.runs]
    people = [
        f"SELECT {s.person}, {s.age}, {s.gender}, {s.zone}, {s.cell}, {s.born}, {s.consent}"
        for s in database.subscribers
    ]
    visits = [f"SELECT {visit}, {person}" for visit, person, _ in database.visits]
    marks = [
        f"SELECT {visit}, CASE n % 3 WHEN 0 THEN 'a' WHEN 1 THEN 'b' ELSE 'other' END, CAST(n - 3 AS DOUBLE)"
        f" FROM range({many}) AS r(n)"
        for visit, _, many in database.visits
    ]
    rows = {"events": events, "subscribers": people, "visits": visits, "marks": marks}
    return "".join(_table(name, columns, rows[name]) for name, columns in _COLUMNS.items())


def _table(name: str, columns: str, rows: Sequence[str]) -> str:
    filled = f" INSERT INTO everybody.{name} {' UNION ALL '.join(rows)};" if rows else ""
    return f"CREATE OR REPLACE TABLE everybody.{name} ({columns});{filled}"


def _events(run: Run) -> str:
    """SQL of a run's rows: cells and hours cycle, and zeros alternate between 0.0 and -0.0."""
    hours = f" + INTERVAL 1 HOUR * (n % {run.spread})" if run.spread > 1 and "2026" in run.ts else ""
    lon, dwell = (f"CAST({value} AS DOUBLE)" for value in (run.lon, run.dwell))
    return (
        f"SELECT {run.person}, {run.ts}{hours}, {run.cell} + n % {run.spread},"
        f" CASE WHEN n % 2 = 1 THEN -({lon}) ELSE {lon} END, {dwell}, {run.steps} FROM range({run.count}) AS r(n)"
    )


_COLUMNS = {
    "events": "subscriber_id BIGINT, ts TIMESTAMP, cell_id BIGINT, lon DOUBLE, dwell_s DOUBLE, steps BIGINT",
    "subscribers": "subscriber_id BIGINT, age BIGINT, gender VARCHAR, home_zone VARCHAR, home_cell BIGINT, born DATE,"
    " consent BOOLEAN",
    "visits": "visit_id BIGINT, subscriber_id BIGINT",
    "marks": "visit_id BIGINT, kind VARCHAR, weight DOUBLE",
}
_ARE_THERE = "SELECT 1 FROM duckdb_tables() WHERE schema_name = 'everybody' AND table_name = 'is_of_greybox_data'"
_PUBLIC_ROWS = """
CREATE TABLE everybody.is_of_greybox_data AS SELECT 1 AS nothing;
CREATE TABLE everybody.cells AS SELECT * FROM (VALUES (1, 'Z1', 1.5), (2, 'Z1', 0.0), (2, 'Z2', 2.5), (2, 'Z2', 2.5),
    (3, 'Z3', CAST('-0.0' AS DOUBLE)), (4, NULL, NULL), (NULL, 'Z4', 1e308), (9, 'Z3', CAST('nan' AS DOUBLE)))
    AS c(cell_id, zone, x);
CREATE TABLE everybody.zones AS SELECT * FROM (VALUES ('Z1', 1), ('Z2', 2), ('Z3', NULL)) AS z(zone, level);
CREATE TABLE everybody.hours AS SELECT h FROM range(24) AS h(h);
"""
