"""Bounded SQL in nouns: what it is written for, what it is made of, and what it is when it is done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from dialect.algebra.release_plan import Bounding, PrivatePlan
from dialect.catalog.model import EngineName

Subquery = tuple[str, bool | None, str]  # its name, whether it is made once (None: never kept), its text
StoredRows = tuple[str, int]  # a private table, and how many rows of each person are kept of it
FEW_ROWS = 2**15 - 1  # whose ranks are whole numbers of two bytes


@dataclass(frozen=True)
class Rollup:
    """One row per person and group, stored before it is asked for."""

    plan: PrivatePlan  # of the question that declares it
    bounds: Bounding  # whose grains its numbers are counted in
    address: str  # quoted


@dataclass(frozen=True)
class Target:
    """A backend to write for: where each declared table lies in it."""

    addresses: Mapping[str, str]  # table name -> quoted address
    engine: EngineName = EngineName.DUCKDB
    lake: Target | None = None  # where people's rows lie, if not beside the public ones
    rollups: tuple[Rollup, ...] = ()  # made of the very rows that lie there, or in the lake
    eligible: Mapping[str, str] = field(default_factory=dict)  # of a lake: SQL of who meets every state -> their table
    same_bits: frozenset[str] = frozenset()  # datasets whose persons are read as the BIGINT of the same 64 bits
    uncut: frozenset[StoredRows] = frozenset()  # what nobody has more of: these cuts leave nothing out
    few: frozenset[str] = frozenset()  # tables with FEW_ROWS at most, while they are open; of public ones it is asked


@dataclass(frozen=True)
class Rolled:
    """The exact numbers of each unit in each group, read from rows or from a rollup."""

    text: str  # SQL: the unit, k0, ..., v0, ... not capped yet
    as_stored: bool  # its groups are the stored ones: nothing is added up
    weighed: bool = False  # light units are one, which has no name (light_units)


@dataclass(frozen=True)
class LakeRows:
    """SQL for a lake, whose places in braces are its tables and the public rows that it is handed."""

    text: str
    handed: Mapping[str, str] = field(default_factory=dict)  # name of a place -> DuckDB SQL


@dataclass(frozen=True)
class BoundedSql:
    """SQL for a backend: rows of keys, then one BIGINT per vector, in public order."""

    text: str
    keys: int  # columns k0, k1, ... come first
    vectors: int  # then w0, w1, ...
    handed: Mapping[str, str] = field(default_factory=dict)  # public rows that a lake is handed: address -> DuckDB SQL
    in_order: str = ""  # of a lake: DuckDB SQL over its groups, which gives the answer's rows
    eligible: str = ""  # of DuckDB: the subquery of who meets every state, with which the text begins
    uncut: str = ""  # of DuckDB: the same where nobody has more rows than these; empty where no stored rows are cut
    uncut_if: tuple[tuple[str, int], ...] = ()  # SQL of the most stored rows that a person has, and what it may give
