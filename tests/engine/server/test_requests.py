"""What HTTP promises: heads that end, HEAD where GET is, whole lists of methods, 404 for what is not there, logins."""

from __future__ import annotations

import contextlib
import io
import re
import socket
import sys
import threading
import time
from collections.abc import Iterator

import h11
import httpx2
import pytest
import structlog
import uvicorn
from structlog.testing import capture_logs

from budgets import Ledger
from engine import Session
from engine.server.app import create_app
from engine.server.console.sessions import PAGES
from engine.server.http import protocol
from engine.server.http.protocol import BoundedProtocol
from engine.server.http.roles import OPEN, RULES, Role, Scope
from engine.server.settings import Settings
from engine.server.telemetry import configure_logging, log
from tests.support.server.serving import TestServer, bearer, inhabited
from tests.support.server.visiting import OPEN_PAGES
from tests.support.timeouts import MAX_SECONDS, until

SECONDS = 0.3
COUNT = "SELECT count(*) AS visits FROM visit"


# ---------------------------------------------------------------- requests that are sent in part


@pytest.fixture
def port(served: TestServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Serve over a port as a server does, with short times."""
    monkeypatch.setitem(protocol.RECEIVE_SECONDS, h11.IDLE, SECONDS)
    monkeypatch.setitem(protocol.RECEIVE_SECONDS, h11.SEND_BODY, SECONDS)
    app = create_app(served.house)
    server = uvicorn.Server(uvicorn.Config(app, "127.0.0.1", 0, http=BoundedProtocol, log_config=None, lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until(lambda: server.started)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    thread.join(MAX_SECONDS)


def received(line: socket.socket) -> bytes:
    """Return what came; nothing where the line was closed, or reset because something unread was sent before."""
    try:
        return line.recv(65_536)
    except ConnectionResetError:
        return b""


def closed_after(line: socket.socket, dribble: bytes = b"") -> float:
    """Wait until the server closes a line, sending on a byte at a time; give the seconds."""
    begun, left = time.monotonic(), iter(dribble)
    line.settimeout(SECONDS / 10)
    while time.monotonic() - begun < MAX_SECONDS:
        with contextlib.suppress(TimeoutError):
            if not received(line):
                break
        if (byte := next(left, None)) is not None:
            with contextlib.suppress(OSError):
                line.send(bytes([byte]))
    return time.monotonic() - begun


HEAD = b"POST /v1/queries HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET / HT",
        HEAD,
        HEAD + b"Content-Length: 500\r\n\r\n{",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /he",
    ],
    ids=["nothing", "half a line", "half a head", "half a body", "half of the next"],
)
def test_an_incomplete_request_is_closed(port: int, sent: bytes) -> None:
    """Half-sent heads were kept open for ever, even if bytes trickled in."""
    with socket.create_connection(("127.0.0.1", port)) as line:
        line.sendall(sent)
        assert SECONDS / 2 < closed_after(line, b"X-Slow: " + b"x" * 10_000) < 20 * SECONDS + 30


def test_a_complete_request_is_answered_however_long_it_takes(port: int, served: TestServer) -> None:
    with httpx2.Client(base_url=f"http://127.0.0.1:{port}", headers=bearer(served.keys[Role.ANALYST])) as client:
        for _ in range(3):
            assert client.post("/v1/explain", json={"sql": COUNT}).status_code == 200
            time.sleep(2 * SECONDS)  # the line is kept between requests


# ---------------------------------------------------------------- methods

GETS = sorted({path for method, path in (*RULES, *OPEN, *PAGES, *OPEN_PAGES) if method == "GET"})


def filled(path: str) -> str:
    return re.sub(r"\{\w+\}", "nope", path)


@pytest.mark.parametrize("path", GETS)
def test_head_is_get_without_its_body(served: TestServer, path: str) -> None:
    """It was 405."""
    until(lambda: served.send("GET", "/readyz", None).status_code == 200)
    role = next(
        (each for each in Role if ("GET", path) in RULES and RULES["GET", path].scope_of(each) != Scope.NONE), None
    )
    got, head = (served.send(method, filled(path), role, follow_redirects=False) for method in ("GET", "HEAD"))
    assert head.status_code == got.status_code and head.content == b""
    assert head.headers.get("content-type") == got.headers.get("content-type")
    assert "content-length" not in got.headers or "content-length" in head.headers


def test_allow_lists_all_methods_of_a_path(served: TestServer) -> None:
    """It named those of the first route alone."""
    methods: dict[str, set[str]] = {}
    for method, path in RULES:
        methods.setdefault(filled(path), set()).add(method)
    for path, wanted in methods.items():
        answer = served.send("PATCH", path, None)
        assert answer.status_code == 405 and answer.json()["code"] == "E_METHOD"
        allowed = set(answer.headers["allow"].split(", "))
        assert allowed == wanted | ({"HEAD"} if "GET" in wanted else set()), path


# ---------------------------------------------------------------- what is not there

BODIES = {"/v1/admin/topups/{request}/approve": {"reason": "x"}, "/v1/admin/topups/{request}/decline": {"reason": "x"}}
HIDDEN = {"/v1/standing/{name}"}  # 403, whether it is there or not


@pytest.mark.parametrize(("method", "path"), [each for each in RULES if "{" in each[1] and each[1] not in HIDDEN])
def test_what_a_path_names_and_is_not_there_is_404(served: TestServer, method: str, path: str) -> None:
    """An unknown table was 400, as a question about it is."""
    role = next(each for each in Role if RULES[method, path].scope_of(each) is not Scope.NONE)
    place = path.replace("{request}", "99").replace("{client}", "nope?reason=x")
    body = BODIES.get(path, {}) if method == "POST" else None
    answer = served.send(method, filled(place), role, json=body)
    assert (answer.status_code, answer.json()["code"]) == (404, "E_NOT_FOUND")


def test_an_existing_resource_is_refused_with_the_specific_error(served: TestServer) -> None:
    assert served.send("GET", "/v1/tables/VISIT").status_code == 200
    assert served.send("GET", "/v1/tables/visit/outlines").json()["code"] != "E_NOT_FOUND"


# ---------------------------------------------------------------- logins


def test_failed_logins_are_logged_with_their_address_and_nothing_of_the_key(served: TestServer) -> None:
    key = "pby_" + "S3CR3T" * 7
    with capture_logs() as logged:
        assert served.client.get("/v1/me", headers=bearer(key)).status_code == 401
        token = re.search(r'name="token" value="([^"]+)"', served.client.get("/console/login").text)
        assert token is not None
        form = {"key": key, "token": token[1]}
        assert served.client.post("/console/login", data=form).status_code == 401
    found = [each for each in logged if each["event"] == "login failed"]
    assert [(each["address"], each["where"]) for each in found] == [
        ("testclient", "a key in a header"),
        ("testclient", "the console's form"),
    ]
    assert "S3CR3T" not in str(logged)


def test_the_logged_address_is_behind_a_trusted_proxy(served: TestServer) -> None:
    from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

    app = ProxyHeadersMiddleware(create_app(served.house), trusted_hosts=Settings().proxy_addresses)
    from starlette.testclient import TestClient

    told = {**bearer("pby_none"), "X-Forwarded-For": "203.0.113.9"}
    with capture_logs() as logged:
        for peer in ("127.0.0.1", "198.51.100.1"):
            TestClient(app, client=(peer, 1)).get("/v1/me", headers=told)
    assert [each["address"] for each in logged if each["event"] == "login failed"] == ["203.0.113.9", "198.51.100.1"]


# ---------------------------------------------------------------- repeats


def test_tiles_that_are_refreshed_add_nothing_to_the_chain(session: Session) -> None:
    """Each refresh was a row: 20 tiles a minute were 45 MB a day."""
    with inhabited(session) as served:
        bought = served.ask(COUNT, headers={"Idempotency-Key": "bought"}).json()
        before = session.engine.ledger.anchor()
        for number in range(20):
            again = served.ask(COUNT, headers={"Idempotency-Key": f"tile {number}"})
            assert again.json()["rows"] == bought["rows"]
        assert served.ask(COUNT, headers={"Idempotency-Key": "bought"}).json()["rows"] == bought["rows"]
        assert session.engine.ledger.anchor() == before
        other = f"{COUNT} WHERE minutes > 5"
        refused = served.ask(other, headers={"Idempotency-Key": "bought"})
        assert (refused.status_code, refused.json()["code"]) == (422, "E_IDEMPOTENCY")
        session.engine.ledger.write_repeats(all_hours=True)
        assert [row.content["times"] for row in session.engine.ledger.entries(kind="repeated")] == [20]


def test_a_charged_key_that_is_not_looked_up_is_found(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: any key whose query is paid for is free, so that one key serves two queries."""
    monkeypatch.setattr(Ledger, "is_charged", lambda *_: False)
    with inhabited(session) as served:
        other = f"{COUNT} WHERE minutes > 5"
        for sql in (COUNT, other):
            served.ask(sql, headers={"Idempotency-Key": sql})
        assert served.ask(other, headers={"Idempotency-Key": COUNT}).status_code == 200, "without the plant it is 422"
    monkeypatch.undo()
    with inhabited(session) as served:
        assert served.ask(other, headers={"Idempotency-Key": COUNT}).json()["code"] == "E_IDEMPOTENCY"


# ---------------------------------------------------------------- the log


def test_an_unwritable_log_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a full disk each line raised, and what was to be answered was not."""

    class Full(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(28, "No space left on device")

    configured = structlog.get_config()
    try:
        configure_logging()
        closed = io.StringIO()
        closed.close()
        for broken in (Full(), closed):
            monkeypatch.setattr(sys, "stderr", broken)
            log.info("request", route="/healthz")
        monkeypatch.setattr(sys, "stderr", told := io.StringIO())
        log.info("request", route="/healthz")
        assert "/healthz" in told.getvalue()
    finally:
        structlog.configure(**configured)
