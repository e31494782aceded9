"""Aggregates that take an order, a separator or a level: their arguments, and how the last of them order the rows."""

from __future__ import annotations

from sqlglot import exp

from dialect.algebra.directions import Direction
from dialect.algebra.expressions import Expr, Literal, expand, fields_of
from dialect.binder.scalars import Names, scalar
from dialect.catalog.catalog import SqlType
from dialect.errors import Code, Suggestion
from dialect.parser.context import only, refusal

Ordered = tuple[tuple[Expr, ...], tuple[Direction, ...]]
_ROWS = {"first", "last"}  # which row, only an order says
_IN_ORDER = {*_ROWS, "list", "list_distinct", "mode", "string_agg"}  # written with an order by what they are of


def ordered(name: str, call: exp.Expr, names: Names) -> Ordered:
    """Read FIRST(x ORDER BY t), LIST(x), STRING_AGG(x, ',' ORDER BY t DESC)."""
    only(call, "this", "separator", code=Code.AGG)
    inner = call.this
    terms = inner.expressions if isinstance(inner, exp.Order) else []
    value = inner.this if isinstance(inner, exp.Order) else inner
    if value is None or (isinstance(value, exp.Distinct) and not any(value.expressions)):
        raise refusal(Code.AGG, f"{name.upper()} takes something to put in order.", f"{name.upper()}(x)", call)
    if isinstance(value, exp.Distinct):
        why = "DISTINCT and an order of other things do not go together here."
        each = f"{name.upper()}({value.sql('duckdb', comments=False)})"
        raise refusal(
            Code.AGG, why, "LIST(DISTINCT x)", call, Suggestion(each, "in the order of the values themselves")
        )
    if name in _ROWS and not terms:
        text = value.sql("duckdb", comments=False)
        why = f"{name.upper()} needs an order: rows have none of their own."
        instead = Suggestion(f"{name.upper()}({text} ORDER BY {text})", f"in the order of {text}: name your own")
        raise refusal(Code.AGG, why, instead, call, instead)
    arguments = (scalar(value, names), *((_separator(call, names),) if name == "string_agg" else ()))
    keys = tuple(scalar(_term(term), names) for term in terms)
    directions = tuple(Direction(bool(t.args.get("desc")), bool(t.args.get("nulls_first"))) for t in terms)
    return (*arguments, *keys), directions


def in_its_own_order(call: exp.Expr) -> exp.Expr:
    """Read MODE() WITHIN GROUP (ORDER BY x) as MODE(x); leave MODE(x ORDER BY x), the least of several."""
    within = isinstance(call, exp.WithinGroup) and isinstance(call.this, exp.Mode) and call.this.this is None
    order = call.expression if within else call.this if isinstance(call, exp.Mode) else None
    if not isinstance(order, exp.Order):
        return call
    first = order.expressions[0]
    value = first.this if within else order.this
    plain = exp.Mode(this=value.copy())
    if len(order.expressions) > 1 or first.this != value or first.args.get("desc"):
        why = "Of values that are equally frequent a hash of the person decides, or MODE(x ORDER BY x) the least."
        instead = Suggestion(plain.sql("duckdb", comments=False), "another of equally frequent values may be given")
        raise refusal(Code.AGG, why, instead, call, instead)
    plain.parent = call.parent
    return plain if within else call


def check_varying(name: str, arguments: tuple[Expr, ...], directions: tuple[Direction, ...], call: exp.Expr) -> None:
    """Refuse a constant where rows are put in order: DuckDB binds none there, whatever the rows are."""
    if name not in _IN_ORDER:
        return
    of_rows = (arguments[0], *arguments[len(arguments) - len(directions) :])
    if any(not any(fields_of(expand(each))) for each in of_rows):
        shown = name.removesuffix("_distinct").upper()
        why = f"{shown} puts rows in order, and a constant is the same in every row."
        raise refusal(Code.AGG, why, f"{shown} of a column, in the order of columns", call)


def _term(term: exp.Expr) -> exp.Expr:
    only(term, "this", "desc", "nulls_first", code=Code.AGG)
    inner: exp.Expr = term.this
    return inner


def _separator(call: exp.Expr, names: Names) -> Literal:
    written = call.args.get("separator")
    found = Literal(",", SqlType.VARCHAR) if written is None else scalar(written, names)
    if not isinstance(found, Literal) or found.type is not SqlType.VARCHAR or found.value is None:
        raise refusal(Code.AGG, "What stands between joined texts is a constant.", "STRING_AGG(x, ', ')", call)
    return found


def quantile(name: str, call: exp.Expr, names: Names) -> tuple[Expr, ...]:
    """Read QUANTILE_CONT(x, 0.25), or PERCENTILE_CONT(0.25) WITHIN GROUP (ORDER BY x); _DISC alike."""
    if not isinstance(call, exp.WithinGroup):
        only(call, "this", "expression", "quantile", code=Code.AGG)
        level, value = call.args.get("expression") or call.args.get("quantile"), call.this
        at = _level(level, False, name, call, names)  # of nothing there is no level either
        return (scalar(value, names), at)
    only(call.this, "this", code=Code.AGG)
    only(call.expression, "expressions", code=Code.AGG)
    if len(call.expression.expressions) != 1:
        raise refusal(Code.AGG, "A quantile is of one thing.", "PERCENTILE_CONT(0.5) WITHIN GROUP (ORDER BY x)", call)
    (term,) = call.expression.expressions
    value, descending = _term(term), bool(term.args.get("desc"))
    if descending and name == "quantile_disc":
        why = "PERCENTILE_DISC is read from below."
        raise refusal(Code.AGG, why, "PERCENTILE_DISC(0.75) WITHIN GROUP (ORDER BY x)", call)
    return (scalar(value, names), _level(call.this.this, descending, name, call, names))


def _level(node: exp.Expr | None, descending: bool, name: str, call: exp.Expr, names: Names) -> Literal:
    if isinstance(node, exp.Array):
        raise _one_each(node, name, call)
    typed = scalar(node, names) if node is not None else None
    value = typed.value if isinstance(typed, Literal) else None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        why = "The level of a quantile is one number from 0 to 1."
        raise refusal(Code.PARAM, why, "QUANTILE_CONT(x, 0.25)", call)
    return Literal(1.0 - value if descending else float(value), SqlType.DOUBLE)


def _one_each(levels: exp.Array, name: str, call: exp.Expr) -> Exception:
    """Write one call per level: they cost no more than one."""
    value = call.expression.expressions[0].this if isinstance(call, exp.WithinGroup) else call.this
    text = value.sql("duckdb", comments=False)
    calls = ", ".join(f"{name.upper()}({text}, {level.sql('duckdb', comments=False)})" for level in levels.expressions)
    why = "One call gives one quantile; several levels of one value cost what one costs."
    return refusal(
        Code.AGG, why, calls or f"{name.upper()}({text}, 0.5)", call, Suggestion(calls, "a column for each level")
    )
