"""The short form of outputs: a few lines that fit 80 columns, and a long form that has the rest."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from passersby.cli.app import app
from passersby.result.result import Explanation
from passersby.result.summary import PAGE, fitting_text, further_text, note_lines, windows_text
from tests.passersby.cards import LEFT, LOSS, result

FIRST = "SELECT mode, count(*) AS trips, avg(dist_km) AS km FROM trip GROUP BY mode"
Run = Callable[..., list[str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command on the bundled catalog at 80 columns, and return its lines."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("PASSERSBY_LEDGER", str(tmp_path / "glance.ledger"))

    def lines(*words: str) -> list[str]:
        shown: Result = CliRunner().invoke(app, list(words))
        assert shown.exit_code == 0, shown.output
        return shown.stdout.splitlines()

    return lines


@pytest.mark.parametrize(("command", "most"), [("explain", 10), ("query", 14), ("budget", 8)])
def test_the_first_question_is_read_at_a_glance(run: Run, command: str, most: int) -> None:
    question = () if command == "budget" else (FIRST,)
    short, long = run(command, *question), run(command, *question, "--verbose")
    assert len(short) <= most and max(map(len, short)) <= 80
    assert len(long) > len(short)
    assert short[-1] == f"details: passersby {command} --verbose"


def test_an_explanation_names_what_is_left_first_and_each_columns_range(run: Run) -> None:
    head, _, trips, km, *lines = run("explain", FIRST)
    assert head == "100 more at this price · rho 0.005 (epsilon 0.57) · 4 groups, all shown"
    assert re.fullmatch(r"trips +± [\d,]+ to [\d,]+", trips.rstrip())
    assert re.fullmatch(r"km +± [\d.]+ to [\d.]+", km.rstrip())
    assert any(line.startswith("rough, for ") for line in lines)
    assert any(line.startswith("rough, from public sizes") for line in run("explain", "SELECT count(*) FROM trip"))
    long = "\n".join(run("explain", FIRST, "--verbose"))
    for part in ("Columns", "Keys", "Contribution bounds", "why so wide", "SELECT WITH DIFFERENTIAL_PRIVACY OPTIONS("):
        assert part in long


def test_groups_of_which_noise_selects_some_are_not_all_shown(run: Run) -> None:
    busiest = "SELECT place_id, count(*) AS n FROM visit GROUP BY place_id ORDER BY n DESC LIMIT 10"
    assert run("explain", busiest)[0].endswith("60 groups")


def test_a_repeat_is_explained_by_the_widths_that_its_rows_have(run: Run) -> None:
    """Large groups have wider intervals: one median would be less than what most of them show."""
    header, *rows = (line.split(",") for line in run("query", FIRST, "--format", "csv"))
    car = dict(zip(header, next(row for row in rows if row[0] == "car"), strict=True))
    low, high = int(car["trips_low"]), int(car["trips_high"])
    shown = run("explain", FIRST)[2]
    least, most = (float(text.replace(",", "")) for text in re.fullmatch(r"trips +± (\S+) to (\S+) *", shown).groups())
    assert least < most == pytest.approx((high - low) / 2, rel=0.06)  # two digits are shown


def test_history_and_ledger_show_the_sql_as_it_was_written(run: Run) -> None:
    run("query", FIRST)
    short, long = run("history"), run("history", "--verbose")
    assert f"  {FIRST}" in short and not any("canonical" in line for line in short)
    assert any("canonical: " in line for line in long)
    assert any(FIRST[:20] in line for line in run("ledger"))
    assert FIRST in " ".join(" ".join(run("ledger", "audit")).split())


def outlook(**fields: Any) -> dict[str, Any]:
    return {"further": 3, "account": "one", "client": "ana", "window": "forever", "stopped": None, **fields}


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({}, "3 more at this price"),
        ({"further": 0}, "nothing left at this price"),
        ({"window": "2026-10"}, "3 more at this price in 2026-10"),
        ({"client": None}, "3 more at this price for all clients together"),
        ({"stopped": "Client ana is frozen."}, "nothing is charged now"),
        ({"further": 0, "window": None, "client": None, "account": None}, "dearer than one question may be"),
    ],
)
def test_how_many_more_fit_is_one_phrase(fields: dict[str, Any], text: str) -> None:
    assert further_text(outlook(**fields)) == text
    assert further_text({}) == ""


def test_what_fits_instead_is_one_line() -> None:
    fields = {"would_fit_rho": 0.002, "would_fit_error": {"n": 40.0}, "would_fit_windows": ["2026-11"]}
    none_left = outlook(further=0, **fields, other_windows=[], free_at_rho=0.01)
    assert fitting_text(none_left, PAGE) == "fits: rho 0.002 -> n ± 40 · 2026-11 alone · free with rho 0.01"
    assert fitting_text(outlook(further=0, next_window="2026-12"), PAGE) == "fits: new budget comes with 2026-12"
    assert fitting_text(outlook(), PAGE) == ""


def test_many_windows_are_the_first_and_the_last() -> None:
    months = [f"2026-{month:02d}" for month in range(1, 7)]
    assert windows_text(months) == "2026-01 to 2026-06 (6 windows)"
    assert windows_text(["*lifetime"]) == "all windows together"
    assert windows_text(["2026-01", "static"]) == "2026-01, static (tables without time)"


def test_reliability_and_bias_of_a_column_fit_80_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    words = ["good"] * 6 + ["fair"] * 7 + ["poor"] * 3 + ["noise"] * 5
    card = {"reliability": {"people": words}, "predicted_bias": {"people": -0.08}}
    lines = repr(result({"people": [7.0] * 21}, {"people": [[6, 8]] * 21}, **card)).splitlines()
    assert "people   6 good, 7 fair, 3 poor, 5 may be 0   bias about -8%, not in ±" in lines


def test_notes_are_chosen_by_code_never_by_their_words() -> None:
    text = "rows: clipped at 33 per person (L2)."
    assert list(note_lines([text], ["clipped"])) == []
    assert list(note_lines([text], ["a_code_of_tomorrow"])) == [text]
    assert list(note_lines([text], [])) == [text], "an older server sends no codes"
    assert list(note_lines(["any words"], ["no_row"])) == ["no row is left after the conditions on the numbers"]


def test_groups_that_are_hidden_and_windows_that_are_charged_have_a_line_each() -> None:
    card = {"thresholds": [{"threshold": 103}], "windows": ["2026-10", "2026-11"], "note_codes": ["hidden_groups"]}
    answer = result({"n": [1]}, {"n": [[0, 2]]}, notes=["Groups are hidden."], **card)
    lines = repr(answer).splitlines()
    assert "groups with fewer than about 103 people are hidden" in lines
    assert "charged to 2026-10, 2026-11, each in full" in lines
    assert "Groups are hidden." not in lines and "Groups are hidden." in answer.details
    assert "<details><summary>Details</summary>" in answer._repr_html_()


def test_an_explanation_of_an_older_server_is_shown() -> None:
    wire = {
        "columns": [{"name": "n", "type": "BIGINT"}],
        "confidence": 0.95,
        "price": LOSS,
        "remaining": {"client": LEFT},
        "replayed": False,
        "keys": [],
        "bounds": [],
        "expected_error": {"n": 12.0},
        "thresholds": [],
        "sql": "",
        "notes": ["anything"],
    }
    assert "anything" in repr(Explanation(wire)).splitlines()
