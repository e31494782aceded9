"""Queries whose work depends on one person's rows only, timed over HTTP in two neighbouring databases.

In the world D the victim of tests.support.neighbours.attack_catalog has the declared maximum of events, and a home_zone_sql
of 1,000 characters; D' lacks the victim. Every query of FAMILY reads only the victim's rows and multiplies them, up to
what a server accepts; those of REFUSED exceed it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from unittest import mock

import duckdb

from engine import Session, open_session
from engine.server.worker import pacing
from engine.server.worker.pacing import PacedEngine, ResponsePacing
from tests.support.cached_in import cached_in
from tests.support.neighbours.attack_catalog import TRACES, VICTIM, attack_catalog
from tests.support.neighbours.two_worlds import with_empty_ledger
from tests.support.server.serving import inhabited

MANY = 200  # rows of the victim: as many as the catalog declares
VICTIMS = "e.lon BETWEEN 24.7 AND 24.8"
TEXT = "concat(CAST(x AS VARCHAR), CAST(e.ts AS VARCHAR))"
OVER = "OVER (PARTITION BY e.subscriber_id ORDER BY e.ts"

SEARCHED = f"concat(rpad(CAST(e.cell_id AS VARCHAR), 990, 'a'), CAST(x AS VARCHAR)) LIKE '%a_{'a' * 400}b%c'"


def _met(copies: int, condition: str, copies_more: int = 0, aggregate: str = "COUNT(*)") -> str:
    more = f" CROSS JOIN range({copies_more}) b(y)" if copies_more else ""
    where = f"{VICTIMS} AND {condition}"
    return f"SELECT {aggregate} FROM events e CROSS JOIN range({copies}) a(x){more} WHERE {where}"


def _each(call: str, copies: int, group: str = "") -> str:
    rows = f"SELECT e.subscriber_id, {call} AS w FROM events e CROSS JOIN range({copies}) a(x) WHERE {VICTIMS}{group}"
    return f"SELECT COUNT(*) FROM ({rows}) WHERE w IS NOT NULL"


FAMILY: Mapping[str, str] = {
    "joins": _met(1_000, "x + y + e.dwell_s > 5", 4),
    "a range": f"SELECT COUNT(*) FROM events e JOIN range(2000) a(x) ON x < e.dwell_s + x * x WHERE {VICTIMS}",
    "distances": _met(
        600, "haversine_m(e.lon, e.lat, x / 100.0, e.lat) > 5 AND within_m(e.lon, 20, x, 20, 600) = FALSE"
    ),
    "a regular expression": _met(40, f"regexp_matches({TEXT}, '(2|0|6|1)*[0-9]+x?y?(z|0)+$')"),
    "replacing": _met(50, f"regexp_replace({TEXT}, '[0-9]', 'abcdef', 'g') > 'b'"),
    "edits": _met(60, f"levenshtein({TEXT}, '{'ab' * 40}') > 3"),
    "a pattern with a long part": _met(2, SEARCHED),
    "different lists": "SELECT COUNT(*) FROM (SELECT DISTINCT subscriber_id, l, x FROM"
    " (SELECT e.subscriber_id, LIST(rpad(CAST(cell_id AS VARCHAR), 100, 'a')) AS l FROM events e"
    f" WHERE {VICTIMS} GROUP BY 1) CROSS JOIN range(1000) a(x))",
    "a frame of rows": _each(f"SUM(x) {OVER} ROWS BETWEEN 90 PRECEDING AND 90 FOLLOWING)", 300),
    "a frame of groups": _each(f"MIN(x) {OVER} GROUPS BETWEEN 9000 PRECEDING AND 9000 FOLLOWING)", 150),
    "neighbours": _each(f"LAG(x, 3 IGNORE NULLS) {OVER})", 300),
    "lists": _each("LIST(x)", 2_500, " GROUP BY 1"),
    "long texts": "SELECT COUNT(*) FROM subscribers CROSS JOIN range(1000) a(x)"
    " WHERE age > 100 AND lower(concat(home_zone, CAST(x AS VARCHAR))) > 'b'",
    "joined texts": _each(f"STRING_AGG({TEXT}, ',')", 500, " GROUP BY 1"),
    "quantiles": _met(1_000, "x >= 0", aggregate="MEDIAN(e.dwell_s)"),
    "quantiles of a person": _each("QUANTILE_CONT(x, 0.3)", 2_500, " GROUP BY 1"),
    "private keys": f"SELECT {TEXT} AS k, COUNT(*) FROM events e CROSS JOIN range(400) a(x) WHERE {VICTIMS} GROUP BY 1",
    "movement": "SELECT COUNT(*) FROM (SELECT subscriber_id, LEAD(lon) OVER w AS lon2, lon FROM events e"
    " WINDOW w AS (PARTITION BY subscriber_id ORDER BY ts)) e CROSS JOIN range(1000) a(x)"
    f" WHERE {VICTIMS} AND haversine_m(lon, 20, lon2 + x, 21) > 5",
}

REFUSED: Mapping[str, str] = {
    "the finding": _met(5_000, f"regexp_matches(concat({TEXT}, CAST(y AS VARCHAR)), '(a|1|2)*[0-9]+(z|0)+$')", 9),
    "joins": _met(5_000, "x + y + e.dwell_s > 5", 9),
    "an automaton with many states": _met(20, f"regexp_matches({TEXT}, '.*2.{{40}}1.{{40}}z')"),
    "a search that begins anew": "SELECT COUNT(*) FROM events e JOIN subscribers USING (subscriber_id)"
    " WHERE regexp_replace(home_zone, '2(.*1.{9}b)?', 'ab', 'g') > 'b'",
    "edits": _met(500, f"levenshtein({TEXT}, '{'ab' * 40}') > 3"),
    "a pattern with a long part": _met(100, SEARCHED),
    "different lists": "SELECT COUNT(*) FROM (SELECT DISTINCT subscriber_id, l, x FROM"
    " (SELECT e.subscriber_id, LIST(rpad(CAST(cell_id AS VARCHAR), 990, 'a')) AS l FROM events e"
    f" WHERE {VICTIMS} GROUP BY 1) CROSS JOIN range(5000) a(x))",
    "a frame of groups": _each(f"MIN(x) {OVER} GROUPS BETWEEN 9000 PRECEDING AND 9000 FOLLOWING)", 1_000),
    "joined texts": _each(f"STRING_AGG({TEXT}, ',')", 2_000, " GROUP BY 1"),
}


@dataclass(frozen=True)
class Left:
    """How a response left the server: status, code, time bucket, and the doubling in which its work ended."""

    status: int
    code: str | None
    bucket: float | None  # seconds; None if nothing was read
    doublings: float | None


class Processor:
    """A clock of this process's CPU time, on which waiting takes no time, so that other load has no effect."""

    def __init__(self) -> None:
        self._slept = 0.0

    def monotonic(self) -> float:
        return time.process_time() + self._slept

    def sleep(self, seconds: float) -> None:
        self._slept += seconds


@contextmanager
def timed_worlds(folder: Path, declared: Callable[[str], str] = str) -> Iterator[dict[str, Session]]:
    """Open a session over each world; `declared` rewrites its catalog."""
    with ExitStack() as opened, cached_in(folder / "cache"):
        worlds = {}
        for world in ("D'", "D"):
            path = attack_catalog(folder, world).path
            Path(path).write_text(declared(Path(path).read_text(encoding="utf-8")), encoding="utf-8")
            if world == "D":
                with duckdb.connect(str(Path(path).with_name("attack.duckdb"))) as connection:
                    connection.execute(f"DELETE FROM events WHERE subscriber_id = {VICTIM}")
                    connection.execute(TRACES.format(rows=MANY))
                    connection.execute(
                        "UPDATE subscribers SET home_zone = left(repeat('abcab1abdab', 200), 1000)"
                        f" WHERE subscriber_id = {VICTIM}"
                    )
            worlds[world] = opened.enter_context(open_session(path, ledger=":memory:"))
        yield worlds


def observe_departure(session: Session, sql: str, pace: ResponsePacing) -> Left:
    """Query over HTTP at the minimum price, and return how the response left."""
    ends: list[tuple[float, float]] = []
    end_of_bucket = pacing._round_up_to_bucket

    def noted(taken: float, seconds: float) -> float:
        end = end_of_bucket(taken, seconds)
        ends.append((seconds, end))
        return end

    clock, note = (
        mock.patch.object(pacing, "time", Processor()),
        mock.patch.object(pacing, "_round_up_to_bucket", noted),
    )
    with with_empty_ledger(session) as own, clock, note:
        engine = PacedEngine.of(own.engine, pace)
        with inhabited(replace(own, engine=engine)) as server:
            answer = server.ask(sql, terms={"rho": "0.0001"})
            body = answer.json()
            rows = [dict(row, at=None, request_id=None) for row in own.ledger()] if answer.status_code != 200 else []
            assert not rows, "a refusal is free"
    if not ends:
        return Left(answer.status_code, body.get("code"), None, None)
    ((seconds, end),) = ends
    return Left(answer.status_code, body.get("code"), seconds, end / seconds)
