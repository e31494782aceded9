"""Neighbouring databases seen through the other interfaces: Flight SQL, DB-API and the console.

Each function returns all that must be equal in both worlds: everything its client sees except noise, and everything the
server writes down.
"""

from __future__ import annotations

import asyncio
import io
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any
from unittest import mock

import pyarrow as pa
import pyarrow.flight as fl

from engine import Session
from engine.api.wire.answer import CARD
from engine.server.flight.commands import pack
from engine.server.flight.server import FlightServer
from engine.server.http.roles import Role
from engine.server.worker.pacing import PacedEngine, ResponsePacing
from passersby.client import remote
from passersby.dbapi import pep249 as dbapi
from tests.support.neighbours.http_worlds import logging, seen_over_http, without_run_ids
from tests.support.neighbours.two_worlds import Attack, notes_without_noise, with_empty_ledger
from tests.support.server.serving import TestServer, inhabited, listening
from tests.support.server.visiting import Browser

Seen = dict[str, Any]
_OF_THE_CALL = re.compile(r"\. Detail: .*|\. gRPC client debug context.*", re.DOTALL)  # of pyarrow, with port and time
_OF_THE_RUN = re.compile(r'"(timestamp|key|job|port)": ("[^"]*"|\d+)')
_NOISY_NOTE = re.compile(r" values? (is|are) NULL: | are close to the noise: ")  # shown depending on noisy numbers


def observe_through(session: Session, look: Callable[[TestServer, Attack], Seen], attack: Attack) -> Seen:
    """Query a served session twice through one interface; returns what must be equal in both worlds, logs included."""
    with with_empty_ledger(session) as own, io.StringIO() as log, redirect_stderr(log), logging():
        engine = PacedEngine.of(own.engine, ResponsePacing(least_seconds=0.001))
        with inhabited(replace(own, engine=engine)) as server:
            return {
                "first": look(server, attack),
                "again": look(server, attack),
                "lists": [without_run_ids(server.send("GET", path)) for path in ("/v1/history", "/v1/budget")],
                "ledger": without_run_ids(server.send("GET", "/v1/admin/ledger", Role.AUDITOR)),
                "metrics": re.sub(r"(?m)^.*_created.*$", "", server.send("GET", "/metrics", Role.ADMIN).text),
                "log": sorted(_OF_THE_RUN.sub("", log.getvalue()).splitlines()),
            }


# ------------------------------------------------------------------ Flight SQL


def seen_over_flight(server: TestServer, attack: Attack) -> Seen:
    """Query as a Flight SQL client: messages and their lengths, headers, the card without noise, keys."""
    headers = _Headers()
    with _flight(server) as port, fl.FlightClient(f"grpc://127.0.0.1:{port}", middleware=[headers]) as client:
        key = f"Bearer {server.keys[Role.ANALYST]}".encode()
        options = fl.FlightCallOptions(headers=[(b"authorization", key)], timeout=60)
        question = pack("CommandStatementQuery", query=attack.sql)
        try:
            info = client.get_flight_info(fl.FlightDescriptor.for_command(question), options)
            parts = list(client.do_get(info.endpoints[0].ticket, options))
        except fl.FlightError as no:
            return {"refused": type(no).__name__, "text": _OF_THE_CALL.sub("", str(no)), "headers": headers.seen}
    seen = {
        "headers": headers.seen,
        "info": (info.total_records, info.total_bytes, len(info.endpoints), info.schema.serialize().size),
        "schema": str(info.schema.remove_metadata()),
    }
    if attack.rows is not None:
        return seen
    batches = [part.data for part in parts]
    lengths = [_length(part) for part in parts]
    return seen | {"lengths": lengths, **_card(pa.Table.from_batches(batches, info.schema))}


def _length(part: Any) -> int:
    """Length of a batch with its padding."""
    size: int = pa.ipc.get_record_batch_size(part.data) + (part.app_metadata.size if part.app_metadata else 0)
    return size


def _card(answer: pa.Table) -> Seen:
    card = json.loads(answer.schema.metadata[CARD])
    noise = set(card.pop("intervals"))
    keys = {name: answer.column(name).to_pylist() for name in answer.column_names if name not in noise}
    for name in ("reliability", "may_be_nothing", "advice", "release_id", "made_from"):
        card.pop(name, None)
    notes = notes_without_noise(card.pop("notes"), card.pop("note_codes"), rows=None)
    return {"noise": sorted(noise), "keys": keys, "card": card, "notes": notes, "rows": answer.num_rows}


class _Headers(fl.ClientMiddlewareFactory):  # type: ignore[misc]
    """Records names and values of response headers, except the key."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    def start_call(self, info: object) -> fl.ClientMiddleware:
        del info
        seen = self.seen

        class Keeping(fl.ClientMiddleware):  # type: ignore[misc]
            def received_headers(self, headers: dict[str, list[str]]) -> None:
                seen.append(sorted((name, name != "authorization" and str(value)) for name, value in headers.items()))

        return Keeping()


@contextmanager
def _flight(server: TestServer) -> Iterator[int]:
    """Run the Flight SQL server of a service on its own event loop."""
    loop = asyncio.new_event_loop()
    running = threading.Thread(target=loop.run_forever)
    running.start()
    settings = server.house.settings.model_copy(update={"flight_port": 0})
    door = FlightServer(replace(server.house, settings=settings), loop)
    try:
        yield door.port
    finally:
        door.shutdown()
        loop.call_soon_threadsafe(loop.stop)
        running.join()
        loop.close()


# ------------------------------------------------------------------ DB-API


def seen_over_dbapi(server: TestServer, attack: Attack) -> Seen:
    """Query through PEP 249: description, row count, exceptions with their attributes, keys.

    The client waits as long as the server does, because on a busy machine a query would become a job after three
    seconds.
    """
    key, waiting = server.keys[Role.ANALYST], mock.patch.dict(remote.ASYNC_HEADERS, {"Prefer": "wait=60"})
    with waiting, listening(server) as url, dbapi.connect(url, api_key=key) as connection:
        cursor = connection.cursor()
        try:
            cursor.execute(attack.sql)
        except dbapi.Error as no:
            return {"refused": type(no).__name__, "said": [str(no), repr(no.args), getattr(no, "hint", None)]}
        answer = cursor.fetch_arrow_table()
        seen = {"description": cursor.description, "schema": str(answer.schema.remove_metadata())}
        return seen if attack.rows is not None else seen | _card(answer) | {"rowcount": cursor.rowcount}


# ------------------------------------------------------------------ the console


class _Texts(HTMLParser):
    """Collects the tags of a page, and its texts except numbers of answers and times."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.texts: list[str] = []
        self._within = ""  # the element being skipped

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self._within:
            return
        self.tags.append(tag)
        if tag == "time" or (tag == "td" and ("class", "number") in attrs):
            self._within = tag

    def handle_endtag(self, tag: str) -> None:
        if tag == self._within:
            self._within = ""

    def handle_data(self, data: str) -> None:
        if not self._within:
            self.texts.append(data.strip())


def seen_over_console(server: TestServer, attack: Attack) -> Seen:
    """Explain and query in a browser: status, headers, and the page without its numbers."""
    browser = Browser(server)
    browser.enter(server.keys[Role.ANALYST])
    browser.get("/console/ask")
    given = {
        do: browser.post("/console/ask", sql=attack.sql, rho="", do=do, request_id="one") for do in ("explain", "ask")
    }
    return {do: _page(answer, attack) for do, answer in given.items()}


def _page(answer: Any, attack: Attack) -> Seen:
    read = _Texts()
    read.feed(answer.text)
    texts = [text for text in read.texts if text and not _NOISY_NOTE.search(text)]
    headers = {name: value for name, value in answer.headers.items() if name != "set-cookie"}
    if attack.rows is not None:
        return {"status": answer.status_code, "headers": sorted(headers)}
    return {"status": answer.status_code, "headers": headers, "tags": read.tags, "texts": texts}


DOORS = {"http": seen_over_http, "flight": seen_over_flight, "dbapi": seen_over_dbapi, "console": seen_over_console}
