"""LEFT JOIN of people's rows and WHERE right IS NULL -> the left rows that met no right row (`proofs.md#unmet`)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from sqlglot import exp

from dialect.algebra.expressions import Call, Expr, Field, Literal, Ref, conjuncts
from dialect.algebra.relations import Join, PerPerson, Project, Relation
from dialect.stability.semi_joins import semi_join


def unmet(relation: Relation, condition: Expr, node: exp.Expr) -> Relation:
    """Read a LEFT JOIN as an anti-join where a condition keeps rows in which a right column is NULL that never is.

    Claim: it has the same rows that meet the condition, with the same values. Proof: proofs.md#unmet. Raises: nothing.
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
    """Walk the fields that are NULL in every row that meets a condition."""
    for part in conjuncts(condition):
        if isinstance(part, Call) and part.name == "is null" and isinstance(part.arguments[0], Ref):
            yield part.arguments[0].field
