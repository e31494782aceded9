"""Typed relations: an operator and its fields, under a kind that states whose data the rows hold.

| kind      | meaning                                                                      |
|-----------|------------------------------------------------------------------------------|
| Public    | no private data in it                                                        |
| PerPerson | every row belongs to exactly one person; the person key always travels along |
| Released  | came out of a release; anything may be done with it                          |

`dialect.stability` and `dialect.binder.group_by` prove the kind of every operator's result.

The parameters of operators are declared here too: sort keys, window calls and frames, aggregate calls, and row
truncation to the contribution limit of a person, declared or stated in the query (`proofs.md#bound`).

A privacy window is a period of time with a budget of its own; a Window is an operator of SQL window functions. A
release point is the GROUP BY at which people's rows become released numbers. A grain is the unit of a fixed-point
integer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, ClassVar, Self
from typing import Literal as OneOf

from dialect.algebra.expressions import Expr, Field, Literal, fields_of
from dialect.algebra.traversal import Node, is_entered, map_parts, walk
from dialect.catalog.model import Bounds, Table
from dialect.errors import Span


@dataclass(frozen=True)
class SortDirection:
    """Sort direction and position of NULLs."""

    descending: bool
    nulls_first: bool


@dataclass(frozen=True)
class OrderKey:
    """One term of an ORDER BY."""

    expr: Expr
    descending: bool
    nulls_first: bool


class RowOrigin(StrEnum):
    """Where the rows of an operator come from: the one thing that properties of relations know of most operators."""

    GIVEN = "given"  # without inputs: stored, listed or released
    SUBSET = "subset"  # rows of the first input, each at most once, with all of its fields
    GROUPS = "groups"  # one row for each combination of the keys, which are fields of the input
    PAIRS = "pairs"  # pairs of rows of two inputs
    UNION = "union"  # rows of several inputs, or further ones


SetKind = OneOf["union", "intersect", "except"]


@dataclass(frozen=True)
class SetOperation:
    """UNION, INTERSECT or EXCEPT of two relations, matched column by column."""

    row_origin: ClassVar = RowOrigin.UNION
    left: Relation
    right: Relation
    kind: SetKind
    is_distinct: bool  # False: ALL
    columns: tuple[tuple[Field, Field, Field], ...]  # (left field, right field, result field)


class FrameUnit(StrEnum):
    """Unit in which the offset of a window frame's bound is counted."""

    ROWS = "ROWS"
    RANGE = "RANGE"  # value of the single sort key
    GROUPS = "GROUPS"  # groups of peer rows


@dataclass(frozen=True)
class FrameBound:
    """One bound of a window frame."""

    side: OneOf["preceding", "current row", "following"]
    offset: Literal | None = None  # None with a side: UNBOUNDED


@dataclass(frozen=True)
class Frame:
    """Window frame: the rows around the current row that a call reads, both bounds included."""

    unit: FrameUnit
    start: FrameBound
    end: FrameBound

    @property
    def has_value_offset(self) -> bool:
        """Whether a bound is an offset from the sort key's current value (RANGE BETWEEN 5 PRECEDING ...)."""
        return self.unit is FrameUnit.RANGE and any(end.offset is not None for end in (self.start, self.end))


@dataclass(frozen=True)
class WindowCall:
    """One call of a window function, or of an aggregate with OVER."""

    function: str  # name in dialect.functions.window_functions, or of an aggregate
    arguments: tuple[Expr, ...]
    condition: Expr | None  # FILTER
    ignore_nulls: bool
    partition: tuple[Expr, ...]
    order: tuple[OrderKey, ...]
    frame: Frame | None  # None: the SQL default, up to the current row's peers; without ORDER BY the partition
    result: Field  # result field


@dataclass(frozen=True)
class Window:
    """The source's rows, each extended by the values of window calls."""

    row_origin: ClassVar = RowOrigin.SUBSET
    source: Relation
    calls: tuple[WindowCall, ...]


def call_expressions(call: WindowCall) -> tuple[Expr, ...]:
    """All row expressions that a window call reads: arguments, FILTER, PARTITION BY, ORDER BY."""
    condition = (call.condition,) if call.condition is not None else ()
    return (*call.arguments, *condition, *call.partition, *(key.expr for key in call.order))


def is_whole_partition(call: WindowCall) -> bool:
    """Return whether the frame is the whole partition, so that every row of a partition gets the same value."""
    if call.frame is None:
        return not call.order
    return call.frame.start == FrameBound("preceding") and call.frame.end == FrameBound("following")


def has_rows_frame(call: WindowCall) -> bool:
    """Return whether a window function has a ROWS frame."""
    return call.frame is not None and call.frame.unit is FrameUnit.ROWS


def includes_current_row(frame: Frame | None) -> bool:
    """Return whether the frame always contains the current row."""
    return frame is None or (frame.start.side != "following" and frame.end.side != "preceding")


JoinKind = OneOf["inner", "left", "cross", "full"]  # full: of public and released rows only
MAX_ROW_BOUND = 10**12  # cap of row-count bounds per person; larger products of row limits are meaningless


@dataclass(frozen=True)
class Scan:
    """All declared columns of one stored table, in the order of the fields."""

    row_origin: ClassVar = RowOrigin.GIVEN
    table: Table
    fields: tuple[Field, ...]
    window_count: int = 1  # number of privacy windows read; 1 for a table without a time column
    reads_whole_windows: bool = False  # reads whole privacy windows, selected by the filter above it


@dataclass(frozen=True)
class Values:
    """VALUES: rows of constants."""

    row_origin: ClassVar = RowOrigin.GIVEN
    rows: tuple[tuple[Literal, ...], ...]
    fields: tuple[Field, ...]


@dataclass(frozen=True)
class Series:
    """generate_series: every integer, date or time step from lower to upper, both included."""

    row_origin: ClassVar = RowOrigin.GIVEN
    lower: Literal
    upper: Literal
    step: str  # "1" for integers, otherwise an interval: "1 day", "15 minute"
    field: Field


@dataclass(frozen=True)
class Filter:
    """WHERE: the rows for which the condition is true."""

    row_origin: ClassVar = RowOrigin.SUBSET
    source: Relation
    condition: Expr


@dataclass(frozen=True)
class Project:
    """The source's fields and additional computed ones."""

    row_origin: ClassVar = RowOrigin.SUBSET
    source: Relation
    computed: tuple[tuple[Field, Expr], ...]


@dataclass(frozen=True)
class Join:
    """Pairs of rows that satisfy the condition. Left joins preserve all left rows, full joins those of both inputs."""

    row_origin: ClassVar = RowOrigin.PAIRS
    left: Relation
    right: Relation
    kind: JoinKind
    condition: Expr
    is_per_window: bool = False  # both rows of a pair lie in the same privacy window


@dataclass(frozen=True)
class SemiJoin:
    """Left rows with at least one matching right row; with `is_anti`, those without any."""

    row_origin: ClassVar = RowOrigin.SUBSET
    left: Relation
    right: Relation
    condition: Expr
    is_anti: bool
    is_per_window: bool = False  # as in Join


@dataclass(frozen=True)
class AggregateCall:
    """One aggregate call over the rows of a group."""

    function: str  # a name in dialect.functions.aggregates
    arguments: tuple[Expr, ...]
    condition: Expr | None  # FILTER
    result: Field  # result field
    stated_bounds: Bounds | None = None  # stated in the query: of one person's aggregate per group
    sort_directions: tuple[SortDirection, ...] = ()  # ORDER BY within the aggregate: one for each of the last arguments


@dataclass(frozen=True)
class Group:
    """GROUP BY: one row per combination of the keys. Over PerPerson rows the keys contain the person."""

    row_origin: ClassVar = RowOrigin.GROUPS
    source: Relation
    keys: tuple[Field, ...]  # fields of the source
    aggregates: tuple[AggregateCall, ...]


@dataclass(frozen=True, eq=False)
class GroupingSets:
    """GROUPING SETS of one GROUP BY. The coarser sets may be added up from the groups of finer ones."""

    sets: tuple[tuple[Field, ...], ...]  # fields of the source


@dataclass(frozen=True)
class ReleasePoint:
    """Release point: GROUP BY over people's rows without the person key. What stands above it is released."""

    row_origin: ClassVar = RowOrigin.GROUPS
    source: PerPerson
    keys: tuple[Field, ...]
    aggregates: tuple[AggregateCall, ...]
    span: Span | None = field(default=None, compare=False)  # source position in the query
    # the grouping sets to which its keys belong
    grouping_sets: GroupingSets | None = field(default=None, compare=False)


@dataclass(frozen=True)
class ReleaseScan:
    """Rows of a stored release: its keys, its numbers, and the raw noisy values behind them."""

    row_origin: ClassVar = RowOrigin.GIVEN
    index: int  # index into the query's ReleaseColumns
    fields: tuple[Field, ...]
    keys: tuple[Field, ...] | None = None  # unique key; None for rows without a known one


def release_table_name(index: int) -> str:
    """Name the table of a release in the outer query; no declared table can have this name."""
    return f"release {index}"


@dataclass(frozen=True)
class Distinct:
    """SELECT DISTINCT of some fields."""

    row_origin: ClassVar = RowOrigin.GROUPS
    source: Relation
    keys: tuple[Field, ...]


@dataclass(frozen=True)
class RowTruncation:
    """Row truncation: at most `max_rows` rows of each person, or of each person and window.

    The rows are chosen by a hash of their own values, so the choice depends on that person's rows alone.
    """

    row_origin: ClassVar = RowOrigin.SUBSET
    source: Relation
    person: Field
    max_rows: int
    window: Field | None = None
    per_window_factors: int = 0  # how many factors of `max_rows` are limits per privacy window


@dataclass(frozen=True)
class NullRowPadded:
    """The source's rows and one row of NULLs, as the nullable side of a LEFT JOIN may contribute."""

    row_origin: ClassVar = RowOrigin.UNION
    source: Relation


@dataclass(frozen=True)
class DictionaryEncoded:
    """The source's rows with a text column dictionary-encoded: its dense rank from 1; NULL for NULL."""

    row_origin: ClassVar = RowOrigin.SUBSET
    source: Public
    text: Field
    code: Field


@dataclass(frozen=True)
class FixedPointEncoded:
    """The source's rows with a value also in integer grains (fixed point)."""

    row_origin: ClassVar = RowOrigin.SUBSET
    source: Public
    value: Field
    grains: Field
    text: str  # SQL expression of the grains


@dataclass(frozen=True)
class Sort:
    """ORDER BY with optional LIMIT and OFFSET."""

    row_origin: ClassVar = RowOrigin.SUBSET
    source: Relation
    order: tuple[OrderKey, ...]
    limit: int | None = None
    offset: int = 0


Operator = (
    Scan | Values | Series | Filter | Project | Join | SetOperation | SemiJoin | Group | ReleasePoint | ReleaseScan
    | Distinct | RowTruncation | NullRowPadded | FixedPointEncoded | DictionaryEncoded | Sort | Window
)  # fmt: skip


@dataclass(frozen=True)
class Relation(Node["Relation"]):
    """The rows of an operator: its fields and the predicates that hold for every row."""

    operator: Operator
    fields: tuple[Field, ...]
    # hold for every row; over fields without definition
    predicates: tuple[Expr, ...] = field(default=(), compare=False)
    children: tuple[Relation, ...] = field(init=False, compare=False, repr=False)  # inputs, the left one first

    def __post_init__(self) -> None:
        """Collect the inputs: the fields of the operator that are relations."""
        inputs = tuple(part for part in vars(self.operator).values() if isinstance(part, Relation))
        object.__setattr__(self, "children", inputs)

    def with_children(self, parts: Sequence[Relation]) -> Self:
        """Copy with other input relations."""
        inputs = iter(parts)
        return self.with_operator(
            map_parts(self.operator, lambda part: next(inputs) if isinstance(part, Relation) else part)
        )

    def with_operator(self, operator: Operator, new_fields: Sequence[Field] = ()) -> Self:
        """Copy with another operator, and further fields after its own."""
        if operator is self.operator and not new_fields:
            return self
        return replace(self, operator=operator, fields=(*self.fields, *new_fields))

    def with_filter(self, condition: Expr) -> Self:
        """Put a filter on top. What the condition implies is not added to the predicates."""
        return self.with_operator(Filter(self, condition))

    def with_columns(self, computed: Sequence[tuple[Field, Expr]]) -> Self:
        """Put a projection on top that computes columns; the relation itself if there are none."""
        return self.with_operator(Project(self, tuple(computed)), [f for f, _ in computed]) if computed else self


@dataclass(frozen=True)
class Public(Relation):
    """A relation without private data."""


class NullExtendedValue(StrEnum):
    """Possible value of an expression in a null-extended row, whose private columns are all NULL."""

    NULL = "null"
    FALSE = "false"
    TRUE = "true"
    ZERO = "zero"
    OTHER = "other"


NullExtendedValues = frozenset[NullExtendedValue]


@dataclass(frozen=True)
class PreservedSide:
    """Preserved side of `public LEFT JOIN people`: its rows, and what each field is where no person's row matches."""

    rows: Public
    unmatched_values: Mapping[Field, NullExtendedValues]


@dataclass(frozen=True)
class PerPerson(Relation):
    """A relation in which every row belongs to exactly one person, named by the field `person`."""

    person: Field = field(kw_only=True)  # the person key, never NULL
    dataset: str = field(kw_only=True)
    has_one_row_per_person: bool = field(kw_only=True, default=False)
    # row-count bound per person R; the product of both inputs' after a join
    max_rows: int = field(kw_only=True, default=1)
    # how many factors of `max_rows` are limits per privacy window
    per_window_factors: int = field(kw_only=True, default=0)
    # the table of sightings that these rows are derived from
    derived_from: Table | None = field(kw_only=True, default=None, compare=False)
    # preserved side of `public LEFT JOIN` these rows
    preserved_side: PreservedSide | None = field(kw_only=True, default=None, compare=False)


@dataclass(frozen=True)
class Released(Relation):
    """A relation computed from releases, possibly joined with public rows."""


@dataclass(frozen=True)
class BoundQuery:
    """A bound query: its relation and its visible columns, in order; other fields can't be named."""

    relation: Relation
    columns: tuple[tuple[str, Field], ...]  # (lower-case name, field)


def public_values_of(column: Field) -> Public | None:
    """Return the public relation that lists the values of a field; None if there is none."""
    rows = column.public_values
    assert rows is None or isinstance(rows, Public)  # noqa: S101  nothing else is put there
    return rows


def with_null_row(public: Public) -> Public:
    """Add one row of NULLs to a public relation."""
    return Public(NullRowPadded(public), tuple(replace(f, nullable=True) for f in public.fields))


@dataclass(frozen=True)
class ContributionLimits:
    """Contribution limits stated in the query's OPTIONS; None where the catalog's apply."""

    max_groups: int | None = None
    max_rows: int | None = None  # row truncation of the source, per person

    @property
    def is_stated(self) -> bool:
        """Whether the query states any limit."""
        return self != ContributionLimits()


def truncate_rows(relation: PerPerson) -> PerPerson:
    """Truncate to the declared row limit per person.

    The limit `max_rows` holds per person and window where `per_window_factors` is above 0.
    """
    truncation = RowTruncation(
        relation, relation.person, relation.max_rows, per_window_factors=relation.per_window_factors
    )
    return relation.with_operator(truncation)


def truncate_to_limits(source: PerPerson, limits: ContributionLimits) -> PerPerson:
    """Truncate to the row limit stated in the query: the last operator below a release point.

    Unchanged where none is stated, or where persons have one row anyway. The stated limit holds over all windows.
    """
    max_rows = limits.max_rows
    if max_rows is None or source.has_one_row_per_person:
        return source
    return replace(
        source, operator=RowTruncation(source, source.person, max_rows), has_one_row_per_person=max_rows == 1,
        max_rows=min(max_rows, source.max_rows), per_window_factors=0,
    )  # fmt: skip


def row_bound_over_windows(rows: PerPerson | RowTruncation, windows: int) -> int:
    """Row-count bound of one person over several privacy windows that count as one unit.

    Each factor of `max_rows` that is a limit per window is multiplied by the number of windows; the result is capped.
    """
    return min(rows.max_rows * int(windows**rows.per_window_factors), max(rows.max_rows, MAX_ROW_BOUND))


def row_inputs(relation: Relation) -> tuple[Relation, ...]:
    """Return the inputs that contribute rows, without those that only filter, as of a semi-join or EXCEPT."""
    operator = relation.operator
    has_subset = isinstance(operator, SetOperation) and operator.kind != "union"
    return relation.children[:1] if has_subset or operator.row_origin is RowOrigin.SUBSET else relation.children


def tables_of(relation: Relation, include_filtering: bool = True) -> frozenset[str]:
    """Return the stored tables below a relation; without `include_filtering`, not those that only filter rows."""
    below = walk(relation) if include_filtering else walk(relation, row_inputs)
    return frozenset(each.operator.table.name for each in below if isinstance(each.operator, Scan))


def union_branch_tables(relation: Relation) -> tuple[frozenset[str], ...]:
    """Private tables whose rows each branch of a union holds, one set of names per branch.

        SELECT * FROM trip UNION ALL SELECT * FROM stay JOIN home USING (person)

    gives {trip} and {stay, home}. A relation without a union has one branch; a public one has none. Where a union is
    joined with other inputs, their tables are added to each branch of the input with the most branches.
    """
    operator = relation.operator
    if isinstance(relation, Public):
        return ()
    if isinstance(operator, Scan):
        return (frozenset({operator.table.name}),)
    input_branches = [union_branch_tables(part) for part in row_inputs(relation)]
    if isinstance(operator, SetOperation) and operator.kind == "union":
        return tuple(names for part in input_branches for names in part)
    widest = max(input_branches, key=len, default=())
    other_tables = frozenset().union(*(names for part in input_branches if part is not widest for names in part))
    return tuple(names | other_tables for names in widest)


def identifying_fields(fields: Sequence[Field]) -> list[Field]:
    """Fields that identify a row: all but those computed from other fields of the row.

    A key of DISTINCT or GROUP BY keeps its definition although the fields it was computed from are gone. It then
    identifies rows itself (`dialect/stability/proofs.md#relation-kinds`).
    """
    present = set(fields)
    return [f for f in fields if f.definition is None or not present.issuperset(fields_of(f.definition))]


def expressions_of(part: object) -> list[Expr]:
    """List the expressions of an operator, or of a parameter of one, each as often as it occurs.

    Sort keys, frames and aggregate calls are parameters: dataclasses and tuples between an operator and its
    expressions. Relations are not entered.
    """
    if isinstance(part, Expr):
        return [part]
    if not isinstance(part, Relation) and is_entered(type(part)):
        part = tuple(vars(part).values())
    return [found for each in part for found in expressions_of(each)] if isinstance(part, tuple) else []


def walk_expressions(part: object) -> list[Expr]:
    """List the expressions of all operators below, visiting shared objects once.

    `part` is any object of the tree: a relation, an operator, or a tuple. Fields and tables are not entered: their
    definitions are not expressions of the query. Lists whole expressions, not their subexpressions.
    """
    stack, seen, found = [part], set[int](), list[Expr]()
    while stack:
        part = stack.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        if isinstance(part, Expr):
            found.append(part)
        elif isinstance(part, tuple):
            stack.extend(reversed(part))
        elif is_entered(type(part)):
            stack.extend(reversed(vars(part).values()))
    return found


# (expression, relations whose rows it reads) -> new expression
ExpressionMapper = Callable[[Expr, tuple[Relation, ...]], Expr]


def map_expressions(relation: Relation, mapper: ExpressionMapper) -> Relation:
    """Copy a released relation with every expression mapped. Public relations hold no noise and stay as they are."""
    if isinstance(relation, Public):
        return relation

    def map_part(part: Node[Any]) -> Node[Any]:
        """Map an input relation, or an expression over the rows of the inputs."""
        if isinstance(part, Relation):
            return map_expressions(part, mapper)
        return mapper(part, relation.children) if isinstance(part, Expr) else part

    return relation.with_operator(map_parts(relation.operator, map_part))
