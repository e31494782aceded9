"""Latency of another client's free replays while one client sends many new queries at once.

    python -m tests.bench crowd

Wanted on an idle machine with two cores: none refused, and the 99th percentile below 300 ms.
"""

from __future__ import annotations

import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import httpx2
import numpy as np

from tests.bench.latency import REPLAYED
from tests.bench.machine import table
from tests.support.server.serving import Running, bearer, running

CROWD = 70  # requests of one client at once
REPEATS = 100
FILLING_SECONDS = 3.0  # in which the crowd fills what it can
PAUSE_SECONDS = 0.2  # of each in the crowd before it asks again, refused or answered
WANTED = "300 ms"
HEAD = ("free repeats of another client", "repeats", "refused", "median ms", "99% ms", "most ms", "wanted below")


def main(events: int, runs: int) -> None:
    """Print refusals and times, with and without the crowd."""
    del events, runs
    numbers = count()
    with (
        tempfile.TemporaryDirectory() as folder,
        running("operator", Path(folder) / "served.ledger") as server,
        httpx2.Client(base_url=server.url, headers=bearer(server.key("ben")), timeout=300) as other,
    ):

        def repeat() -> httpx2.Response:
            headers = {"Idempotency-Key": f"tile {number}"} if (number := next(numbers)) % 2 else {}
            return other.post("/v1/queries", json={"sql": REPLAYED}, headers=headers)

        repeat().raise_for_status()
        rows = [_timed("alone", repeat)]
        with ThreadPoolExecutor(CROWD) as threads:
            over, fresh, key = threading.Event(), count(), server.key("ana")
            crowd = [threads.submit(_ask_on, server, key, fresh, over) for _ in range(CROWD)]
            time.sleep(FILLING_SECONDS)
            rows.append(_timed(f"beside {CROWD} fresh questions at once", repeat))
            over.set()
            ended = sum((each.result() for each in crowd), Counter[int]())
    table(HEAD, rows)
    print("the crowd:", ", ".join(f"{times} x status {status}" for status, times in sorted(ended.items())))


def _ask_on(server: Running, key: str, numbers: Iterator[int], over: threading.Event) -> Counter[int]:
    """Send one new query after another; counts the statuses."""
    ended = Counter[int]()
    with httpx2.Client(base_url=server.url, headers=bearer(key), timeout=300) as client:
        while not over.is_set():
            sql = f"SELECT count(*) AS visits FROM visit WHERE dwell_min > {next(numbers)}"
            ended[client.post("/v1/queries", json={"sql": sql, "rho": "0.0001"}).status_code] += 1
            time.sleep(PAUSE_SECONDS)
    return ended


def _timed(what: str, repeat: Callable[[], httpx2.Response]) -> tuple[object, ...]:
    taken, refused = list[float](), 0
    for _ in range(REPEATS):
        begun = time.perf_counter()
        refused += repeat().status_code != httpx2.codes.OK
        taken.append(1000 * (time.perf_counter() - begun))
    median, high, most = np.percentile(taken, [50, 99, 100])
    return what, REPEATS, refused, median, high, most, WANTED
