"""Typed relations: a small algebra in which every relation knows whose rows it holds.

| kind      | meaning                                                                     |
|-----------|-----------------------------------------------------------------------------|
| Public    | no private data in it                                                       |
| PerPerson | every row belongs to exactly one person; the person key always travels along |
| Released  | came out of a release; anything may be done with it                          |

A relation is an operator under one of the kinds: `rules`, `joins`, `semi_joins`, `grouping` and `scans` prove which.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Literal as OneOf

from dialect.algebra.directions import Direction, OrderKey
from dialect.algebra.expressions import Expr, Field, Literal
from dialect.algebra.set_operation import SetOperation
from dialect.algebra.window import Window
from dialect.catalog.catalog import Bounds, Table
from dialect.errors import Span

How = OneOf["inner", "left", "cross", "full"]  # the last of public and released rows alone
MOST_ROWS = 10**12  # of one person: beyond it a product of row limits says nothing


@dataclass(frozen=True)
class Scan:
    """All declared columns of one stored table, in the order of the fields."""

    table: Table
    fields: tuple[Field, ...]
    windows: int = 1  # of time, that are read; 1 of a table without
    windowed: bool = False  # whole windows are read, and the filter above it says which


@dataclass(frozen=True)
class Values:
    """Rows of constants."""

    rows: tuple[tuple[Literal, ...], ...]
    fields: tuple[Field, ...]


@dataclass(frozen=True)
class Series:
    """Every integer, or every date or time step, from lower to upper, both included."""

    lower: Literal
    upper: Literal
    step: str  # "1" of integers, else an amount and a unit: "1 day", "15 minute"
    field: Field


@dataclass(frozen=True)
class Filter:
    """Rows for which the condition is true."""

    source: Relation
    condition: Expr


@dataclass(frozen=True)
class Project:
    """The source's fields and some computed ones."""

    source: Relation
    computed: tuple[tuple[Field, Expr], ...]


@dataclass(frozen=True)
class Join:
    """Pairs of rows that meet the condition; left: every left row at least once; full: every right row too."""

    left: Relation
    right: Relation
    how: How
    condition: Expr
    apart: bool = False  # the pairs are each of one window of time


@dataclass(frozen=True)
class SemiJoin:
    """Left rows that meet at least one right row on the condition; anti: those that meet none."""

    left: Relation
    right: Relation
    condition: Expr
    anti: bool
    apart: bool = False  # as of a join


@dataclass(frozen=True)
class Measure:
    """One aggregate call over a group's rows."""

    function: str  # a name in dialect.functions.aggregates
    arguments: tuple[Expr, ...]
    condition: Expr | None  # FILTER
    field: Field  # what holds its value above
    bounds: Bounds | None = None  # named by the question: of one person's number in one group
    directions: tuple[Direction, ...] = ()  # of the last arguments, by which the rows are ordered


@dataclass(frozen=True)
class Group:
    """One row per combination of the keys; over PerPerson the keys contain the person."""

    source: Relation
    keys: tuple[Field, ...]  # fields of the source
    measures: tuple[Measure, ...]


@dataclass(frozen=True, eq=False)
class GroupSets:
    """All sets of keys of one GROUP BY: of whose groups some may be added up from those of others."""

    sets: tuple[tuple[Field, ...], ...]  # fields of the source


@dataclass(frozen=True)
class Boundary:
    """The release boundary: a private source's groups, their persons gone."""

    source: PerPerson
    keys: tuple[Field, ...]
    measures: tuple[Measure, ...]
    span: Span | None = field(default=None, compare=False)  # where the question asks for it
    among: GroupSets | None = field(default=None, compare=False)  # the sets that its keys are one of


@dataclass(frozen=True)
class ReleaseScan:
    """What a release made: its keys, its numbers, and the raw numbers behind them."""

    index: int  # position among the question's ReleaseColumns
    fields: tuple[Field, ...]


@dataclass(frozen=True)
class Distinct:
    """The different combinations of some fields."""

    source: Relation
    keys: tuple[Field, ...]


@dataclass(frozen=True)
class Cut:
    """At most `max_rows` rows of each person, in each window if these are apart, chosen by a hash of them alone."""

    source: Relation
    person: Field
    max_rows: int
    window: Field | None = None
    timed: int = 0  # how many tables' R they are the product of that are of one window each


@dataclass(frozen=True)
class Padded:
    """The source's rows and one row of NULLs, as a LEFT JOIN may bring them."""

    source: Relation


@dataclass(frozen=True)
class Ranked:
    """The source's rows, and a field with the rank of a text among all of theirs, from 1; NULL of NULL."""

    source: Public
    text: Field
    rank: Field


@dataclass(frozen=True)
class Grained:
    """The source's rows, and a field with a value of theirs in whole grains."""

    source: Public
    value: Field
    grains: Field
    text: str  # SQL over the value


@dataclass(frozen=True)
class Sort:
    """The rows in an order, cut to a slice of it."""

    source: Relation
    order: tuple[OrderKey, ...]
    limit: int | None = None
    offset: int = 0


Operator = (
    Scan | Values | Series | Filter | Project | Join | SetOperation | SemiJoin | Group | Boundary | ReleaseScan
    | Distinct | Cut | Padded | Grained | Ranked | Sort | Window
)  # fmt: skip


@dataclass(frozen=True)
class Relation:
    """An operator's rows: its fields, nameable or carried, and what is known of every row."""

    operator: Operator
    fields: tuple[Field, ...]
    facts: tuple[Expr, ...] = field(default=(), compare=False)  # true of every row, over undefined fields


@dataclass(frozen=True)
class Public(Relation):
    """No private data in it."""


class Outcome(StrEnum):
    """What an expression can be in a row whose private side is NULL."""

    NULL = "null"
    FALSE = "false"
    TRUE = "true"
    ZERO = "zero"
    OTHER = "other"


Outcomes = frozenset[Outcome]


@dataclass(frozen=True)
class Kept:
    """The public rows of a LEFT JOIN that stay, and what every other field is where nobody's row met them."""

    rows: Public
    absent: Mapping[Field, Outcomes]


@dataclass(frozen=True)
class PerPerson(Relation):
    """Every row belongs to exactly one person, named by the field `person`."""

    person: Field = field(kw_only=True)  # never NULL
    dataset: str = field(kw_only=True)
    one_row_per_person: bool = field(kw_only=True, default=False)
    max_rows: int = field(kw_only=True, default=1)  # kept before a private join: R, multiplied where two met
    timed: int = field(kw_only=True, default=0)  # how many tables' R of these are of one window of time each
    derived: Table | None = field(kw_only=True, default=None, compare=False)  # whose movement these rows are
    kept: Kept | None = field(kw_only=True, default=None, compare=False)  # of a public table LEFT JOIN these rows


@dataclass(frozen=True)
class Released(Relation):
    """Came out of a release, possibly with public rows joined in."""


def public_list(of: Field) -> Public | None:
    """Return the public rows that hold a field's values; None where there are none."""
    rows = of.public
    assert rows is None or isinstance(rows, Public)  # noqa: S101  nothing else is put there
    return rows


def with_null_row(public: Public) -> Public:
    """Add one row of NULLs to a public relation."""
    return Public(Padded(public), tuple(replace(f, nullable=True) for f in public.fields))
