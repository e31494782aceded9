"""docs/ledger.md: its commands run in the order of the page, and its keys are those that the catalog knows."""

from __future__ import annotations

import re
import shlex
import sqlite3
from contextlib import closing
from pathlib import Path

from engine.catalog.file import BUDGET_KEYS
from engine.mechanism.release import release_from_bytes
from passersby.client.connection import Connection
from tests.passersby.conftest import Run
from tests.support.tree import ROOT

PAGE = (ROOT / "docs" / "ledger.md").read_text(encoding="utf-8")
COMMANDS = [
    line
    for block in re.findall(r"^```\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    for line in block.splitlines()
    if line.startswith("passersby ")
]


def test_every_documented_command_runs_and_names_its_catalog(run: Run, city: Path, tmp_path: Path) -> None:
    assert run("query", "SELECT COUNT(*) AS n FROM visit").exit_code == 0
    assert len(COMMANDS) > 10
    for line in COMMANDS:
        assert f"--catalog {city.name}" in line
        command, _, target = line.partition(" > ")
        ran = run(*shlex.split(command)[1:])
        assert ran.exit_code == 0, (line, ran.stderr)
        if target:
            Path(target).write_text(ran.stdout, encoding="utf-8")
    assert (tmp_path / "rows.parquet").exists() and (tmp_path / "report.html").exists()


def test_every_key_of_a_budget_is_documented() -> None:
    rows = [line.split("|")[1] for line in PAGE.splitlines() if line.startswith("| `")]
    assert {name for row in rows for name in re.findall(r"`(\w+)`", row)} == set(BUDGET_KEYS)


def test_the_file_holds_the_noisy_numbers(ana: Connection, tmp_path: Path) -> None:
    answer = ana.query("SELECT COUNT(*) AS n FROM visit")
    with closing(sqlite3.connect(tmp_path / "town.ledger")) as file:
        ((payload,),) = file.execute("SELECT payload FROM releases").fetchall()
    assert release_from_bytes(payload).noisy[0].tolist() == [answer.rows[0][0]]
