"""Refusals of aggregates: what each would tell about one person, and what to ask instead."""

from __future__ import annotations

from dataclasses import replace

from sqlglot import exp

from dialect.errors import Code, Refusal
from dialect.reading import refusal
from dialect.spans import called, question_with

_LISTED = "GROUP BY the column, and COUNT(*) of each value"
_COUNTED = ("COUNT(DISTINCT {0})", "COUNT({0})")
_QUANTILE = (
    "is a sketch, whose noise is not known",
    "QUANTILE_CONT(x, 0.5)",
    ("QUANTILE_CONT({0}, {1})", "MEDIAN({0})"),
)
_VALUE = "would return the value of one person"
# aggregate -> what it would do across people, what to do instead in words, and what may stand in its place
_TAUGHT: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "any_value": (_VALUE, _LISTED, _COUNTED),
    "arbitrary": (_VALUE, _LISTED, _COUNTED),
    "first": (_VALUE, _LISTED, _COUNTED),
    "last": (_VALUE, _LISTED, _COUNTED),
    "min": (_VALUE, _LISTED, _COUNTED),
    "max": (_VALUE, _LISTED, _COUNTED),
    "mode": (_VALUE, "GROUP BY the column ORDER BY COUNT(*) DESC LIMIT 1", _COUNTED),
    "quantile_disc": (_VALUE, _LISTED, _COUNTED),
    "arg_min": (_VALUE, "per person in a subquery that groups by the person, then COUNT(*)", ("MIN({1})", *_COUNTED)),
    "arg_max": (_VALUE, "per person in a subquery that groups by the person, then COUNT(*)", ("MAX({1})", *_COUNTED)),
    "list": ("would return everybody's values", _LISTED, _COUNTED),
    "list_distinct": ("would return everybody's values", _LISTED, _COUNTED),
    "string_agg": ("would return everybody's values", _LISTED, _COUNTED),
    "histogram": ("would return everybody's values", _LISTED, _COUNTED),
    "approxtopk": ("would return the values of persons", _LISTED, _COUNTED),
    "approx_top_k": ("would return the values of persons", _LISTED, _COUNTED),
    "bool_or": ("would tell whether any one person is so", "COUNT_IF(x)", ("COUNT_IF({0})",)),
    "bool_and": ("would tell whether any one person is not so", "COUNT_IF(NOT x)", ("COUNT_IF(NOT ({0}))",)),
    "bit_and": ("can be turned by one person alone", "COUNT_IF(x > 0)", _COUNTED),
    "bit_or": ("can be turned by one person alone", "COUNT_IF(x > 0)", _COUNTED),
    "bit_xor": ("can be turned by one person alone", "COUNT_IF(x > 0)", _COUNTED),
    "product": ("can be turned by one person alone", "SUM(LN(x))", ("SUM(LN({0}))", "AVG({0})", *_COUNTED)),
    "sum_distinct": ("moves by values that one person alone may have", "SUM(x)", ("COUNT(DISTINCT {0})", "SUM({0})")),
    "avg_distinct": ("moves by values that one person alone may have", "AVG(x)", ("AVG({0})", "COUNT(DISTINCT {0})")),
    "approxdistinct": ("is a sketch, whose noise is not known", "COUNT(DISTINCT x)", _COUNTED),
    "approxquantile": _QUANTILE,
    "reservoir_quantile": _QUANTILE,
}  # fmt: skip
_UNKNOWN = ("AVG({0})", *_COUNTED)


def across_people(name: str, node: exp.Expr, inside: str | None) -> Refusal:
    """Refuse an aggregate over many people; `inside`: how the person is written, where it may be asked of each."""
    why, hint, instead = _TAUGHT[name]
    shown = called(_call(node))
    if inside is not None:
        hint = f"{hint}; or {shown} per person, in a subquery that groups by {inside}"
    refused = refusal(Code.AGG, f"{shown} across people {why}.", hint, node, *_filled(instead, node))
    return replace(refused, rewrites=(*(_as_key(node) if _LISTED in hint or name == "mode" else ()), *refused.rewrites))


def unknown(name: str, node: exp.Expr) -> Refusal:
    """Refuse an aggregate that is not in the dialect at all."""
    shown = called(_call(node))
    why, hint, instead = _TAUGHT.get(name, ("", "AVG(x)" if name == "mean" else "COUNT, SUM or AVG", _UNKNOWN))
    said = f"The aggregate {shown} is not in the dialect." if not why else f"{shown} {why}."
    return refusal(Code.AGG, said, hint, node, *_filled(instead, node))


def wrong_type(takes: str, instead: tuple[str, ...], node: exp.Expr) -> Refusal:
    """Refuse an argument of another type; `instead`: what could be it, of which the first is shown where none fits."""
    call = node.this if isinstance(node, exp.Filter) else node
    name, value, form = _form(call)
    counted = () if isinstance(call, exp.WithinGroup) else _filled(_COUNTED, call)
    written = [form.format(text.format(value)) for text in instead if value]
    return refusal(Code.AGG, f"{name} takes {takes}.", f"{name}({instead[0].format('x')})", call, *written, *counted)


def _as_key(node: exp.Expr) -> tuple[str, ...]:
    """Group by the column too, and count where nothing else is asked."""
    column = _call(node).this
    if isinstance(node, exp.Filter) or not isinstance(column, exp.Column):
        return ()

    def grouped(copied: exp.Expr) -> None:
        select = copied.find_ancestor(exp.Select)
        if select is None:
            return
        copied.replace(column.copy())
        group = select.args.get("group")
        if group is None:
            select.set("group", exp.Group(expressions=[column.copy()]))
        elif not group.args.get("all"):
            group.append("expressions", column.copy())
        if select.find(exp.AggFunc) is None:
            select.append("expressions", exp.Count(this=exp.Star(), big_int=True))

    written = question_with(node, grouped)
    return () if written is None else (written,)


def _form(call: exp.Expr) -> tuple[str, str, str]:
    """Give a call's name, its first argument as it is written, and the call with another one in its place."""
    name, parts = called(_call(call)), _arguments(_call(call))
    if isinstance(call, exp.WithinGroup):
        (term,) = call.expression.expressions
        direction = " DESC" if term.args.get("desc") else ""
        form = f"{name}({parts[0]}) WITHIN GROUP (ORDER BY {{}}{direction})"
        return name, term.this.sql("duckdb", comments=False), form
    rest = "".join(f", {part.replace('{', '{{').replace('}', '}}')}" for part in parts[1:])
    return name, parts[0] if parts else "", f"{name}({{}}{rest})"


def _call(node: exp.Expr) -> exp.Expr:
    call = node.this if isinstance(node, exp.Filter) else node
    while isinstance(call, exp.IgnoreNulls | exp.RespectNulls | exp.WithinGroup):
        call = call.this
    return call


def _filled(instead: tuple[str, ...], node: exp.Expr) -> list[str]:
    parts = _arguments(_call(node))
    return [text.format(*parts) for text in instead if parts and ("{1}" not in text or len(parts) > 1)]


def _arguments(call: exp.Expr) -> list[str]:
    given: list[exp.Expr | None] = list(call.iter_expressions())
    if isinstance(call, exp.Anonymous | exp.AnonymousAggFunc):
        given = list(call.expressions)
    given = [part.this if isinstance(part, exp.Order) else part for part in given]
    given = [inner for part in given for inner in (part.expressions if isinstance(part, exp.Distinct) else [part])]
    return [part.sql("duckdb", comments=False) for part in given if part is not None]  # rank(ORDER BY x) has none
