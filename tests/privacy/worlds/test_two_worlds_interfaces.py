"""Two worlds over HTTP, Flight SQL, DB-API and the console: what clients see and servers write differs by noise alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
import pyarrow.flight as fl
import pytest

from dialect.algebra import Note, NoteCode
from engine import Session
from engine.pipeline.compiled_query import Answered
from engine.pipeline.notes import answer_notes
from engine.server.console import analyst
from engine.server.flight import server as flight_server
from engine.server.http import responses, sizes
from engine.server.routes.middleware import RequestMiddleware
from engine.server.telemetry import log
from tests.conftest import NIGHTLY
from tests.support.neighbours.door_worlds import DOORS, observe_through
from tests.support.neighbours.two_worlds import ANSWERED, BY_HOUR, BY_ZONE, COUNT, attacks, open_worlds

EVERY = 1 if NIGHTLY else 40  # of the adversarial cases: in process all of them are held
ASKED = [COUNT, BY_HOUR, BY_ZONE, *attacks()[::EVERY]]


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Session]]:
    with open_worlds(tmp_path_factory.mktemp("worlds"), ("D", "D'")) as opened:
        yield opened


def hold(worlds: dict[str, Session], name: str, attack: Any) -> None:
    one, other = (observe_through(worlds[world], DOORS[name], attack) for world in ("D", "D'"))
    assert one == other


@pytest.mark.parametrize("name", DOORS)
@pytest.mark.parametrize("attack", ASKED, ids=[f"{a.number}: {a.sql[:40]}" for a in ASKED])
def test_only_noise_distinguishes_the_worlds_at_every_interface(
    name: str, attack: Any, worlds: dict[str, Session]
) -> None:
    hold(worlds, name, attack)


def test_there_are_answers_and_refusals_among_them() -> None:
    answered = sum(attack.outcome == ANSWERED for attack in ASKED)
    assert answered >= 5 and len(ASKED) - answered >= 1


# ------------------------------------------------------------------ planted


@contextmanager
def a_card_that_is_not_filled_up(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(flight_server, "size_class", lambda length: length)
    monkeypatch.setattr(flight_server, "public_length", lambda *_: 0)
    yield "flight"


@contextmanager
def a_number_of_bytes_of_the_answer(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Planted: the announced number of bytes depends on the digits of the numbers."""
    made = fl.FlightInfo

    def leaking(schema: pa.Schema, descriptor: Any, endpoints: Any, records: int, size: int) -> fl.FlightInfo:
        card = json.loads(schema.metadata[b"passersby"]) if schema.metadata else {"intervals": {}}
        return made(schema, descriptor, endpoints, records, len(str(card["intervals"])))

    monkeypatch.setattr(fl, "FlightInfo", leaking)
    yield "flight"


@contextmanager
def a_page_that_is_as_long_as_its_numbers(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr("engine.server.console.sessions.size_class", lambda length: 0)
    yield "console"


@contextmanager
def a_page_that_is_filled_up_to_itself(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(analyst, "with_longest_numbers", lambda answer: answer)
    monkeypatch.setattr("engine.server.console.sessions.size_class", lambda length: length)
    yield "console"


@contextmanager
def a_column_that_may_be_null_where_one_is(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    from passersby.dbapi.pep249 import Cursor

    def description(self: Cursor) -> Any:
        answer = self.result.arrow()
        return [(name, answer.column(name)[0].as_py()) for name in answer.column_names]

    monkeypatch.setattr(Cursor, "description", property(description))
    yield "dbapi"


@contextmanager
def a_log_with_a_number_of_the_answer(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    from engine.server.service import Service

    ask = Service.run_query

    async def leaking(self: Service, arguments: Any, *more: Any) -> bytes:
        rows = await ask(self, arguments, *more)
        log.info("answered", sum=sum(rows))
        return rows

    monkeypatch.setattr(Service, "run_query", leaking)
    yield "dbapi"


@contextmanager
def not_padded(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(responses, "padded_json", lambda body, length: body)
    yield "http"


@contextmanager
def padded_to_its_own_class(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(responses, "public_length", lambda table, card: 0)
    monkeypatch.setattr(sizes, "size_class", lambda length: length)
    yield "http"


@contextmanager
def a_header_with_a_number_of_the_answer(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    call = RequestMiddleware.__call__

    async def leaking(self: RequestMiddleware, scope: Any, receive: Any, send: Any) -> None:
        held: list[Any] = []

        async def sending(message: Any) -> None:
            if message["type"] == "http.response.start":
                held.append(message)
                return
            if held:
                start = held.pop()
                digits = str(sum(message.get("body", b""))).encode()
                await send({**start, "headers": [*start["headers"], (b"x-sum", digits)]})
            await send(message)

        await call(self, scope, receive, sending)

    monkeypatch.setattr(RequestMiddleware, "__call__", leaking)
    yield "http"


def _a_noisy_note_that_the_product_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: a note with a number of the answer, whose code the server's list of noisy notes has too."""

    def leaking(result: Answered, *, rehearsal: bool) -> list[Note]:
        numbers = result.answer.table.columns[-1].to_pylist()
        return [
            *answer_notes(result, rehearsal=rehearsal),
            Note(NoteCode.CLIPPED, f"{sum(numbers)} people are counted."),
        ]

    monkeypatch.setattr("engine.api.wire.answer.answer_notes", leaking)
    monkeypatch.setattr(sizes, "NOISY_NOTES", (*sizes.NOISY_NOTES, NoteCode.CLIPPED))


@contextmanager
def a_note_with_a_number_over_http(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    _a_noisy_note_that_the_product_lists(monkeypatch)
    yield "http"


@contextmanager
def a_note_with_a_number_over_flight(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    _a_noisy_note_that_the_product_lists(monkeypatch)
    yield "flight"


PLANTED = [
    not_padded,
    padded_to_its_own_class,
    a_header_with_a_number_of_the_answer,
    a_card_that_is_not_filled_up,
    a_number_of_bytes_of_the_answer,
    a_page_that_is_as_long_as_its_numbers,
    a_page_that_is_filled_up_to_itself,
    a_column_that_may_be_null_where_one_is,
    a_log_with_a_number_of_the_answer,
    a_note_with_a_number_over_http,
    a_note_with_a_number_over_flight,
]


@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: plant.__name__)
def test_a_planted_leak_is_found(plant: Any, worlds: dict[str, Session], monkeypatch: pytest.MonkeyPatch) -> None:
    with plant(monkeypatch) as name, pytest.raises(AssertionError):
        for _ in range(10):  # lengths may be the same by chance
            hold(worlds, name, BY_HOUR)
