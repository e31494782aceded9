"""A town of 200 made-up people, small enough to be looked at whole, and engines over it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import duckdb

from budgets import Ledger
from dialect import Catalog
from engine.backends.duckdb import DuckDBBackend, Limits
from engine.catalog.file import load_catalog
from engine.data.snapshot import open_snapshot
from engine.mechanism.gaussian import NoiseSource, add_noise
from engine.pipeline.engine import Engine

ROWS = """
CREATE TABLE person AS SELECT i AS person_id, ['f', 'm'][1 + i % 2] AS gender,
       CASE i % 10 WHEN 0 THEN 'no' WHEN 1 THEN NULL ELSE 'yes' END AS consent FROM range(1, 201) AS t(i);
CREATE TABLE visit AS SELECT 1 + i % 220 AS person_id, i AS visit_id,
       'z' || (i * i % 7) AS zone, CAST(i % 90 AS DOUBLE) AS minutes, 'shop ' || i % 3 AS shop,
       CAST(i % 5 AS INTEGER) AS coins, DATE '2026-10-01' + CAST(i % 4 AS INTEGER) AS day FROM range(1, 3001) AS t(i);
CREATE TABLE purchase AS SELECT i AS purchase_id, 1 + i * 7 % 3000 AS visit_id, i % 20 AS price
       FROM range(1, 2001) AS t(i);
CREATE TABLE zone AS SELECT 'z' || i AS zone, 'Zone ' || i AS name, i * 1000 AS inhabitants FROM range(0, 7) AS t(i);
"""

CATALOG = """
format = 1
name = "town"
[datasets.town]
window = "forever"
[datasets.town.budget]
rho = 0.2
client_rho = 0.1

[tables.person]
dataset = "town"
kind = "private"
source = { duckdb = "town.duckdb", table = "person" }
person = "person_id"
primary_key = ["person_id"]
size_class = "1e2"
consent = { column = "consent", admitted = ["yes"] }
norms = { rows = 1, persons = 1 }
[tables.person.columns]
person_id = { type = "BIGINT", nullable = false }
gender = { type = "VARCHAR", values = ["f", "m"] }
consent = { type = "VARCHAR" }

[tables.visit]
dataset = "town"
kind = "private"
source = { duckdb = "town.duckdb", table = "visit" }
person = "person_id"
primary_key = ["visit_id"]
size_class = "1e3"
max_groups_per_person = 4
norms = { rows = 20, persons = 3 }
[tables.visit.columns]
person_id = { type = "BIGINT" }
visit_id = { type = "BIGINT", nullable = false }
zone = { type = "VARCHAR", values_of = "zone.zone", nullable = false }
minutes = { type = "DOUBLE", bounds = [0, 60], sum_norm = 600, centred_norm = 300, centre = 30 }
coins = { type = "INTEGER", bounds = [0, 9], sum_norm = 60, centred_norm = 30 }
shop = { type = "VARCHAR" }
day = { type = "DATE", range = ["2026-10-01", "2026-10-04"], nullable = false }

[tables.purchase]
dataset = "town"
kind = "private"
source = { duckdb = "town.duckdb", table = "purchase" }
person = { through = ["visit_id -> visit"], column = "person_id" }
size_class = "1e3"
norms = { rows = 20, persons = 3 }
[tables.purchase.columns]
purchase_id = { type = "BIGINT" }
visit_id = { type = "BIGINT" }
price = { type = "BIGINT", bounds = [0, 20], sum_norm = 100, centred_norm = 50 }

[tables.zone]
dataset = "town"
kind = "public"
source = { duckdb = "town.duckdb", table = "zone" }
primary_key = ["zone"]
[tables.zone.columns]
zone = { type = "VARCHAR", nullable = false }
name = { type = "VARCHAR" }
inhabitants = { type = "BIGINT" }
"""


def _make(folder: Path, rows: str) -> None:
    with duckdb.connect(str(folder / "town.duckdb")) as connection:
        connection.execute(rows)


@cache
def _usual_rows() -> bytes:
    """Make the database of most tests once: a DuckDB takes longer to start and to write it than to be copied."""
    with tempfile.TemporaryDirectory() as folder:
        _make(Path(folder), ROWS)
        return (Path(folder) / "town.duckdb").read_bytes()


def make_town(folder: Path, rows: str = ROWS, declared: str = CATALOG) -> Catalog:
    """Write the town's database and catalog into a folder."""
    if rows == ROWS and not (folder / "town.duckdb").exists():
        (folder / "town.duckdb").write_bytes(_usual_rows())
    else:
        _make(folder, rows)
    (folder / "catalog.toml").write_text(declared, encoding="utf-8")
    return load_catalog(folder / "catalog.toml")


def backend_over(catalog: Catalog, cache: Path, limits: Limits | None = None) -> DuckDBBackend:
    """Open a catalog's data; whoever asked closes them."""
    made = open_snapshot(catalog, cache, lambda stage, fraction: None)
    return DuckDBBackend.open(made.files, made.addresses, cache, limits)


@contextmanager
def opened(
    catalog: Catalog, cache: Path, noise: NoiseSource = add_noise, limits: Limits | None = None
) -> Iterator[Engine]:
    """Open an engine over a catalog with a ledger in memory."""
    backend = backend_over(catalog, cache, limits)
    try:
        with Ledger.open(":memory:") as ledger:
            yield Engine(catalog, backend, ledger, noise)
    finally:
        backend.close()
