"""Bind subqueries: decorrelation of scalar subqueries, and semi-joins for IN, NOT IN, EXISTS and NOT EXISTS.

A scalar subquery becomes a relation of at most one row that is joined to the outer rows; a correlated one becomes
groups joined to the outer row (`proofs.md#correlated-values`). The WHERE of a correlated subquery is split into
conditions on its own rows and the join predicate. IN and EXISTS between the top-level ANDs of a WHERE become
semi-joins (`proofs.md#semi-joins`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sqlglot import exp

from dialect.algebra.expressions import (
    TRUE,
    Call,
    Expr,
    Field,
    Literal,
    Ref,
    conjunction,
    conjuncts,
    fields_of,
    substituted,
)
from dialect.algebra.relations import PerPerson, Relation, Released
from dialect.analysis.uniqueness import at_most_one_row, meets_one_row
from dialect.binder.from_clause import Queries, from_clause
from dialect.binder.group_by import GroupNames, close
from dialect.binder.scalars import condition, scalar
from dialect.binder.scope import NestedNames, RowNames, Scope, anded, has_aggregate, has_window, reads_rows
from dialect.catalog.model import SqlType
from dialect.errors import Code, Refusal, suggested
from dialect.functions.inference import definition, null_extended, nullable
from dialect.parser.context import Reading, only, refusal
from dialect.parser.spans import in_place
from dialect.stability.calls import call
from dialect.stability.joins import join, semi_join
from dialect.stability.row_operators import compute, joined_in, keep


def reaches_out(tree: exp.Expr, scope: Scope) -> bool:
    """Return whether a query is correlated: it qualifies columns by tables of the outer query."""
    around = {alias for alias, _ in scope.tables}
    inside = {part.alias_or_name.lower() for part in tree.find_all(exp.Table, exp.Subquery)}
    return any(column.table.lower() in around - inside for column in tree.find_all(exp.Column))


def before_in(node: exp.Expr) -> list[exp.Expr]:
    """Nodes on the left side of IN."""
    return list(node.this.expressions) if isinstance(node.this, exp.Tuple) else [node.this]


def conditions(parts: Iterable[exp.Expr], names: NestedNames) -> list[Expr]:
    """Bind conditions of a subquery, split at their ANDs."""
    return [each for part in parts for each in conjuncts(condition(part, names))]


def own_rows(relation: Relation, typed: Sequence[Expr], node: exp.Expr) -> tuple[Relation, tuple[Expr, ...]]:
    """Filter by the conditions that read the subquery's own rows only; return the other conditions separately."""
    own = [each for each in typed if within(each, relation.fields)]
    if own:
        relation = keep(relation, own[0] if len(own) == 1 else call("and", own, node), node)
    return relation, tuple(each for each in typed if each not in own)


def within(expr: Expr, fields: Sequence[Field]) -> bool:
    """Return whether an expression reads only these fields."""
    return all(f in fields for f in fields_of(expr))


_ZERO = Literal(0, SqlType.BIGINT)
_EXISTS = "EXISTS (SELECT 1 FROM ... WHERE inner.x = outer.x)"


@dataclass(frozen=True)
class Correlated:
    """A decorrelated subquery: its relation, the join predicate with the outer row, and the value to read."""

    relation: Relation
    condition: Expr
    value: Expr  # over the relation's fields, nullable because of the LEFT JOIN


def correlated_value(tree: exp.Expr, around: Scope, reading: Reading, queries: Queries) -> Correlated:
    """Decorrelate a scalar subquery; raises Refusal with E_SUBQUERY where that is not supported.

    SELECT (SELECT MAX(t.x) FROM t WHERE t.k = o.k) FROM o
    ->  SELECT g.m FROM o LEFT JOIN (SELECT k, MAX(x) AS m FROM t GROUP BY k) AS g ON g.k = o.k
    """
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
    """Conditions of WHERE, split at top-level ANDs."""
    clause = tree.args.get("where")
    return list(anded(clause.this)) if clause is not None else []


def _tied(tree: exp.Select, source: Relation, typed: Sequence[Expr]) -> tuple[Relation, list[tuple[Expr, Expr]]]:
    """Filter a subquery by its own conditions; return the equalities that correlate it with the outer row."""
    source, pairs = own_rows(source, typed, tree)
    return source, [_tie(each, source.fields, tree) for each in pairs]


def met_value(node: exp.In | exp.Exists, around: Scope, reading: Reading, queries: Queries) -> Correlated:
    """Decorrelate IN or EXISTS as a boolean value: COUNT(*) > 0 of matching rows (`proofs.md#correlated-values`).

    Raises Refusal with E_SUBQUERY for EXISTS that is not correlated, and for IN where NULL could change the result.
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
        source, scope, inner, tied = _correlated_members(tree, around, reading, queries)
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


def _correlated_members(
    tree: exp.Expr, around: Scope, reading: Reading, queries: Queries
) -> tuple[Relation, Scope, list[Expr], list[tuple[Expr, Expr]]]:
    """Bind the correlated subquery of an IN: rows, scope, values, and equalities with the outer row."""
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
    """Return whether NULL has the effect of FALSE: only AND and OR lie between the test and a condition.

    The condition is a WHERE, a COUNT_IF, or the condition of a CASE or IF.
    """
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
    """Decorrelate a test as COUNT(*) > 0 of the rows that meet the equalities."""
    counted = exp.select(exp.Count(this=exp.Star(), big_int=True))
    tied = _grouped(counted, source, scope, ties, reading)
    return replace(tied, value=call(">", [tied.value, _ZERO], node))


def _looked_up(tree: exp.Select, source: Relation, scope: Scope, typed: list[Expr], reading: Reading) -> Correlated:
    """Decorrelate a lookup by primary key: at most one row of the subquery joins each outer row."""
    met = conjunction(tuple(typed))
    if not meets_one_row(source, met):
        why = "A subquery of one value is an aggregate, or looks a row up by its primary key."
        raise refusal(Code.SUBQUERY, why, "(SELECT MAX(x) FROM ... WHERE ... = ...)", tree)
    relation, (held,) = compute(source, [scalar(tree.expressions[0].unalias(), RowNames(scope))], reading)
    return Correlated(joined_in(relation), met, Ref(null_extended(held)))


def _grouped(
    tree: exp.Select, source: Relation, scope: Scope, ties: list[tuple[Expr, Expr]], reading: Reading
) -> Correlated:
    """Decorrelate an aggregate: group the subquery by its correlated expressions, and join the groups."""
    source, keys = compute(source, [inner for inner, _ in ties], reading)
    names = GroupNames(scope, source, [(inner, key) for (inner, _), key in zip(ties, keys, strict=True)], reading)
    shown = scalar(tree.expressions[0].unalias(), names)
    groups = joined_in(close(source, keys, names.measures, tree))
    held = {f.id: f for f in groups.fields}
    met = [call("=", [outer, Ref(held[key.id])], tree) for (_, outer), key in zip(ties, keys, strict=True)]
    extended: dict[Expr, Expr] = {Ref(m.field): _of_nothing(m.function, held[m.field.id], tree) for m in names.measures}
    return Correlated(groups, conjunction(tuple(met)), substituted(shown, extended))


def _of_nothing(function: str, field: Field, node: exp.Expr) -> Expr:
    """Value of an aggregate for an outer row without a matching group: 0 for counts, else NULL."""
    value = Ref(null_extended(field))
    return call("coalesce", [value, _ZERO], node) if function.startswith("count") else value


def _tie(test: Expr, inner: Sequence[Field], tree: exp.Select) -> tuple[Expr, Expr]:
    """Split a correlation equality into its inner and outer side; raises Refusal for other conditions."""
    sides = test.arguments if isinstance(test, Call) and test.name == "=" else ()
    for one, other in (sides, sides[::-1]) if len(sides) == 2 else ():
        if within(one, inner) and any(fields_of(one)) and not any(f in inner for f in fields_of(other)):
            return one, other
    why = "A subquery of one value is tied to the row around it by equalities alone."
    raise refusal(
        Code.SUBQUERY, why, "a join on the person key, or a window: LAG(x) OVER (...)", tree.args.get("where") or tree
    )


@dataclass(frozen=True)
class _Single:
    """A subquery to be joined to the outer rows, with the join predicate."""

    node: exp.Expr
    relation: Relation
    condition: Expr = TRUE


@dataclass
class ScalarSubqueries:
    """Subqueries inside the expressions of one clause, collected while these are bound, then joined."""

    reading: Reading
    queries: Queries
    around: Scope | None = None  # scope of the outer rows; None: correlation is not allowed
    found: list[_Single] = field(default_factory=list)
    read: dict[int, Expr] = field(default_factory=dict)  # id(node) -> bound value

    def value(self, node: exp.Expr) -> Expr:
        """Bind a scalar subquery, IN or EXISTS, each node once; raises Refusal with E_SUBQUERY."""
        if id(node) not in self.read:
            self.read[id(node)] = self._single(node) if isinstance(node, exp.Subquery) else self._test(node)
        return self.read[id(node)]

    def known(self, node: exp.Expr) -> bool:
        """Return whether all subqueries of an expression are bound already."""
        if reads_rows(node):
            return id(node) in self.read
        return all(map(self.known, node.iter_expressions()))

    def _test(self, node: exp.Expr) -> Expr:
        """Bind IN or EXISTS as a boolean value."""
        if self.around is None or not isinstance(node, exp.In | exp.Exists):
            why = "A test by a subquery stands in WHERE, in the select list or in a key, and not beside groups."
            raise refusal(Code.SUBQUERY, why, "FROM (SELECT *, x IN (SELECT ...) AS is_in FROM ...)", node)
        tied = met_value(node, self.around, self.reading, self.queries)
        self.found.append(_Single(node, tied.relation, tied.condition))
        return tied.value

    def _single(self, node: exp.Subquery) -> Expr:
        """Bind a scalar subquery; at most one row must be provable."""
        only(node, "this", code=Code.SUBQUERY)
        if self.around is not None and reaches_out(node.this, self.around):
            tied = correlated_value(node.this, self.around, self.reading, self.queries)
            self.found.append(_Single(node, tied.relation, tied.condition))
            return tied.value
        selected = self.queries.subquery(node.this, self.reading)
        if isinstance(selected.relation, PerPerson):
            why = "The value of this subquery would be one person's."
            raise refusal(Code.SUBQUERY, why, "an aggregate over all persons, or a join on the person key", node)
        if len(selected.columns) != 1 or not at_most_one_row(selected.relation):
            why = "A subquery inside an expression gives one column, and for certain no second row."
            raise refusal(Code.SUBQUERY, why, "(SELECT SUM(x) FROM ...), or a JOIN of what has many rows", node)
        self.found.append(_Single(node, joined_in(selected.relation)))
        return Ref(null_extended(selected.columns[0][1]))

    def joined(self, relation: Relation) -> Relation:
        """Left-join the collected subqueries to the rows whose expressions read them."""
        for each in self.found:
            if isinstance(relation, PerPerson) and isinstance(each.relation, Released):
                why = "People's rows can't be compared with a number that is released in the same statement."
                hint = "ask for the number first, and write it into the question"
                raise refusal(Code.SUBQUERY, why, hint, each.node)
            relation = join(relation, each.relation, "left", each.condition, each.node)
        return relation


_PLAIN = {"expressions", "from_", "joins", "where", "distinct"}  # clauses of a subquery that may be correlated


@dataclass(frozen=True)
class Outer:
    """The outer rows of a WHERE with subqueries, and their scope."""

    relation: Relation
    scope: Scope
    reading: Reading
    queries: Queries
    aliases: Mapping[str, Expr] = field(default_factory=dict)  # select items that WHERE refers to by alias


@dataclass(frozen=True)
class _Inner:
    """A bound subquery: its rows, its selected values, and the conditions that read the outer row."""

    relation: Relation
    selected: tuple[Expr, ...]
    conditions: tuple[Expr, ...] = ()


def as_test(node: exp.Expr) -> tuple[exp.Expr, bool] | None:
    """Unwrap a condition that is IN or EXISTS with a subquery, with its negation; None for other conditions."""
    negated = False
    while isinstance(node, exp.Paren | exp.Not):
        negated ^= isinstance(node, exp.Not)
        node = node.this
    asks = isinstance(node, exp.In) and node.args.get("query") is not None
    return (node, negated) if asks or (isinstance(node, exp.Exists) and isinstance(node.this, exp.Query)) else None


def chosen(relation: Relation, node: exp.Expr, negated: bool, outer: Outer) -> Relation:
    """Semi-join a relation with a subquery, or with `negated` anti-join; raises Refusal."""
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
    """Equalities of IN. For NOT IN a NULL on the left matches every row; a nullable list is refused."""
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
    """Suggest the query with NULLs removed from the list of NOT IN."""
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
    """Extend an equality of NOT IN: a NULL on the left matches every row of the list."""
    if not nullable(value):
        return equal
    if isinstance(value, Ref) and value.field.is_person:
        why = "This person key may be NULL, and NULL is neither in a list nor outside of it."
        raise refusal(Code.SUBQUERY, why, "NOT EXISTS (SELECT 1 FROM ... WHERE ... = ...)", node)
    return call("or", [equal, call("is null", [value], node)], node)


def _may_be_null(member: Expr, relation: Relation) -> bool:
    """Return whether a value of the list may be NULL: it is nullable and no predicate excludes it."""
    found = definition(member)
    refused = (
        isinstance(fact, Call) and fact.name == "not" and isinstance(test := fact.arguments[0], Call)
        and test.name == "is null" and test.arguments[0] in (member, found)
        for fact in relation.facts
    )  # fmt: skip
    return nullable(member) and not any(refused)


def _inner(query: exp.Expr, selecting: bool, outer: Outer) -> _Inner:
    """Bind the subquery of IN or EXISTS, correlated or not."""
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
    """Return whether a subquery can be correlated: a plain SELECT ... FROM ... WHERE, without aggregates or windows."""
    clauses = {clause for clause, value in tree.args.items() if value}
    stars = selecting and any(part.is_star for part in tree.expressions)
    return (
        clauses <= _PLAIN
        and not stars
        and not any(has_aggregate(part) or has_window(part) for part in tree.expressions)
    )


def _correlated(tree: exp.Select, selecting: bool, outer: Outer) -> _Inner:
    """Bind a subquery that may be correlated."""
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
    """Split the WHERE of a subquery into filters of its own rows, which are applied, and join conditions."""
    clause = tree.args.get("where")
    if clause is None:
        return relation, ()
    parts = list(anded(clause.this))
    plain = (part for part in parts if as_test(part) is None)
    relation, pairs = own_rows(relation, conditions(plain, names), clause)
    for test in filter(None, map(as_test, parts)):
        relation = chosen(relation, *test, Outer(relation, names.inner, outer.reading, outer.queries))
    return relation, pairs
