"""Eligibility as code generation sees it: conditions on each person's one row, and the table of opt-outs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date

from dialect.catalog.model import Catalog, Dataset, SqlType, Table
from dialect.catalog.privacy_windows import Stretch, begin_of

LONGEST_PERSON = 1_000  # characters of a text person key, in rows and in objections
OBJECTED = "objected"  # relation (person VARCHAR) that a backend adds to each execution: a snapshot of the opt-outs


@dataclass(frozen=True)
class Among:
    """Condition: a column has one of the listed values; NULL fails."""

    column: str
    values: tuple[str | bool, ...]


@dataclass(frozen=True)
class Country:
    """Condition: a two-letter country code is in a list, or with `denied` not in it. Ignores case; NULL fails."""

    column: str
    codes: tuple[str, ...]
    denied: bool


@dataclass(frozen=True)
class Between:
    """Condition: a number or date lies in the closed range from lower to upper; dates as ISO text."""

    column: str
    type: SqlType
    lower: int | str
    upper: int | str


State = Among | Country | Between


@dataclass(frozen=True)
class Admission:
    """Eligible persons: their row in the person table meets every condition, and they have not opted out."""

    person_type: str  # stored type of the person key; opt-outs are cast to it
    table: Table | None = None  # one row per person; None: no condition reads it
    states: tuple[State, ...] = ()


def kept_stretch(catalog: Catalog, dataset: Dataset) -> Stretch | None:
    """Privacy windows with at least one day inside retention; other windows are never read (`proofs.md#retention`)."""
    timed = [t for t in catalog.tables if t.private and t.dataset == dataset.name and t.time_column is not None]
    first = [table.kept_from for table in timed if table.kept_from is not None]
    if dataset.stretch is None or not first or len(first) < len(timed):
        return dataset.stretch
    begin = begin_of(dataset.stretch.window, date.fromisoformat(min(first)))
    return replace(dataset.stretch, first=min(max(dataset.stretch.first, begin), dataset.stretch.last))
