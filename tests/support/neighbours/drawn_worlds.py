"""Generated queries on neighbouring databases: the adversarial catalog, and generated databases with their catalogs.

Only noise may distinguish the worlds, as for the hand-written cases (two_worlds.py); a refusal is the same in both.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from dialect import Catalog, Refusal, compile_query
from engine import Session, open_session
from tests.support.cached_in import cached_in
from tests.support.greybox.greybox_questions import Source
from tests.support.neighbours.two_worlds import Attack, Seen, observe
from tests.support.sql.sql_data import Database
from tests.support.worlds import write_world

WHO = "3"  # the victim of a generated database: one of its five declared persons
WITHOUT = f"""
DELETE FROM item WHERE aid IN (SELECT aid FROM act WHERE CAST(pid AS VARCHAR) = '{WHO}');
DELETE FROM act WHERE CAST(pid AS VARCHAR) = '{WHO}';
DELETE FROM who WHERE CAST(pid AS VARCHAR) = '{WHO}';
"""
HEAVY = f"""
INSERT INTO act SELECT a.* REPLACE (aid + 1000 * (1 + copy) AS aid)
FROM act AS a CROSS JOIN range(200) AS times(copy) WHERE CAST(pid AS VARCHAR) = '{WHO}';
"""
CHANGED = {"D'": WITHOUT, "D": "", "heavy": HEAVY}

# fmt: off
EVENT_KEYS = ("e.cell_id", "hour(e.ts)", "isodow(e.ts)", "e.lon IS NULL", "CASE WHEN e.dwell_s > 60 THEN 'long' WHEN e.lat < 20.7 THEN 'south' END", "e.cell_id % 3 = 1")
EVENT_VALUES = ("e.dwell_s", "e.lat", "e.dwell_s * e.dwell_s", "LEAST(GREATEST(e.lon, -180), 180)", "LEAST(GREATEST(1 / (e.lon - 24.748219), -9), 9)", "CASE WHEN e.dwell_s = 86399 THEN 1 ELSE 0 END", "e.dwell_s - 3600", "LEAST(GREATEST(ln(e.dwell_s), -9), 9)", "sqrt(e.dwell_s)")
EVENT_CONDITIONS = ("e.cell_id > 3", "e.dwell_s < 700", "e.dwell_s > 7200", "e.lon IS NOT NULL", "1 // (e.cell_id - 9999) >= 0", "e.ts >= TIMESTAMP '2026-10-02'", "hour(e.ts) IN (0, 8)", "e.cell_id = 9999", "e.lon BETWEEN 24 AND 25", "e.lat <> 20.7")
PEOPLE = ("s.gender", "s.home_zone", "s.age > 50", "s.age", "s.age // 10")
SOURCES = (
    Source("events e", "e.subscriber_id", EVENT_KEYS, EVENT_VALUES, EVENT_CONDITIONS),
    Source("events e JOIN cells c USING (cell_id)", "e.subscriber_id", ("c.zone", *EVENT_KEYS), EVENT_VALUES, ("c.zone <> 'C3'", *EVENT_CONDITIONS)),
    Source("events e LEFT JOIN cells c ON c.cell_id = e.cell_id AND e.dwell_s > 1", "e.subscriber_id", ("c.zone", "c.cell_id IS NULL"), EVENT_VALUES, ("c.zone IS NULL",)),
    Source("events e JOIN subscribers s USING (subscriber_id)", "e.subscriber_id", (*PEOPLE, *EVENT_KEYS), ("s.age", *EVENT_VALUES), ("s.age > 100", "s.home_zone LIKE 'ZZ%'", *EVENT_CONDITIONS)),
    Source("subscribers s LEFT JOIN events e ON s.subscriber_id = e.subscriber_id AND e.dwell_s > 3600", "s.subscriber_id", (*PEOPLE, "e.subscriber_id IS NULL"), ("s.age", "e.dwell_s"), ("s.age > 100",)),
    Source("subscribers s", "s.subscriber_id", (*PEOPLE, "length(s.home_zone)", "upper(s.home_zone)"), ("s.age", "s.age * s.age", "1 // nullif(s.age - 113, 0)", "s.age % 7"), ("s.age = 113", "s.age <> 113", "s.gender = 'x'", "NOT (s.home_zone = 'Z1')", "1 // (s.age - 113) > 0")),
    Source("events e JOIN events f ON e.subscriber_id = f.subscriber_id AND f.cell_id = e.cell_id + 1", "e.subscriber_id", ("e.cell_id", "f.cell_id", "hour(f.ts)"), ("e.dwell_s", "f.lat"), ("f.dwell_s > 0",)),
    Source("(SELECT subscriber_id, cell_id, COUNT(*) AS n, SUM(dwell_s) AS total, ARG_MIN(cell_id, ts) AS first, MAX(ts) AS last FROM events GROUP BY 1, 2) p", "p.subscriber_id", ("p.cell_id", "p.n > 1", "p.first", "hour(p.last)"), ("p.n", "p.total", "LEAST(p.n, 9)"), ("p.n > 1", "p.first = 9999", "p.total > 1e6")),
    Source("(SELECT DISTINCT subscriber_id, cell_id FROM events) d JOIN subscribers s USING (subscriber_id)", "s.subscriber_id", ("d.cell_id", "s.gender", "s.home_zone"), ("s.age",), ("s.age > 100",)),
    Source("(SELECT * FROM events WHERE subscriber_id IN (SELECT subscriber_id FROM subscribers WHERE age > 100)) e", "e.subscriber_id", EVENT_KEYS, EVENT_VALUES, EVENT_CONDITIONS),
    Source("(SELECT * FROM events o WHERE NOT EXISTS (SELECT 1 FROM events f WHERE f.subscriber_id = o.subscriber_id AND f.ts < o.ts)) e", "e.subscriber_id", EVENT_KEYS, EVENT_VALUES, EVENT_CONDITIONS),
    Source("hours h LEFT JOIN events e ON hour(e.ts) = h.h", "e.subscriber_id", ("h.h", "h.h < 6"), ("e.dwell_s",), ("h.h > 3", "e.dwell_s > 7200"), "e.subscriber_id"),
    Source("cells c LEFT JOIN events e USING (cell_id)", "e.subscriber_id", ("c.zone", "c.cell_id"), ("e.dwell_s",), ("c.cell_id < 9", "e.dwell_s > 7200"), "e.subscriber_id"),
)
# fmt: on


@contextmanager
def open_drawn(folder: Path, database: Database) -> Iterator[dict[str, Session]]:
    """Open a generated database with its victim, without, and with many more rows of the victim."""
    with ExitStack() as opened:
        worlds = {}
        for place, (world, change) in enumerate(CHANGED.items()):
            home = folder / str(place)
            home.mkdir()
            write_world(home, database.statements + change, database.catalog)
            with cached_in(folder / "cache"):
                worlds[world] = opened.enter_context(open_session(str(home / "catalog.toml"), ledger=":memory:"))
        yield worlds


def rows_of(sql: str, catalog: Catalog) -> str | None:
    """Which part of the rows may differ: none if keys are public and no noisy number selects rows."""
    try:
        plans = compile_query(sql, catalog).plans
    except Refusal:
        return None
    chosen = re.search(r"\bHAVING\b|\bAS q\b|\bWITH q\b", sql)
    return "noisy" if chosen or any(plan.key_set is None for plan in plans) else None


def check_drawn_query(sql: str, worlds: dict[str, Session]) -> Seen:
    """Run a generated query in every world; raises AssertionError if anything but noise differs."""
    without, *others = worlds
    attack = Attack("0", "", rows_of(sql, worlds[without].engine.catalog), "drawn", sql)
    first = observe(worlds[without], attack)
    assert first.outcome != "E_EXEC", sql
    assert first.is_repeatable, f"the same question has one answer: {sql}"
    for world in others:
        other = observe(worlds[world], attack)
        assert other.static == first.static, f"{world} is told from {without}: {sql}\n{_differing(first, other)}"
        assert other.traces(attack) <= first.traces(attack), f"{world} shows {other.traces(attack)}: {sql}"
    return first


def _differing(one: Seen, other: Seen) -> str:
    return "\n".join(
        f"{k}: {one.static[k]} / {other.static[k]}" for k in one.static if one.static[k] != other.static[k]
    )
