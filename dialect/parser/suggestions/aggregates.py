"""Refusals of aggregate functions: what each would disclose about one person, and what may replace it."""

from __future__ import annotations

from dataclasses import replace

from sqlglot import exp, parse_one

from dialect.errors import Code, Refusal, Suggestion
from dialect.parser.context import refusal
from dialect.parser.placeholders import LEAST, MOST
from dialect.parser.spans import called, question_with

_LISTED = "GROUP BY the column, and COUNT(*) of each value"
_COUNTED = ("COUNT(DISTINCT {0})", "COUNT({0})")
_BIN = "FLOOR({0} / 10) * 10"
OF_INTERVALS = ("EPOCH({0}) / 60",)  # conversion of an interval to a number
_QUANTILE = (
    "is a sketch, whose noise is not known",
    "QUANTILE_CONT(x, 0.5)",
    ("QUANTILE_CONT({0}, {1})", "MEDIAN({0})"),
)
_PAIRS = "FILTER (WHERE {0} IS NOT NULL AND {1} IS NOT NULL)"
_NOT_HERE = "is not in the dialect"
_VALUE = "would return the value of one person"
# aggregate -> why it is refused over many persons, the hint, and templates of replacements
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
    "histogram": ("would return everybody's values", f"GROUP BY {_BIN.format('x')}, and COUNT(*) of each bin", ()),
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
    "approxquantiles": (_QUANTILE[0], f"{_QUANTILE[1]}, one call for each level", ("QUANTILE_CONT({0}, 0.5)",)),
    "regrr2": (_NOT_HERE, "CORR(y, x) * CORR(y, x)", ("CORR({0}, {1}) * CORR({0}, {1})",)),
    "regrcount": (_NOT_HERE, f"COUNT(*) {_PAIRS.format('y', 'x')}", (f"COUNT(*) {_PAIRS}",)),
    "regravgx": (_NOT_HERE, f"AVG(x) {_PAIRS.format('y', 'x')}", (f"AVG({{1}}) {_PAIRS}",)),
    "regravgy": (_NOT_HERE, f"AVG(y) {_PAIRS.format('y', 'x')}", (f"AVG({{0}}) {_PAIRS}",)),
}  # fmt: skip
_UNKNOWN = ("AVG({0})", *_COUNTED)
_SAME = ""
# template of a replacement -> how its value differs from the aggregate's
_DIFFERS: dict[str, str] = {
    "COUNT(DISTINCT {0})": "the number of different values",
    "COUNT({0})": "the number of rows that have a value",
    "MIN({1})": "the least of what the rows are ordered by",
    "MAX({1})": "the greatest of what the rows are ordered by",
    "COUNT_IF({0})": "the number of rows for which it is true",
    "COUNT_IF(NOT ({0}))": "the number of rows for which it is not true",
    "SUM(LN({0}))": "the logarithm of the product",
    "AVG({0})": "the mean",
    "SUM({0})": "equal values are added each time",
    "QUANTILE_CONT({0}, {1})": "interpolates between neighbouring values",
    "QUANTILE_CONT({0}, 0.5)": "the middle alone",
    "MEDIAN({0})": "the middle",
    "CORR({0}, {1}) * CORR({0}, {1})": _SAME,
    **{f"{call} {_PAIRS}": _SAME for call in ("COUNT(*)", "AVG({1})", "AVG({0})")},
    # replacements of an argument of the wrong type
    "HOUR({0})": "of the hour of the day",
    OF_INTERVALS[0]: "in minutes",
    "{0} <> 0": _SAME,
    "CAST({0} AS INT)": _SAME,
    "DAYOFWEEK({0})": "of the day of the week, 0 for Sunday",
    "LENGTH({0})": "of the number of its elements",
    "CAST({0} AS VARCHAR)": "written as text",
    "CAST({0} AS BIGINT)": "rounded to whole numbers",
    "CAST({0} AS VARCHAR), ','": _SAME,
}
_MINUTES = "in minutes"
BEYOND_ENDS = f"a value beyond {LEAST} or {MOST} counts as that end"


def across_people(name: str, node: exp.Expr, inside: str | None) -> Refusal:
    """Build the refusal of an aggregate over many persons.

    `person_key` is the name of the person key where the aggregate is allowed within one person's rows, else None.
    """
    why, hint, instead = _TAUGHT[name]
    shown = called(_call(node))
    if inside is not None:
        hint = f"{hint}; or {shown} per person, in a subquery that groups by {inside}"
    refused = refusal(Code.AGG, f"{shown} across people {why}.", hint, node, *_filled(instead, node))
    keys = _as_keys(node) if _LISTED in hint or name == "mode" else ()
    return replace(refused, rewrites=(*keys, *refused.rewrites))


def unknown_aggregate(name: str, node: exp.Expr) -> Refusal:
    """Build the refusal of an aggregate that the dialect does not have."""
    shown = called(_call(node))
    why, hint, instead = _TAUGHT.get(name, ("", "AVG(x)" if name == "mean" else "COUNT, SUM or AVG", _UNKNOWN))
    said = f"The aggregate {shown} is not in the dialect." if not why else f"{shown} {why}."
    refused = refusal(Code.AGG, said, hint, node, *_filled(instead, node))
    keys = _as_keys(node) if name == "histogram" or _LISTED in hint else ()
    if instead is _UNKNOWN:  # for arguments that are not numbers
        average = refusal(Code.AGG, said, hint, node, *_filled(_UNKNOWN[:1], node)).rewrites
        keys = (*average, *_as_key(node))
    return replace(refused, rewrites=(*keys, *refused.rewrites))


def wrong_type(takes: str, instead: tuple[str, ...], node: exp.Expr) -> Refusal:
    """Build the refusal of an aggregate's argument of the wrong type.

    `replacements` are templates that convert the argument to an accepted type; the first is the hint where none
    compiles. Without any, as for text, the suggestion is to group by the argument and count.
    """
    call = node.this if isinstance(node, exp.Filter) else node
    name, value, form = _form(call)
    if isinstance(call.this, exp.Sub) and instead == OF_INTERVALS:  # a difference of two times
        between = f"DATE_DIFF('MINUTE', {', '.join(_written(each) for each in (call.this.expression, call.this.this))})"
        bounded = form.format(_written(within_ends(_parsed(between))))
        made = Suggestion(form.format(between), _MINUTES), Suggestion(bounded, f"{_MINUTES}; {BEYOND_ENDS}")
        why = f"{name} takes {takes}: minutes between two times are such, within ends of your own."
        return refusal(Code.AGG, why, made[1], call, *made)
    uncounted = isinstance(call, exp.WithinGroup) or instead == OF_INTERVALS
    counted = () if uncounted else _filled(_COUNTED, call)
    written = [Suggestion(form.format(text.format(value)), _DIFFERS[text]) for text in instead if value]
    hint = f"{name}({instead[0].format('x')})" if instead else _LISTED
    refused = refusal(Code.AGG, f"{name} takes {takes}.", hint, call, *written, *counted)
    return refused if instead else replace(refused, rewrites=(*_as_key(node), *refused.rewrites))


def within_ends(value: exp.Expr) -> exp.Expr:
    """Wrap LEAST and GREATEST around a value, with placeholders for the ends that it does not state."""
    stated = any(map(_is_number, (value.this, *value.expressions)))
    if isinstance(value, exp.Least) and stated:
        return _parsed(f"GREATEST({_written(value)}, {LEAST})")
    if isinstance(value, exp.Greatest) and stated:
        return _parsed(f"LEAST({_written(value)}, {MOST})")
    return _parsed(f"LEAST(GREATEST({_written(value)}, {LEAST}), {MOST})")


def _is_number(node: exp.Expr | None) -> bool:
    """Return whether a node is a numeric literal, also a negative one."""
    number = node.this if isinstance(node, exp.Neg) else node
    return isinstance(number, exp.Literal) and not number.is_string


def _as_key(node: exp.Expr, form: str = "{0}") -> tuple[Suggestion, ...]:
    """Rewrite a query to group by an aggregate's column, or by a template of it, and count the rows.

    SELECT MODE(zone) FROM visit  ->  SELECT zone, COUNT(*) FROM visit GROUP BY zone
    """
    column = _first(node)
    if isinstance(node, exp.Filter) or not isinstance(column, exp.Column | exp.Func | exp.Binary):
        return ()
    key = _parsed(form.format(_written(column)))

    def grouped(copied: exp.Expr) -> None:
        select = copied.find_ancestor(exp.Select)
        if select is None:
            return
        copied.replace(key.copy())
        group = select.args.get("group")
        if group is None:
            select.set("group", exp.Group(expressions=[key.copy()]))
        elif not group.args.get("all"):
            group.append("expressions", key.copy())
        if select.find(exp.AggFunc) is None:
            select.append("expressions", exp.Count(this=exp.Star(), big_int=True))

    written = question_with(node, grouped)
    return () if written is None else (Suggestion(written, f"a row for each value of {_written(key)}"),)


def _as_keys(node: exp.Expr) -> tuple[Suggestion, ...]:
    """Suggest grouping by an aggregate's column, and by bins of it."""
    return (*_as_key(node), *_as_key(node, _BIN))


def _first(node: exp.Expr) -> exp.Expr | None:
    """First argument of an aggregate call, without ORDER BY and DISTINCT."""
    call = node.expression.expressions[0] if isinstance(node, exp.WithinGroup) else _call(node)
    untyped = isinstance(call, exp.Anonymous | exp.AnonymousAggFunc)
    first: exp.Expr | None = next(iter(call.expressions), None) if untyped else call.this
    if isinstance(first, exp.Order):
        first = first.this
    return first.expressions[0] if isinstance(first, exp.Distinct) and len(first.expressions) == 1 else first


def _form(call: exp.Expr) -> tuple[str, str, str]:
    """Split an aggregate call: its name, its first argument as SQL, and a template of the call for another argument."""
    name, parts = called(_call(call)), _arguments(_call(call))
    if isinstance(call, exp.WithinGroup):
        (term,) = call.expression.expressions
        direction = " DESC" if term.args.get("desc") else ""
        form = f"{name}({parts[0]}) WITHIN GROUP (ORDER BY {{}}{direction})"
        return name, term.this.sql("duckdb", comments=False), form
    rest = "".join(f", {part.replace('{', '{{').replace('}', '}}')}" for part in parts[1:])
    return name, parts[0] if parts else "", f"{name}({{}}{rest})"


def _call(node: exp.Expr) -> exp.Expr:
    """Return the aggregate call itself, without FILTER, IGNORE NULLS and WITHIN GROUP."""
    call = node.this if isinstance(node, exp.Filter) else node
    while isinstance(call, exp.IgnoreNulls | exp.RespectNulls | exp.WithinGroup):
        call = call.this
    return call


def _written(node: exp.Expr) -> str:
    return node.sql("duckdb", comments=False)


def _parsed(text: str) -> exp.Expr:
    return parse_one(text, dialect="duckdb")


def _filled(instead: tuple[str, ...], node: exp.Expr) -> list[Suggestion]:
    """Fill an aggregate's arguments into the templates that need no more of them, with their differences."""
    parts = _arguments(_call(node))
    fitting = [text for text in instead if parts and ("{1}" not in text or len(parts) > 1)]
    return [Suggestion(text.format(*parts), _DIFFERS[text]) for text in fitting]


def _arguments(call: exp.Expr) -> list[str]:
    """Arguments of an aggregate call as SQL, without ORDER BY and DISTINCT."""
    given: list[exp.Expr | None] = list(call.iter_expressions())
    if isinstance(call, exp.Anonymous | exp.AnonymousAggFunc):
        given = list(call.expressions)
    given = [part.this if isinstance(part, exp.Order) else part for part in given]
    given = [inner for part in given for inner in (part.expressions if isinstance(part, exp.Distinct) else [part])]
    # None: rank(ORDER BY x) has no arguments
    return [part.sql("duckdb", comments=False) for part in given if part is not None]
