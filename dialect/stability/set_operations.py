"""UNION, INTERSECT and EXCEPT of two queries (`dialect/planner/proofs.md#set-operations`).

Over private rows every row keeps its person. Domains and predicates of the result follow from those of both sides.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from sqlglot import exp

from dialect.algebra import intervals as ranges
from dialect.algebra.expressions import Alternative, Expr, Field, Literal, Ref, fields_of, substituted
from dialect.algebra.relations import MOST_ROWS, PerPerson, Public, Relation, Released, SetKind, SetOperation
from dialect.catalog.model import Domain, SqlType, ValueList, ValueRange
from dialect.errors import Code, Refusal, suggested
from dialect.functions.inference import definition, fixed_by_person
from dialect.parser.context import Reading, only, refusal
from dialect.parser.spans import span_of
from dialect.stability.calls import alike, wall
from dialect.stability.row_operators import compute


def common_domain(fields: Sequence[Field]) -> Domain | None:
    """Return a declared domain that contains every value of some fields; None if there is none."""
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
    return ValueRange(min(lowers, key=_place), max(uppers, key=_place))


def _place(end: int | str) -> tuple[int, int, str]:
    """Sort key of range ends: integers, or dates as text, whose years may have more than four digits."""
    return (end, 0, "") if isinstance(end, int) else (0, len(end), end)


def common_facts(operator: SetOperation) -> tuple[Expr, ...]:
    """Return the predicates that hold for every row of a set operation, over its output columns."""
    left = _carried(operator.left.facts, [(a, made) for a, _, made in operator.columns])
    if operator.how != "union":
        return left
    right = _carried(operator.right.facts, [(b, made) for _, b, made in operator.columns])
    return tuple(fact for fact in left if fact in right)


def _carried(facts: Sequence[Expr], columns: Sequence[tuple[Field, Field]]) -> tuple[Expr, ...]:
    replaced: dict[Expr, Expr] = {}
    for below, made in columns:
        known = definition(Ref(below))
        if known is not None and not isinstance(known, Literal) and below.type is made.type:
            replaced.setdefault(known, Ref(made))
    held = {made for _, made in columns}
    found = (substituted(fact, replaced) for fact in facts)
    return tuple(fact for fact in found if all(f in held for f in fields_of(fact)))


Pair = tuple[Expr, Expr]
Persons = tuple[PerPerson, PerPerson]


def check_persons(tree: exp.SetOperation, left: Relation, right: Relation) -> Persons | None:
    """Return both sides if they are private, None if neither is.

    Raises Refusal if only one is private, or if they belong to two datasets.
    """
    what = tree.key.upper()
    if isinstance(left, PerPerson) != isinstance(right, PerPerson):
        side = tree.this if isinstance(left, PerPerson) else tree.expression
        why = f"People's rows can't stand in one {what} with rows that are nobody's."
        raise refusal(Code.ROWS, why, "an aggregate on this side too", side)
    if not (isinstance(left, PerPerson) and isinstance(right, PerPerson)):
        return None
    if left.dataset != right.dataset:
        why = "These private tables belong to two datasets."
        raise refusal(Code.SUBQUERY, why, "ask one question of each", tree)
    if left.kept is not None or right.kept is not None:
        why = f"{what} has no rows for what a public table LEFT JOIN a private one keeps where nobody's row matched."
        raise refusal(Code.SUBQUERY, why, "JOIN in place of LEFT JOIN", tree)
    return left, right


def with_person(
    tree: exp.SetOperation, how: SetKind, distinct: bool, persons: Persons, pairs: list[Pair]
) -> list[Pair]:
    """Ensure that the paired columns contain the person: hidden for UNION ALL, in both select lists otherwise.

    A person key may be paired with a person key or NULL only.
    """
    for pair in pairs:
        if _is_person(pair[0]) != _is_person(pair[1]) and not any(map(is_null, pair)):
            why = "The person key can't stand in one column with something else."
            name = persons[0].person.name or "the person key"
            raise refusal(Code.PERSON_KEY, why, f"{name} in the same place of both queries", tree)
    if any(_names_persons(pair) for pair in pairs):
        return pairs
    if how == "union" and not distinct:
        return [*pairs, (Ref(persons[0].person), Ref(persons[1].person))]
    what, name = tree.key.upper(), persons[0].person.name or "person"
    why = f"{what} compares people's rows, and so needs the person key in the same place of both select lists."
    unlike = refusal(Code.SUBQUERY, why, f"SELECT {name}, ... {what} SELECT {name}, ...", tree)
    raise replace(unlike, rewrites=suggested(_with_keys(tree, name), "compares the rows of each person alone"))


def of_persons(operator: SetOperation, left: PerPerson, right: PerPerson, facts: tuple[Expr, ...]) -> PerPerson:
    """Type a set operation over private rows, with its person field and row limits."""
    made = tuple(field for *_, field in operator.columns)
    person = next(field for *_, field in operator.columns if field.is_person and not field.nullable)
    one_row = operator.distinct and all(map(fixed_by_person, made))
    if operator.how == "union":
        rows = min(left.max_rows + right.max_rows, MOST_ROWS)
    else:
        rows = min(left.max_rows, right.max_rows) if operator.how == "intersect" else left.max_rows
        one_row |= left.one_row_per_person or (operator.how == "intersect" and right.one_row_per_person)
    return PerPerson(
        operator, made, facts, person=person, dataset=left.dataset, one_row_per_person=one_row,
        max_rows=1 if one_row else rows, timed=0 if one_row else max(left.timed, right.timed),
        derived=left.derived if operator.how != "union" or left.derived == right.derived else None,
    )  # fmt: skip


def _is_person(value: Expr) -> bool:
    return isinstance(value, Ref) and value.field.is_person


def is_null(value: Expr) -> bool:
    """Return whether a value is NULL in every row."""
    known = definition(value)
    return isinstance(known, Literal) and known.value is None


def _names_persons(pair: Pair) -> bool:
    return all(isinstance(value, Ref) and _names(value.field) for value in pair)


def _names(field: Field) -> bool:
    return field.is_person and not field.nullable


def _with_keys(tree: exp.SetOperation, name: str) -> tuple[str, ...]:
    """Rewrite the query with the person key first in every select list of the set operation."""
    firsts = [select.expressions[0] for select in _selects(_whole(tree)) if select.expressions]
    spans = [span_of(node) for node in firsts]
    sql = str(tree.root().meta.get("sql", ""))
    starts = sorted((span.start for span in spans if span is not None), reverse=True)
    for start in starts:
        sql = f"{sql[:start]}{name}, {sql[start:]}"
    return (sql,) if starts and len(starts) == len(firsts) else ()


def _whole(tree: exp.Expr) -> exp.Expr:
    """Return the outermost of nested set operations."""
    above = tree.parent
    while isinstance(above, exp.SetOperation | exp.Subquery):
        tree, above = (above if isinstance(above, exp.SetOperation) else tree), above.parent
    return tree


def _selects(tree: exp.Expr) -> Iterator[exp.Select]:
    if isinstance(tree, exp.SetOperation):
        yield from _selects(tree.this)
        yield from _selects(tree.expression)
    elif isinstance(tree, exp.Subquery):
        yield from _selects(tree.this)
    elif isinstance(tree, exp.Select):
        yield tree


Column = tuple[str, Field]

_HOW: dict[type[exp.Expr], SetKind] = {exp.Union: "union", exp.Intersect: "intersect", exp.Except: "except"}


@dataclass(frozen=True)
class Queried:
    """One side of a set operation: its rows and output columns."""

    relation: Relation
    columns: Sequence[Column]


def set_operation(
    tree: exp.SetOperation, left: Queried, right: Queried, reading: Reading
) -> tuple[Relation, tuple[Column, ...]]:
    """Combine two queries by column position, or BY NAME; the names are those of the first."""
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
    """Type a set operation: PerPerson, Released or Public, by the kinds of its sides."""
    left, right = operator.left, operator.right
    if isinstance(left, PerPerson) and isinstance(right, PerPerson):
        return of_persons(operator, left, right, common_facts(operator))
    kind = Released if isinstance(left, Released) or isinstance(right, Released) else Public
    return kind(operator, tuple(made for *_, made in operator.columns))


def _named(tree: exp.SetOperation, left: Queried, right: Queried) -> list[tuple[str, Expr, Expr]]:
    """Pair the columns of both sides by position or name."""
    if tree.args.get("by_name"):
        return _by_name(tree, left, right)
    if len(left.columns) != len(right.columns):
        why = f"{len(left.columns)} columns and {len(right.columns)} columns can't stand in one list."
        raise refusal(Code.SUBQUERY, why, "the same number of columns on both sides", tree.expression)
    return [(name, Ref(a), Ref(b)) for (name, a), (_, b) in zip(left.columns, right.columns, strict=True)]


def _by_name(tree: exp.SetOperation, left: Queried, right: Queried) -> list[tuple[str, Expr, Expr]]:
    """Pair columns by name; a column that one side lacks is NULL there."""
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
    """Build the output column of a pair: its type, range and domain contain both sides' values.

    With one source, as of EXCEPT, only the values of the first side occur.
    """
    left, right = fields
    kind, _ = alike([Ref(left), Ref(right)], exp.Null())
    some = [f.bounds for f in fields if not is_null(Ref(f))]  # NULL violates no bounds
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
