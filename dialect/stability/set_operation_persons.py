"""UNION, INTERSECT and EXCEPT of people's rows: the person stays with every row (`proofs.md#set-operations`)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from sqlglot import exp

from dialect.algebra.expressions import Expr, Field, Literal, Ref
from dialect.algebra.relations import MOST_ROWS, PerPerson, Relation
from dialect.algebra.set_operation import How, SetOperation
from dialect.errors import Code, suggested
from dialect.functions.inference import definition, fixed_by_person
from dialect.parser.context import refusal
from dialect.parser.spans import span_of

Pair = tuple[Expr, Expr]
Persons = tuple[PerPerson, PerPerson]


def check_persons(tree: exp.SetOperation, left: Relation, right: Relation) -> Persons | None:
    """Tell whether both queries give people's rows; raises Refusal where one does, or they are of two datasets."""
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


def with_person(tree: exp.SetOperation, how: How, distinct: bool, persons: Persons, pairs: list[Pair]) -> list[Pair]:
    """Let the pairs hold the person: carried behind UNION ALL, shown wherever whole rows are compared.

    A column of person keys holds nothing else on the other side but NULL.
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
    """Type the rows of a set operation whose columns hold the person."""
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
    """Tell whether a value is NULL in every row."""
    known = definition(value)
    return isinstance(known, Literal) and known.value is None


def _names_persons(pair: Pair) -> bool:
    return all(isinstance(value, Ref) and _names(value.field) for value in pair)


def _names(field: Field) -> bool:
    return field.is_person and not field.nullable


def _with_keys(tree: exp.SetOperation, name: str) -> tuple[str, ...]:
    """Write the question with the person key in front of every select list of the set operation."""
    firsts = [select.expressions[0] for select in _selects(_whole(tree)) if select.expressions]
    spans = [span_of(node) for node in firsts]
    sql = str(tree.root().meta.get("sql", ""))
    starts = sorted((span.start for span in spans if span is not None), reverse=True)
    for start in starts:
        sql = f"{sql[:start]}{name}, {sql[start:]}"
    return (sql,) if starts and len(starts) == len(firsts) else ()


def _whole(tree: exp.Expr) -> exp.Expr:
    """Climb to the outermost of set operations that stand inside each other."""
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
