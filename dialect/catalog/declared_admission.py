"""What a steward declares of whose rows may be read: consent, law, age and retention."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class AgeBy(StrEnum):
    """What a column says of a person's age."""

    BIRTH_DATE = "birth_date"
    BIRTH_YEAR = "birth_year"
    AGE = "age"  # in years, as the steward keeps it
    AGE_BAND = "age_band"


@dataclass(frozen=True)
class Consent:
    """Which states of a person table's consent column admit that person's rows."""

    column: str
    admitted: tuple[str | bool, ...]


@dataclass(frozen=True)
class Jurisdiction:
    """Under whose law people are; codes are two letters, as in ISO 3166-1."""

    column: str | None  # of the table with one row a person; None: everybody is under the law of `constant`
    constant: str | None
    codes: tuple[str, ...]  # denied, or admitted where the steward lists those
    denied: bool  # whether the codes are denied
    legal_basis: tuple[tuple[str, str], ...] = ()  # code, and the owner's words for why it is not denied


@dataclass(frozen=True)
class Minors:
    """From which age on people's rows are read."""

    column: str
    by: AgeBy
    minimum: int = 18  # years
    on: str | None = None  # the day on which that age is reached; None: the first day whose rows are read
    bands: tuple[str, ...] = ()  # that are admitted, of an age band


@dataclass(frozen=True)
class Retention:
    """How far back from the last declared day rows are read; one of the two."""

    months: int | None = None
    days: int | None = None


@dataclass(frozen=True)
class AdmissionRules:
    """What a dataset asks of people and rows; nothing where nothing is declared."""

    table: str | None = None  # the table with one row a person, where there are several
    jurisdiction: Jurisdiction | None = None
    minors: Minors | None = None
    retention: Retention | None = None
    contact: str | None = None  # how people object, in the owner's words


NO_RULES = AdmissionRules()
