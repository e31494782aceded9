"""What is known of the rows of two queries taken together: their domains and facts (`proofs.md#set-operations`)."""

from __future__ import annotations

from collections.abc import Sequence

from dialect.algebra.expressions import Expr, Field, Literal, Ref, fields_of, substituted
from dialect.algebra.set_operation import SetOperation
from dialect.catalog.catalog import Domain, ValueList, ValueRange
from dialect.functions.inference import definition


def common_domain(fields: Sequence[Field]) -> Domain | None:
    """Find a declared domain that holds every value of some fields."""
    domains = [f.domain for f in fields]
    if len({f.type for f in fields}) > 1:
        return None
    if all(domain == domains[0] for domain in domains):
        return domains[0]
    lists = [domain for domain in domains if isinstance(domain, ValueList)]
    if len(lists) == len(domains):
        return ValueList(tuple(dict.fromkeys(value for each in lists for value in each.values)))
    ranges = [domain for domain in domains if isinstance(domain, ValueRange)]
    if len(ranges) < len(domains):
        return None
    lowers, uppers = [each.lower for each in ranges], [each.upper for each in ranges]
    return ValueRange(min(lowers, key=_place), max(uppers, key=_place))


def _place(end: int | str) -> tuple[int, int, str]:
    """Order the ends of ranges: numbers, or dates as text, the years of which may have more than four digits."""
    return (end, 0, "") if isinstance(end, int) else (0, len(end), end)


def common_facts(operator: SetOperation) -> tuple[Expr, ...]:
    """Write what is true of every row that a set operation gives, over its own columns."""
    left = _carried(operator.left.facts, [(a, made) for a, _, made in operator.columns])
    if operator.how != "union":
        return left
    right = _carried(operator.right.facts, [(b, made) for _, b, made in operator.columns])
    return tuple(fact for fact in left if fact in right)


def _carried(facts: Sequence[Expr], columns: Sequence[tuple[Field, Field]]) -> tuple[Expr, ...]:
    replaced: dict[Expr, Expr] = {}
    for below, made in columns:
        known = definition(Ref(below))
        if known is not None and not isinstance(known, Literal) and below.type is made.type:
            replaced.setdefault(known, Ref(made))
    held = {made for _, made in columns}
    found = (substituted(fact, replaced) for fact in facts)
    return tuple(fact for fact in found if all(f in held for f in fields_of(fact)))
