"""A condition -> the simple ones that it is put together of, and what each holds against which constants."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TypeGuard

from dialect.algebra.expressions import Call, Expr, Literal, Ref
from dialect.analysis.facts import LARGEST_EXACT
from dialect.catalog.catalog import SqlType, ValueList, ValueRange
from dialect.functions.constant_folding import moment
from dialect.functions.functions import function

Constant = int | float | str | datetime
Said = tuple[Expr, bool, tuple[Constant, ...]]  # of what, whether it is held against constants, and against which

_ORDER = {"<": (-1,), "<=": (-1, 0), ">": (1,), ">=": (0, 1), "=": (0,), "<>": (-1, 1)}
_MIRROR = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
EQUAL = {"is not distinct from": (0,), "is distinct from": (-1, 1)}
SIGNS = _ORDER | EQUAL  # on which side of a constant they are true
_TEXT_SIGNS = ("=", "<>", *EQUAL)
_OF_TRUTHS = ("and", "or", "not", "is true", "is false")


def is_of_truths(expr: Expr) -> TypeGuard[Call]:
    """Tell whether an expression is put together of conditions by AND, OR, NOT and their like."""
    if not isinstance(expr, Call):
        return False
    return expr.name in _OF_TRUTHS or (expr.name == "is null" and expr.arguments[0].type is SqlType.BOOLEAN)


def all_said(condition: Expr) -> Iterator[Said]:
    """Walk what the simple conditions say that one is put together of."""
    if is_of_truths(condition):
        for part in condition.arguments:
            yield from all_said(part)
    elif not isinstance(condition, Literal):
        yield said(condition)


def said(simple: Expr) -> Said:
    """Find what a simple condition speaks of, and the constants; itself where it is but true, false or NULL."""
    if isinstance(simple, Call) and simple.name == "is null":
        return simple.arguments[0], True, ()
    if isinstance(simple, Call) and (simple.name in SIGNS or simple.name == "in"):
        for subject in simple.arguments[:2]:
            found = [] if isinstance(subject, Literal) else [each for _, each in signs(simple, subject)]
            if found:
                return subject, True, tuple(found)
    return simple, False, ()


def signs(simple: Call, subject: Expr) -> Iterator[tuple[str, Constant]]:
    """Walk how a condition holds something against constants, if it holds it against nothing else."""
    if simple.name == "in":
        others = simple.arguments[1:] if simple.arguments[0] == subject else ()
        yield from (("=", each) for each in _constants(subject, others))
        return
    one, other = simple.arguments
    constant, sign = (other, simple.name) if one == subject else (one, _MIRROR.get(simple.name, simple.name))
    if subject.type is not SqlType.VARCHAR or sign in _TEXT_SIGNS:
        yield from ((sign, each) for each in _constants(subject, (constant,)))


def _constants(subject: Expr, others: Sequence[Expr]) -> list[Constant]:
    """Read constants as values of what they are held against; none where one of them is no such value."""
    found = [_constant(each, subject.type) if isinstance(each, Literal) else None for each in others]
    read = [each for each in found if each is not None]
    return read if len(read) == len(found) else []


def _constant(literal: Literal, kind: SqlType) -> Constant | None:
    value = literal.value
    if isinstance(value, bool) or value is None:
        return None
    if kind is SqlType.BIGINT or kind is SqlType.DOUBLE:
        exact = isinstance(value, int | float) and abs(value) <= LARGEST_EXACT
        return value if exact and literal.type in (SqlType.BIGINT, kind) else None
    if kind is SqlType.VARCHAR:
        return str(value) if literal.type is kind else None
    if kind is SqlType.DATE or kind is SqlType.TIMESTAMP:
        return _moment(str(value)) if literal.type in (SqlType.DATE, kind) else None
    return None


def _moment(text: str) -> datetime | None:
    try:
        return moment(text)
    except ValueError:  # outside of the years that Python can say
        return None


def allowed(expr: Expr) -> list[Constant] | None:
    """List the values that an expression can have for certain, NULL apart; None where that is not known."""
    if isinstance(expr, Ref) and expr.field.complete and isinstance(expr.field.domain, ValueList):
        values = tuple(value for value in expr.field.domain.values if value is not None)
    elif isinstance(expr, Call):
        values = function(expr.function).values
    else:
        return None
    found = [_constant(Literal(value, expr.type), expr.type) for value in values]
    known = [each for each in found if each is not None]
    return known if known and len(known) == len(values) else None


def within(expr: Expr) -> tuple[Constant, Constant] | None:
    """Find the whole numbers or days that an expression lies between for certain, NULL apart."""
    declared = expr.field.domain if isinstance(expr, Ref) and expr.field.complete else None
    if not isinstance(declared, ValueRange) or expr.type not in (SqlType.BIGINT, SqlType.DATE):
        return None
    lower, upper = (_constant(Literal(end, expr.type), expr.type) for end in (declared.lower, declared.upper))
    return None if lower is None or upper is None else (lower, upper)


def neighbours(expr: Expr, one: Constant, other: Constant) -> bool:
    """Tell whether no value lies between two constants."""
    if isinstance(one, datetime) and isinstance(other, datetime):
        return expr.type is SqlType.DATE and (other - one).days <= 1
    return expr.type is SqlType.BIGINT and isinstance(one, int) and isinstance(other, int) and other - one <= 1
