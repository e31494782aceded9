"""Typed relations: operators, each under the kind that states whose rows it holds.

| kind      | meaning                                                                      |
|-----------|------------------------------------------------------------------------------|
| Public    | no private data in it                                                        |
| PerPerson | every row belongs to exactly one person; the person key always travels along |
| Released  | came out of a release; anything may be done with it                          |

A relation is an operator under one of the kinds; `dialect.stability` and `dialect.binder.group_by` prove which.

The operators' parts stand here too: order keys of an aggregate or an ORDER BY; UNION, INTERSECT and EXCEPT of two
relations; window functions with their calls and frames; and row truncation to the contribution limit of a person,
declared or stated in the question (`proofs.md#bound`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Literal as OneOf

from dialect.algebra.expressions import Expr, Field, Literal
from dialect.catalog.model import Bounds, Table
from dialect.errors import Span


@dataclass(frozen=True)
class Direction:
    """Which end comes first."""

    descending: bool
    nulls_first: bool


@dataclass(frozen=True)
class OrderKey:
    """One term of an ORDER BY."""

    expr: Expr
    descending: bool
    nulls_first: bool


SetKind = OneOf["union", "intersect", "except"]


@dataclass(frozen=True)
class SetOperation:
    """Rows of two relations, column by column: of both, those that both have, or those that only the left has."""

    left: Relation
    right: Relation
    how: SetKind
    distinct: bool  # without: ALL
    columns: tuple[tuple[Field, Field, Field], ...]  # left, right, and what holds both


class Unit(StrEnum):
    """What the distance of a frame's end is counted in."""

    ROWS = "ROWS"
    RANGE = "RANGE"  # of the one value that orders the rows
    GROUPS = "GROUPS"  # of rows that the order leaves equal


@dataclass(frozen=True)
class FrameEnd:
    """One end of a frame."""

    side: OneOf["preceding", "current row", "following"]
    offset: Literal | None = None  # None beside a side: no end there


@dataclass(frozen=True)
class Frame:
    """The rows around a row that a call looks at, both ends included."""

    unit: Unit
    start: FrameEnd
    end: FrameEnd

    @property
    def is_distant(self) -> bool:
        """Tell whether it ends at a distance from the value that orders the rows."""
        return self.unit is Unit.RANGE and any(end.offset is not None for end in (self.start, self.end))


@dataclass(frozen=True)
class WindowCall:
    """One function over the rows that share a row's partition."""

    function: str  # a name in dialect.functions.window_functions, or an aggregate's
    arguments: tuple[Expr, ...]
    condition: Expr | None  # FILTER
    ignore_nulls: bool
    partition: tuple[Expr, ...]
    order: tuple[OrderKey, ...]
    frame: Frame | None  # None: up to the rows that the order leaves equal, or without an order the whole partition
    field: Field  # what holds its value above


@dataclass(frozen=True)
class Window:
    """The source's rows, each with the values of some calls over the rows around it."""

    source: Relation
    calls: tuple[WindowCall, ...]


def read_by(call: WindowCall) -> tuple[Expr, ...]:
    """List every expression over rows that a call reads."""
    condition = (call.condition,) if call.condition is not None else ()
    return (*call.arguments, *condition, *call.partition, *(key.expr for key in call.order))


def looks_at_all(call: WindowCall) -> bool:
    """Tell whether a call looks at all rows of the partition, whichever row it stands in."""
    if call.frame is None:
        return not call.order
    return call.frame.start == FrameEnd("preceding") and call.frame.end == FrameEnd("following")


def holds_own_row(frame: Frame | None) -> bool:
    """Tell whether every row is in its own frame."""
    return frame is None or (frame.start.side != "following" and frame.end.side != "preceding")


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


@dataclass(frozen=True)
class Limits:
    """What a question itself says of how much one person counts; None is the catalog's."""

    max_groups: int | None = None
    max_rows: int | None = None  # the source is cut to so many rows of a person already

    @property
    def said(self) -> bool:
        """Whether the question says anything of it."""
        return self != Limits()


def cut(relation: PerPerson) -> PerPerson:
    """Keep at most R rows of each person; of each window of time, of tables that have it."""
    return replace(relation, operator=Cut(relation, relation.person, relation.max_rows, timed=relation.timed))


def cut_to(source: PerPerson, limits: Limits) -> PerPerson:
    """Keep so many rows of each person as the question says: the last thing done below a boundary."""
    rows = limits.max_rows
    if rows is None or source.one_row_per_person:
        return source
    return replace(
        source, operator=Cut(source, source.person, rows), one_row_per_person=rows == 1,
        max_rows=min(rows, source.max_rows), timed=0,
    )  # fmt: skip


def rows_in(made: PerPerson | Cut, windows: int) -> int:
    """Say how many rows of a person are reckoned with, or kept, where those of some windows of time count together."""
    return min(made.max_rows * int(windows**made.timed), max(made.max_rows, MOST_ROWS))
