"""The server's own checks: each is seen to pass, and to find what it is there for."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any, cast

import pytest

from budgets import Ledger
from dialect.algebra.codegen_types import Rollup
from engine import Session
from engine.server.http.roles import Role
from engine.server.routes.alerts import MAX_TRIES, Alerts
from engine.server.routes.health import Checks
from engine.server.storage import keys
from tests.support.server.serving import TestServer, inhabited
from tests.support.server.visiting import visitors

MADE_ANEW = "catalog optimize makes them of the data as they are, for a server that is started after it"


def checked(served: TestServer, *, verify: bool = True) -> dict[str, tuple[str, str]]:
    """Run the checks, and give state and words of each."""

    async def results() -> list[dict[str, str]]:
        checks = Checks(served.house, Alerts.of(served.house))
        if verify:
            await checks.verify()
        return await checks.results()

    return {each["check"]: (each["state"], each["said"]) for each in asyncio.run(results())}


def test_a_healthy_server_passes_every_check(session: Session) -> None:
    with inhabited(session, alert_webhook="https://hooks.example.org/x", alert_seconds=3600) as served:
        keep_keys(served)
        found = checked(served)
        assert {name for name, (state, _) in found.items() if state != "passed"} == {"calibration of town"}
        assert "are as they were written" in found["ledger"][1]
        assert {each["check"] for each in served.send("GET", "/v1/admin/health", Role.AUDITOR).json()} == set(found)


def keep_keys(served: TestServer) -> None:
    with served.house.tables._store.writing() as connection:
        connection.execute(keys.update().values(expires_at="2999-01-01T00:00:00.000+00:00"))


def test_a_ledger_that_was_changed_is_found(served: TestServer, monkeypatch: pytest.MonkeyPatch) -> None:
    assert checked(served, verify=False)["ledger"] == ("look", "not verified yet")
    monkeypatch.setattr(Ledger, "verify", lambda ledger, anchor: ("row 3 is not as it was written",))
    assert checked(served)["ledger"] == ("failed", "not as it was written: row 3 is not as it was written")


def test_each_fault_is_found_by_its_check(served: TestServer) -> None:
    admin = served.house.worker.clerk.admin  # type: ignore[attr-defined]
    admin.add_client("x", by="test", reason="a test")
    admin.freeze(by="test", reason="a test", client="x")
    job: dict[str, Any] = {"id": "j", "client": "x", "request_id": "r", "body": "{}", "state": "running"}
    served.house.tables.add_job({**job, "made_at": "2020-01-01T00:00:00.000+00:00"})
    found = checked(served)
    assert {name for name, (state, _) in found.items() if state == "look"} == {
        "accounts", "alerts", "calibration of town", "jobs", "keys",
    }  # fmt: skip
    assert "neither alert_webhook nor" in found["alerts"][1]
    with pytest.MonkeyPatch.context() as down:
        down.setattr(served.house.worker, "is_ready", False)
        assert checked(served)["worker"][0] == "failed"


def test_rollups_that_are_not_read_are_found(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two declared ones, both are read or one; if none is declared, the check reports nothing."""
    town, backend = session.engine.catalog, session.engine.backend
    declared = replace(town, datasets=tuple(replace(of, rollups=("SELECT 1", "SELECT 2")) for of in town.datasets))
    made = cast("Rollup", object())
    for catalog, read, found in (
        (declared, (made, made), ("passed", "2 of 2 declared are read")),
        (declared, (made,), ("look", f"1 of 2 declared are read; {MADE_ANEW}")),
        (town, (), None),
    ):
        monkeypatch.setattr(backend, "target", replace(backend.target, rollups=read))
        with inhabited(replace(session, engine=replace(session.engine, catalog=catalog))) as served:
            assert checked(served).get("rollups") == found


def test_without_declared_clip_bounds_no_calibration_is_missed(session: Session) -> None:
    town = session.engine.catalog
    bare = replace(town, tables=tuple(replace(table, clip_bounds=None) for table in town.tables))
    for catalog, state in ((town, "look"), (bare, "passed")):
        with inhabited(replace(session, engine=replace(session.engine, catalog=catalog))) as served:
            assert checked(served)["calibration of town"][0] == state


def test_an_undeliverable_alert_is_found(session: Session) -> None:
    with inhabited(session, alert_webhook="https://hooks.example.org/x", alert_seconds=3600) as served:
        row = {"about": "{}", "channel": "webhook", "said": "{}", "made_at": "2020", "due_at": "2999", "sent_at": None}
        served.house.tables.add_alerts([{**row, "tries": 1, "problem": "ConnectError"}])
        assert checked(served)["alerts"][0] == "look"
        served.house.tables.add_alerts([{**row, "about": "x", "tries": MAX_TRIES, "problem": "ConnectError"}])
        assert checked(served)["alerts"] == ("failed", "0 sent, 2 not yet, 1 given up")


def test_the_page_shows_checks_and_alerts(served: TestServer) -> None:
    said = '{"client": "ana", "window": "2026-10", "share": 0.8}'
    row = {"about": "{}", "channel": "mail", "said": said, "made_at": "2026-11-26T10:00", "due_at": "2999"}
    served.house.tables.add_alerts([{**row, "tries": 2, "problem": "ConnectError"}])
    auditor = visitors(served, Role.AUDITOR)[Role.AUDITOR]
    shown = auditor.get("/console/health").text
    assert 'class="state look">look<' in shown and "not yet: ConnectError" in shown and ">80%<" in shown
    first = auditor.get("/console").text
    assert "Self-checks failed" in first and "want a look: " in first
