"""The access matrix, cell by cell: endpoint, page or form x role x own or another's.

What is refused before anything is looked at changes nothing: all of it is sent to one server (`closed`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from starlette.routing import Route

from engine import Session
from engine.server.app import create_app
from engine.server.console.sessions import CONTENT_SECURITY_POLICY, PAGES
from engine.server.http.roles import OPEN, RULES, Role, Scope
from engine.server.worker.pacing import PacedEngine, ResponsePacing
from tests.support.ledger.blank_ledger import blank_ledger
from tests.support.server.serving import TestServer, bearer, inhabited
from tests.support.server.visiting import OPEN_PAGES, Browser, visitors
from tests.support.timeouts import until

COUNT = {"sql": "SELECT count(*) AS visits FROM visit"}
WHY = {"reason": "a test"}


@dataclass(frozen=True)
class Sent:
    """A request that is accepted from whoever may send it."""

    json: Any = None
    params: dict[str, str] = field(default_factory=dict)
    also: dict[str, str] = field(default_factory=dict)  # what a reach of ANY has to name


SENT = {
    ("POST", "/v1/queries"): Sent(COUNT),
    ("POST", "/v1/shares"): Sent(COUNT),
    ("POST", "/v1/explain"): Sent(COUNT),
    ("POST", "/v1/rehearse"): Sent(COUNT),
    ("GET", "/v1/history"): Sent(also={"client": "analyst"}),
    ("POST", "/v1/admin/clients"): Sent({"client": "new", **WHY}),
    ("DELETE", "/v1/admin/clients/{client}"): Sent(params=WHY),
    ("POST", "/v1/admin/caps"): Sent({"client": "analyst", "rho": "0.05", **WHY}),
    ("POST", "/v1/admin/freezes"): Sent({"dataset": "town", **WHY}),
    ("DELETE", "/v1/admin/freezes"): Sent(params={"client": "other", **WHY}),
    ("POST", "/v1/admin/keys"): Sent({"name": "new", "role": "analyst"}),
    ("POST", "/v1/admin/keys/{key_id}/rotate"): Sent({}),
    ("POST", "/v1/admin/topups"): Sent({"rho": 0.2, **WHY}),
    ("POST", "/v1/admin/topups/{request}/approve"): Sent(WHY),
    ("POST", "/v1/admin/topups/{request}/decline"): Sent(WHY),
    ("POST", "/v1/admin/ledger/verify"): Sent({}),
    ("POST", "/v1/admin/objections/figures"): Sent({"rho": "0.001"}),
    ("POST", "/v1/admin/objections"): Sent({"person": "17", **WHY}),
    ("POST", "/v1/admin/objections/bulk"): Sent({"persons": "17\n18\n", **WHY}),
}
CELLS = [(*endpoint, role) for endpoint in RULES for role in Role if RULES[endpoint].scope_of(role) is not Scope.NONE]
CLOSED = [(*endpoint, role) for endpoint in RULES for role in Role if RULES[endpoint].scope_of(role) is Scope.NONE]
NAMED = {"job_id": "j", "share_id": "s", "client": "c", "request": "1", "key_id": "k", "name": "n"}


@pytest.fixture(scope="module")
def closed(town_session: Session) -> Iterator[TestServer]:
    """Serve the town to those who are refused."""
    with blank_ledger() as ledger:
        engine = PacedEngine.of(replace(town_session.engine, ledger=ledger), ResponsePacing(least_seconds=0.001))
        with inhabited(replace(town_session, engine=engine)) as server:
            yield server
            assert {row["kind"] for row in _ledger(server)} <= {"opened", "client_added"}, (
                "what was refused has left something"
            )


def places(served: TestServer, role: Role, path: str) -> dict[str, str]:
    """Make a client, a freeze, and of what a path names one of the role's own: a job, a share, a key, a request."""
    admin = served.house.worker.clerk.admin  # type: ignore[attr-defined]
    for client in ("analyst", "other"):
        admin.add_client(client, by="test", reason="a test")
    admin.freeze(by="test", reason="a test", client="other")
    made = {"client": "other", "name": "zone", "job_id": "none", "share_id": "none"}
    if "{request}" in path:
        made["request"] = str(admin.request_top_up("analyst", "0.15", reason="a test")["request"])
    if "{key_id}" in path:
        made["key_id"] = served.send("GET", "/v1/me", role).json()["key_id"]
    if role is Role.ANALYST and ("{job_id}" in path or "/shares" in path):  # shared is what was answered
        made["job_id"] = _job(served)
    if role is Role.ANALYST and "{share_id}" in path:
        made["share_id"] = _share(served)
    return made


def _job(served: TestServer) -> str:
    made = served.ask(COUNT["sql"], headers={"Prefer": "respond-async"}).json()
    until(lambda: served.send("GET", f"/v1/jobs/{made['id']}").json()["state"] == "done")
    return str(made["id"])


def _share(served: TestServer) -> str:
    return str(served.send("POST", "/v1/shares", json=COUNT).json()["id"])


def test_every_endpoint_is_in_the_table_and_nothing_else_is(served: TestServer) -> None:
    routes = list(_routes(create_app(served.house).routes))
    there = {(method, route.path.replace(":path", "")) for route in routes for method in route.methods or ()}
    assert there - {("HEAD", "/openapi.json")} == RULES.keys() | OPEN | PAGES.keys() | OPEN_PAGES


def _routes(routes: Iterable[Any]) -> Iterator[Route]:
    for route in routes:
        inside = getattr(route, "original_router", None)
        yield from [route] if inside is None else _routes(inside.routes)


@pytest.mark.parametrize(("method", "path", "role"), CELLS)
def test_a_role_reaches_the_endpoints_of_the_access_table(
    served: TestServer, method: str, path: str, role: Role
) -> None:
    reach, sent = RULES[method, path].scope_of(role), SENT.get((method, path), Sent())
    more = sent.params | (sent.also if reach is Scope.ANY else {})
    answer = served.send(method, path.format(**places(served, role, path)), role, json=sent.json, params=more)
    if path == "/v1/tables/{name}/outlines":  # reached: the town has no polygons
        assert answer.json()["code"] == "E_TABLE"
    elif path == "/v1/standing/{name}":  # reached: the town has no standing questions
        assert "entitled to no standing question" in answer.json()["message"]
    else:
        assert answer.is_success, answer.text


@pytest.mark.parametrize(("method", "path", "role"), CLOSED)
def test_other_endpoints_are_forbidden_to_a_role(closed: TestServer, method: str, path: str, role: Role) -> None:
    sent = SENT.get((method, path), Sent())
    answer = closed.send(method, path.format(**NAMED), role, json=sent.json, params=sent.params)
    assert (answer.status_code, answer.json()["code"]) == (403, "E_FORBIDDEN")
    told = answer.json()["hint"].partition(";")[0]
    assert [each for each in Role if each in told] == [
        each for each in Role if RULES[method, path].scope_of(each) is not Scope.NONE
    ]


@pytest.mark.parametrize(("method", "path"), RULES)
def test_without_a_key_every_endpoint_is_refused(closed: TestServer, method: str, path: str) -> None:
    answer = closed.send(method, path.format(**NAMED), None)
    assert (answer.status_code, answer.json()["code"]) == (401, "E_AUTH")
    assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize(("method", "path"), sorted(OPEN))
def test_open_endpoints_need_no_key(closed: TestServer, method: str, path: str) -> None:
    assert closed.send(method, path, None).status_code == 200


OWN = [cell for cell in CELLS if RULES[cell[0], cell[1]].scope_of(cell[2]) is Scope.OWN]
NAMES_NOBODY = {
    "/v1/queries",
    "/v1/explain",
    "/v1/rehearse",
    "/v1/standing",
    "/v1/me",
}  # the key alone says whose


@pytest.mark.parametrize(("method", "path", "role"), OWN)
def test_another_client_s_resources_are_not_reached(served: TestServer, method: str, path: str, role: Role) -> None:
    if path in NAMES_NOBODY:
        sent = SENT.get((method, path), Sent())
        answer = served.send(method, path, role, json=sent.json, params={"client": "other"})
        assert answer.is_success
        assert not [row for row in _ledger(served) if "other" in (row["client"], row["asked_by"])]
        return
    others = {
        "job_id": _job(served),
        "share_id": _share(served),
        "key_id": _other_s_key(served, role),
        "name": "footfall",
    }
    mine = {**served.keys, role: served.house.keys.make("stranger", role, by="test", days=1)["key"]}
    answer = served.client.request(
        method,
        path.format(**others),
        headers=bearer(mine[role]),
        json=SENT.get((method, path), Sent()).json,
        params={"client": "analyst"} if path in ("/v1/budget", "/v1/history") else {},
    )
    if path in ("/v1/budget", "/v1/history"):
        assert (answer.status_code, answer.json()["code"]) == (403, "E_FORBIDDEN")
    elif path in ("/v1/jobs", "/v1/shares", "/v1/admin/topups") and method == "GET":
        assert answer.json() == []
    elif path == "/v1/standing/{name}":  # test_standing_endpoints.py has those that others are entitled to
        assert answer.status_code == 403
    elif path in ("/v1/shares", "/v1/admin/topups"):
        assert answer.status_code == 400  # numbers that only another holds; a client that nobody added
    else:
        assert (answer.status_code, answer.json()["code"]) == (404, "E_NOT_FOUND")


def _other_s_key(served: TestServer, role: Role) -> str:
    return str(served.send("GET", "/v1/me", role).json()["key_id"])


def _ledger(served: TestServer) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = served.send("GET", "/v1/admin/ledger", Role.ADMIN).json()
    return rows


# ---------------------------------------------------------------- the console

FORMS = {  # what is accepted from whoever may send it
    "/console/ask": {"sql": COUNT["sql"], "do": "ask"},
    "/console/shared/make": COUNT,
    "/console/requests": {"rho": "0.15", **WHY},
    "/console/clients/{action}": {"client": "new", **WHY},
    "/console/objections/{action}": {"person": "7", **WHY},
    "/console/keys/{action}": {"name": "new", "role": "analyst"},
}
ACTIONS = {
    "/console/clients/{action}": "add",
    "/console/keys/{action}": "make",
    "/console/objections/{action}": "record",
}
UNREAD = {"action": "add", "nowhere": "no/such/page"}  # of a path whose form, or page, is refused
PAGE_CELLS = [(*page, role) for page in PAGES for role in Role if PAGES[page].scope_of(role) is not Scope.NONE]
CLOSED_PAGES = [(*page, role) for page in PAGES for role in Role if PAGES[page].scope_of(role) is Scope.NONE]
OWN_PAGES = [
    (*page, role) for page in PAGES for role in Role if PAGES[page].scope_of(role) is Scope.OWN and "_id}" in page[1]
]


def fields(served: TestServer, path: str) -> dict[str, str]:
    """Fill in what a form asks for."""
    if path == "/console/ledger/verify":
        return {"anchor": served.send("GET", "/v1/admin/ledger/anchor", Role.ADMIN).json()["anchor"]}
    return FORMS.get(path, {})


def page_places(served: TestServer, path: str) -> dict[str, str]:
    """Make one of what a path names, of the analyst's own."""
    made = {"action": ACTIONS.get(path, ""), "nowhere": "no/such/page"}
    if "{job_id}" in path:
        made["job_id"] = served.ask(COUNT["sql"], headers={"Prefer": "respond-async"}).json()["id"]
        until(lambda: served.send("GET", f"/v1/jobs/{made['job_id']}").json()["state"] == "done")
    if "shared" in path:
        served.ask(COUNT["sql"])
        made["share_id"] = served.send("POST", "/v1/shares", json=COUNT).json()["id"]
    return made


def sent(browser: Browser, method: str, path: str, made: dict[str, str], filled: dict[str, str]) -> tuple[int, str]:
    """Open a page or send its form, and give status and text."""
    at = path.format(**made)
    answer = browser.get(at) if method == "GET" else browser.post(at, **filled)
    assert answer.headers["content-security-policy"] == CONTENT_SECURITY_POLICY
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert not re.search(r"<script|\sstyle=|\son\w+=", answer.text)
    return answer.status_code, answer.text


@pytest.mark.parametrize(("method", "path", "role"), PAGE_CELLS)
def test_a_role_reaches_the_pages_of_the_access_table(served: TestServer, method: str, path: str, role: Role) -> None:
    visiting = visitors(served, role)[role]
    status, text = sent(visiting, method, path, page_places(served, path), fields(served, path))
    if "nowhere" in path:
        assert (status, "E_NOT_FOUND" in text, "<h1>" in text) == (404, True, True)
    else:
        assert status in (200, 303), text


@pytest.fixture(scope="module")
def within(closed: TestServer) -> dict[Role, Browser]:
    """Log in with each role."""
    return visitors(closed)


@pytest.mark.parametrize(("method", "path", "role"), CLOSED_PAGES)
def test_a_role_reaches_no_other_page(within: dict[Role, Browser], method: str, path: str, role: Role) -> None:
    status, text = sent(within[role], method, path, {**NAMED, **UNREAD}, FORMS.get(path, {}))
    assert (status, "E_FORBIDDEN" in text) == (403, True)


@pytest.mark.parametrize(("method", "path", "role"), OWN_PAGES)
def test_another_s_pages_are_not_reached(served: TestServer, method: str, path: str, role: Role) -> None:
    visitors(served, role)
    made = page_places(served, path)
    stranger = Browser(served)
    stranger.enter(served.house.keys.make("stranger", role, by="test", days=1)["key"])
    status, text = sent(stranger, method, path, made, FORMS.get(path, {}))
    assert (status, "E_NOT_FOUND" in text) == (404, True)


@pytest.mark.parametrize(("method", "path"), PAGES)
def test_without_a_session_every_page_redirects_to_the_login(closed: TestServer, method: str, path: str) -> None:
    answer = Browser(closed).client.request(method, re.sub(r"{\w+}", "x", path))
    assert (answer.status_code, answer.headers["location"]) == (303, "/console/login")


@pytest.mark.parametrize("path", [path for method, path in PAGES if method == "POST"])
def test_no_form_is_taken_without_the_token_of_its_session(within: dict[Role, Browser], path: str) -> None:
    role = next(role for role in Role if PAGES["POST", path].scope_of(role) is not Scope.NONE)
    other = next(each for each in Role if each is not role)
    for token in ("", "0" * 64, within[other].token):
        answer = within[role].post(path.format(**{**NAMED, **UNREAD}), token, **FORMS.get(path, {}))
        assert (answer.status_code, "E_FORBIDDEN" in answer.text) == (403, True)
