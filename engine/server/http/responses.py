"""Response bodies as OpenAPI describes them; docs/answers.md states what each field means.

Those of analysts, and those of admins, auditors and stewards. An Arrow table with its card becomes the JSON of
docs/answers.md, which a test compares with the client's own.
"""

from __future__ import annotations

import datetime
import json
import math
from decimal import Decimal
from typing import Annotated, Any, Literal

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field

from engine.api.wire.answer import read_answer
from engine.server.http.roles import Role
from engine.server.http.sizes import padded_json, padded_stream, public_length


class ResponseBody(BaseModel):
    """Base of response bodies; fields may be added."""

    model_config = ConfigDict(extra="allow")


class ProblemBody(ResponseBody):
    """A refusal: RFC 9457, with code, hint and place in the SQL."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    message: str
    hint: str
    span: Annotated[list[int], Field(min_length=2, max_length=2)] | None
    sql: str | None


class AnswerColumn(ResponseBody):
    """A column of an answer."""

    name: str
    type: str


class Price(ResponseBody):
    """A privacy loss."""

    rho: float
    delta: float
    epsilon_at_delta: dict[str, float]


class Card(ResponseBody):
    """The fields that answers and explanations share."""

    columns: list[AnswerColumn]
    confidence: float | None
    price: Price
    remaining: dict[str, dict[str, float]]
    outlook: dict[str, Any] | None
    replayed: bool
    windows: list[str] | None = None
    notes: list[str]
    note_codes: list[str]


class Answer(Card):
    """An answer."""

    rows: list[list[Any]]
    intervals: dict[str, list[Annotated[list[float], Field(min_length=2, max_length=2)] | None]]
    release_id: str | None


class Explanation(Card):
    """What a query would cost and return."""

    keys: list[dict[str, Any]]
    bounds: list[dict[str, Any]]
    expected_error: dict[str, float | None]
    expected_range: dict[str, Annotated[list[float], Field(min_length=2, max_length=2)]]
    expected_from: Literal["noise", "answer", "profile", "calibration", "magnitudes"]
    usual_rows: float | None = None
    thresholds: list[dict[str, Any]]
    crossing: bool
    sql: str


class Job(ResponseBody):
    """A job."""

    id: str
    state: Literal["queued", "running", "done", "refused", "cancelled"]
    progress: float = Field(ge=0, le=1, description="Of the public time that the question takes.")
    request_id: str
    made_at: str
    ended_at: str | None
    problem: ProblemBody | None


class Budget(ResponseBody):
    """Accounts."""

    accounts: list[dict[str, Any]]
    query_rho: dict[str, float]
    ahead: dict[str, list[str]]


class PaidRelease(ResponseBody):
    """A release that a client has paid for."""

    release_id: str
    dataset: str
    question: str
    rho: float
    delta: float
    settled_at: str | None


class Share(ResponseBody):
    """A shared answer. Anybody with the id may see the query, and pay for the numbers."""

    id: str
    by: str
    sql: str
    dataset: str
    made_at: str
    expires_at: str


class Offer(Share):
    """A shared answer with its price for you."""

    price: Price
    paid: bool


class Table(ResponseBody):
    """A table that can be queried."""

    name: str
    kind: str
    dataset: str
    columns: list[dict[str, Any]]


class Outlines(ResponseBody):
    """The polygons of a public table: RFC 7946."""

    type: Literal["FeatureCollection"]
    features: list[dict[str, Any]]


class Function(ResponseBody):
    """A function that a query may use."""

    name: str
    arguments: str
    gives: str
    meaning: str


class KeyOwner(ResponseBody):
    """The caller of this key."""

    name: str
    role: Role
    key_id: str


class ScheduledQuery(ResponseBody):
    """A scheduled query that the caller is entitled to see."""

    name: str
    dataset: str
    windows: list[str]


class Health(ResponseBody):
    """State of the server."""

    state: str


class Key(ResponseBody):
    """A key, without its secret."""

    id: str
    name: str
    role: Role
    made_at: str
    made_by: str
    expires_at: str
    revoked_at: str | None
    lives: bool


class NewKey(Key):
    """A new key, with its secret, shown once."""

    key: str


class LedgerVerification(ResponseBody):
    """Result of verifying a ledger's hash chain."""

    ledger: str
    sequence: int
    row_hash: str
    found: list[str]
    clock: list[str]  # where the clock ran backwards; a warning only


class HealthCheck(ResponseBody):
    """Result of one health check."""

    check: str
    state: Literal["passed", "look", "failed"]
    said: str


class ObjectionCount(ResponseBody):
    """Number of people who object, with noise."""

    dataset: str
    release_id: str
    made_on: str
    rho: float
    persons: int
    low: int
    high: int
    confidence: float


class StoredReleases(ResponseBody):
    """Stored releases of a dataset."""

    dataset: str
    replay_max_age_days: int | None
    releases: list[dict[str, Any]]


class Alert(ResponseBody):
    """A budget alert, in one channel."""

    client: str
    window: str
    share: float
    channel: str
    made_at: str
    sent_at: str | None
    tries: int
    problem: str | None


ARROW = "application/vnd.apache.arrow.stream"
JSON = "application/json"
SQL_TYPES = {
    "bool": "BOOLEAN",
    "int8": "TINYINT",
    "int16": "SMALLINT",
    "int32": "INTEGER",
    "int64": "BIGINT",
    "uint8": "UTINYINT",
    "uint16": "USMALLINT",
    "uint32": "UINTEGER",
    "uint64": "UBIGINT",
    "float": "FLOAT",
    "double": "DOUBLE",
    "string": "VARCHAR",
    "large_string": "VARCHAR",
    "string_view": "VARCHAR",
    "date32[day]": "DATE",
    "time64[us]": "TIME",
    "null": "NULL",
}


def answer_body(rows: bytes, media_type: str) -> bytes:
    """Response body of an answer in a media type, padded to its size class."""
    table, card = read_answer(rows)
    length = public_length(table, card)
    if media_type == ARROW:
        return padded_stream(rows, length)
    text = json.dumps(answer_shape(table, card), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return padded_json(text.encode(), length)


def answer_shape(table: pa.Table, card: dict[str, Any]) -> dict[str, Any]:
    """JSON shape of an answer: columns, rows, and the members of the card."""
    columns = [[json_value(value) for value in column.to_pylist()] for column in table.columns]
    return {
        "columns": [{"name": field.name, "type": sql_type(field.type)} for field in table.schema],
        "rows": [list(row) for row in zip(*columns, strict=True)],
        **card,
    }


def sql_type(kind: pa.DataType) -> str:
    """Name of an Arrow type in DuckDB's SQL."""
    if pa.types.is_timestamp(kind):
        return "TIMESTAMP" if kind.tz is None else "TIMESTAMPTZ"
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return f"{sql_type(kind.value_type)}[]"
    if pa.types.is_decimal(kind):
        return f"DECIMAL({kind.precision},{kind.scale})"
    return SQL_TYPES.get(str(kind), str(kind).upper())


def json_value(value: object) -> object:
    """Convert a value to JSON types: times to ISO text, decimals to numbers, NaN and infinities to null."""
    match value:
        case bool() | int() | str() | None:
            return value
        case float():
            return value if math.isfinite(value) else None
        case datetime.date() | datetime.time():
            return value.isoformat()
        case Decimal():
            return json_value(float(value))
        case list() | tuple():
            return [json_value(item) for item in value]
        case dict():
            return {str(key): json_value(item) for key, item in value.items()}
    return str(value)
