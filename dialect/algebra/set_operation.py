"""UNION, INTERSECT and EXCEPT: the operator over two relations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Literal as OneOf

from dialect.algebra.expressions import Field

if TYPE_CHECKING:
    from dialect.algebra.relations import Relation

How = OneOf["union", "intersect", "except"]


@dataclass(frozen=True)
class SetOperation:
    """Rows of two relations, column by column: of both, those that both have, or those that only the left has."""

    left: Relation
    right: Relation
    how: How
    distinct: bool  # without: ALL
    columns: tuple[tuple[Field, Field, Field], ...]  # left, right, and what holds both
