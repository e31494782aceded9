"""A client of a real server: the same answers as in process, one charge however often a line breaks, no key shown."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest
from typer.testing import CliRunner

import passersby
from engine.server.http.roles import Role
from passersby.cli.app import app
from passersby.client import remote
from passersby.client.connection import Connection
from tests.passersby.shapes import ANSWER, BUDGET, EXPLANATION, HISTORY, LEDGER, misfits
from tests.support.server.serving import Running
from tests.support.timeouts import MAX_SECONDS
from tests.support.tree import ROOT

COUNT = "SELECT zone, count(*) AS visits, avg(minutes) AS minutes FROM visit GROUP BY zone ORDER BY zone"
LIGHT = """
import json, sys, passersby
with passersby.connect(sys.argv[1]) as city:
    answer = city.query(sys.argv[2])
    city.explain(sys.argv[2]), city.budget(), city.history(), city.tables(), repr(answer)
print(json.dumps({"rows": answer.rows, "loaded": sorted({name.partition(".")[0] for name in sys.modules})}))
"""


def spent(connection: Connection) -> float:
    return float(connection.budget().accounts[-1]["spent_rho"])


def test_a_remote_answer_equals_the_in_process_one(far: Connection, ana: Connection) -> None:
    told, here = far.explain(COUNT), ana.explain(COUNT)
    assert told.price == here.price
    assert told.expected_error == here.expected_error
    paid, near = far.query(COUNT), ana.query(COUNT)
    assert paid.columns == near.columns
    assert paid.arrow().schema.types == near.arrow().schema.types
    assert {key: type(value) for key, value in paid.card.items()} == {k: type(v) for k, v in near.card.items()}
    assert paid.price["rho"] == 0.005
    again = far.query(COUNT)
    assert again.replayed and again.rows == paid.rows and again.intervals == paid.intervals
    assert far.rehearse(COUNT).rehearsal


def test_the_shapes_are_the_documented_ones(far: Connection, server: Running) -> None:
    assert not misfits(far.query(COUNT).to_wire(), ANSWER)
    assert not misfits(far.explain(COUNT).to_wire(), EXPLANATION)
    assert not misfits(dict(far.budget()), BUDGET)
    assert not misfits(list(far.history()), HISTORY)
    assert far.tables("visit")[0]["name"] == "visit"
    assert "hour" in {function["name"] for function in far.functions()}
    with passersby.connect(server.url, api_key=server.key("aud", Role.AUDITOR), client=far.client) as auditor:
        assert not misfits(list(auditor.ledger(limit=3)), LEDGER)
        assert auditor.history() == far.history()
        with pytest.raises(passersby.RefusedError) as refused:
            auditor.query(COUNT)
    assert refused.value.code == "E_FORBIDDEN"


def test_no_module_of_the_engine_is_loaded(server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PASSERSBY_API_KEY", server.key("light"))
    ran = subprocess.run(
        [sys.executable, "-c", LIGHT, server.url, COUNT], cwd=ROOT, capture_output=True, text=True, timeout=MAX_SECONDS
    )
    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout)
    assert len(told["rows"]) == 7
    heavy = {
        "engine",
        "dialect",
        "budgets",
        "duckdb",
        "opendp",
        "sqlglot",
        "sqlalchemy",
        "fastapi",
        "asyncio",
        "pandas",
    }
    assert not heavy & {*told["loaded"]}


def test_refusals_are_those_of_the_engine(far: Connection) -> None:
    with pytest.raises(passersby.RefusedError) as refused:
        far.query("SELECT nope FROM visit")
    assert (refused.value.code, refused.value.span, refused.value.hint != "") == ("E_COLUMN", (7, 11), True)
    assert "^^^^" in str(refused.value)
    with pytest.raises(passersby.BudgetError) as short:
        far.query(COUNT, rho=0.15)
    assert short.value.would_fit_rho == pytest.approx(0.1)
    assert set(short.value.problem) >= {"code", "message", "hint", "span", "sql", "account"}
    assert not {"type", "title", "status", "detail"} & set(short.value.problem)
    assert spent(far) == 0.0


def test_amounts_keep_their_text(far: Connection) -> None:
    assert far.query(COUNT, rho="0.01").price["rho"] == 0.01
    with pytest.raises(passersby.RefusedError, match="E_PARAM"):
        far.query(COUNT, rho="much")


class Lossy(httpx2.HTTPTransport):
    """A real connection that loses the given responses."""

    def __init__(self, lose: Callable[[int], Exception | httpx2.Response | None]) -> None:
        super().__init__()
        self.lose, self.sent, self.ids = lose, 0, set[str]()

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        answer = super().handle_request(request)
        answer.read()
        self.sent += 1
        self.ids.add(request.headers.get("Idempotency-Key", ""))
        lost = self.lose(self.sent)
        if isinstance(lost, Exception):
            raise lost
        return lost or answer


def over(connection: Connection, line: Lossy, monkeypatch: pytest.MonkeyPatch, patience: float = 30.0) -> None:
    """Put a lossy line under a connection."""
    session = connection._remote
    assert session is not None
    client = session.transport._http_client()
    monkeypatch.setattr(client, "_transport", line)
    monkeypatch.setattr(client, "_mounts", {})
    monkeypatch.setattr(remote, "MIN_BACKOFF_SECONDS", 0.01)
    session.transport.retry_seconds = patience


def test_lost_answers_are_retried_and_charged_once(far: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    busy = httpx2.Response(
        503, json={"code": "E_BUSY", "message": "Busy.", "hint": "later"}, headers={"Retry-After": "0"}
    )
    losses = [httpx2.ReadError("lost"), httpx2.RemoteProtocolError("cut"), busy, httpx2.Response(502, text="<html>")]
    line = Lossy(lambda sent: losses[sent - 1] if sent <= len(losses) else None)
    over(far, line, monkeypatch)
    answer = far.query(COUNT)
    assert (line.sent, len(line.ids)) == (5, 1)
    assert len(answer) == 7
    assert spent(far) == 0.005
    assert len(far.history()) == 1


def test_a_timeout_reports_the_request_id_to_retry(far: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    over(far, Lossy(lambda sent: httpx2.ReadTimeout("lost") if sent < 99 else None), monkeypatch, patience=0.05)
    with pytest.raises(passersby.ServerError) as failed:
        far.query(COUNT)
    assert failed.value.code == "E_NETWORK"
    assert failed.value.request_id and failed.value.request_id in failed.value.hint
    over(far, Lossy(lambda sent: None), monkeypatch)
    assert far.query(COUNT, request_id=failed.value.request_id).rows
    assert spent(far) == 0.005


def test_permanent_errors_are_not_retried(far: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    no = httpx2.Response(422, json={"code": "E_EXEC", "message": "It failed.", "hint": "", "span": None, "sql": COUNT})
    line = Lossy(lambda sent: no)
    over(far, line, monkeypatch)
    with pytest.raises(passersby.ExecutionError):
        far.query(COUNT)
    assert line.sent == 1


def test_a_long_question_goes_on_as_a_job_with_progress(far: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(remote.ASYNC_HEADERS, "Prefer", "respond-async")
    told: list[float] = []
    monkeypatch.setattr(remote, "show_waiting", lambda: _ProgressRecorder(told))
    assert len(far.query(COUNT)) == 7
    assert told and all(0 <= fraction <= 1 for fraction in told)
    with pytest.raises(passersby.RefusedError, match="E_COLUMN"):
        far.query("SELECT nope FROM visit")


class _ProgressRecorder:
    def __init__(self, told: list[float]) -> None:
        self.told = told

    def __enter__(self) -> Callable[[float], None]:
        return self.told.append

    def __exit__(self, *ended: object) -> None:
        pass


def test_a_key_is_shown_nowhere(server: Running) -> None:
    key = server.key("hidden")
    with passersby.connect(server.url, api_key=key) as connection:
        shown = [repr(connection), repr(connection._remote), str(vars(connection))]
        with pytest.raises(passersby.RefusedError) as refused:
            connection.query("SELECT nope FROM visit")
        shown += [str(refused.value), repr(refused.value), json.dumps(refused.value.problem)]
    for wrong in (key[:-1], f"{key}\nmore", f"{key}ä"):
        with pytest.raises(passersby.AccessError) as denied:
            passersby.connect(server.url, api_key=wrong)
        assert "PASSERSBY_API_KEY" in denied.value.hint or "copy it again" in denied.value.hint
        shown += [str(denied.value), repr(denied.value), repr(denied.value.__context__)]
    assert not [text for text in shown if key[4:-1] in text]


@pytest.mark.parametrize("where", ["http://example.org", "http://192.168.0.7:8021", "http://localhost.evil.org"])
def test_no_key_is_sent_without_tls(where: str) -> None:
    with pytest.raises(passersby.RefusedError, match="in the open"):
        passersby.connect(where, api_key="pby_k")


@pytest.mark.parametrize("where", ["https://", "https://host:port", "https://host/?a=1", "https://ana:pby_k@host"])
def test_an_invalid_address_is_refused(where: str) -> None:
    with pytest.raises(passersby.RefusedError) as refused:
        passersby.connect(where, api_key="pby_k")
    assert "pby_k" not in str(refused.value)


def test_a_proxy_of_the_environment_sees_nothing(server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    with passersby.connect(server.url, api_key=server.key("unproxied")) as connection:
        assert connection.tables()


def test_connecting_without_a_key_or_a_server_is_refused(
    server: Running, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("PASSERSBY_API_KEY", raising=False)
    with pytest.raises(passersby.AccessError, match="PASSERSBY_API_KEY"):
        passersby.connect(server.url)
    monkeypatch.setattr(remote, "CONNECT_RETRY_SECONDS", 0.1)
    with pytest.raises(passersby.ServerError, match="does not answer"):
        passersby.connect("http://127.0.0.1:9", api_key="pby_k")
    with pytest.raises(passersby.RefusedError, match="ledger"):
        passersby.connect(server.url, api_key="k", ledger=tmp_path / "x")
    with pytest.raises(passersby.AccessError, match="that of 'one'"):
        passersby.connect(server.url, api_key=server.key("one"), client="two")


def test_a_foreign_server_is_named_as_such(server: Running) -> None:
    with pytest.raises(passersby.PassersbyError) as failed:
        passersby.connect(f"{server.url}/elsewhere", api_key=server.key("lost"))
    assert failed.value.code in {"E_NOT_FOUND", "E_NETWORK"}


def test_the_command_line_asks_a_server_too(server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PASSERSBY_API_KEY", server.key("typist"))
    ran = CliRunner().invoke(app, ["query", COUNT, "--catalog", server.url, "--format", "json"])
    assert ran.exit_code == 0, ran.stderr
    assert not misfits(json.loads(ran.stdout), ANSWER)
    refused = CliRunner().invoke(app, ["query", "SELECT nope FROM visit", "--catalog", server.url])
    assert (refused.exit_code, "E_COLUMN" in refused.stderr) == (1, True)


def test_polygons_for_maps_come_from_the_server(operator_server: Running) -> None:
    with passersby.connect(operator_server.url, api_key=operator_server.key("mapper")) as connection:
        zones = connection.outlines("zone")
        assert {feature["geometry"]["type"] for feature in zones["features"]} <= {"Polygon", "MultiPolygon"}
        with pytest.raises(passersby.RefusedError, match="no polygons"):
            connection.outlines("trip")


def test_calls_that_a_server_does_not_offer_are_refused(far: Connection) -> None:
    with pytest.raises(passersby.RefusedError, match="does not offer"):
        far.run_standing("x")
    with pytest.raises(passersby.RefusedError, match="file of standing questions"):
        far.standing("x", file="y")
    with pytest.raises(passersby.RefusedError, match="file of standing questions"):
        far.standings(file="y")


def test_a_client_without_scheduled_queries_is_refused_by_name(far: Connection) -> None:
    with pytest.raises(passersby.PassersbyError, match="entitled to no standing question footfall"):
        far.standing("footfall")
    assert far.standings() == []


def test_a_steward_sees_the_functions(server: Running) -> None:
    with passersby.connect(server.url, api_key=server.key("stella", Role.STEWARD)) as steward:
        assert "hour" in {function["name"] for function in steward.functions()}
