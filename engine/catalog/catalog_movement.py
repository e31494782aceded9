"""What stays, trips, homes and workplaces are found in: a private table's time, and where its rows say people were."""

from __future__ import annotations

import re

from dialect.catalog.catalog import Bounds, Column, SqlType, Table
from dialect.catalog.declared_movement import Movement
from dialect.functions.table_functions import TABLE_FUNCTIONS
from engine.catalog.catalog_names import TableNames
from engine.catalog.catalog_norms import read_norms
from engine.catalog.catalog_section import HOP, Section
from engine.catalog.meant import meant

WHERE = 'write e.g. movement = { through = "cell_id -> cell", zone = "zone_id", lon = "lon", lat = "lat" }.'
ZONES = (SqlType.BIGINT, SqlType.VARCHAR)
DEGREES = (SqlType.BIGINT, SqlType.DOUBLE)
NUMBERS = {"dwell_min": 1440.0, "minutes": 1440.0, "dist_km": 200.0}  # of stays and trips, and their usual largest
GIVEN = {name for each in TABLE_FUNCTIONS for name in each.gives}
WORD = re.compile(r"[a-z_]+")
TIMES = (SqlType.TIMESTAMP, SqlType.TIMESTAMPTZ)


def read_movement(section: Section) -> Movement | None:
    """Read where a table's rows say that people were."""
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
    """Read how much one person's stays and trips may add up to."""
    columns = movement.section("columns")
    columns.only(NUMBERS)
    return tuple(_number(name, columns.section(name)) for name in NUMBERS if name in columns.entries)


def _number(name: str, section: Section) -> Column:
    """Read the norms of one number."""
    section.only(("sum_norm", "centred_norm", "centre"))
    norms = section.positive("sum_norm"), section.positive("centred_norm")
    return Column(
        name, SqlType.DOUBLE, "DOUBLE", bounds=Bounds(0, NUMBERS[name]), sum_norm=norms[0], centred_norm=norms[1],
        centre=section.finite("centre"),
    )  # fmt: skip


def _through(movement: Section) -> tuple[str, str] | None:
    """Read the step to the public table that knows places."""
    text = movement.reference("through")
    hop = None if text is None else HOP.fullmatch(text)
    if text is not None and hop is None:
        raise movement.error("through", "this is no 'column -> table'.", WHERE)
    return None if hop is None else (hop[1], hop[2])


class MovementNames(TableNames):
    """The names of one table's movement."""

    def check(self) -> None:
        """Check that time and places are found, and that analysts see them."""
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
        """Check that norms by keys speak of what stays and trips give."""
        for i, by_keys in enumerate(movement.norms.by_keys if movement.norms is not None else ()):
            key = f"movement.norms.by_keys[{i}]"
            for text in by_keys.keys:
                if not any(word in GIVEN for word in WORD.findall(text)):
                    raise self.error(f"{key}.keys", f"{text} is no column of stays or trips.", meant(text, GIVEN, ""))
            for name in by_keys.sums:
                if name not in NUMBERS:
                    raise self.error(f"{key}.sums.{name}", f"{name} is no number of them.", meant(name, NUMBERS, ""))

    def _time(self) -> None:
        """Check that the table says when."""
        if self.table.time_column is None:
            raise self.error("movement", "it is not said when a row happened.", "declare time_column.")
        column = self.declared(self.table, self.table.time_column, "time_column")
        if column.type not in TIMES:
            cure = "let time_column name a TIMESTAMP or TIMESTAMPTZ column, or remove movement."
            raise self.error("movement", f"a {column.type} does not say at what time.", cure)
        self._seen(column, "time_column")

    def _there(self, own: str, name: str) -> Table:
        """Find the public table that knows places."""
        key = "movement.through"
        column = self.declared(self.table, own, key)
        target = self.public(name, key)
        self.same_type(column, self.only_key(target, key), key)
        self._seen(column, key)
        return target

    def _place(self, role: str, column: Column, kinds: tuple[SqlType, ...]) -> None:
        """Check that a column can say where."""
        key = f"movement.{role}"
        if column.type not in kinds:
            cure = "name a column of degrees." if role != "zone" else "name an integer or VARCHAR column."
            raise self.error(key, f"{column.name} is {column.type}.", cure)
        self._seen(column, key)

    def _seen(self, column: Column, key: str) -> None:
        """Check that analysts see a column: what they ask of movement is a question of its columns."""
        if not column.visible:
            raise self.error(key, f"{column.name} is hidden from analysts.", f"let {column.name} be visible.")
