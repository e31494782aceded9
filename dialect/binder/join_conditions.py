"""What a JOIN is on: ON, USING, or the equalities by which WHERE joins a table that FROM only lists."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

from sqlglot import exp

from dialect.algebra.expressions import TRUE, Expr, Field, Ref, conjunction, fields_of
from dialect.algebra.relations import Relation
from dialect.binder.names import Column, RowNames, Scope, anded
from dialect.binder.scalars import condition
from dialect.errors import Code, Refusal
from dialect.parser.context import Reading
from dialect.stability.calls import call
from dialect.stability.joined import Joined
from dialect.stability.rules import compute


def join_condition(
    node: exp.Join, left: Scope, both: Scope, columns: tuple[Column, ...]
) -> tuple[Expr, tuple[str, ...]]:
    """Read ON or USING: the condition, and the names that USING merges."""
    using = [part.name.lower() for part in node.args.get("using") or ()]
    if using:
        right = Scope((("right", columns),))
        pairs = [(left.find(name, None, node), right.find(name, None, node)) for name in using]
        return conjunction(tuple(_met([Ref(a), Ref(b)], node) for a, b in pairs)), tuple(using)
    if node.args.get("on") is None:
        return TRUE, ()
    try:
        return condition(node.args["on"], RowNames(both)), ()
    except Refusal as refused:
        if refused.code is not Code.PERSON_KEY:
            raise
        why = "A person key can only be joined on its equality with another person key."
        raise Refusal(Code.JOIN, why, "JOIN ... USING (the person key)", refused.span) from None


def _met(pair: list[Expr], node: exp.Join) -> Expr:
    try:
        return call("=", pair, node)
    except Refusal as refused:
        raise Refusal(Code.JOIN, refused.why, "ON with values of one type", refused.span) from None


def met_in_where(where: exp.Where | None, both: Scope, columns: tuple[Column, ...]) -> Expr:
    """Find the equalities of columns by which WHERE joins a listed table; they stay in WHERE too."""
    right = [f for _, f in columns]
    found: list[Expr] = []
    for part in anded(where.this) if where is not None else ():
        node = part.unnest() if isinstance(part, exp.Paren) else part
        if not (isinstance(node, exp.EQ) and all(isinstance(side, exp.Column) for side in node.iter_expressions())):
            continue
        with suppress(Refusal):  # of a table that comes later, or wrong: WHERE says so
            typed = condition(node, RowNames(both))
            if {f in right for f in fields_of(typed)} == {True, False}:
                found.append(typed)
    return conjunction(tuple(found))


def standing(
    made: Joined, scope: Scope, pairs: Mapping[str, tuple[Field, ...]], node: exp.Join, reading: Reading
) -> tuple[Relation, Scope]:
    """Let one column stand for both of USING: the right one, and behind FULL JOIN the one that is not NULL."""
    if node.side.upper() == "RIGHT":
        return made.relation, scope.with_instead(tuple((name, right) for name, (_, right) in pairs.items()))
    exprs = [_either(pair, made, node) for pair in pairs.values()]
    relation, fields = compute(made.relation, exprs, reading)
    return relation, scope.with_instead(tuple(zip(pairs, fields, strict=True)))


def _either(pair: tuple[Field, ...], made: Joined, node: exp.Join) -> Expr:
    """Write what is not NULL of two columns; of two person keys the row's own person."""
    if made.person is not None and all(f.is_person for f in pair):
        return Ref(made.person)
    return call("coalesce", [Ref(f) for f in pair], node)


def apart(node: exp.Expr) -> tuple[exp.Expr, list[exp.Join]]:
    """Take apart a table and the joins that the parser hangs on it."""
    joins: list[exp.Join] = node.args.get("joins") or []
    if not joins:
        return node, []
    first = node.copy()
    first.set("joins", None)
    first.parent = node.parent
    return first, joins
