"""What is declared of movement is read strictly, and what it names must say when and where."""

from __future__ import annotations

from pathlib import Path

import pytest

from dialect.catalog.model import Bounds, Catalog, Movement
from engine.catalog.bundled import find_catalog
from engine.catalog.file import load_catalog
from engine.errors import CatalogError
from tests.support.statistics.mibici import needs_mibici

WHOLE = """
format = 1
name = "city"
[datasets.city]
window = "forever"

[tables.seen]
dataset = "city"
kind = "private"
source = { parquet = "seen.parquet" }
person = "who"
time_column = "at"
size_class = "1e6"
norms = { rows = 500, persons = 15 }
movement = { through = "cell -> cells", zone = "zone", lon = "lon", lat = "lat" }
[tables.seen.columns]
who = { type = "BIGINT" }
at = { type = "TIMESTAMP" }
day = { type = "DATE" }
cell = { type = "BIGINT" }
own_zone = { type = "VARCHAR" }
secret = { type = "BIGINT", visible = false }

[tables.cells]
dataset = "city"
kind = "public"
source = { parquet = "cells.parquet" }
primary_key = ["cell"]
[tables.cells.columns]
cell = { type = "BIGINT" }
zone = { type = "VARCHAR" }
open = { type = "BOOLEAN" }
lon = { type = "DOUBLE" }
lat = { type = "DOUBLE" }
"""
DECLARED = 'movement = { through = "cell -> cells", zone = "zone", lon = "lon", lat = "lat" }'
NORMS = DECLARED.replace(
    " }",
    ", norms = { rows = 50, persons = 6, by_keys = [{ keys = ['zone_id'], rows = 26, sums = { dwell_min = 900 } }] }"
    ", columns = { dwell_min = { sum_norm = 2000, centred_norm = 700, centre = 45 } } }",
)

# (what stands instead, key, why, cure)
WRONG = {
    "no table": ("movement = 1", "movement", "no table", "write [tables.seen.movement]"),
    "unknown key": (DECLARED.replace("zone =", "zones = 'a', zone ="), "movement.zones", "not known", "write zone."),
    "no zone": ('movement = { lon = "lon", lat = "lat" }', "movement.zone", "missing", "zone = "),
    "half a place": ('movement = { zone = "own_zone", lon = "cell" }', "movement.lat", "both lon and lat", "name both"),
    "no step": (DECLARED.replace("->", "to"), "movement.through", "no 'column -> table'", "cell_id -> cell"),
    "no such column": (DECLARED.replace("cell ->", "cel ->"), "movement.through", "declares no column cel", "write cell."),
    "private": (DECLARED.replace("-> cells", "-> seen"), "movement.through", "seen is no public table", "use one of cells."),
    "other type": (DECLARED.replace("cell ->", "at ->"), "movement.through", "at is TIMESTAMP", "same type"),
    "hidden": (DECLARED.replace("cell ->", "secret ->"), "movement.through", "hidden from analysts", "be visible"),
    "no such zone": (DECLARED.replace('"zone"', '"zones"'), "movement.zone", "declares no column zones", "write zone."),
    "zone of no kind": (DECLARED.replace('"zone"', '"open"'), "movement.zone", "open is BOOLEAN", "integer or VARCHAR"),
    "place of no kind": (DECLARED.replace('"lat"', '"zone"'), "movement.lat", "zone is VARCHAR", "degrees"),
    "norms of nothing": (DECLARED.replace(" }", ", norms = { rows = 1 } }"), "movement.norms.persons", "not declared", "persons = 5"),
    "keys of other rows": (NORMS.replace("['zone_id']", "['cell']"), "movement.norms.by_keys[0].keys", "cell is no column of stays", "use one of"),
    "sums of other rows": (NORMS.replace("dwell_min = 900", "dwell = 900"), "movement.norms.by_keys[0].sums.dwell", "no number", "write dwell_min."),
    "numbers of other rows": (NORMS.replace("{ dwell_min = { sum", "{ dwell = { sum"), "movement.columns.dwell", "not known", "write dwell_min."),
    "norm of 0": (NORMS.replace("sum_norm = 2000", "sum_norm = 0"), "movement.columns.dwell_min.sum_norm", "not above 0", "above 0"),
}  # fmt: skip


def _load(folder: Path, text: str) -> Catalog:
    path = folder / "catalog.toml"
    path.write_text(text, encoding="utf-8")
    return load_catalog(path)


def _movement(catalog: Catalog, table: str) -> Movement:
    declared = catalog.tables_by_name.get(table)
    assert declared is not None and declared.movement is not None
    return declared.movement


def test_movement_is_read_as_declared(tmp_path: Path) -> None:
    assert _movement(_load(tmp_path, WHOLE), "seen") == Movement("zone", "lon", "lat", ("cell", "cells"))
    own = _load(tmp_path, WHOLE.replace(DECLARED, 'movement = { zone = "Own_Zone" }'))
    assert _movement(own, "seen") == Movement("own_zone")


def test_clip_bounds_of_movement_are_read_as_declared(tmp_path: Path) -> None:
    catalog = _load(tmp_path, WHOLE.replace(DECLARED, NORMS))
    norms = _movement(catalog, "seen").clip_bounds
    assert norms is not None and (norms.rows, norms.persons) == (50, 6)
    assert norms.by_keys[0].sums == {"dwell_min": 900}
    number = catalog.column("seen.movement", "dwell_min")
    assert number is not None
    assert (number.bounds, number.sum_clip_bound, number.centred_sum_clip_bound, number.centre) == (
        Bounds(0, 1440),
        2000,
        700,
        45,
    )
    assert catalog.column("seen.movement", "minutes") is None and catalog.column("cells.movement", "dwell_min") is None
    assert catalog.column("nothing", "cell") is None and catalog.column("seen", "cell") is not None


@pytest.mark.parametrize("title", WRONG)
def test_a_mistake_is_named_with_its_cure(title: str, tmp_path: Path) -> None:
    instead, key, why, cure = WRONG[title]
    with pytest.raises(CatalogError) as found:
        _load(tmp_path, WHOLE.replace(DECLARED, instead))
    assert found.value.key == f"tables.seen.{key}"
    assert why in found.value.why and cure in found.value.cure


def test_movement_needs_a_time(tmp_path: Path) -> None:
    for instead, why in (("", "it is not said when"), ('time_column = "day"', "a DATE does not say at what time")):
        with pytest.raises(CatalogError) as found:
            _load(tmp_path, WHOLE.replace('time_column = "at"', instead))
        assert found.value.key == "tables.seen.movement" and why in found.value.why


def test_a_public_table_has_no_movement(tmp_path: Path) -> None:
    with pytest.raises(CatalogError) as found:
        _load(tmp_path, WHOLE + '[tables.cells.movement]\nzone = "zone"\n')
    assert found.value.key == "tables.cells.movement" and "a public table has no movement" in found.value.why


def test_the_operator_s_catalog_declares_movement() -> None:
    assert _movement(find_catalog("operator"), "event").through == ("cell_id", "cell")


@needs_mibici
def test_the_catalog_of_real_data_declares_movement() -> None:
    assert _movement(find_catalog("mibici"), "trips").through == ("origin_id", "stations")
