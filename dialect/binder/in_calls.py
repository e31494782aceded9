"""IN with a list, and IN of rows of values -> calls of the allow-list."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce

from sqlglot import exp

from dialect.algebra.expressions import Expr
from dialect.errors import Code
from dialect.parser.context import only, refusal
from dialect.stability.calls import call

Read = Callable[[exp.Expr], Expr]


def in_call(node: exp.Expr, read: Read) -> Expr | None:
    """Read `x IN some_list` and `(a, b) IN ((1, 2), (3, 4))`; None for IN with values."""
    if node.args.get("field") is not None:
        only(node, "this", "field", code=Code.FUNC)
        return call("list_contains", [read(node.args["field"]), read(node.this)], node)
    return _rows(node, read) if isinstance(node.this, exp.Tuple) and node.args.get("query") is None else None


def _rows(node: exp.Expr, read: Read) -> Expr:
    """Compare a row with rows, value by value: as in DuckDB NULL is NULL there, and the answer is never NULL."""
    only(node, "this", "expressions", code=Code.FUNC)
    values = [read(part) for part in node.this.expressions]
    return reduce(
        lambda one, other: call("or", [one, other], node), [_same(values, row, read) for row in node.expressions]
    )


def _same(values: list[Expr], row: exp.Expr, read: Read) -> Expr:
    if not isinstance(row, exp.Tuple) or len(row.expressions) != len(values):
        why = "The rows of IN have as many values as the row that is looked for."
        raise refusal(Code.FUNC, why, "(a, b) IN ((1, 2), (3, 4))", row)
    pairs = zip(values, row.expressions, strict=True)
    tests = [call("is not distinct from", [value, read(part)], row) for value, part in pairs]
    return reduce(lambda one, other: call("and", [one, other], row), tests)
