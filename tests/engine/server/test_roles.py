"""The matrix of roles, cell by cell: endpoint x role x own or another's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from starlette.routing import Route

from engine.server.app import create_app
from engine.server.roles import OPEN, OPEN_PAGES, PAGES, RULES, Reach, Role
from tests.support.patience import until
from tests.support.serving import Inhabited, bearer

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
    ("POST", "/v1/plan"): Sent(
        {"questions": f"{COUNT['sql']};\nSELECT zone, count(*) AS n FROM visit GROUP BY zone", "rho": 0.01}
    ),
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
CELLS = [(*endpoint, role) for endpoint in RULES for role in Role]


def places(served: Inhabited, role: Role, path: str) -> dict[str, str]:
    """Make a client, a freeze, and of what a path names one of the role's own: a job, a share, a key, a request."""
    admin = served.house.line.clerk.admin  # type: ignore[attr-defined]
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


def _job(served: Inhabited) -> str:
    made = served.ask(COUNT["sql"], headers={"Prefer": "respond-async"}).json()
    until(lambda: served.send("GET", f"/v1/jobs/{made['id']}").json()["state"] == "done")
    return str(made["id"])


def _share(served: Inhabited) -> str:
    return str(served.send("POST", "/v1/shares", json=COUNT).json()["id"])


def test_every_endpoint_is_in_the_table_and_nothing_else_is(served: Inhabited) -> None:
    routes = list(_routes(create_app(served.house).routes))
    there = {(method, route.path.replace(":path", "")) for route in routes for method in route.methods or ()}
    assert there - {("HEAD", "/openapi.json")} == RULES.keys() | OPEN | PAGES.keys() | OPEN_PAGES


def _routes(routes: Iterable[Any]) -> Iterator[Route]:
    for route in routes:
        inside = getattr(route, "original_router", None)
        yield from [route] if inside is None else _routes(inside.routes)


@pytest.mark.parametrize(("method", "path", "role"), CELLS)
def test_a_role_reaches_what_the_table_says(served: Inhabited, method: str, path: str, role: Role) -> None:
    reach, sent = RULES[method, path].reach(role), SENT.get((method, path), Sent())
    more = sent.params | (sent.also if reach is Reach.ANY else {})
    answer = served.send(method, path.format(**places(served, role, path)), role, json=sent.json, params=more)
    if reach is Reach.NONE:
        assert (answer.status_code, answer.json()["code"]) == (403, "E_FORBIDDEN")
        told = answer.json()["hint"].partition(";")[0]
        assert [each for each in Role if each in told] == [e for e in Role if RULES[method, path].reach(e) is not reach]
    elif path == "/v1/tables/{name}/outlines":  # reached: the town has no polygons
        assert answer.json()["code"] == "E_TABLE"
    elif path == "/v1/standing/{name}":  # reached: the town has no standing questions
        assert "entitled to no standing question" in answer.json()["message"]
    else:
        assert answer.is_success, answer.text


@pytest.mark.parametrize(("method", "path"), RULES)
def test_without_a_key_nothing_is_reached(served: Inhabited, method: str, path: str) -> None:
    named = path.format(job_id="j", share_id="s", client="c", request="1", key_id="k", name="n")
    answer = served.send(method, named, None)
    assert (answer.status_code, answer.json()["code"]) == (401, "E_AUTH")
    assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize(("method", "path"), sorted(OPEN))
def test_what_is_open_needs_no_key(served: Inhabited, method: str, path: str) -> None:
    assert served.send(method, path, None).status_code == 200


OWN = [cell for cell in CELLS if RULES[cell[0], cell[1]].reach(cell[2]) is Reach.OWN]
NAMES_NOBODY = {
    "/v1/queries",
    "/v1/explain",
    "/v1/rehearse",
    "/v1/plan",
    "/v1/standing",
    "/v1/me",
}  # the key alone says whose


@pytest.mark.parametrize(("method", "path", "role"), OWN)
def test_another_s_things_are_not_reached(served: Inhabited, method: str, path: str, role: Role) -> None:
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


def _other_s_key(served: Inhabited, role: Role) -> str:
    return str(served.send("GET", "/v1/me", role).json()["key_id"])


def _ledger(served: Inhabited) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = served.send("GET", "/v1/admin/ledger", Role.ADMIN).json()
    return rows
