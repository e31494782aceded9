"""The ledger's commands: its rows, and what an auditor needs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import passersby
from engine.server.http.roles import Role
from tests.passersby.conftest import Run
from tests.support.server.serving import Running

COUNT = "SELECT COUNT(*) AS n FROM visit"


def test_an_auditor_verifies_anchors_and_exports(run: Run, tmp_path: Path) -> None:
    run("query", COUNT)
    anchor = tmp_path / "anchor.json"
    anchor.write_text(run("ledger", "anchor").stdout)
    told = run("ledger", "verify", "--anchor", str(anchor))
    assert (told.exit_code, told.stdout.split(" rows")[0]) == (0, str(json.loads(anchor.read_text())["sequence"]))
    held = f"and the anchor matches row {json.loads(anchor.read_text())['sequence']};"
    run("query", f"{COUNT} WHERE zone = 'z1'")
    assert held in " ".join(run("ledger", "verify", "--anchor", str(anchor)).stdout.split())
    alone = " ".join(run("ledger", "verify").stdout.split())
    assert "rows: hashes and tables were recomputed from them and agree;" in alone and "anchor" not in alone
    assert json.loads(run("ledger", "verify", "-f", "json").stdout)["found"] == []
    rows = tmp_path / "rows.json"
    assert run("ledger", "export", str(rows)).exit_code == 0
    assert [row["kind"] for row in json.loads(rows.read_text())][-1] == "released"
    mine = json.loads(run("ledger", "-f", "json").stdout)
    assert [row["row_hash"] for row in mine] == [row["row_hash"] for row in json.loads(rows.read_text())]


@pytest.mark.parametrize(
    "command", ["ledger export {}/kept.csv", "ledger report --html {}/kept.csv", "about-me --html {}/kept.csv"]
)
def test_a_file_is_replaced_only_on_request(run: Run, tmp_path: Path, command: str) -> None:
    run("query", COUNT)
    file, words = tmp_path / "kept.csv", command.format(tmp_path).split()
    file.write_text("mine")
    refused = run(*words)
    assert refused.exit_code == 2 and "is there already" in " ".join(refused.stderr.replace("│", " ").split())
    assert "--overwrite" in refused.stderr and file.read_text() == "mine"
    assert run(*words, "--overwrite").exit_code == 0 and file.read_text() != "mine"


def test_an_anchor_of_another_ledger_is_found(run: Run, tmp_path: Path) -> None:
    run("query", COUNT)
    told = json.loads(run("ledger", "anchor").stdout) | {"ledger": "another"}
    (tmp_path / "anchor.json").write_text(json.dumps(told))
    verdict = run("ledger", "verify", "--anchor", str(tmp_path / "anchor.json"))
    assert (verdict.exit_code, verdict.stdout.strip()) == (1, "The anchor is of another ledger.")


def test_a_backup_is_restored_and_asked_on(run: Run, tmp_path: Path) -> None:
    run("query", COUNT)
    backup, anchor = str(tmp_path / "backup"), tmp_path / "anchor.json"
    assert run("ledger", "backup", backup).exit_code == 0
    anchor.write_text(run("ledger", "anchor").stdout)
    (tmp_path / "town.ledger").rename(tmp_path / "lost")
    told = run("ledger", "restore", backup, "--anchor", str(anchor))
    assert (told.exit_code, told.stdout.split()[0]) == (0, "Restored:")
    assert run("ledger", "verify", "--anchor", str(anchor)).exit_code == 0
    assert run("query", COUNT).exit_code == 0


def test_a_backup_from_before_the_last_charge_is_refused(run: Run, tmp_path: Path) -> None:
    run("query", COUNT)
    assert run("ledger", "backup", str(tmp_path / "backup")).exit_code == 0
    run("query", "SELECT zone, COUNT(*) AS n FROM visit GROUP BY zone")
    told = run("ledger", "restore", str(tmp_path / "backup"), "--ledger", str(tmp_path / "restored"))
    assert told.exit_code == 1 and "this is an older copy" in " ".join(told.stderr.split())
    assert not (tmp_path / "restored").exists()


def test_a_ledger_older_than_the_exported_anchor_is_not_opened(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("query", COUNT)
    anchor = tmp_path / "anchor.json"
    anchor.write_text(run("ledger", "anchor").stdout)
    monkeypatch.setenv("PASSERSBY_ANCHOR", str(anchor))
    assert run("query", COUNT).exit_code == 0
    told = json.loads(anchor.read_text())
    anchor.write_text(json.dumps(told | {"sequence": told["sequence"] + 1}))
    refused = run("query", COUNT)
    assert refused.exit_code == 1 and "this is an older copy" in " ".join(refused.stderr.split())
    monkeypatch.setenv("PASSERSBY_ANCHOR", str(tmp_path / "nowhere"))
    assert "can't be read" in " ".join(run("query", COUNT).stderr.split())


def test_a_regulator_is_shown_one_page(run: Run, tmp_path: Path) -> None:
    run("query", COUNT)
    told = run("ledger", "report")
    assert told.exit_code == 0 and "rho 0.005 of 0.2 (2.5%)" in told.stdout and "ana (active)" in told.stdout
    page = tmp_path / "report.html"
    assert run("ledger", "report", "--html", str(page)).exit_code == 0
    assert json.loads(run("ledger", "anchor").stdout)["row_hash"] in page.read_text()
    nowhere = run("ledger", "report", "--ledger", str(tmp_path / "nowhere"))
    assert nowhere.exit_code == 1 and "There is no ledger" in nowhere.stderr
    assert "ask a question first" in " ".join(nowhere.stderr.split())


def test_auditor_commands_work_on_a_server_as_on_a_local_ledger(
    run: Run, server: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PASSERSBY_CATALOG", server.url)
    analyst = server.key("asks")
    with passersby.connect(server.url, api_key=analyst) as connection:
        connection.query(COUNT)
    monkeypatch.setenv("PASSERSBY_API_KEY", server.key("audits", Role.AUDITOR))
    anchor, page = tmp_path / "anchor.json", tmp_path / "report.html"
    anchor.write_text(run("ledger", "anchor").stdout)
    told = json.loads(run("ledger", "verify", "--anchor", str(anchor), "-f", "json").stdout)
    assert told["found"] == [] and told["row_hash"] == json.loads(anchor.read_text())["row_hash"]
    anchor.write_text(json.dumps(json.loads(anchor.read_text()) | {"ledger": "another"}))
    assert run("ledger", "verify", "--anchor", str(anchor)).exit_code == 1
    assert "Privacy ledger: town" in run("ledger", "report").stdout
    assert run("ledger", "report", "--html", str(page)).exit_code == 0 and "<html" in page.read_text()
    charged = json.loads(run("ledger", "audit", "--kind", "charged", "--client", "asks", "-f", "json").stdout)
    assert [row["client"] for row in charged] == ["asks"]
    monkeypatch.setenv("PASSERSBY_API_KEY", analyst)
    for asked in ("anchor", "verify", "report", "audit"):
        refused = run("ledger", asked)
        assert refused.exit_code == 1 and "E_FORBIDDEN" in refused.stderr
    here = run("ledger", "verify", "--ledger", str(tmp_path / "other"))
    assert here.exit_code == 1 and "There is no ledger" in here.stderr, "one that is named is here"


@pytest.mark.parametrize("there", [True, False], ids=["a ledger of the variable's", "none there"])
@pytest.mark.parametrize("command", ["export", "backup", "restore"])
def test_local_only_commands_refer_to_the_console(run: Run, tmp_path: Path, command: str, *, there: bool) -> None:
    named = str(tmp_path / "rows.csv")
    run("query", COUNT)
    if command == "restore":
        run("ledger", "backup", named)
    if not there:
        (tmp_path / "town.ledger").unlink()
    told = run("ledger", command, named, "--catalog", "https://city.example.org/")
    words = " ".join(told.stderr.replace("│", " ").split())
    assert told.exit_code == 1 and "https://city.example.org/console" in words, words
    assert command == "restore" or not Path(named).exists(), "the variable is of catalogs opened here"


@pytest.mark.parametrize(
    "asked",
    [
        ("ledger", "export", "{nowhere}.csv"),
        ("ledger", "export", "{nowhere}.parquet"),
        ("ledger", "report", "--html", "{nowhere}"),
        ("about-me", "--html", "{nowhere}"),
        ("ledger", "verify", "--anchor", "{bytes}"),
    ],
    ids=" ".join,
)
def test_an_unreadable_file_is_refused_in_words(run: Run, tmp_path: Path, asked: tuple[str, ...]) -> None:
    run("query", COUNT)
    (tmp_path / "bytes").write_bytes(b"\xe0\x01\xff")
    told = run(*(each.format(nowhere=tmp_path / "none" / "x", bytes=tmp_path / "bytes") for each in asked))
    assert isinstance(told.exception, SystemExit), "words, and no trace of ours"
    words = " ".join(told.stderr.replace("│", " ").split())
    assert (told.exit_code, "No such file or directory. Try: another" in words) == (1, True) or (
        told.exit_code,
        "not written in UTF-8" in words,
    ) == (2, True)
