"""`passersby standing`: run for whoever runs the dataset, show for whom it is meant."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from passersby.cli.app import app
from passersby.client.connection import Connection
from passersby.errors import ExecutionError
from tests.engine.town import make_town
from tests.engine.windowed_town import DAYS, WINDOWED
from tests.passersby.client.test_connection import STANDING


def test_it_is_run_once_a_window_and_shown_to_the_entitled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PASSERSBY_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PASSERSBY_DATA", str(tmp_path / "data"))
    file = tmp_path / "standing.toml"
    file.write_text(STANDING, encoding="utf-8")
    where = ["--catalog", str(make_town(tmp_path, declared=WINDOWED).path), "--ledger", str(tmp_path / "town.ledger")]

    def ran(*said: str) -> Result:
        return CliRunner().invoke(app, ["standing", *said, *where, "--format", "json"])

    first, again = (json.loads(ran("run", str(file), "--early").stdout) for _ in range(2))
    assert [each["window"] for each in first] == list(DAYS[1:])
    assert [{each["state"] for each in some} for some in (first, again)] == [{"released"}, {"held"}]
    shown = ran("show", str(file), "footfall", "--client", "ann", "--window", DAYS[1])
    assert json.loads(shown.stdout)["windows"] == [DAYS[1]]
    lists = [json.loads(ran("list", str(file), "--client", who).stdout) for who in ("ann", "ben")]
    assert [[each["name"] for each in found] for found in lists] == [["footfall"], []]
    table = CliRunner().invoke(app, ["standing", "list", str(file), "--client", "ann", *where]).stdout
    assert "footfall" in table and DAYS[1] in table
    assert "entitled to no standing question" in ran("show", str(file), "footfall", "--client", "ben").stderr


def test_releases_made_before_a_failure_are_shown_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PASSERSBY_DATA", str(tmp_path / "data"))
    released = {"name": "footfall", "window": DAYS[1], "rho": 0.02, "state": "released"}
    where = ["--catalog", "operator", "--ledger", ":memory:", "--format", "json"]
    (tmp_path / "file").write_text("SELECT 1")

    def interrupted(*_: object, **__: object) -> None:
        raise ExecutionError("E_EXEC", "cut off", details={"outcomes": [released]})

    monkeypatch.setattr(Connection, "run_standing", interrupted)
    told = CliRunner().invoke(app, ["standing", "run", str(tmp_path / "file"), *where])
    assert (told.exit_code, json.loads(told.stdout)) == (1, [released]) and "cut off" in told.stderr
