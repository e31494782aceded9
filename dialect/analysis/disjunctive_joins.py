"""Disjunctive equi-joins: a join on `a = b OR c = d` that runs as a union of hash joins, not as a nested loop."""

from __future__ import annotations

from collections.abc import Iterator

from dialect.algebra.expressions import Call, Expr, conjuncts, fields_of
from dialect.algebra.relations import Filter, Grained, Join, Project, Ranked, Relation, Scan, Series, Values
from dialect.algebra.traversal import sources

_CHEAP = (Scan, Filter, Project, Join, Ranked, Grained, Series, Values)  # operators that are cheap to read twice
_MOST = 3  # largest number of equalities


def times_read(join: Join) -> int:
    """How often the sides of a join are written in DuckDB SQL: once per equality of its OR."""
    return max(1, len(equalities(join)))


def equalities(join: Join) -> tuple[Expr, ...]:
    """Equalities of the disjunctive join condition that is split; empty if the join is not split."""
    found = _asked(join)
    return found if found and all(map(_is_cheap, (join.left, join.right))) else ()


def _asked(join: Join) -> tuple[Expr, ...]:
    """Equalities of the first conjunct that is an OR of two or three equalities between both sides."""
    if join.how != "inner":
        return ()
    found = (disjuncts(part) for part in conjuncts(join.condition))
    return next((each for each in found if 1 < len(each) <= _MOST and all(_between(e, join) for e in each)), ())


def _is_cheap(relation: Relation) -> bool:
    """Return whether a relation is cheap to read several times; a join that is itself split is not."""
    operator = relation.operator
    if not isinstance(operator, _CHEAP) or (isinstance(operator, Join) and _asked(operator)):
        return False
    return all(map(_is_cheap, sources(relation)))


def disjuncts(expr: Expr) -> tuple[Expr, ...]:
    """Operands of the top-level ORs of a condition."""
    return tuple(_either(expr))


def _either(expr: Expr) -> Iterator[Expr]:
    if isinstance(expr, Call) and expr.name == "or":
        for argument in expr.arguments:
            yield from _either(argument)
    else:
        yield expr


def _between(expr: Expr, join: Join) -> bool:
    """Return whether a condition equates an expression of one join side with one of the other."""
    if not isinstance(expr, Call) or expr.name != "=":
        return False
    one, other = (set(fields_of(argument)) for argument in expr.arguments)
    left, right = set(join.left.fields), set(join.right.fields)
    return bool(one and other) and ((one <= left and other <= right) or (one <= right and other <= left))
