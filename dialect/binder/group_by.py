"""Bind GROUP BY and aggregates: groups of one person's rows, a release point, or groups of public or released rows.

GROUPING SETS, ROLLUP and CUBE are a union of one GROUP BY for each set (`proofs.md#grouping-sets`).

Terms:

    release point    GROUP BY over private rows without the person key: groups have rows of many persons
    measure          AggregateCall: an aggregate of the GROUP BY, with the field of its result
    grouping set     keys of one GROUP BY of the union, as positions among all distinct keys
    definition       expression over stored columns whose value a computed field has
    predicates       conditions that hold in every row of a relation (local name: facts)
    alternatives     expressions that a column of a union is in the rows of each input
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations, product

from sqlglot import exp

from dialect.algebra import relations as rel
from dialect.algebra.expressions import Alternative, Expr, Field, Literal, Ref, fields_of, substitute
from dialect.binder.aggregates import bind_measure
from dialect.binder.scalars import bind_scalar
from dialect.binder.scope import (
    RowResolver,
    Scope,
    SubqueryBinder,
    WindowBinder,
    aggregate_name,
    column_and_table,
    has_aggregate,
    has_window,
    interval_end_column,
    is_subquery_expression,
    refuse_non_row_nodes,
)
from dialect.catalog.model import Bounds, SqlType
from dialect.diagnostics.kinds import Kind
from dialect.errors import Code, Refusal, Suggestion, to_suggestions
from dialect.functions.aggregates import AGGREGATES
from dialect.functions.registry import definition_of, is_constant_per_person
from dialect.parser.compile_context import CompileContext, check_parts, refusal
from dialect.parser.spans import span_of, sql_text, with_node_replaced
from dialect.parser.suggestions.aggregates import with_group_by
from dialect.parser.suggestions.window_functions import qualify_in_subquery
from dialect.stability.outer_joins import check_preserved_keys
from dialect.stability.row_operators import person_key_among, project, refuse_persons, refuse_polygons, strip_fields
from dialect.stability.set_operations import type_set_operation
from dialect.stability.typed_calls import apply_function

MAX_SETS = 32  # per GROUP BY: each may be a release of its own

SelectItem = tuple[str, exp.Expr | Field]  # name; syntax node, or a field that * expands to


@dataclass(frozen=True)
class GroupKeys:
    """Distinct keys of a GROUP BY, and its grouping sets as positions of these keys."""

    key_exprs: tuple[Expr, ...]  # key expressions over rows
    sets: tuple[tuple[int, ...], ...]


def bind_group_by(nodes: Sequence[exp.Expr], items: Sequence[SelectItem], resolver: RowResolver) -> GroupKeys:
    """Bind the terms of a GROUP BY: keys, lists of keys, GROUPING SETS, ROLLUP, CUBE, and their cross product.

    GROUP BY a, ROLLUP (b)  ->  sets (a, b) and (a)
    """
    crossed = _cross_product([_grouping_sets(node, items, resolver) for node in nodes], nodes)
    return index_keys(crossed)


def index_keys(sets: Sequence[Sequence[Expr]]) -> GroupKeys:
    """Assign positions to the distinct keys of grouping sets, in order of first occurrence."""
    key_exprs = tuple(dict.fromkeys(key for keys in sets for key in keys))
    positions = {key: position for position, key in enumerate(key_exprs)}
    return GroupKeys(key_exprs, tuple(tuple(dict.fromkeys(positions[key] for key in keys)) for keys in sets))


def _cross_product(terms: Sequence[list[tuple[Expr, ...]]], nodes: Sequence[exp.Expr]) -> list[tuple[Expr, ...]]:
    """Cross product of the grouping sets of all terms; raises Refusal before it would have more than MAX_SETS."""
    set_count = 1
    for sets, node in zip(terms, nodes, strict=True):
        set_count *= len(sets)
        if set_count > MAX_SETS:
            raise _too_many_refusal(node)
    return [tuple(key for keys in combined for key in keys) for combined in product(*terms)]


def _grouping_sets(node: exp.Expr, items: Sequence[SelectItem], resolver: RowResolver) -> list[tuple[Expr, ...]]:
    """Return the grouping sets of one term of a GROUP BY, each as its bound keys; a plain key is one set."""
    if isinstance(node, exp.GroupingSets):
        check_parts(node, "expressions")
        return [keys for part in node.expressions for keys in _grouping_sets(part, items, resolver)]
    if isinstance(node, exp.Rollup | exp.Cube):
        check_parts(node, "expressions")
        parts = [_bind_key_list(part, items, resolver) for part in node.expressions]
        if len(parts) > MAX_SETS or (isinstance(node, exp.Cube) and 2 ** len(parts) > MAX_SETS):
            raise _too_many_refusal(node)
        return [
            tuple(key for part in chosen for key in part)
            for chosen in _rollup_subsets(parts, isinstance(node, exp.Cube))
        ]
    return [_bind_key_list(node, items, resolver)]


def _rollup_subsets(parts: Sequence[tuple[Expr, ...]], is_cube: bool) -> list[tuple[tuple[Expr, ...], ...]]:
    """Subsets of a ROLLUP's or CUBE's parts, the finest first: (a, b), (a), () of ROLLUP (a, b).

    A part is a tuple of keys, as in ROLLUP ((a, b), c).
    """
    sizes = range(len(parts), -1, -1)
    if not is_cube:
        return [tuple(parts[:size]) for size in sizes]
    return [chosen for size in sizes for chosen in combinations(parts, size)]


def _bind_key_list(node: exp.Expr, items: Sequence[SelectItem], resolver: RowResolver) -> tuple[Expr, ...]:
    """Bind one key, or a list of keys in parentheses."""
    if isinstance(node, exp.Tuple):
        return tuple(_bind_key(part, items, resolver) for part in node.expressions)
    return (_bind_key(node, items, resolver),)


def _too_many_refusal(node: exp.Expr) -> Refusal:
    """Build the refusal of too many grouping sets."""
    return refusal(Kind.TOO_MANY_GROUPING_SETS, node, limit=MAX_SETS)


def _bind_key(key_node: exp.Expr, items: Sequence[SelectItem], resolver: RowResolver) -> Expr:
    """Bind one key: a position, the name of a column or else of a select item, or an expression.

    A select item that * has expanded is a field already. Raises Refusal for aggregates and nested lists of keys.
    """
    node = key_node.unnest()
    if isinstance(node, exp.Cube | exp.Rollup | exp.GroupingSets | exp.Tuple):
        raise refusal(Kind.NESTED_KEY_LIST, node)
    found: exp.Expr | Field = node
    if isinstance(node, exp.Literal) and not node.is_string:
        if not node.this.isdigit() or not 1 <= int(node.this) <= len(items):
            raise refusal(Kind.NO_SUCH_POSITION, node, number=node.this[:20])
        found = items[int(node.this) - 1][1]
    elif isinstance(node, exp.Column) and not node.table:
        name = node.name.lower()
        # a column of the tables takes precedence over a select item of its name
        if name not in {n for n, _ in resolver.scope.columns()}:
            found = next((item for alias, item in items if alias == name), node)
    if isinstance(found, Field):
        return Ref(found)
    if has_aggregate(found):
        raise refusal(Kind.AGGREGATE_AS_KEY, node)
    return bind_scalar(found, resolver)


@dataclass
class GroupResolver:
    """Name resolution above a GROUP BY: its keys and its aggregates, which are collected while binding.

    `key_subqueries` are joined to rows, before grouping; `subqueries` to the groups. An expression that equals a key is
    the key; a column that is in no key and no aggregate is refused.
    """

    scope: Scope
    source: rel.Relation
    keys: Sequence[tuple[Expr, Field]]  # (key expression over rows, its field)
    context: CompileContext
    aliases: dict[str, Expr] = field(default_factory=dict)  # name of a select item -> its expression over groups
    measures: list[rel.AggregateCall] = field(default_factory=list)
    subqueries: SubqueryBinder | None = None  # None: subqueries are not allowed
    key_subqueries: SubqueryBinder | None = None  # subqueries in the keys
    windows: WindowBinder | None = None  # None: window functions are not allowed
    # makes the field of a GROUPING call; None: a single grouping set
    make_grouping_field: Callable[[Sequence[int]], Field] | None = None
    grouping_fields: dict[tuple[int, ...], Field] = field(default_factory=dict)  # positions of its keys -> field

    def resolve_column(self, node: exp.Column) -> Expr:
        """Resolve a select alias; any other column that is not a key is refused, with finer groups as suggestions.

        Columns that are keys never come here: `bind_special` has resolved them.
        """
        if self._is_alias(node):
            return self.aliases[node.name.lower()]
        name, table = column_and_table(node)
        self.scope.resolve(name, table, node)
        if node.find_ancestor(exp.Window) is not None:
            raise _row_window_refusal(node)
        keys, rewrites = _with_items_as_keys(node)
        average = Suggestion(f"AVG({node.name})", f"the mean of {node.name} in each group")
        refused = refusal(Kind.NOT_GROUPED, node, average, name=node.name, keys=keys or node.name)
        finer = to_suggestions((*rewrites, *_with_column_as_key(node), *with_group_by(node)), _FINER_DIFFERENCE)
        raise replace(refused, rewrites=(*finer, *refused.rewrites))

    def bind_special(self, node: exp.Expr) -> Expr | None:
        """Bind an aggregate, a window over the groups, or an expression that is a group key; None for others.

        For None the caller binds the node's parts one by one. Only expressions over columns of rows can be keys, so not
        those with aggregates, windows, aliases or subqueries that the keys do not have.
        """
        if isinstance(node, exp.Window) and self.windows is not None:
            return self.windows.bind(node)
        if isinstance(node, exp.Grouping | exp.GroupingId):
            return self._bind_grouping(node)
        if aggregate_name(node) is not None:
            return self._bind_aggregate(node)
        if (shown := interval_end_column(node)) in self.aliases:  # select items take precedence over columns
            return apply_function(str(node.this).lower(), [self.aliases[shown]], node)
        if is_subquery_expression(node) and (self.subqueries is not None or self._subqueries_are_bound(node)):
            return self._bind_subquery(node)
        refuse_non_row_nodes(node)
        columns = [part for part in node.walk() if isinstance(part, exp.Column)]
        if not columns or has_aggregate(node) or has_window(node) or not self._subqueries_are_bound(node):
            return None
        if any(self._is_alias(column) for column in columns):
            return None
        key = self._key_field(bind_scalar(node, RowResolver(self.scope, subqueries=self.key_subqueries)))
        return None if key is None else Ref(key)

    def _bind_subquery(self, node: exp.Expr) -> Expr:
        """Bind a scalar subquery: as the group key that it is, else over the groups."""
        key = (
            self._key_field(self.key_subqueries.bind(node))
            if self.key_subqueries is not None and self._subqueries_are_bound(node)
            else None
        )
        if key is not None:
            return Ref(key)
        if self.subqueries is None:
            refuse_non_row_nodes(node)
        assert self.subqueries is not None  # noqa: S101  refused above
        return self.subqueries.bind(node)

    def _subqueries_are_bound(self, node: exp.Expr) -> bool:
        """Return whether an expression has no subqueries, or only such as the keys have bound already."""
        return node.find(exp.Query) is None or (self.key_subqueries is not None and self.key_subqueries.is_bound(node))

    def _is_alias(self, node: exp.Column) -> bool:
        """Return whether a column is a select alias, and no column of the tables."""
        name, table = column_and_table(node)
        return table is None and name in self.aliases and name not in {n for n, _ in self.scope.columns()}

    def _key_field(self, expr: Expr) -> Field | None:
        """Field of the group key that an expression equals, by itself or by definition."""
        wanted_definition = definition_of(expr)
        for key, key_field in self.keys:
            if key == expr or (wanted_definition is not None and definition_of(key) == wanted_definition):
                return key_field
        return None

    def _bind_grouping(self, node: exp.Grouping | exp.GroupingId) -> Expr:
        """Bind GROUPING(...) of some keys, or of all; a constant 0 for a single grouping set.

        Equal calls share one field, by the positions of their keys.
        """
        check_parts(node, "expressions", code=Code.AGG)
        key_fields = [f for _, f in self.keys]
        bound_keys = [self.bind_special(part) for part in node.expressions]
        found = tuple(
            key_fields.index(key.field) for key in bound_keys if isinstance(key, Ref) and key.field in key_fields
        )
        # an argument is no key, or there is none to ask about
        if len(found) < len(bound_keys) or not key_fields:
            raise refusal(Kind.GROUPING_OF_OTHER_KEYS, node)
        positions = found or tuple(range(len(key_fields)))
        if self.make_grouping_field is None:
            return Literal(0, SqlType.BIGINT)
        if positions not in self.grouping_fields:
            self.grouping_fields[positions] = self.make_grouping_field(positions)
        return Ref(self.grouping_fields[positions])

    def _bind_aggregate(self, node: exp.Expr) -> Expr:
        """Bind an aggregate; equal aggregates share one measure."""
        row_resolver = RowResolver(self.scope, subqueries=self.key_subqueries)
        is_release = is_release_point(self.source, [f for _, f in self.keys])
        new_measure = bind_measure(node, row_resolver, self.source, is_release, self.context)
        for earlier in self.measures:
            if replace(new_measure, result=earlier.result) == earlier:
                return Ref(earlier.result)
        self.measures.append(new_measure)
        return Ref(new_measure.result)


def _row_window_refusal(node: exp.Column) -> Refusal:
    """Refuse a window over rows in a grouped SELECT; suggest QUALIFY in a subquery, or the column as a key."""
    is_qualify = node.find_ancestor(exp.Qualify) is not None
    refused = refusal(Kind.QUALIFY_OVER_GROUPS if is_qualify else Kind.WINDOW_OVER_GROUPS, node, name=node.name)
    qualified = to_suggestions(qualify_in_subquery(node), "rows are chosen before they are grouped")
    return replace(refused, rewrites=(*qualified, *to_suggestions(_with_column_as_key(node), _FINER_DIFFERENCE)))


def _with_items_as_keys(node: exp.Column) -> tuple[str, tuple[str, ...]]:
    """Suggest adding the computed select items to GROUP BY: (all keys as text, complete queries).

    The first query names items by alias, the second repeats their expressions, as an alias may hide a column. Empty
    where only plain columns are missing: `_with_column_as_key` suggests these.
    """
    select = node.find_ancestor(exp.Select)
    clause = select.args.get("group") if select is not None else None
    keys = clause.expressions if clause is not None else ()
    if select is None or not keys:
        return "", ()
    existing_keys = set(map(sql_text, keys)) | {
        sql_text(select.selects[int(k.name) - 1]) for k in keys if _is_position(k, select)
    }
    items = [item for item in select.expressions if not (has_aggregate(item) or has_window(item))]
    items = [item for item in items if item.find(exp.Column) is not None]
    missing = [
        item for item in items if existing_keys.isdisjoint({sql_text(item), sql_text(item.unalias()), item.alias})
    ]
    if all(isinstance(item.unalias(), exp.Column) for item in missing):
        return "", ()
    added_keys = [item.alias or sql_text(item) for item in missing], [sql_text(item.unalias()) for item in missing]
    rewritten = (with_node_replaced(keys[-1], ", ".join((sql_text(keys[-1]), *more))) for more in added_keys)
    return ", ".join((*map(sql_text, keys), *added_keys[0])), tuple(text for text in rewritten if text is not None)


def _is_position(key: exp.Expr, select: exp.Select) -> bool:
    """Return whether a key is a position in the select list."""
    return isinstance(key, exp.Literal) and key.name.isdigit() and 1 <= int(key.name) <= len(select.selects)


def _with_column_as_key(node: exp.Column) -> tuple[str, ...]:
    """Suggest adding a column to GROUP BY: complete queries, first with all ungrouped columns, then with it alone.

    Empty without a GROUP BY, and where the place of its last key is unknown.
    """
    select = node.find_ancestor(exp.Select)
    clause = select.args.get("group") if select is not None else None
    keys = clause.expressions if clause is not None else ()
    if select is None or not keys:
        return ()
    ungrouped = (
        part for item in select.expressions for part in item.find_all(exp.Column) if _is_ungrouped(part, select)
    )
    all_columns = dict.fromkeys((sql_text(node), *map(sql_text, ungrouped)))
    missing = [text for text in all_columns if text not in set(map(sql_text, keys))]
    rewritten = (
        with_node_replaced(keys[-1], ", ".join((sql_text(keys[-1]), *some))) for some in (missing, [sql_text(node)])
    )
    return tuple(filter(None, rewritten))


def _is_ungrouped(column: exp.Column, select: exp.Select) -> bool:
    """Return whether a column is in the select list outside of aggregates and windows."""
    ancestor = column.find_ancestor(exp.AggFunc, exp.Window, exp.Select)
    return ancestor is select


def is_release_point(source: rel.Relation, keys: Sequence[Field]) -> bool:
    """Return whether grouping by these keys is a release point: its groups contain rows of many persons."""
    return isinstance(source, rel.PerPerson) and person_key_among(source, keys) is None


def build_groups(
    source: rel.Relation,
    keys: Sequence[Field],
    measures: Sequence[rel.AggregateCall],
    node: exp.Expr,
    *,
    has_others: bool = False,
) -> rel.Relation:
    """Build the GROUP BY relation: per person where the person is a key, else a release point over private rows.

    Public and released rows stay what they are. Predicates on public rows still hold for the groups' keys; of released
    rows none are kept. `node` is the SELECT. `has_others`: keys of a release point may be NULL, for keys not released.
    """
    unique, measure_tuple = tuple(dict.fromkeys(keys)), tuple(measures)
    refuse_polygons(unique, node.args.get("group") or node)
    if isinstance(source, rel.PerPerson):
        check_preserved_keys(source, unique, node.args.get("group") or node)
        person = person_key_among(source, unique)
        if person is not None:
            return _person_groups(source, person, unique, measure_tuple)
        refuse_persons(unique, source, node)
        clause = node.args.get("group")
        span = (span_of(clause) if clause is not None else None) or span_of(node)
        shown = tuple(replace(key, nullable=key.nullable or has_others) for key in strip_fields(unique))
        return rel.Released(
            rel.ReleasePoint(source, unique, measure_tuple, span), shown + tuple(m.result for m in measure_tuple)
        )
    facts = source.predicates if not isinstance(source, rel.Released) else ()
    return type(source)(
        rel.Group(source, unique, measure_tuple), strip_fields(unique) + tuple(m.result for m in measure_tuple), facts
    )


def _person_groups(
    source: rel.PerPerson, person: Field, keys: tuple[Field, ...], measures: tuple[rel.AggregateCall, ...]
) -> rel.PerPerson:
    """Build groups of one person's rows, with the bounds on rows per person that the keys imply.

    If every key is constant per person, each person has one group, and the measures are constant per person as well.
    """
    is_one_row_per_person = all(is_constant_per_person(f) for f in keys)
    own_measures = tuple(
        replace(m, result=replace(m.result, is_constant_per_person=is_one_row_per_person)) for m in measures
    )
    return rel.PerPerson(
        rel.Group(source, keys, own_measures), keys + tuple(m.result for m in own_measures),
        (*source.predicates, *_extreme_predicates(source.predicates, own_measures)),
        person=person, dataset=source.dataset, has_one_row_per_person=is_one_row_per_person,
        max_rows=1 if is_one_row_per_person else source.max_rows,
        per_window_factors=0 if is_one_row_per_person else source.per_window_factors, derived_from=source.derived_from,
    )  # fmt: skip


def _extreme_predicates(predicates: Sequence[Expr], measures: Sequence[rel.AggregateCall]) -> Iterator[Expr]:
    """Predicates on MIN and MAX: each predicate that holds for all values of the argument holds for the result.

    The result is one of the values. Predicates that also read other columns are left out; so are calls with FILTER,
    whose result may be NULL.
    """
    for each in measures:
        is_extreme = AGGREGATES[each.function].is_extreme and each.condition is None
        value = definition_of(each.arguments[0]) if is_extreme else None
        if value is None or not any(fields_of(value)):
            continue
        for predicate in predicates:
            implied = substitute(predicate, {value: Ref(each.result)})
            if set(fields_of(implied)) == {each.result}:  # reads the argument alone
                yield implied


KeyPositions = tuple[int, ...]  # positions of keys
_FINER_DIFFERENCE = "a row for each value of the added keys"


@dataclass(frozen=True)
class GroupingInput:
    """Input of a GROUP BY with grouping sets: the source, its keys, and the fields of the result's keys."""

    source: rel.Relation
    keys: tuple[Field, ...]  # fields of the source
    sets: tuple[KeyPositions, ...]
    result_keys: tuple[Field, ...]  # fields of the keys in the result: NULL in groups of a set without the key


def prepare_grouping(
    source: rel.Relation, keys: Sequence[Field], sets: Sequence[KeyPositions], context: CompileContext, node: exp.Expr
) -> GroupingInput:
    """Derive the key fields of the result; raises Refusal where only some grouping sets contain the person.

    Such a union would have private and released rows. A key that some set lacks is nullable, and several sets need new
    fields, as the column of the union is not the key of any one of them.
    """
    person = person_key_among(source, keys) if isinstance(source, rel.PerPerson) else None
    if len(sets) == 1:
        return GroupingInput(
            source, tuple(keys), tuple(sets), tuple(keys) if person is not None else strip_fields(keys)
        )
    if isinstance(source, rel.PerPerson) and person is not None:
        if any(person_key_among(source, [keys[i] for i in each]) is None for each in sets):
            name = source.person.name or "person"
            raise refusal(Kind.MIXED_GROUPING_SETS, node.args.get("group") or node, name=name)
        result_keys = tuple(_grouping_set_key(key, i, sets, source, context) for i, key in enumerate(keys))
    else:
        result_keys = tuple(
            replace(key, id=context.new_field_id(), nullable=key.nullable or not _in_every_set(i, sets))
            for i, key in enumerate(strip_fields(keys))
        )
    return GroupingInput(source, tuple(keys), tuple(sets), result_keys)


def _in_every_set(position: int, sets: Sequence[KeyPositions]) -> bool:
    """Return whether a key is in every grouping set."""
    return all(position in each for each in sets)


def _grouping_set_key(
    key: Field, position: int, sets: Sequence[KeyPositions], source: rel.PerPerson, context: CompileContext
) -> Field:
    """Key field of a person's groups over several sets: the key's value, or NULL where a set lacks it.

    What is known of the key's value holds in some groups only, so it is kept in alternatives: (expression, predicates).
    """
    is_in_every_set = _in_every_set(position, sets)
    alternatives = (
        Alternative(Ref(key), source.predicates),
        *(() if is_in_every_set else (Alternative(Literal(None, key.type), ()),)),
    )
    return replace(
        key, id=context.new_field_id(), nullable=key.nullable or not is_in_every_set,
        is_constant_per_person=key.is_constant_per_person and is_in_every_set,
        definition=None, public_values=None, domain=None, alternatives=alternatives,
    )  # fmt: skip


def with_group_bound(groups: GroupingInput) -> rel.Relation:
    """Source with its row bound per person multiplied by the number of grouping sets, to bound their groups.

    Every row of a person is in one group of each set. Other sources are unchanged.
    """
    if not isinstance(groups.source, rel.PerPerson):
        return groups.source
    return replace(groups.source, max_rows=min(groups.source.max_rows * len(groups.sets), rel.MAX_ROW_BOUND))


def grouping_field(groups: GroupingInput, context: CompileContext, positions: Sequence[int]) -> Field:
    """Field of GROUPING(...): one bit per key, 1 where the key is not in the row's grouping set.

    `positions` are those of the call's arguments among the keys. Its alternatives are constants, one for each grouping
    set.
    """
    alternatives = tuple(
        Alternative(Literal(_grouping_bits(positions, each), SqlType.BIGINT), ()) for each in groups.sets
    )
    bounds = Bounds(0, 2 ** len(positions) - 1)
    return Field(context.new_field_id(), None, SqlType.BIGINT, nullable=False, bounds=bounds, alternatives=alternatives)


def _grouping_bits(positions: Sequence[int], key_positions: KeyPositions) -> int:
    """Value of GROUPING(...) for one grouping set: the last argument is the lowest bit."""
    return sum((position not in key_positions) << i for i, position in enumerate(reversed(positions)))


def build_grouping_sets(
    groups: GroupingInput,
    measures: Sequence[rel.AggregateCall],
    grouping_fields: Mapping[KeyPositions, Field],
    context: CompileContext,
    node: exp.Expr,
) -> rel.Relation:
    """Build the GROUP BY relation of all grouping sets; `grouping_fields`: arguments of a GROUPING call -> its field.

        GROUP BY ROLLUP (a)  ->  SELECT a, COUNT(*) ... GROUP BY a  UNION ALL  SELECT NULL, COUNT(*) ...

    The sets are united pairwise from the left. Only the last union has the fields of the result; those before it have
    new ids.
    """
    if len(groups.sets) == 1:
        keys = [groups.keys[i] for i in groups.sets[0]]
        return build_groups(groups.source, keys, measures, node, has_others=context.options.others)
    result_fields = (*groups.result_keys, *(measure.result for measure in measures), *grouping_fields.values())
    group_sets = rel.GroupingSets(tuple(tuple(dict.fromkeys(groups.keys[i] for i in each)) for each in groups.sets))
    union: rel.Relation | None = None
    fields: list[Field] = []
    for number, each in enumerate(groups.sets, 1):
        grouping_values: list[Expr] = [
            Literal(_grouping_bits(positions, each), SqlType.BIGINT) for positions in grouping_fields
        ]
        relation, shown = _build_grouping_set(groups, each, group_sets, measures, grouping_values, context, node)
        if union is None:
            union, fields = relation, shown
            continue
        last = number == len(groups.sets)
        union_fields = result_fields if last else tuple(replace(f, id=context.new_field_id()) for f in result_fields)
        columns = tuple(zip(fields, shown, union_fields, strict=True))
        union = type_set_operation(rel.SetOperation(union, relation, "union", False, columns))
        fields = list(union_fields)
    assert union is not None  # noqa: S101  there are at least two sets
    return union


def _build_grouping_set(
    groups: GroupingInput,
    key_positions: KeyPositions,
    group_sets: rel.GroupingSets,
    measures: Sequence[rel.AggregateCall],
    grouping_values: Sequence[Expr],
    context: CompileContext,
    node: exp.Expr,
) -> tuple[rel.Relation, list[Field]]:
    """Build the groups of one grouping set, with NULL for the keys that it lacks: (relation, its columns in order).

    A release point learns all sets of its GROUP BY, since a coarser set may be added up from the groups of a finer one.
    """
    own_measures = [replace(measure, result=replace(measure.result, id=context.new_field_id())) for measure in measures]
    own_keys = [groups.keys[i] for i in key_positions]
    relation = build_groups(groups.source, own_keys, own_measures, node, has_others=context.options.others)
    if isinstance(relation.operator, rel.ReleasePoint):
        relation = relation.with_operator(replace(relation.operator, grouping_sets=group_sets))
    fields_by_id = {f.id: f for f in relation.fields}
    keys: list[Expr] = [
        Ref(fields_by_id[key.id]) if i in key_positions else Literal(None, key.type)
        for i, key in enumerate(groups.keys)
    ]
    return project(
        relation, [*keys, *(Ref(fields_by_id[m.result.id]) for m in own_measures), *grouping_values], context
    )
