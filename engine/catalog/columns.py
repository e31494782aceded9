"""Declared columns: the type, value bounds, clip bounds, public domain and time zone of each.

A column may hold H3 cells, computed when data are opened, or polygons. Clip bounds limit the contribution of one
person, in general and for the usual group keys. Column names are resolved within one declared table; errors state the
catalog key.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from zoneinfo import ZoneInfo

from dialect.catalog import (
    Bounds,
    Catalog,
    ClipBounds,
    ClipBoundsByKeys,
    Column,
    ColumnValues,
    Domain,
    H3Cell,
    SqlType,
    Table,
    Value,
    ValueList,
    ValueRange,
)
from engine.catalog.toml_section import Section, closest_word, suggestion
from engine.errors import CatalogError

CELL_TYPES = ("VARCHAR", "TEXT", "STRING", "BIGINT", "UBIGINT")
CELL_KEYS = ("lon", "lat", "resolution")


def read_cell(section: Section, stored_type: str) -> H3Cell | None:
    """Parse the declaration of an H3 cell column: longitude and latitude columns, and resolution.

    That both columns exist is checked later, by `check_place_column`.
    """
    cell = section.table("h3", CELL_KEYS, CELL_KEYS, 'write h3 = { lon = "lon", lat = "lat", resolution = 9 }.')
    if cell is None:
        return None
    if stored_type not in CELL_TYPES:
        raise section.error("type", f"an H3 cell is no {stored_type}.", 'write type = "VARCHAR", or "UBIGINT".')
    lon, lat = (cell.reference(name) or "" for name in CELL_KEYS[:2])
    return H3Cell(lon, lat, cell.integer("resolution", 9, 0, 15))


def check_place_column(catalog: Catalog, table: Table, column: Column) -> None:
    """Reject polygon columns of private tables, and cells not computed from two numeric columns of the row."""
    key = f"tables.{table.name}.columns.{column.name}"
    if table.private and column.type is SqlType.POLYGON:
        cure = "move it to a public table, or declare it as VARCHAR."
        raise CatalogError(catalog.path, f"{key}.type", "a private table has no polygons.", cure)
    if column.cell is None:
        return
    for word, name in (("lon", column.cell.lon), ("lat", column.cell.lat)):
        found = table.columns_by_name.get(name)
        if found is None:
            cure = suggestion(name, [c.name for c in table.columns], "declare it.")
            raise CatalogError(catalog.path, f"{key}.h3.{word}", f"{table.name} has no column {name}.", cure)
        if found.type not in (SqlType.DOUBLE, SqlType.BIGINT) or found.cell is not None:
            raise CatalogError(catalog.path, f"{key}.h3.{word}", f"{name} holds no degrees.", "name a DOUBLE column.")
    if column.name in _reserved_columns(table):
        why = f"{column.name} has a meaning of its own in {table.name}, and is not made."
        raise CatalogError(catalog.path, f"{key}.h3", why, "give the column of cells another name.")


def _reserved_columns(table: Table) -> set[str]:
    """Return the columns that cannot be computed: keys, lookup columns, person columns and consent."""
    reserved = {*table.primary_key, *(name for join in table.source.joins for name in (join.column, join.join_column))}
    if table.person is not None:
        reserved |= {table.person.column, *(own for own, _ in table.person.through)}
    return reserved if table.consent is None else reserved | {table.consent.column}


MEASURE = "measure"  # value bounds that a calibration measures
CLIP_BOUND_KEYS = ("sum_norm", "centred_norm", "centre")
COLUMN_KEYS = (
    "type", "nullable", "bounds", "values", "range", "values_of", "time_zone", "stored", "visible", "h3",
    "from_windows", "complete", *CLIP_BOUND_KEYS,
)  # fmt: skip
NUMERIC_TYPES = (SqlType.BIGINT, SqlType.DOUBLE)
DATED_TYPES = (SqlType.DATE, SqlType.TIMESTAMP, SqlType.TIMESTAMPTZ)
ZONED_TYPES = (SqlType.TIMESTAMP, SqlType.TIMESTAMPTZ)
NON_GEOGRAPHIC_ZONES = ("localtime", "posix", "right/", "Factory")  # in some tz databases, but not geographic zones
LISTABLE_TYPES = (SqlType.BOOLEAN, SqlType.BIGINT, SqlType.DOUBLE, SqlType.VARCHAR, SqlType.DATE)
ANY_BOUNDS, UNKNOWN_ZONE = Bounds(-math.inf, math.inf), "UTC"  # placeholders after a parse error; never returned
DECIMAL = re.compile(r"(DECIMAL|NUMERIC)( ?\( ?\d{1,2} ?(, ?\d{1,2} ?)?\))?")
SIGNED_TYPES = ("TINYINT", "SMALLINT", "INTEGER", "INT", "BIGINT")
INTEGER_TYPES = (*SIGNED_TYPES, "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT")
TYPES = {
    **dict.fromkeys(INTEGER_TYPES, SqlType.BIGINT),
    **dict.fromkeys([f"{name}[]" for name in INTEGER_TYPES], SqlType.BIGINT_LIST),
    **dict.fromkeys(("FLOAT", "REAL", "DOUBLE"), SqlType.DOUBLE),
    **dict.fromkeys(("BOOLEAN", "BOOL"), SqlType.BOOLEAN),
    **dict.fromkeys(("VARCHAR", "TEXT", "STRING"), SqlType.VARCHAR),
    **dict.fromkeys(("VARCHAR[]", "TEXT[]"), SqlType.VARCHAR_LIST),
    **dict.fromkeys(("TIMESTAMP", "DATETIME", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS"), SqlType.TIMESTAMP),
    **dict.fromkeys(("TIMESTAMPTZ", "TIMESTAMP WITH TIME ZONE"), SqlType.TIMESTAMPTZ),
    "DATE": SqlType.DATE,
    "TIME": SqlType.TIME,
    "POLYGON": SqlType.POLYGON,  # stored as WKT text
}


def sql_type(stored_type: str) -> SqlType | None:
    """Map a stored type to the dialect's type; None if it is unsupported."""
    name = " ".join(stored_type.upper().split())
    return SqlType.DOUBLE if DECIMAL.fullmatch(name) else TYPES.get(name)


def read_column(name: str, section: Section) -> Column:
    """Column declaration from its TOML section, with the checks of its type, bounds and key set."""
    section.check_keys(COLUMN_KEYS)
    kind, stored_type = _type(section)
    collect = section.collector.collect
    bounds = collect(ANY_BOUNDS, _bounds, section, kind)
    time_zone = collect(UNKNOWN_ZONE, _time_zone, section, kind)
    return Column(
        name=name,
        type=kind,
        stored_type=stored_type,
        nullable=collect(True, section.flag, "nullable", True),
        bounds=bounds,
        domain=collect(None, _domain, section, kind),
        time_zone=time_zone,
        stored_utc=collect(False, _stored_utc, section, kind, time_zone),
        sum_clip_bound=collect(None, _clip_bound, section, "sum_norm", bounds),
        centred_sum_clip_bound=collect(None, _clip_bound, section, "centred_norm", bounds),
        centre=collect(None, _centre, section, bounds),
        cell=collect(None, read_cell, section, stored_type),
        visible=collect(True, section.flag, "visible", True),
        source_windows=collect((), section.texts, "from_windows"),
        complete=collect(False, _complete, section, kind),
        measures_bounds=section.entries.get("bounds") == MEASURE,
    )


def _type(section: Section) -> tuple[SqlType, str]:
    """Parse the type; return the dialect's type and the declared stored type."""
    stored_type = " ".join(section.required_text("type", 'write e.g. type = "VARCHAR".').upper().split())
    kind = sql_type(stored_type)
    if kind is None:
        close = closest_word(stored_type.lower(), (name.lower() for name in TYPES))
        known = "store it as one of BOOLEAN, BIGINT, DOUBLE, VARCHAR, DATE, TIMESTAMP."
        cure = f"write {close.upper()}." if close else known
        if stored_type == "UUID":
            cure = 'write type = "VARCHAR": Parquet is read as text; a DuckDB table stores CAST(... AS VARCHAR).'
        raise section.error("type", f"the type {stored_type} is not supported.", cure)
    return kind, stored_type


def _bounds(section: Section, kind: SqlType) -> Bounds | None:
    """Parse the value bounds of a numeric column, a closed interval; None also where they are to be measured."""
    found = section.entries.get("bounds")
    if found is None:
        return None
    if kind not in NUMERIC_TYPES:
        raise section.error("bounds", f"a {kind} column has no bounds.", "use values or range, or remove bounds.")
    if found == MEASURE:
        return None
    if not isinstance(found, list) or len(found) != 2:
        cure = f'write bounds = [lower, upper], or bounds = "{MEASURE}".'
        raise section.error("bounds", "bounds are two numbers.", cure)
    lower, upper = (float(section.to_decimal("bounds", end)) for end in found)
    if not lower < upper:
        raise section.error("bounds", "the lower bound is not below the upper one.", "write bounds = [lower, upper].")
    return Bounds(lower, upper)


def _clip_bound(section: Section, name: str, bounds: Bounds | None) -> float | None:
    """Parse a clip bound (L2) of a column's sums; it requires value bounds."""
    clip_bound = section.positive_float(name)
    if clip_bound is not None and bounds is None:
        raise section.error(name, "the column has a norm and no bounds.", "add bounds = [lower, upper], or remove it.")
    return clip_bound


def _centre(section: Section, bounds: Bounds | None) -> float | None:
    """Parse the typical value about which averages are centred; it must lie within the bounds."""
    centre = section.finite_float("centre")
    if centre is not None and (bounds is None or not bounds.lower <= centre <= bounds.upper):
        raise section.error("centre", "the centre is not inside bounds.", "write a value inside bounds, or remove it.")
    return centre


def _time_zone(section: Section, kind: SqlType) -> str | None:
    """Parse the time zone in which hours, dates and privacy windows of the column are computed."""
    zone = section.text("time_zone", 'time_zone = "Europe/Berlin"')
    if zone is None:
        if kind is SqlType.TIMESTAMPTZ:
            cure = 'write e.g. time_zone = "Europe/Berlin".'
            raise section.error("time_zone", "hours and dates of an instant need a time zone.", cure)
        return None
    if kind not in ZONED_TYPES:
        raise section.error("time_zone", f"a {kind} column has no time zone.", "remove time_zone.")
    try:
        known = not zone.startswith(NON_GEOGRAPHIC_ZONES) and bool(ZoneInfo(zone).key)
    except (KeyError, ValueError, OSError):
        known = False
    if not known:
        cure = 'write e.g. time_zone = "America/Mexico_City".'
        raise section.error("time_zone", f"{zone} is no IANA time zone.", cure)
    return zone


def _stored_utc(section: Section, kind: SqlType, time_zone: str | None) -> bool:
    """Parse `stored`: whether a TIMESTAMP without zone holds UTC."""
    stored = section.text("stored")
    if stored is None:
        return False
    if kind is not SqlType.TIMESTAMP:
        raise section.error("stored", f"a {kind} column has no choice of how it is stored.", "remove stored.")
    if stored not in ("local", "utc"):
        cure = 'write stored = "local" or stored = "utc".'
        raise section.error("stored", "a TIMESTAMP is stored as local or utc.", cure)
    if stored == "utc" and time_zone is None:
        cure = 'add the zone of the place, e.g. time_zone = "Europe/Berlin".'
        raise section.error("stored", "UTC is read in a time zone, and none is named.", cure)
    return stored == "utc"


def _domain(section: Section, kind: SqlType) -> Domain | None:
    """Parse the public domain: `values`, `range` or `values_of`, at most one of them."""
    given_keys = [name for name in _DOMAINS if name in section.entries]
    if len(given_keys) > 1:
        cure = f"keep one of {' and '.join(given_keys)}."
        raise section.error(given_keys[1], f"the column has {given_keys[0]} too.", cure)
    return _DOMAINS[given_keys[0]](section, kind) if given_keys else None


def _complete(section: Section, kind: SqlType) -> bool:
    """Parse whether the domain contains every stored value; checked against the data when they are opened."""
    complete = section.flag("complete", False)
    if complete and (not section.entries.keys() & _DOMAINS.keys() or kind in ZONED_TYPES):
        cure = "add values or values_of, or remove it."
        raise section.error("complete", "only a list of values can be complete.", cure)
    return complete


def _values(section: Section, kind: SqlType) -> ValueList:
    """Parse a domain that lists its values."""
    if kind not in LISTABLE_TYPES:
        raise section.error("values", f"a {kind} column has no list of values.", "remove values.")
    found = section.entries["values"]
    if not isinstance(found, list) or not found:
        raise section.error("values", "this is no list with values.", 'write e.g. values = ["a", "b"].')
    values = tuple(_value(section, kind, entry) for entry in found)
    if len(set(values)) < len(values):
        raise section.error("values", "a value stands here twice.", "name every value once.")
    return ValueList(values)


def _value(section: Section, kind: SqlType, entry: object) -> Value:
    """Convert a TOML value to a value of the column's type."""
    if kind is SqlType.DATE:
        return section.to_date("values", entry)
    if kind is SqlType.DOUBLE:
        return float(section.to_decimal("values", entry))
    if kind is SqlType.BIGINT:
        return _integer(section, "values", entry)
    if isinstance(entry, bool if kind is SqlType.BOOLEAN else str):
        return entry
    raise section.error("values", f"a value is no {kind}.", f"write only {kind} values, NULL by nullable = true.")


def _range(section: Section, kind: SqlType) -> ValueRange:
    """Parse a domain of all integers or dates between two ends, inclusive."""
    found = section.entries["range"]
    if kind is not SqlType.BIGINT and kind not in DATED_TYPES:
        raise section.error("range", f"a {kind} column has no range.", "use values, or bounds for a DOUBLE column.")
    if not isinstance(found, list) or len(found) != 2:
        raise section.error("range", "a range is two ends.", "write range = [first, last].")
    if kind is SqlType.BIGINT:
        lower, upper = (_integer(section, "range", entry) for entry in found)
        ends, ordered = ValueRange(lower, upper), lower <= upper
    else:
        first, last = (section.to_date("range", entry) for entry in found)
        ends, ordered = ValueRange(first, last), first <= last
    if not ordered:
        raise section.error("range", "the range ends before it begins.", "write range = [first, last].")
    return ends


def _integer(section: Section, name: str, entry: object) -> int:
    """Convert a TOML value to a 64-bit integer."""
    if type(entry) is not int or not -(2**63) <= entry < 2**63:
        raise section.error(name, "this is no integer of 64 bits.", f"write e.g. {name} = [0, 23].")
    return entry


def _values_of_column(section: Section, kind: SqlType) -> ColumnValues:
    """Parse a domain that is a column of a public table; `check_references` resolves it later."""
    if kind not in LISTABLE_TYPES:
        raise section.error("values_of", f"a {kind} column has no list of values.", "remove values_of.")
    table, dot, column = (section.reference("values_of") or "").partition(".")
    if not dot or not table or not column:
        raise section.error("values_of", "this names no column.", 'write values_of = "table.column".')
    return ColumnValues(table, column)


_DOMAINS: dict[str, Callable[[Section, SqlType], Domain]] = {
    "values": _values,
    "range": _range,
    "values_of": _values_of_column,
}


class TableResolver:
    """Name resolution for one declared table; errors are raised at the table's keys."""

    def __init__(self, catalog: Catalog, table: Table) -> None:
        """Resolve names of `table` in `catalog`."""
        self.catalog = catalog
        self.table = table

    def declared_column(self, table: Table, name: str, key: str) -> Column:
        """Return a declared column of a table. Raises CatalogError."""
        column = table.columns_by_name.get(name)
        if column is None:
            names = [column.name for column in table.columns]
            raise self.error(key, f"{table.name} declares no column {name}.", suggestion(name, names, "declare it."))
        return column

    def public_table(self, name: str, key: str) -> Table:
        """Return a public table by name. Raises CatalogError."""
        return self._resolve(name, key, (t for t in self.catalog.tables if not t.private), "public table")

    def private_table(self, name: str, key: str) -> Table:
        """Return a private table of the same dataset by name. Raises CatalogError."""
        tables = self.catalog.private_tables(self.table.dataset)
        return self._resolve(name, key, tables, f"private table of dataset {self.table.dataset}")

    def _resolve(self, name: str, key: str, tables: Iterable[Table], kind: str) -> Table:
        """Return the table with this name among the given tables. Raises CatalogError with a suggestion."""
        by_name = {table.name: table for table in tables}
        if name not in by_name:
            raise self.error(key, f"{name} is no {kind}.", suggestion(name, by_name, f"declare a {kind}."))
        return by_name[name]

    def single_key_column(self, table: Table, key: str) -> Column:
        """Return the primary key column of a table whose key has one column. Raises CatalogError."""
        if len(table.primary_key) != 1:
            cure = f"declare primary_key of {table.name} as one column."
            raise self.error(key, f"{table.name} has no primary key of one column.", cure)
        return self.declared_column(table, table.primary_key[0], key)

    def check_same_type(self, column: Column, other: Column, key: str) -> None:
        """Check that two columns have the same type. Raises CatalogError."""
        if column.type != other.type:
            cure = "declare both with the same type."
            raise self.error(key, f"{column.name} is {column.type} and {other.name} is {other.type}.", cure)

    def error(self, key: str, why: str, cure: str) -> CatalogError:
        """CatalogError that names the file, the table and one of its keys."""
        return CatalogError(self.catalog.path, f"tables.{self.table.name}.{key}", why, cure)


ROWS_EXAMPLE = "write e.g. rows = 100, the most rows of one person that count fully."
PERSONS_EXAMPLE = "write e.g. persons = 5, the square root of the number of groups that one person may be in."
NO_CLIP_BOUND = "how much one person may count is not declared."


def read_clip_bounds(section: Section) -> ClipBounds | None:
    """Parse the clip bounds of one person's rows and presence: the general ones, and those for usual group keys.

    None if the steward declares none.
    """
    if "norms" not in section.entries:
        return None
    clip_bounds = section.section("norms")
    clip_bounds.check_keys(("rows", "persons", "covers", "by_keys"))
    collect = clip_bounds.collector.collect
    by_keys = (collect(None, _clip_bounds_by_keys, usual) for usual in collect((), clip_bounds.section_list, "by_keys"))
    return ClipBounds(
        collect(1.0, _required_clip_bound, clip_bounds, "rows", ROWS_EXAMPLE),
        collect(1.0, _required_clip_bound, clip_bounds, "persons", PERSONS_EXAMPLE),
        tuple(usual for usual in by_keys if usual is not None),
        collect(0.98, _unclipped_share, clip_bounds),
    )


def _required_clip_bound(section: Section, name: str, cure: str) -> float:
    """Parse a clip bound that has no default."""
    clip_bound = section.positive_float(name)
    if clip_bound is None:
        raise section.error(name, NO_CLIP_BOUND, cure)
    return clip_bound


def _unclipped_share(section: Section) -> float:
    """Parse the share of persons expected to stay unclipped."""
    return float(section.fraction("covers", "0.98", "0.5", "0.999999"))


def _clip_bounds_by_keys(section: Section) -> ClipBoundsByKeys:
    """Parse the clip bounds for one usual set of group keys."""
    section.check_keys(("keys", "rows", "persons", "sums", "covers"))
    keys = section.texts("keys")
    if not keys:
        cure = 'write e.g. keys = ["origin_zone", "hour(started_at)"].'
        raise section.error("keys", "it is not said for which keys.", cure)
    sums = section.section("sums")
    clip_bounds = ClipBoundsByKeys(
        keys,
        section.positive_float("rows"),
        section.positive_float("persons"),
        {name.lower(): clip_bound for name in sums.entries if (clip_bound := sums.positive_float(name)) is not None},
        _unclipped_share(section),
    )
    if clip_bounds.rows is None and clip_bounds.persons is None and not clip_bounds.sums:
        raise section.error("keys", NO_CLIP_BOUND, "add rows, persons or sums.")
    return clip_bounds
