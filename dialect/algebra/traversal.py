"""Traversal of relations: inputs, stored tables, expressions, and the mapping of expressions.

A mapper of an operator receives the operator and a function (expression, relations whose rows it reads) -> expression,
and returns the operator with inputs and expressions mapped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import is_dataclass, replace

from dialect.algebra.expressions import Call, Case, Expr, Field, Literal, Ref, fields_of
from dialect.algebra.relations import (
    Distinct,
    Filter,
    Group,
    Join,
    Operator,
    Project,
    Public,
    Relation,
    Scan,
    SemiJoin,
    SetOperation,
    Sort,
    Window,
)
from dialect.catalog.model import Table

ExpressionMapper = Callable[
    [Expr, tuple[Relation, ...]], Expr
]  # (expression, relations whose rows it reads) -> new expression


def map_expressions(relation: Relation, mapper: ExpressionMapper) -> Relation:
    """Copy a released relation with every expression mapped. Public relations hold no noise and stay as they are.

    Operators without a mapper hold no expressions over released rows (scans of releases), and stay as well.
    """
    if isinstance(relation, Public):
        return relation
    map_operator = _OPERATOR_MAPPERS.get(type(relation.operator))
    return relation if map_operator is None else replace(relation, operator=map_operator(relation.operator, mapper))


def _filter(operator: Filter, mapper: ExpressionMapper) -> Filter:
    """Map the condition of a filter."""
    return Filter(map_expressions(operator.source, mapper), mapper(operator.condition, (operator.source,)))


def _project(operator: Project, mapper: ExpressionMapper) -> Project:
    """Map the computed columns of a projection."""
    computed = tuple((f, mapper(e, (operator.source,))) for f, e in operator.computed)
    return Project(map_expressions(operator.source, mapper), computed)


def _join(operator: Join | SemiJoin, mapper: ExpressionMapper) -> Join | SemiJoin:
    """Map the condition of a join or semi-join, which reads both inputs."""
    condition = mapper(operator.condition, (operator.left, operator.right))
    left, right = map_expressions(operator.left, mapper), map_expressions(operator.right, mapper)
    return replace(operator, left=left, right=right, condition=condition)


def _set_operation(operator: SetOperation, mapper: ExpressionMapper) -> SetOperation:
    """Map both inputs of a set operation, which has no expressions of its own."""
    return replace(operator, left=map_expressions(operator.left, mapper), right=map_expressions(operator.right, mapper))


def _sort(operator: Sort, mapper: ExpressionMapper) -> Sort:
    """Map the sort keys."""
    order = tuple(replace(key, expr=mapper(key.expr, (operator.source,))) for key in operator.order)
    return replace(operator, source=map_expressions(operator.source, mapper), order=order)


def _distinct(operator: Distinct, mapper: ExpressionMapper) -> Distinct:
    """Map the input of DISTINCT, which has no expressions of its own."""
    return replace(operator, source=map_expressions(operator.source, mapper))


def _group(operator: Group, mapper: ExpressionMapper) -> Group:
    """Map the arguments and FILTER conditions of aggregate calls; keys are fields and stay."""
    inputs = (operator.source,)
    measures = tuple(
        replace(
            m,
            arguments=tuple(mapper(argument, inputs) for argument in m.arguments),
            condition=None if m.condition is None else mapper(m.condition, inputs),
        )
        for m in operator.aggregates
    )
    return replace(operator, source=map_expressions(operator.source, mapper), aggregates=measures)


def _window(operator: Window, mapper: ExpressionMapper) -> Window:
    """Map the arguments, FILTER, PARTITION BY and ORDER BY of window calls."""

    def map_in_source(expr: Expr) -> Expr:
        """Map an expression that reads the source of the window calls."""
        return mapper(expr, (operator.source,))

    calls = tuple(
        replace(
            call,
            arguments=tuple(map(map_in_source, call.arguments)),
            condition=None if call.condition is None else map_in_source(call.condition),
            partition=tuple(map(map_in_source, call.partition)),
            order=tuple(replace(key, expr=map_in_source(key.expr)) for key in call.order),
        )
        for call in operator.calls
    )
    return replace(operator, source=map_expressions(operator.source, mapper), calls=calls)


_OPERATOR_MAPPERS: Mapping[type, Callable[..., Operator]] = {
    Filter: _filter,
    Project: _project,
    Join: _join,
    SetOperation: _set_operation,
    SemiJoin: _join,
    Sort: _sort,
    Distinct: _distinct,
    Group: _group,
    Window: _window,
}


# types of operator parameters that contain no expressions
_LEAF_TYPES = frozenset({type(None), bool, int, float, str, dict, frozenset})


def tables_of(relation: Relation, include_filtering: bool = True) -> frozenset[str]:
    """Return the stored tables below a relation; without `include_filtering`, not those that only filter rows."""
    operator = relation.operator
    if isinstance(operator, Scan):
        return frozenset({operator.table.name})
    operands = row_inputs(relation) if not include_filtering else inputs(relation)
    return frozenset().union(*(tables_of(part, include_filtering) for part in operands))


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


def row_inputs(relation: Relation) -> tuple[Relation, ...]:
    """Return the inputs that contribute rows, without those that only filter, as of a semi-join or EXCEPT."""
    operator = relation.operator
    filters_only_left = isinstance(operator, SemiJoin) or (
        isinstance(operator, SetOperation) and operator.kind != "union"
    )
    return inputs(relation)[:1] if filters_only_left else inputs(relation)


def identifying_fields(fields: Sequence[Field]) -> list[Field]:
    """Fields that identify a row: all but those computed from other fields of the row.

    A key of DISTINCT or GROUP BY keeps its definition although the fields it was computed from are gone. It then
    identifies rows itself (`dialect/stability/proofs.md#relation-kinds`).
    """
    present = set(fields)
    return [f for f in fields if f.definition is None or not present.issuperset(fields_of(f.definition))]


def inputs(relation: Relation) -> tuple[Relation, ...]:
    """Input relations of a relation, the left one first."""
    return tuple(part for part in vars(relation.operator).values() if isinstance(part, Relation))


def walk_relations(relation: Relation) -> Iterator[Relation]:
    """Iterate over a relation and all relations below it, left first; a shared input is visited once per reader."""
    yield relation
    for part in inputs(relation):
        yield from walk_relations(part)


def walk_expressions(part: object) -> Iterator[Expr]:
    """Iterate over the expressions of all operators below, visiting shared objects once.

    `part` is any object of the tree: a relation, an operator, or a tuple. Fields and tables are not entered: their
    definitions are not expressions of the query. Yields whole expressions, not their subexpressions.
    """
    stack, seen = [part], set[int]()
    while stack:
        part = stack.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        if isinstance(part, Ref | Call | Case | Literal):
            yield part
        elif isinstance(part, tuple):
            stack.extend(reversed(part))
        elif type(part) not in _LEAF_TYPES and is_dataclass(part) and not isinstance(part, Field | Table):
            stack.extend(reversed(vars(part).values()))
