"""Progress of data preparation: a bar on a terminal, one line elsewhere, nothing if nothing is built."""

from __future__ import annotations

import io

import pytest

from passersby.client.progress import ONCE, shown_making


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_nothing_is_said_where_nothing_is_made(capsys: pytest.CaptureFixture[str]) -> None:
    with shown_making():
        pass
    assert capsys.readouterr() == ("", "")


def test_one_line_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with shown_making() as tell:
        tell("people", 0.1)
        tell("trips", 0.9)
    assert capsys.readouterr() == ("", f"{ONCE} ...\n")


def test_programs_are_not_disturbed(capsys: pytest.CaptureFixture[str]) -> None:
    with shown_making(quiet=True) as tell:
        tell("people", 0.1)
    assert capsys.readouterr() == ("", "")


def test_a_bar_on_a_terminal_that_stops_where_making_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with pytest.raises(RuntimeError), shown_making(quiet=True) as tell:
        tell("people", 0.25)
        raise RuntimeError
    assert ONCE in terminal.getvalue()
    assert "25%" in terminal.getvalue()
