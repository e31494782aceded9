"""A ready server can answer: the ledger commits, the disk has room, the worker responds; else the cause is logged."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx2
import pytest
from sqlalchemy.exc import OperationalError
from structlog.testing import capture_logs

from budgets import Ledger, LedgerError, LedgerUnavailable, failure_cause
from engine import Session
from engine.server.http.roles import Role
from engine.server.routes import health
from engine.server.routes.health import Part, Readiness
from engine.server.worker.link import STARTING
from tests.support.ledger.crash_points import charges
from tests.support.neighbours.in_flight import RequestBatch, kill_under_requests, retry_until_answered
from tests.support.server.serving import Running, TestServer, bearer, inhabited, running
from tests.support.timeouts import until

FULL, REFUSED = "ENOSPC", "connection refused"


@pytest.fixture
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "PROBE_SECONDS", 0.02)


def failing(error: Exception) -> Any:
    def probe(ledger: Ledger) -> None:
        raise LedgerUnavailable("It can't be written.", "a disk") from OperationalError("UPDATE secret", {}, error)

    return probe


def of_sqlite() -> sqlite3.OperationalError:
    """SQLite's error on a full disk."""
    with pytest.raises(sqlite3.OperationalError) as found, sqlite3.connect(":memory:") as full:
        full.execute("PRAGMA max_page_count = 1")
        full.execute("CREATE TABLE t (x)")
        full.executemany("INSERT INTO t VALUES (?)", [("x" * 4000,)] * 9)
    return found.value


def status(served: TestServer) -> int:
    return served.send("GET", "/readyz", None).status_code


@pytest.mark.usefixtures("_soon")
def test_a_server_with_an_unwritable_ledger_is_not_ready_and_logs_the_cause_once(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Regression: the server was ready while every query was refused."""
    with capture_logs() as logged, inhabited(session) as served:
        until(lambda: status(served) == 200)
        with monkeypatch.context() as patched:
            patched.setattr(Ledger, "probe", failing(of_sqlite()))
            until(lambda: status(served) == 503)
            told = served.send("GET", "/readyz", None).json()
            assert (told["code"], told["message"]) == ("E_BUSY", Part.LEDGER.value)
            health = {each["check"]: each for each in served.send("GET", "/v1/admin/health", Role.ADMIN).json()}
            assert (health["ledger writes"]["state"], health["ledger writes"]["said"]) == ("failed", FULL)
        until(lambda: status(served) == 200)
    causes = [each for each in logged if each["event"] == "not ready" and each["part"] == "ledger"]
    assert [each["cause"] for each in causes] == [FULL], "once a minute"
    assert "secret" not in str(logged)


@pytest.mark.parametrize(("state", "level"), [(STARTING, "info"), ("without a heartbeat", "error")])
def test_a_worker_that_starts_is_no_error_in_the_log(state: str, level: str) -> None:
    service = SimpleNamespace(
        worker=SimpleNamespace(is_ready=False, state=state),
        settings=SimpleNamespace(least_free_mb=0.0),
        tables=SimpleNamespace(folder=None),
    )
    with capture_logs() as logged:
        asyncio.run(Readiness(service).probe())  # type: ignore[arg-type]
    assert [(each["log_level"], each["cause"]) for each in logged] == [(level, state)]


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (OSError(28, "No space left on device"), "ENOSPC"),
        (ConnectionRefusedError(111, "Connection refused"), "ECONNREFUSED"),
        (ValueError("a text of somebody's"), "ValueError"),
    ],
)
def test_a_cause_is_a_word_of_a_closed_list(error: Exception, cause: str) -> None:
    with pytest.raises(LedgerError) as found:
        failing(error)(None)
    assert failure_cause(found.value) == cause


@pytest.mark.usefixtures("_soon")
def test_too_little_space_is_not_ready(session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with capture_logs() as logged, inhabited(session, least_free_mb=1e12) as served:
        until(lambda: status(served) == 200)
        monkeypatch.setattr(served.house.tables, "folder", tmp_path)  # as that of a ledger in a file
        until(lambda: served.send("GET", "/readyz", None).json().get("message") == Part.SPACE.value)
        health = {each["check"]: each["state"] for each in served.send("GET", "/v1/admin/health", Role.ADMIN).json()}
        assert health["free space"] == "failed" and health["ledger writes"] == "passed"
    assert [each["part"] for each in logged if each["event"] == "not ready"] == ["space"]


def test_a_stale_readiness_check_counts_as_not_ready(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    with inhabited(session) as served:
        looked = Readiness(served.house)
        asyncio.run(looked.probe())
        assert looked.failing_part() is None
        monkeypatch.setattr(health, "STALE_SECONDS", -1.0)
        assert looked.failing_part() is Part.WORKER


def test_a_probe_grows_no_chain(session: Session) -> None:
    before = session.engine.ledger.anchor()
    session.engine.ledger.probe()
    assert session.engine.ledger.anchor() == before and not session.engine.ledger.verify()


@pytest.fixture
def server(town_catalog: str, ledger_file: Path) -> Iterator[Running]:
    with running(town_catalog, ledger_file, least_seconds=0.3, hung_seconds=6) as started:
        yield started


def ready(server: Running) -> bool:
    return httpx2.get(f"{server.url}/readyz", timeout=60).status_code == 200


def log_of(server: Running) -> str:
    return server.ledger.with_suffix(".log").read_text(encoding="utf-8")


def test_a_stopped_worker_is_found_and_replaced_and_nothing_is_lost(server: Running) -> None:
    """SIGSTOP: it was ready for ever, and every call waited for ever."""
    until(lambda: ready(server))
    key, first, asked = server.key("ana"), server.worker(), RequestBatch(server, 8)

    def explain() -> httpx2.Response:
        body = {"sql": "SELECT count(*) AS visits FROM visit"}
        return httpx2.post(f"{server.url}/v1/explain", json=body, headers=bearer(key), timeout=60)

    with ThreadPoolExecutor(1) as thread:
        meanwhile = [thread.submit(lambda: None)]

        def stop() -> None:
            until(lambda: charges(server.ledger) >= 2)  # two of them are charged, and read data
            os.kill(first, signal.SIGSTOP)
            meanwhile[0] = thread.submit(explain)  # type: ignore[call-overload]

        counted = kill_under_requests(asked, server, stop, 0)
        told: Any = meanwhile[0].result()
    assert told.status_code == 503 and told.json()["code"] == "E_BUSY"
    assert set(counted) <= {"answered", "E_BUSY"}
    until(lambda: ready(server))
    assert server.worker() != first and explain().status_code == 200
    retry_until_answered(asked, server)
    asked.check(server.ledger)
    assert '"event": "the worker hangs"' in log_of(server)


def test_a_full_disk_makes_the_server_unready_and_is_logged(server: Running) -> None:
    until(lambda: ready(server))
    was = resource.prlimit(server.worker(), resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
    until(lambda: not ready(server))
    assert '"part": "ledger"' in log_of(server) and '"cause": "' in log_of(server)
    resource.prlimit(server.worker(), resource.RLIMIT_FSIZE, was)
    until(lambda: ready(server))
