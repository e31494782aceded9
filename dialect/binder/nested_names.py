"""What names mean inside a subquery that may name the row around it."""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import exp

from dialect.algebra.expressions import Expr, Ref
from dialect.binder.names import RowNames, Scope, column_name


@dataclass(frozen=True)
class NestedNames:
    """Names inside a subquery: its own tables first, then those around it."""

    inner: Scope
    outer: Scope

    def column(self, node: exp.Column) -> Expr:
        """Resolve a column of the subquery, else one of the outer row."""
        name, table = column_name(node)
        around = not _has(self.inner, name, table) and _has(self.outer, name, table)
        return Ref((self.outer if around else self.inner).find(name, table, node))

    def special(self, node: exp.Expr) -> Expr | None:
        """Refuse what does not belong to a row."""
        return RowNames(self.inner).special(node)


def _has(scope: Scope, name: str, table: str | None) -> bool:
    if table is not None:
        return table in {alias for alias, _ in scope.tables}
    return any(known == name for known, _ in scope.columns())
