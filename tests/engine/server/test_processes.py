"""Real processes: killed with requests in flight, stopped, refused an open line; nothing is lost and nothing leaks."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import httpx2
import pytest
from typer.testing import CliRunner

from engine.server.auth.keys import Keys, read_pepper
from engine.server.http.roles import Role
from engine.server.storage import ServerTables
from engine.server.worker.frames import Frame, pack, read_frame
from passersby.cli.app import app
from tests.conftest import NIGHTLY
from tests.support.ledger.crash_points import charges
from tests.support.neighbours.in_flight import RequestBatch, kill_under_requests, retry_until_answered
from tests.support.server.serving import PATIENCE, Running, bearer, running
from tests.support.timeouts import MAX_SECONDS, until

IN_FLIGHT = 100 if NIGHTLY else 10
COUNT = "SELECT count(*) AS visits FROM visit WHERE minutes > 31.25"


def post(server: Running, path: str, key: str, body: object, **headers: str) -> httpx2.Response:
    """Send a body."""
    return httpx2.post(f"{server.url}{path}", json=body, headers={**bearer(key), **headers}, timeout=PATIENCE)


def get(server: Running, path: str, key: str) -> httpx2.Response:
    """Fetch something."""
    return httpx2.get(f"{server.url}{path}", headers=bearer(key), timeout=PATIENCE)


def test_kills_and_a_stop_lose_nothing_and_charge_once(town_catalog: str, ledger_file: Path) -> None:
    with running(town_catalog, ledger_file, least_seconds=0.3, queue=72) as server:
        first, key = RequestBatch(server, IN_FLIGHT), server.key("ana")
        counted = kill_under_requests(first, server, lambda: os.kill(server.worker(), signal.SIGKILL), 0.6)
        assert set(counted) == {"answered"} or (NIGHTLY and set(counted) <= {"answered", "E_RATE"}), counted
        retry_until_answered(first, server)  # but for what the queue had no place for, nobody had to
        asked = RequestBatch(server, IN_FLIGHT, first=IN_FLIGHT)
        job = post(server, "/v1/queries", key, {"sql": COUNT}, Prefer="respond-async").json()
        assert kill_under_requests(asked, server, server.kill, 0.6)["broken off"], "it was killed too late"
    with running(town_catalog, ledger_file, least_seconds=0.3, queue=72) as server:
        retry_until_answered(asked, server)
        place = f"/v1/jobs/{job['id']}"
        until(lambda: get(server, place, key).json()["state"] not in ("queued", "running"), 0.02)
        assert get(server, place, key).json()["state"] == "done"
        rows = get(server, f"{place}/result", key).json()["rows"]
        assert rows == post(server, "/v1/queries", key, {"sql": COUNT}).json()["rows"]
        _stop_while_asked(server, key)
    first.check(ledger_file)
    asked.check(ledger_file)


def _stop_while_asked(server: Running, key: str) -> None:
    """Stop a server while a query runs: the query is answered."""
    before = charges(server.ledger)
    with ThreadPoolExecutor(1) as thread:
        answer = thread.submit(post, server, "/v1/queries", key, {"sql": f"{COUNT} AND coins > 1"})
        until(lambda: charges(server.ledger) > before or answer.done(), 0.01)  # it answers 0.3 s later at the earliest
        assert server.stop() == 0
        assert answer.result().status_code == 200


@pytest.fixture(scope="module")
def server(town_catalog: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Start one server for the tests that do it no harm."""
    with running(town_catalog, tmp_path_factory.mktemp("one") / "town.ledger", least_seconds=0.01) as started:
        yield started


def test_the_worker_alone_has_the_data_open(server: Running, town_catalog: str) -> None:
    data = str(Path(town_catalog).parent / "town.duckdb")
    assert data in _opened(server.worker())
    assert not {data, str(server.ledger)} & _opened(server.process.pid)


def _opened(pid: int) -> set[str]:
    """List the files that a process holds open; root may look into what nobody else may."""
    return {str(each.readlink()) for each in Path(f"/proc/{pid}/fd").iterdir()}


def test_neither_process_dumps_core(server: Running) -> None:
    for pid in (server.process.pid, server.worker()):
        limits = Path(f"/proc/{pid}/limits").read_text(encoding="ascii")
        (core,) = [line.split() for line in limits.splitlines() if line.startswith("Max core file size")]
        assert core[4:6] == ["0", "0"]


def test_other_processes_may_not_read_their_memory() -> None:
    program = (
        "import ctypes; from engine.server.worker.process import forbid_dumps; dumpable = ctypes.CDLL(None).prctl;"
        "before = dumpable(3, 0, 0, 0, 0); forbid_dumps(); print(before, dumpable(3, 0, 0, 0, 0))"  # PR_GET_DUMPABLE
    )
    assert subprocess.check_output([sys.executable, "-c", program], text=True, timeout=MAX_SECONDS).split() == [
        "1",
        "0",
    ]


def test_logs_and_metrics_have_no_values(server: Running) -> None:
    admin, key = server.key("root", Role.ADMIN), server.key("ana")
    sql = "SELECT count(*) AS visits FROM visit WHERE zone = 'z3' AND minutes > 12345.678"
    post(server, "/v1/queries", key, {"sql": sql})
    post(server, "/v1/queries", key, {"sql": f"{sql} AND zon = 'z4'"})
    metrics = httpx2.get(f"{server.url}/metrics", headers=bearer(admin)).text
    log = server.ledger.with_suffix(".log").read_text(encoding="utf-8")
    for text in (log, metrics):
        assert not [found for found in ("12345", "z3", "z4", "SELECT", key, admin) if found in text]
    assert 'passersby_refusals_total{code="E_COLUMN"} 1.0' in metrics
    assert "_created" not in metrics
    lines = [json.loads(line) for line in log.splitlines()]
    told = {"method": "POST", "route": "/v1/queries", "status": 400, "code": "E_COLUMN", "name": "ana"}
    assert any(told.items() <= line.items() for line in lines)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--host", "0.0.0.0"], "behind_tls_proxy"),
        (["--host", "::"], "behind_tls_proxy"),
        (["--tls-cert", "cert.pem"], "tls_key"),
        (["--config", "absent.toml"], "absent.toml"),
        (["--port", "99999"], "port"),
    ],
)
def test_settings_that_do_not_hold_are_refused(
    town_catalog: str, ledger_file: Path, options: list[str], why: str
) -> None:
    ran = CliRunner().invoke(app, ["serve", town_catalog, "--ledger", str(ledger_file), *options])
    assert ran.exit_code == 1
    assert why in " ".join(ran.stderr.split())


@pytest.mark.parametrize("rate", ["often", "0/minute", "1/second; 20/minute", ""])
def test_a_rate_that_is_none_is_refused_with_words(
    town_catalog: str, ledger_file: Path, rate: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server ended with the kind of a failure, in its log."""
    monkeypatch.setenv("PASSERSBY_SERVER_RATE", rate)
    ran = CliRunner().invoke(app, ["serve", town_catalog, "--ledger", str(ledger_file)])
    assert (ran.exit_code, "1200/minute" in ran.stderr) == (1, True)


def test_a_bootstrap_works_once(town_catalog: str, ledger_file: Path) -> None:
    command = ["bootstrap", town_catalog, "--ledger", str(ledger_file), "--name", "root"]
    first, again = CliRunner().invoke(app, command), CliRunner().invoke(app, command)
    assert (first.exit_code, again.exit_code) == (0, 1)
    assert "There is an admin already" in again.stderr
    with closing(ServerTables.open_for(str(ledger_file))) as books:
        found = Keys(books, read_pepper(Path(f"{ledger_file}.secret"))).principal(first.stdout.strip())
    assert found is not None
    assert (found.name, found.role) == ("root", "admin")


def test_a_worker_ends_with_its_pipe_and_reports_what_it_cannot_open(tmp_path: Path) -> None:
    opening = pack(Frame({"catalog": str(tmp_path / "absent.toml"), "ledger": ":memory:", "pace": {}}))
    command = [sys.executable, "-P", "-m", "engine.server.worker.process"]
    ran = subprocess.run(command, input=opening, capture_output=True, timeout=PATIENCE)
    written = io.BytesIO(ran.stdout)
    frame = read_frame(written)
    while frame is not None and "beat" in frame.message:
        frame = read_frame(written)
    assert frame is not None
    assert frame.message["refused"]["code"] == "E_CATALOG"
    assert ran.returncode == 0
