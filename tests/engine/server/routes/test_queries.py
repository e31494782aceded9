"""Questions over HTTP: the same shapes as in process, one shape for every no."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import pyarrow as pa
import pytest

from engine import Session
from engine.server.http.responses import ARROW, SQL_TYPES, answer_shape
from engine.server.http.roles import Role
from engine.server.http.sizes import size_class
from engine.server.worker.pacing import PacedEngine, ResponsePacing
from passersby.result.result import Result
from passersby.result.wire import SQL_TYPES as CLIENT_SQL_TYPES
from passersby.result.wire import wire_of
from tests.support.server.serving import InProcessWorker, TestServer, inhabited
from tests.support.timeouts import until

COUNT = "SELECT zone, count(*) AS visits FROM visit GROUP BY zone"
TYPES = "SELECT DATE '2026-01-02' AS d, TIMESTAMP '2026-01-02 03:04:05' AS t, 1.5 AS x, name, inhabitants, true AS b FROM zone"


def test_an_answer_has_the_shape_that_it_has_in_process(served: TestServer, session: Session) -> None:
    first = served.ask(COUNT)
    assert (first.status_code, first.headers["content-type"]) == (200, "application/json")
    assert first.json()["price"]["rho"] > 0
    assert not first.json()["replayed"]
    again, inside = served.ask(COUNT).json(), wire_of(Result(session.query(COUNT, client="analyst")))
    assert {key: again.get(key) for key in inside} == inside
    assert again["rows"] == first.json()["rows"]


@pytest.mark.parametrize("sql", [COUNT, TYPES, "SHOW TABLES", "SHOW BUDGET", "EXPLAIN PRIVACY " + COUNT])
def test_json_equals_the_client_s_json(session: Session, sql: str) -> None:
    table = session.query(sql, client="analyst")
    card = json.loads(table.schema.metadata[b"passersby"])
    door, shape = wire_of(Result(table)), answer_shape(table, card)
    assert json.dumps(door) == json.dumps({key: shape.get(key) for key in door})


def test_the_client_names_types_as_the_server_does() -> None:
    assert CLIENT_SQL_TYPES == SQL_TYPES


def test_arrow_is_returned_if_accepted(served: TestServer) -> None:
    answer = served.ask(COUNT, headers={"Accept": ARROW})
    assert answer.headers["content-type"] == ARROW
    table = pa.ipc.open_stream(io.BytesIO(answer.content)).read_all()
    assert table.num_rows == 7
    assert Result(table).to_wire()["rows"] == served.ask(COUNT).json()["rows"]


@pytest.mark.parametrize("accept", ["application/json", ARROW])
def test_a_body_is_padded_to_its_size_class(served: TestServer, accept: str) -> None:
    answer = served.ask(COUNT, headers={"Accept": accept})
    assert len(answer.content) == size_class(len(answer.content))


def test_a_refusal_is_a_problem_with_its_place(served: TestServer) -> None:
    answer = served.ask("SELECT zon FROM visit")
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    told = answer.json()
    assert (told["code"], told["status"], told["type"]) == ("E_COLUMN", 400, "urn:passersby:E_COLUMN")
    assert told["sql"][slice(*told["span"])] == "zon"


def test_the_same_key_is_charged_once_and_another_question_under_it_refused(
    served: TestServer, session: Session
) -> None:
    key = {"Idempotency-Key": "first"}
    first, again = served.ask(COUNT, headers=key), served.ask(COUNT, headers=key)
    assert first.json()["rows"] == again.json()["rows"]
    assert [row["kind"] for row in session.ledger()].count("charged") == 1
    other = served.ask("SELECT count(*) AS n FROM visit", headers=key)
    assert (other.status_code, other.json()["code"]) == (422, "E_IDEMPOTENCY")


def test_a_budget_refusal_reports_the_rho_that_fits(served: TestServer) -> None:
    answer = served.ask(COUNT, terms={"rho": "0.5"})
    assert (answer.status_code, answer.json()["code"]) == (402, "E_BUDGET")
    assert answer.json()["would_fit_rho"] > 0


def test_explain_and_rehearse_charge_nothing(served: TestServer, session: Session) -> None:
    explained = served.send("POST", "/v1/explain", json={"sql": COUNT, "rho": 0.01})
    assert explained.json()["price"]["rho"] == 0.01
    rehearsed = served.send("POST", "/v1/rehearse", json={"sql": COUNT})
    assert rehearsed.json()["rehearsal"]
    assert not [row for row in session.ledger() if row["kind"] == "charged"]


def test_the_state_of_a_job_is_reported_until_its_answer_is_ready(served: TestServer) -> None:
    started = served.ask(COUNT, headers={"Prefer": "respond-async", "Idempotency-Key": "job"})
    assert started.status_code == 202
    place = started.headers["location"]
    until(lambda: served.send("GET", place).json()["state"] in ("done", "refused"))
    told = served.send("GET", place).json()
    assert (told["state"], told["progress"], told["request_id"]) == ("done", 1.0, "job")
    answer = served.send("GET", f"{place}/result")
    assert answer.json()["rows"] == served.ask(COUNT).json()["rows"]
    assert answer.json()["price"]["rho"] > 0
    again = served.ask(COUNT, headers={"Prefer": "respond-async", "Idempotency-Key": "job"})
    assert again.json()["id"] == told["id"]
    assert [job["id"] for job in served.send("GET", "/v1/jobs").json()] == [told["id"]]


def test_a_removed_client_is_given_no_stored_answer_and_requests_no_budget(
    served: TestServer, session: Session
) -> None:
    job = served.ask(COUNT, headers={"Prefer": "respond-async"}).json()["id"]
    until(lambda: served.send("GET", f"/v1/jobs/{job}").json()["state"] == "done")
    assert served.send("GET", f"/v1/jobs/{job}/result").status_code == 200
    assert served.send("DELETE", "/v1/admin/clients/analyst", Role.ADMIN, params={"reason": "left"}).is_success
    wanted = {"rho": "0.1", "reason": "more"}
    for answer in (
        served.ask(COUNT),
        served.send("GET", f"/v1/jobs/{job}/result"),
        served.send("POST", "/v1/admin/topups", json=wanted),
    ):
        assert (answer.json()["code"], answer.json()["message"]) == ("E_FORBIDDEN", "The client 'analyst' was removed.")
    assert session.engine.ledger.top_ups() == ()


def test_a_refused_job_is_refused_as_its_question_is(served: TestServer) -> None:
    started = served.ask("SELECT zon FROM visit", headers={"Prefer": "respond-async"}).json()
    until(lambda: served.send("GET", f"/v1/jobs/{started['id']}").json()["state"] not in ("queued", "running"))
    told = served.send("GET", f"/v1/jobs/{started['id']}").json()
    assert (told["state"], told["problem"]["code"]) == ("refused", "E_COLUMN")
    answer = served.send("GET", f"/v1/jobs/{started['id']}/result")
    assert (answer.status_code, answer.json()["code"]) == (400, "E_COLUMN")


def test_a_cancelled_job_keeps_its_charge_and_asking_again_is_free(served: TestServer, session: Session) -> None:
    started = served.ask(COUNT, headers={"Prefer": "respond-async"}).json()
    until(lambda: any(row["kind"] == "charged" for row in session.ledger()))
    cancelled = served.send("DELETE", f"/v1/jobs/{started['id']}").json()  # while it waits, runs, or is done
    if cancelled["state"] == "cancelled":
        assert served.send("GET", f"/v1/jobs/{started['id']}/result").json()["code"] == "E_STATE"
    left = served.send("GET", "/v1/budget").json()["accounts"]
    assert served.ask(COUNT).json()["rows"]
    assert served.send("GET", "/v1/budget").json()["accounts"] == left


def test_a_query_beyond_the_deadline_continues_as_a_job(session: Session) -> None:
    with inhabited(session, deadline_seconds=1e-6) as served:
        started = served.ask(COUNT)
        assert started.status_code == 202
        until(lambda: served.send("GET", started.headers["location"]).json()["state"] == "done")


def test_list_endpoints_return_the_lists_of_the_session(served: TestServer, session: Session) -> None:
    served.ask(COUNT)
    assert served.send("GET", "/v1/tables").json() == json.loads(json.dumps(session.tables()))
    assert served.send("GET", "/v1/tables/zone").json()["name"] == "zone"
    assert served.send("GET", "/v1/tables/zones").status_code == 404
    assert served.send("GET", "/v1/history").json() == session.history("analyst")
    assert served.send("GET", "/v1/budget").json()["accounts"] == session.budget("analyst")["accounts"]
    assert any(row["name"] == "haversine_m" for row in served.send("GET", "/v1/functions").json())
    assert served.send("GET", "/v1/me").json()["role"] == "analyst"


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"{", "JSON"),
        (b'{"sql": 1}', "string"),
        (b'{"sql": "SELECT 1", "rho": NaN}', "rho"),
        (b'{"sql": "SELECT 1", "spare": 1}', "spare"),
        (b'{"sql": "SELECT 1", "rho": "much"}', "rho"),
    ],
)
def test_an_invalid_body_is_refused_with_its_field(served: TestServer, body: bytes, why: str) -> None:
    answer = served.send("POST", "/v1/queries", content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (400, "E_PARAM")
    assert why in answer.json()["message"] + answer.json()["hint"]


@pytest.mark.parametrize(
    ("body", "kind", "hint"),
    [
        (b'{"sql": "SELECT 1"}', None, "send one, with Content-Type: application/json"),
        (b'["SELECT 1"]', "application/json", "send one, with Content-Type: application/json"),
        (b'{"sql": 1}', "application/json", 'a text, in double quotes: "1020"'),
    ],
)
def test_a_malformed_body_is_refused_with_a_hint(served: TestServer, body: bytes, kind: str | None, hint: str) -> None:
    headers = {} if kind is None else {"Content-Type": kind}
    told = served.send("POST", "/v1/queries", content=body, headers=headers).json()
    assert (told["code"], told["hint"]) == ("E_PARAM", hint)


def test_limits_of_body_sql_rate_and_queue(session: Session) -> None:
    with inhabited(session, max_body_bytes=2000, max_sql_chars=100, rate="8/minute", queue_per_client=1) as served:
        assert served.ask("SELECT " + "1" * 200).json()["code"] == "E_SIZE"
        assert served.ask("SELECT " + "1" * 3000).status_code == 413
        with served.house.limits.long_call("analyst"):
            full = served.send("POST", "/v1/rehearse", json={"sql": COUNT})
        assert (full.status_code, full.json()["code"], "retry-after" in full.headers) == (429, "E_RATE", True)
        answers = [served.send("GET", "/v1/me") for _ in range(8)]
        assert answers[-1].json()["code"] == "E_RATE"
        assert int(answers[-1].headers["retry-after"]) >= 1
        assert served.send("GET", "/v1/me", Role.AUDITOR).status_code == 200


def test_a_body_whose_length_is_not_declared_is_as_long_as_another(session: Session) -> None:
    with inhabited(session, max_body_bytes=2000) as served:
        told = [
            served.send("POST", "/v1/queries", content=body, headers={"Content-Type": "application/json"})
            for body in (b"1" * 2001, (b"1" * 500 for _ in range(5)))
        ]
    assert [(answer.status_code, answer.json()["code"]) for answer in told] == [(413, "E_SIZE")] * 2
    assert told[0].json() == told[1].json()


def test_an_unsupported_media_type_is_refused(served: TestServer) -> None:
    assert served.ask(COUNT, headers={"Accept": "text/csv"}).json()["code"] == "E_ACCEPT"


def test_a_missing_resource_has_the_problem_shape(served: TestServer) -> None:
    for method, path, code in (("GET", "/v2", "E_NOT_FOUND"), ("PUT", "/v1/queries", "E_METHOD")):
        answer = served.send(method, path)
        assert answer.json()["code"] == code
        assert answer.headers["content-type"] == "application/problem+json"


def test_a_query_beyond_the_wait_becomes_a_job_that_continues_it(session: Session) -> None:
    engine = PacedEngine.of(session.engine, ResponsePacing(least_seconds=1.5))
    with inhabited(replace(session, engine=engine)) as served:
        started = served.ask(COUNT, headers={"Prefer": "respond-async, wait=1", "Idempotency-Key": "one"})
        assert started.status_code == 202
        told = served.send("GET", started.headers["location"]).json()
        assert 0 < told["progress"] < 1
        until(lambda: served.send("GET", started.headers["location"]).json()["state"] == "done")
        assert served.send("GET", f"{started.headers['location']}/result").json()["price"]["rho"] > 0
        assert isinstance(served.house.worker, InProcessWorker) and served.house.worker.called.count("query") == 1


def test_an_answer_within_the_wait_is_no_job(served: TestServer) -> None:
    assert served.ask(COUNT, headers={"Prefer": "respond-async, wait=30"}).status_code == 200
