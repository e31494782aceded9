"""Two relations of any kind, and a JOIN of any sort -> one relation, and what stands in it for the fields of both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlglot import exp

from dialect.algebra.expressions import Expr, Field
from dialect.algebra.relations import How, PerPerson, Relation
from dialect.parser.context import Reading
from dialect.stability.full_joins import full_join
from dialect.stability.joins import join


@dataclass(frozen=True)
class Joined:
    """What a join gives."""

    relation: Relation
    standing: Mapping[str, Field]  # id of a field of either side -> what stands for it now
    person: Field | None = None  # behind FULL JOIN of people's rows: of every row, whichever side it comes from


def joined(left: Relation, right: Relation, how: How, condition: Expr, node: exp.Join, reading: Reading) -> Joined:
    """Join two relations; raises Refusal with E_JOIN."""
    if how == "full" and isinstance(left, PerPerson) and isinstance(right, PerPerson):
        return Joined(*full_join(left, right, condition, node, reading))
    relation = join(left, right, how, condition, node)
    return Joined(relation, {f.id: f for f in relation.fields})
