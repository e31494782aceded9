"""Bind GROUP BY and aggregates: groups of one person's rows, a release point, or groups of public or released rows.

GROUPING SETS, ROLLUP and CUBE are a union of one GROUP BY for each set (`proofs.md#grouping-sets`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations, product

from sqlglot import exp

from dialect.algebra.expressions import Alternative, Expr, Field, Literal, Ref, fields_of, substituted
from dialect.algebra.relations import (
    MOST_ROWS,
    Boundary,
    Group,
    GroupSets,
    Measure,
    PerPerson,
    Relation,
    Released,
    SetOperation,
)
from dialect.binder.aggregates import measure
from dialect.binder.scalars import scalar
from dialect.binder.scope import (
    RowNames,
    Scope,
    Values,
    Windows,
    aggregate_name,
    column_name,
    end_of,
    has_aggregate,
    has_window,
    reads_rows,
    refuse_rowless,
)
from dialect.catalog.model import Bounds, SqlType
from dialect.errors import Code, Refusal, Suggestion, suggested
from dialect.functions.inference import definition, fixed_by_person
from dialect.parser.context import Reading, only, refusal
from dialect.parser.spans import in_place, span_of
from dialect.parser.suggestions.windows import qualify_of_rows
from dialect.stability.calls import call
from dialect.stability.outer_joins import check_kept_keys
from dialect.stability.row_operators import bare, compute, person_among, refuse_persons, refuse_polygons
from dialect.stability.set_operations import combined

MAX_SETS = 32  # per GROUP BY: each may be a release of its own

Item = tuple[str, exp.Expr | Field]  # name; syntax node, or a field that * expands to


@dataclass(frozen=True)
class Keys:
    """Keys of a GROUP BY, and its grouping sets as positions of keys."""

    written: tuple[Expr, ...]  # key expressions over rows
    sets: tuple[tuple[int, ...], ...]


def group_by(nodes: Sequence[exp.Expr], items: Sequence[Item], names: RowNames) -> Keys:
    """Bind the terms of a GROUP BY: keys, lists of keys, GROUPING SETS, ROLLUP, CUBE, and their cross product."""
    crossed = _crossed([_sets(node, items, names) for node in nodes], nodes)
    return keyed(crossed)


def keyed(sets: Sequence[Sequence[Expr]]) -> Keys:
    """Assign positions to the distinct keys of grouping sets, in order of first occurrence."""
    written = tuple(dict.fromkeys(key for keys in sets for key in keys))
    places = {key: place for place, key in enumerate(written)}
    return Keys(written, tuple(tuple(dict.fromkeys(places[key] for key in keys)) for keys in sets))


def _crossed(terms: Sequence[list[tuple[Expr, ...]]], nodes: Sequence[exp.Expr]) -> list[tuple[Expr, ...]]:
    """Cross product of the grouping sets of all terms; raises Refusal beyond the limit."""
    many = 1
    for sets, node in zip(terms, nodes, strict=True):
        many *= len(sets)
        if many > MAX_SETS:
            raise _too_many(node)
    return [tuple(key for keys in combined for key in keys) for combined in product(*terms)]


def _sets(node: exp.Expr, items: Sequence[Item], names: RowNames) -> list[tuple[Expr, ...]]:
    """Return the grouping sets of one term of a GROUP BY."""
    if isinstance(node, exp.GroupingSets):
        only(node, "expressions")
        return [keys for part in node.expressions for keys in _sets(part, items, names)]
    if isinstance(node, exp.Rollup | exp.Cube):
        only(node, "expressions")
        parts = [_listed(part, items, names) for part in node.expressions]
        if len(parts) > MAX_SETS or (isinstance(node, exp.Cube) and 2 ** len(parts) > MAX_SETS):
            raise _too_many(node)
        return [tuple(key for part in chosen for key in part) for chosen in _chosen(parts, isinstance(node, exp.Cube))]
    return [_listed(node, items, names)]


def _chosen(parts: Sequence[tuple[Expr, ...]], cube: bool) -> list[tuple[tuple[Expr, ...], ...]]:
    """Subsets of a ROLLUP's or CUBE's parts, the finest first."""
    sizes = range(len(parts), -1, -1)
    if not cube:
        return [tuple(parts[:size]) for size in sizes]
    return [chosen for size in sizes for chosen in combinations(parts, size)]


def _listed(node: exp.Expr, items: Sequence[Item], names: RowNames) -> tuple[Expr, ...]:
    """Bind one key, or a list of keys in parentheses."""
    if isinstance(node, exp.Tuple):
        return tuple(_key(part, items, names) for part in node.expressions)
    return (_key(node, items, names),)


def _too_many(node: exp.Expr) -> Refusal:
    why = f"This GROUP BY has more than {MAX_SETS} sets of keys."
    return refusal(Code.COMPLEX, why, "GROUPING SETS with the sets that you want", node)


def _key(written: exp.Expr, items: Sequence[Item], names: RowNames) -> Expr:
    """Bind one key: a position, the name of a column or else of a select item, or an expression."""
    node = written.unnest()
    if isinstance(node, exp.Cube | exp.Rollup | exp.GroupingSets | exp.Tuple):
        raise refusal(Code.KEY, "A list of keys can't stand inside another one.", "GROUP BY ROLLUP (a, b)", node)
    found: exp.Expr | Field = node
    if isinstance(node, exp.Literal) and not node.is_string:
        if not node.this.isdigit() or not 1 <= int(node.this) <= len(items):
            raise refusal(Code.KEY, f"There is no column {node.this[:20]} in the select list.", "GROUP BY 1", node)
        found = items[int(node.this) - 1][1]
    elif isinstance(node, exp.Column) and not node.table:
        name = node.name.lower()
        if name not in {n for n, _ in names.scope.columns()}:
            found = next((item for alias, item in items if alias == name), node)
    if isinstance(found, Field):
        return Ref(found)
    if has_aggregate(found):
        raise refusal(Code.AGG, "An aggregate can't be a group key.", "GROUP BY the other columns", node)
    return scalar(found, names)


_ONE_OF_THEM = {"min", "max"}


_FINER = "a row for each value of the added keys"


@dataclass
class GroupNames:
    """Name resolution above a GROUP BY: its keys and its aggregates, which are collected while binding."""

    scope: Scope
    source: Relation
    keys: Sequence[tuple[Expr, Field]]  # (key expression over rows, its field)
    reading: Reading
    aliases: dict[str, Expr] = field(default_factory=dict)
    measures: list[Measure] = field(default_factory=list)
    values: Values | None = None  # None: subqueries are not allowed
    rows: Values | None = None  # subqueries in the keys
    windows: Windows | None = None  # None: window functions are not allowed
    # makes the field of a GROUPING call; None: a single grouping set
    tell: Callable[[Sequence[int]], Field] | None = None
    tellings: dict[tuple[int, ...], Field] = field(default_factory=dict)  # positions of its keys -> field

    def column(self, node: exp.Column) -> Expr:
        """Resolve a select alias; any other column that is not a key is refused."""
        if self._is_alias(node):
            return self.aliases[node.name.lower()]
        name, table = column_name(node)
        self.scope.find(name, table, node)
        why = f"{node.name} is neither a group key nor in an aggregate."
        if node.find_ancestor(exp.Window) is not None:
            raise _of_rows(node)
        keys, rewrites = _with_items(node)
        average = Suggestion(f"AVG({node.name})", f"the mean of {node.name} in each group")
        refused = refusal(Code.KEY, why, f"GROUP BY {keys or node.name}", node, average)
        finer = suggested((*rewrites, *_with_key(node)), _FINER)
        raise replace(refused, rewrites=(*finer, *refused.rewrites))

    def special(self, node: exp.Expr) -> Expr | None:
        """Bind an aggregate, a window over the groups, or an expression that is a group key; None for others."""
        if isinstance(node, exp.Window) and self.windows is not None:
            return self.windows.value(node)
        if isinstance(node, exp.Grouping | exp.GroupingId):
            return self._told(node)
        if aggregate_name(node) is not None:
            return self._aggregate(node)
        if (shown := end_of(node)) in self.aliases:  # select items take precedence over columns
            return call(str(node.this).lower(), [self.aliases[shown]], node)
        if reads_rows(node) and (self.values is not None or self._read(node)):
            return self._of_subquery(node)
        refuse_rowless(node)
        columns = [part for part in node.walk() if isinstance(part, exp.Column)]
        if not columns or has_aggregate(node) or has_window(node) or not self._read(node):
            return None
        if any(self._is_alias(column) for column in columns):
            return None
        key = self._key(scalar(node, RowNames(self.scope, values=self.rows)))
        return None if key is None else Ref(key)

    def _of_subquery(self, node: exp.Expr) -> Expr:
        """Bind a scalar subquery over groups, or resolve it to the key that it is."""
        key = self._key(self.rows.value(node)) if self.rows is not None and self._read(node) else None
        if key is not None:
            return Ref(key)
        if self.values is None:
            refuse_rowless(node)
        assert self.values is not None  # noqa: S101  refused above
        return self.values.value(node)

    def _read(self, node: exp.Expr) -> bool:
        """Return whether an expression has no subqueries, or only such as the keys have bound already."""
        return node.find(exp.Query) is None or (self.rows is not None and self.rows.known(node))

    def _is_alias(self, node: exp.Column) -> bool:
        """Return whether a column is a select alias, and no column of the tables."""
        name, table = column_name(node)
        return table is None and name in self.aliases and name not in {n for n, _ in self.scope.columns()}

    def _key(self, expr: Expr) -> Field | None:
        """Field of the group key that an expression equals, by itself or by definition."""
        wanted = definition(expr)
        for key, held in self.keys:
            if key == expr or (wanted is not None and definition(key) == wanted):
                return held
        return None

    def _told(self, node: exp.Grouping | exp.GroupingId) -> Expr:
        """Bind GROUPING(...) of some keys, or of all; a constant 0 for a single grouping set."""
        only(node, "expressions", code=Code.AGG)
        held = [f for _, f in self.keys]
        written = [self.special(part) for part in node.expressions]
        found = tuple(held.index(key.field) for key in written if isinstance(key, Ref) and key.field in held)
        if len(found) < len(written) or not held:
            why = "GROUPING takes keys of the GROUP BY."
            raise refusal(Code.KEY, why, "GROUPING(a) with GROUP BY ROLLUP (a)", node)
        places = found or tuple(range(len(held)))
        if self.tell is None:
            return Literal(0, SqlType.BIGINT)
        if places not in self.tellings:
            self.tellings[places] = self.tell(places)
        return Ref(self.tellings[places])

    def _aggregate(self, node: exp.Expr) -> Expr:
        """Bind an aggregate; equal aggregates share one measure."""
        below, releasing = RowNames(self.scope, values=self.rows), releases(self.source, [f for _, f in self.keys])
        made = measure(node, below, self.source, releasing, self.reading)
        for earlier in self.measures:
            if replace(made, field=earlier.field) == earlier:
                return Ref(earlier.field)
        self.measures.append(made)
        return Ref(made.field)


def _of_rows(node: exp.Column) -> Refusal:
    """Refuse a window over rows in a grouped SELECT; suggest QUALIFY in a subquery, or the column as a key."""
    why = f"A window beside GROUP BY or aggregates looks at groups, and {node.name} is a column of rows."
    chooses = node.find_ancestor(exp.Qualify) is not None
    hint = f"FROM (SELECT *{'' if chooses else ', ... OVER (...) AS x'} FROM ...{' QUALIFY ...' * chooses})"
    return replace(
        refusal(Code.WINDOW, why, hint, node),
        rewrites=(
            *suggested(qualify_of_rows(node), "rows are chosen before they are grouped"),
            *suggested(_with_key(node), _FINER),
        ),
    )


def _with_items(node: exp.Column) -> tuple[str, tuple[str, ...]]:
    """Suggest adding the computed select items to GROUP BY: the keys as text, and complete queries."""
    select = node.find_ancestor(exp.Select)
    clause = select.args.get("group") if select is not None else None
    keys = clause.expressions if clause is not None else ()
    if select is None or not keys:
        return "", ()
    there = set(map(_text, keys)) | {_text(select.selects[int(k.name) - 1]) for k in keys if _is_place(k, select)}
    items = [item for item in select.expressions if not (has_aggregate(item) or has_window(item))]
    items = [item for item in items if item.find(exp.Column) is not None]
    missing = [item for item in items if there.isdisjoint({_text(item), _text(item.unalias()), item.alias})]
    if all(isinstance(item.unalias(), exp.Column) for item in missing):
        return "", ()
    named = [item.alias or _text(item) for item in missing], [_text(item.unalias()) for item in missing]
    made = (in_place(keys[-1], ", ".join((_text(keys[-1]), *more))) for more in named)
    return ", ".join((*map(_text, keys), *named[0])), tuple(text for text in made if text is not None)


def _is_place(key: exp.Expr, select: exp.Select) -> bool:
    """Return whether a key is a position in the select list."""
    return isinstance(key, exp.Literal) and key.name.isdigit() and 1 <= int(key.name) <= len(select.selects)


def _with_key(node: exp.Column) -> tuple[str, ...]:
    """Suggest adding a column to GROUP BY, with the other ungrouped columns and alone."""
    select = node.find_ancestor(exp.Select)
    clause = select.args.get("group") if select is not None else None
    keys = clause.expressions if clause is not None else ()
    if select is None or not keys:
        return ()
    plain = (part for item in select.expressions for part in item.find_all(exp.Column) if _is_plain(part, select))
    every = dict.fromkeys((_text(node), *map(_text, plain)))
    missing = [text for text in every if text not in set(map(_text, keys))]
    made = (in_place(keys[-1], ", ".join((_text(keys[-1]), *some))) for some in (missing, [_text(node)]))
    return tuple(filter(None, made))


def _is_plain(column: exp.Column, select: exp.Select) -> bool:
    """Return whether a column is in the select list outside of aggregates and windows."""
    around = column.find_ancestor(exp.AggFunc, exp.Window, exp.Select)
    return around is select


def _text(node: exp.Expr) -> str:
    return node.sql("duckdb", comments=False)


def releases(source: Relation, keys: Sequence[Field]) -> bool:
    """Return whether grouping by these keys is a release point: its groups contain rows of many persons."""
    return isinstance(source, PerPerson) and person_among(source, keys) is None


def close(source: Relation, keys: Sequence[Field], measures: Sequence[Measure], node: exp.Expr) -> Relation:
    """Build the GROUP BY relation: per person where the person is a key, else a release point over private rows."""
    unique, made = tuple(dict.fromkeys(keys)), tuple(measures)
    refuse_polygons(unique, node.args.get("group") or node)
    if isinstance(source, PerPerson):
        check_kept_keys(source, unique, node.args.get("group") or node)
        person = person_among(source, unique)
        if person is not None:
            return _of_person(source, person, unique, made)
        refuse_persons(unique, source, node)
        clause = node.args.get("group")
        span = (span_of(clause) if clause is not None else None) or span_of(node)
        return Released(Boundary(source, unique, made, span), bare(unique) + tuple(m.field for m in made))
    facts = source.facts if not isinstance(source, Released) else ()
    return type(source)(Group(source, unique, made), bare(unique) + tuple(m.field for m in made), facts)


def _of_person(source: PerPerson, person: Field, keys: tuple[Field, ...], measures: tuple[Measure, ...]) -> PerPerson:
    """Build groups of one person's rows, with the bounds on rows per person that the keys imply."""
    one_row = all(fixed_by_person(f) for f in keys)
    made = tuple(replace(m, field=replace(m.field, of_person=one_row)) for m in measures)
    return PerPerson(
        Group(source, keys, made), keys + tuple(m.field for m in made), (*source.facts, *_facts(source.facts, made)),
        person=person, dataset=source.dataset, one_row_per_person=one_row,
        max_rows=1 if one_row else source.max_rows, timed=0 if one_row else source.timed, derived=source.derived,
    )  # fmt: skip


def _facts(facts: Sequence[Expr], measures: Sequence[Measure]) -> Iterator[Expr]:
    """Predicates on MIN and MAX: each predicate that holds for all values of the argument holds for the result."""
    for each in measures:
        value = definition(each.arguments[0]) if each.function in _ONE_OF_THEM and each.condition is None else None
        if value is None or not any(fields_of(value)):
            continue
        for fact in facts:
            said = substituted(fact, {value: Ref(each.field)})
            if set(fields_of(said)) == {each.field}:
                yield said


Set = tuple[int, ...]  # positions of keys


@dataclass(frozen=True)
class Groups:
    """Input of a GROUP BY with grouping sets: the source, its keys, and the fields of the result's keys."""

    source: Relation
    keys: tuple[Field, ...]  # fields of the source
    sets: tuple[Set, ...]
    shown: tuple[Field, ...]  # fields of the keys in the result: NULL in groups of a set without the key


def groups(source: Relation, keys: Sequence[Field], sets: Sequence[Set], reading: Reading, node: exp.Expr) -> Groups:
    """Derive the key fields of the result; raises Refusal where only some grouping sets contain the person."""
    person = person_among(source, keys) if isinstance(source, PerPerson) else None
    if len(sets) == 1:
        return Groups(source, tuple(keys), tuple(sets), tuple(keys) if person is not None else bare(keys))
    if isinstance(source, PerPerson) and person is not None:
        if any(person_among(source, [keys[i] for i in each]) is None for each in sets):
            name = source.person.name or "person"
            why = "Some of these sets are groups of one person's rows, and others hold many people's."
            raise refusal(Code.KEY, why, f"GROUP BY {name}, ROLLUP (...)", node.args.get("group") or node)
        above = tuple(_grouping_set_key(key, i, sets, source, reading) for i, key in enumerate(keys))
    else:
        above = tuple(
            replace(key, id=reading.fresh(), nullable=key.nullable or not _everywhere(i, sets))
            for i, key in enumerate(bare(keys))
        )
    return Groups(source, tuple(keys), tuple(sets), above)


def _everywhere(place: int, sets: Sequence[Set]) -> bool:
    """Return whether a key is in every grouping set."""
    return all(place in each for each in sets)


def _grouping_set_key(key: Field, place: int, sets: Sequence[Set], source: PerPerson, reading: Reading) -> Field:
    """Key field of a person's groups over several sets: the key's value, or NULL where a set lacks it."""
    always = _everywhere(place, sets)
    alternatives = (
        Alternative(Ref(key), source.facts),
        *(() if always else (Alternative(Literal(None, key.type), ()),)),
    )
    return replace(
        key, id=reading.fresh(), nullable=key.nullable or not always, of_person=key.of_person and always,
        definition=None, public=None, domain=None, alternatives=alternatives,
    )  # fmt: skip


def widened(groups: Groups) -> Relation:
    """Source with its row bound per person multiplied by the number of grouping sets, to bound their groups."""
    if not isinstance(groups.source, PerPerson):
        return groups.source
    return replace(groups.source, max_rows=min(groups.source.max_rows * len(groups.sets), MOST_ROWS))


def grouping_field(groups: Groups, reading: Reading, places: Sequence[int]) -> Field:
    """Field of GROUPING(...): one bit per key, 1 where the key is not in the row's grouping set."""
    alternatives = tuple(Alternative(Literal(_bits(places, each), SqlType.BIGINT), ()) for each in groups.sets)
    bounds = Bounds(0, 2 ** len(places) - 1)
    return Field(reading.fresh(), None, SqlType.BIGINT, nullable=False, bounds=bounds, alternatives=alternatives)


def _bits(places: Sequence[int], each: Set) -> int:
    """Value of GROUPING(...) for one grouping set."""
    return sum((place not in each) << i for i, place in enumerate(reversed(places)))


def closed(
    groups: Groups, measures: Sequence[Measure], tellings: Mapping[Set, Field], reading: Reading, node: exp.Expr
) -> Relation:
    """Build the GROUP BY relation of all grouping sets; `grouping_fields` are those of its GROUPING calls.

    GROUP BY ROLLUP (a)  ->  SELECT a, COUNT(*) ... GROUP BY a  UNION ALL  SELECT NULL, COUNT(*) ...
    """
    if len(groups.sets) == 1:
        return close(groups.source, [groups.keys[i] for i in groups.sets[0]], measures, node)
    made = (*groups.shown, *(measure.field for measure in measures), *tellings.values())
    among = GroupSets(tuple(tuple(dict.fromkeys(groups.keys[i] for i in each)) for each in groups.sets))
    gathered: Relation | None = None
    fields: list[Field] = []
    for number, each in enumerate(groups.sets, 1):
        told_here: list[Expr] = [Literal(_bits(places, each), SqlType.BIGINT) for places in tellings]
        relation, shown = _one(groups, each, among, measures, told_here, reading, node)
        if gathered is None:
            gathered, fields = relation, shown
            continue
        last = number == len(groups.sets)
        above = made if last else tuple(replace(f, id=reading.fresh()) for f in made)
        columns = tuple(zip(fields, shown, above, strict=True))
        gathered = combined(SetOperation(gathered, relation, "union", False, columns))
        fields = list(above)
    assert gathered is not None  # noqa: S101  there are at least two sets
    return gathered


def _one(
    groups: Groups,
    each: Set,
    among: GroupSets,
    measures: Sequence[Measure],
    told_here: Sequence[Expr],
    reading: Reading,
    node: exp.Expr,
) -> tuple[Relation, list[Field]]:
    """Build the groups of one grouping set, with NULL for the keys that it lacks."""
    own = [replace(measure, field=replace(measure.field, id=reading.fresh())) for measure in measures]
    relation = close(groups.source, [groups.keys[i] for i in each], own, node)
    if isinstance(relation.operator, Boundary):
        relation = replace(relation, operator=replace(relation.operator, among=among))
    held = {f.id: f for f in relation.fields}
    keys: list[Expr] = [
        Ref(held[key.id]) if i in each else Literal(None, key.type) for i, key in enumerate(groups.keys)
    ]
    return compute(relation, [*keys, *(Ref(held[m.field.id]) for m in own), *told_here], reading)
