"""Typed row expressions: everything a query computes from one row, independent of the analyst's text.

An expression is a Literal, a Ref to a field, a Call or a Case. Call names a row of the function allow-list
(`dialect.functions.registry`). Fields are identified by generated ids, so aliases cannot capture each other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol, cast

from dialect.algebra.traversal import Node, Opaque
from dialect.catalog.model import Bounds, Domain, SqlType
from dialect.errors import Span


@dataclass(frozen=True)
class Origin:
    """The stored column whose value a field carries unchanged."""

    table: str
    column: str


@dataclass(frozen=True)
class LagOrigin:
    """Which other row a LAG or LEAD value was taken from: the field there, the window, and the row offset."""

    source_field_id: str  # id of the current row's own value
    window: tuple[object, ...]  # PARTITION BY and ORDER BY
    row_offset: int  # row offset: positive before the current row, negative after it


class PublicRows(Protocol):
    """A relation without private data, reduced to its fields; implemented by `relations.Public`."""

    @property
    def fields(self) -> tuple[Field, ...]:
        """The fields of each row."""


@dataclass(frozen=True)
class Field(Opaque):
    """One column of a relation, with its inferred properties. Two fields are equal if and only if their ids are."""

    id: str  # generated, unique within one question: c0, c1, ...
    name: str | None = field(compare=False)  # name in the analyst's scope; None: carried along without a name
    type: SqlType = field(compare=False)
    nullable: bool = field(compare=False, default=True)
    bounds: Bounds | None = field(compare=False, default=None)  # declared or inferred numeric range
    domain: Domain | None = field(compare=False, default=None)  # declared public domain of a private column
    domain_is_complete: bool = field(compare=False, default=False)  # no stored value lies outside the declared domain
    # relation that lists the values under the same field id
    public_values: PublicRows | None = field(compare=False, default=None, repr=False)
    origin: Origin | None = field(compare=False, default=None)
    # the expression it holds, over fields without definition
    definition: Expr | None = field(compare=False, default=None, repr=False)
    # the same in all rows of a person, by an enforced primary key
    is_constant_per_person: bool = field(compare=False, default=False)
    time_zone: str | None = field(compare=False, default=None)  # of a TIMESTAMPTZ
    h3_cell: tuple[str, str, int] | None = field(compare=False, default=None)  # H3: ids of lon and lat, resolution
    # a released number taken from another row
    lag_origin: LagOrigin | None = field(compare=False, default=None, repr=False)
    is_person_key: bool = field(compare=False, default=False)  # the row's person key; NULL only if nullable
    # expressions whose values it has: of a set operation's inputs, or the argument of one person's MIN
    alternatives: tuple[Alternative, ...] = field(compare=False, default=(), repr=False)

    @cached_property
    def expression(self) -> Expr:
        """Return what it holds, over fields without definition: its definition, or a reference to it."""
        return self.definition or Ref(self)


@dataclass(frozen=True)
class Alternative:
    """One of the expressions that a field may hold, over the rows in which it does.

    Of a set operation's column the expression of each input; of one person's MIN or similar its argument, or NULL.
    """

    expr: Expr
    predicates: tuple[Expr, ...]  # predicates that hold for each of these rows


class _Leaf(Node["Expr"]):
    """An expression without subexpressions."""

    children = ()
    compared_constants = ()
    size = 1  # number of nodes
    depth = 1

    def with_children(self, parts: Sequence[Expr]) -> Expr:
        """Return the expression itself."""
        del parts
        return cast("Expr", self)


@dataclass(frozen=True)
class Literal(_Leaf):
    """A constant. Dates, times and intervals are held as canonical text."""

    value: bool | int | float | str | None
    type: SqlType


@dataclass(frozen=True)
class Ref(_Leaf):
    """A reference to a field of the current row."""

    field: Field

    @cached_property
    def type(self) -> SqlType:
        """The field's type."""
        return self.field.type


@dataclass(frozen=True)
class Call(Node["Expr"]):
    """An allow-listed function or operator applied to arguments."""

    function: str  # a row of dialect.functions.registry
    arguments: tuple[Expr, ...]
    type: SqlType
    # source position, for refusals made after binding
    span: Span | None = field(default=None, compare=False, repr=False)
    name: str = field(init=False, compare=False, repr=False)  # the function's name, without its row number
    children: tuple[Expr, ...] = field(init=False, compare=False, repr=False)
    size: int = field(init=False, compare=False, repr=False)  # number of nodes
    depth: int = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Precompute the function's name, and the size and depth of the tree, which limits read often."""
        object.__setattr__(self, "name", self.function.partition("#")[0])
        _set_children(self, self.arguments)

    @cached_property
    def compared_constants(self) -> tuple[tuple[Expr, str, Literal], ...]:
        """List operands that a comparison relates to a constant: (operand, operator with it on the left, constant)."""
        if self.name not in FLIPPED:
            return ()
        one, other = self.arguments
        sides = ((one, self.name, other), (other, FLIPPED[self.name], one))
        return tuple((operand, sign, end) for operand, sign, end in sides if isinstance(end, Literal))

    def with_children(self, parts: Sequence[Expr]) -> Call:
        """Copy with other arguments."""
        if all(new is old for new, old in zip(parts, self.arguments, strict=True)):
            return self
        return Call(self.function, tuple(parts), self.type, self.span)


@dataclass(frozen=True)
class Case(Node["Expr"]):
    """CASE WHEN: the value of the first branch whose condition is true, otherwise `otherwise`."""

    compared_constants = ()

    branches: tuple[tuple[Expr, Expr], ...]
    otherwise: Expr
    type: SqlType
    children: tuple[Expr, ...] = field(init=False, compare=False, repr=False)
    size: int = field(init=False, compare=False, repr=False)  # number of nodes
    depth: int = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Precompute the size and depth of the tree, which limits read often."""
        _set_children(self, (*(part for branch in self.branches for part in branch), self.otherwise))

    def with_children(self, parts: Sequence[Expr]) -> Case:
        """Copy with other conditions and values."""
        if all(new is old for new, old in zip(parts, self.children, strict=True)):
            return self
        return Case(tuple(zip(parts[:-1:2], parts[1::2], strict=True)), parts[-1], self.type)


Expr = Literal | Ref | Call | Case
AND = "and#0"  # row of AND in the function allow-list
NULL = Literal(None, SqlType.NULL)
TRUE = Literal(True, SqlType.BOOLEAN)


def _set_children(expr: Call | Case, children: tuple[Expr, ...]) -> None:
    """Set the children of a node, its number of nodes and its height; the classes are frozen, hence __setattr__."""
    object.__setattr__(expr, "children", children)
    object.__setattr__(expr, "size", 1 + sum(part.size for part in children))
    object.__setattr__(expr, "depth", 1 + max((part.depth for part in children), default=0))


def case_values(case: Case) -> tuple[Expr, ...]:
    """All possible results of a CASE: the THEN values and the ELSE value."""
    return (*(value for _, value in case.branches), case.otherwise)


def map_fields(expr: Expr, image: Callable[[Field], Expr | None]) -> Expr:
    """Copy an expression with each field that it reads replaced by an expression; None keeps the field."""
    if isinstance(expr, Ref):
        return image(expr.field) or expr
    return expr.with_children([map_fields(part, image) for part in expr.children])


def substitute(expr: Expr, images: Mapping[Expr, Expr]) -> Expr:
    """Replace subexpressions by their images; a match is replaced whole and not searched further.

    `images` maps an expression to the one that takes its place.
    """
    found = images.get(expr)
    return found if found is not None else expr.with_children([substitute(part, images) for part in expr.children])


def fields_of(expr: Expr) -> list[Field]:
    """List the fields that an expression reads, with repetitions."""
    return [expr.field] if isinstance(expr, Ref) else [read for part in expr.children for read in fields_of(part)]


def reads_only_table(expr: Expr, table: str) -> bool:
    """Return whether an expression reads columns of this stored table, at least one, and no others."""
    origins = [field.origin for field in fields_of(expr)]
    return bool(origins) and all(origin is not None and origin.table == table for origin in origins)


def expand_definitions(expr: Expr) -> Expr:
    """Inline definitions of fields, so that the result reads only fields without a definition.

    A definition is itself over such fields, so that one step is enough.
    """
    return map_fields(expr, lambda read: read.definition)


def conjuncts(expr: Expr) -> tuple[Expr, ...]:
    """Split a condition at its top-level ANDs."""
    return operands(expr, "and")


def operands(expr: Expr, name: str) -> tuple[Expr, ...]:
    """Operands of nested calls of one function, from left to right; any other expression is its own operand."""
    if isinstance(expr, Call) and expr.name == name:
        return tuple(part for argument in expr.arguments for part in operands(argument, name))
    return (expr,)


def equal_pairs(facts: Iterable[Expr]) -> list[tuple[Expr, Expr]]:
    """List the two sides of every equality among some facts, in both orders."""
    sides = (fact.arguments for fact in facts if isinstance(fact, Call) and fact.name == "=")
    return [pair for one, other in sides for pair in ((one, other), (other, one))]


FLIPPED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "=": "="}  # comparison -> the same one with its sides exchanged


def conjunction(parts: tuple[Expr, ...]) -> Expr:
    """Combine conditions by AND; TRUE if there are none."""
    if not parts:
        return TRUE
    return parts[0] if len(parts) == 1 else Call(AND, parts, SqlType.BOOLEAN)
