"""Who waits long for an answer sees that it is being made; who does not, or is no terminal, sees nothing."""

from __future__ import annotations

import io
import re
import threading
import time

import pytest

from passersby.client import progress
from passersby.client.progress import ANSWERING, show_waiting
from tests.support.timeouts import MAX_SECONDS


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def _at_a_terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Stand at a terminal, from within the test: pytest puts its own standard error back after fixtures are made."""
    made = Terminal()
    monkeypatch.setattr("sys.stderr", made)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    return made


def _wait_until_shown(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "DELAY_SECONDS", 0.01)
    with show_waiting():
        deadline = time.monotonic() + MAX_SECONDS
        while ANSWERING not in terminal.getvalue() and time.monotonic() < deadline:
            time.sleep(0.01)


def test_a_slow_answer_shows_its_elapsed_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = _at_a_terminal(monkeypatch)
    _wait_until_shown(terminal, monkeypatch)
    assert ANSWERING in terminal.getvalue() and re.search(r"\d s\b", terminal.getvalue())


def test_a_quick_answer_shows_no_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = _at_a_terminal(monkeypatch)
    monkeypatch.setattr(progress, "DELAY_SECONDS", 60.0)
    with show_waiting():
        pass
    assert terminal.getvalue() == ""


def test_nothing_appears_after_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = _at_a_terminal(monkeypatch)
    monkeypatch.setattr(progress, "DELAY_SECONDS", 60.0)
    before = threading.enumerate()
    with pytest.raises(RuntimeError), show_waiting():
        (timer,) = (each for each in threading.enumerate() if each not in before)
        raise RuntimeError
    timer.join(MAX_SECONDS)
    assert isinstance(timer, threading.Timer) and not timer.is_alive(), "it waits for its time no more"
    timer.function()  # and where it came at that very moment, it is too late
    assert terminal.getvalue() == ""


def test_the_line_leaves_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = _at_a_terminal(monkeypatch)
    _wait_until_shown(terminal, monkeypatch)
    shown = terminal.getvalue()
    assert shown.rstrip().endswith("\x1b[2K"), "the last that is written takes the line away"
    time.sleep(0.3)
    assert terminal.getvalue() == shown


def test_no_progress_is_shown_without_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "DELAY_SECONDS", 0.0)
    with show_waiting():
        time.sleep(0.02)
    assert capsys.readouterr() == ("", "")
