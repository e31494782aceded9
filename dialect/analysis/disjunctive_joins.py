"""Equalities of which one must hold for two rows to be joined: an OR that an engine need not look at pair by pair."""

from __future__ import annotations

from collections.abc import Iterator

from dialect.algebra.expressions import Call, Expr, conjuncts, fields_of
from dialect.algebra.relations import Filter, Grained, Join, Project, Ranked, Relation, Scan, Series, Values
from dialect.algebra.traversal import sources

_CHEAP = (Scan, Filter, Project, Join, Ranked, Grained, Series, Values)  # to read twice, public rows among them
_MOST = 3  # equalities


def times_read(join: Join) -> int:
    """Tell how often a join's sides are written for DuckDB."""
    return max(1, len(equalities(join)))


def equalities(join: Join) -> tuple[Expr, ...]:
    """Find the equalities between both sides of which one must hold; none where they are not to be told apart."""
    found = _asked(join)
    return found if found and all(map(_is_cheap, (join.left, join.right))) else ()


def _asked(join: Join) -> tuple[Expr, ...]:
    if join.how != "inner":
        return ()
    found = (disjuncts(part) for part in conjuncts(join.condition))
    return next((each for each in found if 1 < len(each) <= _MOST and all(_between(e, join) for e in each)), ())


def _is_cheap(relation: Relation) -> bool:
    """Tell whether rows are read again for little; a join that may itself be gathered from several is not."""
    operator = relation.operator
    if not isinstance(operator, _CHEAP) or (isinstance(operator, Join) and _asked(operator)):
        return False
    return all(map(_is_cheap, sources(relation)))


def disjuncts(expr: Expr) -> tuple[Expr, ...]:
    """Split a condition at its top-level ORs."""
    return tuple(_either(expr))


def _either(expr: Expr) -> Iterator[Expr]:
    if isinstance(expr, Call) and expr.name == "or":
        for argument in expr.arguments:
            yield from _either(argument)
    else:
        yield expr


def _between(expr: Expr, join: Join) -> bool:
    """Tell whether something of one side is set equal to something of the other."""
    if not isinstance(expr, Call) or expr.name != "=":
        return False
    one, other = (set(fields_of(argument)) for argument in expr.arguments)
    left, right = set(join.left.fields), set(join.right.fields)
    return bool(one and other) and ((one <= left and other <= right) or (one <= right and other <= left))
