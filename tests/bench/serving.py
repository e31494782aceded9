"""What waiting feels like over HTTP: own repeat, explanation, refusal, lists, and a fresh release with its public time."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import httpx2

import engine
from engine.server.answers import ARROW
from tests.bench.latency import QUESTION, REFUSED, REPLAYED
from tests.bench.machine import milliseconds, table
from tests.support.serving import bearer, running

LEAST_SECONDS = 0.5


def main(events: int, runs: int) -> None:
    """Print minimum, median and maximum of each."""
    del events, runs
    with tempfile.TemporaryDirectory() as folder:
        with running("operator", Path(folder) / "served.ledger", least_seconds=LEAST_SECONDS) as server:
            key = server.key("bench")
            with httpx2.Client(base_url=server.url, headers=bearer(key), timeout=120) as client:
                rows = _over_http(client)
        with engine.open_desk("operator", ledger=str(Path(folder) / "inside.ledger")) as desk:
            desk.query(REPLAYED, client="bench")
            rows += [
                ("in process: own repeat", *milliseconds(lambda: desk.query(REPLAYED, client="bench")), ""),
                ("in process: explain", *milliseconds(lambda: desk.explain(REPLAYED, client="bench")), ""),
            ]
    table(("one client, one server, after warm-up", "least ms", "median ms", "most ms", "wanted below"), rows)


def _over_http(client: httpx2.Client) -> list[tuple[object, ...]]:
    numbers = iter(range(10**6))

    def post(path: str, sql: str, **headers: str) -> Callable[[], httpx2.Response]:
        return lambda: client.post(path, json={"sql": sql}, headers=headers)

    def fresh() -> httpx2.Response:
        sql = f"SELECT count(*) AS visits FROM visit WHERE dwell_min > {next(numbers)}"
        return client.post("/v1/queries", json={"sql": sql, "rho": "0.0001"})

    def with_a_new_key() -> httpx2.Response:
        headers = {"Idempotency-Key": f"repeat {next(numbers)}"}
        return client.post("/v1/queries", json={"sql": REPLAYED}, headers=headers)

    for sql in (REPLAYED, QUESTION):
        post("/v1/queries", sql)().raise_for_status()
    return [
        ("own repeat, one row", *milliseconds(post("/v1/queries", REPLAYED)), "15 ms"),
        ("own repeat with a new Idempotency-Key", *milliseconds(with_a_new_key), ""),
        ("own repeat, 3,696 keys, JSON", *milliseconds(post("/v1/queries", QUESTION), 10), ""),
        ("own repeat, 3,696 keys, Arrow", *milliseconds(post("/v1/queries", QUESTION, Accept=ARROW), 10), ""),
        ("explain, one row", *milliseconds(post("/v1/explain", REPLAYED)), "40 ms"),
        ("explain, 3,696 keys", *milliseconds(post("/v1/explain", QUESTION)), "40 ms"),
        ("refusal", *milliseconds(post("/v1/queries", REFUSED)), ""),
        ("whose key", *milliseconds(lambda: client.get("/v1/me")), ""),
        (f"fresh release, bucket of {LEAST_SECONDS * 1000:.0f} ms", *milliseconds(fresh, 5), ""),
    ]
