"""The demo runs to its end without a terminal, in 100 columns, on a ledger that is gone afterwards."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from passersby.cli.app import app
from passersby.cli.demo import AGAIN, ANSWERED_SCENES, REFUSED


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Result:
    """Run the demo on the bundled operator."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PASSERSBY_DATA", str(tmp_path_factory.mktemp("data")))
        patched.setenv("COLUMNS", "100")
        return CliRunner().invoke(app, ["demo"])


def test_the_demo_shows_every_scene(told: Result) -> None:
    assert told.exit_code == 0, told.output
    for scene in (*ANSWERED_SCENES, REFUSED, AGAIN):
        assert scene.title in told.stdout
        assert scene.sql.splitlines()[0] in told.stdout


def test_prices_come_before_answers(told: Result) -> None:
    assert told.stdout.count("before paying: rho 0.005") == len(ANSWERED_SCENES)
    assert told.stdout.index("before paying") < told.stdout.index(" ± 59")
    assert told.stdout.count("at this price · rho 0.005 (epsilon 0.57) · ") == len(ANSWERED_SCENES)


def test_one_refusal_teaches_and_one_repeat_is_free(told: Result) -> None:
    assert told.stdout.count("E_ROWS: ") == 1
    assert "Try: " in told.stdout
    assert "24 rows: the same numbers, to the last digit; price: free" in told.stdout


def test_it_closes_with_what_is_left(told: Result) -> None:
    end = told.stdout[told.stdout.index("What is left") :]
    assert f"{1 - 0.005 * len(ANSWERED_SCENES):g} of 1" in end and "details" not in end
    assert "What you can do next" in end


def test_it_fits_on_a_screen_of_100_columns(told: Result) -> None:
    assert max(map(len, told.stdout.splitlines())) <= 100
    assert "\x1b" not in told.stdout


def test_it_leaves_no_ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PASSERSBY_DATA", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert CliRunner().invoke(app, ["demo"]).exit_code == 0
    assert list(tmp_path.iterdir()) == []
