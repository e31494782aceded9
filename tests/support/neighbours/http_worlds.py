"""Neighbouring databases over HTTP: responses split into what noise may change and the rest."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx2
import pyarrow as pa
import structlog

from engine.server.http.responses import ARROW
from engine.server.telemetry import configure_logging
from tests.support.neighbours.two_worlds import Attack, notes_without_noise
from tests.support.server.serving import TestServer
from tests.support.timeouts import until

NAMES = ("id", "request_id", "made_at", "ended_at", "location", "at", "body", "row_hash", "settled_at")  # of one run


def seen_over_http(server: TestServer, attack: Attack) -> dict[str, Any]:
    """Query a served session in every format; returns everything that must be equal in both worlds."""
    return {
        "json": _split(server.ask(attack.sql), attack),
        "arrow": _split(server.ask(attack.sql, headers={"Accept": ARROW}), attack),
        "explained": server.send("POST", "/v1/explain", json={"sql": attack.sql}).text,
        "job": _job(server, attack),
    }


@contextmanager
def logging() -> Iterator[None]:
    configure_logging()
    try:
        yield
    finally:
        structlog.reset_defaults()


def _job(server: TestServer, attack: Attack) -> Any:
    started = server.ask(attack.sql, headers={"Prefer": "respond-async", "Idempotency-Key": "job"})
    place = started.headers["location"]
    until(lambda: _ended(server.house.tables.job(request_id="job")))  # the number of polls is not compared
    return without_run_ids(server.send("GET", place)), _split(server.send("GET", f"{place}/result"), attack)


def _ended(row: Any) -> bool:
    return row is not None and row["state"] not in ("queued", "running")


def without_run_ids(answer: httpx2.Response) -> Any:
    """Remove ids and times of this run."""

    def without(value: Any) -> Any:
        if isinstance(value, list):
            return [without(each) for each in value]
        if isinstance(value, dict):
            return {key: without(each) for key, each in value.items() if key not in NAMES}
        return value

    return answer.status_code, sorted(answer.headers), without(answer.json())


def _split(answer: httpx2.Response, attack: Attack) -> Any:
    """Status, headers, length and body without noise; without the length if the rows themselves are noisy."""
    if answer.headers["content-type"] == "application/problem+json":
        return answer.status_code, dict(answer.headers), answer.text
    body = _read(answer)
    noise = set(body["intervals"])
    values = {name: values for name, values in body.pop("values").items() if not noise & {name}}
    body |= {"intervals": sorted(noise), "reliability": sorted(body["reliability"]), "advice": None}
    body["may_be_nothing"] = len(body.get("may_be_nothing", ()))
    if attack.rows is not None:  # noise decides how many rows there are
        body |= {"may_be_nothing": None, "selection": None}
    body["made_from"] = [{**made, "settled_at": None} for made in body["made_from"]]
    body["notes"] = notes_without_noise(body["notes"], body.pop("note_codes"), attack.rows)
    headers = dict(answer.headers)
    if attack.rows is not None:
        values = {}
        headers.pop("content-length")
    return answer.status_code, headers, body, values


def _read(answer: httpx2.Response) -> dict[str, Any]:
    if answer.headers["content-type"] == ARROW:
        table = pa.ipc.open_stream(answer.content).read_all()
        card = json.loads(table.schema.metadata[b"passersby"])
        return {**card, "schema": str(table.schema.remove_metadata()), "values": table.to_pydict()}
    body: dict[str, Any] = answer.json()
    columns = [column["name"] for column in body["columns"]]
    rows = body.pop("rows")
    return {**body, "values": {name: [row[i] for row in rows] for i, name in enumerate(columns)}}
