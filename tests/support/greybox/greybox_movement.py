"""Grey-box queries of table functions: stays, trips, home and work places of generated persons.

Sightings are rows of events; a zone is two cells; longitudes and latitudes are arbitrary numbers.
"""

from __future__ import annotations

from tests.support.greybox.greybox_questions import Source

SEEN = "(SELECT subscriber_id, ts, cell_id // 2 AS zone_id, lon, dwell_s AS lat, steps FROM events{})"
STAY_KEYS = (
    "s.zone_id", "s.prev_zone", "s.next_zone", "s.approach_dir", "hour(s.start_ts)", "s.visit_date", "dwell_band(s.dwell_min)",
    "s.prev_zone = s.next_zone", "s.lon IS NULL",
)  # fmt: skip
STAY_VALUES = ("s.dwell_min", "s.events", "LEAST(GREATEST(s.lon, -9), 9)", "s.dwell_min * s.events")
STAY_CONDITIONS = ("s.dwell_min > 60", "s.zone_id <> 1", "s.prev_zone IS NULL", "hour(s.end_ts) < 12", "s.events > 1")
TRIP_KEYS = ("t.o_zone", "t.d_zone", "t.od", "hour(t.dep_ts)", "t.trip_date", "t.o_zone > t.d_zone", "t.minutes > 60")
TRIP_VALUES = ("t.minutes", "t.dist_km", "t.minutes * t.dist_km")


def _source(rows: str, alias: str, *parts: tuple[str, ...]) -> Source:
    return Source(rows, f"{alias}.subscriber_id", *parts)


STAYS, FEW = f"stays({SEEN.format('')}, 1, max_gap => 600) s", f"stays({SEEN.format(' WHERE steps > 0')}, 30, 1e5) s"
TRIPS = f"trips({SEEN.format('')}, 1, max_gap_minutes => 600, max_km => 50) t"
HOME = f"home_zone({SEEN.format('')}, from_hour => {{}}) h"
WORK = f"work_zone({SEEN.format('')}, from_hour => 8, to_hour => 12) w"
MOVEMENT = (
    _source(STAYS, "s", STAY_KEYS, STAY_VALUES, STAY_CONDITIONS),
    _source(FEW, "s", STAY_KEYS, STAY_VALUES, STAY_CONDITIONS),
    _source(TRIPS, "t", TRIP_KEYS, TRIP_VALUES, ("t.minutes < 90", "t.o_zone < 2", "t.dist_km > 1")),
    _source(HOME.format(8), "h", ("h.zone_id", "h.nights"), ("h.nights",), ("h.zone_id > 0",)),
    _source(WORK, "w", ("w.zone_id", "w.days > 1"), ("w.days",), ("w.days < 3",)),
    _source(
        f"{STAYS} LEFT JOIN {HOME.format(22)} ON h.subscriber_id = s.subscriber_id AND h.zone_id = s.zone_id", "s",
        (*STAY_KEYS, "h.zone_id IS NULL", "h.nights"), STAY_VALUES, ("h.zone_id IS NULL", *STAY_CONDITIONS),
    ),
    _source(
        f"subscribers p JOIN {TRIPS} USING (subscriber_id)", "p", ("p.gender", *TRIP_KEYS), ("p.age", *TRIP_VALUES),
        ("p.age > 30",),
    ),
)  # fmt: skip
