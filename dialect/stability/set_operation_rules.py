"""UNION, INTERSECT and EXCEPT of two queries -> one relation (`proofs.md#set-operations`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlglot import exp

from dialect.algebra import intervals as ranges
from dialect.algebra.expressions import Alternative, Expr, Field, Literal, Ref
from dialect.algebra.relations import PerPerson, Public, Relation, Released
from dialect.algebra.set_operation import How, SetOperation
from dialect.catalog.catalog import SqlType
from dialect.errors import Code, Refusal
from dialect.parser.context import Reading, only, refusal
from dialect.stability.calls import alike, wall
from dialect.stability.hulls import common_domain, common_facts
from dialect.stability.rules import compute
from dialect.stability.set_operation_persons import check_persons, is_null, of_persons, with_person

Column = tuple[str, Field]
Pair = tuple[Expr, Expr]

_HOW: dict[type[exp.Expr], How] = {exp.Union: "union", exp.Intersect: "intersect", exp.Except: "except"}


@dataclass(frozen=True)
class Queried:
    """One of the two queries: its rows and what it shows."""

    relation: Relation
    columns: Sequence[Column]


def set_operation(
    tree: exp.SetOperation, left: Queried, right: Queried, reading: Reading
) -> tuple[Relation, tuple[Column, ...]]:
    """Combine two queries column by column, or by name; the names are the first one's."""
    only(tree, "this", "expression", "distinct", "by_name", "with_", "order", "limit", "offset", code=Code.SUBQUERY)
    how, distinct = _HOW[type(tree)], bool(tree.args.get("distinct"))
    named = _named(tree, left, right)
    persons = check_persons(tree, left.relation, right.relation)
    pairs = [_pair(name, one, other, tree) for name, one, other in named]
    if persons is not None:
        pairs = with_person(tree, how, distinct, persons, pairs)
    one, lefts = compute(left.relation, [a for a, _ in pairs], reading)
    other, rights = compute(right.relation, [b for _, b in pairs], reading)
    sources = (one, other) if how == "union" else (one,)
    names = [name for name, _, _ in named]
    made = tuple(
        column_of(reading.fresh(), names[i] if i < len(names) else None, fields, sources)
        for i, fields in enumerate(zip(lefts, rights, strict=True))
    )
    operator = SetOperation(one, other, how, distinct, tuple(zip(lefts, rights, made, strict=True)))
    shown = tuple(zip(names, made[: len(names)], strict=True))
    return combined(operator), shown


def combined(operator: SetOperation) -> Relation:
    """Say whose rows a set operation holds."""
    left, right = operator.left, operator.right
    if isinstance(left, PerPerson) and isinstance(right, PerPerson):
        return of_persons(operator, left, right, common_facts(operator))
    kind = Released if isinstance(left, Released) or isinstance(right, Released) else Public
    return kind(operator, tuple(made for *_, made in operator.columns))


def _named(tree: exp.SetOperation, left: Queried, right: Queried) -> list[tuple[str, Expr, Expr]]:
    """Put the columns of both queries side by side."""
    if tree.args.get("by_name"):
        return _by_name(tree, left, right)
    if len(left.columns) != len(right.columns):
        why = f"{len(left.columns)} columns and {len(right.columns)} columns can't stand in one list."
        raise refusal(Code.SUBQUERY, why, "the same number of columns on both sides", tree.expression)
    return [(name, Ref(a), Ref(b)) for (name, a), (_, b) in zip(left.columns, right.columns, strict=True)]


def _by_name(tree: exp.SetOperation, left: Queried, right: Queried) -> list[tuple[str, Expr, Expr]]:
    """Match columns by their names; what one side lacks is NULL there."""
    ours, theirs = dict(left.columns), dict(right.columns)
    if not isinstance(tree, exp.Union) or len(ours) < len(left.columns) or len(theirs) < len(right.columns):
        why = "BY NAME is for UNION, of queries in which each name stands once."
        raise refusal(Code.SUBQUERY, why, "give each column its own name by AS", tree)
    missing = Literal(None, SqlType.NULL)
    return [
        (name, Ref(ours[name]) if name in ours else missing, Ref(theirs[name]) if name in theirs else missing)
        for name in {**ours, **theirs}
    ]


def _pair(name: str, left: Expr, right: Expr, tree: exp.SetOperation) -> Pair:
    try:
        values = [left, right]
        if _zone(left) != _zone(right):
            values = [wall(value) for value in values]
        _, (one, other) = alike(values, tree)
    except Refusal as refused:
        why = f"{name[:40]} and what stands for it in the other query are of two types."
        raise refusal(Code.SUBQUERY, why, "CAST(x AS ...) in one of them", tree.expression) from refused
    return one, other


def _zone(value: Expr) -> str | None:
    return value.field.time_zone if isinstance(value, Ref) else None


def column_of(id_: str, name: str | None, fields: tuple[Field, Field], sources: Sequence[Relation]) -> Field:
    """Describe the column that holds both sides' values, or those of the first where no other stays."""
    left, right = fields
    kind, _ = alike([Ref(left), Ref(right)], exp.Null())
    some = [f.bounds for f in fields if not is_null(Ref(f))]  # a NULL is beyond no end
    bounds = ranges.hull([b for b in some if b is not None]) if some and all(map(ranges.known, some)) else None
    kept = fields if len(sources) > 1 else (left,)
    personal = isinstance(sources[0], PerPerson)
    alternatives = (
        tuple(Alternative(Ref(f), relation.facts) for f, relation in zip(kept, sources, strict=True))
        if personal
        else ()
    )
    return Field(
        id_, name, kind, any(f.nullable for f in kept), bounds, common_domain(kept) if personal else None,
        origin=left.origin if personal and left.origin == right.origin else None,
        of_person=personal and len(kept) == 1 and left.of_person,
        time_zone=left.time_zone, is_person=left.is_person or right.is_person, alternatives=alternatives,
    )  # fmt: skip
