"""UNION, INTERSECT and EXCEPT of two queries -> one relation (`proofs.md#relation-kinds`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlglot import exp

from dialect import ranges
from dialect.calls import alike, wall
from dialect.errors import Code, Refusal
from dialect.expressions import Expr, Field, Ref
from dialect.reading import Reading, only, refusal
from dialect.relations import PerPerson, Public, Relation, Released
from dialect.rules import compute
from dialect.set_operation import How, SetOperation

Column = tuple[str, Field]

_HOW: dict[type[exp.Expr], How] = {exp.Union: "union", exp.Intersect: "intersect", exp.Except: "except"}


@dataclass(frozen=True)
class Side:
    """One of the two queries: its rows and what it shows."""

    relation: Relation
    columns: Sequence[Column]


def set_operation(
    tree: exp.SetOperation, left: Side, right: Side, reading: Reading
) -> tuple[Relation, tuple[Column, ...]]:
    """Combine two queries column by column; the names are the first one's."""
    only(tree, "this", "expression", "distinct", "with_", "order", "limit", "offset", code=Code.SUBQUERY)
    if len(left.columns) != len(right.columns):
        why = f"{len(left.columns)} columns and {len(right.columns)} columns can't stand in one list."
        raise refusal(Code.SUBQUERY, why, "the same number of columns on both sides", tree.expression)
    _refuse_persons(tree, left.relation, right.relation)
    pairs = [_pair(a, b, tree) for a, b in zip(left.columns, right.columns, strict=True)]
    one, lefts = compute(left.relation, [a for a, _ in pairs], reading)
    other, rights = compute(right.relation, [b for _, b in pairs], reading)
    names = [name for name, _ in left.columns]
    made = [_made(reading.fresh(), *each) for each in zip(names, lefts, rights, strict=True)]
    kind = Released if isinstance(one, Released) or isinstance(other, Released) else Public
    distinct = bool(tree.args.get("distinct"))
    operator = SetOperation(one, other, _HOW[type(tree)], distinct, tuple(zip(lefts, rights, made, strict=True)))
    return kind(operator, tuple(made)), tuple(zip(names, made, strict=True))


def _refuse_persons(tree: exp.SetOperation, left: Relation, right: Relation) -> None:
    if isinstance(left, PerPerson) and isinstance(right, PerPerson):
        why = f"{tree.key.upper()} of people's rows is not built yet."
        raise refusal(Code.SUBQUERY, why, "ask two questions", tree)
    if isinstance(left, PerPerson) or isinstance(right, PerPerson):
        side = tree.this if isinstance(left, PerPerson) else tree.expression
        why = f"People's rows can't stand in one {tree.key.upper()} with rows that are nobody's."
        raise refusal(Code.ROWS, why, "an aggregate on this side too", side)


def _pair(left: Column, right: Column, tree: exp.SetOperation) -> tuple[Expr, Expr]:
    try:
        values: list[Expr] = [Ref(left[1]), Ref(right[1])]
        if left[1].time_zone != right[1].time_zone:
            values = [wall(value) for value in values]
        _, (one, other) = alike(values, tree)
    except Refusal as refused:
        why = f"{left[0][:40]} and what stands for it in the other query are of two types."
        raise refusal(Code.SUBQUERY, why, "CAST(x AS ...) in one of them", tree.expression) from refused
    return one, other


def _made(id_: str, name: str, left: Field, right: Field) -> Field:
    kind, _ = alike([Ref(left), Ref(right)], exp.Null())
    known = ranges.known(left.bounds) and ranges.known(right.bounds)
    bounds = ranges.hull([b for b in (left.bounds, right.bounds) if b is not None]) if known else None
    return Field(
        id_, name, kind, left.nullable or right.nullable, bounds,
        time_zone=left.time_zone,
    )  # fmt: skip
