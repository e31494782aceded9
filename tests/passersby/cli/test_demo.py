"""The demo runs to its end without a terminal, in 100 columns, on a ledger that is gone afterwards."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from passersby.cli.app import app
from passersby.cli.demo import AGAIN, ANSWERED_SCENES, REFUSED


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Result:
    """Run the demo on the bundled operator."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PASSERSBY_DATA", str(tmp_path_factory.mktemp("data")))
        patched.setenv("COLUMNS", "100")
        return CliRunner().invoke(app, ["demo"])


def test_the_demo_shows_every_scene(shown: Result) -> None:
    assert shown.exit_code == 0, shown.output
    for scene in (*ANSWERED_SCENES, REFUSED, AGAIN):
        assert scene.title in shown.stdout
        assert scene.sql.splitlines()[0] in shown.stdout


def test_prices_come_before_answers(shown: Result) -> None:
    assert shown.stdout.count("before paying: rho 0.005") == len(ANSWERED_SCENES)
    assert shown.stdout.index("before paying") < shown.stdout.index(" ± 59")
    assert shown.stdout.count("at this price · rho 0.005 (epsilon 0.57) · ") == len(ANSWERED_SCENES)


def test_one_refusal_teaches_and_one_repeat_is_free(shown: Result) -> None:
    assert shown.stdout.count("E_ROWS: ") == 1
    assert "Try: " in shown.stdout
    assert "24 rows: the same numbers, to the last digit; price: free" in shown.stdout


def test_it_closes_with_what_is_left(shown: Result) -> None:
    end = shown.stdout[shown.stdout.index("What is left") :]
    assert f"{1 - 0.005 * len(ANSWERED_SCENES):g} of 1" in end and "details" not in end
    assert "What you can do next" in end


def test_it_fits_on_a_screen_of_100_columns(shown: Result) -> None:
    assert max(map(len, shown.stdout.splitlines())) <= 100
    assert "\x1b" not in shown.stdout


def test_it_leaves_no_ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PASSERSBY_DATA", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert CliRunner().invoke(app, ["demo"]).exit_code == 0
    assert list(tmp_path.iterdir()) == []
