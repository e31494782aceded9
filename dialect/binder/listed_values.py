"""VALUES in FROM -> a public relation of constants."""

from __future__ import annotations

from sqlglot import exp

from dialect.algebra.expressions import Field, Literal
from dialect.algebra.relations import Public, Values
from dialect.binder.names import RowNames, Scope
from dialect.binder.scalars import scalar
from dialect.catalog.catalog import SqlType
from dialect.errors import Code
from dialect.parser.context import Reading, only, refusal


def listed_values(node: exp.Values, reading: Reading) -> Public:
    """Read VALUES into a public relation; raises Refusal with E_TABLE."""
    only(node, "expressions", "alias", code=Code.TABLE)
    rows = [[constant(cell) for cell in row.expressions] for row in node.expressions if isinstance(row, exp.Tuple)]
    if len(rows) != len(node.expressions) or not rows or any(len(row) != len(rows[0]) for row in rows):
        raise refusal(Code.TABLE, "Every row of VALUES has the same number of constants.", "VALUES (1, 'a')", node)
    fields = []
    for position in range(len(rows[0])):
        column = [row[position] for row in rows]
        fields.append(Field(reading.fresh(), f"col{position}", listed_column(column, node), _has_null(column)))
    return Public(Values(tuple(tuple(row) for row in rows), tuple(fields)), tuple(fields))


def listed_column(column: list[Literal], node: exp.Expr) -> SqlType:
    """Find the one type of constants that stand in one column; raises Refusal with E_TABLE."""
    kinds = {cell.type for cell in column} - {SqlType.NULL}
    if len(kinds) > 1 and kinds != {SqlType.BIGINT, SqlType.DOUBLE}:
        raise refusal(Code.TABLE, "A column of VALUES has one type.", "VALUES (1), (2)", node)
    return SqlType.DOUBLE if len(kinds) > 1 else next(iter(kinds), SqlType.NULL)


def _has_null(column: list[Literal]) -> bool:
    return any(cell.value is None for cell in column)


def constant(node: exp.Expr) -> Literal:
    """Read an expression of constants; raises Refusal with E_TABLE for any other."""
    typed = scalar(node, RowNames(Scope()))
    if not isinstance(typed, Literal):
        raise refusal(Code.TABLE, "VALUES holds constants.", "VALUES (1, 'a')", node)
    return typed
