"""IN, NOT IN, EXISTS and NOT EXISTS between the ANDs of a WHERE -> semi-joins (`proofs.md#semi-joins`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from sqlglot import exp

from dialect.algebra.expressions import Call, Expr, Ref, conjunction
from dialect.algebra.relations import Relation
from dialect.binder.from_clause import Queries, from_clause
from dialect.binder.inner_rows import before_in, conditions, own_rows, reaches_out
from dialect.binder.names import RowNames, Scope, anded, has_aggregate, has_window
from dialect.binder.nested_names import NestedNames
from dialect.binder.scalars import scalar
from dialect.errors import Code, Refusal, suggested
from dialect.functions.inference import definition, nullable
from dialect.parser.context import Reading, only, refusal
from dialect.parser.spans import in_place
from dialect.stability.calls import call
from dialect.stability.semi_joins import semi_join

_PLAIN = {"expressions", "from_", "joins", "where", "distinct"}  # clauses of a subquery that may name the outer row


@dataclass(frozen=True)
class Outer:
    """The rows that WHERE chooses from, and their names."""

    relation: Relation
    scope: Scope
    reading: Reading
    queries: Queries
    aliases: Mapping[str, Expr] = field(default_factory=dict)  # select items that WHERE calls by their names


@dataclass(frozen=True)
class _Inner:
    """A subquery: its rows, what it selects, and its conditions on the outer row."""

    relation: Relation
    selected: tuple[Expr, ...]
    conditions: tuple[Expr, ...] = ()


def as_test(node: exp.Expr) -> tuple[exp.Expr, bool] | None:
    """Read a condition as a test by a subquery, and whether it is negated; None: it is another one."""
    negated = False
    while isinstance(node, exp.Paren | exp.Not):
        negated ^= isinstance(node, exp.Not)
        node = node.this
    asks = isinstance(node, exp.In) and node.args.get("query") is not None
    return (node, negated) if asks or (isinstance(node, exp.Exists) and isinstance(node.this, exp.Query)) else None


def chosen(relation: Relation, node: exp.Expr, negated: bool, outer: Outer) -> Relation:
    """Keep the rows that meet one of a subquery's, or with `negated` those that meet none; raises Refusal."""
    if isinstance(node, exp.Exists):
        only(node, "this", code=Code.SUBQUERY)
        inner = _inner(node.this, False, outer)
        met = list(inner.conditions)
    else:
        only(node, "this", "query", code=Code.SUBQUERY)
        inner = _inner(node.args["query"], True, outer)
        met = [*_members(node, inner, negated, outer), *inner.conditions]
    return semi_join(relation, inner.relation, conjunction(tuple(met)), negated, node)


def _members(node: exp.Expr, inner: _Inner, negated: bool, outer: Outer) -> list[Expr]:
    """Write what IN compares as equalities; a NULL on the left is in no list, and outside of an empty one only."""
    names = RowNames(outer.scope, dict(outer.aliases))
    values = [scalar(part, names) for part in before_in(node)]
    if len(values) != len(inner.selected):
        why = f"The subquery behind IN selects {len(inner.selected)} columns, and {len(values)} stand before it."
        raise refusal(Code.SUBQUERY, why, "x IN (SELECT x FROM ...)", node)
    pairs = list(zip(values, inner.selected, strict=True))
    try:
        equal = [call("=", [value, member], node) for value, member in pairs]
    except Refusal as refused:
        if refused.code is not Code.FUNC:
            raise
        raise refusal(Code.SUBQUERY, refused.why, "compare values of one type", node) from None
    if not negated:
        return equal
    if any(_may_be_null(member, inner.relation) for member in inner.selected):
        why = "NOT IN is never true once its list holds a NULL, and this one may."
        unlike = refusal(Code.SUBQUERY, why, "NOT EXISTS (SELECT 1 FROM ... WHERE ... = ...)", node)
        raise replace(
            unlike,
            rewrites=suggested(_without_null(node), "a NULL in the list is left out: with one, NOT IN is never true"),
        )
    return [_or_null(value, part, node) for value, part in zip(values, equal, strict=True)]


def _without_null(node: exp.Expr) -> tuple[str, ...]:
    """Leave the NULLs out of the list."""
    query = node.args["query"].this
    if not isinstance(query, exp.Select) or len(query.expressions) != 1 or query.args.get("joins"):
        return ()
    if query.args.get("from_") is None:
        return ()
    test = f"{_text(query.expressions[0].unalias())} IS NOT NULL"
    where = query.args.get("where")
    last = query.args["from_"].this if where is None else where.this
    made = in_place(last, f"{_text(last)} WHERE {test}" if where is None else f"({_text(last)}) AND {test}")
    return () if made is None else (made,)


def _text(node: exp.Expr) -> str:
    return node.sql("duckdb", comments=False)


def _or_null(value: Expr, equal: Expr, node: exp.Expr) -> Expr:
    if not nullable(value):
        return equal
    if isinstance(value, Ref) and value.field.is_person:
        why = "This person key may be NULL, and NULL is neither in a list nor outside of it."
        raise refusal(Code.SUBQUERY, why, "NOT EXISTS (SELECT 1 FROM ... WHERE ... = ...)", node)
    return call("or", [equal, call("is null", [value], node)], node)


def _may_be_null(member: Expr, relation: Relation) -> bool:
    found = definition(member)
    refused = (
        isinstance(fact, Call) and fact.name == "not" and isinstance(test := fact.arguments[0], Call)
        and test.name == "is null" and test.arguments[0] in (member, found)
        for fact in relation.facts
    )  # fmt: skip
    return nullable(member) and not any(refused)


def _inner(query: exp.Expr, selecting: bool, outer: Outer) -> _Inner:
    tree = query.this if isinstance(query, exp.Subquery) else query
    if isinstance(tree, exp.Select) and _may_name_the_outer_row(tree, selecting):
        return _correlated(tree, selecting, outer)
    if reaches_out(tree, outer.scope):
        why = "Only a plain SELECT ... FROM ... WHERE can name the row around it."
        hint = "person IN (SELECT person FROM ... GROUP BY person HAVING ...)"
        raise refusal(Code.SUBQUERY, why, hint, query)
    read = outer.queries.subquery(tree, outer.reading)
    return _Inner(read.relation, tuple(Ref(f) for _, f in read.columns))


def _may_name_the_outer_row(tree: exp.Select, selecting: bool) -> bool:
    """Tell whether a subquery is plain enough to be read row by row; others are read as in FROM, on their own."""
    clauses = {clause for clause, value in tree.args.items() if value}
    stars = selecting and any(part.is_star for part in tree.expressions)
    return (
        clauses <= _PLAIN
        and not stars
        and not any(has_aggregate(part) or has_window(part) for part in tree.expressions)
    )


def _correlated(tree: exp.Select, selecting: bool, outer: Outer) -> _Inner:
    if tree.args.get("distinct"):
        only(tree.args["distinct"], code=Code.ROWS)
    relation, scope = from_clause(tree, outer.reading, outer.queries)
    names = NestedNames(scope, outer.scope)
    shown = [part.unalias() for part in tree.expressions if not part.is_star]
    selected = tuple(scalar(part, names) for part in shown)
    relation, conditions = _conditions(tree, relation, names, outer)
    return _Inner(relation, selected if selecting else (), conditions)


def _conditions(
    tree: exp.Select, relation: Relation, names: NestedNames, outer: Outer
) -> tuple[Relation, tuple[Expr, ...]]:
    """Split the WHERE of a subquery: what reads the outer row is a condition on pairs, the rest chooses inner rows."""
    clause = tree.args.get("where")
    if clause is None:
        return relation, ()
    parts = list(anded(clause.this))
    plain = (part for part in parts if as_test(part) is None)
    relation, pairs = own_rows(relation, conditions(plain, names), clause)
    for test in filter(None, map(as_test, parts)):
        relation = chosen(relation, *test, Outer(relation, names.inner, outer.reading, outer.queries))
    return relation, pairs
