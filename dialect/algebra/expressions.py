"""Typed row expressions: what a question computes from one row, free of the analyst's text.

Every expression is built from four forms (Literal, Ref, Call, Case); names of functions are rows of
`dialect.functions.registry`. Fields are known by generated ids, so an alias can capture nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from dialect.catalog.model import Bounds, Domain, SqlType
from dialect.errors import Span


@dataclass(frozen=True)
class Origin:
    """The stored column that a field carries unchanged."""

    table: str
    column: str


@dataclass(frozen=True)
class Shifted:
    """Where a number stood that LAG or LEAD brought into a row."""

    raw: str  # id of the same number of the row itself
    window: tuple[object, ...]  # its partition and its order
    rows: int  # how many rows before; below 0: after


class PublicRows(Protocol):
    """Rows without private data, as far as an expression must know them: their fields. `relations.Public` is one."""

    @property
    def fields(self) -> tuple[Field, ...]:
        """Return the fields of a row."""


@dataclass(frozen=True)
class Field:
    """One column of a relation. Two fields are the same exactly when their ids are."""

    id: str  # generated, unique within one question: c0, c1, ...
    name: str | None = field(compare=False)  # as the analyst may write it; None: carried, not nameable
    type: SqlType = field(compare=False)
    nullable: bool = field(compare=False, default=True)
    bounds: Bounds | None = field(compare=False, default=None)  # declared or inferred numeric range
    domain: Domain | None = field(compare=False, default=None)  # declared public domain of a private column
    complete: bool = field(compare=False, default=False)  # no row holds anything outside the declared domain
    public: PublicRows | None = field(compare=False, default=None, repr=False)  # a list that has a field of this id
    origin: Origin | None = field(compare=False, default=None)
    definition: Expr | None = field(compare=False, default=None, repr=False)  # over fields without definition
    of_person: bool = field(compare=False, default=False)  # one value per person, by an enforced primary key
    time_zone: str | None = field(compare=False, default=None)  # of an instant
    cell: tuple[str, str, int] | None = field(compare=False, default=None)  # H3: ids of lon and lat, resolution
    shifted: Shifted | None = field(compare=False, default=None, repr=False)  # of a released number from another row
    is_person: bool = field(compare=False, default=False)  # the person key of its row, or NULL where that is allowed
    alternatives: tuple[Alternative, ...] = field(
        compare=False, default=(), repr=False
    )  # of a set operation's column: each may be it


@dataclass(frozen=True)
class Alternative:
    """What a column of a set operation is in the rows of one of its two queries."""

    expr: Expr
    facts: tuple[Expr, ...]  # true of every row there


@dataclass(frozen=True)
class Literal:
    """A constant; dates, times and intervals as canonical text."""

    value: bool | int | float | str | None
    type: SqlType


@dataclass(frozen=True)
class Ref:
    """The value of a field."""

    field: Field

    @property
    def type(self) -> SqlType:
        """The field's type."""
        return self.field.type


@dataclass(frozen=True)
class Call:
    """An allow-listed function or operator applied to arguments."""

    function: str  # a row of dialect.functions.registry
    arguments: tuple[Expr, ...]
    type: SqlType
    span: Span | None = field(default=None, compare=False, repr=False)  # where it stands, if it may be refused later
    name: str = field(init=False, compare=False, repr=False)  # the function's, without the number of its row
    size: int = field(init=False, compare=False, repr=False)  # nodes
    depth: int = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Find once what is asked often."""
        object.__setattr__(self, "name", self.function.partition("#")[0])
        _measure(self, self.arguments)


@dataclass(frozen=True)
class Case:
    """The first branch whose condition is true, else `otherwise`."""

    branches: tuple[tuple[Expr, Expr], ...]
    otherwise: Expr
    type: SqlType
    size: int = field(init=False, compare=False, repr=False)  # nodes
    depth: int = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Count once what limits ask often."""
        _measure(self, children(self))


Expr = Literal | Ref | Call | Case
AND = "and#0"  # the row of a conjunction in the allow-list
NULL = Literal(None, SqlType.NULL)
TRUE = Literal(True, SqlType.BOOLEAN)


def _measure(expr: Call | Case, parts: tuple[Expr, ...]) -> None:
    object.__setattr__(expr, "size", 1 + sum(size(part) for part in parts))
    object.__setattr__(expr, "depth", 1 + max((depth(part) for part in parts), default=0))


def size(expr: Expr) -> int:
    """Count the nodes of an expression."""
    return expr.size if isinstance(expr, Call | Case) else 1


def depth(expr: Expr) -> int:
    """Count the steps to the deepest part of an expression."""
    return expr.depth if isinstance(expr, Call | Case) else 1


def children(expr: Expr) -> tuple[Expr, ...]:
    """List the direct parts of an expression."""
    if isinstance(expr, Call):
        return expr.arguments
    if isinstance(expr, Case):
        return (*(part for branch in expr.branches for part in branch), expr.otherwise)
    return ()


def case_values(case: Case) -> tuple[Expr, ...]:
    """List what a CASE can give."""
    return (*(value for _, value in case.branches), case.otherwise)


def rebuild(expr: Expr, change: Callable[[Expr], Expr]) -> Expr:
    """Apply `change` to each direct part and put the expression together again."""
    if isinstance(expr, Call):
        return Call(expr.function, tuple(change(part) for part in expr.arguments), expr.type, expr.span)
    if isinstance(expr, Case):
        branches = tuple((change(condition), change(value)) for condition, value in expr.branches)
        return Case(branches, change(expr.otherwise), expr.type)
    return expr


def substituted(expr: Expr, images: Mapping[Expr, Expr]) -> Expr:
    """Put other expressions in the place of some parts, the outermost first."""
    found = images.get(expr)
    return found if found is not None else rebuild(expr, lambda part: substituted(part, images))


def fields_of(expr: Expr) -> Iterator[Field]:
    """Walk the fields that an expression reads, with repeats."""
    waiting = [expr]
    while waiting:
        part = waiting.pop()
        if isinstance(part, Ref):
            yield part.field
        waiting.extend(reversed(children(part)))


def is_of_table(expr: Expr, table: str) -> bool:
    """Tell whether an expression reads columns of one stored table, and nothing else."""
    origins = [field.origin for field in fields_of(expr)]
    return bool(origins) and all(origin is not None and origin.table == table for origin in origins)


def expand(expr: Expr) -> Expr:
    """Write an expression over fields that have no definition of their own."""
    if isinstance(expr, Ref):
        return expr.field.definition if expr.field.definition is not None else expr
    return rebuild(expr, expand)


def conjuncts(expr: Expr) -> tuple[Expr, ...]:
    """Split a condition at its top-level ANDs."""
    if isinstance(expr, Call) and expr.name == "and":
        return tuple(part for argument in expr.arguments for part in conjuncts(argument))
    return (expr,)


def conjunction(parts: tuple[Expr, ...]) -> Expr:
    """Join conditions by AND; nothing at all is true."""
    if not parts:
        return TRUE
    return parts[0] if len(parts) == 1 else Call(AND, parts, SqlType.BOOLEAN)
