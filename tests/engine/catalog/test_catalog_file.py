"""A catalog is read strictly, and each error names file, key and cure."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path

import pytest

from dialect.catalog.model import (
    Bounds,
    Catalog,
    ColumnValues,
    Consent,
    PersonPath,
    SourceJoin,
    SqlType,
    ValueList,
    ValueRange,
)
from dialect.catalog.privacy_windows import PrivacyWindow
from engine.catalog.file import load_catalog
from engine.errors import CatalogError

WHOLE = """
format = 1
name = "city"

[datasets.city]
window = "forever"
data_version = 3
[datasets.city.defaults]
rho = 0.005
delta = 1e-12
confidence = 0.9
[datasets.city.budget]
rho = 0.2
delta = 1e-9
client_rho = 0.1
[datasets.other]
window = "forever"

[tables.people]
dataset = "city"
kind = "private"
source = { parquet = "people.parquet" }
person = "person_id"
primary_key = ["person_id"]
size_class = "1e5"
consent = { column = "consent_state", admitted = ["opt_in", "none"] }
norms = { rows = 1, persons = 1 }
[tables.people.columns]
person_id = { type = "UBIGINT", nullable = false }
age = { type = "SMALLINT", bounds = [0, 120], sum_norm = 120, centred_norm = 60.5, centre = 40 }
band = { type = "VARCHAR", values = ["18-64", "65+"] }
consent_state = { type = "VARCHAR" }

[tables.trips]
dataset = "city"
kind = "private"
source = { duckdb = "city.duckdb", table = "Trips" }
person = "Person_ID"
primary_key = ["trip_id"]
time_column = "start_ts"
sorted_by = ["person_id", "start_ts"]
max_rows_per_person = 500
max_groups_per_person = 40
size_class = "1e7"
joins = [{ column = "zone", on = "stop", table = "stops", take = "zone" }]
[tables.trips.norms]
rows = 60
persons = 8
by_keys = [
  { keys = ["zone", "hour(start_ts)"], rows = 30.5, persons = 6, sums = { km = 900 } },
  { keys = ["cast(start_ts as date)"], persons = 5 },
]
[tables.trips.columns]
trip_id = { type = "BIGINT", nullable = false }
person_id = { type = "BIGINT" }
start_ts = { type = "TIMESTAMP", time_zone = "America/Mexico_City", stored = "utc" }
seen = { type = "timestamp with  time zone", time_zone = "Europe/Berlin" }
day = { type = "DATE", range = ["2026-10-01", "2026-10-31"] }
hour = { type = "UTINYINT", range = [0, 23] }
km = { type = "DECIMAL(9, 2)", bounds = [0, 1.5e3] }
level = { type = "DOUBLE", values = [0.5, 1] }
way = { type = "TIME" }
tags = { type = "VARCHAR[]" }
stop = { type = "INTEGER", visible = false }
zone = { type = "VARCHAR", values_of = "zones.zone" }
ok = { type = "BOOLEAN", values = [true, false] }
holiday = { type = "DATE", values = [2026-12-24, "2026-12-25"] }

[tables.legs]
dataset = "city"
kind = "private"
source = { csv = "legs/*.csv" }
person = { through = ["trip_id -> trips"], column = "person_id" }
size_class = "1e7"
norms = { rows = 60, persons = 8 }
[tables.legs.columns]
trip_id = { type = "BIGINT" }
mode = { type = "VARCHAR" }

[tables.zones]
dataset = "city"
kind = "public"
source = { parquet = "zones.parquet" }
primary_key = ["zone"]
[tables.zones.columns]
zone = { type = "VARCHAR" }

[tables.stops]
dataset = "city"
kind = "public"
source = { duckdb = "city.duckdb", table = "stops" }
primary_key = ["stop"]
[tables.stops.columns]
stop = { type = "INTEGER" }
zone = { type = "VARCHAR", values_of = "zones.zone" }
"""


def _load(folder: Path, text: str) -> Catalog:
    """Write a catalog file and load it."""
    path = folder / "catalog.toml"
    path.write_text(text, encoding="utf-8")
    return load_catalog(path)


def test_caps_of_reserve_question_and_lifetime_are_read(tmp_path: Path) -> None:
    more = "reserve_rho = 0.05\nquery_rho = 0.02\nlifetime_rho = 1.5"
    budget = _load(tmp_path, WHOLE.replace("client_rho = 0.1", more)).datasets[0].budget
    assert (budget.reserve_rho, budget.query_rho, budget.lifetime_rho) == (
        Fraction(1, 20),
        Fraction(1, 50),
        Fraction(3, 2),
    )
    assert budget.client_rho == Fraction(3, 20)  # what the reserve leaves
    plain = _load(tmp_path, WHOLE).datasets[0].budget
    assert (plain.reserve_rho, plain.query_rho, plain.lifetime_rho) == (0, None, None)


def test_a_whole_catalog_is_read(tmp_path: Path) -> None:
    catalog = _load(tmp_path, WHOLE)
    assert catalog.path == str(tmp_path / "catalog.toml")
    assert [table.name for table in catalog.tables] == ["people", "trips", "legs", "zones", "stops"]
    city, other = catalog.datasets
    assert city.window is PrivacyWindow.FOREVER and city.data_version == 3
    assert (city.defaults.rho, city.defaults.delta, city.defaults.confidence) == (
        Fraction(1, 200),
        Fraction(1, 10**12),
        0.9,
    )
    assert (city.budget.rho, city.budget.delta, city.budget.client_rho) == (
        Fraction(1, 5),
        Fraction(1, 10**9),
        Fraction(1, 10),
    )
    assert (other.defaults.rho, other.budget.rho, other.budget.client_rho) == (
        Fraction(1, 200),
        Fraction(1, 5),
        Fraction(1, 5),
    )


def test_tables_are_read_as_declared(tmp_path: Path) -> None:
    catalog = _load(tmp_path, WHOLE)
    people, trips, legs, zones = (catalog.tables_by_name.get(name) for name in ("people", "trips", "legs", "zones"))
    assert people and trips and legs and zones and trips.clip_bounds
    assert people.consent == Consent("consent_state", ("opt_in", "none"))
    assert trips.person == PersonPath("person_id")
    assert legs.person == PersonPath("person_id", (("trip_id", "trips"),))
    assert (trips.source.format, trips.source.path, trips.source.table) == (
        "duckdb",
        str(tmp_path / "city.duckdb"),
        "Trips",
    )
    assert trips.source.joins == (SourceJoin("zone", "stop", "stops", "zone"),)
    assert (trips.max_rows_per_person, trips.max_groups_per_person) == (500, 40)
    assert (legs.max_rows_per_person, legs.max_groups_per_person) == (10_000, 20)
    assert (zones.max_rows_per_person, zones.max_groups_per_person, zones.clip_bounds, zones.person) == (None,) * 4
    assert (trips.time_column, trips.sorted_by, trips.size_class) == ("start_ts", ("person_id", "start_ts"), "1e7")
    assert trips.clip_bounds.by_keys[0].sums == {"km": 900.0}
    assert trips.clip_bounds.by_keys[1].keys == ("cast(start_ts as date)",)


def test_columns_are_read_as_declared(tmp_path: Path) -> None:
    catalog = _load(tmp_path, WHOLE)
    trips, people = catalog.tables_by_name.get("trips"), catalog.tables_by_name.get("people")
    assert trips and people
    types = {column.name: column.type for column in trips.columns}
    assert types == {
        "trip_id": SqlType.BIGINT,
        "person_id": SqlType.BIGINT,
        "start_ts": SqlType.TIMESTAMP,
        "seen": SqlType.TIMESTAMPTZ,
        "day": SqlType.DATE,
        "hour": SqlType.BIGINT,
        "km": SqlType.DOUBLE,
        "level": SqlType.DOUBLE,
        "way": SqlType.TIME,
        "tags": SqlType.VARCHAR_LIST,
        "stop": SqlType.BIGINT,
        "zone": SqlType.VARCHAR,
        "ok": SqlType.BOOLEAN,
        "holiday": SqlType.DATE,
    }
    domains = {column.name: column.domain for column in trips.columns if column.domain}
    assert domains == {
        "day": ValueRange("2026-10-01", "2026-10-31"),
        "hour": ValueRange(0, 23),
        "level": ValueList((0.5, 1.0)),
        "zone": ColumnValues("zones", "zone"),
        "ok": ValueList((True, False)),
        "holiday": ValueList(("2026-12-24", "2026-12-25")),
    }
    start, km, age = (
        trips.columns_by_name.get("start_ts"),
        trips.columns_by_name.get("km"),
        people.columns_by_name.get("age"),
    )
    assert start and start.stored_utc and start.time_zone == "America/Mexico_City"
    assert km and (km.stored_type, km.bounds) == ("DECIMAL(9, 2)", Bounds(0, 1500))
    assert age and (age.sum_clip_bound, age.centred_sum_clip_bound, age.centre) == (120.0, 60.5, 40.0)


def test_the_consent_column_is_hidden_by_default(tmp_path: Path) -> None:
    people = _load(tmp_path, WHOLE).tables_by_name.get("people")
    assert people
    assert [column.name for column in people.columns if not column.visible] == ["consent_state"]


def test_sources_may_lie_in_another_folder(tmp_path: Path) -> None:
    path = tmp_path / "catalog.toml"
    path.write_text(WHOLE, encoding="utf-8")
    people = load_catalog(path, data_folder=tmp_path / "elsewhere").tables_by_name.get("people")
    assert people and people.source.path == str(tmp_path / "elsewhere" / "people.parquet")


# (what stands in WHOLE, what is written instead, key, why, cure)
WRONG = {
    # the file
    "no TOML": ("format = 1", "format = ", "catalog", "this is not TOML", "correct the line"),
    "endless exponent": ("rho = 0.2", "rho = 1e99999999999999999999", "catalog", "this is not TOML", "correct the line"),
    "no format": ("format = 1", "", "format", "missing", "write format = 1 in the first line"),
    "other format": ("format = 1", "format = 2", "format", "not known", "write format = 1"),
    "true format": ("format = 1", "format = true", "format", "not known", "write format = 1"),
    "no name": ('name = "city"', "", "name", "missing", 'name = "city"'),
    "bad name": ('name = "city"', 'name = "My City"', "name", "My City is no name", "use a to z"),
    "unknown key": ("format = 1", "format = 1\ndataset = 1", "dataset", "not known", "write datasets."),
    "far key": ("format = 1", "format = 1\nqqq = 1", "qqq", "not known", "use one of backend, datasets, format, name, remote, tables."),
    # datasets
    "no table": ("norms = { rows = 1, persons = 1 }", "norms = 1", "tables.people.norms", "no table", "write [tables.people.norms]"),
    "upper case": ("[datasets.other]", "[datasets.Other]", "datasets.Other", "a name is made of", "lower case"),
    "accent": ("[datasets.other]", '[datasets."città"]', "datasets.città", "a name is made of", "rename it"),
    "dataset key": ("data_version", "data_versoin", "datasets.city.data_versoin", "not known", "write data_version."),
    "version": ("data_version = 3", "data_version = 0", "datasets.city.data_version", "no integer from 1", "e.g. data_version = 1"),
    "version text": ("data_version = 3", 'data_version = "3"', "datasets.city.data_version", "no integer", "e.g. data_version = 1"),
    "no window": ('window = "forever"', "", "datasets.city.window", "missing", 'window = "forever"'),
    "month": ('window = "forever"', 'window = "month"', "datasets.city.first_window", "missing", 'first_window = "2026-10"'),
    "week": ('window = "forever"', 'window = "week"', "datasets.city.first_window", "missing", 'first_window = "2026-W43"'),
    "last day": ('window = "forever"', 'window = "day"\nfirst_window = "2026-10-17"', "datasets.city.last_window", "missing", 'last_window = "2026-10-17"'),
    "no day": ('window = "forever"', 'window = "day"\nfirst_window = "2026-02-30"', "datasets.city.first_window", "no day between", 'first_window = "2026-10-17"'),
    "windows backwards": ('window = "forever"', 'window = "month"\nfirst_window = "2026-10"\nlast_window = "2026-09"', "datasets.city.last_window", "before first_window", "later one"),
    "too many windows": ('window = "forever"', 'window = "day"\nfirst_window = "2000-01-01"\nlast_window = "2026-09-01"', "datasets.city.last_window", "at most 4,000", "longer windows"),
    "one window": ('window = "forever"', 'window = "forever"\nfirst_window = "2026-09"', "datasets.city.first_window", "a whole history is one window", "remove first_window"),
    "other window": ('window = "forever"', 'window = "for ever"', "datasets.city.window", "not known", "write forever."),
    "defaults key": ("confidence", "confidense", "datasets.city.defaults.confidense", "not known", "write confidence."),
    "confidence": ("confidence = 0.9", "confidence = 95", "datasets.city.defaults.confidence", "between 0.5 and 0.999999", "0.95"),
    "rho floor": ("rho = 0.005", "rho = 0.00009", "datasets.city.defaults.rho", "not between 0.0001", "rho = 0.005"),
    "rho text": ("rho = 0.005", 'rho = "0.005"', "datasets.city.defaults.rho", "no number", "without quotes"),
    "rho true": ("rho = 0.005", "rho = true", "datasets.city.defaults.rho", "no number", "without quotes"),
    "rho nan": ("rho = 0.005", "rho = nan", "datasets.city.defaults.rho", "not finite", "finite number"),
    "rho inf": ("rho = 0.2", "rho = inf", "datasets.city.budget.rho", "not finite", "finite number"),
    "rho negative": ("rho = 0.2", "rho = -0.2", "datasets.city.budget.rho", "not between", "rho = 0.2"),
    "rho huge": ("rho = 0.2", "rho = 1e300", "datasets.city.budget.rho", "not between", "rho = 0.2"),
    "delta zero": ("delta = 1e-9", "delta = 0", "datasets.city.budget.delta", "not between 1e-18 and 1e-3", "delta = 1e-9"),
    "delta tiny": ("delta = 1e-9", "delta = 1e-99999999", "datasets.city.budget.delta", "not between", "delta = 1e-9"),
    "delta large": ("delta = 1e-12", "delta = 0.002", "datasets.city.defaults.delta", "not between", "delta = 1e-12"),
    "client above": ("client_rho = 0.1", "client_rho = 0.3", "datasets.city.budget.client_rho", "above the dataset's", "at most budget.rho"),
    "reserve": ("client_rho = 0.1", "reserve_rho = 0.2", "datasets.city.budget.reserve_rho", "leaves clients nothing of budget.rho", "less than budget.rho"),
    "reserve of static": ("client_rho = 0.1", "reserve_rho = 0.1\nstatic_rho = 0.05", "datasets.city.budget.reserve_rho", "nothing of budget.static_rho", "less than budget.static_rho"),
    "reserve zero": ("client_rho = 0.1", "reserve_rho = 0", "datasets.city.budget.reserve_rho", "not between 0.0001", "reserve_rho = 0.02"),
    "client in reserve": ("client_rho = 0.1", "client_rho = 0.1\nreserve_rho = 0.15", "datasets.city.budget.client_rho", "above what the owner's reserve leaves", "less budget.reserve_rho"),
    "query": ("client_rho = 0.1", "query_rho = 0.004", "datasets.city.budget.query_rho", "costs more than this where it names no price", "at least defaults.rho"),
    "query text": ("client_rho = 0.1", 'query_rho = "0.1"', "datasets.city.budget.query_rho", "no number", "without quotes"),
    "lifetime": ("client_rho = 0.1", "lifetime_rho = nan", "datasets.city.budget.lifetime_rho", "not finite", "finite number"),
    # tables
    "table key": ("time_column =", "time_colum =", "tables.trips.time_colum", "not known", "write time_column."),
    "no kind": ('kind = "public"\nsource = { parquet', "source = { parquet", "tables.zones.kind", "missing", 'kind = "private"'),
    "blank kind": ('kind = "public"\nsource = { parquet', 'kind = ""\nsource = { parquet', "tables.zones.kind", "empty", "fill it in"),
    "other kind": ('kind = "public"\nsource = { parquet', 'kind = "open"\nsource = { parquet', "tables.zones.kind", "not known", 'kind = "public"'),
    "public person": ('primary_key = ["zone"]', 'person = "zone"', "tables.zones.person", "a public table has no person", "remove person"),
    "public consent": ('primary_key = ["zone"]', 'consent = "zone"', "tables.zones.consent", "a public table has no consent", "remove consent"),
    "no dataset": ('dataset = "city"\nkind = "public"\nsource = { parquet', 'kind = "public"\nsource = { parquet', "tables.zones.dataset", "missing", "write dataset"),
    "other dataset": ('dataset = "city"\nkind = "public"\nsource = { parquet', 'dataset = "cty"\nkind = "public"\nsource = { parquet', "tables.zones.dataset", "no dataset cty", "write city."),
    "no source": ('source = { parquet = "zones.parquet" }', "", "tables.zones.source", "missing", "write e.g. source"),
    "two sources": ('{ parquet = "zones.parquet" }', '{ parquet = "z", csv = "z" }', "tables.zones.source", "one of parquet, csv, duckdb and spark", "source = {"),
    "source key": ('{ parquet = "zones.parquet" }', '{ parket = "z" }', "tables.zones.source.parket", "not known", "write parquet."),
    "source text": ('source = { parquet = "zones.parquet" }', 'source = "zones.parquet"', "tables.zones.source", "no table", "{ ... }"),
    "source url": ('"zones.parquet"', '"s3://zones.parquet"', "tables.zones.source.parquet", "a file on this machine", "copy the files"),
    "no duckdb table": ('{ duckdb = "city.duckdb", table = "stops" }', '{ duckdb = "city.duckdb" }', "tables.stops.source.table", "named for duckdb", "table ="),
    "parquet table": ('{ parquet = "zones.parquet" }', '{ parquet = "z", table = "z" }', "tables.zones.source.table", "and only there", "remove table"),
    "duckdb glob": ('"city.duckdb", table = "stops"', '"*.duckdb", table = "stops"', "tables.stops.source.duckdb", "one file", "without * ? ["),
    "no person": ('person = "Person_ID"', "", "tables.trips.person", "missing", 'person = "..."'),
    "person number": ('person = "Person_ID"', "person = 7", "tables.trips.person", "no text", "in quotes"),
    "person column": ('person = "Person_ID"', 'person = "persn_id"', "tables.trips.person", "declares no column persn_id", "write person_id."),
    "person type": ('person_id = { type = "BIGINT" }', 'person_id = { type = "DOUBLE" }', "tables.trips.person", "DOUBLE column cannot name persons", "integer or VARCHAR"),
    "person values": ('person_id = { type = "BIGINT" }', 'person_id = { type = "BIGINT", range = [1, 9] }', "tables.trips.columns.person_id", "neither bounds", "keep only type"),
    "person types": ('person_id = { type = "BIGINT" }', 'person_id = { type = "VARCHAR" }', "tables.trips.person", "persons are VARCHAR here and BIGINT in people", "the same type"),
    "path key": ('column = "person_id" }\nsize', 'colum = "person_id" }\nsize', "tables.legs.person.colum", "not known", "write column."),
    "path column": (', column = "person_id" }\nsize', " }\nsize", "tables.legs.person.column", "missing", "through ="),
    "path through": ('through = ["trip_id -> trips"], ', "", "tables.legs.person.through", "missing", "through ="),
    "path step": ('"trip_id -> trips"', '"trip_id = trips"', "tables.legs.person.through", "no 'column -> table'", "trip_id -> trip"),
    "path empty": ('["trip_id -> trips"]', "[]", "tables.legs.person.through", "no 'column -> table'", "trip_id -> trip"),
    "path own": ('"trip_id -> trips"', '"trip -> trips"', "tables.legs.person.through[0]", "legs declares no column trip", "write trip_id."),
    "path public": ('"trip_id -> trips"', '"trip_id -> zones"', "tables.legs.person.through[0]", "zones is no private table of dataset city", "use one of legs, people, trips"),
    "path key type": ('trip_id = { type = "BIGINT" }\nmode', 'trip_id = { type = "VARCHAR" }\nmode', "tables.legs.person.through[0]", "trip_id is VARCHAR and trip_id is BIGINT", "the same type"),
    "path no key": ('primary_key = ["trip_id"]', "", "tables.legs.person.through[0]", "trips has no primary key of one column", "declare primary_key of trips"),
    "path two keys": ('primary_key = ["trip_id"]', 'primary_key = ["trip_id", "day"]', "tables.legs.person.through[0]", "no primary key of one column", "as one column"),
    "path end": ('column = "person_id" }\nsize', 'column = "day" }\nsize', "tables.legs.person.column", "day is not the person column of trips", "end the path"),
    "key column": ('primary_key = ["zone"]', 'primary_key = ["zon"]', "tables.zones.primary_key", "declares no column zon", "write zone."),
    "key text": ('primary_key = ["zone"]', 'primary_key = "zone"', "tables.zones.primary_key", "no list of texts", 'primary_key = ["..."'),
    "key twice": ('primary_key = ["zone"]', 'primary_key = ["zone", "zone"]', "tables.zones.primary_key", "zone is named twice", "once"),
    "sorted": ('sorted_by = ["person_id"', 'sorted_by = ["person"', "tables.trips.sorted_by", "declares no column person", "write person_id."),
    "time column": ('time_column = "start_ts"', 'time_column = "km"', "tables.trips.time_column", "no date and no time", "TIMESTAMP"),
    "no size": ('size_class = "1e7"\njoins', "joins", "tables.trips.size_class", "missing", '"1e6"'),
    "size": ('size_class = "1e7"\njoins', 'size_class = "12345"\njoins', "tables.trips.size_class", "no power of ten", '"1e6"'),
    "rows zero": ("max_rows_per_person = 500", "max_rows_per_person = 0", "tables.trips.max_rows_per_person", "no integer", "= 10000"),
    "groups": ("max_groups_per_person = 40", "max_groups_per_person = 4.5", "tables.trips.max_groups_per_person", "no integer", "= 20"),
    # norms
    "no rows": ("rows = 60\npersons = 8", "persons = 8", "tables.trips.norms.rows", "not declared", "rows = 100"),
    "no persons": ("rows = 60\npersons = 8", "rows = 8", "tables.trips.norms.persons", "not declared", "persons = 5"),
    "norm zero": ("rows = 60\npersons = 8", "rows = 0\npersons = 8", "tables.trips.norms.rows", "not above 0", "above 0"),
    "norm key": ("rows = 60\npersons = 8", "row = 60\npersons = 8", "tables.trips.norms.row", "not known", "write rows."),
    "by_keys dict": ("norms = { rows = 1, persons = 1 }", "norms = { rows = 1, persons = 1, by_keys = 1 }", "tables.people.norms.by_keys", "no list", "[{ ... }]"),
    "by_keys key": (", persons = 6, sums", ", person = 6, sums", "tables.trips.norms.by_keys[0].person", "not known", "write persons."),
    "by_keys empty": ('keys = ["cast(start_ts as date)"]', "keys = []", "tables.trips.norms.by_keys[1].keys", "not said for which keys", "keys = ["),
    "by_keys nothing": (", persons = 5 }", " }", "tables.trips.norms.by_keys[1].keys", "not declared", "rows, persons or sums"),
    "by_keys name": ('"zone", "hour', '"zon", "hour', "tables.trips.norms.by_keys[0].keys", "zon names no declared column", "write zone."),
    "by_keys expression": ("hour(start_ts)", "hour(begin)", "tables.trips.norms.by_keys[0].keys", "hour(begin) names no declared column", ""),
    "by_keys case": ("hour(start_ts)", "HOUR(start_ts)", "tables.trips.norms.by_keys[0].keys", "not how a key is written", "lower case"),
    "by_keys table": ('"zone", "hour', '"trips.zone", "hour', "tables.trips.norms.by_keys[0].keys", "not how a key is written", "without a table"),
    "by_keys twice": ('keys = ["cast(start_ts as date)"]', 'keys = ["hour(start_ts)", "zone"]', "tables.trips.norms.by_keys[1].keys", "have norms already", "keep one"),
    "sums column": ("sums = { km", "sums = { kmm", "tables.trips.norms.by_keys[0].sums.kmm", "declares no column kmm", "write km."),
    "sums bounds": ("sums = { km", "sums = { level", "tables.trips.norms.by_keys[0].sums.level", "level has no bounds", "give level bounds"),
    "sums zero": ("km = 900", "km = 0", "tables.trips.norms.by_keys[0].sums.km", "not above 0", "above 0"),
    # joins
    "join key": ('take = "zone" }', 'tak = "zone" }', "tables.trips.joins[0].tak", "not known", "write take."),
    "join part": (', take = "zone" }', " }", "tables.trips.joins[0].take", "missing", "take ="),
    "join column": ('{ column = "zone", on', '{ column = "zon", on', "tables.trips.joins[0].column", "declares no column zon", "write zone."),
    "join on": ('on = "stop"', 'on = "stp"', "tables.trips.joins[0].on", "declares no column stp", "write stop."),
    "join table": ('table = "stops", take', 'table = "people", take', "tables.trips.joins[0].table", "people is no public table", "use one of stops, zones"),
    "join no key": ('primary_key = ["stop"]', "", "tables.trips.joins[0].table", "no primary key of one column", "declare primary_key of stops"),
    "join on type": ('on = "stop"', 'on = "tags"', "tables.trips.joins[0].on", "tags is VARCHAR[] and stop is BIGINT", "the same type"),
    "join take": ('take = "zone" }', 'take = "zon" }', "tables.trips.joins[0].take", "stops declares no column zon", "write zone."),
    "join type": ('{ column = "zone", on', '{ column = "hour", on', "tables.trips.joins[0].take", "hour is BIGINT and zone is VARCHAR", "the same type"),
    "join of join": ('take = "zone" }]', 'take = "zone" }, { column = "hour", on = "zone", table = "zones", take = "zone" }]', "tables.trips.joins[1].on", "itself looked up", "that the source has"),
    "join twice": ('take = "zone" }]', 'take = "zone" }, { column = "zone", on = "stop", table = "stops", take = "zone" }]', "tables.trips.joins[1].column", "looked up twice", "keep one"),
    # consent
    "consent key": ("admitted =", "admited =", "tables.people.consent.admited", "not known", "write admitted."),
    "consent column": ('column = "consent_state"', 'column = "consent"', "tables.people.consent.column", "declares no column consent", "write consent_state."),
    "consent no column": ('column = "consent_state", ', "", "tables.people.consent.column", "missing", "admitted ="),
    "consent none": ('["opt_in", "none"]', "[]", "tables.people.consent.admitted", "no list of states", "admitted ="),
    "consent type": ('["opt_in", "none"]', "[true]", "tables.people.consent.admitted", "no VARCHAR", "write VARCHAR values"),
    "consent number": ('column = "consent_state"', 'column = "age"', "tables.people.consent.column", "cannot hold", "VARCHAR or BOOLEAN"),
    "consent visible": ('consent_state = { type = "VARCHAR" }', 'consent_state = { type = "VARCHAR", visible = true }', "tables.people.columns.consent_state.visible", "never see", "visible = false"),
    "consent rows": ('primary_key = ["person_id"]', "", "tables.people.consent", "one row a person", "move consent"),
    "consent key wide": ('primary_key = ["person_id"]', 'primary_key = ["person_id", "band"]', "tables.people.consent", "one row a person", "move consent"),
    # columns
    "no columns": ("[tables.zones.columns]\nzone", "[tables.zones.colum]\nzone", "tables.zones.colum", "not known", "write columns."),
    "empty columns": ('[tables.zones.columns]\nzone = { type = "VARCHAR" }', "[tables.zones.columns]", "tables.zones.columns", "nothing is declared", "id = { type"),
    "column case": ("level =", "Level =", "tables.trips.columns.Level", "a name is made of", "lower case"),
    "column key": ('"TIME" }', '"TIME", nulable = true }', "tables.trips.columns.way.nulable", "not known", "write nullable."),
    "column no type": ('{ type = "TIME" }', "{ nullable = true }", "tables.trips.columns.way.type", "missing", 'type = "VARCHAR"'),
    "column type": ('{ type = "TIME" }', '{ type = "VARCHR" }', "tables.trips.columns.way.type", "VARCHR is not supported", "write VARCHAR."),
    "column far type": ('{ type = "TIME" }', '{ type = "HYPERLOGLOG" }', "tables.trips.columns.way.type", "not supported", "store it as one of"),
    "column injected": ('{ type = "TIME" }', '{ type = "DECIMAL(9,2)) --" }', "tables.trips.columns.way.type", "not supported", ""),
    "nullable": ("nullable = false }\nage", 'nullable = "no" }\nage', "tables.people.columns.person_id.nullable", "neither true nor false", "nullable = true"),
    "bounds type": ('{ type = "TIME" }', '{ type = "TIME", bounds = [0, 1] }', "tables.trips.columns.way.bounds", "a TIME column has no bounds", "values or range"),
    "bounds one": ("bounds = [0, 120]", "bounds = 120", "tables.people.columns.age.bounds", "two numbers", "[lower, upper]"),
    "bounds order": ("bounds = [0, 120]", "bounds = [120, 120]", "tables.people.columns.age.bounds", "not below", "[lower, upper]"),
    "bounds inf": ("bounds = [0, 120]", "bounds = [0, inf]", "tables.people.columns.age.bounds", "not finite", "finite"),
    "bounds overflow": ("bounds = [0, 120]", "bounds = [0, 1e400]", "tables.people.columns.age.bounds", "not finite", "finite"),
    "bounds text": ("bounds = [0, 120]", 'bounds = ["0", "120"]', "tables.people.columns.age.bounds", "no number", "without quotes"),
    "norm unbounded": ("bounds = [0, 120], ", "", "tables.people.columns.age.sum_norm", "no bounds", "add bounds"),
    "norm negative": ("sum_norm = 120", "sum_norm = -1", "tables.people.columns.age.sum_norm", "not above 0", "above 0"),
    "centred zero": ("centred_norm = 60.5", "centred_norm = 0", "tables.people.columns.age.centred_norm", "not above 0", "above 0"),
    "centre": ("centre = 40", "centre = 140", "tables.people.columns.age.centre", "not inside bounds", "inside bounds"),
    "two domains": ("range = [0, 23]", "range = [0, 23], values = [1]", "tables.trips.columns.hour.range", "has values too", "keep one"),
    "values list": ('["18-64", "65+"]', '"65+"', "tables.people.columns.band.values", "no list with values", "values = ["),
    "values empty": ('["18-64", "65+"]', "[]", "tables.people.columns.band.values", "no list with values", "values = ["),
    "values type": ('["18-64", "65+"]', '["18-64", 65]', "tables.people.columns.band.values", "no VARCHAR", "NULL by nullable"),
    "values twice": ('["18-64", "65+"]', '["65+", "65+"]', "tables.people.columns.band.values", "twice", "once"),
    "values of time": ('{ type = "TIME" }', '{ type = "TIME", values = ["a"] }', "tables.trips.columns.way.values", "no list of values", "remove values"),
    "values number": ("values = [0.5, 1]", "values = [0.5, true]", "tables.trips.columns.level.values", "no number", "without quotes"),
    "values date": ('"2026-12-25"', '"2026-02-30"', "tables.trips.columns.holiday.values", "no date", '"2026-10-31"'),
    "range type": ("values = [0.5, 1]", "range = [0, 1]", "tables.trips.columns.level.range", "a DOUBLE column has no range", "bounds"),
    "range one": ("range = [0, 23]", "range = [0]", "tables.trips.columns.hour.range", "two ends", "[first, last]"),
    "range order": ("range = [0, 23]", "range = [23, 0]", "tables.trips.columns.hour.range", "ends before it begins", "[first, last]"),
    "range float": ("range = [0, 23]", "range = [0, 23.5]", "tables.trips.columns.hour.range", "no integer", "[0, 23]"),
    "range wide": ("range = [0, 23]", "range = [0, 9223372036854775808]", "tables.trips.columns.hour.range", "no integer of 64 bits", "[0, 23]"),
    "range date": ('range = ["2026-10-01"', 'range = ["1 Oct 2026"', "tables.trips.columns.day.range", "no date", '"2026-10-31"'),
    "range dates": ('"2026-10-31"]', '"2026-09-30"]', "tables.trips.columns.day.range", "ends before", "[first, last]"),
    "values_of shape": ('stop = { type = "INTEGER", visible', 'stop = { type = "INTEGER", values_of = "stops", visible', "tables.trips.columns.stop.values_of", "names no column", "table.column"),
    "values_of list": ('tags = { type = "VARCHAR[]" }', 'tags = { type = "VARCHAR[]", values_of = "zones.zone" }', "tables.trips.columns.tags.values_of", "no list of values", "remove values_of"),
    "values_of table": ('type = "VARCHAR", values_of = "zones.zone" }\nok', 'type = "VARCHAR", values_of = "zone.zone" }\nok', "tables.trips.columns.zone.values_of", "zone is no public table", "write zones."),
    "values_of private": ('type = "VARCHAR", values_of = "zones.zone" }\nok', 'type = "VARCHAR", values_of = "people.band" }\nok', "tables.trips.columns.zone.values_of", "people is no public table", "use one of stops, zones."),
    "values_of column": ('type = "VARCHAR", values_of = "zones.zone" }\nok', 'type = "VARCHAR", values_of = "zones.zon" }\nok', "tables.trips.columns.zone.values_of", "zones declares no column zon", "write zone."),
    "values_of type": ('stop = { type = "INTEGER", visible', 'stop = { type = "INTEGER", values_of = "zones.zone", visible', "tables.trips.columns.stop.values_of", "stop is BIGINT and zone is VARCHAR", "the same type"),
    "zone": ('"America/Mexico_City"', '"America/Mexico"', "tables.trips.columns.start_ts.time_zone", "no IANA time zone", "America/Mexico_City"),
    "zone path": ('"America/Mexico_City"', '"../zone"', "tables.trips.columns.start_ts.time_zone", "no IANA time zone", "America/Mexico_City"),
    "zone folder": ('"America/Mexico_City"', '"America"', "tables.trips.columns.start_ts.time_zone", "no IANA time zone", "America/Mexico_City"),
    "zone of here": ('"America/Mexico_City"', '"localtime"', "tables.trips.columns.start_ts.time_zone", "no IANA time zone", "America/Mexico_City"),
    "zone type": ('{ type = "TIME" }', '{ type = "TIME", time_zone = "UTC" }', "tables.trips.columns.way.time_zone", "no time zone", "remove time_zone"),
    "no zone": (', time_zone = "Europe/Berlin"', "", "tables.trips.columns.seen.time_zone", "need a time zone", "Europe/Berlin"),
    "stored": ('stored = "utc"', 'stored = "UTC+1"', "tables.trips.columns.start_ts.stored", "local or utc", 'stored = "local"'),
    "stored type": ('"TIME" }', '"TIME", stored = "utc" }', "tables.trips.columns.way.stored", "no choice", "remove stored"),
    "stored no zone": ('time_zone = "America/Mexico_City", ', "", "tables.trips.columns.start_ts.stored", "none is named", "add the zone"),
    # between tables
    "two datasets": ('dataset = "city"\nkind = "private"\nsource = { csv = "legs/*.csv" }\nperson = { through = ["trip_id -> trips"], column = "person_id" }', 'dataset = "other"\nkind = "private"\nsource = { parquet = "./x/../people.parquet" }\nperson = "trip_id"', "tables.legs.source", "read by people too, which is in dataset city", "put both tables into dataset city"),
    "glob of two datasets": ('dataset = "city"\nkind = "private"\nsource = { csv = "legs/*.csv" }\nperson = { through = ["trip_id -> trips"], column = "person_id" }', 'dataset = "other"\nkind = "private"\nsource = { parquet = "p*.parquet" }\nperson = "trip_id"', "tables.legs.source", "read by people too", "put both tables into dataset city"),
    "duckdb of two datasets": ('dataset = "city"\nkind = "private"\nsource = { csv = "legs/*.csv" }\nperson = { through = ["trip_id -> trips"], column = "person_id" }', 'dataset = "other"\nkind = "private"\nsource = { duckdb = "city.duckdb", table = "legs" }\nperson = "trip_id"', "tables.legs.source", "read by trips too", "put both tables into dataset city"),
    "private and public": ('"zones.parquet"', '"people.parquet"', "tables.zones.source", "one of the two is private", "a file of its own"),
    "private and public glob": ('"zones.parquet"', '"*.parquet"', "tables.zones.source", "one of the two is private", "a file of its own"),
    "private and public table": ('table = "stops" }', 'table = "TRIPS" }', "tables.stops.source", "one of the two is private", "a file of its own"),
}  # fmt: skip

# what is wrong, besides, with what some of them leave
TOO = {
    "source key": ("tables.zones.source",),
    "person column": ("tables.legs.person.column",),
    "path key": ("tables.legs.person.column",),
    "norm key": ("tables.trips.norms.rows",),
    "join key": ("tables.trips.joins[0].take",),
    "consent key": ("tables.people.consent.admitted",),
    "no columns": ("tables.zones.columns",),
    "norm unbounded": ("tables.people.columns.age.centred_norm", "tables.people.columns.age.centre"),
}


@pytest.mark.parametrize("case", WRONG)
def test_each_mistake_is_named(tmp_path: Path, case: str) -> None:
    old, new, key, why, cure = WRONG[case]
    assert old in WHOLE
    with pytest.raises(CatalogError) as caught:
        _load(tmp_path, WHOLE.replace(old, new, 1))
    error = caught.value
    assert (error.file, error.key) == (str(tmp_path / "catalog.toml"), key)
    assert why in error.why and cure in error.cure
    assert error.why.endswith(".") and error.cure.endswith(".")
    assert str(error) == f"{error.file}: {key}: {error.why} Cure: {error.cure}"
    assert tuple(other.key for other in error.other_errors) == TOO.get(case, ()), "a mistake brings no others along"


def test_consent_has_one_place_in_a_dataset(tmp_path: Path) -> None:
    second = """
        [tables.people_too]
        dataset = "city"
        kind = "private"
        source = { parquet = "people.parquet" }
        person = "person_id"
        primary_key = ["person_id"]
        size_class = "1e5"
        consent = { column = "agreed", admitted = [true] }
        norms = { rows = 1, persons = 1 }
        columns = { person_id = { type = "BIGINT" }, agreed = { type = "BOOLEAN" } }
    """
    with pytest.raises(CatalogError, match="consent is declared in people too") as caught:
        _load(tmp_path, WHOLE + second)
    assert caught.value.key == "tables.people_too.consent"
    assert _load(tmp_path, WHOLE + second.replace("city", "other").replace("people.parquet", "others.parquet"))


@pytest.mark.parametrize("link", ["hard", "soft"])
def test_one_file_under_two_names_is_one_file(tmp_path: Path, link: str) -> None:
    (tmp_path / "people.parquet").write_bytes(b"")
    if link == "hard":
        os.link(tmp_path / "people.parquet", tmp_path / "zones.parquet")
    else:
        (tmp_path / "zones.parquet").symlink_to(tmp_path / "people.parquet")
    with pytest.raises(CatalogError, match="one of the two is private"):
        _load(tmp_path, WHOLE)


def test_overlapping_patterns_are_found_by_their_files(tmp_path: Path) -> None:
    (tmp_path / "people_zones.parquet").write_bytes(b"")
    text = WHOLE.replace('"people.parquet"', '"people*.parquet"').replace('"zones.parquet"', '"*zones.parquet"')
    with pytest.raises(CatalogError, match="one of the two is private"):
        _load(tmp_path, text)


def test_tables_of_one_dataset_may_share_a_file(tmp_path: Path) -> None:
    assert _load(tmp_path, WHOLE.replace('{ csv = "legs/*.csv" }', '{ duckdb = "city.duckdb", table = "trips" }'))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match="there is no such file") as caught:
        load_catalog(tmp_path / "none.toml")
    assert caught.value.file == str(tmp_path / "none.toml")


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match="cannot be read"):
        load_catalog(tmp_path)


def test_binary_is_no_catalog(tmp_path: Path) -> None:
    path = tmp_path / "catalog.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CatalogError, match="this is not TOML"):
        load_catalog(path)


def test_an_empty_catalog_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match="nothing is declared here") as caught:
        _load(tmp_path, 'format = 1\nname = "a"\n[datasets.a]\nwindow = "forever"\n')
    assert caught.value.key == "tables"


def test_all_mistakes_are_reported_at_once(tmp_path: Path) -> None:
    for together in (
        (
            "bad name",
            "version",
            "confidence",
            "table key",
            "key text",
            "rows zero",
            "norm zero",
            "by_keys key",
            "no size",
        ),
        ("other dataset", "sorted", "time column", "by_keys name"),
    ):
        wrong, keys = WHOLE, set()
        for old, new, key, *_ in (WRONG[case] for case in together):
            assert old in wrong
            wrong = wrong.replace(old, new, 1)
            keys.add(key)
        with pytest.raises(CatalogError) as caught:
            _load(tmp_path, wrong)
        assert {error.key for error in (caught.value, *caught.value.other_errors)} >= keys


def test_a_path_runs_through_one_persons_rows(tmp_path: Path) -> None:
    """Rows of a stay are the guest's; a review that reaches its host through a stay would be moved by other guests."""
    tables = {
        "hosts": ('"host_id"', ("host_id", "BIGINT", "host_id"), ()),
        "places": ('"host_id"', ("place_id", "BIGINT", "place_id"), (("host_id", "BIGINT"),)),
        "stays": ('"guest_id"', ("stay_id", "BIGINT", "stay_id"), (("guest_id", "BIGINT"), ("place_id", "BIGINT"))),
        "reviews": (
            '{ through = ["stay_id -> stays", "place_id -> places"], column = "host_id" }',
            ("review_id", "BIGINT", "review_id"),
            (("stay_id", "BIGINT"),),
        ),
    }
    text = 'format = 1\nname = "homes"\n[datasets.homes]\nwindow = "forever"\ndata_version = 1\n[datasets.homes.budget]\nrho = 1\ndelta = 1e-9\n'
    for name, (person, (key, kind, primary), columns) in tables.items():
        text += f'[tables.{name}]\ndataset = "homes"\nkind = "private"\nsource = {{ csv = "{name}.csv" }}\n'
        text += f'size_class = "1e3"\nnorms = {{ rows = 5, persons = 1 }}\nperson = {person}\nprimary_key = ["{primary}"]\n[tables.{name}.columns]\n'
        text += "".join(f'{column} = {{ type = "{of}" }}\n' for column, of in ((key, kind), *columns))
    with pytest.raises(CatalogError) as caught:
        _load(tmp_path, text)
    assert (caught.value.key, caught.value.why) == (
        "tables.reviews.person.through[0]",
        "rows of stays may be another person's.",
    )
    own = text.replace('person = "guest_id"', 'person = { through = ["place_id -> places"], column = "host_id" }')
    assert _load(tmp_path, own).tables_by_name.get("reviews") is not None
