"""Queries for every system: one table of rows, one key or two, one number; the same for all."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

EPSILON, DELTA = Fraction(1), Fraction(1, 10**6)  # of each question, for everything that it releases


@dataclass(frozen=True)
class Asked:
    """One query over the flat table of a world: SELECT keys, number FROM flat GROUP BY keys."""

    name: str
    world: str
    keys: tuple[str, ...]
    kind: str  # rows, persons, sum or mean
    value: str | None = None
    ends: tuple[float, float] = (0.0, 1.0)  # of each value, known without the data; rows are clamped to them already
    private: bool = False  # keys are not listed: they must reach a threshold

    @property
    def number(self) -> str:
        """Number as SQL that every system reads."""
        told = {"rows": "count(*)", "persons": "count(DISTINCT person)"}
        return told.get(self.kind) or f"{'avg' if self.kind == 'mean' else 'sum'}({self.value})"

    @property
    def sql(self) -> str:
        """The query in plain SQL."""
        return f"SELECT {', '.join(self.keys)}, {self.number} AS n FROM flat GROUP BY {', '.join(self.keys)}"


HEADLINE = Asked("events by cell (1e5 heavy-tailed people)", "headline", ("cell",), "rows")
QUESTIONS = (
    HEADLINE,
    Asked("events by zone", "operator", ("zone",), "rows"),
    Asked("people by zone", "operator", ("zone",), "persons"),
    Asked("events by hour", "operator", ("at_hour",), "rows"),
    Asked("people by day", "operator", ("on_day",), "persons"),
    Asked("range in km, summed by zone", "operator", ("zone",), "sum", "km", (0.0, 30.0)),
    Asked("mean range in km by hour", "operator", ("at_hour",), "mean", "km", (0.0, 30.0)),
    Asked("share of calls by hour", "operator", ("at_hour",), "mean", "call", (0.0, 1.0)),
    Asked("trips by zone", "mibici", ("origin",), "rows"),
    Asked("people by zone", "mibici", ("origin",), "persons"),
    Asked("trips by hour", "mibici", ("at_hour",), "rows"),
    Asked("people by day", "mibici", ("on_day",), "persons"),
    Asked("minutes, summed by zone", "mibici", ("origin",), "sum", "minutes", (0.0, 60.0)),
    Asked("mean minutes by age", "mibici", ("age",), "mean", "minutes", (0.0, 60.0)),
    Asked("women's share of trips by hour", "mibici", ("at_hour",), "mean", "woman", (0.0, 1.0)),
    Asked("trips by origin and destination (private keys)", "mibici", ("origin", "dest"), "rows", private=True),
)
