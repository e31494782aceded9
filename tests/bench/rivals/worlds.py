"""Data of the comparison: one flat table of rows per world, written once into the cache folder.

Every system reads the same file: columns `person`, keys and values, joins already made, values already within their
ends. The headline's people are made by a formula over DuckDB's hash and nothing else, so that everybody gets the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb

from engine.catalog.bundled import mibici_folder
from engine.catalog.operator import operator_path

# ln(rows of a person) is normal: median 48, standard deviation 1.21, so that one in a hundred has 800 and more.
# A row's cell is a hash as well: a person with many rows is everywhere.
HEADLINE = """
CREATE OR REPLACE TEMP MACRO u(h) AS ((h % 1000003)::DOUBLE + 0.5) / 1000003;
COPY (
  WITH people AS (
    SELECT i AS person, greatest(1, round(48.145 * exp(1.21 * sqrt(-2 * ln(u(hash(i))))
      * cos(2 * pi() * u(hash(i + 1000000007))))))::INT AS n FROM range(100000) AS t(i)),
  rows AS (SELECT person, unnest(range(n)) AS k FROM people)
  SELECT person, (hash(person * 1000003 + k) % 200)::INT AS cell FROM rows ORDER BY person, k
) TO '{to}' (FORMAT parquet)
"""
OPERATOR = """
ATTACH '{source}' AS operator (READ_ONLY);
COPY (
  SELECT e.subscriber_id::BIGINT AS person, zone.place::INT AS zone, hour(e.ts)::INT AS at_hour,
    date_diff('day', DATE '2026-10-01', e.ts::DATE)::INT AS on_day, least(greatest(c.range_m / 1000.0, 0), 30)::DOUBLE AS km,
    (e.event_type = 'call')::INT::DOUBLE AS call
  FROM operator.event AS e JOIN operator.cell AS c USING (cell_id)
  JOIN (SELECT zone_id, row_number() OVER (ORDER BY zone_id) - 1 AS place
        FROM (SELECT DISTINCT zone_id FROM operator.cell)) AS zone USING (zone_id)
  ORDER BY person, e.ts, zone, km, call
) TO '{to}' (FORMAT parquet)
"""
MIBICI = """
COPY (
  SELECT t.person_id::BIGINT AS person, o.zone_id::INT AS origin, d.zone_id::INT AS dest, hour(started_at)::INT AS at_hour,
    (dayofmonth(started_at) - 1)::INT AS on_day,
    least(greatest(epoch(ended_at - started_at) / 60.0, 0), 60)::DOUBLE AS minutes,
    coalesce(array_position(['16-24', '25-34', '35-44', '45-54', '55+'], p.age_band), 6)::INT - 1 AS age,
    (p.gender = 'F')::INT::DOUBLE AS woman
  FROM '{source}/trips.parquet' AS t JOIN '{source}/persons.parquet' AS p USING (person_id)
  JOIN '{source}/stations.parquet' AS o ON o.station_id = t.origin_id
  JOIN '{source}/stations.parquet' AS d ON d.station_id = t.dest_id
  ORDER BY person, started_at, minutes, origin, dest
) TO '{to}' (FORMAT parquet)
"""


@dataclass(frozen=True)
class World:
    """A flat table and its public key sets."""

    name: str
    path: Path
    keys: Mapping[str, tuple[int, ...]]  # column -> every value that it may have
    rows: int  # for the page alone: none of the systems is told
    people: int


def world(name: str, folder: Path, events: int) -> World:
    """Make a world, or find it where it was made before; raises CatalogError where MiBici is not there."""
    path = folder / (f"operator-{events:.0e}.parquet" if name == "operator" else f"{name}.parquet")
    if not path.exists():
        made = path.with_suffix(".part")
        with duckdb.connect() as writing:
            writing.execute(_MAKING[name](events).replace("{to}", str(made)))
        made.rename(path)
    with duckdb.connect() as reading:
        rows, people = reading.sql(f"SELECT count(*), count(DISTINCT person) FROM '{path}'").fetchall()[0]
        listed = {column: _listed(reading, path, name, column) for column in _KEYS[name]}
    return World(name, path, listed, rows, people)


def _listed(reading: duckdb.DuckDBPyConnection, path: Path, name: str, column: str) -> tuple[int, ...]:
    """List a key's values: by what it is; those of zones, which a public table lists, as they are numbered there."""
    known = _KEYS[name][column]
    if known is not None:
        return tuple(range(known))
    if name == "mibici":
        zones = f"{mibici_folder()}/zones.parquet"
        return tuple(row[0] for row in reading.sql(f"SELECT zone_id::INT FROM '{zones}' ORDER BY 1").fetchall())
    most = reading.sql(f"SELECT max({column}) FROM '{path}'").fetchall()[0][0]  # numbered from the public cells
    return tuple(range(most + 1))


_MAKING: Mapping[str, Callable[[int], str]] = {
    "headline": lambda _: HEADLINE,
    "operator": lambda events: OPERATOR.replace("{source}", str(operator_path(events).parent / "operator.duckdb")),
    "mibici": lambda _: MIBICI.replace("{source}", str(mibici_folder())),
}
_KEYS: Mapping[str, Mapping[str, int | None]] = {
    "headline": {"cell": 200},
    "operator": {"zone": None, "at_hour": 24, "on_day": 32},
    "mibici": {"origin": None, "dest": None, "at_hour": 24, "on_day": 30, "age": 6},
}
