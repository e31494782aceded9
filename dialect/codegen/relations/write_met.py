"""The condition of a semi-join -> SQL whose way of being computed raises for no row (`proofs.md#semi-joins`)."""

from __future__ import annotations

from dialect.algebra.expressions import Call, Expr, children, conjuncts
from dialect.algebra.target import Target
from dialect.catalog.catalog import SqlType
from dialect.catalog.engine_name import EngineName
from dialect.codegen.engines import words
from dialect.functions.write_expr import write_expr

_HASHED = ("=", "is not distinct from")  # found by hash, for every type


def met(condition: Expr, target: Target) -> str:
    """Write the condition of a semi-join or an anti-join.

    Claim: it is true of the same pairs, and no pair makes the engine raise. Symbols: none. Source and proof:
    proofs.md#semi-joins. Raises: nothing.
    """
    emitter = words(target).emitter
    parts = conjuncts(condition)
    if target.engine is not EngineName.DUCKDB or not any(map(_compares_spans, parts)):
        return write_expr(condition, emitter)
    return " AND ".join(_as_it_is(part, write_expr(part, emitter)) for part in parts)


def _as_it_is(part: Expr, written: str) -> str:
    """Hide a comparison of intervals from DuckDB's nested loop, which knows none of them as soon as there is a row."""
    return f"CASE WHEN {written} THEN TRUE END" if _compares_spans(part) else f"({written})"


def _compares_spans(part: Expr) -> bool:
    hashed = isinstance(part, Call) and part.name in _HASHED
    return not hashed and _has_span(part)


def _has_span(expr: Expr) -> bool:
    return expr.type is SqlType.INTERVAL or any(map(_has_span, children(expr)))
