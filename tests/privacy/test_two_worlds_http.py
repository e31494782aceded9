"""Two worlds over HTTP: bodies, headers, lengths, jobs, lists, metrics and logs are the same but for noise."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from engine import Desk
from engine.server import answers, sizes
from engine.server.surround import Surround
from tests.conftest import NIGHTLY
from tests.support.http_worlds import seen_over_http
from tests.support.two_worlds import ANSWERED, BY_HOUR, BY_ZONE, COUNT, attacks, open_worlds

EVERY = 1 if NIGHTLY else 40  # of the adversarial cases: in process all of them are held
ASKED = [COUNT, BY_HOUR, BY_ZONE, *attacks()[::EVERY]]


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Desk]]:
    with open_worlds(tmp_path_factory.mktemp("worlds"), ("D", "D'")) as opened:
        yield opened


def hold(worlds: dict[str, Desk], attack: Any) -> None:
    one, other = (seen_over_http(worlds[world], attack) for world in ("D", "D'"))
    assert one == other


@pytest.mark.parametrize("attack", ASKED, ids=[f"{a.number}: {a.sql[:40]}" for a in ASKED])
def test_nothing_but_noise_tells_the_worlds_apart_over_http(attack: Any, worlds: dict[str, Desk]) -> None:
    hold(worlds, attack)


def test_there_are_answers_among_them() -> None:
    assert sum(attack.outcome == ANSWERED for attack in ASKED) >= 5


@contextmanager
def not_padded(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(answers, "padded_json", lambda body, length: body)
    yield


@contextmanager
def padded_to_its_own_class(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(answers, "public_length", lambda table, card: 0)
    monkeypatch.setattr(sizes, "size_class", lambda length: length)
    yield


@contextmanager
def a_header_with_a_number_of_the_answer(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    call = Surround.__call__

    async def telling(self: Surround, scope: Any, receive: Any, send: Any) -> None:
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

    monkeypatch.setattr(Surround, "__call__", telling)
    yield


PLANTED = [not_padded, padded_to_its_own_class, a_header_with_a_number_of_the_answer]


@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: plant.__name__)
def test_a_planted_leak_is_found(plant: Any, worlds: dict[str, Desk], monkeypatch: pytest.MonkeyPatch) -> None:
    with plant(monkeypatch), pytest.raises(AssertionError):
        for _ in range(10):  # lengths may be the same by chance
            hold(worlds, BY_HOUR)
