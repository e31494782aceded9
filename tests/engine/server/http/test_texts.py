"""Text that is no Unicode text, holds NUL or is very long, in every text field of the document: refused, never a 500."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple, cast
from urllib.parse import quote

import pyarrow.flight as fl
import pytest
from fastapi import FastAPI

from engine.errors import Refused
from engine.server.flight.commands import Command
from engine.server.flight.server import _as_flight_errors, _question
from engine.server.http.problems import Problem, problem_response
from engine.server.http.roles import RULES, Role, Scope
from engine.server.worker.verbs import VERBS
from tests.engine.server.http.test_roles import COUNT, SENT, Sent
from tests.support.server.serving import TestServer
from tests.support.server.visiting import visitors
from tests.support.timeouts import until

HALF = "\ud800"  # one half of a character that needs two
BAD = {"half": f"a{HALF}", "only a half": HALF, "nul": "a\0b", "very long": "a" * 900_000}
BULK = {("POST /v1/admin/objections/bulk", "persons")}  # as long as a body may be


class TextField(NamedTuple):
    """One place of a request that takes text."""

    method: str
    path: str
    place: str  # body, query or path
    name: str


def text_fields(document: dict[str, Any]) -> Iterator[TextField]:
    """List every place of an OpenAPI document's requests whose schema lets text through."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            for parameter in operation.get("parameters", ()):
                if _takes_text(parameter["schema"], document):
                    yield TextField(method.upper(), path, parameter["in"], parameter["name"])
            body = operation.get("requestBody")
            if body is not None:
                model = _resolved(body["content"]["application/json"]["schema"], document)
                for name, schema in model["properties"].items():
                    if _takes_text(schema, document):
                        yield TextField(method.upper(), path, "body", name)


def text_schemas(schema: dict[str, Any], document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """List the parts of a schema that let text through."""
    schema = _resolved(schema, document)
    for part in schema.get("anyOf", ()):
        yield from text_schemas(part, document)
    if schema.get("type") == "string" and "enum" not in schema:
        yield schema


def _takes_text(schema: dict[str, Any], document: dict[str, Any]) -> bool:
    return any(text_schemas(schema, document))


def _resolved(schema: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in schema:
        return schema
    return cast("dict[str, Any]", document["components"]["schemas"][schema["$ref"].rpartition("/")[2]])


def _document(served: TestServer) -> dict[str, Any]:
    return cast("FastAPI", served.client.app).openapi()


def _role(method: str, path: str) -> Role:
    return next(role for role in Role if RULES[method, path].scope_of(role) is not Scope.NONE)


def _send(served: TestServer, field: TextField, text: str) -> Any:
    sent = SENT.get((field.method, field.path), Sent())
    query, body = sent.params | sent.also, sent.json
    filled = dict.fromkeys(("client", "name", "job_id", "share_id", "key_id"), "none") | {"request": "1"}
    if field.place == "query":
        query = query | {field.name: text}
    elif field.place == "path":
        filled[field.name] = quote(text)
    elif field.place == "body":
        body = {**body, field.name: text}
    more: dict[str, Any] = {"content": json.dumps(body)} if body is not None else {}
    headers = {"content-type": "application/json"}
    path = field.path.format(**filled)
    return served.send(field.method, path, _role(*field[:2]), params=query, headers=headers, **more)


def test_the_document_bounds_every_text_that_is_sent(served: TestServer) -> None:
    document = _document(served)
    found = list(text_fields(document))
    assert len(found) > 50
    unbounded = []
    for field in found:
        operation = document["paths"][field.path][field.method.lower()]
        if field.place == "body":
            model = _resolved(operation["requestBody"]["content"]["application/json"]["schema"], document)
            schema = model["properties"][field.name]
        else:
            schema = next(p["schema"] for p in operation["parameters"] if p["name"] == field.name)
        unbounded += [field for part in text_schemas(schema, document) if not {"maxLength", "pattern"} <= part.keys()]
    assert unbounded == []


@pytest.mark.parametrize("bad", BAD)
def test_every_text_field_of_a_body_refuses_invalid_text(served: TestServer, bad: str) -> None:
    fields = [field for field in text_fields(_document(served)) if field.place == "body"]
    assert len(fields) > 25
    for field in fields:
        if bad == "very long" and (f"{field.method} {field.path}", field.name) in BULK:
            continue
        answer = _send(served, field, BAD[bad])
        assert (answer.status_code, answer.json()["code"]) in [(400, "E_PARAM"), (413, "E_SIZE")], field
        assert answer.json()["message"].startswith(f"body.{field.name}"), field


@pytest.mark.parametrize("bad", ["nul", "very long"])  # an address is bytes of UTF-8: a half becomes U+FFFD there
def test_every_text_field_of_a_url_refuses_invalid_text(served: TestServer, bad: str) -> None:
    text = BAD[bad] if bad == "nul" else "a" * 20_000
    fields = [field for field in text_fields(_document(served)) if field.place in ("query", "path")]
    assert len(fields) > 15
    for field in fields:
        answer = _send(served, field, text)
        assert (answer.status_code, answer.json()["code"]) in [(400, "E_PARAM"), (413, "E_SIZE")], field


@pytest.mark.parametrize("name", [HALF, "a\0b", "a" * 100_000])
def test_no_name_of_a_field_breaks_the_refusal(served: TestServer, name: str) -> None:
    body = json.dumps({**COUNT, name: 1})
    answer = served.send("POST", "/v1/queries", content=body, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (400, "E_PARAM")
    assert len(answer.content) < 2_000


def test_a_job_of_such_text_is_refused_and_the_list_of_jobs_lives_on(served: TestServer) -> None:
    for text in (HALF, f"SELECT '{HALF}' FROM visit", "SELECT '\0' FROM visit"):
        body, headers = json.dumps({"sql": text}), {"content-type": "application/json"}
        answer = served.send("POST", "/v1/queries?async=true", content=body, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (400, "E_PARAM")
        assert served.send("GET", "/v1/jobs").json() == []


def test_a_job_whose_refusal_holds_such_text_is_listed(served: TestServer, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: Any, **__: Any) -> Any:
        told = Problem("E_PARSE", f"This is {HALF}.", f"not {HALF}", sql=HALF).problem
        raise Refused({**told, "nested": [{HALF: HALF}]})

    monkeypatch.setitem(VERBS, "query", refused)
    made = served.ask(COUNT["sql"], headers={"Prefer": "respond-async"}).json()
    until(lambda: served.send("GET", f"/v1/jobs/{made['id']}").json()["state"] == "refused")
    (job,) = served.send("GET", "/v1/jobs").json()
    assert job["problem"]["message"] == "This is \ufffd."
    answer = served.send("GET", f"/v1/jobs/{made['id']}/result")
    assert (answer.status_code, answer.json()["code"]) == (400, "E_PARSE")
    assert served.ask(COUNT["sql"]).json()["sql"] == "\ufffd"


def test_a_problem_survives_any_text() -> None:
    told = Problem("E_PARAM", f"\0{HALF}é\U0001f600", "\udfff\ud800", sql="\ud83d\ude00").problem
    sent = json.loads(bytes(problem_response(told).body))
    assert sent["message"] == "\0\ufffdé\U0001f600"
    assert sent["hint"] == "\ufffd\ufffd"
    assert sent["sql"] == "\ufffd\ufffd"


def test_a_form_and_an_address_of_the_console_refuse_nul(served: TestServer) -> None:
    browser = visitors(served, Role.ANALYST)[Role.ANALYST]
    for fields in ({"sql": "SELECT '\0' FROM visit"}, {"sql": COUNT["sql"], "do": "ask", "request_id": "a" * 300}):
        assert browser.post("/console/ask", **fields).status_code in (400, 413)
    for path in ("/console/pace", "/console/ask"):
        assert browser.get(path, client="a\0b", sql="a\0b").status_code == 400
    assert browser.get("/console/ask", sql=COUNT["sql"]).status_code == 200


def test_flight_refuses_oversized_and_malformed_text_with_a_code(served: TestServer) -> None:
    with pytest.raises(fl.FlightServerError, match="E_SIZE"), _as_flight_errors(served.house):
        _question(Command("CommandStatementQuery", {"query": "a" * 20_000}))
    with pytest.raises(fl.FlightServerError, match="E_PARAM"), _as_flight_errors(served.house):
        _question(Command("CommandStatementQuery", {"query": "SELECT '\0' FROM visit"}))
