"""Perceived latency over HTTP: replay, explanation, refusal, lists, and a new release with its public time.

Beside the clock stands what the server's two processes worked, which a machine that is shared tells more steadily.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import adbc_driver_flightsql.dbapi as adbc
import httpx2

import engine
from engine.server.http.responses import ARROW
from tests.bench.latency import QUESTION, REFUSED, REPLAYED
from tests.bench.machine import milliseconds, table
from tests.support.server.serving import Running, bearer, running

LEAST_SECONDS = 0.5
WARM_UP = 2  # calls of `milliseconds` before it looks at the clock
TICK = 1000 / os.sysconf("SC_CLK_TCK")  # ms
PORT = re.compile(r'"port": (\d+), "event": "flight"')
HEAD = ("one client, one server, after warm-up", "least ms", "median ms", "most ms", "processors ms", "wanted below")


def main(events: int, runs: int) -> None:
    """Print minimum, median and maximum of each."""
    del events, runs
    with tempfile.TemporaryDirectory() as folder:
        ledger = Path(folder) / "served.ledger"
        with running("operator", ledger, least_seconds=LEAST_SECONDS, flight_port=0) as server:
            key, timed = server.key("bench"), Timed(server)
            with httpx2.Client(base_url=server.url, headers=bearer(key), timeout=120) as client:
                rows = list(_over_http(client, timed))
            with _cursor(ledger, key) as cursor:
                rows.append(timed.row("Flight SQL: own repeat, one row", lambda: _fetched(cursor)))
        with engine.open_session("operator", ledger=str(Path(folder) / "inside.ledger")) as session:
            session.query(REPLAYED, client="bench")
            rows += [
                ("in process: own repeat", *milliseconds(lambda: session.query(REPLAYED, client="bench")), "", ""),
                ("in process: explain", *milliseconds(lambda: session.explain(REPLAYED, client="bench")), "", ""),
            ]
    table(HEAD, rows)


@dataclass(frozen=True)
class Timed:
    """Wall time, and processor time of a server's processes."""

    server: Running

    def row(self, what: str, run: Callable[[], object], wanted: str = "", times: int = 30) -> tuple[object, ...]:
        """Time a call."""
        before = self._worked()
        clock = milliseconds(run, times)
        return (what, *clock, (self._worked() - before) / (times + WARM_UP), wanted)

    def _worked(self) -> float:
        """Processor time of both processes in ms: fields 14 and 15 of proc(5)'s stat."""
        stats = (Path(f"/proc/{pid}/stat").read_text() for pid in (self.server.process.pid, self.server.worker()))
        return sum(TICK * sum(map(int, stat.rpartition(")")[2].split()[11:13])) for stat in stats)


@contextmanager
def _cursor(ledger: Path, key: str) -> Iterator[Any]:
    """Connect as a BI tool does."""
    found = PORT.search(ledger.with_suffix(".log").read_text(encoding="utf-8"))
    assert found is not None
    given = {"username": "bench", "password": key}
    with adbc.connect(f"grpc://127.0.0.1:{found[1]}", given, autocommit=True) as tool, tool.cursor() as cursor:
        yield cursor


def _fetched(cursor: Any) -> None:
    cursor.execute(REPLAYED)
    assert cursor.fetchall()


def _over_http(client: httpx2.Client, timed: Timed) -> Iterator[tuple[object, ...]]:
    numbers = iter(range(10**6))

    def post(path: str, sql: str, **headers: str) -> Callable[[], httpx2.Response]:
        return lambda: client.post(path, json={"sql": sql}, headers=headers).raise_for_status()

    def new(path: str) -> Callable[[], httpx2.Response]:
        def asked() -> httpx2.Response:
            sql = f"SELECT count(*) AS visits FROM visit WHERE dwell_min > {next(numbers)}"
            return client.post(path, json={"sql": sql, "rho": "0.0001"}).raise_for_status()

        return asked

    def with_a_new_key() -> httpx2.Response:
        headers = {"Idempotency-Key": f"repeat {next(numbers)}"}
        return client.post("/v1/queries", json={"sql": REPLAYED}, headers=headers).raise_for_status()

    for sql in (REPLAYED, QUESTION):
        post("/v1/queries", sql)()
    yield timed.row("own repeat, one row", post("/v1/queries", REPLAYED), "15 ms")
    yield timed.row("own repeat with a new Idempotency-Key", with_a_new_key)
    yield timed.row("own repeat, 3,696 keys, JSON", post("/v1/queries", QUESTION), times=10)
    yield timed.row("own repeat, 3,696 keys, Arrow", post("/v1/queries", QUESTION, Accept=ARROW), times=10)
    yield timed.row("explain, one row, again", post("/v1/explain", REPLAYED), "40 ms")
    yield timed.row("explain, 3,696 keys, again", post("/v1/explain", QUESTION), "40 ms")
    yield timed.row("explain, one row, for the first time", new("/v1/explain"), "40 ms")
    yield timed.row("refusal", lambda: client.post("/v1/queries", json={"sql": REFUSED}))
    yield timed.row("whose key", lambda: client.get("/v1/me").raise_for_status())
    yield timed.row(f"fresh release, bucket of {LEAST_SECONDS * 1000:.0f} ms", new("/v1/queries"), times=5)
