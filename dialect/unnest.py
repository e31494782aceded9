"""UNNEST: the operator over a relation, and how many rows it makes of one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dialect.expressions import Call, Expr, Field

if TYPE_CHECKING:
    from dialect.relations import Relation

MOST_MEMBERS = 1_000  # of one row's list: a list may hold what many rows do, and work is bounded by public numbers
LISTED = "list_value"  # a list that is written out: [a, b]


@dataclass(frozen=True)
class Unnest:
    """The source's rows, each once for every member of a list of its own, the first `MOST_MEMBERS` of them."""

    source: Relation
    members: Expr  # a list, of the row alone
    member: Field  # what holds a member above
    stays: bool  # a row whose list is empty or NULL stays, with NULL


def members_of(members: Expr) -> int:
    """Bound the members of a list that count."""
    return len(members.arguments) if isinstance(members, Call) and members.name == LISTED else MOST_MEMBERS
