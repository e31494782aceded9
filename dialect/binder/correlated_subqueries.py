"""A subquery of one value that names the row around it -> groups joined to that row (`proofs.md#correlated-values`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlglot import exp

from dialect.algebra.expressions import Call, Expr, Field, Literal, Ref, conjunction, fields_of, substituted
from dialect.algebra.relations import Relation
from dialect.analysis.one_row import meets_one_row
from dialect.binder.from_clause import Queries, from_clause
from dialect.binder.grouping import GroupNames, close
from dialect.binder.inner_rows import before_in, conditions, own_rows, reaches_out, within
from dialect.binder.names import RowNames, Scope, anded, has_aggregate
from dialect.binder.nested_names import NestedNames
from dialect.binder.scalars import scalar
from dialect.catalog.catalog import SqlType
from dialect.errors import Code
from dialect.functions.inference import null_extended, nullable
from dialect.parser.context import Reading, only, refusal
from dialect.stability.calls import call
from dialect.stability.rules import compute, joined_in

_ZERO = Literal(0, SqlType.BIGINT)
_EXISTS = "EXISTS (SELECT 1 FROM ... WHERE inner.x = outer.x)"


@dataclass(frozen=True)
class Correlated:
    """One row per value of what a subquery is tied by, and what the row around it reads of the row that it meets."""

    relation: Relation
    condition: Expr
    value: Expr  # over the relation's fields, NULL-extended as a LEFT JOIN makes them


def correlated_value(tree: exp.Expr, around: Scope, reading: Reading, queries: Queries) -> Correlated:
    """Read an aggregate over the rows that equal the row around it; raises Refusal with E_SUBQUERY for others."""
    if not (isinstance(tree, exp.Select) and len(tree.expressions) == 1):
        why = "A subquery that names the row around it selects one value."
        raise refusal(Code.SUBQUERY, why, "(SELECT MAX(x) FROM ... WHERE ... = ...)", tree)
    only(tree, "expressions", "from_", "joins", "where", code=Code.SUBQUERY)
    source, scope = from_clause(tree, reading, queries)
    typed = conditions(_written(tree), NestedNames(scope, around))
    if not has_aggregate(tree.expressions[0]):
        return _looked_up(tree, source, scope, typed, reading)
    source, ties = _tied(tree, source, typed)
    return _grouped(tree, source, scope, ties, reading)


def _written(tree: exp.Select) -> list[exp.Expr]:
    clause = tree.args.get("where")
    return list(anded(clause.this)) if clause is not None else []


def _tied(tree: exp.Select, source: Relation, typed: Sequence[Expr]) -> tuple[Relation, list[tuple[Expr, Expr]]]:
    source, pairs = own_rows(source, typed, tree)
    return source, [_tie(each, source.fields, tree) for each in pairs]


def met_value(node: exp.In | exp.Exists, around: Scope, reading: Reading, queries: Queries) -> Correlated:
    """Read a test by a subquery as a value: whether more than no row is met (`proofs.md#correlated-values`).

    Raises Refusal with E_SUBQUERY for EXISTS that names nothing around it, and for IN where NULL could be met and tell.
    """
    if isinstance(node, exp.Exists):
        tree = node.this.this if isinstance(node.this, exp.Subquery) else node.this
        if not (isinstance(tree, exp.Select) and reaches_out(tree, around)):
            why = "This EXISTS is the same for every row."
            raise refusal(Code.SUBQUERY, why, _EXISTS, node)
        only(tree, "expressions", "from_", "joins", "where", code=Code.SUBQUERY)
        source, scope = from_clause(tree, reading, queries)
        source, ties = _tied(tree, source, conditions(_written(tree), NestedNames(scope, around)))
        return _counted(node, source, scope, ties, reading)
    only(node, "this", "query", code=Code.SUBQUERY)
    outer = [scalar(part, RowNames(around)) for part in before_in(node)]
    tree = node.args["query"].this
    if reaches_out(tree, around):
        source, scope, inner, tied = _members(tree, around, reading, queries)
    else:
        read = queries.subquery(tree, reading)
        source, scope, tied = read.relation, Scope((("", read.columns),)), []
        inner = [Ref(f) for _, f in read.columns]
    if len(outer) != len(inner) or (any(map(nullable, (*outer, *inner))) and not _decides(node)):
        why = (
            "IN whose value is shown or negated compares columns that are never NULL, each with one of the subquery's."
        )
        raise refusal(Code.SUBQUERY, why, _EXISTS, node)
    return _counted(node, source, scope, [*zip(inner, outer, strict=True), *tied], reading)


def _members(
    tree: exp.Expr, around: Scope, reading: Reading, queries: Queries
) -> tuple[Relation, Scope, list[Expr], list[tuple[Expr, Expr]]]:
    """Read the list of an IN that names the row around it: its rows, its values, and what ties them to that row."""
    if not isinstance(tree, exp.Select):
        why = "Only a plain SELECT ... FROM ... WHERE can name the row around it."
        raise refusal(Code.SUBQUERY, why, _EXISTS, tree)
    only(tree, "expressions", "from_", "joins", "where", "distinct", code=Code.SUBQUERY)
    if tree.args.get("distinct"):
        only(tree.args["distinct"], code=Code.ROWS)
    source, scope = from_clause(tree, reading, queries)
    names = NestedNames(scope, around)
    inner = [scalar(part.unalias(), names) for part in tree.expressions]
    if not all(any(fields_of(each)) and within(each, source.fields) for each in inner):
        why = "The list of this IN holds values of the row around it, or constants."
        raise refusal(Code.SUBQUERY, why, _EXISTS, tree)
    source, ties = _tied(tree, source, conditions(_written(tree), names))
    return source, scope, inner, ties


def _decides(node: exp.Expr) -> bool:
    """Tell whether a test only decides, by AND and OR alone, what a NULL decides as FALSE does."""
    around = node.parent
    while isinstance(around, exp.And | exp.Or | exp.Paren):
        node, around = around, around.parent
    if isinstance(around, exp.If):
        searched = not isinstance(around.parent, exp.Case) or around.parent.args.get("this") is None
        return searched and around.this is node
    return isinstance(around, exp.Where | exp.CountIf)


def _counted(
    node: exp.Expr, source: Relation, scope: Scope, ties: list[tuple[Expr, Expr]], reading: Reading
) -> Correlated:
    counted = exp.select(exp.Count(this=exp.Star(), big_int=True))
    tied = _grouped(counted, source, scope, ties, reading)
    return replace(tied, value=call(">", [tied.value, _ZERO], node))


def _looked_up(tree: exp.Select, source: Relation, scope: Scope, typed: list[Expr], reading: Reading) -> Correlated:
    """Read a value of the one row that has a primary key: of a public table, or of the person's own row."""
    met = conjunction(tuple(typed))
    if not meets_one_row(source, met):
        why = "A subquery of one value is an aggregate, or looks a row up by its primary key."
        raise refusal(Code.SUBQUERY, why, "(SELECT MAX(x) FROM ... WHERE ... = ...)", tree)
    relation, (held,) = compute(source, [scalar(tree.expressions[0].unalias(), RowNames(scope))], reading)
    return Correlated(joined_in(relation), met, Ref(null_extended(held)))


def _grouped(
    tree: exp.Select, source: Relation, scope: Scope, ties: list[tuple[Expr, Expr]], reading: Reading
) -> Correlated:
    source, keys = compute(source, [inner for inner, _ in ties], reading)
    names = GroupNames(scope, source, [(inner, key) for (inner, _), key in zip(ties, keys, strict=True)], reading)
    shown = scalar(tree.expressions[0].unalias(), names)
    groups = joined_in(close(source, keys, names.measures, tree))
    held = {f.id: f for f in groups.fields}
    met = [call("=", [outer, Ref(held[key.id])], tree) for (_, outer), key in zip(ties, keys, strict=True)]
    extended: dict[Expr, Expr] = {Ref(m.field): _of_nothing(m.function, held[m.field.id], tree) for m in names.measures}
    return Correlated(groups, conjunction(tuple(met)), substituted(shown, extended))


def _of_nothing(function: str, field: Field, node: exp.Expr) -> Expr:
    """Read an aggregate where no row is met: a count is 0, everything else NULL."""
    value = Ref(null_extended(field))
    return call("coalesce", [value, _ZERO], node) if function.startswith("count") else value


def _tie(test: Expr, inner: Sequence[Field], tree: exp.Select) -> tuple[Expr, Expr]:
    sides = test.arguments if isinstance(test, Call) and test.name == "=" else ()
    for one, other in (sides, sides[::-1]) if len(sides) == 2 else ():
        if within(one, inner) and any(fields_of(one)) and not any(f in inner for f in fields_of(other)):
            return one, other
    why = "A subquery of one value is tied to the row around it by equalities alone."
    raise refusal(
        Code.SUBQUERY, why, "a join on the person key, or a window: LAG(x) OVER (...)", tree.args.get("where") or tree
    )
