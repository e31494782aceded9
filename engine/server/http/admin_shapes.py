"""The bodies that admins, auditors and stewards get, as OpenAPI tells them."""

from __future__ import annotations

from typing import Any, Literal

from engine.server.http.roles import Role
from engine.server.http.shapes import Told


class KeyTold(Told):
    """A key, without what opens anything."""

    id: str
    name: str
    role: Role
    made_at: str
    made_by: str
    expires_at: str
    revoked_at: str | None
    lives: bool


class NewKey(KeyTold):
    """A key, shown once."""

    key: str


class Verified(Told):
    """What of a ledger is not as it was written."""

    ledger: str
    sequence: int
    row_hash: str
    found: list[str]
    clock: list[str]  # where the clock ran backwards: nothing is refused for it


class Checked(Told):
    """What one of the server's own checks finds."""

    check: str
    state: Literal["passed", "look", "failed"]
    said: str


class Figure(Told):
    """How many people object, with noise."""

    dataset: str
    release_id: str
    made_on: str
    rho: float
    persons: int
    low: int
    high: int
    confidence: float


class StoredTold(Told):
    """What is stored of a dataset."""

    dataset: str
    replay_max_age_days: int | None
    releases: list[dict[str, Any]]


class AlertTold(Told):
    """An alert of a budget, in one channel."""

    client: str
    window: str
    share: float
    channel: str
    made_at: str
    sent_at: str | None
    tries: int
    problem: str | None
