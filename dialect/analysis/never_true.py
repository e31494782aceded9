"""A question -> notes of conditions that no row can meet, by what functions, declared bounds and the text itself say.

`hour(t) = 25`; `day >= DATE '2026-10-05' AND day < DATE '2026-10-05'`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import product

from dialect.algebra.expressions import Call, Expr, Literal, Ref, children
from dialect.algebra.intervals import known
from dialect.algebra.relation_parts import expressions_of
from dialect.algebra.relations import Relation
from dialect.functions.constant_folding import moment
from dialect.functions.inference import range_of
from dialect.functions.plain_text import plain_text

_MIRROR: Mapping[str, str] = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "=": "="}
_FROM, _UP_TO = (">", ">=", "="), ("<", "<=", "=")
_STRICT = ("<", ">")
_Said = tuple[str, Literal]  # a sign, and the constant behind it


def never_true_notes(relation: Relation) -> tuple[str, ...]:
    """Tell which conditions leave no row; decided by text and catalog alone."""
    return tuple(dict.fromkeys(note for expr in expressions_of(relation) for note in _found(expr)))


def _found(expr: Expr) -> Iterator[str]:
    for part in children(expr):
        yield from _found(part)
    said = list(_said(expr)) if isinstance(expr, Call) else []
    for value in dict.fromkeys(value for value, _ in said):
        about = [each for of, each in said if of == value]
        beyond = next((each for each in about if _beyond(value, each)), None)
        clash = next((pair for pair in product(about, about) if _apart(*pair)), None)
        if beyond is not None:
            within = range_of(value)
            yield f"{plain_text(value)} is from {within.lower:g} to {within.upper:g}, and never {_shown(beyond)}"
        elif clash is not None:
            yield f"{plain_text(value)} is never both {_shown(clash[0])} and {_shown(clash[1])}: no row should be there"


def _said(expr: Call) -> Iterator[tuple[Expr, _Said]]:
    """Walk what one comparison says, or those of one AND together."""
    for part in expr.arguments if expr.name == "and" else (expr,):
        if not isinstance(part, Call) or part.name not in _MIRROR:
            continue
        one, other = part.arguments
        if isinstance(other, Literal) and not isinstance(one, Literal):
            yield one, (part.name, other)
        elif isinstance(one, Literal) and not isinstance(other, Literal):
            yield other, (_MIRROR[part.name], one)


def _beyond(value: Expr, said: _Said) -> bool:
    """Tell whether a function, or a column with declared bounds, gives no such number."""
    within, at = range_of(value), _place(said[1])
    if not isinstance(at, float) or not known(within) or (isinstance(value, Ref) and value.field.origin is None):
        return False
    return _misses((">=", float(within.lower)), (said[0], at)) or _misses((said[0], at), ("<=", float(within.upper)))


def _apart(one: _Said, other: _Said) -> bool:
    return _misses((one[0], _place(one[1])), (other[0], _place(other[1])))


def _misses(one: tuple[str, object], other: tuple[str, object]) -> bool:
    """Tell whether all that begins at one end lies behind the other end."""
    (begins, low), (ends, high) = one, other
    if begins not in _FROM or ends not in _UP_TO:
        return False
    if isinstance(low, float) and isinstance(high, float):
        return low > high or (low == high and (begins in _STRICT or ends in _STRICT))
    if isinstance(low, datetime) and isinstance(high, datetime):
        return low > high or (low == high and (begins in _STRICT or ends in _STRICT))
    return False


def _place(constant: Literal) -> float | datetime | None:
    """Order numbers and moments; None for other constants."""
    value = constant.value
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float):
        return float(value)
    try:
        return moment(str(value)) if constant.type in ("DATE", "TIMESTAMP") else None
    except ValueError:
        return None


def _shown(said: _Said) -> str:
    return f"{said[0]} {said[1].value}"
