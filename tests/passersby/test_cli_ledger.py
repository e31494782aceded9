"""The ledger's commands: its rows, and what an auditor needs."""

from __future__ import annotations

import json
from pathlib import Path

from tests.passersby.conftest import Run

COUNT = "SELECT COUNT(*) AS n FROM visit"


def test_an_auditor_verifies_anchors_and_exports(run: Run, tmp_path: Path) -> None:
    run("query", COUNT)
    anchor = tmp_path / "anchor.json"
    anchor.write_text(run("ledger", "anchor").stdout)
    told = run("ledger", "verify", "--anchor", str(anchor))
    assert (told.exit_code, told.stdout.split(" rows")[0]) == (0, str(json.loads(anchor.read_text())["sequence"]))
    assert json.loads(run("ledger", "verify", "-f", "json").stdout)["found"] == []
    rows = tmp_path / "rows.json"
    assert run("ledger", "export", str(rows)).exit_code == 0
    assert [row["kind"] for row in json.loads(rows.read_text())][-1] == "released"
    mine = json.loads(run("ledger", "-f", "json").stdout)
    assert [row["row_hash"] for row in mine] == [
        row["row_hash"] for row in json.loads(rows.read_text()) if row["holder"] == "ana"
    ]


def test_an_anchor_of_another_ledger_is_found(run: Run, tmp_path: Path) -> None:
    run("query", COUNT)
    told = json.loads(run("ledger", "anchor").stdout) | {"ledger": "another"}
    (tmp_path / "anchor.json").write_text(json.dumps(told))
    verdict = run("ledger", "verify", "--anchor", str(tmp_path / "anchor.json"))
    assert (verdict.exit_code, verdict.stdout.strip()) == (1, "The anchor is of another ledger.")
