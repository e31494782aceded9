"""1,000 queries of a dashboard on MiBici, each at rho 0.005: their cost without and with stored releases.

Drawn by a stated generator: a fixed seed picks a measure, a chart and a filter for each. A chart is one of CHARTS, as
dashboards have them. A filter is none (half of the time), one of eight zones, a stretch of 1 to 6 days, working days or
the rush hours; charts of persons are not filtered, those of destinations by zone alone. A quarter of the questions is asked
again as it was. Fresh is rho 0.005 for each, as with an empty ledger. The day begins with PLANNED, finer releases whose
price is counted. Accuracy is equal or better by construction: what is free has at most the variance that was
asked for, and a predicted bias that is at most a hundredth of the total worse. The norms are those of a steward who says
of each set of keys what 99 of 100 riders stay within, who ride up to 100 times a month.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from fractions import Fraction
from typing import TypeVar

from dialect.catalog.model import ClipBounds, ClipBoundsByKeys
from engine.pipeline.compiled_query import Answered
from engine.pipeline.engine import Engine
from engine.pricing.query_terms import Request
from tests.bench.accuracy import SECONDS, mibici
from tests.bench.machine import table

T = TypeVar("T")
QUESTIONS, SEED, RHO, AGAIN = 1_000, 2012, Fraction(5, 1000), 0.25
COUNT, SUM, AVG, PEOPLE = (
    "COUNT(*) AS n",
    f"SUM({SECONDS}) AS s",
    f"AVG({SECONDS}) AS m",
    "COUNT(DISTINCT person_id) AS p",
)
MEASURES = {COUNT: 6, SUM: 1, AVG: 2, PEOPLE: 1}
ZONE, DEST, DAY, HOUR = "origin_zone", "dest_zone", "CAST(started_at AS DATE)", "hour(started_at)"
WEEK, WEEKDAY, WEEKEND = "date_trunc('week', started_at)", "dayofweek(started_at)", "is_weekend(started_at)"
CHARTS = {
    (): 3, (ZONE,): 4, (DEST,): 2, (DAY,): 4, (HOUR,): 4, (WEEK,): 2, (WEEKDAY,): 2, (WEEKEND,): 1,
    ("part_of_day(started_at)",): 2, (ZONE, HOUR): 3, (ZONE, DAY): 2,
}  # fmt: skip
ZONES = (1219, 1218, 1220, 1217, 1320, 1319, 1318, 1119)
FILTERS = {"none": 4, "zone": 2, "days": 1, "weekdays": 0.5, "rush": 0.5}
# finer groups, and how many times the price of a question is paid for each of the three measures that add up
PLANNED = {
    (DAY,): 1.25, (HOUR,): 1.0, (ZONE,): 1.0, (DEST,): 1.0, (ZONE, DAY): 1.5, (ZONE, HOUR): 1.0, (DAY, HOUR): 1.6,
    (ZONE, DAY, HOUR): 1.7, (ZONE, DEST): 1.0,
}  # fmt: skip
TOLD = {DAY: "cast(started_at as date)"}
ROWS = {
    (DAY,): 20, (HOUR,): 60, (ZONE,): 70, (DEST,): 70, (ZONE, DAY): 18, (ZONE, HOUR): 40, (DAY, HOUR): 11,
    (ZONE, DAY, HOUR): 11, (ZONE, DEST): 60,
}  # fmt: skip


def drawn() -> Iterator[str]:
    """Draw the queries."""
    dice, asked = random.Random(SEED), list[str]()
    while len(asked) < QUESTIONS:
        again = bool(asked) and dice.random() < AGAIN
        asked.append(dice.choice(asked) if again else _question(dice))
        yield asked[-1]


def _question(dice: random.Random) -> str:
    measure, chart, kind = (_one(dice, some) for some in (MEASURES, CHARTS, FILTERS))
    if measure == PEOPLE or (DEST in chart and kind != "zone"):
        kind = "none"
    return written(chart, (measure,), _where(dice, kind))


def _one(dice: random.Random, some: Mapping[T, float]) -> T:
    return dice.choices(list(some), list(some.values()))[0]


def written(chart: tuple[str, ...], measures: tuple[str, ...], where: str = "") -> str:
    """Write a chart as a query."""
    by = f" GROUP BY {', '.join(str(i + 1) for i in range(len(chart)))}" if chart else ""
    return f"SELECT {', '.join((*chart, *measures))} FROM trips{where}{by}"


def _where(dice: random.Random, kind: str) -> str:
    if kind == "zone":
        return f" WHERE {ZONE} = {dice.choice(ZONES)}"
    if kind == "days":
        first, days = dice.randint(1, 24), dice.choice((1, 3, 5, 6))
        return f" WHERE started_at >= '2026-06-{first:02}' AND started_at < '2026-06-{first + days:02}'"
    return {"weekdays": f" WHERE NOT {WEEKEND}", "rush": f" WHERE {HOUR} BETWEEN 7 AND 9"}.get(kind, "")


def prepared(engine: Engine) -> Engine:
    """Session in which everything is bought, with clip bounds that 99 of 100 riders stay within."""
    datasets = tuple(
        replace(each, budget=replace(each.budget, rho=Fraction(100), client_rho=Fraction(100)))
        for each in engine.catalog.datasets
    )
    usual = tuple(
        ClipBoundsByKeys(tuple(TOLD.get(key, key) for key in keys), rows, 8, expected_coverage=0.99)
        for keys, rows in ROWS.items()
    )
    tables = tuple(
        replace(each, clip_bounds=ClipBounds(100, 8, usual, 0.99)) if each.name == "trips" else each
        for each in engine.catalog.tables
    )
    return replace(engine, catalog=replace(engine.catalog, datasets=datasets, tables=tables))


def how(given: Answered) -> str:
    """Describe the source of an answer."""
    if any(way.derived for way in given.sources):
        return "derived: free"
    return "fresh" if given.charged_loss.pico_rho else "replayed: free"


def main(events: int, runs: int) -> None:
    """Run all queries in turn on one ledger; print what was charged and the source of each answer."""
    del events, runs
    counts: Counter[str] = Counter()
    planned, spent = Fraction(0), Counter[str]()
    with mibici() as (_, opened):
        engine = prepared(opened)
        for chart, times in PLANNED.items():
            for measures in ((COUNT, SUM), (AVG,)):
                price = len(measures) * RHO * Fraction(times)
                planned += engine.answer(written(chart, measures), Request("dashboard", rho=price)).charged_loss.rho
        for sql in drawn():
            given = engine.answer(sql, Request("dashboard", rho=RHO))
            counts[how(given)] += 1
            spent[how(given)] += float(given.charged_loss.rho)
    rows = [
        (kind, f"{count:,}", f"{count / QUESTIONS:.1%}", f"{spent[kind]:.3f}") for kind, count in counts.most_common()
    ]
    rows.insert(0, ("planned before", f"{2 * len(PLANNED)}", "", f"{float(planned):.3f}"))
    table(("answers", "questions", "share", "rho"), rows)
    whole, fresh = float(planned) + sum(spent.values()), float(RHO) * QUESTIONS
    print(f"\nfresh: rho {fresh:.3f}; with what is held: rho {whole:.3f}, {fresh / whole:.1f} times less")
