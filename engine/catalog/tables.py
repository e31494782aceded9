"""Declared tables: the source, the person key, contribution bounds, and movement.

Movement names the columns with places: stays, trips, homes and workplaces are computed from these and the time column.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from dialect.catalog import Bounds, Column, Consent, Movement, PersonPath, Source, SourceJoin, SqlType, Table
from dialect.functions import TABLE_FUNCTIONS
from engine.catalog.columns import TableResolver, read_clip_bounds, read_column
from engine.catalog.sources import LAKE_TABLE, SPARK_URL
from engine.catalog.toml_section import FOREIGN_KEY, Section, suggestion

MOVEMENT_EXAMPLE = 'write e.g. movement = { through = "cell_id -> cell", zone = "zone_id", lon = "lon", lat = "lat" }.'
ZONE_TYPES = (SqlType.BIGINT, SqlType.VARCHAR)
COORDINATE_TYPES = (SqlType.BIGINT, SqlType.DOUBLE)
# numeric columns of stays and trips -> upper bound
MOVEMENT_MEASURES = {"dwell_min": 1440.0, "minutes": 1440.0, "dist_km": 200.0}
MOVEMENT_COLUMNS = {name for each in TABLE_FUNCTIONS for name in each.result_columns}
WORD = re.compile(r"[a-z_]+")
TIME_TYPES = (SqlType.TIMESTAMP, SqlType.TIMESTAMPTZ)


def read_movement(section: Section) -> Movement | None:
    """Parse the movement declaration: the zone and coordinate columns, and the clip bounds of stays and trips."""
    known = ("through", "zone", "lon", "lat", "norms", "columns")
    movement = section.table("movement", known, ("zone",), MOVEMENT_EXAMPLE)
    if movement is None:
        return None
    lon, lat = movement.reference("lon"), movement.reference("lat")
    if (lon is None) != (lat is None):
        raise movement.error("lat" if lat is None else "lon", "a place has both lon and lat.", "name both, or neither.")
    collect = movement.collector.collect
    clip_bounds = collect(None, read_clip_bounds, movement)
    measures = collect((), _measures, movement)
    return Movement(movement.reference("zone") or "", lon, lat, _place_step(movement), clip_bounds, measures)


def _measures(movement: Section) -> tuple[Column, ...]:
    """Parse the clip bounds of the numeric columns of stays and trips."""
    columns = movement.section("columns")
    columns.check_keys(MOVEMENT_MEASURES)
    return tuple(_measure(name, columns.section(name)) for name in MOVEMENT_MEASURES if name in columns.entries)


def _measure(name: str, section: Section) -> Column:
    """Parse the clip bounds of one numeric column of stays or trips."""
    section.check_keys(("sum_norm", "centred_norm", "centre"))
    return Column(
        name,
        SqlType.DOUBLE,
        "DOUBLE",
        bounds=Bounds(0, MOVEMENT_MEASURES[name]),
        sum_clip_bound=section.positive_float("sum_norm"),
        centred_sum_clip_bound=section.positive_float("centred_norm"),
        centre=section.finite_float("centre"),
    )


def _place_step(movement: Section) -> tuple[str, str] | None:
    """Parse the foreign key to a public table of places: 'column -> table'."""
    text = movement.reference("through")
    hop = None if text is None else FOREIGN_KEY.fullmatch(text)
    if text is not None and hop is None:
        raise movement.error("through", "this is no 'column -> table'.", MOVEMENT_EXAMPLE)
    return None if hop is None else (hop[1], hop[2])


class MovementResolver(TableResolver):
    """Name resolution for the movement declaration of one table."""

    def check(self) -> None:
        """Check that time, zone and coordinates resolve to columns that are visible to analysts."""
        movement = self.table.movement
        if movement is None:
            return
        self._check_time()
        place_table = self.table if movement.through is None else self._place_table(*movement.through)
        for role, name in (("zone", movement.zone), ("lon", movement.lon), ("lat", movement.lat)):
            if name is not None:
                self._check_place(role, self.declared_column(place_table, name, f"movement.{role}"))
        self._check_clip_bounds(movement)

    def _check_clip_bounds(self, movement: Movement) -> None:
        """Check that clip bounds by keys name columns of stays and trips."""
        for i, by_keys in enumerate(movement.clip_bounds.by_keys if movement.clip_bounds is not None else ()):
            key = f"movement.norms.by_keys[{i}]"
            for text in by_keys.keys:
                if not any(word in MOVEMENT_COLUMNS for word in WORD.findall(text)):
                    why, cure = f"{text} is no column of stays or trips.", suggestion(text, MOVEMENT_COLUMNS, "")
                    raise self.error(f"{key}.keys", why, cure)
            for name in by_keys.sums:
                if name not in MOVEMENT_MEASURES:
                    cure = suggestion(name, MOVEMENT_MEASURES, "")
                    raise self.error(f"{key}.sums.{name}", f"{name} is no number of them.", cure)

    def _check_time(self) -> None:
        """Check that the table has a time column with a time of day."""
        if self.table.time_column is None:
            raise self.error("movement", "it is not said when a row happened.", "declare time_column.")
        column = self.declared_column(self.table, self.table.time_column, "time_column")
        if column.type not in TIME_TYPES:
            cure = "let time_column name a TIMESTAMP or TIMESTAMPTZ column, or remove movement."
            raise self.error("movement", f"a {column.type} does not say at what time.", cure)
        self._check_visible(column, "time_column")

    def _place_table(self, own: str, name: str) -> Table:
        """Return the public table of places behind the foreign key."""
        key = "movement.through"
        column = self.declared_column(self.table, own, key)
        target = self.public_table(name, key)
        self.check_same_type(column, self.single_key_column(target, key), key)
        self._check_visible(column, key)
        return target

    def _check_place(self, role: str, column: Column) -> None:
        """Check the type of a zone or coordinate column."""
        key, kinds, cure = f"movement.{role}", COORDINATE_TYPES, "name a column of degrees."
        if role == "zone":
            kinds, cure = ZONE_TYPES, "name an integer or VARCHAR column."
        if column.type not in kinds:
            raise self.error(key, f"{column.name} is {column.type}.", cure)
        self._check_visible(column, key)

    def _check_visible(self, column: Column, key: str) -> None:
        """Check that a column is visible: stays and trips are computed by ordinary queries over it."""
        if not column.visible:
            raise self.error(key, f"{column.name} is hidden from analysts.", f"let {column.name} be visible.")


PRIVATE_ONLY = (
    "person", "norms", "max_rows_per_person", "max_groups_per_person", "consent", "joins", "movement", "date_column",
    "from_windows",
)  # fmt: skip
TABLE_KEYS = (
    "dataset", "kind", "source", "primary_key", "time_column", "sorted_by", "size_class", "columns", *PRIVATE_ONLY,
)  # fmt: skip
SOURCE_FORMATS = ("parquet", "csv", "duckdb", "spark")
DATASET_EXAMPLE = 'write dataset = "..." with the name of one under [datasets].'
SIZE_CLASS_EXAMPLE = 'size_class = "1e6", the order of magnitude of the number of rows.'
UNREADABLE_SOURCE = Source("parquet", "")  # placeholder after a parse error


def read_table(name: str, section: Section, folder: Path) -> Table:
    """Table declaration from its TOML section; source paths are relative to the catalog's folder."""
    section.check_keys(TABLE_KEYS)
    collect = section.collector.collect
    private = collect(any(name in section.entries for name in PRIVATE_ONLY), _is_private, section)
    consent = collect(None, _consent, section) if private else None
    return Table(
        name=name,
        dataset=collect("", section.required_reference, "dataset", DATASET_EXAMPLE),
        private=private,
        source=collect(UNREADABLE_SOURCE, _source, section, folder),
        columns=collect((), _columns, section, consent),
        primary_key=collect((), section.references, "primary_key"),
        person=collect(None, _person, section) if private else None,
        time_column=collect(None, section.reference, "time_column"),
        date_column=collect(None, section.reference, "date_column"),
        source_windows=collect((), section.texts, "from_windows"),
        sorted_by=collect((), section.references, "sorted_by"),
        clip_bounds=collect(None, read_clip_bounds, section) if private else None,
        max_rows_per_person=_contribution_limit(section, "max_rows_per_person", 10_000, 10**9) if private else None,
        max_groups_per_person=_contribution_limit(section, "max_groups_per_person", 20, 10**6) if private else None,
        size_class=collect(None, _size_class, section, private),
        consent=consent,
        movement=collect(None, read_movement, section) if private else None,
    )


def _contribution_limit(section: Section, name: str, default: int, maximum: int) -> int:
    """Parse a contribution limit: the maximum of rows or groups per person."""
    return section.collector.collect(default, section.integer, name, default, 1, maximum)


def _is_private(section: Section) -> bool:
    """Parse the kind, private or public; there is no default, so that no table is public by omission."""
    kinds = 'kind = "private", or kind = "public" where no row is about a person.'
    kind = section.required_text("kind", f"write {kinds}", kinds)
    if kind not in ("private", "public"):
        raise section.error("kind", f"the kind {kind} is not known.", 'write kind = "private" or kind = "public".')
    if kind == "public":
        for name in (name for name in PRIVATE_ONLY if name in section.entries):
            cure = f'remove {name}, or write kind = "private".'
            section.collector.add(section.error(name, f"a public table has no {name}.", cure))
    return kind == "private"


def _source(section: Section, folder: Path) -> Source:
    """Parse the source: format, resolved path, table in a DuckDB file, and lookup columns."""
    section.require("source", 'write e.g. source = { parquet = "trips/*.parquet" }.')
    source = section.section("source")
    source.check_keys((*SOURCE_FORMATS, "table"))
    formats = [name for name in SOURCE_FORMATS if name in source.entries]
    if len(formats) != 1:
        why = "a source is one of parquet, csv, duckdb and spark."
        raise section.error("source", why, 'write e.g. source = { parquet = "trips/*.parquet" }.')
    path = source.text(formats[0]) or ""
    if "://" in path and not (formats[0] == "parquet" and SPARK_URL.fullmatch(path)):
        raise source.error(formats[0], "a source is a file on this machine.", "copy the files, and give their path.")
    if formats[0] == "spark" and not LAKE_TABLE.fullmatch(path):
        raise source.error("spark", "this is no name of a table.", 'write e.g. spark = "lake.mobility.visit".')
    table = source.text("table")
    if (table is not None) != (formats[0] == "duckdb"):
        why = "the table inside the file is named for duckdb, and only there."
        raise source.error("table", why, 'write source = { duckdb = "file.duckdb", table = "..." }, or remove table.')
    if formats[0] == "duckdb" and any(sign in path for sign in "*?["):
        raise source.error("duckdb", "a DuckDB source is one file.", "give the path of one file, without * ? [.")
    joins = tuple(map(_join, section.section_list("joins")))
    if formats[0] == "spark" or "://" in path:
        return Source(formats[0], path.lower() if formats[0] == "spark" else path.rstrip("/"), table, joins)
    return Source(formats[0], str((folder / path).resolve()), table, joins)


def _join(section: Section) -> SourceJoin:
    """Lookup join of a source: a public column that the snapshot adds to each row."""
    names = ("column", "on", "table", "take")
    section.check_keys(names)
    cure = 'write { column = "origin_zone", on = "origin_id", table = "stations", take = "zone_id" }.'
    return SourceJoin(*(section.required_reference(name, cure) for name in names))


def _columns(section: Section, consent: Consent | None) -> tuple[Column, ...]:
    """Parse the columns; the consent column is never visible to analysts."""
    cure = f'add [{section.key_path("columns")}] with lines such as id = {{ type = "BIGINT" }}.'
    named = section.named_sections("columns", cure)
    collect = section.collector.collect
    read = (collect(None, read_column, name, column) for name, column in named)
    columns = tuple(column for column in read if column is not None)
    if consent is None:
        return columns
    for name, column in named:
        if name == consent.column and column.entries.get("visible") is True:
            raise column.error("visible", "analysts never see the consent column.", "write visible = false.")
    return tuple(replace(column, visible=False) if column.name == consent.column else column for column in columns)


def _person(section: Section) -> PersonPath:
    """Parse the person key: a column of the table, or a path of foreign keys and the column at its end."""
    example = 'person = "..." with the column that names the person a row is about.'
    if not isinstance(section.entries.get("person"), dict):
        return PersonPath(section.required_reference("person", f"write {example}", example))
    path = section.section("person")
    path.check_keys(("through", "column"))
    cure = 'write person = { through = ["trip_id -> trip"], column = "person_id" }.'
    path.require("through", cure)
    path.require("column", cure)
    hops = [FOREIGN_KEY.fullmatch(text) for text in path.references("through")]
    if not hops or None in hops:
        raise path.error("through", "a step of the path is no 'column -> table'.", cure)
    return PersonPath(path.reference("column") or "", tuple((hop[1], hop[2]) for hop in hops if hop))


def _size_class(section: Section, private: bool) -> str | None:
    """Parse the public order of magnitude of the row count, e.g. 1e6."""
    if private:
        section.require("size_class", f"write e.g. {SIZE_CLASS_EXAMPLE}")
    found = section.text("size_class", SIZE_CLASS_EXAMPLE if private else "or remove it.")
    if found is not None and not re.fullmatch(r"1e\d{1,2}", found, re.ASCII):
        raise section.error("size_class", "this is no power of ten.", 'write e.g. size_class = "1e6".')
    return found


def _consent(section: Section) -> Consent | None:
    """Parse the consent column and the states that admit a person."""
    cure = 'write consent = { column = "consent_state", admitted = ["opt_in"] }.'
    consent = section.table("consent", ("column", "admitted"), ("column",), cure)
    if consent is None:
        return None
    admitted = consent.entries.get("admitted")
    if not isinstance(admitted, list) or not admitted or not all(isinstance(state, str | bool) for state in admitted):
        raise consent.error("admitted", "this is no list of states.", cure)
    return Consent(consent.reference("column") or "", tuple(admitted))
