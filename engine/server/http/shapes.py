"""The bodies of answers, as OpenAPI tells them; docs/answers.md says what each field means."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from engine.server.http.roles import Role


class Told(BaseModel):
    """A body that is sent back; fields may be added."""

    model_config = ConfigDict(extra="allow")


class Problem(Told):
    """Every no: RFC 9457, and what a refusal tells."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    message: str
    hint: str
    span: Annotated[list[int], Field(min_length=2, max_length=2)] | None
    sql: str | None


class ColumnTold(Told):
    """A column of an answer."""

    name: str
    type: str


class Price(Told):
    """A loss."""

    rho: float
    delta: float
    epsilon_at_delta: dict[str, float]


class Card(Told):
    """What an answer and an explanation have alike."""

    columns: list[ColumnTold]
    confidence: float | None
    price: Price
    remaining: dict[str, dict[str, float]]
    outlook: dict[str, Any] | None
    replayed: bool
    windows: list[str] | None = None
    notes: list[str]


class Answer(Card):
    """An answer."""

    rows: list[list[Any]]
    intervals: dict[str, list[Annotated[list[float], Field(min_length=2, max_length=2)] | None]]
    release_id: str | None


class Explanation(Card):
    """What a question would cost and give."""

    keys: list[dict[str, Any]]
    bounds: list[dict[str, Any]]
    expected_error: dict[str, float | None]
    thresholds: list[dict[str, Any]]
    crossing: bool
    sql: str


class JobTold(Told):
    """A job."""

    id: str
    state: Literal["queued", "running", "done", "refused", "cancelled"]
    progress: float = Field(ge=0, le=1, description="Of the public time that the question takes.")
    request_id: str
    made_at: str
    ended_at: str | None
    problem: Problem | None


class BudgetTold(Told):
    """Accounts."""

    accounts: list[dict[str, Any]]
    query_rho: dict[str, float]
    ahead: dict[str, list[str]]


class Released(Told):
    """A release that a client has paid for."""

    release_id: str
    dataset: str
    question: str
    rho: float
    delta: float
    settled_at: str | None


class Share(Told):
    """An answer that is shared; who has the id may see what was asked, and pay for the numbers."""

    id: str
    by: str
    sql: str
    dataset: str
    made_at: str
    expires_at: str


class Offer(Share):
    """What shared numbers cost you."""

    price: Price
    paid: bool


class TableTold(Told):
    """A table that may be asked about."""

    name: str
    kind: str
    dataset: str
    columns: list[dict[str, Any]]


class Outlines(Told):
    """The polygons of a public table: RFC 7946."""

    type: Literal["FeatureCollection"]
    features: list[dict[str, Any]]


class FunctionTold(Told):
    """A function that a question may use."""

    name: str
    arguments: str
    gives: str
    meaning: str


class Me(Told):
    """Who asks."""

    name: str
    role: Role
    key_id: str


class Planned(Told):
    """What to buy so that questions cost least together: of each its price, and what it is made of."""

    rho: float
    ask_at_rho: float
    applied: bool
    charged_rho: float
    questions: list[dict[str, Any]]


class StandingTold(Told):
    """A standing question that the asker is entitled to see."""

    name: str
    dataset: str
    windows: list[str]


class Health(Told):
    """How the server is."""

    state: str
