"""HTTP client of a server, with the same methods as the engine's session in process.

A request is retried where that is safe: its idempotency key ensures that it is charged once.
"""

from __future__ import annotations

import json
import ssl
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from passersby.client.address import API_KEY_VARIABLE, is_loopback, resolve_api_key, server_url
from passersby.client.progress import FractionCallback, show_waiting
from passersby.errors import AccessError, PassersbyError, RefusedError, ServerError, error_from_problem

if TYPE_CHECKING:
    import pyarrow
    from httpx2 import Client, Response, TransportError


ARROW = "application/vnd.apache.arrow.stream"
RETRY_SECONDS = 60.0  # how long requests are retried
MIN_BACKOFF_SECONDS, MAX_BACKOFF_SECONDS = 0.25, 8.0  # backoff between retries, doubled each time
CONNECT_SECONDS, READ_SECONDS = 5.0, 90.0  # a server responds within its deadline of a minute, or with a job
RETRYABLE_STATUSES = (429, 502, 503, 504)
PERMANENT_CODES = {"E_CATALOG", "E_DATA", "E_INSTALL"}  # not retryable
RESUMABLE_CODES = {"E_NETWORK", "E_BUSY", "E_RATE"}


@dataclass
class HttpTransport:
    """HTTP connection to one server with one API key."""

    url: str
    key: str = field(repr=False)
    retry_seconds: float = RETRY_SECONDS
    _client: Client | None = field(default=None, repr=False)

    def send(self, method: str, path: str, request_id: str = "", **request: Any) -> Response:  # noqa: ANN401  as httpx2 takes it
        """Send a request, with retries; raise the server's refusal, or ServerError when retries are exhausted."""
        began, tries = time.monotonic(), 0
        while True:
            outcome = self._try(method, path, request_id, request)
            if not isinstance(outcome, _Retryable):
                return outcome
            pause = max(outcome.after_seconds, _backoff_seconds(tries, request_id))
            if time.monotonic() - began + pause > self.retry_seconds:
                raise outcome.error
            time.sleep(pause)
            tries += 1

    def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def _try(self, method: str, path: str, request_id: str, request: Mapping[str, Any]) -> Response | _Retryable:
        import httpx2

        headers = {**request.get("headers", {}), **({"Idempotency-Key": request_id} if request_id else {})}
        try:
            response = self._http_client().request(method, path, **{**request, "headers": headers})
        except httpx2.TransportError as broken:
            return _transport_failure(self.url, broken, request_id)
        if response.is_success:
            return response
        error = _error_from_response(self.url, response, request_id)
        if response.status_code not in RETRYABLE_STATUSES or error.code in PERMANENT_CODES:
            raise error
        return _Retryable(error, _parse_retry_after(response.headers.get("Retry-After")))

    def _http_client(self) -> Client:
        import httpx2

        if self._client is None:
            parts = urlsplit(self.url)
            ssl_context = _ssl_context() if parts.scheme == "https" else True
            self._client = httpx2.Client(
                base_url=self.url,
                headers={"Authorization": f"Bearer {self.key}", "User-Agent": "passersby"},
                timeout=httpx2.Timeout(READ_SECONDS, connect=CONNECT_SECONDS),
                follow_redirects=False,  # the key is sent to the given address only
                trust_env=not is_loopback(parts),  # no proxy for this machine
                verify=ssl_context,
            )
        return self._client


@dataclass(frozen=True)
class _Retryable:
    """A retryable failure, and the minimum delay before the retry."""

    error: PassersbyError
    after_seconds: float = 0.0


def _ssl_context() -> ssl.SSLContext:
    """Build the TLS context with the system's trusted authorities; raise RefusedError for a bad SSL_CERT_FILE."""
    import httpx2

    try:
        return httpx2.create_ssl_context()
    except OSError as unread:  # SSLError is one
        why = f"SSL_CERT_FILE or SSL_CERT_DIR names what holds no certificates ({type(unread).__name__})."
        raise RefusedError("E_PARAM", why, "a file in PEM, or none of these variables") from None


def _backoff_seconds(tries: int, request_id: str) -> float:
    """Delay before the next retry: exponential backoff with jitter derived from the request id."""
    spread = 1 + (sum(request_id.encode()) % 50) / 100
    return float(min(MAX_BACKOFF_SECONDS, MIN_BACKOFF_SECONDS * 2**tries) * spread)


def _parse_retry_after(text: str | None) -> float:
    """Parse Retry-After; the HTTP-date form, which passersby does not send, counts as 0."""
    return float(text) if text is not None and text.isdecimal() else 0.0


def _transport_failure(url: str, error: TransportError, request_id: str) -> _Retryable:
    """Build the retryable failure of a request without a response; raise ServerError at once for TLS failures."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            why = f"{url} has a certificate that is not taken: {cause.verify_message.rstrip('.')}."
            raise ServerError("E_NETWORK", why, "ask who runs it; SSL_CERT_FILE names further authorities") from None
        if isinstance(cause, ssl.SSLError):
            why = f"{url} does not speak TLS as it should ({cause.reason})."
            raise ServerError("E_NETWORK", why, "see that it is https:// that this port speaks") from None
        cause = cause.__cause__ or cause.__context__
    return _Retryable(_unreachable(f"{url} does not answer ({type(error).__name__}).", request_id))


def _error_from_response(url: str, response: Response, request_id: str) -> PassersbyError:
    """Parse an error response; anything else than a problem document comes from a proxy or another service."""
    try:
        fields = response.json()
        problem = {key: fields[key] for key in fields if key not in ("type", "title", "status", "detail")}
        error = error_from_problem(problem)
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError):
        why = f"{url} answers with status {response.status_code}, and not as passersby does."
        if response.status_code in RETRYABLE_STATUSES:
            return _unreachable(why, request_id)
        return ServerError("E_NETWORK", why, "its address")
    if error.code == "E_AUTH":
        error.hint = f"give api_key=..., or set {API_KEY_VARIABLE}: a key that an admin made"
    return _with_request_id(error, request_id) if error.code in RESUMABLE_CODES else error


def _unreachable(why: str, request_id: str) -> PassersbyError:
    return _with_request_id(
        ServerError("E_NETWORK", why, "see that the address is right and the server runs"), request_id
    )


def _with_request_id(error: PassersbyError, request_id: str) -> PassersbyError:
    """Add the request id to an error's hint, so that a retry is not charged twice."""
    if request_id:
        error.hint = (
            f"later: the same question with request_id={request_id!r}, which is charged once, however often it is sent"
        )
        error.details["request_id"] = request_id
    return error


ASYNC_AFTER_SECONDS = 3  # after which a query continues as a job with progress
POLL_SECONDS, MAX_POLL_SECONDS = 0.1, 2.0
ACCEPTED_STATUS = 202
ARROW_HEADERS = {"Accept": ARROW}
ASYNC_HEADERS = {**ARROW_HEADERS, "Prefer": f"respond-async, wait={ASYNC_AFTER_SECONDS}"}
CONNECT_RETRY_SECONDS = 2.0  # fails soon for a wrong address
JsonObject = dict[str, Any]


@dataclass(frozen=True)
class RemoteSession:
    """A session at a server; the API key determines the client."""

    transport: HttpTransport
    name: str
    role: str

    def query(self, sql: str, *, client: str, request_id: str | None = None, **terms: object) -> pyarrow.Table:
        """Run a query and pay for it; the idempotency key is made once, so that retries are not charged again."""
        del client
        request_id = request_id or str(uuid.uuid4())
        with show_waiting() as report:
            answer = self.transport.send(
                "POST", "/v1/queries", request_id=request_id, json=_request_body(sql, terms), headers=ASYNC_HEADERS
            )
            return _read_arrow(self._await_job(answer, report, request_id))

    def rehearse(self, sql: str, *, client: str, **terms: object) -> pyarrow.Table:
        """Run a query on synthetic rows."""
        del client
        with show_waiting("Rehearsing: making up rows, and answering over them"):
            return _read_arrow(
                self.transport.send("POST", "/v1/rehearse", json=_request_body(sql, terms), headers=ARROW_HEADERS)
            )

    def explain(self, sql: str, *, client: str, **terms: object) -> JsonObject:
        """Return price and expected error of a query."""
        del client
        return self.transport.send("POST", "/v1/explain", json=_request_body(sql, terms)).json()

    def standing(self, name: str, window: str | None) -> pyarrow.Table:
        """Fetch the result of a scheduled query."""
        parameters = {} if window is None else {"window": window}
        path = f"/v1/standing/{quote(name, safe='')}"
        return _read_arrow(self.transport.send("GET", path, params=parameters, headers=ARROW_HEADERS))

    def standings(self) -> list[JsonObject]:
        """List the scheduled queries that the key's client may see."""
        return self._get("/v1/standing")

    def functions(self) -> list[JsonObject]:
        """List functions."""
        return self._get("/v1/functions")

    def budget(self, client: str | None = None) -> JsonObject:
        """Return the accounts."""
        return self._get("/v1/budget", client=client)

    def history(self, client: str) -> list[JsonObject]:
        """List the releases that a client has paid for."""
        return self._get("/v1/history", client=client)

    def ledger(self, client: str | None = None, limit: int | None = None) -> list[JsonObject]:
        """List ledger entries; for admins and auditors."""
        return self._get("/v1/admin/ledger", client=client, limit=limit)

    def verify(self, anchor: str | None = None) -> JsonObject:
        """Verify the ledger; returns its last entry and every fault found. For admins and auditors."""
        with show_waiting("Verifying: every hash and table of the ledger is made anew"):
            return self.transport.send("POST", "/v1/admin/ledger/verify", json={"anchor": anchor}).json()

    def audit(self, **filters: str | None) -> list[JsonObject]:
        """List queries with client and time, and admin operations; for admins and auditors."""
        return self._get("/v1/admin/ledger/audit", **filters)

    def report(self, *, html: bool) -> str:
        """Fetch the report for regulators, as HTML or text; for admins and auditors."""
        accepted = {"Accept": "text/html" if html else "text/plain"}
        return str(self.transport.send("GET", "/v1/admin/ledger/report", headers=accepted).text)

    def anchor(self) -> str:
        """Fetch an anchor of the ledger's last entry as one line of JSON; for admins and auditors."""
        return str(self._get("/v1/admin/ledger/anchor")["anchor"])

    def tables(self, name: str | None = None) -> list[JsonObject]:
        """List tables with their columns, or describe one."""
        return self._get("/v1/tables") if name is None else [self._get(f"/v1/tables/{quote(name, safe='')}")]

    def outlines(self, name: str) -> JsonObject:
        """Fetch polygons of a public table as GeoJSON."""
        return self._get(f"/v1/tables/{quote(name, safe='')}/outlines")

    def close(self) -> None:
        """Close the HTTP connection."""
        self.transport.close()

    def _get(self, path: str, **parameters: object) -> Any:  # noqa: ANN401  JSON
        present = {name: str(value) for name, value in parameters.items() if value is not None}
        return self.transport.send("GET", path, params=present).json()

    def _await_job(self, answer: Response, report: FractionCallback, request_id: str) -> Response:
        """Wait for an asynchronous job, if the response is one, and report its progress."""
        if answer.status_code != ACCEPTED_STATUS:
            return answer
        job, pause = answer.json(), POLL_SECONDS
        path = f"/v1/jobs/{quote(str(job['id']), safe='')}"
        while job["state"] in ("queued", "running"):
            report(float(job["progress"]))
            time.sleep(pause)
            pause = min(MAX_POLL_SECONDS, pause * 1.5)
            job = self.transport.send("GET", path, request_id).json()
        return self.transport.send("GET", f"{path}/result", request_id, headers=ARROW_HEADERS)


def connect_remote(where: str, *, client: str | None, api_key: str | None) -> tuple[RemoteSession, str]:
    """Connect to a server, and return the client charged; raise RefusedError, AccessError or ServerError."""
    transport = HttpTransport(server_url(where), resolve_api_key(api_key), CONNECT_RETRY_SECONDS)
    try:
        me = transport.send("GET", "/v1/me").json()
        remote = RemoteSession(HttpTransport(transport.url, transport.key), str(me["name"]), str(me["role"]))
    except (KeyError, TypeError, ValueError):
        raise ServerError("E_NETWORK", f"{transport.url} does not answer as passersby does.", "its address") from None
    finally:
        transport.close()
    if client is not None and client != remote.name and remote.role in ("analyst", "steward"):
        raise AccessError("E_AUTH", f"This key is that of {remote.name!r}.", f"leave client={client!r} out")
    return remote, client or remote.name


def _request_body(sql: str, terms: dict[str, Any]) -> JsonObject:
    return {"sql": sql, **{name: value for name, value in terms.items() if value is not None}}


def _read_arrow(answer: Response) -> pyarrow.Table:
    """Read an Arrow stream; padding to a public length follows its end mark."""
    import pyarrow

    try:
        return pyarrow.ipc.open_stream(answer.content).read_all()
    except pyarrow.ArrowInvalid:
        raise RefusedError("E_NETWORK", "What came is no Arrow stream.", "see what stands before the server") from None
