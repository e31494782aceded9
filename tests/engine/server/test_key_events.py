"""Key events in the ledger's chain: who, when, whose; and nothing that identifies a key."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from budgets import Ledger
from engine.accounts.audit_log import KeyEvent
from engine.api.auditor import audit_ledger, export_ledger, verify_ledger
from engine.server.auth.keys import Keys, read_pepper
from engine.server.http.roles import Role
from engine.server.service import Service
from engine.server.storage import ServerTables
from engine.server.worker.link import WorkerDied
from passersby.cli.app import app
from tests.support.server.serving import TestServer
from tests.support.tree import ROOT

ANA = {"name": "ana", "role": "analyst"}


def noted(served: TestServer) -> list[tuple[str, str, str]]:
    rows = served.send("GET", "/v1/admin/ledger/audit", Role.AUDITOR, params={"kind": "note_key"}).json()
    return [(row["by"], row["decision"], row["client"]) for row in rows]


def live(served: TestServer) -> tuple[str, str]:
    """Make a key, rotate it, revoke it; give both keys."""
    made = served.send("POST", "/v1/admin/keys", Role.ADMIN, json=ANA).json()
    turned = served.send("POST", f"/v1/admin/keys/{made['id']}/rotate", Role.ADMIN, json={}).json()
    assert served.send("DELETE", f"/v1/admin/keys/{made['id']}", Role.ADMIN).status_code == 200
    return made["key"], turned["key"]


def check_noted(served: TestServer) -> None:
    live(served)
    told = [("admin", "made", "ana"), ("admin", "rotated", "ana"), ("admin", "revoked", "ana")]
    assert noted(served)[-3:] == told


def test_each_key_event_is_a_row_of_the_chain(served: TestServer) -> None:
    check_noted(served)
    assert served.send("GET", "/v1/admin/ledger/verify", Role.AUDITOR).json()["found"] == []


def test_no_ledger_row_contains_a_key(served: TestServer) -> None:
    keys = live(served)
    rows = json.dumps(served.send("GET", "/v1/admin/ledger", Role.AUDITOR, params={"limit": 10_000}).json())
    secrets = [bytes(row["hash"]).hex() for row in _rows(served.house)] + [row["id"] for row in _rows(served.house)]
    assert "note_key" in rows
    assert not [secret for secret in (*keys, *secrets) if secret in rows]


def _rows(house: Service) -> list[Any]:
    return list(house.tables.all_keys())


def test_a_key_whose_event_is_not_recorded_is_not_shown(served: TestServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker dies: the key that was made is seen by nobody, and one that is revoked is so all the same."""
    before = served.send("POST", "/v1/admin/keys", Role.ADMIN, json=ANA).json()

    async def died(*asked: object) -> None:
        raise WorkerDied

    with monkeypatch.context() as broken:
        broken.setattr(served.house.worker, "call", died)
        answer = served.send("POST", "/v1/admin/keys", Role.ADMIN, json=ANA)
        assert (answer.status_code, answer.json()["code"]) == (503, "E_BUSY")
        assert "key" not in answer.json()
        assert served.send("DELETE", f"/v1/admin/keys/{before['id']}", Role.ADMIN).status_code == 503
    assert served.house.keys.principal(before["key"]) is None
    served.send("DELETE", f"/v1/admin/keys/{before['id']}", Role.ADMIN)
    assert noted(served)[-1] == ("admin", "revoked", "ana")


def test_a_note_that_is_forgotten_is_found(served: TestServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted bug: one endpoint answers without its row."""

    async def forgotten(house: Service, act: KeyEvent, key: object, by: str) -> None:
        if act is not KeyEvent.ROTATED:
            await kept(house, act, key, by)  # type: ignore[arg-type]

    kept = Service.log_key_event
    monkeypatch.setattr(Service, "log_key_event", forgotten)
    with pytest.raises(AssertionError):
        check_noted(served)


def test_the_first_admin_s_key_is_noted_and_exported(town_catalog: str, ledger_file: Path) -> None:
    made = CliRunner().invoke(app, ["bootstrap", town_catalog, "--ledger", str(ledger_file), "--name", "root"])
    assert made.exit_code == 0
    (row,) = audit_ledger(town_catalog, ledger=str(ledger_file), kind="note_key")
    assert (row["by"], row["decision"], row["client"]) == ("bootstrap", "made", "root")
    assert verify_ledger(town_catalog, ledger=str(ledger_file))["found"] == []
    rows = export_ledger(town_catalog, ledger=str(ledger_file)).to_pylist()
    assert [json.loads(row["body"])["role"] for row in rows if row["kind"] == "note_key"] == ["admin"]
    with Ledger.open(ledger_file) as ledger:
        assert made.stdout.strip() not in str(ledger.entries())


def first_admin(where: str, ledger: Path, *more: str) -> Result:
    return CliRunner().invoke(app, ["bootstrap", where, "--ledger", str(ledger), "--name", "root", *more])


def opens(ledger: Path, key: str) -> bool:
    with closing(ServerTables.open_for(str(ledger))) as books:
        return Keys(books, read_pepper(Path(f"{ledger}.secret"))).principal(key.strip()) is not None


def test_the_runbook_s_revocation_of_all_keys_restores_access(town_catalog: str, ledger_file: Path) -> None:
    """The secret moves away: the admin's key is void, and its row, which lives, locked everybody out."""
    first = first_admin(town_catalog, ledger_file)
    secret = Path(f"{ledger_file}.secret")
    secret.rename(f"{secret}.old")
    locked = first_admin(town_catalog, ledger_file)
    assert locked.exit_code == 1 and "bootstrap --again" in locked.stderr
    again = first_admin(town_catalog, ledger_file, "--again")
    assert again.exit_code == 0 and "Taken back: a key of admin root." in again.stderr
    assert opens(ledger_file, again.stdout) and not opens(ledger_file, first.stdout)
    rows = audit_ledger(town_catalog, ledger=str(ledger_file), kind="note_key")
    assert [(row["by"], row["decision"], row["client"]) for row in rows] == [
        ("bootstrap", "made", "root"),
        ("bootstrap", "revoked", "root"),
        ("bootstrap", "made", "root"),
    ]
    Path(f"{secret}.old").replace(secret)
    assert not opens(ledger_file, first.stdout), "with the old secret back, the old key stays taken back"
    made = "make an admin's key with `pby bootstrap --again --name ana`"
    sentence = f"stop the server, move `LEDGER.secret` away, start it, and {made}"
    assert sentence in (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")


def test_an_undisplayed_bootstrap_key_locks_nobody_out(
    town_catalog: str, ledger_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The power goes when the key's row is written and the ledger's is not."""
    with monkeypatch.context() as broken:
        broken.setattr("engine.server.app.record_key_event", lambda *_, **__: 1 / 0)
        assert isinstance(first_admin(town_catalog, ledger_file).exception, ZeroDivisionError)
    assert first_admin(town_catalog, ledger_file).exit_code == 1
    again = first_admin(town_catalog, ledger_file, "--again")
    assert again.exit_code == 0 and opens(ledger_file, again.stdout)


def test_a_crash_between_key_table_and_ledger_is_as_the_runbook_describes(
    town_catalog: str, ledger_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = first_admin(town_catalog, ledger_file)
    with monkeypatch.context() as broken:
        broken.setattr("engine.server.app.record_key_event", lambda *_, **__: 1 / 0)
        assert isinstance(first_admin(town_catalog, ledger_file, "--again").exception, ZeroDivisionError)
    assert not opens(ledger_file, first.stdout), "taken back, and the ledger does not say so"
    again = first_admin(town_catalog, ledger_file, "--again")
    assert again.exit_code == 0 and opens(ledger_file, again.stdout)
    rows = audit_ledger(town_catalog, ledger=str(ledger_file), kind="note_key")
    assert [row["decision"] for row in rows] == ["made", "revoked", "made"], (
        "the first one's, the unseen one's, the new"
    )
    with closing(ServerTables.open_for(str(ledger_file))) as books:
        assert [row["revoked_at"] is None for row in books.all_keys()] == [False, False, True]
    sentence = "If the machine dies in between, the ledger lacks these rows for good"
    assert sentence in (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
