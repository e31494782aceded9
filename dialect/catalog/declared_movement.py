"""What a steward declares of movement: where the rows of a private table say that people were."""

from __future__ import annotations

from dataclasses import dataclass

from dialect.catalog.catalog import Column, Norms


@dataclass(frozen=True)
class Movement:
    """How a table's rows say where a person was; when, its time column says."""

    zone: str  # column, here or in the table of `through`
    lon: str | None = None  # degrees; with lat or not at all
    lat: str | None = None
    through: tuple[str, str] | None = None  # (own column, public table whose primary key it names)
    norms: Norms | None = None  # of one person's stays and trips; None: of the table's rows
    columns: tuple[Column, ...] = ()  # numbers of stays and trips, with norms of their sums
