"""Progress of data preparation: a bar on a terminal, one line elsewhere, nothing if nothing is built."""

from __future__ import annotations

import io

import pytest

from passersby.client.progress import COPYING, show_copying


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_no_progress_is_shown_if_nothing_is_built(capsys: pytest.CaptureFixture[str]) -> None:
    with show_copying():
        pass
    assert capsys.readouterr() == ("", "")


def test_one_line_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with show_copying() as tell:
        tell("people", 0.1)
        tell("trips", 0.9)
    assert capsys.readouterr() == ("", f"{COPYING} ...\n")


def test_no_progress_is_written_to_programs(capsys: pytest.CaptureFixture[str]) -> None:
    with show_copying(quiet=True) as tell:
        tell("people", 0.1)
    assert capsys.readouterr() == ("", "")


def test_a_bar_on_a_terminal_that_stops_where_making_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with pytest.raises(RuntimeError), show_copying(quiet=True) as tell:
        tell("people", 0.25)
        raise RuntimeError
    assert COPYING in terminal.getvalue()
    assert "25%" in terminal.getvalue()
