"""HTTP client of a server, with the same methods as the engine's session in process.

A request is retried where that is safe: its idempotency key ensures that it is charged once.
"""

from __future__ import annotations

import json
import ssl
import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from passersby.client.address import KEY, api_key_of, is_loopback, server_url
from passersby.client.progress import Tell, shown_waiting
from passersby.errors import AccessError, PassersbyError, RefusedError, ServerError, error_of

if TYPE_CHECKING:
    import pyarrow
    from httpx2 import Client, Response, TransportError


ARROW = "application/vnd.apache.arrow.stream"
PATIENCE_SECONDS = 60.0  # how long requests are retried
FIRST_SECONDS, LONGEST_SECONDS = 0.25, 8.0  # backoff between retries, doubled each time
CONNECT_SECONDS, READ_SECONDS = 5.0, 90.0  # a server responds within its deadline of a minute, or with a job
AGAIN = (429, 502, 503, 504)
FOR_GOOD = {"E_CATALOG", "E_DATA", "E_INSTALL"}  # not retryable
LATER = {"E_NETWORK", "E_BUSY", "E_RATE"}


@dataclass
class Line:
    """HTTP connection to one server with one API key."""

    url: str
    key: str = field(repr=False)
    patience_seconds: float = PATIENCE_SECONDS
    _client: Client | None = field(default=None, repr=False)

    def send(self, method: str, path: str, request_id: str = "", **request: Any) -> Response:  # noqa: ANN401  as httpx2 takes it
        """Send a request, with retries; raise the server's refusal, or ServerError when retries are exhausted."""
        began, tries = time.monotonic(), 0
        while True:
            tried = self._try(method, path, request_id, request)
            if not isinstance(tried, _Later):
                return tried
            pause = max(tried.after_seconds, _pause(tries, request_id))
            if time.monotonic() - began + pause > self.patience_seconds:
                raise tried.error
            time.sleep(pause)
            tries += 1

    def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def _try(self, method: str, path: str, request_id: str, request: Mapping[str, Any]) -> Response | _Later:
        import httpx2

        headers = {**request.get("headers", {}), **({"Idempotency-Key": request_id} if request_id else {})}
        try:
            response = self._opened().request(method, path, **{**request, "headers": headers})
        except httpx2.TransportError as broken:
            return _broken(self.url, broken, request_id)
        if response.is_success:
            return response
        error = _said_no(self.url, response, request_id)
        if response.status_code not in AGAIN or error.code in FOR_GOOD:
            raise error
        return _Later(error, _seconds(response.headers.get("Retry-After")))

    def _opened(self) -> Client:
        import httpx2

        if self._client is None:
            parts = urlsplit(self.url)
            secure = _vouched() if parts.scheme == "https" else True
            self._client = httpx2.Client(
                base_url=self.url,
                headers={"Authorization": f"Bearer {self.key}", "User-Agent": "passersby"},
                timeout=httpx2.Timeout(READ_SECONDS, connect=CONNECT_SECONDS),
                follow_redirects=False,  # the key is sent to the given address only
                trust_env=not is_loopback(parts),  # no proxy for this machine
                verify=secure,
            )
        return self._client


@dataclass(frozen=True)
class _Later:
    """A retryable failure, and the minimum delay before the retry."""

    error: PassersbyError
    after_seconds: float = 0.0


def _vouched() -> ssl.SSLContext:
    """Build the TLS context with the system's trusted authorities; raise RefusedError for a bad SSL_CERT_FILE."""
    import httpx2

    try:
        return httpx2.create_ssl_context()
    except OSError as unread:  # SSLError is one
        why = f"SSL_CERT_FILE or SSL_CERT_DIR names what holds no certificates ({type(unread).__name__})."
        raise RefusedError("E_PARAM", why, "a file in PEM, or none of these variables") from None


def _pause(tries: int, request_id: str) -> float:
    """Delay before the next retry: exponential backoff with jitter derived from the request id."""
    spread = 1 + (sum(request_id.encode()) % 50) / 100
    return float(min(LONGEST_SECONDS, FIRST_SECONDS * 2**tries) * spread)


def _seconds(text: str | None) -> float:
    """Parse Retry-After; the HTTP-date form, which passersby does not send, counts as 0."""
    return float(text) if text is not None and text.isdecimal() else 0.0


def _broken(url: str, broken: TransportError, request_id: str) -> _Later:
    """Build the retryable failure of a request without a response; raise ServerError at once for TLS failures."""
    cause: BaseException | None = broken
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            why = f"{url} has a certificate that is not taken: {cause.verify_message.rstrip('.')}."
            raise ServerError("E_NETWORK", why, "ask who runs it; SSL_CERT_FILE names further authorities") from None
        if isinstance(cause, ssl.SSLError):
            why = f"{url} does not speak TLS as it should ({cause.reason})."
            raise ServerError("E_NETWORK", why, "see that it is https:// that this port speaks") from None
        cause = cause.__cause__ or cause.__context__
    return _Later(_unreachable(f"{url} does not answer ({type(broken).__name__}).", request_id))


def _said_no(url: str, response: Response, request_id: str) -> PassersbyError:
    """Parse an error response; anything else than a problem document comes from a proxy or another service."""
    try:
        told = response.json()
        problem = {key: told[key] for key in told if key not in ("type", "title", "status", "detail")}
        error = error_of(problem)
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError):
        why = f"{url} answers with status {response.status_code}, and not as passersby does."
        return (
            _unreachable(why, request_id)
            if response.status_code in AGAIN
            else ServerError("E_NETWORK", why, "its address")
        )
    if error.code == "E_AUTH":
        error.hint = f"give api_key=..., or set {KEY}: a key that an admin made"
    return _with_id(error, request_id) if error.code in LATER else error


def _unreachable(why: str, request_id: str) -> PassersbyError:
    return _with_id(ServerError("E_NETWORK", why, "see that the address is right and the server runs"), request_id)


def _with_id(error: PassersbyError, request_id: str) -> PassersbyError:
    """Add the request id to an error's hint, so that a retry is not charged twice."""
    if request_id:
        error.hint = (
            f"later: the same question with request_id={request_id!r}, which is charged once, however often it is sent"
        )
        error.details["request_id"] = request_id
    return error


WAIT_SECONDS = 3  # after which a query continues as a job with progress
POLL_SECONDS, LONGEST_POLL_SECONDS = 0.1, 2.0
STARTED = 202
ACCEPT = {"Accept": ARROW}
WAITING = {**ACCEPT, "Prefer": f"respond-async, wait={WAIT_SECONDS}"}
FIRST_PATIENCE_SECONDS = 2.0  # fails soon for a wrong address
Row = dict[str, Any]


@dataclass(frozen=True)
class Remote:
    """A session at a server; the API key determines the client."""

    line: Line
    name: str
    role: str

    def query(self, sql: str, *, client: str, request_id: str | None = None, **terms: object) -> pyarrow.Table:
        """Run a query and pay for it; the idempotency key is made once, so that retries are not charged again."""
        del client
        request_id = request_id or str(uuid.uuid4())
        with shown_waiting() as tell:
            answer = self.line.send(
                "POST", "/v1/queries", request_id=request_id, json=_asked(sql, terms), headers=WAITING
            )
            return _table(self._ended(answer, tell, request_id))

    def rehearse(self, sql: str, *, client: str, **terms: object) -> pyarrow.Table:
        """Run a query on synthetic rows."""
        del client
        with shown_waiting("Rehearsing: making up rows, and answering over them"):
            return _table(self.line.send("POST", "/v1/rehearse", json=_asked(sql, terms), headers=ACCEPT))

    def explain(self, sql: str, *, client: str, **terms: object) -> Row:
        """Return price and expected error of a query."""
        del client
        told: Row = self.line.send("POST", "/v1/explain", json=_asked(sql, terms)).json()
        return told

    def plan(self, text: str, *, client: str, rho: str, confidence: float | None, apply: bool) -> Row:
        """Plan several queries; with `apply`, run each as planned."""
        with shown_waiting("Planning: what each question costs, and which answers say others"):
            asked = {"questions": text, "rho": rho, **({} if confidence is None else {"confidence": confidence})}
            told: Row = self.line.send("POST", "/v1/plan", json=asked).json()
        before = self._paid(client) if apply else {}
        try:
            for each in told["questions"] if apply else ():
                if each["rho"]:
                    exact = f"{each['rho']:.12f}"  # in units of the ledger
                    bought = self.query(each["sql"], client=client, rho=exact, confidence=confidence)
                    told["charged_rho"] += json.loads(bought.schema.metadata[b"passersby"])["price"]["rho"]
        except PassersbyError as refused:
            with suppress(PassersbyError):  # otherwise the sum so far is a lower bound
                told["charged_rho"] = sum(rho for key, rho in self._paid(client).items() if key not in before)
            refused.details["charged_rho"] = told["charged_rho"]
            raise
        return {**told, "applied": apply}

    def _paid(self, client: str) -> dict[str, float]:
        """Return the rho of each release that a client has paid for, stored or not."""
        return {each["release_id"]: each["rho"] for each in self.history(client)}

    def standing(self, name: str, window: str | None) -> pyarrow.Table:
        """Fetch the result of a scheduled query."""
        given = {} if window is None else {"window": window}
        path = f"/v1/standing/{quote(name, safe='')}"
        return _table(self.line.send("GET", path, params=given, headers=ACCEPT))

    def standings(self) -> list[Row]:
        """List the scheduled queries that the key's client may see."""
        told: list[Row] = self._get("/v1/standing")
        return told

    def functions(self) -> list[Row]:
        """List functions."""
        told: list[Row] = self._get("/v1/functions")
        return told

    def budget(self, client: str | None = None) -> Row:
        """Return the accounts."""
        told: Row = self._get("/v1/budget", client=client)
        return told

    def history(self, client: str) -> list[Row]:
        """List the releases that a client has paid for."""
        told: list[Row] = self._get("/v1/history", client=client)
        return told

    def ledger(self, client: str | None = None, limit: int | None = None) -> list[Row]:
        """List ledger entries; for admins and auditors."""
        told: list[Row] = self._get("/v1/admin/ledger", client=client, limit=limit)
        return told

    def verify(self, anchor: str | None = None) -> Row:
        """Verify the ledger; returns its last entry and every fault found. For admins and auditors."""
        with shown_waiting("Verifying: every hash and table of the ledger is made anew"):
            told: Row = self.line.send("POST", "/v1/admin/ledger/verify", json={"anchor": anchor}).json()
            return told

    def audit(self, **chosen: str | None) -> list[Row]:
        """List queries with client and time, and admin operations; for admins and auditors."""
        told: list[Row] = self._get("/v1/admin/ledger/audit", **chosen)
        return told

    def report(self, *, html: bool) -> str:
        """Fetch the report for regulators, as HTML or text; for admins and auditors."""
        accepted = {"Accept": "text/html" if html else "text/plain"}
        return str(self.line.send("GET", "/v1/admin/ledger/report", headers=accepted).text)

    def anchor(self) -> str:
        """Fetch an anchor of the ledger's last entry as one line of JSON; for admins and auditors."""
        return str(self._get("/v1/admin/ledger/anchor")["anchor"])

    def tables(self, name: str | None = None) -> list[Row]:
        """List tables with their columns, or describe one."""
        return self._get("/v1/tables") if name is None else [self._get(f"/v1/tables/{quote(name, safe='')}")]

    def outlines(self, name: str) -> Row:
        """Fetch polygons of a public table as GeoJSON."""
        told: Row = self._get(f"/v1/tables/{quote(name, safe='')}/outlines")
        return told

    def close(self) -> None:
        """Close the HTTP connection."""
        self.line.close()

    def _get(self, path: str, **given: object) -> Any:  # noqa: ANN401  JSON
        asked = {name: str(value) for name, value in given.items() if value is not None}
        return self.line.send("GET", path, params=asked).json()

    def _ended(self, answer: Response, tell: Tell, request_id: str) -> Response:
        """Wait for an asynchronous job, if the response is one, and report its progress."""
        if answer.status_code != STARTED:
            return answer
        job, pause = answer.json(), POLL_SECONDS
        path = f"/v1/jobs/{quote(str(job['id']), safe='')}"
        while job["state"] in ("queued", "running"):
            tell(float(job["progress"]))
            time.sleep(pause)
            pause = min(LONGEST_POLL_SECONDS, pause * 1.5)
            job = self.line.send("GET", path, request_id).json()
        return self.line.send("GET", f"{path}/result", request_id, headers=ACCEPT)


def reach(where: str, *, client: str | None, api_key: str | None) -> tuple[Remote, str]:
    """Connect to a server, and return the client charged; raise RefusedError, AccessError or ServerError."""
    line = Line(server_url(where), api_key_of(api_key), FIRST_PATIENCE_SECONDS)
    try:
        me = line.send("GET", "/v1/me").json()
        remote = Remote(Line(line.url, line.key), str(me["name"]), str(me["role"]))
    except (KeyError, TypeError, ValueError):
        raise ServerError("E_NETWORK", f"{line.url} does not answer as passersby does.", "its address") from None
    finally:
        line.close()
    if client is not None and client != remote.name and remote.role in ("analyst", "steward"):
        raise AccessError("E_AUTH", f"This key is that of {remote.name!r}.", f"leave client={client!r} out")
    return remote, client or remote.name


def _asked(sql: str, terms: dict[str, Any]) -> Row:
    return {"sql": sql, **{name: value for name, value in terms.items() if value is not None}}


def _table(answer: Response) -> pyarrow.Table:
    """Read an Arrow stream; padding to a public length follows its end mark."""
    import pyarrow

    try:
        return pyarrow.ipc.open_stream(answer.content).read_all()
    except pyarrow.ArrowInvalid:
        raise RefusedError("E_NETWORK", "What came is no Arrow stream.", "see what stands before the server") from None
