"""What BigQuery, Snowflake, Spark and MySQL write in other words -> the same in DuckDB's, for refusals to try."""

from __future__ import annotations

import re
from collections.abc import Callable

from sqlglot.tokenizer_core import Token, TokenType

from dialect.errors import Refusal, Span
from dialect.words import at_commas, closing, words_of

Form = Callable[[list[str]], str | None]  # arguments as they are written -> the call in DuckDB's words; None: it is

AMPERSANDS = "&& compares two lists; conditions are joined by AND."
_MOST = 20  # calls of one question
_PARTS = ("year", "quarter", "month", "week", "isoweek", "day", "hour", "minute", "second")
_WEEK = {"isoweek": "week"}
_SIGNS = {  # of a Snowflake format, the longest first
    "YYYY": "%Y", "HH24": "%H", "MON": "%b", "DAY": "%A", "MM": "%m", "DD": "%d", "DY": "%a", "MI": "%M", "SS": "%S",
    "IW": "%V", "YY": "%y",
}  # fmt: skip
_MYSQL = {"%i": "%M", "%M": "%B", "%s": "%S", "%W": "%A", "%T": "%H:%M:%S", "%k": "%-H", "%D": "%-d", "%e": "%-d"}
_JAVA = {  # signs of a Spark format, the longest first
    "yyyy": "%Y", "yy": "%y", "MMMM": "%B", "MMM": "%b", "MM": "%m", "dd": "%d", "EEEE": "%A", "EEE": "%a", "E": "%a",
    "HH": "%H", "mm": "%M", "ss": "%S",
}  # fmt: skip
_ISO = re.compile(r"'\d{4}-\d\d-\d\d( \d\d:\d\d(:\d\d(\.\d{1,6})?)?)?'")
_TOP = re.compile(r"^(\s*select)\s+top\s+(\d+)\b(.*?)[\s;]*$", re.IGNORECASE | re.DOTALL)


def _text(form: str) -> Form:
    """Fill arguments in; None where there are fewer."""
    wanted = 1 + max(int(place) for place in re.findall(r"\{(\d)\}", form))
    return lambda given: form.format(*given) if len(given) >= wanted else None


def _part(text: str) -> str | None:
    """Read a date part that stands without quotes."""
    part = text.lower()
    return _WEEK.get(part, part) if part in _PARTS else None


def _truncated(given: list[str]) -> str | None:
    part = _part(given[1]) if len(given) == 2 else None
    return None if part is None else f"date_trunc('{part}', {given[0]})"


def _difference(given: list[str]) -> str | None:
    """BigQuery: (end, start, PART); Snowflake: (PART, start, end)."""
    if len(given) != 3:
        return None
    first, last = _part(given[0]), _part(given[2])
    if first is not None:
        return f"date_diff('{first}', {given[1]}, {given[2]})"
    return None if last is None else f"date_diff('{last}', {given[1]}, {given[0]})"


def _moved(given: list[str]) -> str | None:
    if len(given) != 3:
        return None
    part = _part(given[0])
    amount = given[1] if given[1].isdecimal() else f"({given[1]})"
    return None if part is None else f"({given[2]} + INTERVAL {amount} {part.upper()})"


def _extracted(given: list[str]) -> str | None:
    found = re.fullmatch(r"isoweek\s+from\s+(.*)", given[0], re.IGNORECASE | re.DOTALL) if len(given) == 1 else None
    return f"week({found[1]})" if found else None


def _or_null(given: list[str]) -> str | None:
    """Read SQL Server's, which says what stands for NULL, and the test for NULL of others."""
    forms = {1: "({0} IS NULL)", 2: "coalesce({0}, {1})"}
    return forms[len(given)].format(*given) if len(given) in forms else None


def _parted(given: list[str]) -> str | None:
    part = _part(given[0]) if len(given) == 2 else None
    return None if part is None else f"date_part('{part}', {given[1]})"


def _sliced(given: list[str]) -> str | None:
    unit = given[2].strip("'").upper() if len(given) >= 3 else ""
    return f"time_bucket(INTERVAL {given[1]} {unit}, {given[0]})" if unit.lower() in _PARTS else None


def _formatted(given: list[str]) -> str | None:
    if len(given) != 2:
        return f"CAST({given[0]} AS VARCHAR)" if len(given) == 1 else None
    written = re.sub("|".join(_SIGNS), lambda found: _SIGNS[found[0].upper()], given[1], flags=re.IGNORECASE)
    return f"strftime({given[0]}, {written})"


def _date_formatted(given: list[str]) -> str | None:
    """Read the formats of MySQL, whose signs have a %, and of Spark."""
    if len(given) != 2:
        return None
    signs = _MYSQL if "%" in given[1] else _JAVA
    return f"strftime({given[0]}, {re.sub('|'.join(signs), lambda found: signs[found[0]], given[1])})"


def _shifted(sign: str) -> Form:
    """Write DATE_ADD(d, INTERVAL 7 DAY) of BigQuery and MySQL, and Spark's of a number of days."""

    def shifted(given: list[str]) -> str | None:
        if len(given) != 2:  # DuckDB's own DATE_SUB has three
            return None
        start = f"DATE {given[0]}" if _ISO.fullmatch(given[0]) else given[0]
        return f"({start} {sign} {given[1]})"

    return shifted


def _constant(kind: str) -> Form:
    """Write text of a known form, with or without its format, as the constant that it is."""

    def constant(given: list[str]) -> str | None:
        if given and _ISO.fullmatch(given[0]) and len(given) <= 2:
            return f"{kind} {given[0]}"
        return f"CAST({given[0]} AS {kind})" if len(given) == 1 and kind == "DATE" else None

    return constant


_RATIO, _ADDED = "(({0}) / nullif({1}, 0))", "({0} + {1})"
_FORMS: dict[str, Form] = {
    "safe_divide": _text(_RATIO),
    "div0": _text(f"coalesce({_RATIO}, 0)"),
    "div0null": _text(_RATIO),
    "zeroifnull": _text("coalesce({0}, 0)"),
    "nullifzero": _text("nullif({0}, 0)"),
    "ratio_to_report": _text("1.0 * ({0}) / SUM({0})"),
    "isnull": _or_null,
    "to_date": _constant("DATE"),
    "to_timestamp": _constant("TIMESTAMP"),
    "date_format": _date_formatted,
    "date_add": _shifted("+"),
    "date_sub": _shifted("-"),
    "count_big": _text("count({0})"),
    "unix_timestamp": lambda given: f"epoch({given[0]})" if len(given) == 1 else None,
    **dict.fromkeys(("percentile", "percentile_approx", "approx_percentile"), _text("quantile_cont({0}, {1})")),
    **dict.fromkeys(("datepart", "date_part"), _parted),
    "to_char": _formatted,
    **dict.fromkeys(("format_date", "format_timestamp", "format_datetime"), _text("strftime({1}, {0})")),
    **dict.fromkeys(("timestamp_diff", "datetime_diff", "date_diff", "datediff", "timestampdiff"), _difference),
    **dict.fromkeys(("timestamp_trunc", "datetime_trunc", "date_trunc"), _truncated),
    **dict.fromkeys(("dateadd", "timestampadd"), _moved),
    **dict.fromkeys(("timestamp_add", "datetime_add"), _text(_ADDED)),
    **dict.fromkeys(("timestamp_sub", "datetime_sub"), _text("({0} - {1})")),
    "add_months": _text("({0} + INTERVAL ({1}) MONTH)"),
    "time_slice": _sliced,
    "extract": _extracted,
    "generate_date_array": _text("generate_series(DATE {0}, DATE {1}, INTERVAL 1 DAY)"),
}


def in_duckdbs_words(sql: str) -> str:
    """Write every call of another engine as DuckDB does, the innermost first; the text itself where there is none."""
    top = _TOP.match(sql)
    if top is not None:
        sql = f"{top[1]}{top[3]} LIMIT {top[2]}"
    try:
        for _ in range(_MOST):
            found = _last_call(sql, words_of(sql))
            if found is None:
                break
            place, made = found
            sql = sql[: place.start] + made + sql[place.end :]
    except Refusal:  # too long by now, or not to be cut into words
        pass
    return sql


def with_and(sql: str) -> str:
    """Write AND in the place of every &&."""
    for word in reversed(words_of(sql)):
        if word.token_type is TokenType.DAMP:
            sql = f"{sql[: word.start]}AND{sql[word.end + 1 :]}"
    return sql


def call_at(sql: str, span: Span) -> str | None:
    """Write the call of another engine that stands at a place as DuckDB does; None where there is none."""
    try:
        words = words_of(sql)
    except Refusal:
        return None
    for at in reversed(range(len(words))):
        found = _call(sql, words, at)
        if found is not None and found[0].start < span.end and span.start < found[0].end:
            return found[1]
    return None


def _last_call(sql: str, words: list[Token]) -> tuple[Span, str] | None:
    calls = (_call(sql, words, at) for at in reversed(range(len(words))))
    return next((call for call in calls if call is not None), None)


def _call(sql: str, words: list[Token], at: int) -> tuple[Span, str] | None:
    form = _FORMS.get(words[at].text.lower())
    if form is None or at + 1 >= len(words) or words[at + 1].token_type is not TokenType.L_PAREN:
        return None
    end = closing(words, at + 1)
    made = None if end is None else form(list(at_commas(sql, words, at + 2, end)))
    return None if end is None or made is None else (Span(words[at].start, words[end].end + 1), made)
