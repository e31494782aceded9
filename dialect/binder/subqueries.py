"""Bind subqueries: decorrelation of scalar subqueries, and semi-joins for IN, NOT IN, EXISTS and NOT EXISTS.

A scalar subquery becomes a relation of at most one row that is joined to the outer rows; a correlated one becomes
groups joined to the outer row (`proofs.md#correlated-values`). The WHERE of a correlated subquery is split into
conditions on its own rows and the join predicate. IN and EXISTS between the top-level ANDs of a WHERE become semi-joins
(`proofs.md#semi-joins`).

Terms:

    outer, inner      of the query around a subquery; of the subquery's own FROM
    correlated        a subquery that reads columns of the outer row
    correlation       its equalities (inner expression, outer expression), which become the join predicate
    own condition     condition of the subquery's WHERE that reads its own rows only
    resolver          what names mean in one clause
    pending           subqueries that are bound, and joined once the whole clause is
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

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
    substitute,
)
from dialect.algebra.properties import Properties
from dialect.algebra.relations import PerPerson, Relation, Released
from dialect.analysis.uniqueness import has_at_most_one_row, matches_at_most_one_row
from dialect.binder.from_clause import QueryBinder, bind_from
from dialect.binder.group_by import GroupResolver, build_groups
from dialect.binder.scalars import bind_condition, bind_scalar
from dialect.binder.scope import (
    CorrelatedResolver,
    RowResolver,
    Scope,
    has_aggregate,
    has_window,
    is_subquery_expression,
    split_conjuncts,
)
from dialect.catalog.model import SqlType
from dialect.diagnostics.field_values import Unnamed
from dialect.diagnostics.kinds import Kind
from dialect.errors import Code, Refusal, to_suggestions
from dialect.functions.aggregates import AGGREGATES
from dialect.functions.registry import definition_of, may_be_null, null_extended
from dialect.parser.compile_context import CompileContext, check_parts, refusal
from dialect.parser.spans import sql_text, with_node_replaced, with_tree_changed
from dialect.stability.joins import join, semi_join
from dialect.stability.row_operators import filter_rows, prepare_for_join, project
from dialect.stability.typed_calls import apply_function


def is_correlated(tree: exp.Expr, scope: Scope) -> bool:
    """Return whether a query is correlated: it qualifies columns by tables of the outer query.

    Decided from names alone, before anything is bound; unqualified columns are looked up in the subquery's tables
    first.
    """
    outer_tables = {alias for alias, _ in scope.tables}
    inner_tables = {part.alias_or_name.lower() for part in tree.find_all(exp.Table, exp.Subquery)}
    return any(column.table.lower() in outer_tables - inner_tables for column in tree.find_all(exp.Column))


def left_of_in(node: exp.Expr) -> list[exp.Expr]:
    """Nodes on the left side of IN."""
    return list(node.this.expressions) if isinstance(node.this, exp.Tuple) else [node.this]


def bind_conditions(parts: Iterable[exp.Expr], resolver: CorrelatedResolver) -> list[Expr]:
    """Bind conditions of a subquery, split at their ANDs."""
    return [each for part in parts for each in conjuncts(bind_condition(part, resolver))]


def apply_own_conditions(
    relation: Relation, typed: Sequence[Expr], known: Properties, node: exp.Expr
) -> tuple[Relation, tuple[Expr, ...]]:
    """Filter by the conditions that read the subquery's own rows only: (filtered relation, the other conditions)."""
    own_conditions = [each for each in typed if reads_only(each, relation.fields)]
    if own_conditions:
        test = own_conditions[0] if len(own_conditions) == 1 else apply_function("and", own_conditions, node)
        relation = filter_rows(relation, test, known, node)
    return relation, tuple(each for each in typed if each not in own_conditions)


def reads_only(expr: Expr, fields: Sequence[Field]) -> bool:
    """Return whether an expression reads only these fields."""
    return all(f in fields for f in fields_of(expr))


_ZERO = Literal(0, SqlType.BIGINT)


@dataclass(frozen=True)
class DecorrelatedSubquery:
    """A decorrelated subquery: its relation, the join predicate with the outer row, and the value to read."""

    relation: Relation
    condition: Expr
    value: Expr  # over the relation's fields, nullable because of the LEFT JOIN
    person: Field | None = None  # of the subquery's rows, before they are grouped


def decorrelate_scalar(
    tree: exp.Expr, outer_scope: Scope, context: CompileContext, queries: QueryBinder
) -> DecorrelatedSubquery:
    """Decorrelate a scalar subquery; raises Refusal with E_SUBQUERY where that is not supported.

    SELECT (SELECT MAX(t.x) FROM t WHERE t.k = o.k) FROM o
    ->  SELECT g.m FROM o LEFT JOIN (SELECT k, MAX(x) AS m FROM t GROUP BY k) AS g ON g.k = o.k
    """
    if not (isinstance(tree, exp.Select) and len(tree.expressions) == 1):
        raise refusal(Kind.CORRELATED_VALUES, tree)
    check_parts(tree, "expressions", "from_", "joins", "where", code=Code.SUBQUERY)
    source, scope = bind_from(tree, context, queries)
    typed = bind_conditions(_where_conditions(tree), CorrelatedResolver(scope, outer_scope))
    if not has_aggregate(tree.expressions[0]):
        return _decorrelate_lookup(tree, source, scope, typed, context)
    source, equalities = _split_correlation(tree, source, typed, context.properties)
    return _decorrelate_aggregate(tree, source, scope, equalities, context)


def _where_conditions(tree: exp.Select) -> list[exp.Expr]:
    """Conditions of WHERE, split at top-level ANDs."""
    clause = tree.args.get("where")
    return list(split_conjuncts(clause.this)) if clause is not None else []


def _split_correlation(
    tree: exp.Select, source: Relation, typed: Sequence[Expr], known: Properties
) -> tuple[Relation, list[tuple[Expr, Expr]]]:
    """Filter a subquery by its own conditions: (filtered rows, equalities that correlate it with the outer row).

    Each equality is (inner expression, outer expression).
    """
    source, pairs = apply_own_conditions(source, typed, known, tree)
    return source, [_correlation_sides(each, source.fields, tree) for each in pairs]


def decorrelate_predicate(
    node: exp.In | exp.Exists, outer_scope: Scope, context: CompileContext, queries: QueryBinder
) -> DecorrelatedSubquery:
    """Decorrelate IN or EXISTS as a boolean value: COUNT(*) > 0 of matching rows (`proofs.md#correlated-values`).

    IN adds equalities of its values with those of the subquery. COUNT > 0 is never NULL, IN is if a value is: so
    nullable values are accepted only where NULL acts as FALSE. Raises Refusal with E_SUBQUERY otherwise, and for EXISTS
    that is not correlated.
    """
    if isinstance(node, exp.Exists):
        tree = node.this.this if isinstance(node.this, exp.Subquery) else node.this
        if not (isinstance(tree, exp.Select) and is_correlated(tree, outer_scope)):
            raise refusal(Kind.UNCORRELATED_EXISTS, node)
        check_parts(tree, "expressions", "from_", "joins", "where", code=Code.SUBQUERY)
        source, scope = bind_from(tree, context, queries)
        typed = bind_conditions(_where_conditions(tree), CorrelatedResolver(scope, outer_scope))
        source, equalities = _split_correlation(tree, source, typed, context.properties)
        return _decorrelate_as_count(node, source, scope, equalities, context)
    check_parts(node, "this", "query", code=Code.SUBQUERY)
    outer = [bind_scalar(part, RowResolver(outer_scope)) for part in left_of_in(node)]
    tree = node.args["query"].this
    if is_correlated(tree, outer_scope):
        source, scope, inner, correlation = _bind_correlated_in(tree, outer_scope, context, queries)
    else:
        bound = queries.bind_subquery(tree, context)
        source, scope, correlation = bound.relation, Scope((("", bound.columns),)), []
        inner = [Ref(f) for _, f in bound.columns]
    if len(outer) != len(inner) or (any(map(may_be_null, (*outer, *inner))) and not _null_acts_as_false(node)):
        raise refusal(Kind.SHOWN_IN_WITH_NULLS, node)
    return _decorrelate_as_count(node, source, scope, [*zip(inner, outer, strict=True), *correlation], context)


def _bind_correlated_in(
    tree: exp.Expr, outer_scope: Scope, context: CompileContext, queries: QueryBinder
) -> tuple[Relation, Scope, list[Expr], list[tuple[Expr, Expr]]]:
    """Bind the correlated subquery of an IN: (rows, scope, values, equalities with the outer row).

    Its values must be of its own rows: the groups are formed by them. DISTINCT has no effect on IN, and is ignored.
    """
    if not isinstance(tree, exp.Select):
        raise refusal(Kind.CORRELATED_QUERY_FORM, tree)
    check_parts(tree, "expressions", "from_", "joins", "where", "distinct", code=Code.SUBQUERY)
    if tree.args.get("distinct"):
        check_parts(tree.args["distinct"], code=Code.ROWS)
    source, scope = bind_from(tree, context, queries)
    resolver = CorrelatedResolver(scope, outer_scope)
    inner = [bind_scalar(part.unalias(), resolver) for part in tree.expressions]
    if not all(any(fields_of(each)) and reads_only(each, source.fields) for each in inner):
        raise refusal(Kind.CORRELATED_IN_LIST, tree)
    typed = bind_conditions(_where_conditions(tree), resolver)
    source, equalities = _split_correlation(tree, source, typed, context.properties)
    return source, scope, inner, equalities


def _null_acts_as_false(node: exp.Expr) -> bool:
    """Return whether NULL has the effect of FALSE: only AND and OR lie between the test and a condition.

    The condition is a WHERE, a COUNT_IF, or the condition of a CASE or IF.
    """
    ancestor = node.parent
    while isinstance(ancestor, exp.And | exp.Or | exp.Paren):
        node, ancestor = ancestor, ancestor.parent
    if isinstance(ancestor, exp.If):
        # CASE x WHEN compares its conditions with x, so NULL is no condition there
        is_searched_case = not isinstance(ancestor.parent, exp.Case) or ancestor.parent.args.get("this") is None
        return is_searched_case and ancestor.this is node
    return isinstance(ancestor, exp.Where | exp.CountIf)


def _decorrelate_as_count(
    node: exp.Expr, source: Relation, scope: Scope, equalities: list[tuple[Expr, Expr]], context: CompileContext
) -> DecorrelatedSubquery:
    """Decorrelate a test as COUNT(*) > 0 of the rows that meet the equalities: (inner, outer) expressions."""
    count_query = exp.select(exp.Count(this=exp.Star(), big_int=True))
    decorrelated = _decorrelate_aggregate(count_query, source, scope, equalities, context)
    return replace(decorrelated, value=apply_function(">", [decorrelated.value, _ZERO], node))


def _decorrelate_lookup(
    tree: exp.Select, source: Relation, scope: Scope, typed: list[Expr], context: CompileContext
) -> DecorrelatedSubquery:
    """Decorrelate a lookup by primary key: at most one row of the subquery joins each outer row.

    (SELECT z.name FROM zone AS z WHERE z.id = o.zone_id)
    """
    predicate = conjunction(tuple(typed))
    if not matches_at_most_one_row(source, predicate):
        raise refusal(Kind.CORRELATED_VALUE_FORM, tree)
    relation, (value_field,) = project(
        source, [bind_scalar(tree.expressions[0].unalias(), RowResolver(scope))], context
    )
    return DecorrelatedSubquery(prepare_for_join(relation), predicate, Ref(null_extended(value_field)))


def _decorrelate_aggregate(
    tree: exp.Select, source: Relation, scope: Scope, equalities: list[tuple[Expr, Expr]], context: CompileContext
) -> DecorrelatedSubquery:
    """Decorrelate an aggregate: group the subquery by its correlated expressions, and join the groups.

    An outer row without a group gets NULL from the LEFT JOIN, where the subquery would have given 0 for a count; each
    measure is replaced by its value in that case.
    """
    source, keys = project(source, [inner for inner, _ in equalities], context)
    resolver = GroupResolver(
        scope, source, [(inner, key) for (inner, _), key in zip(equalities, keys, strict=True)], context
    )
    shown = bind_scalar(tree.expressions[0].unalias(), resolver)
    groups = prepare_for_join(build_groups(source, keys, resolver.measures, tree))
    fields_by_id = {f.id: f for f in groups.fields}
    join_equalities = [
        apply_function("=", [outer, Ref(fields_by_id[key.id])], tree)
        for (_, outer), key in zip(equalities, keys, strict=True)
    ]
    nullable_measures: dict[Expr, Expr] = {
        Ref(m.result): _value_without_match(m.function, fields_by_id[m.result.id], tree) for m in resolver.measures
    }
    person = source.person if isinstance(source, PerPerson) else None
    value = substitute(shown, nullable_measures)
    return DecorrelatedSubquery(groups, conjunction(tuple(join_equalities)), value, person)


def _value_without_match(function: str, field: Field, node: exp.Expr) -> Expr:
    """Value of an aggregate for an outer row without a matching group: 0 for counts, else NULL."""
    value = Ref(null_extended(field))
    return apply_function("coalesce", [value, _ZERO], node) if AGGREGATES[function].is_count else value


def _correlation_sides(test: Expr, inner: Sequence[Field], tree: exp.Select) -> tuple[Expr, Expr]:
    """Split a correlation equality into (inner side, outer side); raises Refusal for other conditions.

    Groups can be joined by equalities only.
    """
    sides = test.arguments if isinstance(test, Call) and test.name == "=" else ()
    for one, other in (sides, sides[::-1]) if len(sides) == 2 else ():  # the equality in either order
        if reads_only(one, inner) and any(fields_of(one)) and not any(f in inner for f in fields_of(other)):
            return one, other
    raise refusal(Kind.CORRELATED_BY_INEQUALITY, tree.args.get("where") or tree)


@dataclass(frozen=True)
class _PendingSubquery:
    """A subquery to be joined to the outer rows, with the join predicate."""

    node: exp.Expr
    relation: Relation
    condition: Expr = TRUE
    person: Field | None = None  # of the rows that IN or EXISTS tests


@dataclass
class ScalarSubqueries:
    """Subqueries inside the expressions of one clause, collected while these are bound, then joined.

    Call `bind` for each node, then `join_to` once. Nodes are identified by `id`, not by text: equal texts may occur in
    different scopes.
    """

    context: CompileContext
    queries: QueryBinder
    outer_scope: Scope | None = None  # scope of the outer rows; None: correlation is not allowed
    pending: list[_PendingSubquery] = field(default_factory=list)
    bound_values: dict[int, Expr] = field(default_factory=dict)  # id(node) -> bound value

    def bind(self, node: exp.Expr) -> Expr:
        """Bind a scalar subquery, IN or EXISTS, each node once; raises Refusal with E_SUBQUERY."""
        if id(node) not in self.bound_values:
            self.bound_values[id(node)] = (
                self._bind_scalar_subquery(node) if isinstance(node, exp.Subquery) else self._bind_predicate(node)
            )
        return self.bound_values[id(node)]

    def is_bound(self, node: exp.Expr) -> bool:
        """Return whether all subqueries of an expression are bound already."""
        if is_subquery_expression(node):
            return id(node) in self.bound_values
        return all(map(self.is_bound, node.iter_expressions()))

    def _bind_predicate(self, node: exp.Expr) -> Expr:
        """Bind IN or EXISTS as a boolean value; refused over groups, which have no outer scope."""
        if self.outer_scope is None or not isinstance(node, exp.In | exp.Exists):
            raise refusal(Kind.SUBQUERY_TEST_WITH_GROUPS, node)
        decorrelated = decorrelate_predicate(node, self.outer_scope, self.context, self.queries)
        self.pending.append(_PendingSubquery(node, decorrelated.relation, decorrelated.condition, decorrelated.person))
        return decorrelated.value

    def _bind_scalar_subquery(self, node: exp.Subquery) -> Expr:
        """Bind a scalar subquery; raises Refusal unless it has provably at most one row, of no single person."""
        check_parts(node, "this", code=Code.SUBQUERY)
        if self.outer_scope is not None and is_correlated(node.this, self.outer_scope):
            decorrelated = decorrelate_scalar(node.this, self.outer_scope, self.context, self.queries)
            self.pending.append(_PendingSubquery(node, decorrelated.relation, decorrelated.condition))
            return decorrelated.value
        bound = self.queries.bind_subquery(node.this, self.context)
        if isinstance(bound.relation, PerPerson):
            raise refusal(Kind.VALUE_OF_ONE_PERSON, node)
        if len(bound.columns) != 1 or not has_at_most_one_row(bound.relation, self.context.properties):
            raise refusal(Kind.SUBQUERY_NOT_SCALAR, node)
        self.pending.append(_PendingSubquery(node, prepare_for_join(bound.relation)))
        return Ref(null_extended(bound.columns[0][1]))

    def join_to(self, relation: Relation) -> Relation:
        """Left-join the collected subqueries to the rows whose expressions read them.

        Released numbers can't be joined to private rows: they do not exist before the statement has run.
        """
        for each in self.pending:
            if isinstance(relation, PerPerson) and isinstance(each.relation, Released):
                if each.person is not None:  # its rows were grouped without their person
                    raise _refusal_of_other_persons(each.node, relation.person, each.person)
                raise refusal(Kind.RELEASED_NUMBER_IN_CONDITION, each.node)
            relation = join(relation, each.relation, "left", each.condition, each.node)
        return relation


def _refusal_of_other_persons(node: exp.Expr, outer: Field, inner: Field) -> Refusal:
    """Build the refusal of IN or EXISTS that tests rows of any person; suggests the same for the person's own rows."""
    person = outer.name or Unnamed.PERSON
    refused = refusal(Kind.ROWS_BY_OTHER_PERSONS, node, person=person, inner=inner.name or person)
    if outer.name is None or inner.name is None:
        return refused
    change = partial(_compare_persons, outer=outer.name, inner=inner.name)
    return replace(refused, rewrites=to_suggestions(with_tree_changed(node, change), "rows of the same person alone"))


def _compare_persons(node: exp.Expr, outer: str, inner: str) -> None:
    """Add the person to the columns that IN compares, or to the condition of EXISTS, where the tables have names."""
    if isinstance(node, exp.In):
        tree = node.args["query"].this
        node.set("this", exp.Tuple(expressions=[exp.column(outer), *left_of_in(node)]))
        tree.set("expressions", [exp.column(inner), *tree.expressions])
        return
    tree = node.this.this if isinstance(node.this, exp.Subquery) else node.this
    own = tree.args["from_"].this.alias_or_name
    tables = [column.table for column in tree.args["where"].find_all(exp.Column) if column.table not in ("", own)]
    if tables:
        tree.where(exp.column(inner, own).eq(exp.column(outer, tables[0])), copy=False)


# clauses of a subquery that may be correlated
_CORRELATABLE_CLAUSES = {"expressions", "from_", "joins", "where", "distinct"}


@dataclass(frozen=True)
class OuterRows:
    """The outer rows of a WHERE with subqueries, and their scope."""

    relation: Relation
    scope: Scope
    context: CompileContext
    queries: QueryBinder
    aliases: Mapping[str, Expr] = field(default_factory=dict)  # select items that WHERE refers to by alias


@dataclass(frozen=True)
class _BoundSubquery:
    """A bound subquery: its rows, its selected values, and the conditions that read the outer row."""

    relation: Relation
    selected: tuple[Expr, ...]
    conditions: tuple[Expr, ...] = ()


def as_subquery_predicate(node: exp.Expr) -> tuple[exp.Expr, bool] | None:
    """Unwrap a condition that is IN or EXISTS with a subquery: (the node, is it negated); None for other conditions."""
    negated = False
    while isinstance(node, exp.Paren | exp.Not):
        negated ^= isinstance(node, exp.Not)
        node = node.this
    is_in_subquery = isinstance(node, exp.In) and node.args.get("query") is not None
    if is_in_subquery or (isinstance(node, exp.Exists) and isinstance(node.this, exp.Query)):
        return (node, negated)
    return None


def apply_semi_join(relation: Relation, node: exp.Expr, negated: bool, outer: OuterRows) -> Relation:
    """Semi-join a relation with a subquery, or with `negated` anti-join; raises Refusal."""
    if isinstance(node, exp.Exists):
        check_parts(node, "this", code=Code.SUBQUERY)
        inner = _bind_subquery(node.this, False, outer)
        join_conditions = list(inner.conditions)
    else:
        check_parts(node, "this", "query", code=Code.SUBQUERY)
        inner = _bind_subquery(node.args["query"], True, outer)
        join_conditions = [*_in_equalities(node, inner, negated, outer), *inner.conditions]
    return semi_join(relation, inner.relation, conjunction(tuple(join_conditions)), negated, node)


def _in_equalities(node: exp.Expr, inner: _BoundSubquery, negated: bool, outer: OuterRows) -> list[Expr]:
    """Equalities of IN. For NOT IN a NULL on the left matches every row; a nullable list is refused.

    NOT IN is an anti join, which keeps a left row if nothing matches. With NULL on the left, NOT IN is true for an
    empty list only; a NULL that matches every row has the same effect.
    """
    resolver = RowResolver(outer.scope, dict(outer.aliases))
    values = [bind_scalar(part, resolver) for part in left_of_in(node)]
    if len(values) != len(inner.selected):
        raise refusal(Kind.IN_COLUMN_COUNT, node, inside=len(inner.selected), outside=len(values))
    pairs = list(zip(values, inner.selected, strict=True))
    try:
        equal = [apply_function("=", [value, member], node) for value, member in pairs]
    except Refusal as refused:
        if refused.code is not Code.FUNC:
            raise
        raise refusal(Kind.IN_OF_OTHER_TYPES, node, comparison=refused) from None
    if not negated:
        return equal
    if any(_may_be_null(member, inner.relation) for member in inner.selected):
        null_list_refusal = refusal(Kind.NOT_IN_WITH_NULLS, node)
        raise replace(
            null_list_refusal,
            rewrites=to_suggestions(
                _without_nulls(node), "a NULL in the list is left out: with one, NOT IN is never true"
            ),
        )
    return [_or_null(value, part, node) for value, part in zip(values, equal, strict=True)]


def _without_nulls(node: exp.Expr) -> tuple[str, ...]:
    """Suggest the query with NULLs removed from the list of NOT IN.

    None for subqueries with joins or several columns. The text is inserted behind WHERE's condition, or behind FROM.
    """
    query = node.args["query"].this
    if not isinstance(query, exp.Select) or len(query.expressions) != 1 or query.args.get("joins"):
        return ()
    if query.args.get("from_") is None:
        return ()
    test = f"{sql_text(query.expressions[0].unalias())} IS NOT NULL"
    where = query.args.get("where")
    last_node = query.args["from_"].this if where is None else where.this
    rewritten = with_node_replaced(
        last_node, f"{sql_text(last_node)} WHERE {test}" if where is None else f"({sql_text(last_node)}) AND {test}"
    )
    return () if rewritten is None else (rewritten,)


def _or_null(value: Expr, equal: Expr, node: exp.Expr) -> Expr:
    """Extend an equality of NOT IN: a NULL on the left matches every row of the list.

    Not for a person key, which must not appear in an OR; one that may be NULL is refused.
    """
    if not may_be_null(value):
        return equal
    if isinstance(value, Ref) and value.field.is_person_key:
        raise refusal(Kind.PERSON_KEY_MAY_BE_NULL, node)
    return apply_function("or", [equal, apply_function("is null", [value], node)], node)


def _may_be_null(member: Expr, relation: Relation) -> bool:
    """Return whether a value of the list may be NULL: it is nullable and no predicate excludes it."""
    member_definition = definition_of(member)
    # NOT (member IS NULL) among the predicates
    excluded = (
        isinstance(predicate, Call) and predicate.name == "not" and isinstance(test := predicate.arguments[0], Call)
        and test.name == "is null" and test.arguments[0] in (member, member_definition)
        for predicate in relation.predicates
    )  # fmt: skip
    return may_be_null(member) and not any(excluded)


def _bind_subquery(query: exp.Expr, selects_values: bool, outer: OuterRows) -> _BoundSubquery:
    """Bind the subquery of IN or EXISTS; `selects_values` for IN, which reads the selected columns."""
    tree = query.this if isinstance(query, exp.Subquery) else query
    if isinstance(tree, exp.Select) and _may_be_correlated(tree, selects_values):
        return _bind_correlated(tree, selects_values, outer)
    if is_correlated(tree, outer.scope):
        raise refusal(Kind.CORRELATED_PERSON_QUERY, query)
    bound = outer.queries.bind_subquery(tree, outer.context)
    return _BoundSubquery(bound.relation, tuple(Ref(f) for _, f in bound.columns))


def _may_be_correlated(tree: exp.Select, selects_values: bool) -> bool:
    """Return whether a subquery can be correlated: a plain SELECT ... FROM ... WHERE, without aggregates or windows.

    * is allowed in EXISTS, whose columns nobody reads.
    """
    clauses = {clause for clause, value in tree.args.items() if value}
    has_star = selects_values and any(part.is_star for part in tree.expressions)
    return (
        clauses <= _CORRELATABLE_CLAUSES
        and not has_star
        and not any(has_aggregate(part) or has_window(part) for part in tree.expressions)
    )


def _bind_correlated(tree: exp.Select, selects_values: bool, outer: OuterRows) -> _BoundSubquery:
    """Bind a subquery that may be correlated; the values of EXISTS are bound for their mistakes only."""
    if tree.args.get("distinct"):
        check_parts(tree.args["distinct"], code=Code.ROWS)
    relation, scope = bind_from(tree, outer.context, outer.queries)
    resolver = CorrelatedResolver(scope, outer.scope)
    shown = [part.unalias() for part in tree.expressions if not part.is_star]
    selected_values = tuple(bind_scalar(part, resolver) for part in shown)
    relation, conditions = _split_conditions(tree, relation, resolver, outer)
    return _BoundSubquery(relation, selected_values if selects_values else (), conditions)


def _split_conditions(
    tree: exp.Select, relation: Relation, resolver: CorrelatedResolver, outer: OuterRows
) -> tuple[Relation, tuple[Expr, ...]]:
    """Split the WHERE of a subquery into filters of its own rows, which are applied, and join conditions.

    IN and EXISTS inside it are applied as semi-joins of its own rows, so they can't read the outermost row.
    """
    clause = tree.args.get("where")
    if clause is None:
        return relation, ()
    parts = list(split_conjuncts(clause.this))
    row_conditions = (part for part in parts if as_subquery_predicate(part) is None)
    conditions = bind_conditions(row_conditions, resolver)
    relation, join_conditions = apply_own_conditions(relation, conditions, outer.context.properties, clause)
    for test in filter(None, map(as_subquery_predicate, parts)):
        relation = apply_semi_join(relation, *test, OuterRows(relation, resolver.inner, outer.context, outer.queries))
    return relation, join_conditions
