"""Joins, semi-joins and anti joins: private rows are joined to public rows and to rows of the same person only.

Joins: `proofs.md#relation-kinds`. Semi-joins filter private rows by private or public ones
(`dialect/binder/proofs.md#semi-joins`). LEFT JOIN with WHERE right IS NULL is an anti join (`proofs.md#unmet`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from sqlglot import exp

from dialect.algebra.expressions import Call, Expr, Field, Literal, Ref, conjuncts
from dialect.algebra.relations import (
    MOST_ROWS,
    How,
    Join,
    PerPerson,
    Project,
    Public,
    Relation,
    Released,
    SemiJoin,
    Values,
    cut,
    with_null_row,
)
from dialect.analysis.uniqueness import covers_primary_key, meets_one_row, pinned
from dialect.errors import Code, suggested
from dialect.functions.inference import null_extended, of_person
from dialect.parser.context import refusal
from dialect.stability.outer_joins import kept_by, kept_joined, kept_with
from dialect.stability.row_operators import facts_of, joined_in

_USUALLY_MET = 100  # assumed public matches per row without a primary key or VALUES
_USUALLY_HAD = 10_000  # most assumed rows per person after such a join


def join(left: Relation, right: Relation, how: How, condition: Expr, node: exp.Expr) -> Relation:
    """Join two relations; two private ones must equate the person key."""
    if how == "full":
        return _full(left, right, condition, node)
    if isinstance(left, PerPerson) and isinstance(right, PerPerson):
        return _of_persons(left, right, how, condition, node)
    if isinstance(left, PerPerson) or isinstance(right, PerPerson):
        return _with_public(left, right, how, condition, node)
    facts = left.facts + (right.facts + facts_of(condition) if how != "left" else ())
    fields = right.fields if how != "left" else tuple(null_extended(f) for f in right.fields)
    return joined_in(_kind(left, right)(Join(left, right, how, condition), left.fields + fields, facts))


def _full(left: Relation, right: Relation, condition: Expr, node: exp.Expr) -> Relation:
    """FULL JOIN of relations that are not private; private ones are refused, as some rows would have no person."""
    if isinstance(left, PerPerson) or isinstance(right, PerPerson):
        why = "FULL JOIN keeps rows of both sides, and some of these would belong to no person."
        hint = "LEFT JOIN, or FULL JOIN of two subqueries that each GROUP BY the same keys"
        raise refusal(Code.JOIN, why, hint, node)
    fields = tuple(null_extended(f) for f in left.fields + right.fields)
    return joined_in(_kind(left, right)(Join(left, right, "full", condition), fields))


def _kind(left: Relation, right: Relation) -> type[Public | Released]:
    return Released if isinstance(left, Released) or isinstance(right, Released) else Public


def _with_public(left: Relation, right: Relation, how: How, condition: Expr, node: exp.Expr) -> Relation:
    if isinstance(left, Released) or isinstance(right, Released):
        raise refusal(
            Code.JOIN,
            "Private rows can't be joined with numbers that were released in the same statement.",
            "ask two questions, and compare their answers",
            node,
        )
    if isinstance(left, PerPerson) and isinstance(right, Public):
        kept = None if left.kept is None else kept_joined(left.kept, right, how, condition, node)
        return replace(_public_on_the_right(left, right, how, condition), kept=kept)
    assert isinstance(right, PerPerson) and isinstance(left, Public)  # noqa: S101  the only pair that is left
    return _public_on_the_left(left, right, how, condition, node)


def _public_on_the_left(public: Public, person: PerPerson, how: How, condition: Expr, node: exp.Expr) -> PerPerson:
    """Join a public left side: LEFT JOIN becomes an inner join, and its preserved rows become the key set."""
    fields = _settled(public, condition) + person.fields
    made = Join(public, person, "inner" if how == "left" else how, condition)
    met = _inner(person, public, made, fields, condition)
    if how == "left":
        if person.kept is not None:
            why = "Behind a public table LEFT JOIN a private one, another one can't be on the left."
            raise refusal(Code.JOIN, why, "JOIN in one of the two places", node)
        return replace(met, kept=kept_by(public, person.fields))
    return replace(met, kept=None if person.kept is None else kept_joined(person.kept, public, how, condition, node))


def _public_on_the_right(person: PerPerson, public: Public, how: How, condition: Expr) -> PerPerson:
    if how != "left":
        fields = person.fields + _settled(public, condition)
        return _inner(person, public, Join(person, public, how, condition), fields, condition)
    certain = len(pinned(public, condition, of_person)) == len(conjuncts(condition))
    padded = with_null_row(public)
    extended = tuple(replace(null_extended(f, certain), public=padded) for f in _settled(public, condition))
    one_row = person.one_row_per_person and meets_one_row(public, condition)
    return replace(
        person, operator=Join(person, public, how, condition), fields=person.fields + extended,
        one_row_per_person=one_row, max_rows=_rows_with(person, public, condition),
    )  # fmt: skip


def _inner(person: PerPerson, public: Public, made: Join, fields: tuple[Field, ...], condition: Expr) -> PerPerson:
    facts = person.facts + public.facts + facts_of(condition)
    one_row = person.one_row_per_person and meets_one_row(public, condition)
    rows = _rows_with(person, public, condition)
    return replace(person, operator=made, fields=fields, facts=facts, one_row_per_person=one_row, max_rows=rows)


def _settled(public: Public, condition: Expr) -> tuple[Field, ...]:
    """Mark public fields determined by the person: equated with something of the person, or all by a primary key."""
    met = pinned(public, condition, of_person)
    whole = covers_primary_key(public, met)
    return tuple(replace(f, of_person=True) if whole or f in met else f for f in public.fields)


def _rows_with(person: PerPerson, public: Public, condition: Expr) -> int:
    """Estimate rows per person of a join with public rows; a wrong guess costs accuracy, not privacy."""
    if meets_one_row(public, condition):
        return person.max_rows
    operator = public.operator
    met = len(operator.rows) if isinstance(operator, Values) else _USUALLY_MET
    return max(person.max_rows, min(person.max_rows * met, _USUALLY_HAD))


def _on_the_person(node: exp.Expr, person: str) -> list[str]:
    """Rewrite a join clause to USING the person key alone."""
    if not isinstance(node, exp.Join) or not isinstance(node.this, exp.Table):
        return []
    alias = f" {node.this.alias}" if node.this.alias else ""
    return [f"{node.this.name}{alias} USING ({person})"]


def _of_persons(left: PerPerson, right: PerPerson, how: How, condition: Expr, node: exp.Expr) -> PerPerson:
    if left.dataset != right.dataset:
        raise refusal(Code.JOIN, "These private tables belong to two datasets.", "ask one question of each", node)
    met = person_met(left, right, condition)
    if met is None:
        why = "Two private tables can only be joined on the person key."
        person = left.person.name or "person"
        raise refusal(
            Code.JOIN,
            why,
            f"... JOIN ... USING ({person})",
            node,
            *suggested(_on_the_person(node, person), "each row meets those of the same person alone"),
        )
    # with further conditions or a nullable left person, matches differ among one person's rows
    alone = len(conjuncts(condition)) == 1 and not met.nullable
    fields, facts = right.fields, left.facts
    if how == "left":
        fields = tuple(null_extended(f, alone) for f in fields)
    else:
        facts += right.facts + facts_of(condition)
    single = left.one_row_per_person or right.one_row_per_person
    many = right if left.one_row_per_person else left
    sides = (left, right) if single else (cut(left), cut(right))
    kept = None if left.kept is None or how != "left" else kept_with(left.kept, fields)
    return replace(
        left, operator=Join(*sides, how, condition), fields=left.fields + fields, facts=facts, kept=kept,
        one_row_per_person=left.one_row_per_person and right.one_row_per_person,
        max_rows=min(left.max_rows * right.max_rows, MOST_ROWS), timed=left.timed + right.timed,
        derived=many.derived if single else None,
    )  # fmt: skip


def person_met(left: PerPerson, right: PerPerson, condition: Expr) -> Field | None:
    """Return the left person key that a top-level equality equates with the right person key; None if none does."""
    for part in conjuncts(condition):
        if not (isinstance(part, Call) and part.name == "="):
            continue
        persons = [a.field for a in part.arguments if isinstance(a, Ref) and a.field.is_person]
        for one, other in (persons, persons[::-1]) if len(persons) == 2 else ():
            if one in left.fields and other in right.fields:
                return one
    return None


def semi_join(left: Relation, right: Relation, condition: Expr, anti: bool, node: exp.Expr) -> Relation:
    """Keep left rows with a matching right row; with `is_anti`, those without; raises Refusal with E_SUBQUERY."""
    if isinstance(left, PerPerson) and isinstance(right, PerPerson):
        return _semi_join_persons(left, right, condition, anti, node)
    if isinstance(right, PerPerson):
        why = "Only rows of people can be chosen by rows of people: anything else would tell of them without noise."
        hint = "a JOIN, and GROUP BY the public columns"
        raise refusal(Code.SUBQUERY, why, hint, node)
    if isinstance(left, PerPerson) and isinstance(right, Released):
        why = "Private rows can't be chosen by numbers that were released in the same statement."
        raise refusal(Code.SUBQUERY, why, "ask two questions", node)
    made = SemiJoin(left, right, condition, anti)
    if isinstance(left, Public) and isinstance(right, Released):
        return Released(made, left.fields, left.facts)
    return replace(left, operator=made)


def _semi_join_persons(left: PerPerson, right: PerPerson, condition: Expr, anti: bool, node: exp.Expr) -> PerPerson:
    person = _called(left)
    if left.dataset != right.dataset:
        raise refusal(Code.SUBQUERY, "These private tables belong to two datasets.", "ask one question of each", node)
    if person_met(left, right, condition) is None:
        why = "Rows of people can only be chosen by rows of the same person."
        hint = f"{person} IN (SELECT {right.person.name or person} FROM ... WHERE ...)"
        raise refusal(Code.SUBQUERY, why, hint, node)
    alone = len(conjuncts(condition)) == 1 or left.one_row_per_person or right.one_row_per_person
    sides = (left, right) if alone else (cut(left), cut(right))
    return replace(left, operator=SemiJoin(*sides, condition, anti))


def _called(relation: PerPerson) -> str:
    return relation.person.name or "the person"


def unmet(relation: Relation, condition: Expr, node: exp.Expr) -> Relation:
    """Rewrite a LEFT JOIN whose right side must be NULL to an anti join.

        a LEFT JOIN b USING (person) WHERE b.person IS NULL   ->   a ANTI JOIN b USING (person)

    The tested right column must never be NULL itself. Claim: the rows that satisfy the condition, and their values, are
    the same. Proof: proofs.md#unmet. Raises: nothing.
    """
    operator = relation.operator
    if not isinstance(relation, PerPerson) or relation.kept is not None or not isinstance(operator, Join):
        return relation
    left, right = operator.left, operator.right
    if operator.how != "left" or not isinstance(left, PerPerson) or not isinstance(right, PerPerson):
        return relation
    if _never_null(right).isdisjoint(field.id for field in _null_in(condition)):
        return relation
    alone = semi_join(left, right, operator.condition, True, node)
    behind = relation.fields[len(left.fields) :]
    nothing = tuple((field, Literal(None, field.type)) for field in behind)
    return replace(alone, operator=Project(alone, nothing), fields=relation.fields)


def _never_null(relation: Relation) -> frozenset[str]:
    return frozenset(field.id for field in relation.fields if not field.nullable)


def _null_in(condition: Expr) -> Iterator[Field]:
    """Yield the fields that are NULL in every row that satisfies a condition."""
    for part in conjuncts(condition):
        if isinstance(part, Call) and part.name == "is null" and isinstance(part.arguments[0], Ref):
            yield part.arguments[0].field
