"""Allow-list of table functions: parameters with their limits, and the SQL that each expands to.

stays, trips, home_zone and work_zone expand to SQL of the dialect over one person's sightings, which is bound
by the same rules as the analyst's (`dialect/binder/proofs.md#table-functions`).

Sightings are distinct, and every ORDER BY names all columns that distinguish two of them, so results do not depend on
the physical row order. CTE names contain a space, so they cannot collide with a declared table.

Names in the SQL: a lagged sighting has the one before it in previous_ts, previous_zone, ...; `is_stay_start` is 1
where a new stay begins, else 0; `island` numbers the stays of a person; `privacy_window` is that of a sighting.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from dialect.catalog.model import Table

DEFAULT_NIGHT = {"from_hour": 22, "to_hour": 7}  # night hours of the home that work_zone_sql excludes
Number = int | float
Settings = Mapping[str, Number | None]  # parameter name -> value


@dataclass(frozen=True)
class Sightings:
    """Input of a table function: rows that state when and where a person was seen."""

    sql: str  # SELECT DISTINCT person, ts, zone_id, and lon, lat where known
    person: str  # quoted name of the person key in the result
    has_places: bool  # have lon and lat
    table: Table | None = None  # the table that declares these sightings
    window: str | None = None  # privacy window at whose ends stays and trips are split; None: not split

    @property
    def partition_columns(self) -> str:
        """PARTITION BY columns: the person, or the person and the privacy window."""
        return "person" if self.window is None else "person, privacy_window"

    @property
    def time_window(self) -> str:
        """Window over a person's sightings in time order."""
        return f"(PARTITION BY {self.partition_columns} ORDER BY ts, zone_id{self.place_columns})"

    @property
    def stay_window(self) -> str:
        """Window over a person's stays in time order."""
        return f"(PARTITION BY {self.partition_columns} ORDER BY start_ts, island)"

    @property
    def place_columns(self) -> str:
        """Longitude and latitude as further columns, where they are known."""
        return ", lon, lat" if self.has_places else ""


def stays_sql(sightings: Sightings, settings: Settings) -> str:
    """Write a stays call as SQL: one row per stay of a person in a zone.

    `approach_dir` is the direction from which the person came, known if the sighting before the stay was recent and
    elsewhere.
    """
    minutes = _clamped_minutes("end_ts - start_ts", settings, settings["min_minutes"])
    gap_is_short = f"start_ts - previous_ts <= INTERVAL {settings['max_gap_minutes']} MINUTE"
    is_other_place = f"{gap_is_short} AND haversine_m(previous_lon, previous_lat, lon, lat) > 0"
    direction = "compass8(bearing_deg(previous_lon, previous_lat, lon, lat))"
    approach = f", CASE WHEN {is_other_place} THEN {direction} END AS approach_dir"
    return (
        f"WITH {_stay_ctes(sightings, settings)} SELECT person AS {sightings.person}, zone_id, start_ts, end_ts,"
        f" {minutes} AS dwell_min, events{sightings.place_columns}, lag(zone_id)"
        f" OVER {sightings.stay_window} AS prev_zone,"
        f" lead(zone_id) OVER {sightings.stay_window} AS next_zone{approach if sightings.has_places else ''},"
        ' CAST(start_ts AS DATE) AS visit_date FROM "stay rows"'
    )


def trips_sql(sightings: Sightings, settings: Settings) -> str:
    """Write a trips call as SQL: one row per move of a person from one stay to the next one elsewhere.

    Elsewhere is another zone, or a place more than radius_m away where that is set.
    """
    place_ends = ", lon AS o_lon, lat AS o_lat" if sightings.has_places else ""
    place_ends += "".join(
        f", lead({name}) OVER {sightings.stay_window} AS d_{name}" for name in ("lon", "lat") if sightings.has_places
    )
    distance = "haversine_m(o_lon, o_lat, d_lon, d_lat)"
    is_elsewhere = "o_zone <> d_zone" if settings["radius_m"] is None else f"{distance} > {settings['radius_m']}"
    kilometres = (
        f", least(greatest({distance} / 1000, 0), {settings['max_km']}) AS dist_km" if sightings.has_places else ""
    )
    return (
        f'WITH {_stay_ctes(sightings, settings)}, "consecutive stays" AS (SELECT person, zone_id AS o_zone,'
        f" lead(zone_id) OVER {sightings.stay_window} AS d_zone, end_ts AS dep_ts,"
        f" lead(start_ts) OVER {sightings.stay_window} AS arr_ts{place_ends}"
        f' FROM "stay rows") SELECT person AS {sightings.person}, o_zone, d_zone,'
        " CAST(o_zone AS VARCHAR) || '>' || CAST(d_zone AS VARCHAR) AS od, dep_ts, arr_ts,"
        f" {_clamped_minutes('arr_ts - dep_ts', settings, 0)} AS minutes{kilometres}, CAST(dep_ts AS DATE) AS trip_date"
        f' FROM "consecutive stays" WHERE {is_elsewhere}'
    )


def home_zone_sql(sightings: Sightings, settings: Settings) -> str:
    """Write a home_zone call as SQL: the zone with most of a person's night sightings."""
    return (
        f'WITH "distinct sightings" AS ({sightings.sql}), "zone counts" AS (SELECT person, zone_id, count(*) AS events,'
        f' count(DISTINCT {_sighting_date(settings)}) AS days FROM "distinct sightings"'
        f" WHERE {_is_between_hours(settings)} GROUP BY person, zone_id"
        f" HAVING count(DISTINCT {_sighting_date(settings)}) >= {settings['min_nights']}),"
        f" {_rank_cte('zone counts')} {_first_ranked(sightings, 'nights')}"
    )


def work_zone_sql(sightings: Sightings, settings: Settings) -> str:
    """Write a work_zone call as SQL: the zone, other than home, with most of a person's working-hour sightings.

    Home is the zone with most sightings in DEFAULT_NIGHT; a person without night sightings has none.
    """
    is_working_time = f"isodow(ts) <= 5 AND {_is_between_hours(settings)}"
    return (
        f'WITH "distinct sightings" AS ({sightings.sql}), "zone counts" AS (SELECT person, zone_id,'
        f" count(*) FILTER (WHERE {is_working_time}) AS events,"
        f" count(DISTINCT {_sighting_date(settings)}) FILTER (WHERE {is_working_time}) AS days,"
        f" count(*) FILTER (WHERE {_is_between_hours(DEFAULT_NIGHT)}) AS night_events,"
        f" count(DISTINCT {_sighting_date(DEFAULT_NIGHT)}) FILTER (WHERE {_is_between_hours(DEFAULT_NIGHT)}) AS nights"
        ' FROM "distinct sightings" GROUP BY person, zone_id),'
        ' "ranked homes" AS (SELECT *, row_number() OVER (PARTITION BY person ORDER BY night_events DESC, nights DESC,'
        ' zone_id) AS home_rank FROM "zone counts"),'
        ' "other zones" AS (SELECT person, zone_id, events, days FROM "ranked homes"'
        f" WHERE (home_rank > 1 OR night_events = 0) AND days >= {settings['min_days']}),"
        f" {_rank_cte('other zones')} {_first_ranked(sightings, 'days')}"
    )


def _stay_ctes(sightings: Sightings, settings: Settings) -> str:
    """Write the CTEs up to "stay rows", one row per stay: gaps and islands over sightings, with a minimum duration.

    A stay goes on while a person is in the same zone, or within radius_m of the sighting before, without a gap longer
    than max_gap_minutes. Its zone is that of its first sighting, its place the mean; previous_... are those of the
    sighting before it.
    """
    order = sightings.time_window
    previous_places = "".join(
        f", lag({name}) OVER {order} AS previous_{name}" for name in ("lon", "lat") if sightings.has_places
    )
    is_same_place = "previous_zone = zone_id"
    if settings["radius_m"] is not None:
        is_same_place = f"haversine_m(previous_lon, previous_lat, lon, lat) <= {settings['radius_m']}"
    continues_stay = f"{is_same_place} AND ts - previous_ts <= INTERVAL {settings['max_gap_minutes']} MINUTE"
    stay_places = ", avg(lon) AS lon, avg(lat) AS lat, max(previous_ts) FILTER (WHERE is_stay_start = 1) AS previous_ts"
    stay_places += ", max(previous_lon) FILTER (WHERE is_stay_start = 1) AS previous_lon"
    stay_places += ", max(previous_lat) FILTER (WHERE is_stay_start = 1) AS previous_lat"
    return (
        f'"distinct sightings" AS ({sightings.sql}),'
        f' "lagged sightings" AS (SELECT *, lag(ts) OVER {order} AS previous_ts,'
        f' lag(zone_id) OVER {order} AS previous_zone{previous_places} FROM "distinct sightings"),'
        f' "stay starts" AS (SELECT *, CASE WHEN {continues_stay} THEN 0 ELSE 1 END AS is_stay_start'
        ' FROM "lagged sightings"),'
        f' "sighting islands" AS (SELECT *, sum(is_stay_start) OVER {order} AS island FROM "stay starts"),'
        f' "stay rows" AS (SELECT {sightings.partition_columns}, island, arg_min(zone_id, ts) AS zone_id, min(ts) AS'
        " start_ts,"
        f" max(ts) AS end_ts, count(*) AS events{stay_places if sightings.has_places else ''}"
        f' FROM "sighting islands" GROUP BY {sightings.partition_columns}, island'
        f" HAVING max(ts) - min(ts) >= INTERVAL {settings['min_minutes']} MINUTE)"
    )


def _clamped_minutes(interval: str, settings: Settings, least: Number | None) -> str:
    """Write a duration in minutes, clamped to [least, max_minutes]."""
    return f"least(greatest(epoch({interval}) / 60, {least}), {settings['max_minutes']})"


def _rank_cte(rows: str) -> str:
    """Write the CTE "each rank": zones of a person in order of their events, then days, then zone."""
    order = "(PARTITION BY person ORDER BY events DESC, days DESC, zone_id)"
    return f'"ranked zones" AS (SELECT person, zone_id, days, row_number() OVER {order} AS zone_rank FROM "{rows}")'


def _first_ranked(sightings: Sightings, days: str) -> str:
    """Write the final SELECT: the first zone of each person, and its number of days or nights as `days`."""
    first_zone = f"arg_min(zone_id, zone_rank) AS zone_id, arg_min(days, zone_rank) AS {days}"
    return f'SELECT person AS {sightings.person}, {first_zone} FROM "ranked zones" GROUP BY person'


def _is_between_hours(settings: Settings) -> str:
    """Write the test that a sighting lies between two hours of the day; the range may cross midnight."""
    begin, end = settings["from_hour"], settings["to_hour"]
    assert begin is not None and end is not None  # noqa: S101  hours have defaults
    return f"(hour(ts) >= {begin} {'AND' if begin < end else 'OR'} hour(ts) < {end})"


def _sighting_date(settings: Settings) -> str:
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
    highest: int
    meaning: str
    alias: str | None = None
    is_integer: bool = True
    is_minutes: bool = False  # a duration in minutes, which may also be passed as an INTERVAL


@dataclass(frozen=True)
class TableFunction:
    """One allowed table function."""

    name: str
    parameters: tuple[Parameter, ...]
    expand: Callable[[Sightings, Settings], str]
    meaning: str
    # result columns after the person key; lon, lat and what is computed from them only where known
    result_columns: tuple[str, ...]


_STAY_PARAMETERS = (
    Parameter("min_minutes", 15, 1, 1_440, "a stay is as long or longer", is_minutes=True),
    Parameter(
        "radius_m",
        None,
        1,
        100_000,
        "a stay ends with a step that is longer; without it, with another zone",
        is_integer=False,
    ),
    Parameter(
        "max_gap_minutes", 120, 1, 10_080, "a stay ends where nobody is seen for longer", "max_gap", is_minutes=True
    ),
    Parameter("max_minutes", 1_440, 1, 44_640, "longer durations count as this", is_minutes=True),
)
_NIGHT_HOURS = (
    Parameter("from_hour", 22, 0, 23, "the hour in which the night begins"),
    Parameter("to_hour", 7, 0, 24, "the hour in which it is over"),
)
_WORK_HOURS = (
    Parameter("from_hour", 9, 0, 23, "the hour in which the working day begins"),
    Parameter("to_hour", 17, 0, 24, "the hour in which it is over"),
)

TABLE_FUNCTIONS: tuple[TableFunction, ...] = (
    TableFunction(
        "stays", _STAY_PARAMETERS, stays_sql,
        "sightings of one person in one zone, one after the other, for at least min_minutes",
        ("zone_id", "start_ts", "end_ts", "dwell_min", "events", "lon", "lat", "prev_zone", "next_zone",
         "approach_dir", "visit_date"),
    ),
    TableFunction(
        "trips", (*_STAY_PARAMETERS, Parameter("max_km", 200, 1, 20_000, "longer distances count as this")),
        trips_sql,
        "from one stay of a person to the next, in another zone or more than radius_m away",
        ("o_zone", "d_zone", "od", "dep_ts", "arr_ts", "minutes", "dist_km", "trip_date"),
    ),
    TableFunction(
        "home_zone", (Parameter("min_nights", 1, 1, 366, "a home is seen in as many nights"), *_NIGHT_HOURS),
        home_zone_sql, "the zone of most of one person's sightings at night", ("zone_id", "nights"),
    ),
    TableFunction(
        "work_zone",
        (Parameter("min_days", 1, 1, 366, "a place of work is seen on as many working days"), *_WORK_HOURS),
        work_zone_sql, "the zone other than home of most of one person's sightings from Monday to Friday at work",
        ("zone_id", "days"),
    ),
)  # fmt: skip


def find_table_function(name: str) -> TableFunction | None:
    """Return a table function by its lower-case name; None if there is none."""
    return next((each for each in TABLE_FUNCTIONS if each.name == name), None)


def table_function_names() -> str:
    """Return the table functions as an analyst writes them: "stays(...), trips(...)"."""
    return ", ".join(f"{each.name}(...)" for each in TABLE_FUNCTIONS)
