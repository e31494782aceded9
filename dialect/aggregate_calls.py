"""A written aggregate call -> its name in the allow-list, its typed arguments, and its condition."""

from __future__ import annotations

import sys

from sqlglot import exp

from dialect.calls import call as apply
from dialect.calls import case, is_person
from dialect.catalog import SqlType
from dialect.errors import Code
from dialect.expressions import NULL, Case, Expr, Literal
from dialect.inference import nullable
from dialect.reading import only, refusal
from dialect.scalars import Names, condition, scalar

Called = tuple[str, tuple[Expr, ...], Expr | None]
_EACH_ONCE = {"min", "max", "bool_and", "bool_or"}  # repeats change nothing
_LARGEST = sys.float_info.max
_ONE, _ZERO = Literal(1, SqlType.BIGINT), Literal(0, SqlType.BIGINT)


def aggregate_call(name: str, call: exp.Expr, test: Expr | None, names: Names, node: exp.Expr) -> Called:
    """Read the arguments of a call; `test` is its FILTER, to which what the call itself tests is added."""
    only(call, "this", "expression", "big_int", code=Code.AGG)
    if name == "quantile_cont":
        return name, _quantile(call, names), test
    name, arguments = _arguments(name, call, names)
    first = arguments[0] if arguments else None
    if name == "count_if" and first is not None and first.type is SqlType.BOOLEAN:
        return "count_star", (), _both(test, first, node)
    if name == "sum" and first is not None and first.type is SqlType.BOOLEAN:
        return name, (_as_number(first, node),), test
    if name in {"count", "count_distinct"} and len(arguments) == 1 and isinstance(first, Case) and is_person(first):
        when, value = first.branches[0]
        return name, (value,), _both(test, when, node)
    return name, arguments, test


def _arguments(name: str, call: exp.Expr, names: Names) -> tuple[str, tuple[Expr, ...]]:
    inner = call.this
    if isinstance(inner, exp.Star) and name == "count":
        only(inner, code=Code.AGG)
        return "count_star", ()
    if isinstance(inner, exp.Distinct):
        only(inner, "expressions", code=Code.AGG)
        if name in _EACH_ONCE and len(inner.expressions) == 1:
            return name, (scalar(inner.expressions[0], names),)
        if name != "count" or len(inner.expressions) != 1:
            counted = ", ".join(part.sql("duckdb", comments=False) for part in inner.expressions)
            instead = f"COUNT(DISTINCT ({counted}))" if len(inner.expressions) > 1 else f"COUNT(DISTINCT {counted})"
            why = "DISTINCT is only allowed in COUNT, of one thing or of one tuple."
            raise refusal(Code.AGG, why, instead, call, instead)
        part = inner.expressions[0].unnest()
        if isinstance(part, exp.Tuple):
            return "count_distinct", tuple(scalar(each, names) for each in part.expressions)
        return "count_distinct", (_counted(part, names),)
    parts = [part for part in (call.args.get("this"), call.args.get("expression")) if part is not None]
    return name, tuple(_counted(part, names) if name == "count" else scalar(part, names) for part in parts)


def _quantile(call: exp.Expr, names: Names) -> tuple[Expr, ...]:
    """Read QUANTILE_CONT(x, 0.25), or PERCENTILE_CONT(0.25) WITHIN GROUP (ORDER BY x)."""
    if not isinstance(call, exp.WithinGroup):
        level, value = call.args.get("expression"), call.this
        return (scalar(value, names), _level(level, False, call, names))
    only(call.this, "this", code=Code.AGG)
    only(call.expression, "expressions", code=Code.AGG)
    if len(call.expression.expressions) != 1:
        raise refusal(Code.AGG, "A quantile is of one thing.", "PERCENTILE_CONT(0.5) WITHIN GROUP (ORDER BY x)", call)
    (term,) = call.expression.expressions
    only(term, "this", "desc", "nulls_first", code=Code.AGG)
    return (scalar(term.this, names), _level(call.this.this, bool(term.args.get("desc")), call, names))


def _level(node: exp.Expr | None, descending: bool, call: exp.Expr, names: Names) -> Literal:
    typed = scalar(node, names) if node is not None and not isinstance(node, exp.Array) else None
    value = typed.value if isinstance(typed, Literal) else None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        why = "The level of a quantile is one number from 0 to 1."
        raise refusal(Code.PARAM, why, "QUANTILE_CONT(x, 0.25)", call)
    return Literal(1.0 - value if descending else float(value), SqlType.DOUBLE)


def _counted(node: exp.Expr, names: Names) -> Expr:
    """Type what is counted; CASE WHEN .. THEN person END is how analysts count the persons for whom something holds."""
    if isinstance(node, exp.Case) and node.args.get("this") is None and node.args.get("default") is None:
        branches = node.args["ifs"]
        if len(branches) == 1 and isinstance(branches[0].args["true"], exp.Column):
            value = scalar(branches[0].args["true"], names)
            if is_person(value):
                return Case(((condition(branches[0].this, names), value),), Literal(None, SqlType.NULL), value.type)
    return scalar(node, names)


def _as_number(test: Expr, node: exp.Expr) -> Expr:
    """Write a condition as 1 or 0, and NULL where it is NULL: the sum of a condition counts where it is true."""
    if not nullable(test):
        return case([(test, _ONE)], _ZERO, node)
    return case([(test, _ONE), (apply("not", [test], node), _ZERO)], NULL, node)


def _both(test: Expr | None, other: Expr, node: exp.Expr) -> Expr:
    return other if test is None else apply("and", [test, other], node)


def both_exist(arguments: tuple[Expr, ...], test: Expr | None, node: exp.Expr) -> Expr | None:
    """Add to a condition that every argument is a number: pairs count where both are."""
    for argument in arguments:
        if argument.type is SqlType.DOUBLE:  # NULL and NaN are within no ends, infinities beyond them
            test = _both(test, apply(">=", [argument, Literal(-_LARGEST, SqlType.DOUBLE)], node), node)
            test = _both(test, apply("<=", [argument, Literal(_LARGEST, SqlType.DOUBLE)], node), node)
        elif nullable(argument):
            test = _both(test, apply("not", [apply("is null", [argument], node)], node), node)
    return test
