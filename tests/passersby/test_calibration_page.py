"""catalog calibrate and catalog calibration, and docs/calibration.md: its commands run, its keys are the catalog's."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from dialect.catalog.digest_text import CATALOG_LAYOUTS
from dialect.catalog.model import CalibrationPolicy
from tests.passersby.conftest import Run
from tests.passersby.shapes import misfits
from tests.support.tree import ROOT

PAGE = (ROOT / "docs" / "calibration.md").read_text(encoding="utf-8")
HISTOGRAM = {
    "table": str, "keys": [str], "kind": str, "window": str, "made_on": str, "expires_on": str, "sigma": float,
    "bins": [{"norm": float, "people": int}],
}  # fmt: skip


def test_the_pages_commands_run_in_order(run: Run, city: Path) -> None:
    (block,) = re.findall(r"```\n(.*?)```", PAGE, flags=re.DOTALL)
    dry, made, shown = (line.split()[1:] for line in block.strip().splitlines())
    assert all(city.name in line for line in (dry, made, shown))
    asked = run(*dry)
    assert "Nothing was charged: this was a dry run." in asked.stdout
    assert "Measured is town, a whole history is one window; --window names another." in " ".join(asked.stdout.split())
    assert "10.0% of the whole budget" in asked.stdout
    assert not json.loads(run("catalog", "calibration", "--format", "json").stdout)
    charged = run(*made)
    assert charged.exit_code == 0, charged.output
    assert "  visit: " in charged.stdout and "histograms" in charged.stdout
    assert "visit: rows in all" not in charged.stdout
    assert "visit: rows in all" in run(*shown).stdout


def test_the_report_is_short_and_details_are_listed_where_wanted(run: Run) -> None:
    keys = [part for i in range(40) for part in ("--keys", f"gender, zone, {i}")]  # none of which can be measured
    dry = run("catalog", "calibrate", "--dry-run", *keys).stdout
    assert "left out: 40 sets of keys of visit; --details says which and why" in dry
    assert len(dry.splitlines()) < 15
    assert run("catalog", "calibrate", "--dry-run", "--details", *keys).stdout.count("left out: visit by ") == 40
    made = run("catalog", "calibrate", "--yes").stdout
    assert len(made.splitlines()) < 15
    assert "visit: rows in all" in run("catalog", "calibrate", "--yes", "--details").stdout


def test_json_output_has_its_documented_shape(run: Run) -> None:
    told = json.loads(run("catalog", "calibrate", "--yes", "--rho", "0.05", "--format", "json").stdout)
    assert told["made"] is True
    assert told["price"]["rho"] == pytest.approx(0.05, rel=1e-3)
    for each in told["histograms"]:
        assert not misfits({key: each[key] for key in HISTOGRAM}, HISTOGRAM)
    assert json.loads(run("catalog", "calibration", "--format", "json").stdout) == told["histograms"]
    again = json.loads(run("catalog", "calibrate", "--if-due", "--yes", "--format", "json").stdout)
    assert again["made"] is False
    assert again["due"] is False


def test_without_confirmation_nothing_is_charged(run: Run) -> None:
    assert run("catalog", "calibrate", stdin="n\n").exit_code == 0
    assert not [row for row in json.loads(run("ledger", "--format", "json").stdout) if row["kind"] == "charged"]


def test_lines_of_a_docstring_do_not_break_the_help(run: Run) -> None:
    text = run("catalog", "calibrate", "--help").stdout
    assert "Its clip bounds are used until it expires;" in " ".join(text.split()).replace("│", "")
    lines = [line.strip() for line in text.splitlines()]
    about = lines[next(i for i, line in enumerate(lines) if line.startswith("The charge goes")) :]
    assert len(about[0]) > 80 and len(about[1]) > 80  # of 100 columns: as full as words allow


def test_mistakes_are_refused_with_a_code(run: Run) -> None:
    assert "E_BUDGET_DATASET" in run("catalog", "calibrate", "--yes", "--rho", "5").output
    assert "no window" in run("catalog", "calibrate", "--window", "2020-01").output


def test_the_page_names_every_key() -> None:
    assert set(re.findall(r"^\| `(\w+)` \|", PAGE, flags=re.MULTILINE)) == {
        part.partition("=")[0] for part in CATALOG_LAYOUTS[CalibrationPolicy].split()[1:]
    }
