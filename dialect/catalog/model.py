"""The catalog: what a steward declared, and nothing that was read from the data.

tables       columns, keys, contribution bounds, privacy windows, public domains
eligibility  whose rows may be read: consent, law, age and retention
calibration  what it may cost, and on which timetable it is made anew
cells        columns of H3 cells
movement     where the rows of a private table state that people were
engines      the engines that SQL is written for
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction

from dialect.catalog.privacy_windows import Stretch, Window


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


@dataclass(frozen=True)
class CalibrationTerms:
    """The public terms of measuring how much people contribute; no data ever move them."""

    rho: Fraction = Fraction(2, 100)  # of all histograms of one window together
    every_days: int = 90  # after which another one is due
    expires_days: int = 365  # after which declared norms hold again


USUAL = CalibrationTerms()


@dataclass(frozen=True)
class CellOf:
    """An H3 cell of a place in the same row, made when the data are opened."""

    lon: str  # column with degrees east
    lat: str  # column with degrees north
    resolution: int  # 0 to 15


class SqlType(StrEnum):
    """The types that the dialect knows; every stored type is read as one of these."""

    BOOLEAN = "BOOLEAN"
    BIGINT = "BIGINT"  # every integer type, signed or not, up to 64 bits
    DOUBLE = "DOUBLE"  # FLOAT, DOUBLE and DECIMAL
    VARCHAR = "VARCHAR"
    DATE = "DATE"
    TIMESTAMP = "TIMESTAMP"  # wall-clock time, as people at the place read it
    TIMESTAMPTZ = "TIMESTAMPTZ"  # an instant; hours and dates of it need a time zone
    TIME = "TIME"
    INTERVAL = "INTERVAL"
    VARCHAR_LIST = "VARCHAR[]"
    BIGINT_LIST = "BIGINT[]"
    POLYGON = "POLYGON"  # of public tables only; places are held against it, and nothing else
    NULL = "NULL"  # the type of a bare NULL literal


MOVEMENT = ".movement"  # behind a table's name: what its movement gives
Value = bool | int | float | str | None


@dataclass(frozen=True)
class Bounds:
    """Closed numeric range of a column, in the column's own unit."""

    lower: float
    upper: float


@dataclass(frozen=True)
class ValueList:
    """A public domain given value by value; dates and times as ISO text."""

    values: tuple[Value, ...]


@dataclass(frozen=True)
class ValueRange:
    """A public domain of all integers or dates from lower to upper, both included; of times: of their local dates."""

    lower: int | str
    upper: int | str


@dataclass(frozen=True)
class ColumnOf:
    """A public domain that is the set of values in one column of a public table."""

    table: str
    column: str


Domain = ValueList | ValueRange | ColumnOf


@dataclass(frozen=True)
class Column:
    """One declared column; what is not declared does not exist for analysts."""

    name: str
    type: SqlType
    stored_type: str  # the type as the steward wrote it, e.g. SMALLINT
    nullable: bool = True
    bounds: Bounds | None = None
    domain: Domain | None = None
    time_zone: str | None = None  # IANA name in which hours, dates and windows of it are computed
    stored_utc: bool = False  # a naive TIMESTAMP that holds UTC, to be read in time_zone
    sum_norm: float | None = None  # C of SUM(column): L2 norm of one person's sums over groups
    centred_norm: float | None = None  # C of SUM(column - centre), for averages
    centre: float | None = None  # a typical value, public; the middle of the bounds where absent
    cell: CellOf | None = None  # not stored in the source
    visible: bool = True  # False: known to admission only, e.g. the consent column
    from_windows: tuple[str, ...] = ()  # windows, other than a row's own, that its values were computed from
    usual: float | None = field(default=None, repr=False)  # where values lie by a calibration: public, not declared
    complete: bool = field(default=False, repr=False)  # no row holds a value outside the domain: checked at opening


@dataclass(frozen=True)
class NormsByKeys:
    """Norm bounds C for one usual set of group keys, written as analysts write them."""

    keys: tuple[str, ...]  # canonical key texts: ("origin_zone", "hour(started_at)")
    rows: float | None = None
    persons: float | None = None
    sums: Mapping[str, float] = field(default_factory=dict)  # column -> C
    covers: float = 0.98  # share of people the steward expects to stay within them


@dataclass(frozen=True)
class Norms:
    """L2 norm bounds C of one person's vector over groups, per aggregate kind: never one number."""

    rows: float
    persons: float
    by_keys: tuple[NormsByKeys, ...] = ()
    covers: float = 0.98  # share of people the steward expects to stay within them: a guess, read from no data


@dataclass(frozen=True)
class PersonPath:
    """How a table reaches its person: its own column, or a foreign key to a table that has it."""

    column: str  # the person column, here or in the last table of the path
    through: tuple[tuple[str, str], ...] = ()  # (own column, table whose primary key it names), in order


@dataclass(frozen=True)
class SourceJoin:
    """One public column looked up by a private column when the snapshot is built."""

    column: str  # name of the new column, e.g. origin_zone
    on: str  # column of this table, e.g. origin_id
    table: str  # public table with a primary key, e.g. stations
    take: str  # column of that table, e.g. zone_id


@dataclass(frozen=True)
class Source:
    """Where a table's rows lie: files read by glob, or a table of a DuckDB file."""

    format: str  # "parquet" | "csv" | "duckdb" | "spark"
    path: str  # absolute path or glob; of a lake a URL, or the name of a table
    table: str | None = None  # the table inside a DuckDB file
    joins: tuple[SourceJoin, ...] = ()  # public columns joined in when the snapshot is built


@dataclass(frozen=True)
class Table:
    """One declared table of a dataset."""

    name: str
    dataset: str
    private: bool
    source: Source
    columns: tuple[Column, ...]
    primary_key: tuple[str, ...] = ()
    person: PersonPath | None = None  # every private table has one
    time_column: str | None = None
    date_column: str | None = None  # the date of time_column: rows on another are not read, or data do not open
    from_windows: tuple[str, ...] = ()  # windows, other than a row's own, that its rows were computed from
    sorted_by: tuple[str, ...] = ()
    norms: Norms | None = None  # every private table has them
    max_rows_per_person: int | None = None  # R: rows kept per (person, window) before person-level joins
    max_groups_per_person: int | None = None  # L0: groups kept per (person, window) where a count is needed
    size_class: str | None = None  # public order of magnitude of the row count, e.g. "1e7"
    consent: Consent | None = None
    movement: Movement | None = None
    kept_from: str | None = None  # rows of earlier days are not read: retention, as a date

    def column(self, name: str) -> Column | None:
        """Find a declared column by its lower-case name."""
        return next((c for c in self.columns if c.name == name), None)


@dataclass(frozen=True)
class Defaults:
    """What a question is answered at when it does not say."""

    rho: Fraction  # zCDP loss of one release
    delta: Fraction  # delta of one thresholded release
    confidence: float  # level of the intervals


@dataclass(frozen=True)
class Budget:
    """The caps of a dataset, fixed before the first charge."""

    rho: Fraction  # ceiling for all clients together
    delta: Fraction  # 0.9 for the conversion to epsilon, 0.1 for thresholds
    client_rho: Fraction  # cap of one client
    static: tuple[Fraction, Fraction] | None = None  # rho and delta of tables without time; None: those of a window
    reserve_rho: Fraction = Fraction(0)  # what all clients together leave to the owner, of each window
    query_rho: Fraction | None = None  # the most that one question may cost its client, in each window
    lifetime_rho: Fraction | None = None  # cap of one client over all windows together; None: the sum of theirs


@dataclass(frozen=True)
class Dataset:
    """Private tables over one population, with one window and one budget."""

    name: str
    window: Window
    data_version: int  # moved by the steward with new data, never by an objection
    defaults: Defaults
    budget: Budget
    stretch: Stretch | None = None  # the declared windows; None where a whole history is one
    admission: AdmissionRules = NO_RULES
    calibration: CalibrationTerms = USUAL
    replay_days: int | None = None  # a stored release that is older is made anew; None: however old
    rollups: tuple[str, ...] = field(default=(), repr=False)  # questions whose people's numbers an optimizing stores
    delivered_until: str = field(default="", repr=False)  # the last window whose rows the steward declares to be there
    ingested: str = field(default="", repr=False)  # names what ingest has added to its tables; '' for nothing

    @property
    def windows(self) -> tuple[str, ...]:
        """The names of all declared windows, the earliest first."""
        return (str(self.window),) if self.stretch is None else self.stretch.names()


@dataclass(frozen=True)
class Catalog:
    """Everything an analyst may ask about."""

    name: str
    path: str  # the file it was read from
    datasets: tuple[Dataset, ...]
    tables: tuple[Table, ...]
    remote: str | None = None  # the Spark Connect address of the lake in which people's rows lie; None: in DuckDB

    def table(self, name: str) -> Table | None:
        """Find a declared table by its lower-case name."""
        return next((t for t in self.tables if t.name == name), None)

    def column(self, table: str, name: str) -> Column | None:
        """Find a declared column, or a number of the movement of a table, which is called table.movement."""
        declared = self.table(table.removesuffix(MOVEMENT))
        if declared is None or not table.endswith(MOVEMENT):
            return declared.column(name) if declared is not None else None
        return next((c for c in (declared.movement.columns if declared.movement else ()) if c.name == name), None)

    def borrowed_person(self, table: Table) -> Column | None:
        """Find the person column that a table shows as its own and another table holds; hidden ones are not shown."""
        if table.person is None or not table.person.through or table.column(table.person.column) is not None:
            return None
        column = self.column(table.person.through[-1][1], table.person.column)
        return column if column is not None and column.visible else None

    def dataset(self, name: str) -> Dataset:
        """Return a declared dataset; tables name only declared ones."""
        return next(d for d in self.datasets if d.name == name)


@dataclass(frozen=True)
class Movement:
    """How a table's rows say where a person was; when, its time column says."""

    zone: str  # column, here or in the table of `through`
    lon: str | None = None  # degrees; with lat or not at all
    lat: str | None = None
    through: tuple[str, str] | None = None  # (own column, public table whose primary key it names)
    norms: Norms | None = None  # of one person's stays and trips; None: of the table's rows
    columns: tuple[Column, ...] = ()  # numbers of stays and trips, with norms of their sums


class EngineName(StrEnum):
    """An engine that SQL is written for."""

    DUCKDB = "duckdb"
    SPARK = "spark"
