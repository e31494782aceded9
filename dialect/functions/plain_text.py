"""An expression -> what people call it, and what norms by keys are declared for."""

from __future__ import annotations

from dialect.algebra.expressions import Case, Expr, Literal, Ref
from dialect.functions.functions import function


def plain_text(expr: Expr) -> str:
    """Write an expression for people and for norms by keys: hour(started_at), cast(started_at as date)."""
    if isinstance(expr, Ref):
        field_ = expr.field
        if field_.definition is not None:
            return plain_text(field_.definition)
        return field_.origin.column if field_.origin is not None else field_.name or "value"
    if isinstance(expr, Literal):
        return repr(expr.value) if isinstance(expr.value, str) else str(expr.value).lower()
    if isinstance(expr, Case):
        return "case ... end"
    name = function(expr.function).name
    parts = [plain_text(argument) for argument in expr.arguments]
    if name in {"to_date", "to_timestamp"}:
        return f"cast({parts[0]} as {name[3:]})"
    if name == "wall":
        return parts[0]
    return f"{name}({', '.join(parts)})" if name[0].isalpha() else f"({f' {name} '.join(parts)})"
