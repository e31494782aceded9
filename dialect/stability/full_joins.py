"""FULL JOIN of private relations: a UNION ALL of the LEFT JOIN and the unmatched right rows (`proofs.md#full-joins`).

Also the entry point for joins of any kind over two relations. The preserved side of a private relation is the public
rows of `public LEFT JOIN private` that appear in the answer also where no private row matches.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlglot import exp

from dialect.algebra.expressions import Expr, Field, Literal, Ref
from dialect.algebra.relations import JoinKind, PerPerson, Relation, SetOperation
from dialect.diagnostics.kinds import Kind
from dialect.parser.compile_context import CompileContext, refusal
from dialect.stability.joins import join, semi_join
from dialect.stability.row_operators import project
from dialect.stability.set_operations import output_column, type_set_operation


def full_join(
    left: PerPerson, right: PerPerson, condition: Expr, node: exp.Join, context: CompileContext
) -> tuple[Relation, Mapping[str, Field], Field]:
    """Build a FULL JOIN as a union of the LEFT JOIN and the anti-joined right side; raises Refusal with E_JOIN.

        SELECT l.*, r.*, l.person FROM l LEFT JOIN r ON ...
        UNION ALL SELECT NULL, r.*, r.person FROM r ANTI JOIN l ON ...

    Returns the relation; id of a field of either side -> its output field; and the person field of every row, which is
    the last column and has no name in the query.
    """
    if left.preserved_side is not None or right.preserved_side is not None:
        raise refusal(Kind.FULL_JOIN_OF_PRESERVED, node)
    left_join, unmatched = join(left, right, "left", condition, node), semi_join(right, left, condition, True, node)
    pairs: list[tuple[Expr, Expr]] = [(Ref(f), Literal(None, f.type)) for f in left_join.fields[: len(left.fields)]]
    pairs += [(Ref(f), Ref(g)) for f, g in zip(left_join.fields[len(left.fields) :], unmatched.fields, strict=True)]
    pairs.append((Ref(left.person), Ref(right.person)))
    left_rows, lefts = project(left_join, [a for a, _ in pairs], context)
    right_rows, rights = project(unmatched, [b for _, b in pairs], context)
    names = [f.name for f in (*left_join.fields, left.person)]
    columns = tuple(
        (a, b, output_column(context.new_field_id(), name, (a, b), (left_rows, right_rows)))
        for name, a, b in zip(names, lefts, rights, strict=True)
    )
    relation = type_set_operation(SetOperation(left_rows, right_rows, "union", False, columns))
    output = [field for *_, field in columns]
    return relation, {f.id: standing for f, standing in zip(left_join.fields, output, strict=False)}, output[-1]


@dataclass(frozen=True)
class JoinResult:
    """Result of a join."""

    relation: Relation
    output_fields: Mapping[str, Field]  # id of a field of either side -> field in the result
    person: Field | None = None  # after a FULL JOIN of private relations: the person of every row


def join_relations(
    left: Relation, right: Relation, kind: JoinKind, condition: Expr, node: exp.Join, context: CompileContext
) -> JoinResult:
    """Join two relations of any kinds; raises Refusal with E_JOIN. A FULL JOIN of two private ones becomes a union."""
    if kind == "full" and isinstance(left, PerPerson) and isinstance(right, PerPerson):
        return JoinResult(*full_join(left, right, condition, node, context))
    relation = join(left, right, kind, condition, node)
    return JoinResult(relation, {f.id: f for f in relation.fields})
