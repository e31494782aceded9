"""Catalog of the adversarial cases: events and subscribers are private, cells and hours public.

Worlds: D has everybody; D' lacks one victim; "heavy" has 20,000 more rows of the victim; "refused" has the victim's
rows without consent. The victim's values are conspicuous, so that traces of them can be searched for.
"""

from __future__ import annotations

from pathlib import Path

import duckdb

from dialect.catalog.model import Catalog
from engine.catalog.file import load_catalog

VICTIM = 4217
WORLDS = ("D", "D'", "heavy", "refused")
CANARIES = ("113", "ZZ-CANARY-7f3a", "86399", "9999", "24.748219")  # age, home_zone_sql, dwell_s, cell_id, lon

CATALOG = """
format = 1
name = "attack"

[datasets.attack]
window = "forever"
data_version = 1
[datasets.attack.defaults]
rho = 0.005
delta = 1e-12
[datasets.attack.budget]
rho = 0.2
delta = 1e-9

[tables.events]
dataset = "attack"
kind = "private"
source = {{ duckdb = "{file}", table = "events" }}
person = "subscriber_id"
time_column = "ts"
max_rows_per_person = 200
max_groups_per_person = 9
size_class = "1e4"
norms = {{ rows = 20, persons = 3 }}
[tables.events.columns]
subscriber_id = {{ type = "BIGINT" }}
ts = {{ type = "TIMESTAMP", range = ["2026-10-01", "2026-10-07"] }}
cell_id = {{ type = "BIGINT", values_of = "cells.cell_id" }}
lon = {{ type = "DOUBLE" }}
lat = {{ type = "DOUBLE", bounds = [-90, 90] }}
dwell_s = {{ type = "DOUBLE", bounds = [0, 7200], sum_norm = 20000, centred_norm = 10000, centre = 600 }}

[tables.subscribers]
dataset = "attack"
kind = "private"
source = {{ duckdb = "{file}", table = "subscribers" }}
person = "subscriber_id"
primary_key = ["subscriber_id"]
size_class = "1e3"
norms = {{ rows = 1, persons = 1 }}
consent = {{ column = "consent", admitted = [true] }}
[tables.subscribers.columns]
subscriber_id = {{ type = "BIGINT", nullable = false }}
age = {{ type = "BIGINT", bounds = [0, 100] }}
gender = {{ type = "VARCHAR", values = ["f", "m", "x"] }}
home_zone = {{ type = "VARCHAR" }}
consent = {{ type = "BOOLEAN" }}

[tables.cells]
dataset = "attack"
kind = "public"
source = {{ duckdb = "{file}", table = "cells" }}
[tables.cells.columns]
cell_id = {{ type = "BIGINT" }}
zone = {{ type = "VARCHAR" }}
lon = {{ type = "DOUBLE" }}
lat = {{ type = "DOUBLE" }}

[tables.hours]
dataset = "attack"
kind = "public"
source = {{ duckdb = "{file}", table = "hours" }}
primary_key = ["h"]
[tables.hours.columns]
h = {{ type = "BIGINT", nullable = false }}
"""

# People 1 to 400 in every world; the hash spreads them, and stays the same for everybody.
ROWS = """
CREATE TABLE subscribers AS
SELECT i AS subscriber_id, CAST(18 + hash(i) % 70 AS BIGINT) AS age,
       CASE WHEN i % 97 = 0 THEN NULL ELSE ['f', 'm', 'x'][1 + CAST(hash(i, 1) % 3 AS INTEGER)] END AS gender,
       'Z' || hash(i, 2) % 8 AS home_zone, i % 10 <> 0 AS consent
FROM range(1, 401) AS people(i);

CREATE TABLE events AS
SELECT i AS subscriber_id,
       TIMESTAMP '2026-10-01' + INTERVAL 1 SECOND * CAST(hash(i, n) % 604800 AS BIGINT) AS ts,
       CAST(1 + hash(i, n, 3) % 12 AS BIGINT) AS cell_id,
       CASE (i * 31 + n) % 50 WHEN 0 THEN CAST('nan' AS DOUBLE) WHEN 1 THEN CAST('inf' AS DOUBLE)
            WHEN 2 THEN CAST('-0.0' AS DOUBLE) WHEN 3 THEN 5e-324 WHEN 4 THEN 1e308 WHEN 5 THEN NULL
            ELSE -103.4 + (hash(i, n, 4) % 1000) / 5000.0 END AS lon,
       CASE (i * 17 + n) % 60 WHEN 0 THEN CAST('-inf' AS DOUBLE) WHEN 1 THEN NULL
            ELSE 20.6 + (hash(i, n, 5) % 1000) / 5000.0 END AS lat,
       CASE (i * 13 + n) % 70 WHEN 0 THEN CAST('nan' AS DOUBLE) WHEN 1 THEN -1e308 WHEN 2 THEN NULL
            ELSE CAST(hash(i, n, 6) % 4000 AS DOUBLE) END AS dwell_s
FROM range(1, 401) AS people(i), range(0, 30) AS times(n)
WHERE n < 3 + hash(i, 7) % 20
UNION ALL SELECT NULL, TIMESTAMP '2026-10-02 08:00:00', 3, -103.3, 20.7, 50.0 FROM range(25);

CREATE TABLE cells AS
SELECT c AS cell_id, 'C' || (c % 5) AS zone, -103.4 + c / 100.0 AS lon, 20.6 + c / 100.0 AS lat
FROM range(1, 16) AS cells(c)
UNION ALL SELECT 3, 'C3', -103.37, 20.63;

CREATE TABLE hours AS SELECT h FROM range(24) AS hours(h);
"""

PERSON = "INSERT INTO subscribers VALUES (4217, 113, 'x', 'ZZ-CANARY-7f3a', {consent})"
TRACES = """
INSERT INTO events
SELECT 4217, TIMESTAMP '2026-10-01 00:30:00' + INTERVAL 1 MINUTE * (n % 10000),
       CASE WHEN n % 3 = 0 THEN 9999 ELSE 1 + n % 12 END, 24.748219,
       CASE n % 5 WHEN 0 THEN CAST('inf' AS DOUBLE) ELSE 20.7 END, 86399
FROM range({rows}) AS traces(n)
"""


def attack_catalog(folder: Path, world: str = "D") -> Catalog:
    """Create one world's data and catalog in its own folder if missing, and load the catalog.

    File names are the same in each world, because release keys contain paths relative to the catalog.
    """
    own = folder / {"D'": "without"}.get(world, world)
    data, file = own / "attack.duckdb", own / "attack.toml"
    if not data.exists():
        own.mkdir(parents=True, exist_ok=True)
        _make(data, world)
        file.write_text(CATALOG.format(file=data.name), encoding="utf-8")
    return load_catalog(file)


def _make(data: Path, world: str) -> None:
    with duckdb.connect(str(data)) as connection:
        connection.execute(ROWS)
        if world != "D'":
            connection.execute(PERSON.format(consent="false" if world == "refused" else "true"))
            connection.execute(TRACES.format(rows=20_040 if world == "heavy" else 40))
