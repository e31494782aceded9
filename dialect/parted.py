"""By what the rows of a plan are parted: its keys, and whatever its conditions leave one value of."""

from __future__ import annotations

from collections.abc import Iterator

from dialect.expressions import Call, Expr, Field, Literal, Ref, fields_of
from dialect.plain_text import plain_text
from dialect.private_plan import PrivatePlan


def parted_by(plan: PrivatePlan, table: str) -> frozenset[str]:
    """Name the plan's keys, and the columns of its widest table, or parts of them, that conditions set to one constant.

    Rows of one value of a column are one group of all by it: a person has no larger norm in them than over all groups.
    """
    fixed = (part for fact in plan.source.facts for part in _fixed(fact) if _is_of(part, table))
    return frozenset({*(key.text for key in plan.keys), *map(plain_text, fixed)})


def fixed_field(fact: Expr) -> Field | None:
    """Find the field that a fact sets equal to a constant."""
    return next((part.field for part in _fixed(fact) if isinstance(part, Ref)), None)


def _fixed(fact: Expr) -> Iterator[Expr]:
    """Find what a fact sets equal to a constant: a column, or an expression such as the hour of a time."""
    if isinstance(fact, Call) and fact.name == "=":
        for one, other in (fact.arguments, fact.arguments[::-1]):
            if isinstance(other, Literal) and not isinstance(one, Literal):
                yield one


def _is_of(expr: Expr, table: str) -> bool:
    origins = [field.origin for field in fields_of(expr)]
    return bool(origins) and all(origin is not None and origin.table == table for origin in origins)
