"""%passersby and %%passersby in a real shell: asked of a real server, completed, refused without a traceback."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell

import passersby
from tests.support.server.serving import Running

COUNT = "SELECT zone, count(*) AS visits FROM visit GROUP BY zone ORDER BY zone"


@pytest.fixture(scope="module")
def shell(server: Running) -> Iterator[InteractiveShell]:
    """A shell that has opened a connection."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("PASSERSBY_API_KEY", server.key("notebook"))
        made = InteractiveShell()
        made.run_cell("%load_ext passersby").raise_error()
        assert "notebook" in repr(made.run_cell(f"%passersby {server.url}").result)
        yield made


def ran(shell: InteractiveShell, cell: str) -> Any:
    found = shell.run_cell(cell)
    found.raise_error()
    return found.result


def completed(shell: InteractiveShell, cell: str) -> set[str]:
    with provisionalcompleter():
        return {each.text for each in shell.Completer.completions(cell, len(cell))}


def test_a_cell_asks_explains_and_rehearses(shell: InteractiveShell) -> None:
    told = ran(shell, f"%%passersby --explain --rho 0.01\n{COUNT}")
    assert told.price["rho"] == 0.01
    assert ran(shell, f"%%passersby --rehearse\n{COUNT}").rehearsal
    answer = ran(shell, f"%%passersby --confidence 0.9\n{COUNT}")
    assert (len(answer), answer.confidence) == (7, 0.9)
    assert "class='passersby'" in answer._repr_html_()


def test_an_answer_is_assigned_to_a_name(shell: InteractiveShell) -> None:
    assert ran(shell, f"%%passersby kept <<\n{COUNT}") is None
    assert ran(shell, "kept.columns") == ["zone", "visits"]


def test_the_budget_is_a_widget_without_a_script(shell: InteractiveShell) -> None:
    page = ran(shell, "%passersby")._repr_html_()
    assert "% spent" in page and "<svg" in page
    assert "<script" not in page and "http" not in page


def test_a_refusal_is_shown_and_no_traceback(shell: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> None:
    assert ran(shell, "%%passersby\nSELECT nope FROM visit") is None
    said = capsys.readouterr().out
    assert "E_COLUMN" in said and "^^^^" in said and "Try:" in said
    assert "Traceback" not in said


def test_an_unknown_option_is_reported_in_one_line(shell: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> None:
    assert shell.run_cell("%%passersby --loud\nSELECT 1").error_in_exec is not None
    assert "--help" in capsys.readouterr().err
    ran(shell, "%%passersby --help\nSELECT 1")
    assert "--rehearse" in capsys.readouterr().out
    fresh = InteractiveShell()
    fresh.run_cell("%load_ext passersby").raise_error()
    fresh.run_cell(f"%%passersby\n{COUNT}")
    assert "Open a connection first" in capsys.readouterr().err


def test_tables_columns_and_functions_are_completed(shell: InteractiveShell) -> None:
    assert "visit" in completed(shell, "%%passersby\nSELECT count(*) FROM vi")
    assert {"minutes"} <= completed(shell, "%%passersby\nSELECT avg(min")
    assert "visit.minutes" in completed(shell, "%%passersby\nSELECT visit.mi")
    assert "date_trunc(" in completed(shell, "%%passersby kept << --explain\nSELECT date_tr")
    assert "visit" not in completed(shell, "vi")


def test_a_connection_of_the_notebook_is_used(shell: InteractiveShell, server: Running) -> None:
    with passersby.connect(server.url, api_key=server.key("other")) as connection:
        shell.user_ns["city"] = connection
        before = ran(shell, "get_ipython().magics_manager.registry['PassersbyMagics'].connection")
        assert ran(shell, "%passersby city") is connection
        shell.user_ns["city"] = before
        ran(shell, "%passersby city")
