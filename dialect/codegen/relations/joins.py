"""Joins as SQL; a disjunctive equi-join becomes a UNION ALL of one equi-join per equality.

    ON a.x = b.x OR a.y = b.y        ->        ON a.x = b.x   UNION ALL   ON a.y = b.y AND (a.x = b.x) IS NOT TRUE

Engines hash equalities, but compare all pairs for OR. Proof: `dialect/codegen/proofs.md#either-equality`.

Semi-join predicates are written in a form that raises for no row (`dialect/binder/proofs.md#semi-joins`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from dialect.algebra.codegen_types import Shortcut, Target
from dialect.algebra.expressions import TRUE, Call, Expr, Field, conjuncts, fields_of
from dialect.algebra.relations import Join, Relation
from dialect.algebra.traversal import walk
from dialect.analysis.disjunctive_joins import disjuncts, split_equalities
from dialect.catalog.model import SqlType
from dialect.codegen.engines.dialects import dialect_of
from dialect.codegen.relations.values import select_list
from dialect.functions.emitter import write_expr

_Write = Callable[[Relation, Iterable[Field], Target], str]


def write_join(join: Join, needed: frozenset[Field], target: Target, write: _Write) -> str:
    """Write a join; a disjunctive equi-join reads both inputs once per equality.

    A join without condition is a CROSS JOIN, except left and full joins, which keep rows without a partner.
    """
    needed_below = needed | frozenset(fields_of(join.condition))
    left = write(join.left, needed_below & set(join.left.fields), target)
    right = write(join.right, needed_below & set(join.right.fields), target)
    columns = select_list([f.id for f in (*join.left.fields, *join.right.fields) if f in needed])
    if join.condition == TRUE and join.kind not in ("left", "full"):
        return f"SELECT {columns} FROM ({left}) AS l CROSS JOIN ({right}) AS r"
    joined_inputs = f"SELECT {columns} FROM ({left}) AS l {join.kind.upper()} JOIN ({right}) AS r ON "
    return " UNION ALL ".join(f"{joined_inputs}{on}" for on in _disjoint_conditions(join, target))


def _disjoint_conditions(join: Join, target: Target) -> list[str]:
    """Write disjoint join conditions, of which each pair of the join satisfies exactly one.

    A single condition for all other joins and in Spark.

    Claim: the pairs that meet the first equality, those that meet the second and not the first, and so on, are those
    of the join. Symbols: none. Source and proof: dialect/codegen/proofs.md#either-equality. Raises: nothing.
    """
    emitter, alternatives = dialect_of(target).emitter, split_equalities(join)
    is_split = dialect_of(target).splits_disjunctions and Shortcut.DISJUNCTIVE_JOINS in target.shortcuts
    if not alternatives or not is_split:
        return [write_expr(join.condition, emitter)]
    required = [part for part in conjuncts(join.condition) if disjuncts(part) != alternatives]
    required_sql = [write_expr(part, emitter) for part in required]
    alternative_sql = [write_expr(each, emitter) for each in alternatives]
    return [
        " AND ".join([test, *(f"({earlier}) IS NOT TRUE" for earlier in alternative_sql[:index]), *required_sql])
        for index, test in enumerate(alternative_sql)
    ]


_HASH_JOINABLE = ("=", "is not distinct from")  # joined by hash, for every type


def write_semi_join_condition(condition: Expr, target: Target) -> str:
    """Write the condition of a semi-join or an anti-join.

    Claim: it is true of the same pairs, and no pair makes the engine raise. Symbols: none. Source and proof:
    dialect/binder/proofs.md#semi-joins. Raises: nothing.
    """
    emitter = dialect_of(target).emitter
    parts = conjuncts(condition)
    if dialect_of(target).compares_intervals_in_joins or not any(map(_compares_intervals, parts)):
        return write_expr(condition, emitter)
    return " AND ".join(_hide_interval_comparison(part, write_expr(part, emitter)) for part in parts)


def _hide_interval_comparison(part: Expr, written: str) -> str:
    """Wrap a comparison of intervals in CASE, because DuckDB's nested loop join does not support it directly."""
    return f"CASE WHEN {written} THEN TRUE END" if _compares_intervals(part) else f"({written})"


def _compares_intervals(part: Expr) -> bool:
    """Return whether a predicate compares intervals in a way that DuckDB cannot join by hash."""
    is_hash_joinable = isinstance(part, Call) and part.name in _HASH_JOINABLE
    return not is_hash_joinable and any(each.type is SqlType.INTERVAL for each in walk(part))
