"""Typed function calls: allow-listed, with unified argument types, and without access to person keys.

A call with wrong argument types is refused, with a suggestion of what was probably meant.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from sqlglot import exp, parse_one

from dialect.algebra.expressions import Call, Case, Expr, Literal, Ref, case_values
from dialect.catalog.model import SqlType
from dialect.diagnostics.kinds import Kind
from dialect.diagnostics.names import near_names
from dialect.errors import Refusal, Span, Suggestion
from dialect.functions import literals
from dialect.functions.literals import fold_constants, iso_suggestion
from dialect.functions.registry import (
    OVERLOADS,
    OVERLOADS_BY_NAME,
    callable_names,
    is_local_time,
    local_timestamp,
    time_zone_of,
)
from dialect.functions.scalar.numbers import HIGH, LOW
from dialect.functions.signatures import (
    Effect,
    Function,
    TextLength,
    accepts,
    constant_mistake,
    kind_name,
    with_typed_nulls,
)
from dialect.parser.compile_context import refusal
from dialect.parser.spans import span_of, sql_text, written_name
from dialect.parser.suggestions.foreign_dialects import CALL_REWRITES, FOREIGN_FUNCTIONS

_DAY = re.compile(r"(\d{4}-\d\d-\d\d)[ T]?%")
_MONTH, _CLOCK = re.compile(r"\d{4}-\d\d-?%"), re.compile(r"\d\d:\d\d(:00)?")
# smallest and largest number taken for it
_NUMBER_RANGES = ("HOUR", 0, 23), ("YEAR", 1900, 2100), ("EPOCH", 10**9, 10**10)
_NUMBER = re.compile(r"-?\d+(\.\d+)?")
_NUMBERS = (SqlType.BIGINT, SqlType.DOUBLE)
_DATES_AND_TIMESTAMPS = (SqlType.TIMESTAMP, SqlType.TIMESTAMPTZ, SqlType.DATE)


def suggest_rewrite(arguments: Sequence[Expr], node: exp.Expr) -> Suggestion | None:
    """Suggest a rewrite that makes the types of an operator's arguments agree; None if no rule applies.

    Rules for a comparison with a constant (quotes added or removed, or a part of a time compared), and LIKE of a date.
    For each side in turn, `one` is the constant and `other` what it is compared with.
    """
    sides = [node.this, node.expression] if isinstance(node, exp.Binary) else []
    if len(arguments) != len(sides):
        return None
    if isinstance(node, exp.Like):
        like = _like_rewrite(sides[0], sides[1].name) if arguments[0].type in _DATES_AND_TIMESTAMPS else None
        return None if like is None else Suggestion(like)
    rewritten = node.copy()
    for index, (one, other) in enumerate(zip(arguments, reversed(arguments), strict=True)):
        text = str(one.value) if isinstance(one, Literal) else ""
        new = exp.Literal.number(text) if one.type is SqlType.VARCHAR else exp.Literal.string(text)
        unquoted = one.type is SqlType.VARCHAR and other.type in _NUMBERS and _NUMBER.fullmatch(text)
        quoted = one.type in _NUMBERS and other.type is SqlType.VARCHAR and text
        if unquoted or quoted:
            rewritten.set("expression" if index else "this", new)
            return Suggestion(sql_text(rewritten), "compared as text" if quoted else "")
        guess = _guess_time_part(sides[1 - index], other, one, sides[index])
        if guess is not None:
            rewritten.set("this" if index else "expression", guess[0])
            rewritten.set("expression" if index else "this", guess[1])
            return Suggestion(sql_text(rewritten), guess[2])
    return None


def _like_rewrite(time: exp.Expr, pattern: str) -> str | None:
    """Rewrite `t LIKE '2026-10-17%'` as an equality of dates, `t LIKE '2026-10%'` as LIKE of its text; else None."""
    day = _DAY.fullmatch(pattern)
    if day is not None:
        return f"CAST({sql_text(time)} AS DATE) = DATE '{day[1]}'"
    return f"STRFTIME({sql_text(time)}, '%Y-%m-%d') LIKE '{pattern}'" if _MONTH.fullmatch(pattern) else None


def _guess_time_part(
    time_node: exp.Expr, typed: Expr, constant: Expr, constant_node: exp.Expr
) -> tuple[exp.Expr, exp.Expr, str] | None:
    """Guess which part of a time is compared with a constant of another type: date, year, hour, epoch, or all.

    Returns (new left side, new right side, note of what the rewrite compares); None where nothing fits.
    """
    if not isinstance(constant, Literal):
        return None
    value = constant.value
    if typed.type in _DATES_AND_TIMESTAMPS and isinstance(value, int) and not isinstance(value, bool):
        day = iso_suggestion(str(value), "DATE") if len(str(value)) == len("20261001") else None
        if day is not None:
            return time_node.copy(), _parse(f"DATE {day}"), f"{value} is read as a day"
        part = next((part for part, lowest, highest in _NUMBER_RANGES if lowest <= value <= highest), None)
        compared = f"compares the {str(part).lower()} of {sql_text(time_node)}"
        return None if part is None else (_parse(f"{part}({sql_text(time_node)})"), constant_node.copy(), compared)
    if isinstance(time_node, exp.TimeToUnix) and constant.type in (SqlType.VARCHAR, *_DATES_AND_TIMESTAMPS):
        return time_node.this.copy(), constant_node.copy(), ""
    if isinstance(time_node, exp.Hour) and _CLOCK.fullmatch(str(value)):
        clock = _parse(f"TIME '{str(value)[:5]}:00'")
        return _parse(f"CAST({sql_text(time_node.this)} AS TIME)"), clock, "compares the time of day"
    return None


def _parse(text: str) -> exp.Expr:
    """Parse an expression in DuckDB's dialect."""
    return parse_one(text, dialect="duckdb")


MAX_EXPRESSION_NODES = 4_000  # nodes of one expression; BETWEEN and CASE x WHEN repeat their operand
MAX_EXPRESSION_DEPTH = 150

_ALLOWED_ON_PERSON = {"is null"}
_COMPARISONS = {"=", "<>", "<", "<=", ">", ">=", "in", "is distinct from", "is not distinct from"}
_TIMES = (SqlType.TIME, SqlType.DATE, SqlType.TIMESTAMP, SqlType.TIMESTAMPTZ)
_CASTABLE_TO_TEXT = {SqlType.BIGINT, SqlType.DOUBLE, SqlType.BOOLEAN, *_TIMES}
_CURRENT_TIME_FUNCTIONS = {"now", "today", "getdate", "sysdate", "get_current_timestamp", "transaction_timestamp"}
_MIN_SIMILARITY = 0.8  # similarity from which a name counts as misspelt
_AGGREGATES = ("avg", "count", "count_if", "max", "median", "min", "quantile_cont", "stddev", "sum", "variance")


def syntax_refusal(node: exp.Expr) -> Refusal:
    """Build the refusal of syntax that is parsed but not allowed."""
    if isinstance(node, exp.CurrentDate | exp.CurrentTimestamp | exp.CurrentTime):
        return refusal(Kind.CURRENT_TIME, node, name=written_name(node))
    if isinstance(node, exp.Order):
        return refusal(Kind.ORDER_HERE, node)
    kind = Kind.UNKNOWN_CONSTRUCT
    if isinstance(node, exp.Array) and any(isinstance(part, exp.Column) for part in node.expressions):
        kind = Kind.LIST_OF_COLUMNS
    if isinstance(node, exp.Explode | exp.Unnest):
        kind = Kind.ROWS_OF_A_LIST
    return refusal(kind, node, name=written_name(node))


def apply_function(name: str, arguments: Sequence[Expr], node: exp.Expr) -> Expr:
    """Apply an allow-listed function to typed arguments: coerced, checked against its overloads, constants folded.

    Raises Refusal with E_FUNC for an unknown function or arguments of wrong types, with E_PERSON_KEY for a person key
    as argument, with E_COMPLEX for a too large expression. Comparisons of wrong types get a suggested rewrite.
    """
    _refuse_person_key(name, arguments, node)
    forms = OVERLOADS_BY_NAME.get(name)
    if forms is None:
        raise unknown_function(name, node)
    aligned = _coerce(name, _flatten(name, arguments), node)
    for form in forms:
        if accepts(form, aligned):
            misuse = constant_mistake(form, aligned)
            if misuse is not None:
                known = {"name": _name_in_query(name, node), "forms": _argument_lists(name)}
                raise replace(misuse, fields={**misuse.fields, **known}, span=span_of(node))
            return _check_size(fold_constants(_build_call(form, with_typed_nulls(form, aligned), node)), node)
    argument_types = ", ".join(argument.type for argument in aligned)
    shown = _name_in_query(name, node)
    rewrite = (
        suggest_rewrite(aligned, node)
        if name in _COMPARISONS or isinstance(node, exp.Like | exp.Add | exp.Sub)
        else None
    )
    if rewrite is not None:
        raise refusal(Kind.ARGUMENT_REWRITTEN, node, rewrite, name=shown, types=argument_types, rewrite=rewrite)
    kind = Kind.COMPARISON_TYPES if name in _COMPARISONS else Kind.ARGUMENT_TYPES
    raise refusal(kind, node, name=shown, types=argument_types, forms=_argument_lists(name))


def unknown_function(name: str, node: exp.Expr) -> Refusal:
    """Build the refusal of an unknown function, with the nearest known name."""
    if name.removesuffix("()") in _CURRENT_TIME_FUNCTIONS:
        return refusal(Kind.CURRENT_TIME, node, name=written_name(node))
    near, written = nearest_name(name), written_name(node)[:40]
    if near is None:
        return refusal(Kind.UNKNOWN_FUNCTION, node, name=written)
    return refusal(Kind.MISSPELT_FUNCTION, node, *_respelling_suggestions(near, node), name=written, near=near)


def build_case(branches: Sequence[tuple[Expr, Expr]], otherwise: Expr, node: exp.Expr) -> Expr:
    """Build a CASE whose values have one type."""
    values = [*(value for _, value in branches), otherwise]
    _refuse_person_key("case", values, node)
    kind, unified = unify_types(to_local_times(values), node)
    tests = [test for test, _ in branches]
    return _check_size(Case(tuple(zip(tests, unified[:-1], strict=True)), unified[-1], kind), node)


def to_local_times(arguments: Sequence[Expr]) -> list[Expr]:
    """Convert instants to local times of one clock: that of the first with a time zone, else UTC."""
    instants = [each for each in arguments if each.type is SqlType.TIMESTAMPTZ]
    zone = next(filter(None, map(time_zone_of, instants)), "UTC")
    return [local_timestamp(each, zone) if each in instants else each for each in arguments]


def _to_instants(arguments: list[Expr], node: exp.Expr) -> list[Expr]:
    """Convert truncated and moved local times back to instants, which they are in DuckDB, if all are such or instants.

        at - date_trunc('day', at)   ->   at - instant(date_trunc('day', wall(at, zone)), zone)

    Arguments are unchanged where AT TIME ZONE is written, as its result is no instant.
    """
    zones = [_zone_of_truncated(argument) for argument in arguments]
    kept = all(zone or each.type is SqlType.TIMESTAMPTZ for zone, each in zip(zones, arguments, strict=True))
    if not kept or not any(zones) or any(map(_is_at_time_zone, node.walk())):
        return arguments
    return [
        apply_function("instant", [each, Literal(zone, SqlType.VARCHAR)], node) if zone is not None else each
        for zone, each in zip(zones, arguments, strict=True)
    ]


def _zone_of_truncated(expr: Expr) -> str | None:
    """Return the time zone of an instant that is truncated or moved by a constant; None for other expressions."""
    if not isinstance(expr, Call) or expr.type is not SqlType.TIMESTAMP:
        return None
    is_truncated = OVERLOADS[expr.function].has_step
    if not is_truncated and expr.name not in ("+", "-"):
        return None
    time = expr.arguments[-1 if is_truncated else 0]
    if is_local_time(time):
        return time_zone_of(time.arguments[0]) or "UTC"
    return _zone_of_truncated(time)


def _is_at_time_zone(node: exp.Expr) -> bool:
    return isinstance(node, exp.AtTimeZone) or (isinstance(node, exp.Anonymous) and node.name.lower() == "timezone")


def is_person_key(expr: Expr) -> bool:
    """Return whether an expression is the person key itself, or a CASE that returns it."""
    if isinstance(expr, Ref):
        return expr.field.is_person_key
    return isinstance(expr, Case) and any(is_person_key(value) for value in case_values(expr))


def polygon_refusal(node: exp.Expr | None) -> Refusal:
    """Build the refusal of a polygon used as a value."""
    return refusal(Kind.POLYGON_AS_VALUE, node)


def _build_call(form: Function, arguments: Sequence[Expr], node: exp.Expr) -> Call:
    """Build the call of the overload `form`, after its arguments have been accepted.

    An overload whose declared result is NULL has the common type of its arguments: COALESCE, LEAST, GREATEST. NULLIF
    keeps the type of its first. Interval ends keep their span, to be refused later where no released number is read.
    """
    if form.result is not SqlType.NULL:
        span = span_of(node) if form.name in (LOW, HIGH) else None
        return Call(form.row_name, tuple(arguments), form.result, span)
    kind, values = unify_types(arguments, node)
    return Call(form.row_name, tuple(values), arguments[0].type if form.effect is Effect.KEEPS_OR_NULL else kind)


def _check_size(expr: Expr, node: exp.Expr) -> Expr:
    """Return an expression unchanged; raises Refusal with E_COMPLEX if it has too many nodes or is too deep."""
    if isinstance(expr, Call | Case) and (expr.size > MAX_EXPRESSION_NODES or expr.depth > MAX_EXPRESSION_DEPTH):
        raise refusal(Kind.EXPRESSION_TOO_LARGE, node)
    return expr


def tilde_refusal(node: exp.Expr) -> Refusal:
    """Build the refusal of ~x without parentheses: the parser's span covers x alone.

    The span and the suggested queries are extended to the ~ before it.
    """
    bracketed = f"(~{node.this.sql('duckdb', comments=False)})"
    suggestion = Suggestion(bracketed, "~ of this alone; DuckDB takes all that follows it")
    refused = refusal(Kind.TILDE_END, node, suggestion, bracketed=bracketed)
    sql = str(node.root().meta.get("sql", ""))
    sign = -1 if refused.span is None else sql.rfind("~", 0, refused.span.start)
    if refused.span is None or sign < 0:
        return refused
    rewrites = tuple(replace(each, sql=each.sql[:sign] + each.sql[sign + 1 :]) for each in refused.rewrites)
    return replace(refused, span=Span(sign, refused.span.end), rewrites=rewrites)


def nearest_name(name: str) -> str | None:
    """Return the known function that a name misspells; None for names of functions in other engines.

    Names with more or fewer words do not count: `haversine` and `haversine_m` take their arguments in another order.
    """
    plain_name = name.removesuffix("()")[:40]
    if (
        plain_name in exp.FUNCTION_BY_NAME
        or plain_name.upper() in exp.FUNCTION_BY_NAME
        or plain_name in FOREIGN_FUNCTIONS
        or plain_name in CALL_REWRITES
    ):
        return None
    candidates = [
        each
        for each in (*_AGGREGATES, *callable_names())
        if each.isidentifier() and each.count("_") == plain_name.count("_")
    ]
    close = near_names(plain_name, candidates, min_similarity=_MIN_SIMILARITY)
    return close[0] if close else None


def _respelling_suggestions(near: str, node: exp.Expr) -> list[Suggestion]:
    """Rewrite the call with the nearest known name."""
    if not isinstance(node, exp.Anonymous):
        return []
    parts = ", ".join(sql_text(part) for part in node.expressions)
    return [Suggestion(f"{near}({parts})", f"{near} is a near name")]


def _name_in_query(name: str, node: exp.Expr) -> str:
    """Return the name of a function or operator as written in the query."""
    if isinstance(node, exp.Cast):
        return f"CAST AS {node.args['to'].sql('duckdb')[:40]}"
    if isinstance(node, exp.Between):
        return "BETWEEN"
    if isinstance(node, exp.Neg):
        return "-"
    return written_name(node) if "start" in node.meta else name.upper()


def _argument_lists(name: str) -> str:
    """List the argument types of every overload of a function."""
    return " or ".join(
        sorted({f"({', '.join(map(kind_name, form.argument_kinds))})" for form in OVERLOADS_BY_NAME[name]})
    )


def _refuse_person_key(name: str, arguments: Sequence[Expr], node: exp.Expr) -> None:
    """Refuse a person key as an argument, except in IS NULL and in the equality of two person keys.

    Other functions would compute values from the identifier. A comparison in WHERE gets its own reason, as it is meant
    to choose persons. Raises Refusal with E_PERSON_KEY.
    """
    persons = [argument for argument in arguments if is_person_key(argument)]
    is_person_join = name == "=" and len(persons) == 2  # both sides are person keys
    if not persons or name in _ALLOWED_ON_PERSON or is_person_join:
        return
    shown = next((p.field.name for p in persons if isinstance(p, Ref)), None) or "person"
    if name in _COMPARISONS and node.find_ancestor(exp.Where) is not None:
        raise refusal(Kind.PERSONS_BY_KEY, node, person=shown)
    raise refusal(Kind.PERSON_KEY_AS_VALUE, node, count=Suggestion(f"COUNT(DISTINCT {shown})", "counts people"))


def _flatten(name: str, arguments: Sequence[Expr]) -> list[Expr]:
    """Merge nested ANDs, or nested ORs, into one call of many arguments; other functions keep their arguments."""
    if name not in {"and", "or"}:
        return list(arguments)
    flat: list[Expr] = []
    for argument in arguments:
        flat.extend(argument.arguments if isinstance(argument, Call) and argument.name == name else [argument])
    return flat


def _coerce(name: str, arguments: list[Expr], node: exp.Expr) -> list[Expr]:
    """Coerce arguments: text constants to the compared time type, instants to local time, a time first in a sum.

    Concatenation casts numbers and times to text. Instants stay in functions that read them as such.
    """
    rows, kinds = OVERLOADS_BY_NAME[name], {argument.type for argument in arguments}
    has_common_type = name in _COMPARISONS or rows[0].result is SqlType.NULL
    if has_common_type and kinds & set(_TIMES):
        target = next(kind for kind in reversed(_TIMES) if kind in kinds)  # the type with the most information
        arguments = [_cast_text_constant(argument, target, node) for argument in arguments]
    if name == "+" and len(arguments) == 2 and arguments[1].type in _TIMES[1:]:  # INTERVAL 1 DAY + time
        arguments.reverse()
    is_concatenation = rows[0].text_length is TextLength.TOTAL
    if is_concatenation and (name != "||" or SqlType.VARCHAR in kinds):  # || also joins lists
        arguments = [_cast_to_text(argument, node) for argument in arguments]
    if any(row.reads_instants and "instant" in row.argument_kinds[:1] for row in rows):
        arguments = _to_instants(arguments, node)
    keeps_instants = any(row.reads_instants and accepts(row, arguments) for row in rows)
    return arguments if keeps_instants else to_local_times(arguments)


def _cast_to_text(argument: Expr, node: exp.Expr) -> Expr:
    """Cast a number, condition or time to text; other values, such as lists, are left for the overloads to refuse."""
    return apply_function("to_varchar", [argument], node) if argument.type in _CASTABLE_TO_TEXT else argument


def _cast_text_constant(argument: Expr, target: SqlType, node: exp.Expr) -> Expr:
    """Parse a text constant as the time type that it is compared with; other arguments are unchanged.

    A date compared with a text that has more than the ten characters of a date is compared as a timestamp.
    """
    if isinstance(argument, Literal) and argument.type is SqlType.VARCHAR and isinstance(argument.value, str):
        # 10: characters of 2026-10-17
        if target is not SqlType.TIME and (target is not SqlType.DATE or len(argument.value.strip()) > 10):
            target = SqlType.TIMESTAMP
        return literals.parse_as(argument.value, target, node)
    return argument


def unify_types(arguments: Sequence[Expr], node: exp.Expr) -> tuple[SqlType, list[Expr]]:
    """Find the common type of some values, and cast them to it; raises Refusal with E_FUNC if they have none.

    NULL has every type. BIGINT and DOUBLE have the common type DOUBLE; engines cast that themselves, so values are
    unchanged. Dates with timestamps become timestamps.
    """
    kinds = {argument.type for argument in arguments} - {SqlType.NULL}
    if SqlType.POLYGON in kinds:
        raise polygon_refusal(node)
    if len(kinds) <= 1:
        return next(iter(kinds), SqlType.NULL), list(arguments)
    if kinds <= {SqlType.BIGINT, SqlType.DOUBLE}:
        return SqlType.DOUBLE, list(arguments)
    if kinds <= {SqlType.DATE, SqlType.TIMESTAMP}:
        stamps = [apply_function("to_timestamp", [a], node) if a.type is SqlType.DATE else a for a in arguments]
        return SqlType.TIMESTAMP, stamps
    raise refusal(Kind.SEVERAL_TYPES, node, types=", ".join(sorted(kinds)))
