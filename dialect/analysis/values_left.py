"""Conditions -> how many values they leave of an expression: one that is set, a list of them, a range."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dialect.algebra.expressions import Call, Expr, Field, Literal, Ref, is_of_table
from dialect.analysis.facts import limits
from dialect.catalog.catalog import SqlType

Values = frozenset[object]
_MOST = 10_000  # values of a range that are counted


def fixed_field(fact: Expr) -> Field | None:
    """Find the field that a fact sets equal to a constant."""
    return next((part.field for part in _compared(fact) if isinstance(part, Ref) and how_many(part, [fact]) == 1), None)


def spoken_of(facts: Sequence[Expr], table: str) -> Iterator[Expr]:
    """Walk what facts compare with constants: columns of a table, and parts of them such as the hour of a time."""
    return (part for fact in facts for part in dict.fromkeys(_compared(fact)) if is_of_table(part, table))


def _compared(fact: Expr) -> Iterator[Expr]:
    if not isinstance(fact, Call):
        return
    if fact.name in ("and", "or"):
        for part in fact.arguments:
            yield from _compared(part)
    elif any(isinstance(argument, Literal) for argument in fact.arguments):
        yield from (argument for argument in fact.arguments if not isinstance(argument, Literal))


def how_many(expr: Expr, facts: Sequence[Expr]) -> int | None:
    """Count the values that an expression may have where facts are true; None where they leave any number."""
    listed = [values for fact in facts if (values := _values(expr, fact)) is not None]
    ends = limits(expr, facts)
    found = [len(frozenset.intersection(*listed))] if listed else []
    if ends is not None and ends.lower == ends.upper:
        found.append(1)
    elif ends is not None and expr.type is SqlType.BIGINT and ends.upper - ends.lower < _MOST:
        found.append(int(ends.upper // 1 - -(-ends.lower // 1)) + 1)
    return max(1, min(found)) if found else None


def _values(expr: Expr, fact: Expr) -> Values | None:
    """List the constants that an expression may equal where a fact is true; None where it may be any other."""
    if not isinstance(fact, Call):
        return None
    if fact.name in ("and", "or"):
        parts = [_values(expr, part) for part in fact.arguments]
        known = [part for part in parts if part is not None]
        if fact.name == "or":
            return frozenset[object]().union(*known) if len(known) == len(parts) else None
        return frozenset.intersection(*known) if known else None
    one, *others = fact.arguments
    if fact.name == "=" and others[0] == expr:
        one, others = others[0], [one]
    if fact.name not in ("=", "in") or one != expr:
        return None
    constants = [other.value for other in others if isinstance(other, Literal) and other.type is expr.type]
    return frozenset(constants) if len(constants) == len(others) else None
