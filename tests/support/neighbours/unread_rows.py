"""Row-group skipping: neighbours in a Parquet row group whose statistics ignore what Spark orders: NaN and -0.0.

Parquet statistics leave out NaN, and dictionaries distinguish the two zeros. A reader that skips a row group by them
loses everybody's rows, unless one person's row is there.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from pathlib import Path

import duckdb
import pyarrow.parquet as pq

from dialect.catalog.model import Catalog, Source
from engine.backends.spark.backend import SparkLake
from tests.support.greybox.greybox import check_neighbours
from tests.support.greybox.greybox_data import (
    PRIVATE,
    VICTIM,
    Database,
    Declared,
    Run,
    declare,
    declared_as,
    make_worlds,
)
from tests.support.spark.on_lake import Both, session_of

OTHERS = 200
RUNS = (
    *(Run(str(VICTIM), lon=f"'{value}'") for value in ("0.0", "10.0")),
    *(Run(str(person), lon=f"'{value}'") for value in ("nan", "-0.0") for person in range(1, OTHERS + 1)),
    *(Run(str(300 + place), lon=f"'{value}'") for place, value in enumerate(("1.0", "-7.0"))),
)
ASKED = ("lon = -0.0", "NOT lon < 5", "lon <> 1.0")


class UnreadRows:
    """The two worlds, each a lake with one file per table."""

    def __init__(self, folder: Path, remote: str) -> None:
        catalog = declared_as(declare(), Declared(consent=False, rows=1))
        self._connection = duckdb.connect()
        self._connection.execute("SET TimeZone = 'UTC'")
        make_worlds(self._connection, Database(RUNS, ()))
        self._worlds = [self._written(catalog, world, folder / world, remote) for world in ("everybody", "without")]

    def _written(self, catalog: Catalog, world: str, folder: Path, remote: str) -> Both:
        """Write a world's rows, the queried ones with pyarrow in one row group."""
        both = Both(self._connection, catalog, world, PRIVATE, folder, remote)
        shutil.rmtree(folder / "events")
        (folder / "events").mkdir()
        rows = self._connection.execute(f"FROM {world}.events").to_arrow_table()
        pq.write_table(rows, folder / "events" / "0.parquet")
        return both

    def through_views(self) -> UnreadRows:
        """Read both worlds through a view that shows rows only if nobody is missing."""
        viewed = copy(self)
        viewed._worlds = [self._viewed(world, number) for number, world in enumerate(self._worlds)]
        return viewed

    def _viewed(self, world: Both, number: int) -> Both:
        lake, name, viewed = world.lake.lake, f"events_{number}", copy(world)
        assert isinstance(lake, SparkLake)
        rows = f"parquet.`{lake._sources['table_events'].path}`"
        whole = f"(SELECT count(*) FROM {rows}) = {len(RUNS)}"
        session_of(lake).sql(f"CREATE VIEW {name} AS SELECT * FROM {rows} WHERE {whole}")
        sources = {**lake._sources, "table_events": Source("spark", name)}
        through = SparkLake(lake.sessions._remote, sources, lake._persons)
        for place in lake._persons:
            through.detect_person_types(place)
        viewed.lake = replace(world.lake, lake=through)
        return viewed

    def close(self) -> None:
        """Close the sessions and the worlds."""
        for world in self._worlds:
            world.lake.lake.close()
        self._connection.close()

    def check(self, conditions: Sequence[str]) -> list[int]:
        """Count the rows that meet each condition; raises SensitivityExceeded if one person changes others' counts."""
        counted = []
        for condition in conditions:
            sql = f"SELECT COUNT(*) FROM events WHERE {condition}"
            (more,), (less,) = (world.in_lake(sql) for world in self._worlds)
            check_neighbours(more, less, sql)
            counted.append(int(less.exact.vectors[0][0]))
        return counted
