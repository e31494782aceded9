"""Rows chosen by whether others meet them: people's by their own or by public ones (`proofs.md#semi-joins`)."""

from __future__ import annotations

from dataclasses import replace

from sqlglot import exp

from dialect.algebra.cuts import cut
from dialect.algebra.expressions import Expr, conjuncts
from dialect.algebra.relations import PerPerson, Public, Relation, Released, SemiJoin
from dialect.errors import Code
from dialect.parser.context import refusal
from dialect.stability.joins import person_met


def semi_join(left: Relation, right: Relation, condition: Expr, anti: bool, node: exp.Expr) -> Relation:
    """Keep the left rows that meet a right row, or with `anti` those that meet none; raises Refusal with E_SUBQUERY."""
    if isinstance(left, PerPerson) and isinstance(right, PerPerson):
        return _of_persons(left, right, condition, anti, node)
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


def _of_persons(left: PerPerson, right: PerPerson, condition: Expr, anti: bool, node: exp.Expr) -> PerPerson:
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
