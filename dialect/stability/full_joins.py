"""FULL JOIN of private relations: a UNION ALL of the LEFT JOIN and the unmatched right rows (`proofs.md#full-joins`).

Also the entry point for joins of any kind over two relations.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlglot import exp

from dialect.algebra.expressions import Expr, Field, Literal, Ref
from dialect.algebra.relations import How, PerPerson, Relation, SetOperation
from dialect.errors import Code
from dialect.parser.context import Reading, refusal
from dialect.stability.joins import join, semi_join
from dialect.stability.row_operators import compute
from dialect.stability.set_operations import column_of, combined


def full_join(
    left: PerPerson, right: PerPerson, condition: Expr, node: exp.Join, reading: Reading
) -> tuple[Relation, Mapping[str, Field], Field]:
    """Build a FULL JOIN as a union of the LEFT JOIN and the anti-joined right side; raises Refusal with E_JOIN.

    Returns the relation, the output field of each field id of both sides, and the person field of every row.
    """
    if left.kept is not None or right.kept is not None:
        why = "FULL JOIN has no rows for what a public table LEFT JOIN a private one keeps where nobody's row matched."
        raise refusal(Code.JOIN, why, "JOIN in place of LEFT JOIN", node)
    both, alone = join(left, right, "left", condition, node), semi_join(right, left, condition, True, node)
    pairs: list[tuple[Expr, Expr]] = [(Ref(f), Literal(None, f.type)) for f in both.fields[: len(left.fields)]]
    pairs += [(Ref(f), Ref(g)) for f, g in zip(both.fields[len(left.fields) :], alone.fields, strict=True)]
    pairs.append((Ref(left.person), Ref(right.person)))
    one, lefts = compute(both, [a for a, _ in pairs], reading)
    other, rights = compute(alone, [b for _, b in pairs], reading)
    names = [f.name for f in (*both.fields, left.person)]
    columns = tuple(
        (a, b, column_of(reading.fresh(), name, (a, b), (one, other)))
        for name, a, b in zip(names, lefts, rights, strict=True)
    )
    relation = combined(SetOperation(one, other, "union", False, columns))
    made = [field for *_, field in columns]
    return relation, {f.id: standing for f, standing in zip(both.fields, made, strict=False)}, made[-1]


@dataclass(frozen=True)
class Joined:
    """Result of a join."""

    relation: Relation
    standing: Mapping[str, Field]  # id of a field of either side -> field in the result
    person: Field | None = None  # after a FULL JOIN of private relations: the person of every row


def joined(left: Relation, right: Relation, how: How, condition: Expr, node: exp.Join, reading: Reading) -> Joined:
    """Join two relations of any kinds; raises Refusal with E_JOIN."""
    if how == "full" and isinstance(left, PerPerson) and isinstance(right, PerPerson):
        return Joined(*full_join(left, right, condition, node, reading))
    relation = join(left, right, how, condition, node)
    return Joined(relation, {f.id: f for f in relation.fields})
