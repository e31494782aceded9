"""The matrix of the console, cell by cell: page or form x role x own or another's."""

from __future__ import annotations

import re

import pytest

from engine.server.console.visits import POLICY
from engine.server.roles import PAGES, Reach, Role
from tests.support.patience import until
from tests.support.serving import Inhabited
from tests.support.visiting import Browser, visitors

COUNT = "SELECT count(*) AS visits FROM visit"
WHY = {"reason": "a test"}
FORMS = {  # what is accepted from whoever may send it
    "/console/ask": {"sql": COUNT, "do": "ask"},
    "/console/shared/make": {"sql": COUNT},
    "/console/requests": {"rho": "0.15", **WHY},
    "/console/clients/{action}": {"client": "new", **WHY},
    "/console/objections/{action}": {"rho": "0.001"},
    "/console/keys/{action}": {"name": "new", "role": "analyst"},
}
ACTIONS = {
    "/console/clients/{action}": "add",
    "/console/keys/{action}": "make",
    "/console/objections/{action}": "figure",
}
CELLS = [(*page, role) for page in PAGES for role in Role]
OWN = [(*page, role) for page in PAGES for role in Role if PAGES[page].reach(role) is Reach.OWN and "_id}" in page[1]]


def fields(served: Inhabited, path: str) -> dict[str, str]:
    """Fill in what a form asks for."""
    if path == "/console/ledger/verify":
        return {"anchor": served.send("GET", "/v1/admin/ledger/anchor", Role.ADMIN).json()["anchor"]}
    return FORMS.get(path, {})


def places(served: Inhabited, path: str) -> dict[str, str]:
    """Make one of what a path names, of the analyst's own."""
    made = {"action": ACTIONS.get(path, ""), "nowhere": "no/such/page"}
    if "{job_id}" in path:
        made["job_id"] = served.ask(COUNT, headers={"Prefer": "respond-async"}).json()["id"]
        until(lambda: served.send("GET", f"/v1/jobs/{made['job_id']}").json()["state"] == "done")
    if "shared" in path:
        served.ask(COUNT)
        made["share_id"] = served.send("POST", "/v1/shares", json={"sql": COUNT}).json()["id"]
    return made


def sent(browser: Browser, method: str, path: str, made: dict[str, str], filled: dict[str, str]) -> tuple[int, str]:
    """Open a page or send its form, and give status and text."""
    at = path.format(**made)
    answer = browser.get(at) if method == "GET" else browser.post(at, **filled)
    assert answer.headers["content-security-policy"] == POLICY
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert not re.search(r"<script|\sstyle=|\son\w+=", answer.text)
    return answer.status_code, answer.text


@pytest.mark.parametrize(("method", "path", "role"), CELLS)
def test_a_role_reaches_what_the_table_says(served: Inhabited, method: str, path: str, role: Role) -> None:
    visiting = visitors(served, role)[role]
    status, text = sent(visiting, method, path, places(served, path), fields(served, path))
    if PAGES[method, path].reach(role) is Reach.NONE:
        assert (status, "E_FORBIDDEN" in text) == (403, True)
    elif "nowhere" in path:
        assert (status, "E_NOT_FOUND" in text, "<h1>" in text) == (404, True, True)
    else:
        assert status in (200, 303), text


@pytest.mark.parametrize(("method", "path", "role"), OWN)
def test_another_s_things_are_not_reached(served: Inhabited, method: str, path: str, role: Role) -> None:
    visitors(served, role)
    made = places(served, path)
    stranger = Browser(served)
    stranger.enter(served.house.keys.make("stranger", role, by="test", days=1)["key"])
    status, text = sent(stranger, method, path, made, FORMS.get(path, {}))
    assert (status, "E_NOT_FOUND" in text) == (404, True)


@pytest.mark.parametrize(("method", "path"), PAGES)
def test_without_a_session_every_page_leads_to_the_door(served: Inhabited, method: str, path: str) -> None:
    named = re.sub(r"{\w+}", "x", path)
    answer = Browser(served).client.request(method, named)
    assert (answer.status_code, answer.headers["location"]) == (303, "/console/login")


@pytest.mark.parametrize("path", [path for method, path in PAGES if method == "POST"])
def test_no_form_is_taken_without_the_token_of_its_session(served: Inhabited, path: str) -> None:
    role = next(role for role in Role if PAGES["POST", path].reach(role) is not Reach.NONE)
    other = next(each for each in Role if each is not role)
    visiting, made = visitors(served, role, other), places(served, path)
    for token in ("", "0" * 64, visiting[other].token):
        answer = visiting[role].post(path.format(**made), token, **FORMS.get(path, {}))
        assert (answer.status_code, "E_FORBIDDEN" in answer.text) == (403, True)
