"""Ratio to plain DuckDB on synthetic events: eligibility, bounding, noise, ledger and outer query included.

First the kinds of questions that a page of a mobile operator asks, over events sorted by person and by time; then what
analysts ask of it, question by question; then what a question costs where there are hardly any data.
"""

from __future__ import annotations

import statistics

from dialect import Refusal
from tests.bench.guard import Guard
from tests.bench.machine import table
from tests.bench.pairs import FAST, HEAD, Paired, Stage, opened
from tests.support.sql.analysts import questions

ZONE_HOUR = """SELECT c.zone_id, hour(e.ts) AS h, count(*) AS n, count(DISTINCT e.subscriber_id) AS people,
 sum(c.range_m) AS metres FROM event e JOIN cell c USING (cell_id) GROUP BY 1, 2"""
ZONE_HOUR_PEOPLE = """SELECT c.zone_id, hour(e.ts) AS h, count(*) AS n, count(DISTINCT e.subscriber_id) AS people
 FROM event e JOIN cell c USING (cell_id) GROUP BY 1, 2"""
ZONE_HOUR_ROWS = """SELECT c.zone_id, hour(e.ts) AS h, count(*) AS n
 FROM event e JOIN cell c USING (cell_id) GROUP BY 1, 2"""
AGE_GENDER = """SELECT s.age_band, s.gender, count(*) AS n, count(DISTINCT e.subscriber_id) AS people
 FROM event e JOIN subscriber s USING (subscriber_id) GROUP BY 1, 2"""
AGE_GENDER_ROWS = """SELECT s.age_band, s.gender, count(*) AS n
 FROM event e JOIN subscriber s USING (subscriber_id) GROUP BY 1, 2"""
QUESTIONS = {
    "rows, people and sum by zone and hour": ZONE_HOUR,
    "rows and people by zone and hour": ZONE_HOUR_PEOPLE,
    "rows by zone and hour": ZONE_HOUR_ROWS,
    "rows and people by age and gender, joined": AGE_GENDER,
    "rows by age and gender, joined": AGE_GENDER_ROWS,
}
TINY = 1_000  # events
FIXED = {
    "rows in all": "SELECT count(*) AS n FROM event",
    "rows and people by hour": "SELECT hour(ts) AS h, count(*) AS n, count(DISTINCT subscriber_id) AS p FROM event GROUP BY 1",
    "mean by place": "SELECT place_id, avg(dwell_min) AS m FROM visit GROUP BY 1",
}


def main(events: int, runs: int) -> None:
    """Print a table of each, and the guard's findings."""
    guard = Guard("speed")
    print(f"{events:.0e} events, two threads, warm, {runs} pairs; one durable ledger file, nothing replayed\n")
    _kinds(events, runs, guard)
    _analysts(events, runs, guard)
    _fixed(runs, guard)
    print(f"\n{guard.summary()}")


def _kinds(events: int, runs: int, guard: Guard) -> None:
    rows = []
    for order in ("person", "time", "optimized", "rollups"):
        with opened(events, order) as stage:
            for name, sql in QUESTIONS.items():
                found = Stage(*stage).ask(sql, runs)
                guard.ratio(f"{name}, by {order}", found.ratio)
                rows.append((order, name, *found.cells()))
    table(("events by", "question", *HEAD), rows)


def _analysts(events: int, runs: int, guard: Guard) -> None:
    """Print the questions of the file, where it is there."""
    found, refused = dict[str, Paired](), dict[str, str]()
    with opened(events, "person") as stage:
        for number, sql in questions().items():
            try:
                found[number] = Stage(*stage).ask(sql, runs)
            except Refusal as refusal:  # a larger town has longer lists
                refused[number] = refusal.code
    slow = {number: each.ratio for number, each in found.items() if not each.is_fast}
    if not found:
        print("\nwhat analysts ask: the file of questions is absent")
        return
    print(f"\nwhat analysts ask: {len(found)} questions; refused at this size: {refused or 'none'}")
    table(("question", *HEAD), [(number, *each.cells()) for number, each in found.items()])
    if slow:
        middle, most = statistics.median(slow.values()), max(slow, key=lambda number: slow[number])
        guard.ratio("median of what analysts ask", middle)
        guard.ratio("largest of what analysts ask", slow[most])
        print(f"\nmedian of {len(slow)} ratios {middle:.2f}, the largest {slow[most]:.2f} ({most})")
    extras = [1000 * each.extra for each in found.values() if each.is_fast]
    if extras:
        print(
            f"{len(extras)} are answered by plain DuckDB within {1000 * FAST:.0f} ms: median {statistics.median(extras):.0f} ms more"
        )


def _fixed(runs: int, guard: Guard) -> None:
    """Print the fixed overhead of a query over plain DuckDB on a tiny table; noise by key included."""
    found = dict[str, Paired]()
    with opened(TINY, "person") as stage:
        for name, sql in FIXED.items():
            found[name] = Stage(*stage).ask(sql, max(runs, 15))
            guard.milliseconds(f"fixed cost, {name}", 1000 * found[name].extra)
        asked = {number: Stage(*stage).ask(sql, runs) for number, sql in questions().items()}
    print(f"\nfixed cost: the same on {TINY:,} events")
    rows = [
        (name, each.keys, 1000 * each.plain, 1000 * each.ours, 1000 * each.extra)
        for name, each in (found | asked).items()
    ]
    table(("question", "keys", "plain ms", "passersby ms", "more ms"), rows)
    if asked:
        middle = statistics.median(1000 * each.extra for each in asked.values())
        guard.milliseconds("fixed cost, median of what analysts ask", middle)
        print(f"\nwhat analysts ask: median {middle:.0f} ms more")
