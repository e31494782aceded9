"""Whether a row meets at most one row of a relation, and whether that has a second one (`proofs.md#relation-kinds`)."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator

from dialect.algebra.expressions import Call, Expr, Field, Literal, Ref, conjuncts, fields_of
from dialect.algebra.relation_parts import sources
from dialect.algebra.relations import (
    Boundary,
    Cut,
    Distinct,
    Filter,
    Group,
    Join,
    PerPerson,
    Project,
    Public,
    Relation,
    Scan,
    SemiJoin,
    Sort,
    Values,
)
from dialect.algebra.window import Window
from dialect.catalog.catalog import SqlType

_TURNED = {"=": "=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
EXACT_TYPES = (SqlType.BOOLEAN, SqlType.BIGINT, SqlType.VARCHAR, SqlType.DATE, SqlType.TIMESTAMP)


def set_equal(side: Relation, condition: Expr, signs: Collection[str] = ("=",)) -> Iterator[tuple[Field, Expr]]:
    """Walk the fields of a side that a top-level conjunct sets equal to something outside of it, of the same type."""
    for part in conjuncts(condition):
        if not (isinstance(part, Call) and part.name in signs):
            continue
        for one, other in (part.arguments, part.arguments[::-1]):
            if not (isinstance(one, Ref) and one.field in side.fields and one.type is other.type):
                continue
            if all(f not in side.fields for f in fields_of(other)):
                yield one.field, other


def pinned(public: Public, condition: Expr, by: Callable[[Expr], bool] = lambda _: True) -> set[Field]:
    """Find public fields that a top-level conjunct sets equal to some expression of the other side.

    Both have one type whose equality means the same value: of doubles and mixed numbers it does not.
    """
    return {f for f, other in set_equal(public, condition) if f.type in EXACT_TYPES and by(other)}


def covers_primary_key(public: Public, met: set[Field]) -> bool:
    """Tell whether fields that were set equal are all of a stored table's enforced primary key."""
    if not isinstance(public.operator, Scan) or not public.operator.table.primary_key:
        return False
    return set(public.operator.table.primary_key) <= {f.origin.column for f in met if f.origin}


def meets_one_row(relation: Relation, condition: Expr) -> bool:
    """Tell whether a row meets at most one of a relation: by a public primary key, or as the person's own row."""
    if isinstance(relation, Public):
        return covers_primary_key(relation, pinned(relation, condition))
    if not isinstance(relation, PerPerson) or not relation.one_row_per_person:
        return False
    equal = (part.arguments for part in conjuncts(condition) if isinstance(part, Call) and part.name == "=")
    return any(Ref(relation.person) in values for values in equal)


def keeps_one_place(rows: Relation, condition: Expr, fixed: Callable[[Field], bool]) -> bool:
    """Tell whether a condition keeps one place at most of each person's rows, which are numbered in some order.

    Claim: at most one row of a person meets it. Needs rows of persons; `fixed` tells which fields have one value for
    all rows of a person. Proof: proofs.md#relation-kinds. Raises: nothing.
    """
    places = set(_places(rows, fixed))
    return bool(places) and any(_is_one_place(part, places) for part in conjuncts(condition))


def _places(relation: Relation, fixed: Callable[[Field], bool]) -> Iterator[Field]:
    """Walk the fields that number all rows of a person from 1, no two of them alike."""
    operator = relation.operator
    if not isinstance(relation, PerPerson):
        return
    if isinstance(operator, Window):
        numbered = (each for each in operator.calls if each.function == "row_number")
        yield from (n.field for n in numbered if all(isinstance(p, Ref) and fixed(p.field) for p in n.partition))
    if isinstance(operator, Window | Filter | Project | Cut):
        yield from _places(operator.source, fixed)
    elif isinstance(operator, SemiJoin):
        yield from _places(operator.left, fixed)
    elif isinstance(operator, Join) and operator.how != "full":
        if meets_one_row(operator.right, operator.condition):
            yield from _places(operator.left, fixed)
        if operator.how == "inner" and meets_one_row(operator.left, operator.condition):
            yield from _places(operator.right, fixed)


def _is_one_place(part: Expr, places: Collection[Field]) -> bool:
    if not (isinstance(part, Call) and part.name in _TURNED):
        return False
    (one, other), sign = part.arguments, part.name
    if isinstance(one, Literal):
        one, other, sign = other, one, _TURNED[sign]
    if not (isinstance(one, Ref) and one.field in places and isinstance(other, Literal)):
        return False
    most = other.value if isinstance(other.value, int | float) else math.inf
    return sign == "=" or (sign == "<=" and most < 2) or (sign == "<" and most <= 2)


def at_most_one_row(relation: Relation) -> bool:
    """Tell whether a relation has no second row, whatever is stored."""
    operator = relation.operator
    if isinstance(operator, Group | Boundary | Distinct):
        return not operator.keys
    if isinstance(operator, Filter) and isinstance(rows := operator.source, Public):
        return meets_one_row(rows, operator.condition) or at_most_one_row(rows)
    if isinstance(operator, Values):
        return len(operator.rows) <= 1
    if isinstance(operator, Sort) and operator.limit is not None and operator.limit <= 1:
        return True
    if isinstance(operator, Join) and operator.how == "full":
        return False  # one of each side, where they do not meet
    return isinstance(operator, Sort | Project | Filter | Join | Window) and all(
        map(at_most_one_row, sources(relation))
    )
