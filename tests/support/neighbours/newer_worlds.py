"""Queries for neighbouring databases beyond joins and groups: windows, set operations, movement, per-person values."""

from __future__ import annotations

from tests.support.greybox.greybox_questions import Source

_SEEN = "(SELECT subscriber_id, ts, cell_id // 4 AS zone_id, lon, lat FROM events)"
_STAY = ("s.zone_id", "s.prev_zone", "s.next_zone", "s.approach_dir", "hour(s.start_ts)", "s.lon IS NULL")
_PERSON = "p.subscriber_id"


def _of(rows: str, keys: tuple[str, ...], values: tuple[str, ...], conditions: tuple[str, ...]) -> Source:
    return Source(f"({rows}) p", _PERSON, keys, values, conditions)


def _window(made: str) -> Source:
    return _of(
        f"SELECT subscriber_id, cell_id, {made} AS w FROM events",
        ("p.w > 1", "p.w", "p.cell_id"), ("LEAST(GREATEST(p.w, 0), 99)",), ("p.w > 3", "p.cell_id = 9999"),
    )  # fmt: skip


def _set(how: str) -> Source:
    rows = f"SELECT subscriber_id, cell_id FROM events {how} SELECT subscriber_id, age FROM subscribers"
    return _of(rows, ("p.cell_id > 9", "p.cell_id"), ("LEAST(GREATEST(p.cell_id, 0), 99)",), ("p.cell_id = 9999",))


NEWER = (
    _window("row_number() OVER (PARTITION BY subscriber_id ORDER BY ts)"),
    _window("LAG(cell_id) OVER (PARTITION BY subscriber_id ORDER BY ts, lon)"),
    _window("SUM(cell_id) OVER (PARTITION BY subscriber_id ORDER BY ts ROWS BETWEEN 2 PRECEDING AND CURRENT ROW)"),
    _window("COUNT(*) OVER (PARTITION BY subscriber_id, cell_id)"),
    *map(_set, ("UNION", "UNION ALL", "INTERSECT", "EXCEPT")),
    _of(
        "SELECT subscriber_id, MODE(cell_id) AS often, STDDEV(dwell_s) AS spread, MEDIAN(lat) AS middle, BOOL_OR(cell_id = 9999) AS far FROM events GROUP BY 1",
        ("p.often", "p.far", "p.spread > 60", "p.middle > 20.7"), ("LEAST(GREATEST(p.spread, 0), 9)",), ("p.far",),
    ),
    _of(
        "SELECT e.subscriber_id, e.cell_id FROM events e WHERE e.dwell_s > (SELECT AVG(f.dwell_s) FROM events f WHERE f.subscriber_id = e.subscriber_id)",
        ("p.cell_id", "p.cell_id = 9999"), ("LEAST(GREATEST(p.cell_id, 0), 99)",), ("p.cell_id > 3",),
    ),
    Source(f"stays({_SEEN}, 1, max_gap => 600) s", "s.subscriber_id", _STAY, ("s.dwell_min", "s.events"), ("s.events > 1", "s.dwell_min > 60")),
    Source(f"trips({_SEEN}, 1, max_gap_minutes => 600, max_km => 50) t", "t.subscriber_id", ("t.o_zone", "t.d_zone", "hour(t.dep_ts)"), ("t.minutes", "t.dist_km"), ("t.minutes < 90",)),
    Source(f"home_zone({_SEEN}, from_hour => 0) h", "h.subscriber_id", ("h.zone_id", "h.nights"), ("h.nights",), ("h.zone_id > 0",)),
)  # fmt: skip
