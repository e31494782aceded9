"""Questions of the bench as data: rows, keys and one measure, from which all SQL is written.

From one `Question` follow the text for the engine, the same text for plain DuckDB (the exact value), and the SQL of
each unit's contributions per group (the hindsight bound). `product` makes questions from templates: tables times keys
times measures times filters.

Terms:
    unit      person, or person and privacy window where each window is bounded on its own
    centre    public number that is subtracted from a value before it is summed: as the catalog declares it, else the
              middle of the value's range
    mark      property by which figures are split: TIME_FILTER, KEY_FILTER, BY_TIME, TOP, ...
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum


class Aggregate(StrEnum):
    """What is computed of the rows of a group."""

    ROWS = "rows"
    PEOPLE = "people"
    SUM = "sum"
    AVERAGE = "average"
    SHARE = "share"
    VARIANCE = "variance"
    STDDEV = "standard deviation"
    QUANTILE = "quantile"
    DISTINCT = "distinct"


class Kind(StrEnum):
    """Class of a question, by which figures are split; a question has one."""

    PEOPLE = "people"
    ROWS = "rows"
    SUMS = "sums"
    AVERAGES = "averages"
    SHARES = "shares"
    QUANTILES = "quantiles"
    VARIANCES = "variances"
    DISTINCT = "distinct values"
    PRIVATE_KEYS = "private keys"
    TOP = "top-N"
    JOINS = "joins of private tables"
    SUBQUERIES = "per-person subqueries"
    WINDOWS = "window months"


KIND_OF = {
    Aggregate.ROWS: Kind.ROWS,
    Aggregate.PEOPLE: Kind.PEOPLE,
    Aggregate.SUM: Kind.SUMS,
    Aggregate.AVERAGE: Kind.AVERAGES,
    Aggregate.SHARE: Kind.SHARES,
    Aggregate.VARIANCE: Kind.VARIANCES,
    Aggregate.STDDEV: Kind.VARIANCES,
    Aggregate.QUANTILE: Kind.QUANTILES,
    Aggregate.DISTINCT: Kind.DISTINCT,
}
TIME_FILTER, KEY_FILTER, BY_TIME, SIGNED = "time filter", "key filter", "by time", "signed"


@dataclass(frozen=True)
class Measure:
    """One aggregate over a value."""

    name: str
    aggregate: Aggregate
    value: str = ""  # SQL; of SHARE a condition; empty for rows and people
    centre: float = 0.0  # of averages and variances
    level: float = 0.5  # of quantiles
    is_signed: bool = False  # of sums: contributions may be negative

    def sql(self, person: str) -> str:
        """SQL of the aggregate, for engine and plain DuckDB alike."""
        return {
            Aggregate.ROWS: "COUNT(*)",
            Aggregate.PEOPLE: f"COUNT(DISTINCT {person})",
            Aggregate.SUM: f"SUM({self.value})",
            Aggregate.AVERAGE: f"AVG({self.value})",
            Aggregate.SHARE: f"AVG(CASE WHEN {self.value} THEN 1 ELSE 0 END)",
            Aggregate.VARIANCE: f"VAR_POP({self.value})",
            Aggregate.STDDEV: f"STDDEV_POP({self.value})",
            Aggregate.QUANTILE: f"QUANTILE_CONT({self.value}, {self.level})",
            Aggregate.DISTINCT: f"COUNT(DISTINCT {self.value})",
        }[self.aggregate]

    @property
    def contributions(self) -> tuple[str, ...]:
        """SQL of what one unit contributes to each query vector in one group; empty if no clip bound applies."""
        value = f"(CASE WHEN {self.value} THEN 1.0 ELSE 0.0 END)" if self.aggregate is Aggregate.SHARE else self.value
        distance = f"({value} - {self.centre})"
        count, first, second = f"count({value})", f"sum({distance})", f"sum({distance} * {distance})"
        return {
            Aggregate.ROWS: ("count(*)",),
            Aggregate.PEOPLE: ("1",),
            Aggregate.SUM: (f"sum({value})",),
            Aggregate.AVERAGE: (count, first),
            Aggregate.SHARE: (count, first),
            Aggregate.VARIANCE: (count, first, second),
            Aggregate.STDDEV: (count, first, second),
        }.get(self.aggregate, ())


ROWS = Measure("rows", Aggregate.ROWS)
PEOPLE = Measure("people", Aggregate.PEOPLE)


@dataclass(frozen=True)
class Key:
    """One group key."""

    name: str
    sql: str
    is_time: bool = False


@dataclass(frozen=True)
class Filter:
    """A condition on rows, and what it is on."""

    name: str
    sql: str
    mark: str = ""  # TIME_FILTER, KEY_FILTER or nothing


@dataclass(frozen=True)
class Rows:
    """Rows that questions are asked of: a FROM clause, the person of a row, and how units are bounded."""

    name: str
    source: str
    person: str
    keys: Mapping[str, Key] = field(default_factory=dict)
    measures: Mapping[str, Measure] = field(default_factory=dict)
    filters: Mapping[str, Filter] = field(default_factory=dict)
    window: str = ""  # SQL of a row's privacy window; empty: units are persons
    sensitivity: float = 1.0  # in clip bounds: sqrt(2) where privacy windows cross
    kind: Kind | None = None  # None: by the aggregate
    has_private_keys: bool = False


@dataclass(frozen=True)
class Question:
    """One column of one question."""

    rows: Rows
    measure: Measure
    keys: tuple[Key, ...] = ()
    filters: tuple[Filter, ...] = ()
    top: int = 0  # rows shown, largest first; 0: all

    @property
    def name(self) -> str:
        """Unique name within a catalog."""
        by = f" by {', '.join(key.name for key in self.keys)}" if self.keys else ""
        where = f" where {', '.join(each.name for each in self.filters)}" if self.filters else ""
        return f"{f'top {self.top} ' if self.top else ''}{self.rows.name}: {self.measure.name}{by}{where}"

    @property
    def kind(self) -> Kind:
        """Class of the question."""
        if self.top:
            return Kind.TOP
        if self.rows.has_private_keys:
            return Kind.PRIVATE_KEYS
        return self.rows.kind or KIND_OF[self.measure.aggregate]

    @property
    def marks(self) -> frozenset[str]:
        """Marks by which figures are split."""
        found = {each.mark for each in self.filters if each.mark}
        found |= {BY_TIME} if self.keys and all(key.is_time for key in self.keys) else set()
        return frozenset(found | ({SIGNED} if self.measure.is_signed else set()))

    def sql(self) -> str:
        """Text for the engine."""
        clause = "WITH DIFFERENTIAL_PRIVACY OPTIONS(keys = 'private') " if self.rows.has_private_keys else ""
        return self._text(clause) + (f" ORDER BY n DESC LIMIT {self.top}" if self.top else "")

    def plain_sql(self) -> str:
        """Text for plain DuckDB: every group, without the privacy clause."""
        return self._text("")

    def people_sql(self) -> str:
        """Number of people of every group."""
        return self._text("", f"count(DISTINCT {self.rows.person})")

    def contributions_sql(self) -> str:
        """What each unit contributes to each group: columns person, win, k0.., v0.. on plain DuckDB."""
        window = self.rows.window or "0"
        keys = [f"{key.sql} AS k{i}" for i, key in enumerate(self.keys)]
        values = [f"CAST({sql} AS DOUBLE) AS v{i}" for i, sql in enumerate(self.measure.contributions)]
        columns = ", ".join([f"{self.rows.person} AS person", f"{window} AS win", *keys, *values])
        return f"SELECT {columns} FROM {self.rows.source}{self._where()} GROUP BY ALL"

    def _text(self, clause: str, number: str | None = None) -> str:
        keys = [f"{key.sql} AS k{i}" for i, key in enumerate(self.keys)]
        columns = ", ".join([*keys, f"{number or self.measure.sql(self.rows.person)} AS n"])
        places = ", ".join(str(i + 1) for i in range(len(keys)))
        group = f" GROUP BY {places}" if keys else ""
        return f"SELECT {clause}{columns} FROM {self.rows.source}{self._where()}{group}"

    def _where(self) -> str:
        conditions = " AND ".join(each.sql for each in self.filters)
        return f" WHERE {conditions}" if conditions else ""


def product(
    rows: Rows, measures: str, keys: Sequence[str] = ("",), filters: Sequence[str] = ("",), top: int = 0
) -> Iterator[Question]:
    """Ask every measure by every key under every filter; names are split at spaces, "a+b" are two of them at once."""
    for measure in measures.split():
        for by in keys:
            for where in filters:
                grouped = tuple(rows.keys[name] for name in by.split("+") if name)
                conditions = tuple(rows.filters[name] for name in where.split("+") if name)
                yield Question(rows, rows.measures[measure], grouped, conditions, top)
