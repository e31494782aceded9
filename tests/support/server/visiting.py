"""A browser without scripts, which submits the console's forms."""

from __future__ import annotations

import re
from urllib.parse import urlencode

import httpx2
from starlette.testclient import TestClient

from engine.server.http.roles import Role
from tests.support.server.serving import TestServer

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
OPEN_PAGES = frozenset(  # for whoever has no session yet
    {("GET", "/"), ("GET", "/console/login"), ("POST", "/console/login"), ("GET", "/console/console.css")}
)
TOKEN = re.compile(r'name="token" value="(\w+)"')


class Browser:
    """A browser without scripts."""

    def __init__(self, served: TestServer) -> None:
        """Use a server with separate cookies."""
        self.client = TestClient(served.client.app, raise_server_exceptions=False, follow_redirects=False)
        self.token = ""

    def get(self, path: str, **query: str) -> httpx2.Response:
        """Open a page."""
        return self._seen(self.client.get(path, params=query))

    def _seen(self, answer: httpx2.Response) -> httpx2.Response:
        """Remember the token of one of the page's forms."""
        if found := TOKEN.search(answer.text):
            self.token = found[1]
        return answer

    def post(self, path: str, token: str | None = None, **fields: str) -> httpx2.Response:
        """Submit a form, by default with an unused token."""
        if token is None:
            if not self.token:
                self.get("/console/catalog")
            token, self.token = self.token, ""
        return self._seen(self.client.post(path, content=urlencode({"token": token, **fields}), headers=FORM))

    def enter(self, key: str) -> httpx2.Response:
        """Log in."""
        self.get("/console/login")
        answer = self.post("/console/login", key=key)
        if answer.status_code == 303:
            self.get("/console")
        return answer


def visitors(served: TestServer, *roles: Role) -> dict[Role, Browser]:
    """Log in with some roles, by default all, and make the analyst a client."""
    admin = served.house.worker.clerk.admin  # type: ignore[attr-defined]
    admin.add_client("analyst", by="test", reason="a test")
    made = {role: Browser(served) for role in roles or Role}
    for role, browser in made.items():
        assert browser.enter(served.keys[role]).status_code == 303
    return made
