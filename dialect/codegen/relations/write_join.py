"""Join -> SELECT; an inner one on either of some equalities is gathered from one on each (`proofs.md#either-equality`).

An engine finds partners by equality at once, and by OR only by looking at all pairs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from dialect.algebra.expressions import TRUE, Field, conjuncts, fields_of
from dialect.algebra.relations import Join, Relation
from dialect.algebra.target import Target
from dialect.analysis.disjunctive_joins import disjuncts, equalities
from dialect.catalog.engine_name import EngineName
from dialect.codegen.engines import words
from dialect.codegen.relations.values import select_list
from dialect.functions.write_expr import write_expr

_Write = Callable[[Relation, Iterable[Field], Target], str]


def write_join(join: Join, needed: frozenset[Field], target: Target, write: _Write) -> str:
    """Write a join, of which both sides are read as often as there are equalities of which one must hold."""
    below = needed | frozenset(fields_of(join.condition))
    left = write(join.left, below & set(join.left.fields), target)
    right = write(join.right, below & set(join.right.fields), target)
    columns = select_list([f.id for f in (*join.left.fields, *join.right.fields) if f in needed])
    if join.condition == TRUE and join.how not in ("left", "full"):
        return f"SELECT {columns} FROM ({left}) AS l CROSS JOIN ({right}) AS r"
    sides = f"SELECT {columns} FROM ({left}) AS l {join.how.upper()} JOIN ({right}) AS r ON "
    return " UNION ALL ".join(f"{sides}{on}" for on in _conditions(join, target))


def _conditions(join: Join, target: Target) -> list[str]:
    """Write conditions of which each pair that the join has meets exactly one.

    Claim: the pairs that meet the first equality, those that meet the second and not the first, and so on, are those
    of the join. Symbols: none. Source and proof: proofs.md#either-equality. Raises: nothing.
    """
    emitter, either = words(target).emitter, equalities(join)
    if not either or target.engine is not EngineName.DUCKDB:
        return [write_expr(join.condition, emitter)]
    every = [part for part in conjuncts(join.condition) if disjuncts(part) != either]
    rest = [write_expr(part, emitter) for part in every]
    tests = [write_expr(each, emitter) for each in either]
    return [
        " AND ".join([test, *(f"({before}) IS NOT TRUE" for before in tests[:place]), *rest])
        for place, test in enumerate(tests)
    ]
