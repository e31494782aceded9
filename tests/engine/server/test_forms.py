"""Every form of the console is sent once, asks before it takes away, and keeps what was typed where it is refused."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from html import unescape
from typing import Any
from urllib.parse import urlencode

import pytest

from engine import Session
from engine.server.console import sessions as visits
from engine.server.console.sessions import PAGES, REPEATABLE_FORMS
from engine.server.http.roles import Role
from tests.support.server.serving import TestServer
from tests.support.server.visiting import FORM, Browser, visitors

COUNT = "SELECT count(*) AS visits FROM visit"
WHY = {"reason": "a test"}
# What is typed into each form, by its path; one with two buttons stands here twice.
TYPED: dict[str, tuple[Role, dict[str, str]]] = {
    "/console/logout": (Role.ADMIN, {}),
    "/console/ask": (Role.ANALYST, {"sql": COUNT, "do": "ask", "request_id": "form-1"}),
    "/console/jobs/{job_id}/cancel": (Role.ANALYST, {}),
    "/console/requests": (Role.ANALYST, {"rho": "0.1", **WHY}),
    "/console/shared/make": (Role.ANALYST, {"sql": COUNT}),
    "/console/shared/{share_id}/take": (Role.ANALYST, {}),
    "/console/shared/{share_id}/end": (Role.ANALYST, {}),
    "/console/clients/add": (Role.ADMIN, {"client": "new", **WHY}),
    "/console/clients/remove": (Role.ADMIN, {"client": "analyst", **WHY}),
    "/console/clients/cap": (Role.ADMIN, {"client": "analyst", "rho": "0.01", "scope": "each", **WHY}),
    "/console/clients/freeze": (Role.ADMIN, {"client": "analyst", **WHY}),
    "/console/clients/thaw": (Role.ADMIN, {"client": "analyst", **WHY}),
    "/console/clients/approve": (Role.ADMIN, WHY),
    "/console/clients/decline": (Role.ADMIN, WHY),
    "/console/keys/make": (Role.ADMIN, {"name": "new", "role": "analyst"}),
    "/console/keys/rotate": (Role.ADMIN, {}),
    "/console/keys/revoke": (Role.ADMIN, {}),
    "/console/objections/record": (Role.STEWARD, {"person": "7", **WHY}),
    "/console/objections/withdraw": (Role.STEWARD, {"person": "7", **WHY}),
    "/console/objections/figure": (Role.ADMIN, {"rho": "0.001"}),
    "/console/ledger/verify": (Role.ADMIN, {}),
}
ASKS_FIRST = {"/console/clients/remove", "/console/keys/revoke", "/console/shared/{share_id}/end"}


@dataclass
class Sent:
    """A form that is filled in and sent, as often as one likes."""

    served: TestServer
    browser: Browser
    path: str
    fields: dict[str, str] = field(default_factory=dict)

    def send(self) -> Any:
        """Send the very same form."""
        return self.browser.client.post(self.path, content=urlencode(self.fields), headers=FORM)

    def state(self) -> tuple[object, ...]:
        """Everything that a form could change: the chain, keys, shares, jobs."""
        house, session = self.served.house, self.served.house.worker.clerk.session  # type: ignore[attr-defined]
        jobs = [
            (row["id"], row["state"]) for row in house.tables.jobs_in_states("queued", "running", "done", "cancelled")
        ]
        shares = [row["id"] for row in house.tables.shares_of("")]
        acts = session.register.events(dataset=None)
        return (session.engine.ledger.anchor(), json.dumps(house.keys.list_keys()), jobs, shares, json.dumps(acts))


def prepared(served: TestServer, path: str) -> Sent:
    """Make what a form is about, and fill it in."""
    role, typed = TYPED[path]
    browsers = visitors(served)
    admin = served.house.worker.clerk.admin  # type: ignore[attr-defined]
    fields, place = dict(typed), path
    if "shared" in path:
        served.ask(COUNT)
        share = served.send("POST", "/v1/shares", json={"sql": COUNT}).json()
        place = path.replace("{share_id}", share["id"])
    if "job_id" in path:
        # no worker takes it up, so that nothing but the form changes anything
        job = {"id": "0" * 32, "client": "analyst", "request_id": "job", "body": "{}", "state": "queued"}
        served.house.tables.add_job({**job, "made_at": "2026-01-01T00:00:00.000+00:00"})
        place = path.replace("{job_id}", job["id"])
    if path.endswith("thaw"):
        admin.freeze(by="x", client="analyst", reason="x")
    if path.endswith(("approve", "decline")):
        fields["request"] = str(served.send("POST", "/v1/admin/topups", json={"rho": "0.1", **WHY}).json()["request"])
    if path.endswith(("rotate", "revoke")):
        fields["id"] = next(row["id"] for row in served.house.keys.list_keys() if row["role"] == "auditor")
    if path.endswith("verify"):
        fields["anchor"] = json.dumps(json.loads(served.send("GET", "/v1/admin/ledger/anchor", role).json()["anchor"]))
    browser = browsers[role]
    browser.get("/console/catalog")
    return Sent(served, browser, place, {"token": browser.token, **fields})


def forms() -> list[str]:
    """Walk every way to send something: those of a path with an action by each action."""
    posts = [path for method, path in PAGES if method == "POST"]
    for path in posts:
        at = re.compile(re.escape(path).replace(r"\{action\}", r"\w+") + "$")
        assert any(at.match(known) or known == path for known in TYPED), f"what is typed into {path}?"
    return list(TYPED)


def test_every_form_of_every_page_is_known(served: TestServer) -> None:
    """A form that is added has to be typed in here, and is then held by the tests below."""
    browsers = visitors(served)
    served.ask(COUNT)
    served.send("POST", "/v1/shares", json={"sql": COUNT})
    served.send("POST", "/v1/admin/topups", json={"rho": "0.1", **WHY})
    served.house.worker.clerk.admin.freeze(by="x", dataset="town", reason="x")  # type: ignore[attr-defined]
    known = [re.compile(re.sub(r"\{\w+\}", r"[^/]+", path) + "$") for path in forms()]
    seen = set()
    for browser in browsers.values():
        for path in (path for method, path in PAGES if method == "GET" and "{" not in path):
            text = browser.get(path).text
            for form in re.findall(r"<form method=\"post\".*?</form>", text, re.DOTALL):
                assert re.search(r'name="token" value="\w{96}"', form), (path, form)
                actions = re.findall(r'action="([^"]+)"', form)
                assert actions and all(any(each.match(action) for each in known) for action in actions), (path, form)
                seen |= set(actions)
            tokens = re.findall(r'name="token" value="(\w+)"', text)
            assert len(tokens) == len(set(tokens)), "two forms of a page are two"
    assert len(seen) >= 15


@pytest.mark.parametrize("path", [each for each in TYPED if each not in REPEATABLE_FORMS and each not in ASKS_FIRST])
def test_a_form_that_is_sent_again_does_nothing(served: TestServer, path: str) -> None:
    """Reloading the page of a new key made a second living key."""
    sent = prepared(served, path)
    before = sent.state()
    assert sent.send().status_code in (200, 303)
    after = sent.state()
    assert after != before, "the form changes something"
    again = sent.send()
    assert again.status_code == 409 and "E_STATE" in again.text and "sent already" in again.text
    assert sent.state() == after


@pytest.mark.parametrize("path", sorted(REPEATABLE_FORMS))
def test_repeatable_forms_change_nothing_the_second_time(served: TestServer, path: str) -> None:
    sent = prepared(served, path)
    assert sent.send().status_code in (200, 303)
    after = sent.state()
    assert sent.send().status_code in (200, 303)
    assert sent.state() == after


@pytest.mark.parametrize("path", sorted(ASKS_FIRST))
def test_destructive_forms_ask_for_confirmation(served: TestServer, path: str) -> None:
    sent = prepared(served, path)
    before = sent.state()
    asked = sent.send()
    assert asked.status_code == 200 and "<h1>Sure?</h1>" in asked.text and sent.state() == before
    (form,) = re.findall(r"<form method=\"post\" class.*?</form>", asked.text, re.DOTALL)
    sent.fields = {name: unescape(value) for name, value in re.findall(r'name="(\w+)" value="([^"]*)"', form)}
    assert sent.send().status_code == 303 and sent.state() != before
    after = sent.state()
    assert sent.send().status_code == 409 and sent.state() == after


@pytest.mark.parametrize(
    ("path", "wrong", "code"),
    [
        ("/console/clients/cap", {"rho": "much", "client": "anna<b>", "form": "cap"}, "E_PARAM"),
        ("/console/clients/add", {"client": "*owner", "form": "add"}, "E_PARAM"),
        ("/console/keys/make", {"name": "*owner", "role": "steward", "form": "key"}, "E_PARAM"),
        ("/console/requests", {"rho": "much", "form": "cap"}, "E_PARAM"),
        ("/console/objections/record", {"person": "not-a-number", "form": "object"}, "E_PARAM"),
    ],
)
def test_a_refused_form_keeps_what_was_typed(served: TestServer, path: str, wrong: dict[str, str], code: str) -> None:
    """It was a page of its own, and all was to be typed anew."""
    sent = prepared(served, path)
    sent.fields |= wrong
    before = sent.state()
    refused = sent.send()
    assert refused.status_code >= 400 and code in refused.text and 'role="alert"' in refused.text
    assert sent.state() == before
    typed = {name: value for name, value in sent.fields.items() if name not in ("token", "form", "role")}
    for name, value in typed.items():
        held = re.findall(rf'id="{wrong["form"]}-[\w-]+" name="{name}" value="([^"]*)"', refused.text)
        assert [unescape(each) for each in held] == [value], name
    assert "anna<b>" not in refused.text
    if "role" in wrong:
        assert re.search(r"<option selected>steward", refused.text)
    token = re.search(rf'value="(\w+)"><input type="hidden" name="form" value="{wrong["form"]}"', refused.text)
    assert token is not None
    sent.fields |= TYPED[path][1] | {"token": token[1]}
    assert sent.send().status_code in (200, 303) and sent.state() != before


def test_two_servers_of_one_ledger_take_a_form_once(served: TestServer) -> None:
    sessions = visits.sessions_of(served.house)
    token = sessions.form_token("a session")
    assert sessions.is_form_token("a session", token) and not sessions.is_form_token("another", token)
    assert sessions.record_form("a session", token) and not visits.sessions_of(served.house).record_form(
        "a session", token
    )


def test_a_token_that_is_not_remembered_is_found(
    served: TestServer, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The planted bug: every form counts as sent for the first time."""
    del session
    monkeypatch.setattr("engine.server.console.sessions.Sessions.record_form", lambda *_: True)
    with pytest.raises(AssertionError):
        test_a_form_that_is_sent_again_does_nothing(served, "/console/keys/make")
