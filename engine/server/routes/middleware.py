"""Middleware of every request: limits its body, sets response headers, logs and counts it."""

from __future__ import annotations

from collections.abc import MutableMapping
from http import HTTPStatus
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from engine.errors import problem_shape
from engine.server.http.problems import problem_response
from engine.server.service import Service
from engine.server.telemetry import log

SECURITY_HEADERS = (
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
)
SHORTER_HINT = "a shorter one"


class _TooLong(HTTPException):
    """A body beyond the limit. As an HTTPException it passes through the application's own body readers."""

    def __init__(self, most: int) -> None:
        """State the limit, in bytes."""
        super().__init__(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"A body has at most {most:,} bytes")


class RequestMiddleware:
    """The ASGI middleware."""

    def __init__(self, app: ASGIApp, service: Service) -> None:
        """Wrap an application."""
        self._app, self._service = app, service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        is_head, method = scope["method"] == "HEAD", scope["method"]
        if is_head:  # as GET, without the body: RFC 9110, section 9.3.2
            scope = {**scope, "method": "GET"}
        response_state: dict[str, Any] = {"status": 500, "begun": False}
        most = self._service.settings.max_body_bytes

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                response_state["status"], response_state["begun"] = message["status"], True
                _add_headers(message)
            elif is_head:
                message = {**message, "body": b""}
            await send(message)

        try:
            _check_content_length(scope, most)
            await self._app(scope, _limit_body(receive, most), sending)
        except _TooLong as error:
            details = problem_shape("E_SIZE", f"{error.detail}.", SHORTER_HINT)
            await problem_response(details)(scope, receive, sending)
        except ClientDisconnect:  # it closed the connection, or was too slow with its body
            response_state["status"] = HTTPStatus.REQUEST_TIMEOUT
        except Exception as failure:
            log.error("failed", kind=type(failure).__name__)
            if not response_state["begun"]:
                details = problem_shape("E_SERVER", "The server could not do this.", "tell whoever runs the server")
                await problem_response(details)(scope, receive, sending)
        self._log_request(scope, method, response_state["status"])

    def _log_request(self, scope: Scope, method: str, status: int) -> None:
        """Log and count by the route's pattern; the path itself is not recorded."""
        route = getattr(scope.get("route"), "path", "none")
        state: MutableMapping[str, Any] = scope.get("state", {})
        principal = state.get("principal")
        self._service.metrics.requests.labels(method if route != "none" else "none", route).inc()
        log.info(
            "request",
            method=method,
            route=route,
            status=status,
            code=state.get("code"),
            name=getattr(principal, "name", None),
            key=getattr(principal, "key_id", None),
        )


def _check_content_length(scope: Scope, most: int) -> None:
    for name, value in scope["headers"]:
        if name == b"content-length" and (not value.isdigit() or int(value) > most):
            raise _TooLong(most)


def _limit_body(receive: Receive, most: int) -> Receive:
    byte_count = 0

    async def counted() -> Message:
        nonlocal byte_count
        message = await receive()
        byte_count += len(message.get("body", b""))
        if byte_count > most:
            raise _TooLong(most)
        return message

    return counted


def _add_headers(message: Message) -> None:
    there = {name for name, _ in message["headers"]}
    message["headers"] = [*message["headers"], *(each for each in SECURITY_HEADERS if each[0] not in there)]
