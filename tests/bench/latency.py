"""Perceived latency: explain, refusal, replay and a first answer in process; import of the client."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import dialect
import engine
from tests.bench.machine import milliseconds, table

QUESTION = (
    "SELECT v.zone_id, hour(v.start_ts) AS h, count(*) AS visits, avg(v.dwell_min) AS dwell FROM visit v GROUP BY 1, 2"
)
# joins of people and of places, keys of both, every kind of vector, conditions, a window and an outer part over the release
WIDEST = """WITH n AS (SELECT subscriber_id, zone_id, start_ts, dwell_min,
    row_number() OVER (PARTITION BY subscriber_id ORDER BY start_ts) AS place FROM visit),
q AS (SELECT v.zone_id, hour(v.start_ts) AS h, isodow(v.start_ts) AS d, count(*) AS visits,
    count(DISTINCT v.subscriber_id) AS people, avg(v.dwell_min) AS dwell, sum(v.dwell_min) AS total,
    count_if(v.place > 1) AS later, count(*) FILTER (WHERE v.dwell_min > 30) AS long, count(*) FILTER (WHERE s.gender = 'f') AS women
    FROM n v JOIN subscriber s USING (subscriber_id)
    WHERE v.subscriber_id IN (SELECT subscriber_id FROM visit WHERE dwell_min > 5) GROUP BY 1, 2, 3)
SELECT *, 100.0 * visits / sum(visits) OVER (PARTITION BY zone_id) AS share, rank() OVER (ORDER BY visits DESC) AS r FROM q"""
REFUSED = "SELECT sum(subscriber_id) FROM visit"
PLACES = ", ".join(f"'P{i:06}'" for i in range(890))
LONG = f"SELECT count(*) FROM visit WHERE place_id IN ({PLACES})"  # nearly 10,000 characters
NESTED, TERMS = f"SELECT {'(' * 200}1{')' * 200}", f"SELECT {'+'.join(['1'] * 20_000)}"
REPLAYED = "SELECT count(*) AS visits, count(DISTINCT subscriber_id) AS people FROM visit"


def main(events: int, runs: int) -> None:
    """Print minimum, median and maximum of each."""
    del events, runs
    with (
        tempfile.TemporaryDirectory() as folder,
        engine.open_session("operator", ledger=str(Path(folder) / "l")) as session,
    ):

        def refused(sql: str = REFUSED) -> None:
            try:
                session.query(sql, client="bench")
            except engine.Refused:
                return
            raise AssertionError("the question should have been refused")

        session.query(REPLAYED, client="bench")
        session.query(QUESTION, client="bench")
        rows = [
            ("explain, 3,696 keys", *milliseconds(lambda: session.explain(QUESTION, client="bench")), "30 ms"),
            ("explain, widest", *milliseconds(lambda: session.explain(WIDEST, client="bench")), "60 ms"),
            ("refusal", *milliseconds(refused), "30 ms"),
            (
                "canonical plan of 10 kB",
                *milliseconds(lambda: dialect.compile_query(LONG, session.engine.catalog)),
                "150 ms",
            ),
            ("refusal, 200 levels", *milliseconds(lambda: refused(NESTED)), "50 ms"),
            ("refusal, 20,000 terms", *milliseconds(lambda: refused(TERMS)), "50 ms"),
            ("replay, one row", *milliseconds(lambda: session.query(REPLAYED, client="bench")), "10 ms"),
            ("replay, 3,696 keys", *milliseconds(lambda: session.query(QUESTION, client="bench")), ""),
        ]
    table(("in process, after warm-up", "least ms", "median ms", "most ms", "wanted below"), rows)
    print(f"\nimport passersby: {_import_seconds():.3f} s above an empty interpreter (median of 7; wanted below 0.2 s)")


def _import_seconds() -> float:
    def taken(code: str) -> float:
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)
        return time.perf_counter() - start

    pairs = [(taken("pass"), taken("import passersby")) for _ in range(7)]
    return statistics.median(loaded - empty for empty, loaded in pairs)
