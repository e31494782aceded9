"""How rows are ordered: by one of an aggregate's arguments, or by a term of an ORDER BY."""

from __future__ import annotations

from dataclasses import dataclass

from dialect.algebra.expressions import Expr


@dataclass(frozen=True)
class Direction:
    """Which end comes first."""

    descending: bool
    nulls_first: bool


@dataclass(frozen=True)
class OrderKey:
    """One term of an ORDER BY."""

    expr: Expr
    descending: bool
    nulls_first: bool
