"""What WHERE says of what an expression reads -> a narrower range of the expression (`proofs.md#ranges`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from dialect.algebra.expressions import Expr, Field, Literal, Ref, rebuild
from dialect.analysis.facts import limits
from dialect.catalog.catalog import Bounds, SqlType
from dialect.functions.inference import definition, range_of
from dialect.functions.plain_text import plain_text


def known_range(expr: Expr, facts: Sequence[Expr]) -> Bounds:
    """Infer the range of an expression in rows of which facts are true."""
    written = definition(expr) if facts else None
    narrow = range_of(expr) if written is None else range_of(narrowed(written, facts))
    return narrow if narrow.lower <= narrow.upper else range_of(expr)  # of no row at all


def narrowed(expr: Expr, facts: Sequence[Expr]) -> Expr:
    """Tell the parts of an expression what is true of them in every row: a NULL meets no comparison."""
    found = limits(expr, facts)
    known_parts = expr if isinstance(expr, Ref) else rebuild(expr, lambda part: narrowed(part, facts))
    if found is None or isinstance(expr, Literal):
        return known_parts
    ends = _both(range_of(known_parts), found)
    if isinstance(expr, Ref):
        return Ref(replace(expr.field, bounds=ends, nullable=False))
    return Ref(Field(f"({plain_text(expr)})", None, SqlType.DOUBLE, nullable=False, bounds=ends))


def _both(one: Bounds, other: Bounds) -> Bounds:
    return Bounds(max(one.lower, other.lower), min(one.upper, other.upper))
