"""Problem responses (RFC 9457, application/problem+json) and the HTTP status of each error code."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.responses import Response

from budgets import LedgerError
from engine.errors import Refused, problem, problem_shape
from engine.server.http.requests import replace_surrogates_in_object

MEDIA_TYPE = "application/problem+json"
TITLES: Mapping[str, str] = {
    "E_BUDGET": "Your budget is short",
    "E_BUDGET_DATASET": "The budget of all clients is short",
    "E_EXEC": "The question could not be answered",
    "E_LEDGER": "The ledger can't be used now",
}
STATUSES: Mapping[str, int] = {
    # the query or its parameters
    **dict.fromkeys(("E_PARSE", "E_COMPLEX", "E_STMT", "E_TABLE", "E_COLUMN", "E_PERSON_KEY", "E_FUNC", "E_AGG"), 400),
    **dict.fromkeys(("E_ROWS", "E_JOIN", "E_KEY", "E_WINDOW", "E_SUBQUERY", "E_BOUNDS", "E_SAMPLE", "E_PARAM"), 400),
    "E_AUTH": 401,
    "E_BUDGET": 402,  # not 403: more budget can be granted
    "E_BUDGET_DATASET": 402,
    "E_FORBIDDEN": 403,
    "E_NOT_FOUND": 404,
    "E_METHOD": 405,
    "E_ACCEPT": 406,
    "E_STATE": 409,  # a job that is not finished, or was cancelled
    "E_SIZE": 413,
    "E_MEDIA": 415,
    "E_IDEMPOTENCY": 422,  # draft-ietf-httpapi-idempotency-key-header, section 2.7
    "E_EXEC": 422,  # not 5xx: clients and proxies retry those, and three failures freeze the account
    "E_RATE": 429,
    "E_SERVER": 500,
    "E_CATALOG": 503,
    "E_DATA": 503,
    "E_LEDGER": 503,  # retries are safe: the same idempotency key is charged at most once
    "E_BUSY": 503,
}

NOT_AN_OBJECT = ("model_attributes_type", "model_type", "dict_type")  # pydantic's error types
NOT_TEXT = ("string_unicode", "string_pattern_mismatch")
HINTS = {"string_type": 'a text, in double quotes: "1020"'}
MAX_FIELD_NAME_LENGTH = 100  # characters of a field's name that a message repeats


class Problem(Refused):
    """A refusal by the server itself, before the engine is involved."""

    def __init__(
        self, code: str, message: str, hint: str, *, sql: str | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        """Build the wire shape of the refusal."""
        super().__init__(problem_shape(code, message, hint, sql))
        self.headers = headers


def problem_of(error: Exception, hint: str = "GET /openapi.json says what is read here") -> dict[str, Any]:
    """Wire shape of a refusal, from any of the exceptions that refuse a request. `hint` is for a malformed one."""
    if isinstance(error, Refused):
        return error.problem
    if isinstance(error, LedgerError):
        return problem(error, None)
    assert isinstance(error, ValidationError | RequestValidationError)  # noqa: S101  the only other errors
    return _invalid_request_problem(error.errors()[0], hint)


def status_of(details: Mapping[str, Any]) -> int:
    """HTTP status of a problem's code."""
    return STATUSES.get(str(details["code"]), 500)


def problem_response(details: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Response:
    """HTTP response of a problem, with the status of its code."""
    status = status_of(details)
    sent_headers = dict(headers or {})
    if details["code"] == "E_AUTH":
        sent_headers["WWW-Authenticate"] = 'Bearer realm="passersby"'
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        sent_headers.setdefault("Retry-After", "1")
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        sent_headers.setdefault("Retry-After", "2")
    return Response(json.dumps(problem_body(details), ensure_ascii=False), status, sent_headers, MEDIA_TYPE)


def _invalid_request_problem(first: Mapping[str, Any], hint: str) -> dict[str, Any]:
    """Problem for a malformed request, from pydantic's first error. Values from the request are not repeated."""
    field_path = ".".join(str(part) for part in first["loc"] if not isinstance(part, int))[:MAX_FIELD_NAME_LENGTH]
    if first["type"] in NOT_AN_OBJECT and field_path == "body":
        return problem_shape("E_PARAM", "body: no object of JSON.", "send one, with Content-Type: application/json")
    if first["type"] == "string_too_long":
        why = f"{field_path}: at most {first['ctx']['max_length']:,} characters."
        return problem_shape("E_SIZE", why, "a shorter text")
    if first["type"] in NOT_TEXT:
        return problem_shape(
            "E_PARAM", f"{field_path}: no Unicode text without NUL.", "text without control characters"
        )
    return problem_shape("E_PARAM", f"{field_path}: {first['msg']}.", HINTS.get(first["type"], hint))


def problem_body(details: Mapping[str, Any]) -> dict[str, Any]:
    """Body of a problem: the members of RFC 9457 and those of every refusal (docs/answers.md), valid as UTF-8."""
    code, status = str(details["code"]), status_of(details)
    title = TITLES.get(code, HTTPStatus(status).phrase)
    members = {"type": f"urn:passersby:{code}", "title": title, "status": status, "detail": details["message"]}
    return replace_surrogates_in_object({**members, **details})
