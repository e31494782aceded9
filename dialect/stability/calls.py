"""Typed function calls: allow-listed, with unified argument types, and without access to person keys.

A call with wrong argument types is refused, with a suggestion of what was probably meant.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from difflib import get_close_matches

from sqlglot import exp, parse_one

from dialect.algebra.expressions import Call, Case, Expr, Literal, Ref, case_values
from dialect.catalog.model import SqlType
from dialect.errors import Code, Refusal, Span, Suggestion
from dialect.functions import builders as own_calls
from dialect.functions import literals
from dialect.functions.constant_folding import folded
from dialect.functions.literals import meant_time
from dialect.functions.registry import forms_of, names
from dialect.functions.scalar.noise_intervals import is_interval_end
from dialect.functions.signature import Function, accepts, in_words, mistake, typed
from dialect.parser.context import refusal
from dialect.parser.spans import called, span_of
from dialect.parser.suggestions.foreign_dialects import FORMS
from dialect.parser.suggestions.foreign_names import FOREIGN_FUNCTIONS

_DAY = re.compile(r"(\d{4}-\d\d-\d\d)[ T]?%")
_MONTH, _CLOCK = re.compile(r"\d{4}-\d\d-?%"), re.compile(r"\d\d:\d\d(:00)?")
_SIZES = (("HOUR", 0, 23), ("YEAR", 1900, 2100), ("EPOCH", 10**9, 10**10))  # smallest and largest number taken for it
_NUMBER = re.compile(r"-?\d+(\.\d+)?")
_NUMBERS = (SqlType.BIGINT, SqlType.DOUBLE)
_DATES_AND_STAMPS = (SqlType.TIMESTAMP, SqlType.TIMESTAMPTZ, SqlType.DATE)


def instead(arguments: Sequence[Expr], node: exp.Expr) -> Suggestion | None:
    """Suggest a rewrite that makes the types agree; None if no rule applies.

    Rules for a comparison with a constant, LIKE of a date, and a date plus a number.
    """
    sides = [node.this, node.expression] if isinstance(node, exp.Binary) else []
    if len(arguments) != len(sides):
        return None
    if isinstance(node, exp.Add | exp.Sub):
        days = tuple(each.type for each in arguments) == (SqlType.DATE, SqlType.BIGINT)
        return Suggestion(_numbered_days(node), "a number of days since 1970-01-01") if days else None
    if isinstance(node, exp.Like):
        like = _like(sides[0], sides[1].name) if arguments[0].type in _DATES_AND_STAMPS else None
        return None if like is None else Suggestion(like)
    made = node.copy()
    for place, (one, other) in enumerate(zip(arguments, reversed(arguments), strict=True)):
        text = str(one.value) if isinstance(one, Literal) else ""
        new = exp.Literal.number(text) if one.type is SqlType.VARCHAR else exp.Literal.string(text)
        unquoted = one.type is SqlType.VARCHAR and other.type in _NUMBERS and _NUMBER.fullmatch(text)
        quoted = one.type in _NUMBERS and other.type is SqlType.VARCHAR and text
        if unquoted or quoted:
            made.set("expression" if place else "this", new)
            return Suggestion(_written(made), "compared as text" if quoted else "")
        told = _of_time(sides[1 - place], other, one, sides[place])
        if told is not None:
            made.set("this" if place else "expression", told[0])
            made.set("expression" if place else "this", told[1])
            return Suggestion(_written(made), told[2])
    return None


def _like(time: exp.Expr, pattern: str) -> str | None:
    day = _DAY.fullmatch(pattern)
    if day is not None:
        return f"CAST({_written(time)} AS DATE) = DATE '{day[1]}'"
    return f"STRFTIME({_written(time)}, '%Y-%m-%d') LIKE '{pattern}'" if _MONTH.fullmatch(pattern) else None


def _of_time(side: exp.Expr, typed: Expr, constant: Expr, written: exp.Expr) -> tuple[exp.Expr, exp.Expr, str] | None:
    """Guess which part of a time is compared with a constant of another type: date, year, hour, epoch, or all.

    Returns both sides, and a note of what the rewrite compares.
    """
    if not isinstance(constant, Literal):
        return None
    value = constant.value
    if typed.type in _DATES_AND_STAMPS and isinstance(value, int) and not isinstance(value, bool):
        day = meant_time(str(value), "DATE") if len(str(value)) == len("20261001") else None
        if day is not None:
            return side.copy(), _parsed(f"DATE {day}"), f"{value} is read as a day"
        part = next((part for part, least, most in _SIZES if least <= value <= most), None)
        compared = f"compares the {str(part).lower()} of {_written(side)}"
        return None if part is None else (_parsed(f"{part}({_written(side)})"), written.copy(), compared)
    if isinstance(side, exp.TimeToUnix) and constant.type in (SqlType.VARCHAR, *_DATES_AND_STAMPS):
        return side.this.copy(), written.copy(), ""
    if isinstance(side, exp.Hour) and _CLOCK.fullmatch(str(value)):
        clock = _parsed(f"TIME '{str(value)[:5]}:00'")
        return _parsed(f"CAST({_written(side.this)} AS TIME)"), clock, "compares the time of day"
    return None


def _numbered_days(node: exp.Add | exp.Sub) -> str:
    """Rewrite a date plus a column as a number of days since 1970-01-01, as dates cannot move by a column."""
    made = node.copy()
    made.set("this", _parsed(f"DATE_DIFF('day', DATE '1970-01-01', {_written(node.this)})"))
    return _written(made)


def _written(node: exp.Expr) -> str:
    return node.sql("duckdb", comments=False)


def _parsed(text: str) -> exp.Expr:
    return parse_one(text, dialect="duckdb")


MAX_SIZE = 4_000  # nodes of one expression; BETWEEN and CASE x WHEN repeat their operand
MAX_DEPTH = 150

_PERSON_USES = {"is null"}
_COMPARED = {"=", "<>", "<", "<=", ">", ">=", "in", "is distinct from", "is not distinct from"}
_MERGED = {"coalesce", "least", "greatest", "nullif"}
_TIMES = (SqlType.TIME, SqlType.DATE, SqlType.TIMESTAMP, SqlType.TIMESTAMPTZ)
_JOINED = {"||", "concat", "concat_ws"}  # functions that cast numbers and times to text
_WRITTEN = {SqlType.BIGINT, SqlType.DOUBLE, SqlType.BOOLEAN, *_TIMES}
_OF_INSTANTS = {"epoch", "epoch_ms", "epoch_us", "is null", "wall"}
_NOW = {"now", "today", "getdate", "sysdate", "get_current_timestamp", "transaction_timestamp"}
_MISSPELT = 0.8  # similarity from which a name counts as misspelt
_SEE_DOCS = "see docs/functions.md"
_AGGREGATES = ("avg", "count", "count_if", "max", "median", "min", "quantile_cont", "stddev", "sum", "variance")
POLYGON_HINT = "within_polygon(lon, lat, the polygon)"


def not_allowed(node: exp.Expr) -> Refusal:
    """Build the refusal of syntax that is parsed but not allowed."""
    if isinstance(node, exp.CurrentDate | exp.CurrentTimestamp | exp.CurrentTime):
        return _of_now(node)
    if isinstance(node, exp.Order):
        return refusal(Code.FUNC, "No order of rows can stand here.", "leave ORDER BY out", node)
    hint = _SEE_DOCS
    if isinstance(node, exp.Array) and any(isinstance(part, exp.Column) for part in node.expressions):
        hint = "a column without brackets, or in double quotes"
    if isinstance(node, exp.Explode | exp.Unnest):
        hint = "list_contains(x, 'a'), or a list of constants in FROM: a row of a person does not become several here"
    return refusal(Code.FUNC, f"{called(node)} is not in the dialect.", hint, node)


def _of_now(node: exp.Expr) -> Refusal:
    why = f"{called(node)} is another value whenever it is asked, and no repeat would be found again."
    return refusal(Code.FUNC, why, "a day that is written out: DATE '2026-10-31'", node)


def call(name: str, arguments: Sequence[Expr], node: exp.Expr) -> Expr:
    """Apply an allow-listed function to typed arguments; raises Refusal with E_FUNC, E_PERSON_KEY or E_COMPLEX."""
    _keep_person_out(name, arguments, node)
    if not forms_of(name):
        raise unknown_function(name, node)
    aligned = _aligned(name, _flattened(name, arguments), node)
    for form in forms_of(name):
        if accepts(form, aligned):
            wrong = mistake(form, aligned)
            if wrong is not None:
                raise refusal(Code.FUNC, wrong, _kinds_hint(name, _shown(name, node)), node)
            return _limited(folded(_made(form, typed(form, aligned), node)), node)
    given = ", ".join(argument.type for argument in aligned)
    shown = _shown(name, node)
    meant = instead(aligned, node) if name in _COMPARED or isinstance(node, exp.Like | exp.Add | exp.Sub) else None
    made = () if meant is None else (meant,)
    raise refusal(Code.FUNC, f"{shown} does not take ({given}).", meant or _kinds_hint(name, shown), node, *made)


def unknown_function(name: str, node: exp.Expr) -> Refusal:
    """Build the refusal of an unknown function, with the nearest known name."""
    if name.removesuffix("()") in _NOW:
        return _of_now(node)
    why = f"The function {called(node)[:40]} is not in the dialect."
    return refusal(Code.FUNC, why, _nearest(name), node, *_respelt(name, node))


def case(branches: Sequence[tuple[Expr, Expr]], otherwise: Expr, node: exp.Expr) -> Expr:
    """Build a CASE whose values have one type."""
    values = [*(value for _, value in branches), otherwise]
    _keep_person_out("case", values, node)
    kind, given = alike([wall(value) for value in values], node)
    tests = [test for test, _ in branches]
    return _limited(Case(tuple(zip(tests, given[:-1], strict=True)), given[-1], kind), node)


def wall(argument: Expr) -> Expr:
    """Convert an instant to the local time of its time zone."""
    if argument.type is not SqlType.TIMESTAMPTZ:
        return argument
    zone = argument.field.time_zone if isinstance(argument, Ref) else None
    return own_calls.wall(argument, zone or "UTC")


def is_person(expr: Expr) -> bool:
    """Return whether an expression is the person key itself."""
    if isinstance(expr, Ref):
        return expr.field.is_person
    return isinstance(expr, Case) and any(is_person(value) for value in case_values(expr))


def polygon_refused(node: exp.Expr | None) -> Refusal:
    """Build the refusal of a polygon used as a value."""
    return refusal(Code.FUNC, "A polygon is no value: places are held against it.", POLYGON_HINT, node)


def _made(form: Function, arguments: Sequence[Expr], node: exp.Expr) -> Call:
    if form.result is not SqlType.NULL:
        made = Call(form.row, tuple(arguments), form.result)
        return replace(made, span=span_of(node)) if is_interval_end(made) else made
    kind, values = alike(arguments, node)
    return Call(form.row, tuple(values), arguments[0].type if form.name == "nullif" else kind)


def _limited(expr: Expr, node: exp.Expr) -> Expr:
    if isinstance(expr, Call | Case) and (expr.size > MAX_SIZE or expr.depth > MAX_DEPTH):
        raise refusal(Code.COMPLEX, "This expression is too large.", "compute parts of it in a subquery", node)
    return expr


def unclear_tilde(node: exp.Expr) -> Refusal:
    """Build the refusal of ~x without parentheses: the parser's span covers x alone."""
    bracketed = f"(~{node.this.sql('duckdb', comments=False)})"
    instead = Suggestion(bracketed, "~ of this alone; DuckDB takes all that follows it")
    refused = refusal(Code.FUNC, "It is not clear where ~ ends.", f"{bracketed}, with brackets", node, instead)
    sql = str(node.root().meta.get("sql", ""))
    sign = -1 if refused.span is None else sql.rfind("~", 0, refused.span.start)
    if refused.span is None or sign < 0:
        return refused
    rewrites = tuple(replace(each, sql=each.sql[:sign] + each.sql[sign + 1 :]) for each in refused.rewrites)
    return replace(refused, span=Span(sign, refused.span.end), rewrites=rewrites)


def _nearest(name: str) -> str:
    near = misspelt(name)
    return _SEE_DOCS if near is None else f"{near}(...)"


def misspelt(name: str) -> str | None:
    """Return the known function that a name misspells; None for names of functions in other engines.

    Names with more or fewer words do not count: `haversine` and `haversine_m` take their arguments in another order.
    """
    bare = name.removesuffix("()")[:40]
    if (
        bare in exp.FUNCTION_BY_NAME
        or bare.upper() in exp.FUNCTION_BY_NAME
        or bare in FOREIGN_FUNCTIONS
        or bare in FORMS
    ):
        return None
    known = [each for each in (*_AGGREGATES, *names()) if each.isidentifier() and each.count("_") == bare.count("_")]
    close = get_close_matches(bare, known, n=1, cutoff=_MISSPELT)
    return close[0] if close else None


def _respelt(name: str, node: exp.Expr) -> list[Suggestion]:
    """Rewrite the call with the nearest known name."""
    near = misspelt(name)
    if near is None or not isinstance(node, exp.Anonymous):
        return []
    parts = ", ".join(part.sql("duckdb", comments=False) for part in node.expressions)
    return [Suggestion(f"{near}({parts})", f"{near} is a near name")]


def _shown(name: str, node: exp.Expr) -> str:
    """Return the name of a function or operator as written in the query."""
    if isinstance(node, exp.Cast):
        return f"CAST AS {node.args['to'].sql('duckdb')[:40]}"
    if isinstance(node, exp.Between):
        return "BETWEEN"
    if name == "negative":
        return "-"
    return called(node) if "start" in node.meta else name.upper()


def _kinds_hint(name: str, shown: str) -> str:
    if name in _COMPARED:
        return "compare values of one type"
    forms = sorted({f"({', '.join(map(in_words, form.arguments))})" for form in forms_of(name)})
    return f"{shown} takes " + " or ".join(forms)


def _keep_person_out(name: str, arguments: Sequence[Expr], node: exp.Expr) -> None:
    persons = [argument for argument in arguments if is_person(argument)]
    joined = name == "=" and len(persons) == 2
    if not persons or name in _PERSON_USES or joined:
        return
    shown = next((p.field.name for p in persons if isinstance(p, Ref)), None) or "person"
    why = "The person key can be counted, joined on and grouped by, and nothing else."
    if name in _COMPARED and node.find_ancestor(exp.Where) is not None:
        why = "Persons are chosen by what their rows say, not by their keys."
        hint = f"{shown} IN (SELECT {shown} FROM ... WHERE ...), or a condition on another column"
        raise refusal(Code.PERSON_KEY, why, hint, node)
    raise refusal(Code.PERSON_KEY, why, Suggestion(f"COUNT(DISTINCT {shown})", "counts people"), node)


def _flattened(name: str, arguments: Sequence[Expr]) -> list[Expr]:
    if name not in {"and", "or"}:
        return list(arguments)
    flat: list[Expr] = []
    for argument in arguments:
        flat.extend(argument.arguments if isinstance(argument, Call) and argument.name == name else [argument])
    return flat


def _aligned(name: str, arguments: list[Expr], node: exp.Expr) -> list[Expr]:
    """Coerce arguments: text constants to the compared time type, instants to local time, a time first in a sum."""
    kinds = {argument.type for argument in arguments}
    if name in _COMPARED | _MERGED and kinds & set(_TIMES):
        target = next(kind for kind in reversed(_TIMES) if kind in kinds)
        arguments = [_text_as(argument, target, node) for argument in arguments]
    if name == "+" and len(arguments) == 2 and arguments[1].type in _TIMES[1:]:
        arguments.reverse()
    if name in _JOINED and (name != "||" or SqlType.VARCHAR in kinds):
        arguments = [_as_text(argument, node) for argument in arguments]
    stays = name in _OF_INSTANTS or (name == "-" and kinds == {SqlType.TIMESTAMPTZ})
    return arguments if stays else [wall(argument) for argument in arguments]


def _as_text(argument: Expr, node: exp.Expr) -> Expr:
    return call("to_varchar", [argument], node) if argument.type in _WRITTEN else argument


def _text_as(argument: Expr, target: SqlType, node: exp.Expr) -> Expr:
    if isinstance(argument, Literal) and argument.type is SqlType.VARCHAR and isinstance(argument.value, str):
        if target is not SqlType.TIME and (target is not SqlType.DATE or len(argument.value.strip()) > 10):
            target = SqlType.TIMESTAMP
        return literals.cast_text(argument.value, target, node)
    return argument


def alike(arguments: Sequence[Expr], node: exp.Expr) -> tuple[SqlType, list[Expr]]:
    """Unify the types of some values; raises Refusal if they have no common type."""
    kinds = {argument.type for argument in arguments} - {SqlType.NULL}
    if SqlType.POLYGON in kinds:
        raise polygon_refused(node)
    if len(kinds) <= 1:
        return next(iter(kinds), SqlType.NULL), list(arguments)
    if kinds <= {SqlType.BIGINT, SqlType.DOUBLE}:
        return SqlType.DOUBLE, list(arguments)
    if kinds <= {SqlType.DATE, SqlType.TIMESTAMP}:
        stamps = [call("to_timestamp", [a], node) if a.type is SqlType.DATE else a for a in arguments]
        return SqlType.TIMESTAMP, stamps
    raise refusal(Code.FUNC, f"These values have different types: {', '.join(sorted(kinds))}.", "CAST(x AS ...)", node)
