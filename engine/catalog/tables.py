"""Declared tables: the source, the person key, contribution bounds, and movement.

Movement names the columns with places: stays, trips, homes and workplaces are computed from these and the time column.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from dialect.catalog import Bounds, Column, Consent, Movement, PersonPath, Source, SourceJoin, SqlType, Table
from dialect.functions import TABLE_FUNCTIONS
from engine.catalog.columns import TableNames, read_column, read_norms
from engine.catalog.sources import LAKE_TABLE, URL
from engine.catalog.toml_section import HOP, Section, meant

WHERE = 'write e.g. movement = { through = "cell_id -> cell", zone = "zone_id", lon = "lon", lat = "lat" }.'
ZONES = (SqlType.BIGINT, SqlType.VARCHAR)
DEGREES = (SqlType.BIGINT, SqlType.DOUBLE)
# numeric columns of stays and trips -> upper bound
NUMBERS = {"dwell_min": 1440.0, "minutes": 1440.0, "dist_km": 200.0}
GIVEN = {name for each in TABLE_FUNCTIONS for name in each.gives}
WORD = re.compile(r"[a-z_]+")
TIMES = (SqlType.TIMESTAMP, SqlType.TIMESTAMPTZ)


def read_movement(section: Section) -> Movement | None:
    """Parse the movement declaration: the zone and coordinate columns, and the clip bounds of stays and trips."""
    if "movement" not in section.entries:
        return None
    movement = section.section("movement")
    movement.only(("through", "zone", "lon", "lat", "norms", "columns"))
    movement.need("zone", WHERE)
    lon, lat = movement.reference("lon"), movement.reference("lat")
    if (lon is None) != (lat is None):
        raise movement.error("lat" if lat is None else "lon", "a place has both lon and lat.", "name both, or neither.")
    part = movement.mistakes.part
    norms = part(None, read_norms, movement) if "norms" in movement.entries else None
    numbers = part((), _numbers, movement)
    return Movement(movement.reference("zone") or "", lon, lat, _through(movement), norms, numbers)


def _numbers(movement: Section) -> tuple[Column, ...]:
    """Parse the clip bounds of the numeric columns of stays and trips."""
    columns = movement.section("columns")
    columns.only(NUMBERS)
    return tuple(_number(name, columns.section(name)) for name in NUMBERS if name in columns.entries)


def _number(name: str, section: Section) -> Column:
    """Parse the clip bounds of one numeric column of stays or trips."""
    section.only(("sum_norm", "centred_norm", "centre"))
    norms = section.positive("sum_norm"), section.positive("centred_norm")
    return Column(
        name, SqlType.DOUBLE, "DOUBLE", bounds=Bounds(0, NUMBERS[name]), sum_norm=norms[0], centred_norm=norms[1],
        centre=section.finite("centre"),
    )  # fmt: skip


def _through(movement: Section) -> tuple[str, str] | None:
    """Parse the foreign key to a public table of places: 'column -> table'."""
    text = movement.reference("through")
    hop = None if text is None else HOP.fullmatch(text)
    if text is not None and hop is None:
        raise movement.error("through", "this is no 'column -> table'.", WHERE)
    return None if hop is None else (hop[1], hop[2])


class MovementNames(TableNames):
    """Name resolution for the movement declaration of one table."""

    def check(self) -> None:
        """Check that time, zone and coordinates resolve to columns that are visible to analysts."""
        movement = self.table.movement
        if movement is None:
            return
        self._time()
        there = self.table if movement.through is None else self._there(*movement.through)
        named = (("zone", movement.zone, ZONES), ("lon", movement.lon, DEGREES), ("lat", movement.lat, DEGREES))
        for role, name, kinds in named:
            if name is not None:
                self._place(role, self.declared(there, name, f"movement.{role}"), kinds)
        self._sums(movement)

    def _sums(self, movement: Movement) -> None:
        """Check that clip bounds by keys name columns of stays and trips."""
        for i, by_keys in enumerate(movement.norms.by_keys if movement.norms is not None else ()):
            key = f"movement.norms.by_keys[{i}]"
            for text in by_keys.keys:
                if not any(word in GIVEN for word in WORD.findall(text)):
                    raise self.error(f"{key}.keys", f"{text} is no column of stays or trips.", meant(text, GIVEN, ""))
            for name in by_keys.sums:
                if name not in NUMBERS:
                    raise self.error(f"{key}.sums.{name}", f"{name} is no number of them.", meant(name, NUMBERS, ""))

    def _time(self) -> None:
        """Check that the table has a time column with a time of day."""
        if self.table.time_column is None:
            raise self.error("movement", "it is not said when a row happened.", "declare time_column.")
        column = self.declared(self.table, self.table.time_column, "time_column")
        if column.type not in TIMES:
            cure = "let time_column name a TIMESTAMP or TIMESTAMPTZ column, or remove movement."
            raise self.error("movement", f"a {column.type} does not say at what time.", cure)
        self._seen(column, "time_column")

    def _there(self, own: str, name: str) -> Table:
        """Return the public table of places behind the foreign key."""
        key = "movement.through"
        column = self.declared(self.table, own, key)
        target = self.public(name, key)
        self.same_type(column, self.only_key(target, key), key)
        self._seen(column, key)
        return target

    def _place(self, role: str, column: Column, kinds: tuple[SqlType, ...]) -> None:
        """Check the type of a zone or coordinate column."""
        key = f"movement.{role}"
        if column.type not in kinds:
            cure = "name a column of degrees." if role != "zone" else "name an integer or VARCHAR column."
            raise self.error(key, f"{column.name} is {column.type}.", cure)
        self._seen(column, key)

    def _seen(self, column: Column, key: str) -> None:
        """Check that a column is visible: stays and trips are computed by ordinary queries over it."""
        if not column.visible:
            raise self.error(key, f"{column.name} is hidden from analysts.", f"let {column.name} be visible.")


PRIVATE_ONLY = (
    "person", "norms", "max_rows_per_person", "max_groups_per_person", "consent", "joins", "movement", "date_column",
    "from_windows",
)  # fmt: skip
KNOWN = ("dataset", "kind", "source", "primary_key", "time_column", "sorted_by", "size_class", "columns", *PRIVATE_ONLY)
FORMATS = ("parquet", "csv", "duckdb", "spark")
SIZE = 'size_class = "1e6", the order of magnitude of the number of rows.'
NOWHERE = Source("parquet", "")  # placeholder after a parse error


def read_table(name: str, section: Section, folder: Path) -> Table:
    """Parse one declared table; source paths are relative to the folder."""
    section.only(KNOWN)
    part = section.mistakes.part
    private = part(any(name in section.entries for name in PRIVATE_ONLY), _private, section)
    consent = part(None, _consent, section) if private else None
    return Table(
        name=name,
        dataset=part("", _dataset, section),
        private=private,
        source=part(NOWHERE, _source, section, folder),
        columns=part((), _columns, section, consent),
        primary_key=part((), section.references, "primary_key"),
        person=part(None, _person, section) if private else None,
        time_column=part(None, section.reference, "time_column"),
        date_column=part(None, section.reference, "date_column"),
        from_windows=part((), section.texts, "from_windows"),
        sorted_by=part((), section.references, "sorted_by"),
        norms=part(None, read_norms, section) if private else None,
        max_rows_per_person=_limit(section, "max_rows_per_person", 10_000, 10**9) if private else None,
        max_groups_per_person=_limit(section, "max_groups_per_person", 20, 10**6) if private else None,
        size_class=part(None, _size_class, section, private),
        consent=consent,
        movement=part(None, read_movement, section) if private else None,
    )


def _dataset(section: Section) -> str:
    """Parse the name of the table's dataset."""
    section.need("dataset", 'write dataset = "..." with the name of one under [datasets].')
    return section.reference("dataset") or ""


def _limit(section: Section, name: str, default: int, most: int) -> int:
    """Parse a contribution limit: the maximum of rows or groups per person."""
    return section.mistakes.part(default, section.whole, name, default, 1, most)


def _private(section: Section) -> bool:
    """Parse the kind, private or public; there is no default, so that no table is public by omission."""
    kinds = 'kind = "private", or kind = "public" where no row is about a person.'
    section.need("kind", f"write {kinds}")
    kind = section.text("kind", kinds)
    if kind not in ("private", "public"):
        raise section.error("kind", f"the kind {kind} is not known.", 'write kind = "private" or kind = "public".')
    if kind == "public":
        for name in (name for name in PRIVATE_ONLY if name in section.entries):
            cure = f'remove {name}, or write kind = "private".'
            section.mistakes.add(section.error(name, f"a public table has no {name}.", cure))
    return kind == "private"


def _source(section: Section, folder: Path) -> Source:
    """Parse the source: format, resolved path, table in a DuckDB file, and lookup columns."""
    section.need("source", 'write e.g. source = { parquet = "trips/*.parquet" }.')
    source = section.section("source")
    source.only((*FORMATS, "table"))
    given = [name for name in FORMATS if name in source.entries]
    if len(given) != 1:
        why = "a source is one of parquet, csv, duckdb and spark."
        raise section.error("source", why, 'write e.g. source = { parquet = "trips/*.parquet" }.')
    path = source.text(given[0]) or ""
    if "://" in path and not (given[0] == "parquet" and URL.fullmatch(path)):
        raise source.error(given[0], "a source is a file on this machine.", "copy the files, and give their path.")
    if given[0] == "spark" and not LAKE_TABLE.fullmatch(path):
        raise source.error("spark", "this is no name of a table.", 'write e.g. spark = "lake.mobility.visit".')
    table = source.text("table")
    if (table is not None) != (given[0] == "duckdb"):
        why = "the table inside the file is named for duckdb, and only there."
        raise source.error("table", why, 'write source = { duckdb = "file.duckdb", table = "..." }, or remove table.')
    if given[0] == "duckdb" and any(sign in path for sign in "*?["):
        raise source.error("duckdb", "a DuckDB source is one file.", "give the path of one file, without * ? [.")
    joins = tuple(map(_join, section.listed("joins")))
    if given[0] == "spark" or "://" in path:
        return Source(given[0], path.lower() if given[0] == "spark" else path.rstrip("/"), table, joins)
    return Source(given[0], str((folder / path).resolve()), table, joins)


def _join(section: Section) -> SourceJoin:
    """Parse one public column that is looked up when the snapshot is built."""
    names = ("column", "on", "table", "take")
    section.only(names)
    for name in names:
        section.need(name, 'write { column = "origin_zone", on = "origin_id", table = "stations", take = "zone_id" }.')
    return SourceJoin(*(section.reference(name) or "" for name in names))


def _columns(section: Section, consent: Consent | None) -> tuple[Column, ...]:
    """Parse the columns; the consent column is never visible to analysts."""
    named = section.named("columns", f'add [{section.at("columns")}] with lines such as id = {{ type = "BIGINT" }}.')
    part = section.mistakes.part
    read = (part(None, read_column, name, column) for name, column in named)
    columns = tuple(column for column in read if column is not None)
    if consent is None:
        return columns
    for name, column in named:
        if name == consent.column and column.entries.get("visible") is True:
            raise column.error("visible", "analysts never see the consent column.", "write visible = false.")
    return tuple(replace(column, visible=False) if column.name == consent.column else column for column in columns)


def _person(section: Section) -> PersonPath:
    """Parse the person key: a column of the table, or a path of foreign keys and the column at its end."""
    named = 'person = "..." with the column that names the person a row is about.'
    section.need("person", f"write {named}")
    if not isinstance(section.entries["person"], dict):
        return PersonPath(section.reference("person", named) or "")
    path = section.section("person")
    path.only(("through", "column"))
    cure = 'write person = { through = ["trip_id -> trip"], column = "person_id" }.'
    path.need("through", cure)
    path.need("column", cure)
    hops = [HOP.fullmatch(text) for text in path.references("through")]
    if not hops or None in hops:
        raise path.error("through", "a step of the path is no 'column -> table'.", cure)
    return PersonPath(path.reference("column") or "", tuple((hop[1], hop[2]) for hop in hops if hop))


def _size_class(section: Section, private: bool) -> str | None:
    """Parse the public order of magnitude of the row count, e.g. 1e6."""
    if private:
        section.need("size_class", f"write e.g. {SIZE}")
    found = section.text("size_class", SIZE)
    if found is not None and not re.fullmatch(r"1e\d{1,2}", found, re.ASCII):
        raise section.error("size_class", "this is no power of ten.", 'write e.g. size_class = "1e6".')
    return found


def _consent(section: Section) -> Consent | None:
    """Parse the consent column and the states that admit a person."""
    if "consent" not in section.entries:
        return None
    consent = section.section("consent")
    consent.only(("column", "admitted"))
    cure = 'write consent = { column = "consent_state", admitted = ["opt_in"] }.'
    consent.need("column", cure)
    admitted = consent.entries.get("admitted")
    if not isinstance(admitted, list) or not admitted or not all(isinstance(state, str | bool) for state in admitted):
        raise consent.error("admitted", "this is no list of states.", cure)
    return Consent(consent.reference("column") or "", tuple(admitted))
