"""Refusals of aggregate functions: what each would disclose about one person, and what may replace it.

Templates are SQL with {0}, {1} for the arguments of the refused call, in order. Each template has a text of how its
value differs from the refused call's (`_DIFFERENCES`); both together are a Suggestion.
"""

from __future__ import annotations

import math
from dataclasses import replace

from sqlglot import exp, parse_one

from dialect.diagnostics.field_values import AggregateHint, ArgumentTypes, Disclosure
from dialect.diagnostics.kinds import Kind
from dialect.errors import Refusal, Suggestion, to_suggestions
from dialect.parser.compile_context import refusal, suggest_replaced
from dialect.parser.spans import sql_text, with_tree_changed, written_name
from dialect.parser.tokens import MAX_PLACEHOLDER, MIN_PLACEHOLDER

_COUNT_TEMPLATES = ("COUNT(DISTINCT {0})", "COUNT({0})")
_BIN_TEMPLATE, _DATE = "FLOOR({0} / 10) * 10", "CAST({0} AS DATE)"
INTERVAL_TO_NUMBER = ("EPOCH({0}) / 60",)  # conversion of an interval to a number
# (reason, hint, templates), as in _SUGGESTIONS
_QUANTILE_SUGGESTION = (Disclosure.UNKNOWN_NOISE, "QUANTILE_CONT(x, 0.5)", ("QUANTILE_CONT({0}, {1})", "MEDIAN({0})"))
_PAIRS_FILTER = "FILTER (WHERE {0} IS NOT NULL AND {1} IS NOT NULL)"
# aggregate -> why it is refused over many persons, the hint, and templates of replacements
_SUGGESTIONS: dict[str, tuple[Disclosure, AggregateHint | str, tuple[str, ...]]] = {
    **dict.fromkeys(
        ("any_value", "arbitrary", "first", "last", "min", "max", "quantile_disc"),
        (Disclosure.ONE_PERSONS_VALUE, AggregateHint.GROUP_BY_COLUMN, _COUNT_TEMPLATES),
    ),
    "mode": (Disclosure.ONE_PERSONS_VALUE, AggregateHint.MOST_FREQUENT, _COUNT_TEMPLATES),
    "arg_min": (
        Disclosure.ONE_PERSONS_VALUE, AggregateHint.PER_PERSON_FIRST,
        ("MIN({1})", *_COUNT_TEMPLATES),
    ),
    "arg_max": (
        Disclosure.ONE_PERSONS_VALUE, AggregateHint.PER_PERSON_FIRST,
        ("MAX({1})", *_COUNT_TEMPLATES),
    ),
    **dict.fromkeys(
        ("list", "list_distinct", "string_agg"),
        (Disclosure.EVERYBODYS_VALUES, AggregateHint.GROUP_BY_COLUMN, _COUNT_TEMPLATES),
    ),
    "histogram": (
        Disclosure.EVERYBODYS_VALUES, AggregateHint.BINS, (),
    ),
    **dict.fromkeys(
        ("approxtopk", "approx_top_k"), (Disclosure.VALUES_OF_PERSONS, AggregateHint.GROUP_BY_COLUMN, _COUNT_TEMPLATES)
    ),
    "bool_or": (Disclosure.ONE_PERSON_IS_SO, "COUNT_IF(x)", ("COUNT_IF({0})",)),
    "bool_and": (Disclosure.ONE_PERSON_IS_NOT_SO, "COUNT_IF(NOT x)", ("COUNT_IF(NOT ({0}))",)),
    **dict.fromkeys(
        ("bit_and", "bit_or", "bit_xor"), (Disclosure.TURNED_BY_ONE_PERSON, "COUNT_IF(x > 0)", _COUNT_TEMPLATES)
    ),
    "product": (Disclosure.TURNED_BY_ONE_PERSON, "SUM(LN(x))", ("SUM(LN({0}))", "AVG({0})", *_COUNT_TEMPLATES)),
    "sum_distinct": (Disclosure.MOVED_BY_ONE_PERSON, "SUM(x)", ("COUNT(DISTINCT {0})", "SUM({0})")),
    "avg_distinct": (Disclosure.MOVED_BY_ONE_PERSON, "AVG(x)", ("AVG({0})", "COUNT(DISTINCT {0})")),
    "approxdistinct": (Disclosure.UNKNOWN_NOISE, "COUNT(DISTINCT x)", _COUNT_TEMPLATES),
    "approxquantile": _QUANTILE_SUGGESTION,
    "reservoir_quantile": _QUANTILE_SUGGESTION,
    "approxquantiles": (
        Disclosure.UNKNOWN_NOISE, AggregateHint.CALL_PER_LEVEL, ("QUANTILE_CONT({0}, 0.5)",),
    ),
    "regrr2": (Disclosure.UNSUPPORTED, "CORR(y, x) * CORR(y, x)", ("CORR({0}, {1}) * CORR({0}, {1})",)),
    "regrcount": (Disclosure.UNSUPPORTED, f"COUNT(*) {_PAIRS_FILTER.format('y', 'x')}", (f"COUNT(*) {_PAIRS_FILTER}",)),
    "regravgx": (Disclosure.UNSUPPORTED, f"AVG(x) {_PAIRS_FILTER.format('y', 'x')}", (f"AVG({{1}}) {_PAIRS_FILTER}",)),
    "regravgy": (Disclosure.UNSUPPORTED, f"AVG(y) {_PAIRS_FILTER.format('y', 'x')}", (f"AVG({{0}}) {_PAIRS_FILTER}",)),
}  # fmt: skip
_FALLBACK_TEMPLATES = ("AVG({0})", *_COUNT_TEMPLATES)
_NO_DIFFERENCE = ""
# template of a replacement -> how its value differs from the aggregate's
_DIFFERENCES: dict[str, str] = {
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
    "CORR({0}, {1}) * CORR({0}, {1})": _NO_DIFFERENCE,
    **{f"{call} {_PAIRS_FILTER}": _NO_DIFFERENCE for call in ("COUNT(*)", "AVG({1})", "AVG({0})")},
    # replacements of an argument of the wrong type
    "HOUR({0})": "of the hour of the day",
    INTERVAL_TO_NUMBER[0]: "in minutes",
    "{0} <> 0": _NO_DIFFERENCE,
    "CAST({0} AS INT)": _NO_DIFFERENCE,
    "DAYOFWEEK({0})": "of the day of the week, 0 for Sunday",
    "LENGTH({0})": "of the number of its elements",
    "CAST({0} AS VARCHAR)": "written as text",
    "CAST({0} AS BIGINT)": "rounded to whole numbers",
    "CAST({0} AS VARCHAR), ','": _NO_DIFFERENCE,
}
_MINUTES = "in minutes"
CLAMPED_TO_ENDS = f"a value beyond {MIN_PLACEHOLDER} or {MAX_PLACEHOLDER} counts as that end"
# unit of a length of time -> what it is at most: a day for parts of a day, a year for days and longer
_LONGEST = {"SECOND": 86_400, "MINUTE": 1_440, "HOUR": 24, "DAY": 366, "WEEK": 53, "MONTH": 12}
_AFTER_GROUP_BY = {"having": "HAVING", "order": "ORDER BY", "limit": "LIMIT"}  # parts of a query behind GROUP BY


def across_persons_refusal(name: str, node: exp.Expr, person_key: str) -> Refusal:
    """Build the refusal of an aggregate over many persons.

    `person_key` is the name of the person key, within whose rows the aggregate is allowed. Where the hint is to group
    by the column, that query is suggested first, then the templates of `_SUGGESTIONS`.
    """
    reason, hint, replacements = _SUGGESTIONS[name]
    base_refusal = refusal(
        Kind.AGGREGATE_PER_PERSON,
        node,
        *_fill_templates(replacements, node),
        name=written_name(_aggregate_call(node)),
        reason=reason,
        hint=hint,
        person=person_key,
    )
    keys = (
        _grouped_by_argument_or_bins(node)
        if hint in (AggregateHint.GROUP_BY_COLUMN, AggregateHint.MOST_FREQUENT)
        else ()
    )
    return replace(base_refusal, rewrites=(*keys, *base_refusal.rewrites))


def unknown_aggregate_refusal(name: str, node: exp.Expr) -> Refusal:
    """Build the refusal of an aggregate that the dialect does not have.

    An aggregate without an entry in `_SUGGESTIONS` gets its average, if its argument is a number, groups of its values,
    and counts: which of them compile is tried later.
    """
    shown = written_name(_aggregate_call(node))
    if name not in _SUGGESTIONS:
        hint = "AVG(x)" if name == "mean" else AggregateHint.OTHER_AGGREGATES
        unknown = refusal(
            Kind.UNKNOWN_AGGREGATE, node, *_fill_templates(_FALLBACK_TEMPLATES, node), name=shown, hint=hint
        )
        # groups are for arguments that are not numbers
        average = suggest_replaced(node, _fill_templates(_FALLBACK_TEMPLATES[:1], node))
        return replace(unknown, rewrites=(*average, *_grouped_by_argument(node), *unknown.rewrites))
    reason, hint, replacements = _SUGGESTIONS[name]
    refused = refusal(
        Kind.REFUSED_AGGREGATE, node, *_fill_templates(replacements, node), name=shown, reason=reason, hint=hint
    )
    keys = _grouped_by_argument_or_bins(node) if hint in (AggregateHint.GROUP_BY_COLUMN, AggregateHint.BINS) else ()
    return replace(refused, rewrites=(*keys, *refused.rewrites))


def wrong_type_refusal(accepted: ArgumentTypes, replacements: tuple[str, ...], node: exp.Expr) -> Refusal:
    """Build the refusal of an aggregate's argument of the wrong type.

    `replacements` are templates that convert the argument to an accepted type; the first is the hint where none
    compiles. Without any, as for text, the suggestion is to group by the argument and count. A difference of two times
    becomes DATE_DIFF in minutes, clamped to ends of the analyst's own.
    """
    call = node.this if isinstance(node, exp.Filter) else node
    name, value, template = _call_template(call)
    if isinstance(call.this, exp.Sub) and replacements == INTERVAL_TO_NUMBER:  # a difference of two times
        start, end = sql_text(call.this.expression), sql_text(call.this.this)
        difference = _parse_sql(f"DATE_DIFF('MINUTE', {start}, {end})")
        bounded = template.format(sql_text(clamp_to_ends(difference)))
        suggestion = Suggestion(bounded, f"{_MINUTES}; {clamped_difference(difference)}")
        return refusal(Kind.AGGREGATE_OF_INTERVAL, call, suggestion, name=name, accepted=accepted, clamped=suggestion)
    # a count would be no answer in place of a quantile, nor of the length of an interval
    not_countable = isinstance(call, exp.WithinGroup) or replacements == INTERVAL_TO_NUMBER
    counts = () if not_countable else _fill_templates(_COUNT_TEMPLATES, call)
    conversions = [
        Suggestion(template.format(text.format(value)), _DIFFERENCES[text]) for text in replacements if value
    ]
    if replacements:
        converted = f"{name}({replacements[0].format('x')})"
        return refusal(
            Kind.AGGREGATE_ARGUMENT_TYPE, call, *conversions, *counts, name=name, accepted=accepted, converted=converted
        )
    refused = refusal(Kind.AGGREGATE_OF_OTHER_TYPE, call, *counts, name=name, accepted=accepted)
    return replace(refused, rewrites=(*_grouped_by_argument(node), *refused.rewrites))


Ends = tuple[int, int]


def clamp_to_ends(value: exp.Expr) -> exp.Expr:
    """Wrap LEAST and GREATEST around a value, with placeholders for the ends that it does not state.

    LEAST(x, 10) states an upper end, GREATEST(x, 0) a lower one; below a positive upper end values usually begin at 0.
    A length of time has ends from its unit alone.
    """
    if (ends := _usual_ends(value)) is not None:
        return _parse_sql(f"LEAST(GREATEST({sql_text(value)}, {ends[0]}), {ends[1]})")
    if _has_positive_end(value):
        return _parse_sql(f"GREATEST({sql_text(value)}, 0)")
    has_end = any(map(_is_number, (value.this, *value.expressions)))
    if isinstance(value, exp.Least) and has_end:
        return _parse_sql(f"GREATEST({sql_text(value)}, {MIN_PLACEHOLDER})")
    if isinstance(value, exp.Greatest) and has_end:
        return _parse_sql(f"LEAST({sql_text(value)}, {MAX_PLACEHOLDER})")
    return _parse_sql(f"LEAST(GREATEST({sql_text(value)}, {MIN_PLACEHOLDER}), {MAX_PLACEHOLDER})")


def clamped_difference(value: exp.Expr) -> str:
    """State how a value between the ends of `clamp_to_ends` differs from the value itself."""
    ends = _usual_ends(value)
    if ends is None and _has_positive_end(value):
        return "a value below 0 counts as 0: choose yours"
    return CLAMPED_TO_ENDS if ends is None else f"a value beyond 0 or {ends[1]} counts as that end: choose yours"


def _has_positive_end(value: exp.Expr) -> bool:
    """Return whether a value is LEAST of some number above 0."""
    ends = (value.this, *value.expressions) if isinstance(value, exp.Least) else ()
    return any(isinstance(end, exp.Literal) and not end.is_string and float(end.name) > 0 for end in ends)


def _usual_ends(value: exp.Expr) -> Ends | None:
    """Shortest and longest usual length of a difference of two times, in its unit; None for other values.

    A column is looked up among the aliases of the query's subqueries. Seconds may be divided, as by 60.
    """
    value = value.unnest()
    if isinstance(value, exp.Column):
        aliases = value.root().find_all(exp.Alias)
        value = next((each.this for each in aliases if each.alias.lower() == value.name.lower()), value).unnest()
    if isinstance(value, exp.Div) and _is_number(value.expression):
        ends, divisor = _usual_ends(value.this), float(value.expression.name)
        return None if ends is None or not 1 <= divisor <= ends[1] else (0, math.ceil(ends[1] / divisor))
    unit = value.text("unit").upper().removesuffix("S") if isinstance(value, exp.DateDiff) else ""
    if isinstance(value, exp.DateSub | exp.Anonymous) and value.name.upper() == "DATE_SUB" and value.expressions:
        unit = value.expressions[0].name.upper().removesuffix("S")
    longest = _LONGEST.get("SECOND" if _is_seconds(value) else unit)
    return None if longest is None else (0, longest)


def _is_seconds(value: exp.Expr) -> bool:
    """Return whether a value is the seconds between two times: the epoch of an interval, or a difference of epochs."""
    if isinstance(value, exp.Sub):
        return all(isinstance(side.unnest(), exp.TimeToUnix) for side in (value.this, value.expression))
    if isinstance(value, exp.Extract):
        return value.name.upper() == "EPOCH" and isinstance(value.expression.unnest(), exp.Sub)
    return isinstance(value, exp.TimeToUnix) and isinstance(value.this.unnest(), exp.Sub)


def _is_number(node: exp.Expr | None) -> bool:
    """Return whether a node is a numeric literal, also a negative one."""
    number = node.this if isinstance(node, exp.Neg) else node
    return isinstance(number, exp.Literal) and not number.is_string


def _grouped_by_argument(node: exp.Expr, template: str = "{0}") -> tuple[Suggestion, ...]:
    """Rewrite a query to group by an aggregate's column, or by a template of it, and count the rows.

        SELECT MODE(zone) FROM visit  ->  SELECT zone, COUNT(*) FROM visit GROUP BY zone

    Empty for a call with FILTER, whose rows the groups would not be, and for arguments other than columns and
    expressions.
    """
    column = _first_argument(node)
    if isinstance(node, exp.Filter) or not isinstance(column, exp.Column | exp.Func | exp.Binary):
        return ()
    key = _parse_sql(template.format(sql_text(column)))

    def add_group_key(copied: exp.Expr) -> None:
        """Put the key in the call's place, and into GROUP BY; add COUNT(*) if no aggregate is left."""
        select = copied.find_ancestor(exp.Select)
        if select is None:
            return
        copied.replace(key.copy())
        for item in select.selects:  # MIN(x), MAX(x): one key in place of both
            if isinstance(item.unalias(), exp.Min | exp.Max) and item.unalias().this == column:
                item.pop()
        group = select.args.get("group")
        if group is None:
            select.set("group", exp.Group(expressions=[key.copy()]))
        elif not group.args.get("all"):
            group.append("expressions", key.copy())
        if select.find(exp.AggFunc) is None:
            select.append("expressions", exp.Count(this=exp.Star(), big_int=True))

    return to_suggestions(with_tree_changed(node, add_group_key), f"a row for each value of {sql_text(key)}")


def _grouped_by_argument_or_bins(node: exp.Expr) -> tuple[Suggestion, ...]:
    """Suggest grouping by an aggregate's column, by bins of it, and of a time by its date."""
    return tuple(each for template in ("{0}", _BIN_TEMPLATE, _DATE) for each in _grouped_by_argument(node, template))


def with_group_by(node: exp.Column) -> tuple[str, ...]:
    """Suggest grouping by all select items without aggregates, where the whole query has no GROUP BY yet."""
    select = node.find_ancestor(exp.Select)
    if select is None or select is not node.root() or select.args.get("group") is not None:
        return ()
    sql = str(select.meta.get("sql", "")).rstrip("; \n\t")
    later = [sql.upper().rfind(words) for part, words in _AFTER_GROUP_BY.items() if select.args.get(part) is not None]
    place = later[0] if later else len(sql)
    return (f"{sql[:place].rstrip()} GROUP BY ALL {sql[place:]}".rstrip(),)


def _first_argument(node: exp.Expr) -> exp.Expr | None:
    """First argument of an aggregate call, without ORDER BY and DISTINCT.

    Of PERCENTILE_CONT(0.5) WITHIN GROUP (ORDER BY x) it is x. Calls without a node class have a list of arguments.
    """
    call = node.expression.expressions[0] if isinstance(node, exp.WithinGroup) else _aggregate_call(node)
    untyped = isinstance(call, exp.Anonymous | exp.AnonymousAggFunc)
    first: exp.Expr | None = next(iter(call.expressions), None) if untyped else call.this
    if isinstance(first, exp.Order):
        first = first.this
    return first.expressions[0] if isinstance(first, exp.Distinct) and len(first.expressions) == 1 else first


def _call_template(call: exp.Expr) -> tuple[str, str, str]:
    """Split an aggregate call: (its name, its first argument as SQL, a template of the call for another argument).

    The template has one {} in place of the first argument.
    """
    name, parts = written_name(_aggregate_call(call)), _argument_texts(_aggregate_call(call))
    if isinstance(call, exp.WithinGroup):
        (term,) = call.expression.expressions
        direction = " DESC" if term.args.get("desc") else ""
        template = f"{name}({parts[0]}) WITHIN GROUP (ORDER BY {{}}{direction})"
        return name, sql_text(term.this), template
    rest = "".join(f", {part.replace('{', '{{').replace('}', '}}')}" for part in parts[1:])
    return name, parts[0] if parts else "", f"{name}({{}}{rest})"


def _aggregate_call(node: exp.Expr) -> exp.Expr:
    """Return the aggregate call itself, without FILTER, IGNORE NULLS and WITHIN GROUP."""
    call = node.this if isinstance(node, exp.Filter) else node
    while isinstance(call, exp.IgnoreNulls | exp.RespectNulls | exp.WithinGroup):
        call = call.this
    return call


def _parse_sql(text: str) -> exp.Expr:
    """Parse an expression in DuckDB's dialect."""
    return parse_one(text, dialect="duckdb")


def _fill_templates(templates: tuple[str, ...], node: exp.Expr) -> list[Suggestion]:
    """Fill an aggregate's arguments into the templates that need no more of them, with their differences."""
    parts = _argument_texts(_aggregate_call(node))
    fitting = [text for text in templates if parts and ("{1}" not in text or len(parts) > 1)]
    return [Suggestion(text.format(*parts), _DIFFERENCES[text]) for text in fitting]


def _argument_texts(call: exp.Expr) -> list[str]:
    """Arguments of an aggregate call as SQL, without ORDER BY and DISTINCT."""
    nodes: list[exp.Expr | None] = list(call.iter_expressions())
    if isinstance(call, exp.Anonymous | exp.AnonymousAggFunc):
        nodes = list(call.expressions)
    nodes = [part.this if isinstance(part, exp.Order) else part for part in nodes]
    nodes = [inner for part in nodes for inner in (part.expressions if isinstance(part, exp.Distinct) else [part])]
    # None: rank(ORDER BY x) has no arguments
    return [sql_text(part) for part in nodes if part is not None]
