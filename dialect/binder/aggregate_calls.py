"""A written aggregate call -> its name in the allow-list, its typed arguments, and its condition."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace

from sqlglot import exp

from dialect.algebra.directions import Direction
from dialect.algebra.expressions import NULL, Case, Expr, Literal
from dialect.binder.aggregate_order import ordered, quantile
from dialect.binder.scalars import Names, condition, scalar
from dialect.catalog.catalog import SqlType
from dialect.errors import Code, Suggestion
from dialect.functions.inference import nullable
from dialect.parser.context import only, refusal
from dialect.stability.calls import call as apply
from dialect.stability.calls import case, is_person


@dataclass(frozen=True)
class Called:
    """An aggregate call, typed."""

    name: str
    arguments: tuple[Expr, ...]
    test: Expr | None  # FILTER, and what the call itself tests
    directions: tuple[Direction, ...] = ()  # of the last arguments, by which rows are ordered


_EACH_ONCE = {"min", "max", "bool_and", "bool_or", "any_value"}  # repeats change nothing
_DISTINCT = {"sum", "avg", "list"}  # read as aggregates of their own
_ORDERED = {"first", "last", "list", "string_agg"}
_LARGEST = sys.float_info.max
_ONE, _ZERO = Literal(1, SqlType.BIGINT), Literal(0, SqlType.BIGINT)


# the type of a NULL without one, as an argument; of all others whole numbers, which have every aggregate
_NULL_AS = {
    **dict.fromkeys(("bool_and", "bool_or", "count_if"), SqlType.BOOLEAN),
    **dict.fromkeys(("list", "list_distinct", "string_agg"), SqlType.VARCHAR),
}


def aggregate_call(name: str, call: exp.Expr, test: Expr | None, names: Names, node: exp.Expr) -> Called:
    """Read the arguments of a call; `test` is its FILTER, to which what the call itself tests is added."""
    read = _called(name, call, test, names, node)
    return replace(read, arguments=_typed(read.name, read.arguments))


def _typed(name: str, arguments: tuple[Expr, ...]) -> tuple[Expr, ...]:
    """Give each NULL without a type one that the aggregate takes: an engine chooses none for it otherwise."""
    null = Literal(None, _NULL_AS.get(name, SqlType.BIGINT))
    return tuple(null if each.type is SqlType.NULL else each for each in arguments)


def _called(name: str, call: exp.Expr, test: Expr | None, names: Names, node: exp.Expr) -> Called:
    if name in {"quantile_cont", "quantile_disc"}:
        return Called(name, quantile(name, call, names), test)
    if name in _ORDERED and not isinstance(call.this, exp.Distinct):
        arguments, directions = ordered(name, call, names)
        joined = name == "string_agg" and nullable(arguments[0])
        return Called(name, arguments, _both(test, exists(arguments[0], node), node) if joined else test, directions)
    if name == "mode" and isinstance(call.this, exp.Order):  # by itself, which decides what is equally frequent
        value = scalar(call.this.this, names)
        return Called(name, (value, value), test, (Direction(descending=False, nulls_first=False),))
    apart = "separator" if name == "string_agg" else "this"  # of different values, which are refused for themselves
    only(call, "this", "expression", "big_int", "expressions", apart, code=Code.AGG)
    name, arguments = _arguments(name, call, names)
    arguments = _typed(name, arguments)
    first = arguments[0] if arguments else None
    if name == "count_if" and first is not None and first.type is SqlType.BOOLEAN:
        return Called("count_star", (), _both(test, first, node))
    if name == "sum" and first is not None and first.type is SqlType.BOOLEAN:
        return Called(name, (_as_number(first, node),), test)
    if name in {"count", "count_distinct"} and len(arguments) == 1 and isinstance(first, Case) and is_person(first):
        when, value = first.branches[0]
        return Called(name, (value,), _both(test, when, node))
    return Called(name, arguments, test)


def _arguments(name: str, call: exp.Expr, names: Names) -> tuple[str, tuple[Expr, ...]]:
    inner = call.this
    if name == "count" and _of_rows(call):
        return "count_star", ()
    if isinstance(inner, exp.Distinct):
        only(inner, "expressions", code=Code.AGG)
        if name in _EACH_ONCE and len(inner.expressions) == 1:
            return name, (scalar(inner.expressions[0], names),)
        if name in _DISTINCT and len(inner.expressions) == 1:
            return f"{name}_distinct", (scalar(inner.expressions[0], names),)
        if name != "count" or len(inner.expressions) != 1:
            counted = ", ".join(part.sql("duckdb", comments=False) for part in inner.expressions if part is not None)
            instead = Suggestion(f"COUNT(DISTINCT {counted})", "the number of different values")
            if len(inner.expressions) > 1:
                instead = Suggestion(f"COUNT(DISTINCT ({counted}))", "tuples with a NULL count too")
            why = "DISTINCT is only allowed in COUNT, of one thing or of one tuple."
            raise refusal(Code.AGG, why, instead, call, instead)
        part = inner.expressions[0].unnest()
        if isinstance(part, exp.Tuple):
            return "count_distinct", tuple(scalar(each, names) for each in part.expressions)
        return "count_distinct", (_counted(part, names),)
    parts = [part for part in (call.args.get("this"), call.args.get("expression")) if part is not None]
    if isinstance(call, exp.Anonymous | exp.AnonymousAggFunc):
        parts = list(call.expressions)
    return name, tuple(_counted(part, names) if name == "count" else scalar(part, names) for part in parts)


def _of_rows(call: exp.Expr) -> bool:
    """Tell whether a count is of rows: count(*), or DuckDB's count()."""
    if isinstance(call.this, exp.Star):
        only(call.this, code=Code.AGG)
    return isinstance(call.this, exp.Star) or (isinstance(call, exp.Count) and call.this is None)


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
            test = _both(test, exists(argument, node), node)
    return test


def exists(value: Expr, node: exp.Expr) -> Expr:
    """Write that a value is not NULL."""
    return apply("not", [apply("is null", [value], node)], node)
