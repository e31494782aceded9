"""The nouns of objections: what was done, which nothing tells of a person, and whom it is about."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ActKind(StrEnum):
    """What was asked for a person."""

    OBJECT = "object"
    WITHDRAW = "withdraw"  # the objection


@dataclass(frozen=True)
class Act:
    """That objections were recorded: nothing in it is about a person."""

    act: int
    at: str  # UTC, ISO 8601
    recorded_by: str
    dataset: str
    kind: ActKind
    reason: str


@dataclass(frozen=True)
class Objection:
    """One person of an act, for the engine alone."""

    place: int  # in the order of commits
    dataset: str
    kind: ActKind
    person: str
