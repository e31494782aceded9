"""Problem responses (RFC 9457, application/problem+json) and the HTTP status of each error code."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from starlette.responses import Response

from engine.server.http.texts import replace_surrogates_in_object

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


class Problem(Exception):
    """A refusal by the server itself, before the engine is involved."""

    def __init__(
        self, code: str, message: str, hint: str, *, sql: str | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        """Build the wire shape of the refusal."""
        super().__init__(code)
        self.details: dict[str, Any] = {"code": code, "message": message, "hint": hint, "span": None, "sql": sql}
        self.headers = dict(headers or {})

    @classmethod
    def of(cls, details: Mapping[str, Any]) -> Problem:
        """Rebuild a problem from its stored wire shape."""
        rebuilt = cls(str(details["code"]), str(details["message"]), str(details["hint"]))
        rebuilt.details = {
            key: value for key, value in details.items() if key not in ("type", "title", "status", "detail")
        }
        return rebuilt


def problem_response(details: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Response:
    """HTTP response of a problem, with the status of its code."""
    status = STATUSES.get(str(details["code"]), 500)
    sent_headers = dict(headers or {})
    if details["code"] == "E_AUTH":
        sent_headers["WWW-Authenticate"] = 'Bearer realm="passersby"'
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        sent_headers.setdefault("Retry-After", "1")
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        sent_headers.setdefault("Retry-After", "2")
    return Response(json.dumps(problem_body(details, status), ensure_ascii=False), status, sent_headers, MEDIA_TYPE)


def invalid_request_problem(errors: Sequence[Any], hint: str = "GET /openapi.json says what is read here") -> Problem:
    """Problem for a malformed request, from pydantic's list of errors. Values from the request are not repeated."""
    first = errors[0]
    field_path = ".".join(str(part) for part in first["loc"] if not isinstance(part, int))[:MAX_FIELD_NAME_LENGTH]
    if first["type"] in NOT_AN_OBJECT and field_path == "body":
        return Problem("E_PARAM", "body: no object of JSON.", "send one, with Content-Type: application/json")
    if first["type"] == "string_too_long":
        return Problem("E_SIZE", f"{field_path}: at most {first['ctx']['max_length']:,} characters.", "a shorter text")
    if first["type"] in NOT_TEXT:
        return Problem("E_PARAM", f"{field_path}: no Unicode text without NUL.", "text without control characters")
    return Problem("E_PARAM", f"{field_path}: {first['msg']}.", HINTS.get(first["type"], hint))


def problem_body(details: Mapping[str, Any], status: int) -> dict[str, Any]:
    """Body of a problem: the members of RFC 9457 and those of every refusal (docs/answers.md), valid as UTF-8."""
    code = str(details["code"])
    title = TITLES.get(code, HTTPStatus(status).phrase)
    members = {
        "type": f"urn:passersby:{code}",
        "title": title,
        "status": status,
        "detail": details["message"],
        **details,
    }
    return replace_surrogates_in_object(members)
