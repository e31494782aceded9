"""The catalog: everything a steward declares. Nothing in it is read from private data.

tables       columns, keys, contribution bounds, privacy windows, public key sets
eligibility  whose rows may be read: consent, law, age and retention; as declared, and as conditions for code generation
calibration  budget and schedule for measuring contribution distributions
cells        columns of H3 cells
movement     columns of a private table that hold where a person was
engines      SQL engines that code is generated for
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum
from fractions import Fraction
from functools import cached_property

from dialect.catalog.privacy_windows import PrivacyWindow, WindowRange, first_day_of_window


class AgeUnit(StrEnum):
    """Unit of the column from which a person's age is read."""

    BIRTH_DATE = "birth_date"
    BIRTH_YEAR = "birth_year"
    AGE = "age"  # in years, maintained by the steward
    AGE_BAND = "age_band"


@dataclass(frozen=True)
class Consent:
    """Consent column of the person table, and the values that make a person eligible."""

    column: str
    eligible_values: tuple[str | bool, ...]


@dataclass(frozen=True)
class Jurisdiction:
    """Country under whose law each person is; codes have two letters, as in ISO 3166-1."""

    column: str | None  # of the person table; None: `constant` holds for everybody
    constant: str | None
    codes: tuple[str, ...]  # countries excluded, or the only ones included
    is_excluded: bool  # True: `codes` are excluded; False: only `codes` are included
    legal_basis: tuple[tuple[str, str], ...] = ()  # (code, owner's legal basis for processing)


@dataclass(frozen=True)
class MinimumAge:
    """Minimum age of eligible persons."""

    column: str
    unit: AgeUnit
    minimum: int = 18  # years
    computed_on: str | None = None  # day on which the age is computed; None: the first day read
    eligible_bands: tuple[str, ...] = ()  # eligible values of an age band column


@dataclass(frozen=True)
class Retention:
    """How far back from the last declared day rows are read; exactly one of the two is set."""

    months: int | None = None
    days: int | None = None


@dataclass(frozen=True)
class EligibilityRules:
    """Eligibility rules of a dataset; a rule that is None does not apply."""

    table: str | None = None  # the person table (one row per person), where there are several candidates
    jurisdiction: Jurisdiction | None = None
    minors: MinimumAge | None = None
    retention: Retention | None = None
    contact: str | None = None  # how people can object, as text of the owner


NO_ELIGIBILITY_RULES = EligibilityRules()


@dataclass(frozen=True)
class CalibrationPolicy:
    """Public budget and schedule for measuring contribution distributions; they never depend on data."""

    rho: Fraction = Fraction(2, 100)  # per privacy window, for all histograms together
    interval_days: int = 90  # interval between calibrations
    expires_days: int = 365  # age at which a calibration is ignored and declared clip bounds apply


DEFAULT_CALIBRATION = CalibrationPolicy()


@dataclass(frozen=True)
class H3Cell:
    """An H3 cell computed from two coordinates of the same row when data are loaded."""

    lon: str  # column with degrees east
    lat: str  # column with degrees north
    resolution: int  # 0 to 15


class SqlType(StrEnum):
    """SQL types of the dialect; every stored type is mapped to one of them."""

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
    POLYGON = "POLYGON"  # of public tables only; usable in point-in-polygon tests alone
    NULL = "NULL"  # the type of a bare NULL literal


MOVEMENT_SUFFIX = ".movement"  # suffix of a table's name: pseudo-table of its derived movement columns
Value = bool | int | float | str | None


@dataclass(frozen=True)
class Bounds:
    """Closed numeric range, in the unit of its column."""

    lower: float
    upper: float

    @property
    def is_finite(self) -> bool:
        """Whether neither end is infinite or NaN."""
        return math.isfinite(self.lower) and math.isfinite(self.upper)


@dataclass(frozen=True)
class ValueList:
    """A public domain listed value by value; dates and times as ISO text."""

    values: tuple[Value, ...]


@dataclass(frozen=True)
class ValueRange:
    """A public domain of all integers or dates in a closed range; for timestamps the range of their local dates."""

    lower: int | str
    upper: int | str


@dataclass(frozen=True)
class ColumnValues:
    """A public domain defined as the set of values in one column of a public table."""

    table: str
    column: str


Domain = ValueList | ValueRange | ColumnValues


@dataclass(frozen=True)
class Column:
    """A declared column. Columns that are not declared do not exist for analysts."""

    name: str
    type: SqlType
    stored_type: str  # the type as the steward wrote it, e.g. SMALLINT
    nullable: bool = True
    bounds: Bounds | None = None
    domain: Domain | None = None
    time_zone: str | None = None  # IANA name; hours, dates and privacy windows are computed in it
    stored_utc: bool = False  # a naive TIMESTAMP in UTC, converted to time_zone
    sum_clip_bound: float | None = None  # L2 clip bound of one person's SUM(column) over groups
    centred_sum_clip_bound: float | None = None  # L2 clip bound of SUM(column - centre), for AVG
    centre: float | None = None  # public typical value; None: the middle of the bounds
    cell: H3Cell | None = None  # derived, not stored in the source
    visible: bool = True  # False: used by eligibility rules only, e.g. the consent column
    source_windows: tuple[str, ...] = ()  # other privacy windows that its values were computed from
    calibrated_typical_value: float | None = field(default=None, repr=False)  # typical value from a calibration, public
    complete: bool = field(default=False, repr=False)  # every value lies in the domain: checked when data are loaded
    measures_bounds: bool = field(default=False, repr=False)  # bounds = "measure": a calibration measures them
    measured_bounds: Bounds | None = field(default=None, repr=False)  # what values are clamped to then; None: not yet


@dataclass(frozen=True)
class ClipBoundsByKeys:
    """L2 clip bounds for one set of group keys, given as canonical expressions."""

    keys: tuple[str, ...]  # canonical key texts: ("origin_zone", "hour(started_at)")
    rows: float | None = None
    persons: float | None = None
    sums: Mapping[str, float] = field(default_factory=dict)  # column -> clip bound
    expected_coverage: float | None = 0.98  # expected share of persons who are not clipped; None: unknown


@dataclass(frozen=True)
class ClipBounds:
    """L2 clip bounds of a person's vector over groups, one for each kind of aggregate."""

    rows: float
    persons: float
    by_keys: tuple[ClipBoundsByKeys, ...] = ()
    expected_coverage: float | None = 0.98  # expected share of persons who are not clipped: a guess; None: unknown


@dataclass(frozen=True)
class PersonPath:
    """Path from a table to its person column: its own column, or foreign keys to a table that has it."""

    column: str  # the person column, here or in the last table of the path
    through: tuple[tuple[str, str], ...] = ()  # (foreign key column, referenced table), in order


@dataclass(frozen=True)
class SourceJoin:
    """A public column joined to a private table by a foreign key when the snapshot is built."""

    column: str  # name of the new column, e.g. origin_zone
    join_column: str  # column of this table, e.g. origin_id
    table: str  # public table with a primary key, e.g. stations
    source_column: str  # column of that table, e.g. zone_id


@dataclass(frozen=True)
class Source:
    """Location of a table's rows: files matched by a glob, a table of a DuckDB file, or a Spark table."""

    format: str  # "parquet" | "csv" | "duckdb" | "spark"
    path: str  # absolute path or glob; for a lake a URL or a table name
    table: str | None = None  # the table inside a DuckDB file
    joins: tuple[SourceJoin, ...] = ()  # joined when the snapshot is built


@dataclass(frozen=True)
class Table:
    """Declaration of one table: its source, columns, keys, person path and contribution bounds."""

    name: str
    dataset: str
    private: bool
    source: Source
    columns: tuple[Column, ...]
    primary_key: tuple[str, ...] = ()
    person: PersonPath | None = None  # not None for private tables
    time_column: str | None = None
    date_column: str | None = None  # equals the date of time_column: enforced when data are loaded or read
    source_windows: tuple[str, ...] = ()  # other privacy windows that its rows were computed from
    sorted_by: tuple[str, ...] = ()
    clip_bounds: ClipBounds | None = None  # declared by the steward; None: none, or a public table
    max_rows_per_person: int | None = None  # row truncation per (person, window) before person-level joins
    max_groups_per_person: int | None = None  # L0: group truncation per (person, window), where a bound is needed
    size_class: str | None = None  # public order of magnitude of the row count, e.g. "1e7"
    consent: Consent | None = None
    movement: Movement | None = None
    retained_from: str | None = None  # retention: ISO date of the first day that is read
    # in one window, by size classes; None: unknown
    mean_rows_per_person: float | None = field(default=None, repr=False)

    @cached_property
    def applied_clip_bounds(self) -> ClipBounds:
        """The declared clip bounds of a private table, else fallback bounds of unknown coverage."""
        return self.clip_bounds or fallback_clip_bounds(self)

    @cached_property
    def has_one_row_per_person(self) -> bool:
        """Return whether the primary key allows one row per person, so that nothing is ever clipped."""
        return self.own_person_column is not None and self.primary_key == (self.own_person_column,)

    @cached_property
    def own_person_column(self) -> str | None:
        """Return the table's own person key column; None where the person is found through a foreign key."""
        return None if self.person is None or self.person.through else self.person.column

    @cached_property
    def text_person_column(self) -> str | None:
        """Return the table's own person key column if it is a text; None otherwise."""
        column = self.columns_by_name.get(self.own_person_column or "")
        return column.name if column is not None and column.type is SqlType.VARCHAR else None

    @cached_property
    def person_key_columns(self) -> frozenset[str]:
        """Return the columns that lead to a row's person: own key, foreign keys on the way, primary key.

        They are only ever compared, never computed with, so that their values may be read in any type that keeps them
        apart.
        """
        path = () if self.person is None else (self.person.column, *(own for own, _ in self.person.through))
        return frozenset((*path, *self.primary_key))

    @cached_property
    def columns_by_name(self) -> dict[str, Column]:
        """Map lower-case column names to the declared columns."""
        return {column.name: column for column in self.columns}


@dataclass(frozen=True)
class Defaults:
    """Privacy parameters of a query that sets none itself."""

    rho: Fraction  # zCDP loss of one release
    delta: Fraction  # delta of one thresholded release
    confidence: float  # level of the intervals


@dataclass(frozen=True)
class Budget:
    """Privacy budget of a dataset, fixed before the first charge."""

    rho: Fraction  # ceiling for all clients together
    delta: Fraction  # 0.9 for the conversion to epsilon, 0.1 for thresholds
    client_rho: Fraction  # cap of one client
    # rho and delta of tables without time; None: those of a window
    static_budget: tuple[Fraction, Fraction] | None = None
    reserve_rho: Fraction = Fraction(0)  # reserved for the owner in each window, not spendable by clients
    query_rho: Fraction | None = None  # cap of one query, in each window
    lifetime_rho: Fraction | None = None  # cap of one client over all windows; None: no such cap


@dataclass(frozen=True)
class Dataset:
    """Private tables about one population, which share privacy windows and a budget."""

    name: str
    window: PrivacyWindow
    data_version: int  # incremented by the steward for new data, never by an objection
    defaults: Defaults
    budget: Budget
    window_range: WindowRange | None = None  # declared privacy windows; None for FOREVER
    eligibility: EligibilityRules = NO_ELIGIBILITY_RULES
    calibration: CalibrationPolicy = DEFAULT_CALIBRATION
    replay_days: int | None = None  # maximum age of a replayed release; None: unlimited
    rollups: tuple[str, ...] = field(default=(), repr=False)  # queries whose per-unit aggregates are materialized
    delivered_until: str = field(default="", repr=False)  # last window whose rows the steward declares complete
    ingest_version: str = field(default="", repr=False)  # version of the rows added by ingest; '' for none

    @property
    def full_data_version(self) -> str:
        """The version of the data: the steward's `data_version`, and a digest of the ingested files."""
        return f"{self.data_version}+{self.ingest_version}" if self.ingest_version else str(self.data_version)

    @property
    def window_names(self) -> tuple[str, ...]:
        """Names of all declared privacy windows, the earliest first."""
        return (str(self.window),) if self.window_range is None else self.window_range.window_names()


@dataclass(frozen=True)
class Catalog:
    """All declared datasets and tables."""

    name: str
    path: str  # catalog file
    datasets: tuple[Dataset, ...]
    tables: tuple[Table, ...]
    remote: str | None = None  # Spark Connect address of the lake with private tables; None: DuckDB

    @cached_property
    def tables_by_name(self) -> dict[str, Table]:
        """Map lower-case table names to the declared tables."""
        return {table.name: table for table in self.tables}

    def column(self, table: str, name: str) -> Column | None:
        """Return a declared column, or for `<table>.movement` a derived movement column; None where there is none."""
        declared = self.tables_by_name.get(table.removesuffix(MOVEMENT_SUFFIX))
        if declared is None or not table.endswith(MOVEMENT_SUFFIX):
            return declared.columns_by_name.get(name) if declared is not None else None
        return next((c for c in (declared.movement.columns if declared.movement else ()) if c.name == name), None)

    def inherited_person_column(self, table: Table) -> Column | None:
        """Visible person column that a table reaches by foreign keys and shows as its own; None otherwise."""
        if (
            table.person is None
            or not table.person.through
            or table.columns_by_name.get(table.person.column) is not None
        ):
            return None
        column = self.column(table.person.through[-1][1], table.person.column)
        return column if column is not None and column.visible else None

    def private_tables(self, dataset: str) -> tuple[Table, ...]:
        """Return the private tables of a dataset, in order of declaration."""
        return tuple(table for table in self.tables if table.private and table.dataset == dataset)

    @cached_property
    def datasets_by_name(self) -> dict[str, Dataset]:
        """Map dataset names to the declared datasets."""
        return {dataset.name: dataset for dataset in self.datasets}


@dataclass(frozen=True)
class Movement:
    """Columns that state where a person was; the time is the table's time column."""

    zone: str  # column, of this table or of the table in `through`
    lon: str | None = None  # degrees; with lat or not at all
    lat: str | None = None
    through: tuple[str, str] | None = None  # (foreign key column, referenced public table)
    clip_bounds: ClipBounds | None = None  # clip bounds for stays and trips; None: those of the table
    columns: tuple[Column, ...] = ()  # numeric columns of stays and trips, with clip bounds of their sums


class EngineName(StrEnum):
    """SQL engine that code is generated for."""

    DUCKDB = "duckdb"
    SPARK = "spark"


# a person with this many times the mean number of rows still counts fully: size classes are within a factor of 3 of
# the numbers of rows, and contributions are skewed
FALLBACK_MULTIPLE = 4
# rows that count fully where no public fact tells the mean: people are typically seen some to some tens of times a
# window in trips, visits, check-ins and purchases, and this power of two covers most of them
FALLBACK_ROWS = 64
MIN_FALLBACK_ROWS = 8
FALLBACK_GROUPS = 20  # groups that count fully, where the table declares no maximum
FALLBACK_VALUE_SHARE = 0.25  # a usual value as a share of the largest: declared value bounds are wide


def fallback_clip_bounds(table: Table) -> ClipBounds:
    """Return clip bounds for a table that declares none; the share of people within them is unknown.

    A person counts fully with `FALLBACK_MULTIPLE` times the mean number of rows that size classes imply, or
    `FALLBACK_ROWS` where they imply none, at most `max_rows_per_person`; and in `max_groups_per_person` groups, whose
    memberships have the norm of their root. A table with one row per person has 1 of each.
    """
    if table.has_one_row_per_person:
        return ClipBounds(1.0, 1.0, expected_coverage=None)
    mean = table.mean_rows_per_person
    usual = FALLBACK_ROWS if mean is None else max(MIN_FALLBACK_ROWS, math.ceil(FALLBACK_MULTIPLE * mean))
    rows = min(usual, table.max_rows_per_person or usual)
    groups = min(rows, table.max_groups_per_person or FALLBACK_GROUPS)  # a row is in one group
    return ClipBounds(float(rows), math.sqrt(groups), expected_coverage=None)


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
