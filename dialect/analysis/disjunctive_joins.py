"""Disjunctive equi-joins: a join on `a = b OR c = d` that runs as a union of hash joins, not as a nested loop."""

from __future__ import annotations

from dialect.algebra.expressions import Call, Expr, conjuncts, fields_of, operands
from dialect.algebra.relations import (
    DictionaryEncoded,
    Filter,
    FixedPointEncoded,
    Join,
    Project,
    Relation,
    Scan,
    Series,
    Values,
)
from dialect.algebra.traversal import walk

_CHEAP_OPERATORS = (
    Scan,
    Filter,
    Project,
    Join,
    DictionaryEncoded,
    FixedPointEncoded,
    Series,
    Values,
)  # operators that are cheap to read twice
_MAX_EQUALITIES = 3  # largest number of equalities


def times_written(join: Join) -> int:
    """Return how often the sides of a join are written in DuckDB SQL: once per equality of its OR, else once."""
    return max(1, len(split_equalities(join)))


def split_equalities(join: Join) -> tuple[Expr, ...]:
    """Return the equalities of the OR that a join is split by; empty if the join is not split.

    Each part of the union reads both sides again, so a join is split only if both are cheap to read.
    """
    found = _disjunctive_equalities(join)
    return found if found and all(map(_is_cheap, (join.left, join.right))) else ()


def _disjunctive_equalities(join: Join) -> tuple[Expr, ...]:
    """Equalities of the first conjunct that is an OR of two or three equalities between both sides."""
    # an outer join would pad a row without a match once in every part of the union
    if join.kind != "inner":
        return ()
    found = (disjuncts(part) for part in conjuncts(join.condition))
    return next(
        (
            each
            for each in found
            if 1 < len(each) <= _MAX_EQUALITIES and all(_equates_both_sides(e, join) for e in each)
        ),
        (),
    )


def _is_cheap(relation: Relation) -> bool:
    """Return whether a relation is cheap to read several times; a join that is itself split is not.

    Nested splits would multiply the number of reads.
    """
    operators = (each.operator for each in walk(relation))
    return all(
        isinstance(each, _CHEAP_OPERATORS) and not (isinstance(each, Join) and _disjunctive_equalities(each))
        for each in operators
    )


def disjuncts(expr: Expr) -> tuple[Expr, ...]:
    """Operands of the top-level ORs of a condition."""
    return operands(expr, "or")


def _equates_both_sides(expr: Expr, join: Join) -> bool:
    """Return whether a condition equates an expression of one join side with one of the other."""
    if not isinstance(expr, Call) or expr.name != "=":
        return False
    one, other = (set(fields_of(argument)) for argument in expr.arguments)
    left, right = set(join.left.fields), set(join.right.fields)
    return bool(one and other) and ((one <= left and other <= right) or (one <= right and other <= left))
