"""A question -> notes of constants that a declared list does not hold: `gender = 'female'` where it lists F and M."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import is_dataclass

from dialect.catalog import Table, ValueList
from dialect.expressions import Call, Case, Expr, Field, Literal, Ref, children
from dialect.relations import Relation

_COMPARE = {"=", "<>", "in", "is not distinct from", "is distinct from"}
_MOST_TOLD = 8  # values of a list


def unlisted_notes(relation: Relation) -> tuple[str, ...]:
    """Tell which constants are compared with columns that do not declare them; decided by text and catalog alone."""
    return tuple(dict.fromkeys(note for expr in _exprs(relation) for note in _found(expr)))


def _exprs(part: object) -> Iterator[Expr]:
    """Walk the expressions of all operators."""
    if isinstance(part, Ref | Call | Case | Literal):
        yield part
    elif isinstance(part, tuple):
        for each in part:
            yield from _exprs(each)
    elif is_dataclass(part) and not isinstance(part, Field | Table):
        yield from _exprs(tuple(vars(part).values()))


def _found(expr: Expr) -> Iterator[str]:
    for part in children(expr):
        yield from _found(part)
    if not isinstance(expr, Call) or expr.name not in _COMPARE:
        return
    columns = [part.field for part in expr.arguments if isinstance(part, Ref)]
    constants = [part for part in expr.arguments if isinstance(part, Literal)]
    if len(columns) != 1 or len(columns) + len(constants) < len(expr.arguments):
        return
    listed = columns[0].domain
    if isinstance(listed, ValueList):
        odd = [part for part in constants if part.value is not None and part.value not in listed.values]
        yield from (_note(columns[0].name or "a column", part, listed) for part in odd)


def _note(name: str, constant: Literal, listed: ValueList) -> str:
    told = [_shown(value) for value in listed.values[:_MOST_TOLD]]
    more = f" and {len(listed.values) - _MOST_TOLD} more" if len(listed.values) > _MOST_TOLD else ""
    odd = f"{_shown(constant.value)} is none of its declared values"
    return f"{name}: {odd}, {', '.join(told)}{more}: no row should hold it"


def _shown(value: object) -> str:
    return f"'{value[:40]}'" if isinstance(value, str) else str(value)
