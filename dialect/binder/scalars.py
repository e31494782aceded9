"""Bind syntax nodes to typed row expressions: names resolved, every part of a node checked, constants parsed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from sqlglot import exp

from dialect.algebra.expressions import NULL, Expr, Literal
from dialect.binder.node_arguments import ALIASES, IMPLIED, LISTS_ASKED, SPELLINGS, TYPES
from dialect.binder.special_calls import (
    NAMED_CALLS,
    TEXT_CALLS,
    TIME_CALLS,
    in_call,
    is_polygon_call,
    like_escape,
    members,
    no_polygon,
    place_and_polygon,
)
from dialect.catalog.model import SqlType
from dialect.errors import Code
from dialect.functions import literals
from dialect.functions.registry import names as allowed_names
from dialect.functions.scalar.casts import NARROW
from dialect.parser.context import only, refusal
from dialect.stability.calls import call, case, not_allowed, unclear_tilde

_CALLS = TIME_CALLS | TEXT_CALLS
_TRUTH = (SqlType.BOOLEAN, SqlType.NULL)


class Names(Protocol):
    """Name resolution in one clause: what columns, aggregates and subqueries refer to."""

    def column(self, node: exp.Column) -> Expr:
        """Resolve a column."""
        ...

    def special(self, node: exp.Expr) -> Expr | None:
        """Bind a node that has its own meaning in this clause, e.g. an aggregate or a group key; None for others."""
        ...


_USUAL_DIGITS = [Literal(18, SqlType.BIGINT), Literal(3, SqlType.BIGINT)]


def scalar(node: exp.Expr, names: Names) -> Expr:
    """Bind one expression; raises Refusal where it is not in the allow-list."""
    special = names.special(node)
    if special is not None:
        return special
    literal = literals.constant(node)
    if literal is not None:
        return literal
    if isinstance(node, exp.Column):
        return no_polygon(names.column(node), node)
    reader = _READERS.get(type(node))
    if reader is not None:
        return reader(node, names)
    if type(node) in _CALLS:
        carried, slots, make = _CALLS[type(node)]
        _only(node, *carried)
        return make(node, [scalar(part, names) for part in _parts(node, slots)])
    if type(node) in SPELLINGS:
        name, slots = SPELLINGS[type(node)]
        _only(node, *slots)
        return call(name, [scalar(part, names) for part in _parts(node, slots)], node)
    raise not_allowed(node)


def condition(node: exp.Expr, names: Names) -> Expr:
    """Bind an expression that must be boolean; raises Refusal for other types."""
    typed = scalar(node, names)
    if typed.type not in _TRUTH:
        raise refusal(Code.FUNC, "A condition must be true or false.", "compare it with something, e.g. x > 0", node)
    return typed


def _only(node: exp.Expr, *allowed: str) -> None:
    """Refuse a node with parts other than those named here and those that sqlglot always sets."""
    only(node, *allowed, *IMPLIED.get(type(node), ()), code=Code.FUNC)


def _parts(node: exp.Expr, slots: Sequence[str]) -> list[exp.Expr]:
    """Nodes in these argument slots, in order."""
    found: list[exp.Expr] = []
    for slot in slots:
        part = node.args.get(slot)
        found.extend(part if isinstance(part, list) else [part] if part is not None else [])
    return found


# ---------------------------------------------------------------- nodes with a binder of their own


def _paren(node: exp.Expr, names: Names) -> Expr:
    _only(node, "this")
    return scalar(node.this, names)


def _anonymous(node: exp.Expr, names: Names) -> Expr:
    """Bind a call of a function that sqlglot has no node class for."""
    name = str(node.this).lower()
    name = ALIASES.get(name, name)
    if name in LISTS_ASKED and len(node.expressions) == 2:
        return members(LISTS_ASKED[name], scalar(node.expressions[0], names), node.expressions[1], node)
    if is_polygon_call(node):
        lon, lat, shape = place_and_polygon(node)
        polygon = names.column(shape) if isinstance(shape, exp.Column) else scalar(shape, names)
        return call("within_polygon", [scalar(lon, names), scalar(lat, names), polygon], node)
    arguments = [scalar(part, names) for part in node.expressions]
    if name in NAMED_CALLS:
        return NAMED_CALLS[name](node, arguments)
    if name == "iff" and len(arguments) in (2, 3):
        return case([(condition(node.expressions[0], names), arguments[1])], (*arguments, NULL)[2], node)
    known = name in allowed_names() and (name.isidentifier() or name in ALIASES.values())
    return call(name if known else f"{name}()", arguments, node)


def _log(node: exp.Expr, names: Names) -> Expr:
    """Bind log(x), which is log10, and log(base, x)."""
    _only(node, "this", "expression")
    first = scalar(node.this, names)
    if node.args.get("expression") is None:
        return call("log10", [first], node)
    value = scalar(node.expression, names)
    if isinstance(first, Literal) and first.value in (2, 10):
        return call(f"log{first.value}", [value], node)
    return call("log", [first, value], node)


def _escape(node: exp.Expr, names: Names) -> Expr:
    """Bind LIKE ... ESCAPE."""
    _only(node, "this", "expression")
    like = node.this
    if not isinstance(like, exp.Like | exp.ILike):
        raise refusal(Code.FUNC, "Only LIKE and ILIKE have an escape sign.", "x LIKE '5$%' ESCAPE '$'", node)
    _only(like, "this", "expression", "negate")
    return like_escape(node, *(scalar(part, names) for part in (like.this, like.expression, node.expression)))


def _bits(node: exp.Expr, names: Names) -> Expr:
    """Bind ~x; refuse it before an operator: in ~x + 1 DuckDB negates x + 1, sqlglot only x."""
    _only(node, "this")
    if isinstance(node.parent, exp.Add | exp.Sub | exp.Mul | exp.Div | exp.IntDiv | exp.Mod | exp.Pow):
        raise unclear_tilde(node)
    return call("~", [scalar(node.this, names)], node)


def _overlaps(node: exp.Expr, names: Names) -> Expr:
    """Bind list_has_any and list_has_all."""
    _only(node, "this", "expression")
    how = "and" if isinstance(node, exp.ArrayContainsAll) else "or"
    return members(how, scalar(node.this, names), node.expression, node)


def _between(node: exp.Expr, names: Names) -> Expr:
    """Bind BETWEEN as two comparisons."""
    _only(node, "this", "low", "high")
    value, low, high = (scalar(node.args[slot], names) for slot in ("this", "low", "high"))
    return call("and", [call(">=", [value, low], node), call("<=", [value, high], node)], node)


def _in(node: exp.Expr, names: Names) -> Expr:
    """Bind IN with a list; refuse a subquery."""
    if node.args.get("query") is not None:
        why = "A test by a subquery can't stand here."
        raise refusal(Code.SUBQUERY, why, "FROM (SELECT *, x IN (SELECT ...) AS is_in FROM ...)", node)
    listed = in_call(node, lambda part: scalar(part, names))
    if listed is not None:
        return listed
    _only(node, "this", "expressions")
    value, options = scalar(node.this, names), [scalar(part, names) for part in node.expressions]
    return call("in", [value, *options], node)


def _is(node: exp.Expr, names: Names) -> Expr:
    """Bind IS NULL, IS TRUE and IS FALSE."""
    _only(node, "this", "expression")
    value, what = scalar(node.this, names), node.expression
    if isinstance(what, exp.Null):
        return call("is null", [value], node)
    if isinstance(what, exp.Boolean):
        return call("is true" if what.this else "is false", [value], node)
    raise refusal(Code.FUNC, "IS takes NULL, TRUE or FALSE.", "x IS NULL", node)


def _case(node: exp.Expr, names: Names) -> Expr:
    """Bind CASE, with a subject or with conditions."""
    _only(node, "this", "ifs", "default")
    subject = None if node.args.get("this") is None else scalar(node.args["this"], names)
    branches: list[tuple[Expr, Expr]] = []
    for branch in node.args["ifs"]:
        _only(branch, "this", "true")
        if subject is None:
            test = condition(branch.this, names)
        else:
            test = call("=", [subject, scalar(branch.this, names)], branch)
        branches.append((test, scalar(branch.args["true"], names)))
    default = node.args.get("default")
    return case(branches, NULL if default is None else scalar(default, names), node)


def _if(node: exp.Expr, names: Names) -> Expr:
    """Bind IF as a CASE."""
    _only(node, "this", "true", "false")
    otherwise = NULL if node.args.get("false") is None else scalar(node.args["false"], names)
    return case([(condition(node.this, names), scalar(node.args["true"], names))], otherwise, node)


def _cast(node: exp.Expr, names: Names) -> Expr:
    """Bind CAST and TRY_CAST; casts of constants are evaluated."""
    _only(node, "this", "to", "safe", "_type")
    target, cast = _target(node)
    value = scalar(node.this, names)
    if value.type is SqlType.NULL:
        return Literal(None, target)
    if isinstance(value, Literal) and isinstance(value.value, str) and value.type is SqlType.VARCHAR:
        value = literals.cast_text(value.value, target, node)
    elif value.type is SqlType.VARCHAR and target is not SqlType.VARCHAR:
        hint = "declare the column with that type"
        raise refusal(Code.FUNC, "Stored text can't be cast to another type.", hint, node)
    elif target is SqlType.INTERVAL is not value.type:
        raise literals.no_interval(node)
    if cast == "to_decimal":
        return _decimal(value, node)
    narrow = NARROW.get(cast.removeprefix("to_").upper())
    if narrow is not None and isinstance(value, Literal) and value.type is SqlType.BIGINT:
        if not narrow[0] <= int(value.value or 0) <= narrow[1]:
            raise refusal(Code.PARSE, f"{value.value} does not fit this type.", "CAST(... AS BIGINT)", node)
        return value
    return value if value.type is target and narrow is None and cast != "to_float" else call(cast, [value], node)


def _decimal(value: Expr, node: exp.Expr) -> Expr:
    """Bind a cast to DECIMAL as rounding of a double; NULL where it would overflow."""
    given = [literals.number(part.this) for part in node.args["to"].expressions] or _USUAL_DIGITS
    if len(given) > 2:
        why = "A decimal has digits, and of these some behind the point."
        raise refusal(Code.FUNC, why, "CAST(... AS DECIMAL(18, 3))", node)
    return call("to_decimal", [value, *(*given, Literal(0, SqlType.BIGINT))[:2]], node)


def _target(node: exp.Expr) -> tuple[SqlType, str]:
    """Target type of a cast, and the cast's function in the allow-list."""
    to = node.args["to"]
    name = to.this.name if isinstance(to, exp.DataType) and isinstance(to.this, exp.DataType.Type) else ""
    if name not in TYPES or to.args.get("nested") or (to.expressions and name != "DECIMAL"):
        hint = "one of BIGINT, DOUBLE, VARCHAR, BOOLEAN, DATE, TIMESTAMP"
        raise refusal(Code.FUNC, "This type is not in the dialect.", hint, node)
    return TYPES[name]


_READERS: dict[type[exp.Expr], Callable[[exp.Expr, Names], Expr]] = {
    exp.Paren: _paren,
    exp.Anonymous: _anonymous,
    exp.Log: _log,
    exp.Escape: _escape,
    exp.BitwiseNot: _bits,
    exp.ArrayOverlaps: _overlaps,
    exp.ArrayContainsAll: _overlaps,
    exp.Between: _between,
    exp.In: _in,
    exp.Is: _is,
    exp.Case: _case,
    exp.If: _if,
    exp.Cast: _cast,
    exp.TryCast: _cast,
}
