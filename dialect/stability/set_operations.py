"""UNION, INTERSECT and EXCEPT of two queries (`dialect/planner/proofs.md#set-operations`).

Over private rows every row keeps its person. Domains and predicates of the result follow from those of both sides.

Terms:

    private          PerPerson: every row belongs to one person; `person` is the field with the person key
    predicates       conditions that hold in every row of a relation (local name: facts)
    pair             (column of the left query, column of the right query) that become one output column
    SetOperation     its `columns` are (left field, right field, output field)
    preserved side   public rows of `public LEFT JOIN private` that appear also where no private row matches
    max_rows         row-count bound per person
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from sqlglot import exp

from dialect.algebra import value_ranges as ranges
from dialect.algebra.expressions import Alternative, Expr, Field, Literal, Ref, fields_of, substitute
from dialect.algebra.relations import (
    MAX_ROW_BOUND,
    BoundQuery,
    PerPerson,
    Public,
    Relation,
    Released,
    SetKind,
    SetOperation,
)
from dialect.catalog.model import Domain, SqlType, ValueList, ValueRange
from dialect.diagnostics.field_values import Unnamed
from dialect.diagnostics.kinds import Kind
from dialect.errors import Code, Refusal, to_suggestions
from dialect.functions.registry import definition_of, is_constant_per_person, time_zone_of
from dialect.parser.compile_context import CompileContext, check_parts, refusal
from dialect.parser.spans import span_of
from dialect.stability.row_operators import project
from dialect.stability.typed_calls import to_local_times, unify_types


def common_domain(fields: Sequence[Field]) -> Domain | None:
    """Find a declared domain that contains every value of some fields of one type; None if there is none.

    Equal domains stay. Lists are concatenated, ranges become the smallest range around both; a list with a range has
    none.
    """
    domains = [f.domain for f in fields]
    if len({f.type for f in fields}) > 1:
        return None
    if all(domain == domains[0] for domain in domains):
        return domains[0]
    lists = [domain for domain in domains if isinstance(domain, ValueList)]
    if len(lists) == len(domains):
        return ValueList(tuple(dict.fromkeys(value for each in lists for value in each.values)))
    ranges = [domain for domain in domains if isinstance(domain, ValueRange)]
    if len(ranges) < len(domains):
        return None
    lowers, uppers = [each.lower for each in ranges], [each.upper for each in ranges]
    return ValueRange(min(lowers, key=_sort_key), max(uppers, key=_sort_key))


def _sort_key(end: int | str) -> tuple[int, int, str]:
    """Sort key of range ends: integers by value, dates as text by length first, since later years have more digits."""
    return (end, 0, "") if isinstance(end, int) else (0, len(end), end)


def common_predicates(operator: SetOperation) -> tuple[Expr, ...]:
    """Predicates that hold for every row of a set operation, over its output columns.

    INTERSECT and EXCEPT return rows of the left side, so its predicates hold; UNION needs them on both sides.
    """
    left = _predicates_over_output(operator.left.predicates, [(a, output) for a, _, output in operator.columns])
    if operator.kind != "union":
        return left
    right = _predicates_over_output(operator.right.predicates, [(b, output) for _, b, output in operator.columns])
    return tuple(fact for fact in left if fact in right)


def _predicates_over_output(facts: Sequence[Expr], columns: Sequence[tuple[Field, Field]]) -> tuple[Expr, ...]:
    """Rewrite one side's predicates over the output columns; those that read anything else are dropped.

    `columns` are (field of this side, output field). Columns whose type was changed to a common one are not
    substituted: a predicate on the original value need not hold for the converted one.
    """
    replaced: dict[Expr, Expr] = {}
    for below, output in columns:
        expanded = definition_of(Ref(below))
        # a constant occurs in predicates for other reasons than this column
        if expanded is not None and not isinstance(expanded, Literal) and below.type is output.type:
            replaced.setdefault(expanded, Ref(output))
    output_fields = {output for _, output in columns}
    found = (substitute(fact, replaced) for fact in facts)
    return tuple(fact for fact in found if all(f in output_fields for f in fields_of(fact)))


Pair = tuple[Expr, Expr]  # left and right value of one output column
Persons = tuple[PerPerson, PerPerson]  # left and right side, both private


def check_private_sides(tree: exp.SetOperation, left: Relation, right: Relation) -> Persons | None:
    """Return both sides if they are private, None if neither is.

    Raises Refusal if only one is private, or if they belong to two datasets.
    """
    what = tree.key.upper()
    if isinstance(left, PerPerson) != isinstance(right, PerPerson):
        side = tree.this if isinstance(left, PerPerson) else tree.expression
        raise refusal(Kind.SET_OF_PUBLIC_AND_PRIVATE, side, operator=what)
    if not (isinstance(left, PerPerson) and isinstance(right, PerPerson)):
        return None
    if left.dataset != right.dataset:
        raise refusal(Kind.SUBQUERY_OF_TWO_DATASETS, tree)
    if left.preserved_side is not None or right.preserved_side is not None:
        raise refusal(Kind.SET_OF_PRESERVED, tree, operator=what)
    return left, right


def pair_person_keys(
    tree: exp.SetOperation, kind: SetKind, is_distinct: bool, persons: Persons, pairs: list[Pair]
) -> list[Pair]:
    """Ensure that the paired columns contain the person: hidden for UNION ALL, in both select lists otherwise.

    A person key may be paired with a person key or NULL only.
    """
    for pair in pairs:
        if _is_person(pair[0]) != _is_person(pair[1]) and not any(map(is_null, pair)):
            name = persons[0].person.name or Unnamed.PERSON_KEY
            raise refusal(Kind.PERSON_KEY_IN_MIXED_COLUMN, tree, name=name)
    if any(_are_person_keys(pair) for pair in pairs):
        return pairs
    # UNION ALL compares no rows, so the person may be added to both sides; the others would compare it
    if kind == "union" and not is_distinct:
        return [*pairs, (Ref(persons[0].person), Ref(persons[1].person))]
    what, name = tree.key.upper(), persons[0].person.name or "person"
    unlike = refusal(Kind.SET_WITHOUT_PERSON, tree, operator=what, name=name)
    raise replace(
        unlike, rewrites=to_suggestions(_rewrite_with_person_keys(tree, name), "compares the rows of each person alone")
    )


def private_set_operation(
    operator: SetOperation, left: PerPerson, right: PerPerson, facts: tuple[Expr, ...]
) -> PerPerson:
    """Infer the properties of a set operation over private rows: its person field and its rows per person.

    UNION adds the row bounds of both sides; INTERSECT has at most the smaller, EXCEPT at most the left one. DISTINCT
    over columns that are constant per person leaves one row per person.
    """
    output_fields = tuple(field for *_, field in operator.columns)
    person = next(field for *_, field in operator.columns if field.is_person_key and not field.nullable)
    one_row = operator.is_distinct and all(map(is_constant_per_person, output_fields))
    if operator.kind == "union":
        rows = min(left.max_rows + right.max_rows, MAX_ROW_BOUND)
    else:
        rows = min(left.max_rows, right.max_rows) if operator.kind == "intersect" else left.max_rows
        one_row |= left.has_one_row_per_person or (operator.kind == "intersect" and right.has_one_row_per_person)
    return PerPerson(
        operator, output_fields, facts, person=person, dataset=left.dataset, has_one_row_per_person=one_row,
        max_rows=1 if one_row else rows,
        per_window_factors=0 if one_row else max(left.per_window_factors, right.per_window_factors),
        derived_from=left.derived_from if operator.kind != "union" or left.derived_from == right.derived_from else None,
    )  # fmt: skip


def _is_person(value: Expr) -> bool:
    """Return whether a value is a person key, nullable or not."""
    return isinstance(value, Ref) and value.field.is_person_key


def is_null(value: Expr) -> bool:
    """Return whether a value is the constant NULL, which takes the type of the other branch."""
    expanded = definition_of(value)
    return isinstance(expanded, Literal) and expanded.value is None


def _are_person_keys(pair: Pair) -> bool:
    """Return whether both values of a pair are the person of their rows: person keys that are never NULL."""
    # a nullable person key, as after a LEFT JOIN, is not the person of every row
    return all(isinstance(value, Ref) and value.field.is_person_key and not value.field.nullable for value in pair)


def _rewrite_with_person_keys(tree: exp.SetOperation, name: str) -> tuple[str, ...]:
    """Rewrite the query with the person key first in every select list of the set operation.

    Text is inserted from the end, so that earlier offsets stay. Empty where the place of a select list is unknown.
    """
    firsts = [select.expressions[0] for select in _selects(_outermost(tree)) if select.expressions]
    spans = [span_of(node) for node in firsts]
    sql = str(tree.root().meta.get("sql", ""))
    starts = sorted((span.start for span in spans if span is not None), reverse=True)
    for start in starts:
        sql = f"{sql[:start]}{name}, {sql[start:]}"
    return (sql,) if starts and len(starts) == len(firsts) else ()


def _outermost(tree: exp.Expr) -> exp.Expr:
    """Return the outermost of nested set operations."""
    above = tree.parent
    while isinstance(above, exp.SetOperation | exp.Subquery):
        tree, above = (above if isinstance(above, exp.SetOperation) else tree), above.parent
    return tree


def _selects(tree: exp.Expr) -> Iterator[exp.Select]:
    """Iterate over the SELECTs that nested set operations combine, left to right."""
    if isinstance(tree, exp.SetOperation):
        yield from _selects(tree.this)
        yield from _selects(tree.expression)
    elif isinstance(tree, exp.Subquery):
        yield from _selects(tree.this)
    elif isinstance(tree, exp.Select):
        yield tree


_SET_KINDS: dict[type[exp.Expr], SetKind] = {exp.Union: "union", exp.Intersect: "intersect", exp.Except: "except"}


def build_set_operation(
    tree: exp.SetOperation, left: BoundQuery, right: BoundQuery, context: CompileContext
) -> BoundQuery:
    """Combine two queries by column position, or BY NAME; the names are those of the first.

    Over private rows a pair of person keys may be added behind the visible columns, which has no name.
    """
    check_parts(
        tree, "this", "expression", "distinct", "by_name", "with_", "order", "limit", "offset", code=Code.SUBQUERY
    )
    kind, is_distinct = _SET_KINDS[type(tree)], bool(tree.args.get("distinct"))
    named = _paired_columns(tree, left, right)
    persons = check_private_sides(tree, left.relation, right.relation)
    pairs = [_unified_pair(name, one, other, tree) for name, one, other in named]
    if persons is not None:
        pairs = pair_person_keys(tree, kind, is_distinct, persons, pairs)
    one, lefts = project(left.relation, [a for a, _ in pairs], context)
    other, rights = project(right.relation, [b for _, b in pairs], context)
    sources = (one, other) if kind == "union" else (one,)  # sides whose values occur in the result
    names = [name for name, _, _ in named]
    output = tuple(
        output_column(context.new_field_id(), names[i] if i < len(names) else None, fields, sources)
        for i, fields in enumerate(zip(lefts, rights, strict=True))
    )
    operator = SetOperation(one, other, kind, is_distinct, tuple(zip(lefts, rights, output, strict=True)))
    return BoundQuery(type_set_operation(operator), tuple(zip(names, output[: len(names)], strict=True)))


def type_set_operation(operator: SetOperation) -> Relation:
    """Type a set operation: PerPerson, Released or Public, by the kinds of its sides."""
    left, right = operator.left, operator.right
    if isinstance(left, PerPerson) and isinstance(right, PerPerson):
        return private_set_operation(operator, left, right, common_predicates(operator))
    kind = Released if isinstance(left, Released) or isinstance(right, Released) else Public
    return kind(operator, tuple(output for *_, output in operator.columns))


def _paired_columns(tree: exp.SetOperation, left: BoundQuery, right: BoundQuery) -> list[tuple[str, Expr, Expr]]:
    """Pair the columns of both sides by position, or BY NAME: (output name, left value, right value)."""
    if tree.args.get("by_name"):
        return _paired_by_name(tree, left, right)
    if len(left.columns) != len(right.columns):
        raise refusal(Kind.SET_COLUMN_COUNT, tree.expression, left=len(left.columns), right=len(right.columns))
    return [(name, Ref(a), Ref(b)) for (name, a), (_, b) in zip(left.columns, right.columns, strict=True)]


def _paired_by_name(tree: exp.SetOperation, left: BoundQuery, right: BoundQuery) -> list[tuple[str, Expr, Expr]]:
    """Pair columns by name: (name, left value, right value); a column that one side lacks is NULL there."""
    ours, theirs = dict(left.columns), dict(right.columns)
    if not isinstance(tree, exp.Union) or len(ours) < len(left.columns) or len(theirs) < len(right.columns):
        raise refusal(Kind.UNION_BY_NAME, tree)
    missing = Literal(None, SqlType.NULL)
    return [
        (name, Ref(ours[name]) if name in ours else missing, Ref(theirs[name]) if name in theirs else missing)
        for name in {**ours, **theirs}
    ]


def _unified_pair(name: str, left: Expr, right: Expr, tree: exp.SetOperation) -> Pair:
    """Convert a pair of values to their common type; instants of different time zones to local times first.

    Raises Refusal with E_SUBQUERY where they have no common type.
    """
    try:
        values = [left, right]
        if time_zone_of(left) != time_zone_of(right):
            values = to_local_times(values)
        _, (one, other) = unify_types(values, tree)
    except Refusal as refused:
        raise refusal(Kind.SET_COLUMN_TYPES, tree.expression, name=name[:40]) from refused
    return one, other


def output_column(id_: str, name: str | None, fields: tuple[Field, Field], sources: Sequence[Relation]) -> Field:
    """Build the output column of a pair: its type, range and domain contain both sides' values.

    With one source, as of EXCEPT, only the values of the first side occur.
    """
    left, right = fields
    kind, _ = unify_types([Ref(left), Ref(right)], exp.Null())
    others = [f for f in fields if not is_null(Ref(f))]  # NULL violates no bounds
    known = [f.bounds for f in others if f.bounds is not None and f.bounds.is_finite]
    bounds = ranges.hull(known) if known and len(known) == len(others) else None
    source_fields = fields if len(sources) > 1 else (left,)
    is_private = isinstance(sources[0], PerPerson)
    values = [Literal(None, kind) if is_null(Ref(f)) else Ref(f) for f in source_fields]
    alternatives = (
        tuple(Alternative(value, relation.predicates) for value, relation in zip(values, sources, strict=True))
        if is_private
        else ()
    )
    return Field(
        id_, name, kind, any(f.nullable for f in source_fields), bounds,
        common_domain(source_fields) if is_private else None,
        origin=left.origin if is_private and left.origin == right.origin else None,
        is_constant_per_person=is_private and len(source_fields) == 1 and left.is_constant_per_person,
        time_zone=left.time_zone, is_person_key=left.is_person_key or right.is_person_key, alternatives=alternatives,
    )  # fmt: skip
