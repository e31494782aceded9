"""Eligibility as code generation sees it: conditions on each person's one row, and the table of opt-outs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date

from dialect.catalog.model import Catalog, Dataset, SqlType, Table
from dialect.catalog.privacy_windows import WindowRange, first_day_of_window

MAX_PERSON_CHARACTERS = 1_000  # characters of a text person key, in rows and in objections
# relation (person VARCHAR) that a backend adds to each execution: a snapshot of the opt-outs
OPT_OUT_TABLE = "opt_outs"


@dataclass(frozen=True)
class IsIn:
    """Condition: a column has one of the listed values; NULL fails."""

    column: str
    values: tuple[str | bool, ...]


@dataclass(frozen=True)
class CountryCondition:
    """Condition: a two-letter country code is in a list, or with `is_excluded` not in it. Ignores case; NULL fails."""

    column: str
    codes: tuple[str, ...]
    is_excluded: bool


@dataclass(frozen=True)
class InRange:
    """Condition: a number or date lies in the closed range from lower to upper; dates as ISO text."""

    column: str
    type: SqlType
    lower: int | str
    upper: int | str


EligibilityCondition = IsIn | CountryCondition | InRange


@dataclass(frozen=True)
class Eligibility:
    """Eligible persons: their row in the person table meets every condition, and they have not opted out."""

    person_type: str  # stored type of the person key; opt-outs are cast to it
    table: Table | None = None  # one row per person; None: no condition reads it
    conditions: tuple[EligibilityCondition, ...] = ()


def retained_windows(catalog: Catalog, dataset: Dataset) -> WindowRange | None:
    """Privacy windows with at least one day inside retention; other windows are never read (`proofs.md#retention`).

    The earliest start among the private tables with time decides. All windows, if one of these tables has no retention;
    at least the last window always remains.
    """
    tables_with_time = [table for table in catalog.private_tables(dataset.name) if table.time_column is not None]
    retention_starts = [table.retained_from for table in tables_with_time if table.retained_from is not None]
    windows = dataset.window_range
    if windows is None or not retention_starts or len(retention_starts) < len(tables_with_time):
        return windows
    first_day = first_day_of_window(windows.window, date.fromisoformat(min(retention_starts)))
    return replace(windows, first=min(max(windows.first, first_day), windows.last))
