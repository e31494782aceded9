"""Syntax nodes about text and lists that carry flags, positions or lists of constants beside their arguments."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlglot import exp

from dialect.algebra.expressions import Expr, Literal
from dialect.catalog.catalog import SqlType
from dialect.errors import Code
from dialect.functions import literals
from dialect.parser.context import refusal
from dialect.parser.suggestions.other_habits import AMPERSANDS
from dialect.stability.calls import call

Maker = Callable[[exp.Expr, Sequence[Expr]], Expr]
_LAST = 2**31 - 1  # where a slice ends that names no end
_SLICED = "x[1:3], with constants"
_ALL = Literal("g", SqlType.VARCHAR)
# options of the engine -> flags in front of a pattern; "c", "m", "n" and "p" are what is meant without any
_FLAGS = {"i": "i", "s": "s", "c": "", "m": "", "n": "", "p": ""}
_SIDES = {"LEADING": "ltrim", "TRAILING": "rtrim", "BOTH": "trim", "": "trim"}


def members(how: str, stored: Expr, wanted: exp.Expr, node: exp.Expr) -> Expr:
    """Ask whether a list has all constants of another one, or any: `how` is and, or or."""
    if isinstance(node, exp.ArrayOverlaps) and not isinstance(wanted, exp.Array):
        raise refusal(Code.FUNC, AMPERSANDS, "AND in place of &&", node)
    constants = [literals.constant(part) for part in wanted.expressions] if isinstance(wanted, exp.Array) else []
    given = [member for member in constants if member is not None and member.value is not None]
    if not given or len(given) < len(constants):
        raise refusal(Code.FUNC, "The second list is one of constants.", "list_has_any(x, ['a', 'b'])", node)
    found = [call("list_contains", [stored, member], node) for member in given]
    return found[0] if len(found) == 1 else call(how, found, node)


def _like(node: exp.Expr, arguments: Sequence[Expr]) -> Expr:
    typed = call("ilike" if isinstance(node, exp.ILike) else "like", arguments, node)
    return call("not", [typed], node) if node.args.get("negate") else typed


def like_escape(node: exp.Expr, value: Expr, pattern: Expr, escape: Expr) -> Expr:
    """Compare with a pattern that names its own escape sign."""
    like = node.this
    typed = call(f"{'ilike' if isinstance(like, exp.ILike) else 'like'} escape", [value, pattern, escape], node)
    return call("not", [typed], node) if like.args.get("negate") else typed


def _trim(node: exp.Expr, arguments: Sequence[Expr]) -> Expr:
    return call(_SIDES[str(node.args.get("position") or "")], arguments, node)


def _pad(node: exp.Expr, arguments: Sequence[Expr]) -> Expr:
    return call("lpad" if node.args.get("is_left") else "rpad", arguments, node)


def _flagged(node: exp.Expr, pattern: Expr, options: str) -> Expr:
    """Write options of a pattern in front of it."""
    if not set(options) <= set(_FLAGS):
        raise refusal(Code.FUNC, f"There is no option {options[:10]!r} of a pattern here.", "'i', 's' or 'g'", node)
    flags = "".join(dict.fromkeys(_FLAGS[option] for option in options))
    if not flags or not isinstance(pattern, Literal):
        return pattern
    return Literal(f"(?{flags}){pattern.value}", SqlType.VARCHAR)


def _option(node: exp.Expr, slot: str) -> str:
    given = node.args.get(slot)
    if given is None or (isinstance(given, exp.Literal) and given.is_string):
        return "" if given is None else str(given.this)
    raise refusal(Code.FUNC, "The options of a pattern are a constant.", "'i'", node)


def _matches(node: exp.Expr, arguments: Sequence[Expr]) -> Expr:
    pattern = _flagged(node, arguments[1], _option(node, "flag"))
    return call("regexp_matches", [arguments[0], pattern], node)


def _matches_any_case(node: exp.Expr, arguments: Sequence[Expr]) -> Expr:
    """Read x ~* 'a'."""
    return call("regexp_matches", [arguments[0], _flagged(node, arguments[1], "i")], node)


def _full_match(node: exp.Expr, arguments: Sequence[Expr]) -> Expr:
    pattern = _flagged(node, arguments[1], _option(node, "options"))
    return call("regexp_full_match", [arguments[0], pattern], node)


def _extract(node: exp.Expr, arguments: Sequence[Expr]) -> Expr:
    pattern = _flagged(node, arguments[1], _option(node, "parameters"))
    return call("regexp_extract", [arguments[0], pattern, *arguments[2:]], node)


def _replace(node: exp.Expr, arguments: Sequence[Expr]) -> Expr:
    options = _option(node, "modifiers")
    pattern = _flagged(node, arguments[1], options.replace("g", ""))
    every = [_ALL] if "g" in options else []
    return call("regexp_replace", [arguments[0], pattern, arguments[2], *every], node)


def _part(node: exp.Expr, arguments: Sequence[Expr]) -> Expr:
    """Take a part of text or of a list by constant positions: x[2] or x[1:3]."""
    places = node.expressions
    if len(places) != 1:
        raise refusal(Code.FUNC, "A part has one position, or a first and a last one.", _SLICED, node)
    (place,) = places
    if not isinstance(place, exp.Slice):
        return call("list_extract", [arguments[0], _position(place, node, 1)], node)
    first, last = place.this, place.args.get("expression")
    ends = [_position(first, node) if first is not None else _whole(1)]
    ends.append(_position(last, node) if last is not None else _whole(_LAST))
    if place.args.get("step") is not None:
        raise refusal(Code.FUNC, "A part has no step.", _SLICED, node)
    return call("slice", [*arguments, *ends], node)


def _whole(value: int) -> Literal:
    return Literal(value, SqlType.BIGINT)


def _position(place: exp.Expr, node: exp.Expr, added: int = 0) -> Literal:
    """Read a constant position; the parser counts single ones from 0."""
    bare = place.unnest()
    sign = -1 if isinstance(bare, exp.Neg) else 1
    inner = bare.this if isinstance(bare, exp.Neg) else bare
    found = literals.number(inner) if isinstance(inner, exp.Literal) and not inner.is_string else None
    if found is None or not isinstance(found.value, int):
        raise refusal(Code.FUNC, "Positions are constants.", _SLICED, node)
    return _whole(sign * found.value + added)


def _array_slice(node: exp.Expr, arguments: Sequence[Expr]) -> Expr:
    return call("slice", arguments, node)


_TWO = ("this", "expression")
# node class -> (parts that it may carry, those that are arguments in order, what makes the call)
TEXT_CALLS: dict[type[exp.Expr], tuple[tuple[str, ...], tuple[str, ...], Maker]] = {
    exp.Like: ((*_TWO, "negate"), _TWO, _like),
    exp.ILike: ((*_TWO, "negate"), _TWO, _like),
    exp.Trim: ((*_TWO, "position"), _TWO, _trim),
    exp.Pad: (("this", "expression", "fill_pattern", "is_left"), ("this", "expression", "fill_pattern"), _pad),
    exp.RegexpLike: ((*_TWO, "flag"), _TWO, _matches),
    exp.RegexpILike: (_TWO, _TWO, _matches_any_case),
    exp.RegexpFullMatch: ((*_TWO, "options"), _TWO, _full_match),
    exp.SimilarTo: (_TWO, _TWO, _full_match),
    exp.RegexpExtract: (
        (*_TWO, "group", "parameters", "null_if_pos_overflow"), (*_TWO, "group"), _extract,
    ),
    exp.RegexpReplace: (
        (*_TWO, "replacement", "modifiers", "single_replace"), (*_TWO, "replacement"), _replace,
    ),
    exp.Bracket: (("this", "expressions", "offset", "safe"), ("this",), _part),
    exp.ArraySlice: (("this", "start", "end"), ("this", "start", "end"), _array_slice),
}  # fmt: skip
