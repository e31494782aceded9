"""Whose rows may be read, as SQL is written for it: conditions on the one row of a person, and who has objected."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date

from dialect.catalog.model import Catalog, Dataset, SqlType, Table
from dialect.catalog.privacy_windows import Stretch, begin_of

LONGEST_PERSON = 1_000  # characters: of a text that names a person, in rows and in objections
OBJECTED = "objected"  # the relation (person VARCHAR) that a backend gives each execution: one snapshot of it


@dataclass(frozen=True)
class Among:
    """A state that is one of a list; NULL is none."""

    column: str
    values: tuple[str | bool, ...]


@dataclass(frozen=True)
class Country:
    """A code of two letters, in any case, that is among some or not among them; anything else is unknown."""

    column: str
    codes: tuple[str, ...]
    denied: bool


@dataclass(frozen=True)
class Between:
    """A number or a day from lower to upper, both included; dates as ISO text."""

    column: str
    type: SqlType
    lower: int | str
    upper: int | str


State = Among | Country | Between


@dataclass(frozen=True)
class Admission:
    """The persons whose rows may be read: every state of their one row admits them, and they have not objected."""

    person_type: str  # as which persons are stored: objections are compared as this
    table: Table | None = None  # with one row a person; None where no state is asked for
    states: tuple[State, ...] = ()

    @property
    def rule(self) -> str:
        """Tell one rule from another; who objected is in none."""
        return repr((None if self.table is None else self.table.name, self.states))


def kept_stretch(catalog: Catalog, dataset: Dataset) -> Stretch | None:
    """Find the windows with a day inside retention: rows of the others are never read (`proofs.md#retention`)."""
    timed = [t for t in catalog.tables if t.private and t.dataset == dataset.name and t.time_column is not None]
    first = [table.kept_from for table in timed if table.kept_from is not None]
    if dataset.stretch is None or not first or len(first) < len(timed):
        return dataset.stretch
    begin = begin_of(dataset.stretch.window, date.fromisoformat(min(first)))
    return replace(dataset.stretch, first=min(max(dataset.stretch.first, begin), dataset.stretch.last))
