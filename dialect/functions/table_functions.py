"""The allow-list of table functions: what each takes besides rows, within which ends, and the SQL that it stands for.

stays, trips, home_zone and work_zone are questions of the dialect itself, asked of one person's sightings at a time:
their text is read by the same rules as the analyst's (`proofs.md#table-functions`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from dialect.functions import movement
from dialect.functions.movement import Number, Settings, Sightings


@dataclass(frozen=True)
class Parameter:
    """A constant that a call may give, by name or by position."""

    name: str
    default: Number | None  # None: what it decides is decided otherwise
    lowest: int
    largest: int
    meaning: str
    alias: str | None = None
    whole: bool = True
    minutes: bool = False  # an INTERVAL says as much


@dataclass(frozen=True)
class TableFunction:
    """One table function."""

    name: str
    parameters: tuple[Parameter, ...]
    write: Callable[[Sightings, Settings], str]
    meaning: str
    gives: tuple[str, ...]  # columns behind the person's, in order; without lon and lat, not those of places


_STAYING = (
    Parameter("min_minutes", 15, 1, 1_440, "a stay is as long or longer", minutes=True),
    Parameter(
        "radius_m",
        None,
        1,
        100_000,
        "a stay ends with a step that is longer; without it, with another zone",
        whole=False,
    ),
    Parameter(
        "max_gap_minutes", 120, 1, 10_080, "a stay ends where nobody is seen for longer", "max_gap", minutes=True
    ),
    Parameter("max_minutes", 1_440, 1, 44_640, "longer durations count as this", minutes=True),
)
_NIGHT = (
    Parameter("from_hour", 22, 0, 23, "the hour in which the night begins"),
    Parameter("to_hour", 7, 0, 24, "the hour in which it is over"),
)
_WORK = (
    Parameter("from_hour", 9, 0, 23, "the hour in which the working day begins"),
    Parameter("to_hour", 17, 0, 24, "the hour in which it is over"),
)

TABLE_FUNCTIONS: tuple[TableFunction, ...] = (
    TableFunction(
        "stays", _STAYING, movement.stays,
        "sightings of one person in one zone, one after the other, for at least min_minutes",
        ("zone_id", "start_ts", "end_ts", "dwell_min", "events", "lon", "lat", "prev_zone", "next_zone",
         "approach_dir", "visit_date"),
    ),
    TableFunction(
        "trips", (*_STAYING, Parameter("max_km", 200, 1, 20_000, "longer distances count as this")), movement.trips,
        "from one stay of a person to the next, in another zone or more than radius_m away",
        ("o_zone", "d_zone", "od", "dep_ts", "arr_ts", "minutes", "dist_km", "trip_date"),
    ),
    TableFunction(
        "home_zone", (Parameter("min_nights", 1, 1, 366, "a home is seen in as many nights"), *_NIGHT),
        movement.home_zone, "the zone of most of one person's sightings at night", ("zone_id", "nights"),
    ),
    TableFunction(
        "work_zone", (Parameter("min_days", 1, 1, 366, "a place of work is seen on as many working days"), *_WORK),
        movement.work_zone, "the zone other than home of most of one person's sightings from Monday to Friday at work",
        ("zone_id", "days"),
    ),
)  # fmt: skip


def table_function(name: str) -> TableFunction | None:
    """Find a table function by its lower-case name."""
    return next((each for each in TABLE_FUNCTIONS if each.name == name), None)


def table_function_names() -> str:
    """List the table functions, as an analyst writes them."""
    return ", ".join(f"{each.name}(...)" for each in TABLE_FUNCTIONS)
