"""A request -> its response, sent again where that is safe: what is charged is charged once."""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from passersby.client.address import KEY, is_loopback
from passersby.errors import PassersbyError, RefusedError, ServerError, error_of

if TYPE_CHECKING:
    from httpx2 import Client, Response, TransportError

ARROW = "application/vnd.apache.arrow.stream"
PATIENCE_SECONDS = 60.0  # how long a server that does not answer is asked again
FIRST_SECONDS, LONGEST_SECONDS = 0.25, 8.0  # between two tries: twice as long each time
CONNECT_SECONDS, READ_SECONDS = 5.0, 90.0  # a server answers within its deadline of a minute, or gives a job
AGAIN = (429, 502, 503, 504)
FOR_GOOD = {"E_CATALOG", "E_DATA", "E_INSTALL"}  # no waiting mends these
LATER = {"E_NETWORK", "E_BUSY", "E_RATE"}


@dataclass
class Line:
    """A line to one server, for the holder of one key."""

    url: str
    key: str = field(repr=False)
    patience_seconds: float = PATIENCE_SECONDS
    _client: Client | None = field(default=None, repr=False)

    def send(self, method: str, path: str, request_id: str = "", **request: Any) -> Response:  # noqa: ANN401  as httpx2 takes it
        """Send a request until it is answered; raise what the server says no with, or ServerError."""
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
                follow_redirects=False,  # a key goes to the address that was given, and nowhere else
                trust_env=not is_loopback(parts),  # nor through a proxy to this machine
                verify=secure,
            )
        return self._client


@dataclass(frozen=True)
class _Later:
    """A no that may turn, and when at the earliest."""

    error: PassersbyError
    after_seconds: float = 0.0


def _vouched() -> ssl.SSLContext:
    """Say whose certificates are taken, on this machine too; raise RefusedError where SSL_CERT_FILE can't be read."""
    import httpx2

    try:
        return httpx2.create_ssl_context()
    except OSError as unread:  # SSLError is one
        why = f"SSL_CERT_FILE or SSL_CERT_DIR names what holds no certificates ({type(unread).__name__})."
        raise RefusedError("E_PARAM", why, "a file in PEM, or none of these variables") from None


def _pause(tries: int, request_id: str) -> float:
    """Give the pause before the next try: twice as long each time, and of each request a little other."""
    spread = 1 + (sum(request_id.encode()) % 50) / 100
    return float(min(LONGEST_SECONDS, FIRST_SECONDS * 2**tries) * spread)


def _seconds(text: str | None) -> float:
    """Read Retry-After; a date, which passersby does not send, counts as nothing."""
    return float(text) if text is not None and text.isdecimal() else 0.0


def _broken(url: str, broken: TransportError, request_id: str) -> _Later:
    """Say that no answer came; raise at once where trying again mends nothing."""
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
    """Read a problem; what is none comes from something that stands before a server, or in its place."""
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
    """Say how to go on without paying twice."""
    if request_id:
        error.hint = (
            f"later: the same question with request_id={request_id!r}, which is charged once, however often it is sent"
        )
        error.details["request_id"] = request_id
    return error
