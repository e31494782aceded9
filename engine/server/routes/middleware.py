"""Middleware of every request: limits its body, sets response headers, logs and counts it."""

from __future__ import annotations

from collections.abc import MutableMapping
from http import HTTPStatus
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from engine.server.http.problems import Problem, problem_response
from engine.server.service import House
from engine.server.telemetry import log

HEADERS = (
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
)
SHORTER = "a shorter one"


class _TooLong(HTTPException):
    """A body beyond the limit. As an HTTPException it passes through the application's own body readers."""

    def __init__(self, most: int) -> None:
        """State the limit, in bytes."""
        super().__init__(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"A body has at most {most:,} bytes")


class Surround:
    """The ASGI middleware."""

    def __init__(self, app: ASGIApp, house: House) -> None:
        """Wrap an application."""
        self._app, self._house = app, house

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        is_head, method = scope["method"] == "HEAD", scope["method"]
        if is_head:  # as GET, without the body: RFC 9110, section 9.3.2
            scope = {**scope, "method": "GET"}
        seen: dict[str, Any] = {"status": 500, "begun": False}
        most = self._house.settings.max_body_bytes

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                seen["status"], seen["begun"] = message["status"], True
                _add_headers(message)
            elif is_head:
                message = {**message, "body": b""}
            await send(message)

        try:
            _check_declared(scope, most)
            await self._app(scope, _counting(receive, most), sending)
        except _TooLong as no:
            told = Problem("E_SIZE", f"{no.detail}.", SHORTER).told
            await problem_response(told)(scope, receive, sending)
        except ClientDisconnect:  # it closed the connection, or was too slow with its body
            seen["status"] = HTTPStatus.REQUEST_TIMEOUT
        except Exception as failure:
            log.error("failed", kind=type(failure).__name__)
            if not seen["begun"]:
                told = Problem("E_SERVER", "The server could not do this.", "tell whoever runs the server").told
                await problem_response(told)(scope, receive, sending)
        self._note(scope, method, seen["status"])

    def _note(self, scope: Scope, method: str, status: int) -> None:
        """Log and count by the route's pattern; the path itself is not recorded."""
        route = getattr(scope.get("route"), "path", "none")
        state: MutableMapping[str, Any] = scope.get("state", {})
        principal = state.get("principal")
        self._house.metrics.requests.labels(method if route != "none" else "none", route).inc()
        log.info(
            "request",
            method=method,
            route=route,
            status=status,
            code=state.get("code"),
            name=getattr(principal, "name", None),
            key=getattr(principal, "key_id", None),
        )


def _check_declared(scope: Scope, most: int) -> None:
    for name, value in scope["headers"]:
        if name == b"content-length" and (not value.isdigit() or int(value) > most):
            raise _TooLong(most)


def _counting(receive: Receive, most: int) -> Receive:
    taken = 0

    async def counted() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > most:
            raise _TooLong(most)
        return message

    return counted


def _add_headers(message: Message) -> None:
    there = {name for name, _ in message["headers"]}
    message["headers"] = [*message["headers"], *(each for each in HEADERS if each[0] not in there)]
