"""Bind syntax nodes to typed row expressions: names resolved, every part of a node checked, constants parsed.

Each node class has a binder here, a row in the allow-list (`dialect.functions.registry`) or a call with flags and
units (`dialect.binder.special_calls`); all others are refused. A slot is sqlglot's name of a node's part.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from sqlglot import exp

from dialect.algebra.expressions import NULL, Call, Case, Expr, Literal, expand_definitions, fields_of
from dialect.binder.special_calls import (
    LIST_TESTS,
    NAMED_CALLS,
    TEXT_CALLS,
    TIME_CALLS,
    bind_in_list,
    bind_list_test,
    is_polygon_call,
    like_escape,
    point_and_polygon,
)
from dialect.catalog.model import SqlType
from dialect.diagnostics.kinds import Kind
from dialect.errors import Code
from dialect.functions import literals
from dialect.functions.registry import (
    CAST_TYPES,
    NODE_FUNCTIONS,
    OTHER_NAMES,
    OVERLOADS_BY_NAME,
    callable_names,
    may_be_null,
)
from dialect.parser.compile_context import check_parts, refusal
from dialect.stability.typed_calls import apply_function, build_case, polygon_refusal, syntax_refusal, tilde_refusal

_CALLS = TIME_CALLS | TEXT_CALLS
_BOOLEAN_TYPES = (SqlType.BOOLEAN, SqlType.NULL)
_CAST_TYPES = CAST_TYPES | {"INTERVAL": (SqlType.INTERVAL, "to_interval")}  # from constant text only
# parts that sqlglot always sets, with the meaning that the function has in DuckDB
_IMPLIED_PARTS: dict[type[exp.Expr], tuple[str, ...]] = {
    exp.Concat: ("safe", "coalesce"),  # concat skips NULLs
    exp.ConcatWs: ("safe", "coalesce"),
    exp.DPipe: ("safe",),
    exp.Least: ("ignore_nulls",),
    exp.Greatest: ("ignore_nulls",),
    exp.DateDiff: ("date_part_boundary",),  # boundaries crossed, not whole units
    exp.Literal: ("is_string", "_type"),
}


class NameResolver(Protocol):
    """Name resolution in one clause: what columns, aggregates and subqueries refer to."""

    def resolve_column(self, node: exp.Column) -> Expr:
        """Resolve a column."""
        ...

    def bind_special(self, node: exp.Expr) -> Expr | None:
        """Bind a node that has its own meaning in this clause, e.g. an aggregate or a group key; None for others."""
        ...


_DEFAULT_PRECISION_AND_SCALE = [Literal(18, SqlType.BIGINT), Literal(3, SqlType.BIGINT)]


def bind_scalar(node: exp.Expr, resolver: NameResolver) -> Expr:
    """Typed expression of a syntax node; raises Refusal for a function outside the allow-list.

    The clause's own meaning comes first (`resolver`), e.g. of an expression that is a group key; then constants,
    columns, and the binders of node classes.
    """
    special = resolver.bind_special(node)
    if special is not None:
        return special
    if isinstance(node, exp.Column):
        column = resolver.resolve_column(node)
        if column.type is SqlType.POLYGON:
            raise polygon_refusal(node)
        return column
    literal = literals.parse_constant(node)
    if literal is not None:
        return literal
    if isinstance(node, _COMPARISONS):
        node = _read_on_clock(node, resolver)
    binder = _BINDERS.get(type(node))
    if binder is not None:
        return binder(node, resolver)
    if type(node) in _CALLS:
        allowed_parts, slots, make = _CALLS[type(node)]
        _check_parts(node, *allowed_parts)
        return make(node, [bind_scalar(part, resolver) for part in _argument_nodes(node, slots)])
    if type(node) in NODE_FUNCTIONS:
        name, slots = NODE_FUNCTIONS[type(node)]
        _check_parts(node, *slots)
        return apply_function(name, [bind_scalar(part, resolver) for part in _argument_nodes(node, slots)], node)
    raise syntax_refusal(node)


def bind_condition(node: exp.Expr, resolver: NameResolver) -> Expr:
    """Bind an expression that must be boolean; raises Refusal for other types."""
    typed = bind_scalar(node, resolver)
    if typed.type not in _BOOLEAN_TYPES:
        raise refusal(Kind.CONDITION_NOT_BOOLEAN, node)
    return typed


def _check_parts(node: exp.Expr, *allowed: str) -> None:
    """Refuse a node with parts other than those named here and those that sqlglot always sets."""
    check_parts(node, *allowed, *_IMPLIED_PARTS.get(type(node), ()), code=Code.FUNC)


def _argument_nodes(node: exp.Expr, slots: Sequence[str]) -> list[exp.Expr]:
    """Nodes in these argument slots, in order."""
    found: list[exp.Expr] = []
    for slot in slots:
        part = node.args.get(slot)
        found.extend(part if isinstance(part, list) else [part] if part is not None else [])
    return found


# ---------------------------------------------------------------- nodes with a binder of their own


def _paren(node: exp.Expr, resolver: NameResolver) -> Expr:
    """Bind an expression in parentheses."""
    _check_parts(node, "this")
    return bind_scalar(node.this, resolver)


def _anonymous(node: exp.Expr, resolver: NameResolver) -> Expr:
    """Bind a call of a function that sqlglot has no node class for.

    A name that is only an operator of the allow-list, or unknown, is looked up as `name()`, which never exists: so it
    is refused as a function.
    """
    name = str(node.this).lower()
    name = OTHER_NAMES.get(name, name)
    if name in LIST_TESTS and len(node.expressions) == 2:
        return bind_list_test(LIST_TESTS[name], bind_scalar(node.expressions[0], resolver), node.expressions[1], node)
    if is_polygon_call(node):
        lon, lat, shape = point_and_polygon(node)
        polygon = resolver.resolve_column(shape) if isinstance(shape, exp.Column) else bind_scalar(shape, resolver)
        return apply_function("within_polygon", [bind_scalar(lon, resolver), bind_scalar(lat, resolver), polygon], node)
    arguments = [bind_scalar(part, resolver) for part in node.expressions]
    if name in NAMED_CALLS:
        return NAMED_CALLS[name](node, arguments)
    if name == "iff" and len(arguments) in (2, 3):
        return build_case([(bind_condition(node.expressions[0], resolver), arguments[1])], (*arguments, NULL)[2], node)
    is_allowed = name in callable_names() and (name.isidentifier() or name in OTHER_NAMES.values())
    return apply_function(name if is_allowed else f"{name}()", arguments, node)


def _log(node: exp.Expr, resolver: NameResolver) -> Expr:
    """Bind log(x), which is log10, and log(base, x); constant bases 2 and 10 have functions of their own."""
    _check_parts(node, "this", "expression")
    first = bind_scalar(node.this, resolver)
    if node.args.get("expression") is None:
        return apply_function("log10", [first], node)
    value = bind_scalar(node.expression, resolver)
    if isinstance(first, Literal) and first.value in (2, 10):
        return apply_function(f"log{first.value}", [value], node)
    return apply_function("log", [first, value], node)


def _escape(node: exp.Expr, resolver: NameResolver) -> Expr:
    """Bind LIKE ... ESCAPE."""
    _check_parts(node, "this", "expression")
    like = node.this
    if not isinstance(like, exp.Like | exp.ILike):
        raise refusal(Kind.ESCAPE_WITHOUT_LIKE, node)
    _check_parts(like, "this", "expression", "negate")
    return like_escape(node, *(bind_scalar(part, resolver) for part in (like.this, like.expression, node.expression)))


def _bitwise_not(node: exp.Expr, resolver: NameResolver) -> Expr:
    """Bind ~x; refuse it before an operator: in ~x + 1 DuckDB negates x + 1, sqlglot only x."""
    _check_parts(node, "this")
    if isinstance(node.parent, exp.Add | exp.Sub | exp.Mul | exp.Div | exp.IntDiv | exp.Mod | exp.Pow):
        raise tilde_refusal(node)
    return apply_function("~", [bind_scalar(node.this, resolver)], node)


def _list_test(node: exp.Expr, resolver: NameResolver) -> Expr:
    """Bind list_has_any and list_has_all."""
    _check_parts(node, "this", "expression")
    connective = "and" if isinstance(node, exp.ArrayContainsAll) else "or"
    return bind_list_test(connective, bind_scalar(node.this, resolver), node.expression, node)


def _between(node: exp.Expr, resolver: NameResolver) -> Expr:
    """Bind BETWEEN as two comparisons."""
    _check_parts(node, "this", "low", "high")
    value, low, high = (bind_scalar(node.args[slot], resolver) for slot in ("this", "low", "high"))
    return apply_function(
        "and", [apply_function(">=", [value, low], node), apply_function("<=", [value, high], node)], node
    )


def _in(node: exp.Expr, resolver: NameResolver) -> Expr:
    """Bind IN with values, a list column or rows of values; refuse a subquery, which a clause would have bound."""
    if node.args.get("query") is not None:
        raise refusal(Kind.SUBQUERY_TEST_HERE, node)
    list_test = bind_in_list(node, lambda part: bind_scalar(part, resolver))
    if list_test is not None:
        return list_test
    _check_parts(node, "this", "expressions")
    value, options = bind_scalar(node.this, resolver), [bind_scalar(part, resolver) for part in node.expressions]
    return apply_function("in", [value, *options], node)


def _is(node: exp.Expr, resolver: NameResolver) -> Expr:
    """Bind IS NULL, IS TRUE and IS FALSE."""
    _check_parts(node, "this", "expression")
    value, right = bind_scalar(node.this, resolver), node.expression
    if isinstance(right, exp.Null):
        return apply_function("is null", [value], node)
    if isinstance(right, exp.Boolean):
        return apply_function("is true" if right.this else "is false", [value], node)
    raise refusal(Kind.IS_OPERAND, node)


def _case(node: exp.Expr, resolver: NameResolver) -> Expr:
    """Bind CASE: CASE WHEN condition THEN ..., or CASE x WHEN value THEN ..., which compares x with each value."""
    _check_parts(node, "this", "ifs", "default")
    subject = None if node.args.get("this") is None else bind_scalar(node.args["this"], resolver)
    branches: list[tuple[Expr, Expr]] = []
    for branch in node.args["ifs"]:
        _check_parts(branch, "this", "true")
        if subject is None:
            test = bind_condition(branch.this, resolver)
        else:
            test = apply_function("=", [subject, bind_scalar(branch.this, resolver)], branch)
        branches.append((test, bind_scalar(branch.args["true"], resolver)))
    default = node.args.get("default")
    return build_case(branches, NULL if default is None else bind_scalar(default, resolver), node)


def _if(node: exp.Expr, resolver: NameResolver) -> Expr:
    """Bind IF as a CASE."""
    _check_parts(node, "this", "true", "false")
    otherwise = NULL if node.args.get("false") is None else bind_scalar(node.args["false"], resolver)
    return build_case(
        [(bind_condition(node.this, resolver), bind_scalar(node.args["true"], resolver))], otherwise, node
    )


def _cast(node: exp.Expr, resolver: NameResolver) -> Expr:
    """Bind CAST and TRY_CAST; casts of constants are evaluated.

    Stored text can't be cast to other types: one text of another form would make the query fail. A narrow integer type
    is checked for constants now, and by the cast's function for stored values.
    """
    _check_parts(node, "this", "to", "safe", "_type")
    target, cast = _cast_target(node)
    value = bind_scalar(node.this, resolver)
    if value.type is SqlType.NULL:
        return Literal(None, target)
    if isinstance(value, Literal) and isinstance(value.value, str) and value.type is SqlType.VARCHAR:
        value = literals.parse_as(value.value, target, node)
    elif value.type is SqlType.VARCHAR and target is not SqlType.VARCHAR:
        raise refusal(Kind.STORED_TEXT_CAST, node)
    elif target is SqlType.INTERVAL is not value.type:
        raise literals.interval_refusal(node)
    if target is SqlType.INTERVAL:
        return value
    row = OVERLOADS_BY_NAME[cast][-1]  # of numbers
    if row.takes("digits!"):
        return _decimal(value, node)
    if row.limits is not None and isinstance(value, Literal) and value.type is target is SqlType.BIGINT:
        if not row.limits[0] <= int(value.value or 0) <= row.limits[1]:
            raise refusal(Kind.CONSTANT_DOES_NOT_FIT, node, value=value.value)
        return value
    return value if value.type is target and row.limits is None else apply_function(cast, [value], node)


def _decimal(value: Expr, node: exp.Expr) -> Expr:
    """Bind a cast to DECIMAL as rounding of a double; NULL where it would overflow.

    Digits and scale are DECIMAL(18, 3) by default; with digits alone the scale is 0.
    """
    digits = [literals.parse_number(part.this) for part in node.args["to"].expressions] or _DEFAULT_PRECISION_AND_SCALE
    if len(digits) > 2:
        raise refusal(Kind.DECIMAL_DIGITS, node)
    return apply_function("to_decimal", [value, *(*digits, Literal(0, SqlType.BIGINT))[:2]], node)


_COMPARISONS = (exp.GT, exp.GTE, exp.LT, exp.LTE, exp.EQ, exp.NEQ, exp.Between)


def _read_on_clock(node: exp.Expr, resolver: NameResolver) -> exp.Expr:
    """Write constant instants of a comparison as times on the clock of the times that they are compared with.

        connected_at >= TIMESTAMPTZ '2026-03-10 00:00:00+00'   ->   connected_at >= TIMESTAMP '2026-03-10 01:00:00'
        connected_at >= '2026-03-10T00:00:00Z'
        connected_at >= to_timestamp(1773100800)

    Claim: the comparison is true of the same rows. Symbols: none. Formula: none. Source and proof:
    dialect/binder/proofs.md#instants. A node without such constants, or with several clocks, is returned as it is.
    """
    parts = list(node.iter_expressions())
    if not any(map(_constant_instant, parts)):
        return node
    timed = [part for part in parts if _constant_instant(part) is None]
    if any(part.find(exp.Query) for part in timed):  # bound once alone; equal aggregates and windows are one
        return node
    others = [bind_scalar(part, resolver) for part in timed]
    fields = {field for other in others for field in fields_of(expand_definitions(other))}
    zones = {field.time_zone or ("UTC" if field.type is SqlType.TIMESTAMPTZ else None) for field in fields}
    if len(zones) != 1:
        return node
    zone = zones.pop()
    changed = node.copy()
    for part in list(changed.iter_expressions()):
        text = _constant_instant(part)
        own = zone or ("UTC" if isinstance(part.unnest(), exp.UnixToTime) else None)
        if text is not None and own is not None and (clock := literals.clock_text(text, own)) is not None:
            part.replace(exp.cast(exp.Literal.string(clock), exp.DataType.Type.TIMESTAMP))
    return changed


def _constant_instant(node: exp.Expr) -> str | None:
    """Text of a constant that is cast to TIMESTAMPTZ, has an offset from UTC, or counts from 1970; else None."""
    constant = node.unnest()
    if isinstance(constant, exp.UnixToTime):
        seconds = literals.parse_constant(constant.this) if constant.args.get("scale") is None else None
        value = None if seconds is None else seconds.value
        return literals.instant_text(value) if isinstance(value, int | float) else None
    text = constant.this if isinstance(constant, exp.Cast) else constant
    if not isinstance(text, exp.Literal) or not text.is_string:
        return None
    is_instant = text is not constant and constant.is_type(exp.DataType.Type.TIMESTAMPTZ)
    return text.name if is_instant or (text is constant and literals.OFFSET.search(text.name)) else None


def _cast_target(node: exp.Expr) -> tuple[SqlType, str]:
    """Target type of a cast: (the dialect's type, name of the cast's function in the allow-list)."""
    to = node.args["to"]
    name = to.this.name if isinstance(to, exp.DataType) and isinstance(to.this, exp.DataType.Type) else ""
    if name not in _CAST_TYPES or to.args.get("nested") or (to.expressions and name != "DECIMAL"):
        raise refusal(Kind.UNKNOWN_TYPE, node)
    return _CAST_TYPES[name]


_BINDERS: dict[type[exp.Expr], Callable[[exp.Expr, NameResolver], Expr]] = {
    exp.Paren: _paren,
    exp.Anonymous: _anonymous,
    exp.Log: _log,
    exp.Escape: _escape,
    exp.BitwiseNot: _bitwise_not,
    exp.ArrayOverlaps: _list_test,
    exp.ArrayContainsAll: _list_test,
    exp.Between: _between,
    exp.In: _in,
    exp.Is: _is,
    exp.Case: _case,
    exp.If: _if,
    exp.Cast: _cast,
    exp.TryCast: _cast,
}


_ONE, _ZERO = Literal(1, SqlType.BIGINT), Literal(0, SqlType.BIGINT)


def condition_as_number(test: Expr, node: exp.Expr) -> Expr:
    """Convert a condition to 1 or 0, and NULL where it is NULL, so that its sum counts the true rows."""
    if not may_be_null(test):
        return build_case([(test, _ONE)], _ZERO, node)
    return build_case([(test, _ONE), (apply_function("not", [test], node), _ZERO)], NULL, node)


def value_or_zero(value: Expr, node: exp.Expr) -> Expr:
    """Return a value, and 0 where a sum has none: it leaves out NULL, NaN and infinities."""
    if value.type is SqlType.DOUBLE:
        return build_case([(apply_function("isfinite", [value], node), value)], _ZERO, node)
    return apply_function("coalesce", [value, _ZERO], node) if may_be_null(value) else value


def share_of_finite(share: Expr, node: exp.Expr) -> Expr:
    """Convert 1 where a value is not NULL, and else 0, to 1 where COUNT counts the value: NaN and infinities are none.

    Other expressions, as of a value that is never NULL, stay as they are.
    """
    test = share.branches[0][0] if isinstance(share, Case) else None
    is_null = test.arguments[0] if isinstance(test, Call) else None
    if not isinstance(is_null, Call) or is_null.arguments[0].type is not SqlType.DOUBLE:
        return share
    return build_case([(apply_function("isfinite", [is_null.arguments[0]], node), _ONE)], _ZERO, node)
