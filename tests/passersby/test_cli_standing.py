"""`passersby standing`: run for whoever runs the dataset, show for whom it is meant."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from passersby.cli import app
from tests.engine.town import make_town
from tests.engine.windowed_town import DAYS, WINDOWED
from tests.passersby.test_connection import STANDING


def test_it_is_run_once_a_window_and_shown_to_the_entitled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PASSERSBY_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PASSERSBY_DATA", str(tmp_path / "data"))
    file = tmp_path / "standing.toml"
    file.write_text(STANDING, encoding="utf-8")
    where = ["--catalog", str(make_town(tmp_path, declared=WINDOWED).path), "--ledger", str(tmp_path / "town.ledger")]

    def ran(*said: str) -> Result:
        return CliRunner().invoke(app, ["standing", *said, *where, "--format", "json"])

    first, again = (json.loads(ran("run", str(file)).stdout) for _ in range(2))
    assert [each["window"] for each in first] == list(DAYS[1:])
    assert [{each["state"] for each in some} for some in (first, again)] == [{"released"}, {"held"}]
    shown = ran("show", str(file), "footfall", "--client", "ann", "--window", DAYS[1])
    assert json.loads(shown.stdout)["windows"] == [DAYS[1]]
    lists = [json.loads(ran("list", str(file), "--client", who).stdout) for who in ("ann", "ben")]
    assert [[each["name"] for each in found] for found in lists] == [["footfall"], []]
    table = CliRunner().invoke(app, ["standing", "list", str(file), "--client", "ann", *where]).stdout
    assert "footfall" in table and DAYS[1] in table
    assert "entitled to no standing question" in ran("show", str(file), "footfall", "--client", "ben").stderr
