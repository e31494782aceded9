"""The sessions of a lake, made up here: one is replaced at once when it does not answer, and ends when nobody is in it."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from types import SimpleNamespace

import pytest

from engine.backends.spark import session as spark_session
from engine.backends.spark.session import SETTINGS, Sessions


class MadeUp:
    """A session that answers or not, and counts how often it was ended."""

    def __init__(self) -> None:
        self.answers, self.ended = True, 0
        self.client = SimpleNamespace(get_config_dict=self._settings)

    def _settings(self, *names: str) -> Mapping[str, str]:
        if not self.answers:
            raise ConnectionError("lost")
        return SETTINGS

    def stop(self) -> None:
        self.ended += 1


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[MadeUp]]:
    connected: list[MadeUp] = []

    def connect(remote: str) -> MadeUp:
        connected.append(MadeUp())
        return connected[-1]

    monkeypatch.setattr(spark_session, "_connect", connect)
    yield connected


def ended(made: list[MadeUp]) -> list[int]:
    return [each.ended for each in made]


def test_questions_share_one_session(made: list[MadeUp]) -> None:
    sessions = Sessions("sc://nowhere")
    with sessions.entered() as one, sessions.entered() as other:
        assert one is other
    with sessions.entered() as again:
        assert again is one
    sessions.close()
    assert ended(made) == [1]


def test_one_that_does_not_answer_is_replaced_at_once_and_ends_with_its_last_question(made: list[MadeUp]) -> None:
    sessions = Sessions("sc://nowhere")
    with sessions.entered() as first:
        with sessions.entered():
            made[0].answers = False
            with sessions.entered() as second:
                assert second is not first
            assert ended(made) == [0, 0], "two questions are still in it"
        assert ended(made) == [0, 0], "one is"
    assert ended(made) == [1, 0]
    sessions.close()
    assert ended(made) == [1, 1]


def test_an_idle_session_ends_when_it_is_replaced(made: list[MadeUp]) -> None:
    sessions = Sessions("sc://nowhere")
    with sessions.entered():
        pass
    made[0].answers = False
    with sessions.entered():
        assert ended(made) == [1, 0]


def test_a_failing_query_leaves_its_session(made: list[MadeUp]) -> None:
    sessions = Sessions("sc://nowhere")
    with pytest.raises(ZeroDivisionError), sessions.entered():
        made[0].answers = False
        with sessions.entered():
            pass
        raise ZeroDivisionError
    assert ended(made) == [1, 0]


def test_without_a_replacement_the_old_session_is_used_again(
    made: list[MadeUp], monkeypatch: pytest.MonkeyPatch
) -> None:
    sessions = Sessions("sc://nowhere")
    with sessions.entered() as first:
        made[0].answers = False
        with monkeypatch.context() as patched:
            patched.setattr(spark_session, "_connect", lambda remote: 1 / 0)
            with pytest.raises(ZeroDivisionError), sessions.entered():
                pass
        assert ended(made) == [0]
        made[0].answers = True
        with sessions.entered() as again:
            assert again is first


def test_closing_ends_every_session_once_even_if_in_use(made: list[MadeUp]) -> None:
    sessions = Sessions("sc://nowhere")
    with sessions.entered():
        made[0].answers = False
        with sessions.entered():
            sessions.close()
            assert ended(made) == [1, 1]
    assert ended(made) == [1, 1]


def test_leaving_a_session_does_not_wait_for_the_cluster(made: list[MadeUp], monkeypatch: pytest.MonkeyPatch) -> None:
    sessions, asked, go = Sessions("sc://nowhere"), threading.Event(), threading.Event()
    inside = sessions.entered()
    inside.__enter__()

    def slow(*names: str) -> Mapping[str, str]:
        asked.set()
        go.wait(60)
        return SETTINGS

    def enter() -> None:
        with sessions.entered():
            pass

    monkeypatch.setattr(made[0].client, "get_config_dict", slow)
    with ThreadPoolExecutor(2) as threads:
        entering = threads.submit(enter)
        assert asked.wait(60)
        threads.submit(inside.__exit__, None, None, None).result(60)
        assert not entering.done()
        go.set()
        entering.result(60)
    assert ended(made) == [0]


def test_no_session_ends_during_a_query_for_any_loss(made: list[MadeUp], monkeypatch: pytest.MonkeyPatch) -> None:
    sessions, numbers, together = Sessions("sc://nowhere"), count(), threading.Barrier(4)
    monkeypatch.setattr(spark_session, "_is_configured", lambda session: next(numbers) % 3)

    def ask(_: int) -> int:
        together.wait(60)
        with sessions.entered() as session:
            together.wait(60)  # all are inside, in several sessions
            assert isinstance(session, MadeUp)
            return session.ended

    with ThreadPoolExecutor(4) as threads:
        assert [*threads.map(ask, range(400))] == [0] * 400
    assert len(made) > 100 and ended(made)[:-1] == [1] * (len(made) - 1)
    with monkeypatch.context() as patched, ThreadPoolExecutor(4) as threads:
        patched.setattr(sessions, "_leave", lambda session: session is sessions._current or session.stop())
        assert any([*threads.map(ask, range(40))]), "not seen"  # of all: four wait for each other
