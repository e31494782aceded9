"""Types of code generation: its target, its per-unit partial aggregates, and the bounded SQL that results.

A unit is a privacy unit: a person, or a person and privacy window. A partial aggregate is the exact number of one unit
in one group, in value grains: fixed-point integers in units of 2^-value_bits of the value's unit. A lake is an engine
that holds people's rows only; public rows that it needs are broadcast: sent along with the SQL.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from dialect.algebra.expressions import Field
from dialect.algebra.release_plan import ContributionBounds, PrivatePlan
from dialect.catalog.model import EngineName

Subquery = tuple[str, bool | None, str]  # CTE: name, MATERIALIZED (None: NOT MATERIALIZED), text
TableRowLimit = tuple[str, int]  # a private table and its row limit per person
MAX_SMALLINT_ROWS = 2**15 - 1  # row count up to which a dense rank fits SMALLINT


@dataclass(frozen=True)
class Rollup:
    """Materialized rollup: a stored table with one row per person and group, of which partial aggregates are read."""

    plan: PrivatePlan  # of the query that declares the rollup
    bounds: ContributionBounds  # define the value grains of its numbers
    address: str  # quoted


class Shortcut(Enum):
    """Physical shortcut: generated SQL of another form that is faster and gives the same integers."""

    ROLLUPS = "read a materialized rollup instead of rows"  # dialect/codegen/materialized_rollups.py
    DISJUNCTIVE_JOINS = "join on OR as a union of hash joins"  # dialect/codegen/relations/relation.py
    # passes of dialect/codegen/contribution/physical_plan.py
    DICTIONARY_CODES = "group by integer codes of public texts"  # group truncation hashes them: it keeps other groups
    PUBLIC_GRAINS = "convert public values to value grains before they are joined"
    ENCODED_KEYS = "group by one integer for a whole public key"
    AGGREGATION_PUSHDOWN = "aggregate rows before the row with the group keys is joined"
    UNCLIPPED_UNITS = "sum unclipped units without rows of their own"


@dataclass(frozen=True)
class Target:
    """Target of code generation: an engine, and the address of each declared table in it.

    Where people's rows are in a lake, `lake` is the target of their SQL, and this one, in DuckDB, holds the public
    tables.
    """

    addresses: Mapping[str, str]  # table name -> quoted SQL address
    engine: EngineName = EngineName.DUCKDB
    lake: Target | None = None  # holds people's rows, if they are not in the engine of the public tables
    rollups: tuple[Rollup, ...] = ()  # materialized from the rows of this target, or of its lake
    # of a lake: SQL of eligible persons -> table that holds them
    eligible_tables: Mapping[str, str] = field(default_factory=dict)
    # datasets whose unsigned person keys are read as the signed BIGINT of the same bits
    same_bits_datasets: frozenset[str] = frozenset()
    # row limits that no person exceeds: truncation is skipped
    unexceeded_limits: frozenset[TableRowLimit] = frozenset()
    shortcuts: frozenset[Shortcut] = frozenset(Shortcut)  # that may be taken: all, except in tests of their equivalence
    small_tables: frozenset[str] = frozenset()  # public tables with at most MAX_SMALLINT_ROWS rows
    # of a lake: broadcast table -> its columns that written SQL reads, added while it is written
    broadcast_columns: Mapping[str, set[Field]] = field(default_factory=dict, compare=False)


@dataclass(frozen=True)
class UnitPartials:
    """SQL of per-unit partial aggregates: exact integers per (unit, group), computed or read from a rollup.

    Columns: the unit (`person`, `win`), the group keys k0, ..., and v0, ... of the query vectors.
    """

    text: str  # SELECT of the unit, k0, ..., v0, ...; before the cap
    keeps_stored_groups: bool  # read from a rollup with exactly these groups: nothing is added up
    merges_unclipped_units: bool = (
        False  # unclipped units share one row per group, with a NULL person (unclipped_units)
    )


@dataclass(frozen=True)
class LakeSql:
    """SQL for a lake. Placeholders in braces name its tables and the public rows that are broadcast to it."""

    text: str
    broadcast: Mapping[str, str] = field(default_factory=dict)  # placeholder -> DuckDB SQL of its rows


@dataclass(frozen=True)
class BoundedSql:
    """Bounded SQL for a backend: rows of group keys and one BIGINT per query vector, in public key order."""

    text: str
    key_count: int  # number of columns k0, k1, ..., which come first
    vector_count: int  # number of columns w0, w1, ... after them
    # broadcast to a lake: placeholder -> DuckDB SQL of public rows
    broadcast: Mapping[str, str] = field(default_factory=dict)
    ordering_sql: str = ""  # of a lake: DuckDB SQL that puts its groups into public key order
    eligible_sql: str = ""  # of DuckDB: the subquery of eligible persons with which `text` begins
    # of DuckDB: subqueries that statements of a release share, by CTE, each with those after it inside
    shared: Mapping[str, str] = field(default_factory=dict)
    untruncated_text: str = ""  # of DuckDB: the text without row truncation of stored tables; empty if there is none
    untruncated_shared: Mapping[str, str] = field(default_factory=dict)  # the shared subqueries in that text
    untruncated_conditions: tuple[
        tuple[str, int], ...
    ] = ()  # it may run if each holds: (SQL of the most rows of one person in a table, limit that it must not exceed)
    total_count: int = (
        0  # how many of the columns w<i>, the last ones, are totals over all groups: the same in each row
    )
