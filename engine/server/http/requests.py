r"""Request bodies, as OpenAPI describes them. Unknown fields are refused, and types are not coerced.

Text fields of requests: Unicode without NUL or lone surrogates, of a stated length.

Every text field of a body, a URL or a header has one of these types, so OpenAPI states the same bounds. JSON can
contain a lone surrogate ("\ud800"), which UTF-8 can't; PostgreSQL accepts no NUL. `replace_surrogates` is for the
other direction: everything that leaves the server can be encoded, including text it repeats.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from dialect.catalog import MAX_PERSON_CHARACTERS
from dialect.parser import MAX_CHARACTERS
from engine.server.http.roles import Role

NO_NUL = r"^[^\x00]*$"  # wherever text has a length bound, pydantic itself refuses lone surrogates
Name = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=NO_NUL)]
Reason = Annotated[str, StringConstraints(min_length=1, max_length=500, pattern=NO_NUL)]
Person = Annotated[str, StringConstraints(min_length=1, max_length=MAX_PERSON_CHARACTERS, pattern=NO_NUL)]
AmountText = Annotated[str, StringConstraints(max_length=40, pattern=NO_NUL)]
Sql = Annotated[str, StringConstraints(max_length=MAX_CHARACTERS, pattern=NO_NUL)]
Anchor = Annotated[str, StringConstraints(max_length=10_000, pattern=NO_NUL)]
PersonLines = Annotated[str, StringConstraints(max_length=10_000_000, pattern=NO_NUL)]


_NUL_OR_SURROGATE = re.compile("[\0\ud800-\udfff]")
_SURROGATE = re.compile("[\ud800-\udfff]")


def is_plain(text: str) -> bool:
    """Is a text valid in UTF-8 and PostgreSQL? It is unless it contains NUL or a lone surrogate."""
    return _NUL_OR_SURROGATE.search(text) is None


def replace_surrogates(text: str) -> str:
    """Replace each lone surrogate by U+FFFD."""
    return _SURROGATE.sub("\ufffd", text)


def replace_surrogates_in_object(members: Mapping[str, object]) -> dict[str, Any]:
    """Replace each lone surrogate in the names and values of a JSON object by U+FFFD."""
    return {replace_surrogates(name): _replace_surrogates_in_value(value) for name, value in members.items()}


def _replace_surrogates_in_value(value: object) -> object:
    if isinstance(value, str):
        return replace_surrogates(value)
    if isinstance(value, Mapping):
        return replace_surrogates_in_object(value)
    return [_replace_surrogates_in_value(each) for each in value] if isinstance(value, list | tuple) else value


# Passed on as the text that was sent, so that 0.1 is exact
Amount = Annotated[AmountText | int | Annotated[float, Field(allow_inf_nan=False)], AfterValidator(str)]
Confidence = Annotated[float, Field(allow_inf_nan=False)]


class RequestBody(BaseModel):
    """Base of request bodies; unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", strict=True)


class QueryRequest(RequestBody):
    """A query, and what it may cost."""

    sql: Sql = Field(description="The question, in DuckDB's SQL (docs/sql.md).", examples=["SELECT count(*) FROM trip"])
    rho: Amount | None = Field(None, description="Privacy loss to spend; the catalog's where absent.")
    target_error: Amount | None = Field(None, description="Instead of rho: 50, or '5%' of an answer that you hold.")
    confidence: Confidence | None = Field(None, description="Level of the intervals.")


class ShareRequest(RequestBody):
    """An answer to share with another analyst: a query that you have paid for, with the terms you paid it at."""

    sql: Sql
    rho: Amount | None = None
    confidence: Confidence | None = None
    days: float | None = Field(None, gt=0, le=365, description="How long the link lives; 30 where absent.")


class ClientRequest(RequestBody):
    """A client to add."""

    client: Name
    reason: Reason


class CapRequest(RequestBody):
    """A cap to set."""

    client: Name
    rho: Amount
    dataset: Name | None = None
    scope: Name = Field("each", description="each window, lifetime, query, or the name of one window")
    reason: Reason


class TopUpRequest(RequestBody):
    """A cap that a client requests."""

    rho: Amount
    dataset: Name | None = None
    scope: Name = "each"
    reason: Reason


class DecisionRequest(RequestBody):
    """The reason of a decision."""

    reason: Reason


class FreezeRequest(RequestBody):
    """The client, dataset and window to freeze."""

    client: Name | None = None
    dataset: Name | None = None
    window: Name | None = None
    reason: Reason


class KeyRequest(RequestBody):
    """A key to create."""

    name: Name = Field(description="Of a client, for analysts; of the person, for others.")
    role: Annotated[Role, Field(strict=False)]
    days: float | None = Field(None, gt=0, le=3650, description="How long it lives; the server's setting where absent.")


class RotationRequest(RequestBody):
    """The successor of a key."""

    days: float | None = Field(None, gt=0, le=3650)
    overlap_hours: float = Field(24.0, ge=0, le=24 * 31, description="How long the old key goes on.")


class ObjectionRequest(RequestBody):
    """One person who objects."""

    person: Person
    reason: Reason
    dataset: Name | None = None
    withdraw: bool = False


class ObjectionListRequest(RequestBody):
    """Persons who object, one per line."""

    persons: PersonLines
    reason: Reason
    dataset: Name | None = None
    withdraw: bool = False


class ObjectionCountRequest(RequestBody):
    """The price of a noisy number of objections."""

    rho: Amount = Field(description="What every window of the dataset is charged, on everybody's account.")
    dataset: Name | None = None


class AnchorBody(RequestBody):
    """An anchor that was exported before."""

    anchor: Anchor | None = None
