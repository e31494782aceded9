"""The benchmark against other systems: its metrics, its tuning, and its report of failures."""

from __future__ import annotations

import sys
from pathlib import Path

import duckdb
import pytest

from tests.bench.rivals import envs, ours
from tests.bench.rivals.page import write_page
from tests.bench.rivals.questions import Asked
from tests.bench.rivals.results import Cell, Coverage, judged
from tests.bench.rivals.settings import as_it_comes, by_hand
from tests.bench.rivals.tuning import Truth, by_clip_bound, by_groups, by_rows
from tests.bench.rivals.worlds import World

ROWS = Asked("rows by cell", "small", ("cell",), "rows")
MEAN = Asked("mean by cell", "small", ("cell",), "mean", "km", (0.0, 10.0))
PAIRS = Asked("pairs", "small", ("cell", "other"), "rows", private=True)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Make 3,000 people, each with 1 to 40 rows in one of four cells."""
    path = tmp_path_factory.mktemp("flat") / "small.parquet"
    people = "SELECT i AS person, unnest(range(1 + i % 40)) AS k FROM range(3000) AS t(i)"
    columns = "person::BIGINT AS person, (person % 4)::INT AS cell, (k % 3)::INT AS other, (k % 10)::DOUBLE AS km"
    duckdb.sql(f"COPY (SELECT {columns} FROM ({people})) TO '{path}' (FORMAT parquet)")
    return World("small", path, {"cell": (0, 1, 2, 3), "other": (0, 1, 2)}, 61_500, 3_000)


def test_a_missing_group_counts_as_an_error_of_one() -> None:
    cell = judged([{"0": 90.0, "1": 220.0}], {"0": 100.0, "1": 200.0, "2": 100.0}, mean=False)
    assert (cell.error, cell.missing) == (0.1, pytest.approx(1 / 3))
    assert cell.bias == pytest.approx(310 / 400 - 1)
    assert judged([{}], {"0": 5.0}, mean=False).error == 1.0


def test_tuning_uses_the_true_data_and_clips_as_the_rival_does(small: World) -> None:
    truth = Truth(ROWS, small)
    assert sum(truth.answers().values()) == small.rows
    assert truth.best(by_rows()).setting["rows"] == 45  # nobody has more than 40, and noise is small beside that
    assert truth.best(by_rows(), sigmas=1e4).setting["rows"] < 45  # much noise wants a small bound
    assert truth.best(by_clip_bound()).setting["max_multiplicity"] == 45
    grouped = truth.best(by_groups(4)).setting
    assert grouped["groups"] == 1 and grouped["per_group"] in (35, 60)


def test_every_rival_has_a_setting_for_every_kind_of_question(small: World) -> None:
    for asked in (ROWS, MEAN, PAIRS):
        truth = Truth(asked, small)
        for rival in envs.RIVALS:
            assert isinstance(as_it_comes(rival.name, asked), dict)
            assert by_hand(rival.name, asked, small, truth)


@pytest.mark.parametrize("asked", [ROWS, MEAN, PAIRS], ids=["rows", "mean", "private"])
def test_this_engine_answers_with_a_calibration_of_its_own(
    asked: Asked, small: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PASSERSBY_CACHE", str(tmp_path))
    (given,) = ours.ask(asked, small, 1)
    cell = judged([given.answers], Truth(asked, small).answers(), asked.kind == "mean")
    assert given.intervals and given.setting
    assert cell.error is not None and (asked.private or cell.error < 0.2)


def test_a_rival_that_fails_is_named_by_its_own_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PASSERSBY_RIVALS", str(tmp_path))
    python = tmp_path / "venvs" / "broken" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    monkeypatch.setattr(envs, "ADAPTERS", tmp_path)
    rival = envs.Rival("Broken", ("no-such-package",), "broken.py")
    adapters = Path(__file__).parent / "rivals" / "adapters"
    (tmp_path / "job.py").write_text((adapters / "job.py").read_text())
    (tmp_path / "broken.py").write_text(
        "import job\ndef answer(asked):\n    raise ValueError('no bounds')\njob.run(answer, 'pip')\n"
    )
    assert envs.asked_of(rival, {"runs": 1}, "one")["error"] == "ValueError: no bounds"
    (tmp_path / "broken.py").write_text("raise SystemExit('it does not start')\n")
    assert envs.asked_of(rival, {"runs": 2}, "one")["error"] == "it does not start"


def test_the_page_names_failing_queries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setenv("PASSERSBY_RIVALS", str(tmp_path))
    cells = {
        ("q", "passersby", "default"): Cell(0.01, -0.002, setting="rows: norm 3"),
        ("q", "Qrlew", "default"): Cell(failed="it does not start", version="1.2"),
        ("q", "Qrlew", "tuned"): Cell(0.5, 0.1, 0.25, "max_multiplicity = 3", None, "1.2", 9.0),
    }
    write_page(cells, {"q": Coverage(0.95, 0.96, 1.0, True)}, {}, 3)
    told = capsys.readouterr().out
    assert "| q | 1.00% (-0.2%) |" in told and "fails" in told and "50.00% (+10.0%, 25% missing)" in told
    assert "its own error: `it does not start`" in told and "| q | 95.0% | 96.0% | 1.00 |" in told
