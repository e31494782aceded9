"""Allow-list of table functions: parameters with their limits, and the SQL that each expands to.

stays, trips, home_zone and work_zone expand to SQL of the dialect over one person's sightings, which is bound by the
same rules as the analyst's (`dialect/binder/proofs.md#table-functions`).

Sightings are distinct, and every ORDER BY names all columns that distinguish two of them, so results do not depend on
the physical row order. CTE names contain a space, so they cannot collide with a declared table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from dialect.catalog.model import Table

NIGHT = {"from_hour": 22, "to_hour": 7}  # night hours of the home that work_zone excludes
Number = int | float
Settings = Mapping[str, Number | None]  # parameter name -> value


@dataclass(frozen=True)
class Sightings:
    """Input of a table function: rows that state when and where a person was seen."""

    sql: str  # SELECT DISTINCT person, ts, zone_id, and lon, lat where known
    person: str  # quoted name of the person key in the result
    placed: bool  # have lon and lat
    table: Table | None = None  # the table that declares these sightings
    window: str | None = None  # privacy window at whose ends stays and trips are split; None: not split

    @property
    def whose(self) -> str:
        """PARTITION BY columns: the person, or the person and the privacy window."""
        return "person" if self.window is None else "person, stretch"

    @property
    def steps(self) -> str:
        """Window over a person's sightings in time order."""
        return f"(PARTITION BY {self.whose} ORDER BY ts, zone_id{self.place})"

    @property
    def stays(self) -> str:
        """Window over a person's stays in time order."""
        return f"(PARTITION BY {self.whose} ORDER BY start_ts, island)"

    @property
    def place(self) -> str:
        """Longitude and latitude as further columns, where they are known."""
        return ", lon, lat" if self.placed else ""


def stays(seen: Sightings, settings: Settings) -> str:
    """Write a stays call as SQL: one row per stay of a person in a zone."""
    minutes = _minutes("end_ts - start_ts", settings, settings["min_minutes"])
    gap = f"start_ts - from_ts <= INTERVAL {settings['max_gap_minutes']} MINUTE"
    moved = f"{gap} AND haversine_m(from_lon, from_lat, lon, lat) > 0"
    approach = f", CASE WHEN {moved} THEN compass8(bearing_deg(from_lon, from_lat, lon, lat)) END AS approach_dir"
    return (
        f"WITH {_islands(seen, settings)} SELECT person AS {seen.person}, zone_id, start_ts, end_ts,"
        f" {minutes} AS dwell_min, events{seen.place}, lag(zone_id) OVER {seen.stays} AS prev_zone,"
        f" lead(zone_id) OVER {seen.stays} AS next_zone{approach if seen.placed else ''},"
        ' CAST(start_ts AS DATE) AS visit_date FROM "each stay"'
    )


def trips(seen: Sightings, settings: Settings) -> str:
    """Write a trips call as SQL: one row per move of a person from one stay to the next one elsewhere."""
    ends = ", lon AS o_lon, lat AS o_lat" if seen.placed else ""
    ends += "".join(f", lead({name}) OVER {seen.stays} AS d_{name}" for name in ("lon", "lat") if seen.placed)
    away = "haversine_m(o_lon, o_lat, d_lon, d_lat)"
    far = "o_zone <> d_zone" if settings["radius_m"] is None else f"{away} > {settings['radius_m']}"
    kilometres = f", least(greatest({away} / 1000, 0), {settings['max_km']}) AS dist_km" if seen.placed else ""
    return (
        f'WITH {_islands(seen, settings)}, "each pair" AS (SELECT person, zone_id AS o_zone,'
        f" lead(zone_id) OVER {seen.stays} AS d_zone, end_ts AS dep_ts,"
        f" lead(start_ts) OVER {seen.stays} AS arr_ts{ends}"
        f' FROM "each stay") SELECT person AS {seen.person}, o_zone, d_zone,'
        " CAST(o_zone AS VARCHAR) || '>' || CAST(d_zone AS VARCHAR) AS od, dep_ts, arr_ts,"
        f" {_minutes('arr_ts - dep_ts', settings, 0)} AS minutes{kilometres}, CAST(dep_ts AS DATE) AS trip_date"
        f' FROM "each pair" WHERE {far}'
    )


def home_zone(seen: Sightings, settings: Settings) -> str:
    """Write a home_zone call as SQL: the zone with most of a person's night sightings."""
    return (
        f'WITH "each seen" AS ({seen.sql}), "each zone" AS (SELECT person, zone_id, count(*) AS events,'
        f' count(DISTINCT {_day(settings)}) AS days FROM "each seen" WHERE {_between(settings)}'
        f" GROUP BY person, zone_id HAVING count(DISTINCT {_day(settings)}) >= {settings['min_nights']}),"
        f" {_ranked('each zone', 'events')} {_first(seen, 'nights')}"
    )


def work_zone(seen: Sightings, settings: Settings) -> str:
    """Write a work_zone call as SQL: the zone, other than home, with most of a person's working-hour sightings."""
    working = f"isodow(ts) <= 5 AND {_between(settings)}"
    return (
        f'WITH "each seen" AS ({seen.sql}), "each zone" AS (SELECT person, zone_id,'
        f" count(*) FILTER (WHERE {working}) AS events,"
        f" count(DISTINCT {_day(settings)}) FILTER (WHERE {working}) AS days,"
        f" count(*) FILTER (WHERE {_between(NIGHT)}) AS night_events,"
        f" count(DISTINCT {_day(NIGHT)}) FILTER (WHERE {_between(NIGHT)}) AS nights"
        ' FROM "each seen" GROUP BY person, zone_id),'
        ' "each home" AS (SELECT *, row_number() OVER (PARTITION BY person ORDER BY night_events DESC, nights DESC,'
        ' zone_id) AS home FROM "each zone"), "each other" AS (SELECT person, zone_id, events, days FROM "each home"'
        f" WHERE (home > 1 OR night_events = 0) AND days >= {settings['min_days']}),"
        f" {_ranked('each other', 'events')} {_first(seen, 'days')}"
    )


def _islands(seen: Sightings, settings: Settings) -> str:
    """Write the CTEs up to one row per stay: gaps and islands over sightings, with a minimum duration."""
    order = seen.steps
    places = "".join(f", lag({name}) OVER {order} AS from_{name}" for name in ("lon", "lat") if seen.placed)
    together = "from_zone = zone_id"
    if settings["radius_m"] is not None:
        together = f"haversine_m(from_lon, from_lat, lon, lat) <= {settings['radius_m']}"
    goes_on = f"{together} AND ts - from_ts <= INTERVAL {settings['max_gap_minutes']} MINUTE"
    middle = ", avg(lon) AS lon, avg(lat) AS lat, max(from_ts) FILTER (WHERE opens = 1) AS from_ts"
    middle += ", max(from_lon) FILTER (WHERE opens = 1) AS from_lon, max(from_lat) FILTER (WHERE opens = 1) AS from_lat"
    return (
        f'"each seen" AS ({seen.sql}), "each step" AS (SELECT *, lag(ts) OVER {order} AS from_ts,'
        f' lag(zone_id) OVER {order} AS from_zone{places} FROM "each seen"),'
        f' "each opening" AS (SELECT *, CASE WHEN {goes_on} THEN 0 ELSE 1 END AS opens FROM "each step"),'
        f' "each island" AS (SELECT *, sum(opens) OVER {order} AS island FROM "each opening"),'
        f' "each stay" AS (SELECT {seen.whose}, island, arg_min(zone_id, ts) AS zone_id, min(ts) AS start_ts,'
        f" max(ts) AS end_ts, count(*) AS events{middle if seen.placed else ''}"
        f' FROM "each island" GROUP BY {seen.whose}, island'
        f" HAVING max(ts) - min(ts) >= INTERVAL {settings['min_minutes']} MINUTE)"
    )


def _minutes(span: str, settings: Settings, least: Number | None) -> str:
    return f"least(greatest(epoch({span}) / 60, {least}), {settings['max_minutes']})"


def _ranked(rows: str, count: str) -> str:
    order = f"(PARTITION BY person ORDER BY {count} DESC, days DESC, zone_id)"
    return f'"each rank" AS (SELECT person, zone_id, days, row_number() OVER {order} AS place FROM "{rows}")'


def _first(seen: Sightings, days: str) -> str:
    first = f"arg_min(zone_id, place) AS zone_id, arg_min(days, place) AS {days}"
    return f'SELECT person AS {seen.person}, {first} FROM "each rank" GROUP BY person'


def _between(settings: Settings) -> str:
    """Write the test that a sighting lies between two hours of the day; the range may cross midnight."""
    begin, end = settings["from_hour"], settings["to_hour"]
    assert begin is not None and end is not None  # noqa: S101  hours have defaults
    return f"(hour(ts) >= {begin} {'AND' if begin < end else 'OR'} hour(ts) < {end})"


def _day(settings: Settings) -> str:
    """Write the date of a sighting; a night has the date on which it begins."""
    begin, end = settings["from_hour"], settings["to_hour"]
    assert begin is not None and end is not None  # noqa: S101
    return "CAST(ts AS DATE)" if begin < end else f"CAST(ts - INTERVAL {end} HOUR AS DATE)"


@dataclass(frozen=True)
class Parameter:
    """A constant parameter of a table function, passed by name or position."""

    name: str
    default: Number | None  # None: no value; see `meaning`
    lowest: int
    largest: int
    meaning: str
    alias: str | None = None
    whole: bool = True
    minutes: bool = False  # a duration in minutes, which may also be passed as an INTERVAL


@dataclass(frozen=True)
class TableFunction:
    """One allowed table function."""

    name: str
    parameters: tuple[Parameter, ...]
    write: Callable[[Sightings, Settings], str]
    meaning: str
    gives: tuple[
        str, ...
    ]  # result columns after the person key; lon, lat and what is computed from them only where known


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
        "stays", _STAYING, stays,
        "sightings of one person in one zone, one after the other, for at least min_minutes",
        ("zone_id", "start_ts", "end_ts", "dwell_min", "events", "lon", "lat", "prev_zone", "next_zone",
         "approach_dir", "visit_date"),
    ),
    TableFunction(
        "trips", (*_STAYING, Parameter("max_km", 200, 1, 20_000, "longer distances count as this")), trips,
        "from one stay of a person to the next, in another zone or more than radius_m away",
        ("o_zone", "d_zone", "od", "dep_ts", "arr_ts", "minutes", "dist_km", "trip_date"),
    ),
    TableFunction(
        "home_zone", (Parameter("min_nights", 1, 1, 366, "a home is seen in as many nights"), *_NIGHT),
        home_zone, "the zone of most of one person's sightings at night", ("zone_id", "nights"),
    ),
    TableFunction(
        "work_zone", (Parameter("min_days", 1, 1, 366, "a place of work is seen on as many working days"), *_WORK),
        work_zone, "the zone other than home of most of one person's sightings from Monday to Friday at work",
        ("zone_id", "days"),
    ),
)  # fmt: skip


def table_function(name: str) -> TableFunction | None:
    """Return a table function by its lower-case name; None if there is none."""
    return next((each for each in TABLE_FUNCTIONS if each.name == name), None)


def table_function_names() -> str:
    """Return the table functions as an analyst writes them: "stays(...), trips(...)"."""
    return ", ".join(f"{each.name}(...)" for each in TABLE_FUNCTIONS)
