"""Foreign dialects: calls and syntax of BigQuery, Snowflake, Spark, MySQL and SQL Server rewritten for DuckDB.

Calls are rewritten from their arguments' text, other syntax in the complete query; the results are suggestions. A
rewrite whose answer differs from the original engine's states how;
`tests/dialect/parser/test_suggested_meaning.py` compares each in DuckDB with a macro of the foreign function.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from sqlglot.tokenizer_core import Token, TokenType

from dialect.errors import Refusal, Span, Suggestion, joined_differences
from dialect.parser.suggestions.foreign_formats import BIGQUERY, DOTNET, JAVA, MYSQL, ORACLE, in_strftime
from dialect.parser.tokens import at_commas, closing, words_of

# arguments as SQL -> the call in DuckDB's dialect; None: no rewrite
Form = Callable[[list[str]], str | Suggestion | None]

_PARTS = ("year", "quarter", "month", "week", "isoweek", "day", "hour", "minute", "second")
_ALSO = {
    "isoweek": "week", "week(monday)": "week", "hh": "hour", "mi": "minute", "dd": "day", "mm": "month", "yyyy": "year",
    "yy": "year", "mon": "month", "q": "quarter", "iso_week": "week",
}  # fmt: skip
_NAMED = {"weekday": "dayname", "dw": "dayname", "month": "monthname"}  # SQL Server's parts that have names
_DATED = re.compile(r"'(?:yyyy|yy|MM+|dd+|HH|mm|ss|[-/:. ])+'")  # a date format
_ROUNDED = ("int", "bigint")
_AS_WRITTEN = ("varchar",)
_TYPES = ("date", "datetime", "timestamp", "float", *_ROUNDED, *_AS_WRITTEN)
_FROM_ZERO = re.compile(r"date_diff\('(\w+)', 0, (.*)\)", re.DOTALL)
_ISO = re.compile(r"'\d{4}-\d\d-\d\d( \d\d:\d\d(:\d\d(\.\d{1,6})?)?)?'")
_ISO_FORMAT = re.compile(r"'(?:yyyy-mm-dd(?: hh(?:24)?:mi(?::ss(?:\.(?:us|ff\d?))?)?| hh:mm(?::ss)?)?|%y-%m-%d)'", re.I)
_NUMBER = re.compile(r"-?\d+(\.\d+)?")
_CONSTANT = re.compile(r"-?\d+(\.\d+)?|'(?:[^']|'')*'")

_MONDAY = "weeks begin on Monday"
_ORIGIN = "bins are counted from Monday, 2000-01-03"
_WRITTEN = "written as DuckDB writes it"
_NAMES = "names of days and months as in Monday, without padding"
_DAY_SECONDS = 86_400
_SECONDS = {"second": 1, "minute": 60, "hour": 3_600, "day": _DAY_SECONDS}


def _filled(form: str, differs: str = "") -> Form:
    """Return a rewrite that fills arguments into a template by number; None for another number of arguments."""
    wanted = 1 + max(int(place) for place in re.findall(r"\{(\d)\}", form))
    return lambda given: Suggestion(form.format(*given), differs) if len(given) == wanted else None


def _part(text: str) -> str | None:
    """Parse a date part written without quotes; None for anything else."""
    part = _ALSO.get(text.lower(), text.lower())
    return part if part in _PARTS else None


def _weeks(text: str) -> str:
    """Difference of a week part: other engines may begin weeks on Sunday."""
    return _MONDAY if text.strip("'").lower() == "week" else ""


def _truncated(given: list[str]) -> Suggestion | None:
    """Rewrite DATE_TRUNC(value, PART) of BigQuery."""
    part = _part(given[1]) if len(given) == 2 else None
    return None if part is None else Suggestion(f"date_trunc('{part}', {given[0]})", _weeks(given[1]))


def _difference(given: list[str]) -> Suggestion | None:
    """Rewrite DATE_DIFF: (end, start, PART) of BigQuery, (PART, start, end) of Snowflake, (end, start) of MySQL."""
    if len(given) == 2:
        return Suggestion(f"date_diff('day', {given[1]}, {given[0]})")
    first, last = (_part(given[0]), _part(given[2])) if len(given) == 3 else (None, None)
    if (first is None) == (last is None):
        return None
    if first is not None:
        return Suggestion(f"date_diff('{first}', {given[1]}, {given[2]})", _weeks(given[0]))
    return Suggestion(f"date_diff('{last}', {given[1]}, {given[0]})", _weeks(given[2]))


def _whole_difference(given: list[str]) -> Suggestion | None:
    """Rewrite BigQuery's TIMESTAMP_DIFF(end, start, PART), which counts complete units."""
    part = _part(given[2]) if len(given) == 3 else None
    return None if part is None else Suggestion(f"date_sub('{part}', {given[1]}, {given[0]})")


def _difference_of_two(given: list[str]) -> Suggestion | None:
    """Rewrite TIMESTAMPDIFF: MySQL counts complete units, Snowflake unit boundaries."""
    part = _part(given[0]) if len(given) == 3 else None
    counted = f"counts whole units as MySQL does; Snowflake counts ends of units: date_diff('{part}', ...)"
    return None if part is None else Suggestion(f"date_sub('{part}', {given[1]}, {given[2]})", counted)


def _moved(given: list[str]) -> Suggestion | None:
    """Rewrite DATEADD(part, amount, start), and SQL Server's truncation DATEADD(part, DATEDIFF(part, 0, x), 0)."""
    if len(given) != 3:
        return None
    if (cut := _FROM_ZERO.fullmatch(given[1])) is not None and given[2] == "0":  # SQL Server's idiom of truncation
        sunday = f"{_MONDAY}; SQL Server counts a Sunday to the next one" if cut[1] == "week" else ""
        return Suggestion(f"date_trunc('{cut[1]}', {cut[2]})", sunday)
    part = _part(given[0].strip("'"))
    amount = given[1] if given[1].isdecimal() else f"({given[1]})"
    start = f"{'TIMESTAMP' if ':' in given[2] else 'DATE'} {given[2]}" if _ISO.fullmatch(given[2]) else given[2]
    return None if part is None else Suggestion(f"({start} + INTERVAL {amount} {part.upper()})")


def _extracted(given: list[str]) -> str | None:
    """Rewrite EXTRACT(ISOWEEK FROM x) and EXTRACT(DATE FROM x) of BigQuery."""
    form = r"(isoweek|date)\s+from\s+(.*)"
    found = re.fullmatch(form, given[0], re.IGNORECASE | re.DOTALL) if len(given) == 1 else None
    if found is None:
        return None
    return f"week({found[2]})" if found[1].lower() == "isoweek" else f"CAST({found[2]} AS DATE)"


def _or_null(given: list[str]) -> str | None:
    """Rewrite ISNULL: SQL Server's replacement of NULL with two arguments, others' test for NULL with one."""
    forms = {1: "({0} IS NULL)", 2: "coalesce({0}, {1})"}
    return forms[len(given)].format(*given) if len(given) in forms else None


def _parted(given: list[str]) -> Suggestion | None:
    """Rewrite SQL Server's DATEPART."""
    if len(given) == 2 and given[0].lower() in ("weekday", "dw"):  # Sunday is 1
        return Suggestion(f"(dayofweek({given[1]}) + 1)")
    part = _part(given[0]) if len(given) == 2 else None
    iso = "weeks of ISO 8601: the first holds a Thursday" if part == "week" and "iso" not in given[0].lower() else ""
    return None if part is None else Suggestion(f"date_part('{part}', {given[1]})", iso)


def _part_named(given: list[str]) -> Suggestion | None:
    """Rewrite SQL Server's DATENAME, which returns a number as text where the part has no name."""
    named, part = _NAMED.get(given[0].lower()) if len(given) == 2 else None, _parted(given)
    if named is not None:
        return Suggestion(f"{named}({given[1]})")
    return None if part is None else Suggestion(f"CAST({part.sql} AS VARCHAR)", part.differs)


def _cut(given: list[str]) -> Suggestion | None:
    """Rewrite TRUNC(date, 'unit') of Spark and Oracle."""
    part = _part(given[1].strip("'")) if len(given) == 2 and given[1].startswith("'") else None
    day = "the day; Oracle's DAY is the first of the week" if given[-1].lower() == "'day'" else ""
    return None if part is None else Suggestion(f"date_trunc('{part}', {given[0]})", day)


def _bins(time: str, amount: str, unit: str, also: str = "") -> Suggestion | None:
    """Write time_bucket; bins that do not divide a day are aligned differently in other engines (1970-01-01)."""
    part = _part(unit)
    if part is None or not amount.isdecimal() or int(amount) == 0:
        return None
    seconds = _SECONDS.get(part, 0) * int(amount)
    aligned = seconds > 0 and _DAY_SECONDS % seconds == 0
    differs = "; ".join(filter(None, (also, "" if aligned else _ORIGIN)))
    return Suggestion(f"time_bucket(INTERVAL {amount} {part.upper()}, {time})", differs)


def _binned(given: list[str]) -> Suggestion | None:
    """Rewrite Spark's window(time, '15 minutes')."""
    found = re.fullmatch(r"'(\d+) (\w+?)s?'", given[1]) if len(given) == 2 else None
    return None if found is None else _bins(given[0], found[1], found[2], "the start of each window")


def _sliced(given: list[str]) -> Suggestion | None:
    """Rewrite Snowflake's TIME_SLICE, which returns the start of a slice unless its end is requested."""
    if len(given) not in (3, 4) or given[3:] not in ([], ["'START'"], ["'start'"]):
        return None
    return _bins(given[0], given[1], given[2].strip("'"))


def _between_ends(given: list[str]) -> str | None:
    """Rewrite BigQuery's RANGE_BUCKET with constant boundaries as CASE; NULL has no bucket."""
    ends = [end.strip() for end in given[1].strip("[]").split(",")] if len(given) == 2 else []
    if not ends or not given[1].startswith("[") or not all(map(_NUMBER.fullmatch, ends)):
        return None
    tests = "".join(f" WHEN {given[0]} < {end} THEN {place}" for place, end in enumerate(ends))
    return f"CASE{tests} WHEN {given[0]} >= {ends[-1]} THEN {len(ends)} END"


def _decoded(given: list[str]) -> str | None:
    """Rewrite DECODE of Oracle and Snowflake as CASE; there NULL equals NULL."""
    if len(given) < 3:
        return None
    pairs = list(zip(given[1::2], given[2::2], strict=False))
    otherwise = f" ELSE {given[-1]}" if len(given) % 2 == 0 else ""
    if all(_CONSTANT.fullmatch(when) for when, _ in pairs):
        return f"CASE {given[0]}{''.join(f' WHEN {when} THEN {then}' for when, then in pairs)}{otherwise} END"
    tests = "".join(f" WHEN {given[0]} IS NOT DISTINCT FROM {when} THEN {then}" for when, then in pairs)
    return f"CASE{tests}{otherwise} END"


def _in_zone(given: list[str]) -> str | None:
    """Write (instant AT TIME ZONE 'zone') for two arguments; None for others."""
    return f"({given[0]} AT TIME ZONE {given[1]})" if len(given) == 2 and given[1].startswith("'") else None


def _from_utc(given: list[str]) -> Suggestion | None:
    """Rewrite Spark's FROM_UTC_TIMESTAMP: wall-clock time in UTC -> wall-clock time in a zone."""
    zoned = _in_zone(given)
    if zoned is None:
        return None
    differs = f"of a TIMESTAMP that shows UTC; a TIMESTAMPTZ is read by {zoned}"
    return Suggestion(f"(({given[0]} AT TIME ZONE 'UTC') AT TIME ZONE {given[1]})", differs)


def _converted(given: list[str]) -> Suggestion | None:
    """Rewrite SQL Server's CONVERT(type, value) as a CAST."""
    kind = given[0].lower()
    if len(given) != 2 or kind not in _TYPES:
        return None
    differs = "a fraction is rounded, not cut off" if kind in _ROUNDED else _WRITTEN if kind in _AS_WRITTEN else ""
    return Suggestion(f"CAST({given[1]} AS {given[0]})", differs)


def _formatter(signs: Mapping[str, str], differs: str = "", format_first: bool = False) -> Form:
    """Return a rewrite of a format function as strftime; None where a format code has no equivalent."""

    def formatted(given: list[str]) -> Suggestion | None:
        if len(given) != 2:
            return None
        time, text = (given[1], given[0]) if format_first else (given[0], given[1])
        written = in_strftime(text, signs)
        named = differs if written is not None and re.search("%[aAbB]", written) else ""
        return None if written is None else Suggestion(f"strftime({time}, {written})", named)

    return formatted


def _to_char(given: list[str]) -> Suggestion | None:
    """Rewrite TO_CHAR of a time with a format of Oracle, PostgreSQL and Snowflake, or of a value alone."""
    if len(given) == 1:
        return Suggestion(f"CAST({given[0]} AS VARCHAR)", _WRITTEN)
    made = _formatter(ORACLE, _NAMES)(given)
    return made if isinstance(made, Suggestion) else None


def _date_formatted(given: list[str]) -> str | Suggestion | None:
    """Rewrite DATE_FORMAT of MySQL, whose format codes have a %, and of Spark."""
    return _formatter(MYSQL if "%" in given[-1] else JAVA)(given)


def _shifted(sign: str) -> Form:
    """Return a rewrite of DATE_ADD: (d, INTERVAL 7 DAY) of BigQuery, (d, days) of Spark, ('day', n, d) of Presto."""

    def shifted(given: list[str]) -> str | Suggestion | None:
        if len(given) == 3 and sign == "+" and given[0].startswith("'"):
            return _moved(given)
        if len(given) != 2:  # DuckDB's own DATE_SUB has three arguments
            return None
        start = f"DATE {given[0]}" if _ISO.fullmatch(given[0]) else given[0]
        return f"({start} {sign} {given[1]})"

    return shifted


def _constant(kind: str) -> Form:
    """Return a rewrite of a conversion from text: constant ISO text becomes a typed literal."""

    def constant(given: list[str]) -> str | None:
        read_so = len(given) == 1 or (len(given) == 2 and _ISO_FORMAT.fullmatch(given[1]))
        if given and _ISO.fullmatch(given[0]) and read_so:
            return f"{kind} {given[0]}"
        return f"CAST({given[0]} AS {kind})" if len(given) == 1 and kind == "DATE" else None

    return constant


def _days_listed(given: list[str]) -> str | None:
    """Rewrite BigQuery's GENERATE_DATE_ARRAY, whose end is included."""
    if len(given) not in (2, 3):
        return None
    ends = [f"DATE {end}" if _ISO.fullmatch(end) else end for end in given[:2]]
    return f"generate_series({ends[0]}, {ends[1]}, {given[2] if len(given) == 3 else 'INTERVAL 1 DAY'})"


_QUANTILE = _filled("quantile_cont({0}, {1})", "interpolates between neighbouring values")
_ADDED = "({0} + {1})"
_KILOMETRES = _filled(
    "(haversine_m({1}, {0}, {3}, {2}) / 1000)", "kilometres, of (lat, lon, lat, lon), as in Snowflake"
)
FORMS: dict[str, Form] = {
    "safe_divide": _filled("(({0}) / nullif({1}, 0))"),
    "div0": _filled("CASE WHEN ({1}) = 0 AND ({0}) IS NOT NULL THEN 0 ELSE ({0}) / nullif({1}, 0) END"),
    "div0null": _filled("CASE WHEN coalesce({1}, 0) = 0 THEN 0 ELSE ({0}) / nullif({1}, 0) END"),
    "zeroifnull": _filled("coalesce({0}, 0)"),
    "nullifzero": _filled("nullif({0}, 0)"),
    "ratio_to_report": _filled("1.0 * ({0}) / SUM({0})"),
    "isnull": _or_null,
    "to_date": _constant("DATE"),
    "to_timestamp": _constant("TIMESTAMP"),
    "date_format": _date_formatted,
    "date_add": _shifted("+"),
    "date_sub": _shifted("-"),
    "count_big": _filled("count({0})"),
    "unix_timestamp": _filled("epoch({0})", "keeps fractions of a second, and reads a TIMESTAMP as UTC"),
    "percentile": _filled("quantile_cont({0}, {1})"),
    **dict.fromkeys(("percentile_approx", "approx_percentile"), _QUANTILE),
    "datepart": _parted,
    "date_part": _parted,
    "datename": _part_named,
    "decode": _decoded,
    "from_utc_timestamp": _from_utc,
    "date": lambda given: f"CAST({zoned} AS DATE)" if (zoned := _in_zone(given)) else None,
    "trunc": _cut,
    "window": _binned,
    "range_bucket": _between_ends,
    "convert": _converted,
    "size": _filled("len({0})", "NULL for NULL, where Spark may give -1"),
    "dayofweekiso": _filled("isodow({0})"),
    "format": lambda given: _formatter(DOTNET)(given) if given and _DATED.fullmatch(given[-1]) else None,
    "to_char": _to_char,
    **dict.fromkeys(("format_date", "format_timestamp", "format_datetime"), _formatter(BIGQUERY, format_first=True)),
    "timestamp_diff": _whole_difference,
    "timestampdiff": _difference_of_two,
    **dict.fromkeys(("datetime_diff", "date_diff", "datediff"), _difference),
    **dict.fromkeys(("timestamp_trunc", "datetime_trunc", "date_trunc"), _truncated),
    **dict.fromkeys(("dateadd", "timestampadd"), _moved),
    **dict.fromkeys(("timestamp_add", "datetime_add"), _filled(_ADDED)),
    **dict.fromkeys(("timestamp_sub", "datetime_sub"), _filled("({0} - {1})")),
    "add_months": _filled(
        "({0} + INTERVAL ({1}) MONTH)", "the same day of the month; Oracle and Snowflake stay at a month's last day"
    ),
    "time_slice": _sliced,
    "extract": _extracted,
    "generate_date_array": _days_listed,
    "regexp_contains": _filled("regexp_matches({0}, {1})"),
    "regexp_like": _filled(
        "regexp_matches({0}, {1})", "anywhere in the text; Snowflake's REGEXP_LIKE matches the whole"
    ),
    **dict.fromkeys(("haversine", "great_circle_distance"), _KILOMETRES),
}


AMPERSANDS = "&& compares two lists; conditions are joined by AND."
_MOST = 20  # calls rewritten in one query
# [a name] of SQL Server, not an index into a list
_BRACKETED = re.compile(r"(?<![\w\])'\".])\[([a-z_]\w*)\]|(?<=\.)\[([a-z_]\w*)\]", re.IGNORECASE)
_TOP = re.compile(r"^(\s*select)\s+top\s*(?:\s(\d+)\b|\((\d+)\))(.*?)[\s;]*$", re.IGNORECASE | re.DOTALL)
_SET_OPERATION = re.compile(r"\b(?:union|intersect|except)\b", re.IGNORECASE)
_ROLLED = re.compile(
    r"\b(group\s+by)\s+((?:(?!\bgroup\s+by\b).)+?)(?<=\S)\s+with\s+(rollup|cube)\b", re.IGNORECASE | re.DOTALL
)


def in_duckdbs_words(sql: str) -> Suggestion:
    """Rewrite all foreign calls of a query for DuckDB, the innermost first; the same text where there is none."""
    differences: list[str] = []
    top = _TOP.match(sql)
    if top is not None and not _SET_OPERATION.search(sql):  # LIMIT would apply to the result, TOP applies to one side
        sql = f"{top[1]}{top[4]} LIMIT {top[2] or top[3]}"
    sql = _without_brackets(sql)
    try:
        for _ in range(_MOST):
            found = _last_call(sql, words_of(sql))
            if found is None:
                break
            place, made = found
            sql = sql[: place.start] + made.sql + sql[place.end :]
            differences.insert(0, made.differs)
    except Refusal:  # too long by now, or not tokenizable
        pass
    return Suggestion(sql, joined_differences(*differences))


def _without_brackets(sql: str) -> str:
    """Remove SQL Server's [brackets] around identifiers, outside of text literals."""
    parts = re.split(r"('(?:[^']|'')*')", sql)
    return "".join(p if p.startswith("'") else _BRACKETED.sub(lambda found: found[1] or found[2], p) for p in parts)


def with_and(sql: str) -> str:
    """Replace every && by AND."""
    for word in reversed(words_of(sql)):
        if word.token_type is TokenType.DAMP:
            sql = f"{sql[: word.start]}AND{sql[word.end + 1 :]}"
    return sql


def keys_rolled_up(sql: str) -> str:
    """Rewrite GROUP BY a, b WITH ROLLUP of MySQL and SQL Server as GROUP BY ROLLUP (a, b)."""
    return _ROLLED.sub(lambda found: f"{found[1]} {found[3]} ({found[2]})", sql)


def call_at(sql: str, span: Span) -> Suggestion | None:
    """Rewrite the foreign call that overlaps a span; None where there is none."""
    try:
        words = words_of(sql)
    except Refusal:
        return None
    for at in reversed(range(len(words))):
        found = _call(sql, words, at)
        if found is not None and found[0].start < span.end and span.start < found[0].end:
            return found[1]
    return None


def _last_call(sql: str, words: list[Token]) -> tuple[Span, Suggestion] | None:
    """Rewrite the last foreign call of a text, which contains no other one; with its span."""
    calls = (_call(sql, words, at) for at in reversed(range(len(words))))
    return next((call for call in calls if call is not None), None)


def _call(sql: str, words: list[Token], at: int) -> tuple[Span, Suggestion] | None:
    """Rewrite the foreign call whose name is the token at `at`; None where there is none."""
    form = FORMS.get(words[at].text.lower())
    if form is None or at + 1 >= len(words) or words[at + 1].token_type is not TokenType.L_PAREN:
        return None
    end = closing(words, at + 1)
    given = [] if end is None else list(at_commas(sql, words, at + 2, end))
    made = form(given) if given else None
    if end is None or made is None:
        return None
    return Span(words[at].start, words[end].end + 1), made if isinstance(made, Suggestion) else Suggestion(made)
