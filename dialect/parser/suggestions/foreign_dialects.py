"""Foreign dialects: calls and syntax of BigQuery, Snowflake, Spark, MySQL and SQL Server rewritten for DuckDB.

Calls are rewritten from their arguments' text, other syntax in the complete query; the results are suggestions. A
rewrite returns the call in DuckDB's dialect, or a Suggestion, which also states how its value differs from the original
engine's; None where it does not apply. `tests/dialect/parser/test_suggested_meaning.py` compares each in DuckDB with a
macro of the foreign function.

sqlglot's own list of functions (`sqlglot.exp.FUNCTION_BY_NAME`) is searched first for a foreign name; FOREIGN_FUNCTIONS
are not in it. Date format codes are translated to strftime; a format with an unknown code is not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from sqlglot.tokenizer_core import Token, TokenType

from dialect.errors import Refusal, Span, Suggestion, join_differences
from dialect.parser.tokens import closing_bracket, split_at_commas, tokenize

_COMMON_CODES = "aAbBdHIjmMpSUyY"  # C's format codes, which mean the same in every engine that uses %

# format code -> strftime code
BIGQUERY = {
    **{f"%{sign}": f"%{sign}" for sign in f"{_COMMON_CODES}GuVwW"},
    "%F": "%Y-%m-%d", "%T": "%H:%M:%S", "%R": "%H:%M", "%h": "%b", "%%": "%%",
}  # fmt: skip
MYSQL = {
    **{f"%{sign}": f"%{sign}" for sign in "abdHIjmpSUyYw"},
    "%i": "%M", "%M": "%B", "%s": "%S", "%W": "%A", "%T": "%H:%M:%S", "%k": "%-H", "%e": "%-d", "%c": "%-m", "%h": "%I",
    "%l": "%-I", "%v": "%V", "%x": "%G", "%f": "%f", "%r": "%I:%M:%S %p", "%%": "%%",
}  # fmt: skip
_LETTERS = {"yyyy": "%Y", "yy": "%y", "MMMM": "%B", "MMM": "%b", "MM": "%m", "M": "%-m", "dd": "%d", "d": "%-d"}
_CLOCK = {"HH": "%H", "H": "%-H", "hh": "%I", "h": "%-I", "mm": "%M", "m": "%-M", "ss": "%S", "s": "%-S"}
JAVA = {**_LETTERS, **_CLOCK, "y": "%Y", "EEEE": "%A", "EEE": "%a", "EE": "%a", "E": "%a", "a": "%p"}
DOTNET = {**_LETTERS, **_CLOCK, "dddd": "%A", "ddd": "%a", "tt": "%p"}
ORACLE = {
    "YYYY": "%Y", "YY": "%y", "IYYY": "%G", "MONTH": "%B", "MON": "%b", "MM": "%m", "DDD": "%j", "DD": "%d",
    "DAY": "%A", "DY": "%a", "HH24": "%H", "HH12": "%I", "MI": "%M", "SS": "%S", "MS": "%g", "US": "%f", "IW": "%V",
    "ID": "%u", "AM": "%p", "PM": "%p",
}  # fmt: skip


def to_strftime(text: str, codes: Mapping[str, str]) -> str | None:
    """Translate a quoted date format to strftime; None where it has an unknown code, or none at all.

    `codes` is one of this module's tables: format code -> strftime code. Its codes are of one of three kinds: % and a
    letter (BigQuery, MySQL), words (Oracle), or runs of one letter (Java, .NET). Letters of the last two that are no
    code can't be copied, since strftime would not see that they are text in the original.
    """
    match = re.fullmatch(r"'([^'\"\\]*)'", text)
    if match is None:
        return None
    has_percent = any(code_match.startswith("%") for code_match in codes)
    is_oracle = codes is ORACLE
    by_length = "|".join(sorted(map(re.escape, codes), key=len, reverse=True))
    # a run of one letter is a code, except for Oracle, whose codes are words
    code_pattern = rf"%.|{by_length}" if has_percent else by_length if is_oracle else r"([A-Za-z])\1*"
    pieces, end, code_count = [], 0, 0
    for code_match in re.finditer(code_pattern, match[1], re.IGNORECASE if is_oracle else 0):
        literal_text = match[1][end : code_match.start()]
        translated = codes.get(code_match[0].upper() if is_oracle else code_match[0])
        if translated is None or (not has_percent and re.search("[A-Za-z%]", literal_text)):
            return None
        pieces += [literal_text, translated]
        end, code_count = code_match.end(), code_count + 1
    rest = match[1][end:]
    if not code_count or (not has_percent and re.search("[A-Za-z%]", rest)):
        return None
    return f"'{''.join(pieces)}{rest}'"


FOREIGN_FUNCTIONS = frozenset(
    {
        *("acosd", "asind", "atand", "atan2d", "cosd", "cotd", "sind", "tand"),  # PostgreSQL, in degrees
        *("bit_position", "epoch_ns", "favg", "fsum", "list_aggr", "list_count", "list_mad", "list_median"),  # DuckDB
        *("list_sem", "make_timestamptz", "md5_number", "mean", "mod", "str_split", "strptime", "wavg"),
        *("regexp_match", "strrpos"),  # PostgreSQL, Presto
    }
)


# arguments as SQL -> the call in DuckDB's dialect; None: no rewrite
CallRewrite = Callable[[list[str]], str | Suggestion | None]

_DATE_PARTS = ("year", "quarter", "month", "week", "isoweek", "day", "hour", "minute", "second")
_DATE_PART_ALIASES = {
    "isoweek": "week", "week(monday)": "week", "hh": "hour", "mi": "minute", "dd": "day", "mm": "month", "yyyy": "year",
    "yy": "year", "mon": "month", "q": "quarter", "iso_week": "week",
}  # fmt: skip
_NAME_FUNCTIONS = {"weekday": "dayname", "dw": "dayname", "month": "monthname"}  # SQL Server's parts that have names
_DATE_FORMAT = re.compile(r"'(?:yyyy|yy|MM+|dd+|HH|mm|ss|[-/:. ])+'")  # a date format
_DIFF_FROM_ZERO = re.compile(r"date_diff\('(\w+)', 0, (.*)\)", re.DOTALL)
_ISO_LITERAL = re.compile(r"'\d{4}-\d\d-\d\d( \d\d:\d\d(:\d\d(\.\d{1,6})?)?)?'")
_ISO_FORMAT = re.compile(r"'(?:yyyy-mm-dd(?: hh(?:24)?:mi(?::ss(?:\.(?:us|ff\d?))?)?| hh:mm(?::ss)?)?|%y-%m-%d)'", re.I)
_NUMBER = re.compile(r"-?\d+(\.\d+)?")
_CONSTANT = re.compile(r"-?\d+(\.\d+)?|'(?:[^']|'')*'")

_WEEK_DIFFERENCE = "weeks begin on Monday"
_BIN_ORIGIN_DIFFERENCE = "bins are counted from Monday, 2000-01-03"
_TEXT_DIFFERENCE = "written as DuckDB writes it"
_CAST_DIFFERENCES = {
    **dict.fromkeys(("date", "datetime", "timestamp", "float"), ""),
    **dict.fromkeys(("int", "bigint"), "a fraction is rounded, not cut off"),
    "varchar": _TEXT_DIFFERENCE,
}
_NAME_DIFFERENCE = "names of days and months as in Monday, without padding"
_DAY_SECONDS = 86_400
_SECONDS = {"second": 1, "minute": 60, "hour": 3_600, "day": _DAY_SECONDS}


def _template(template: str, difference: str = "") -> CallRewrite:
    """Return a rewrite that fills arguments into a template by number; None for another number of arguments."""
    argument_count = 1 + max(int(place) for place in re.findall(r"\{(\d)\}", template))
    return lambda given: Suggestion(template.format(*given), difference) if len(given) == argument_count else None


def _date_part(text: str) -> str | None:
    """Parse a date part written without quotes; None for anything else."""
    part = _DATE_PART_ALIASES.get(text.lower(), text.lower())
    return part if part in _DATE_PARTS else None


def _week_difference(text: str) -> str:
    """Difference of a week part: other engines may begin weeks on Sunday."""
    return _WEEK_DIFFERENCE if text.strip("'").lower() == "week" else ""


def _date_trunc(arguments: list[str]) -> Suggestion | None:
    """Rewrite DATE_TRUNC(value, PART) of BigQuery."""
    part = _date_part(arguments[1]) if len(arguments) == 2 else None
    return None if part is None else Suggestion(f"date_trunc('{part}', {arguments[0]})", _week_difference(arguments[1]))


def _date_diff(arguments: list[str]) -> Suggestion | None:
    """Rewrite DATE_DIFF: (end, start, PART) of BigQuery, (PART, start, end) of Snowflake, (end, start) of MySQL.

    Which argument is the part decides between the first two; None where both or neither is one.
    """
    if len(arguments) == 2:
        return Suggestion(f"date_diff('day', {arguments[1]}, {arguments[0]})")
    # the part in the first or in the last place, None where that argument is no part
    first, last = (_date_part(arguments[0]), _date_part(arguments[2])) if len(arguments) == 3 else (None, None)
    if (first is None) == (last is None):
        return None
    if first is not None:
        return Suggestion(f"date_diff('{first}', {arguments[1]}, {arguments[2]})", _week_difference(arguments[0]))
    return Suggestion(f"date_diff('{last}', {arguments[1]}, {arguments[0]})", _week_difference(arguments[2]))


def _timestamp_diff(arguments: list[str]) -> Suggestion | None:
    """Rewrite BigQuery's TIMESTAMP_DIFF(end, start, PART), which counts complete units."""
    part = _date_part(arguments[2]) if len(arguments) == 3 else None
    return None if part is None else Suggestion(f"date_sub('{part}', {arguments[1]}, {arguments[0]})")


def _timestampdiff(arguments: list[str]) -> Suggestion | None:
    """Rewrite TIMESTAMPDIFF: MySQL counts complete units, Snowflake unit boundaries."""
    part = _date_part(arguments[0]) if len(arguments) == 3 else None
    difference = f"counts whole units as MySQL does; Snowflake counts ends of units: date_diff('{part}', ...)"
    return None if part is None else Suggestion(f"date_sub('{part}', {arguments[1]}, {arguments[2]})", difference)


def _dateadd(arguments: list[str]) -> Suggestion | None:
    """Rewrite DATEADD(part, amount, start), and SQL Server's truncation DATEADD(part, DATEDIFF(part, 0, x), 0).

    The truncation is found in its rewritten form, date_diff('part', 0, x), as inner calls are rewritten first.
    """
    if len(arguments) != 3:
        return None
    # SQL Server's idiom of truncation
    if (truncation := _DIFF_FROM_ZERO.fullmatch(arguments[1])) is not None and arguments[2] == "0":
        sunday = f"{_WEEK_DIFFERENCE}; SQL Server counts a Sunday to the next one" if truncation[1] == "week" else ""
        return Suggestion(f"date_trunc('{truncation[1]}', {truncation[2]})", sunday)
    part = _date_part(arguments[0].strip("'"))
    amount = arguments[1] if arguments[1].isdecimal() else f"({arguments[1]})"
    start = (
        f"{'TIMESTAMP' if ':' in arguments[2] else 'DATE'} {arguments[2]}"
        if _ISO_LITERAL.fullmatch(arguments[2])
        else arguments[2]
    )
    return None if part is None else Suggestion(f"({start} + INTERVAL {amount} {part.upper()})")


def _extract(arguments: list[str]) -> str | None:
    """Rewrite EXTRACT(ISOWEEK FROM x) and EXTRACT(DATE FROM x) of BigQuery."""
    pattern = r"(isoweek|date)\s+from\s+(.*)"
    found = re.fullmatch(pattern, arguments[0], re.IGNORECASE | re.DOTALL) if len(arguments) == 1 else None
    if found is None:
        return None
    return f"week({found[2]})" if found[1].lower() == "isoweek" else f"CAST({found[2]} AS DATE)"


def _isnull(arguments: list[str]) -> str | None:
    """Rewrite ISNULL: SQL Server's replacement of NULL with two arguments, others' test for NULL with one."""
    templates = {1: "({0} IS NULL)", 2: "coalesce({0}, {1})"}
    return templates[len(arguments)].format(*arguments) if len(arguments) in templates else None


def _datepart(arguments: list[str]) -> Suggestion | None:
    """Rewrite SQL Server's DATEPART; its week and weekday are counted differently from DuckDB's."""
    if len(arguments) == 2 and arguments[0].lower() in ("weekday", "dw"):  # Sunday is 1
        return Suggestion(f"(dayofweek({arguments[1]}) + 1)")
    part = _date_part(arguments[0]) if len(arguments) == 2 else None
    iso = (
        "weeks of ISO 8601: the first holds a Thursday" if part == "week" and "iso" not in arguments[0].lower() else ""
    )
    return None if part is None else Suggestion(f"date_part('{part}', {arguments[1]})", iso)


def _datename(arguments: list[str]) -> Suggestion | None:
    """Rewrite SQL Server's DATENAME, which returns a number as text where the part has no name."""
    function, part = _NAME_FUNCTIONS.get(arguments[0].lower()) if len(arguments) == 2 else None, _datepart(arguments)
    if function is not None:
        return Suggestion(f"{function}({arguments[1]})")
    return None if part is None else Suggestion(f"CAST({part.sql} AS VARCHAR)", part.difference)


def _trunc(arguments: list[str]) -> Suggestion | None:
    """Rewrite TRUNC(date, 'unit') of Spark and Oracle."""
    part = _date_part(arguments[1].strip("'")) if len(arguments) == 2 and arguments[1].startswith("'") else None
    difference = "the day; Oracle's DAY is the first of the week" if arguments[-1].lower() == "'day'" else ""
    return None if part is None else Suggestion(f"date_trunc('{part}', {arguments[0]})", difference)


def _time_bucket(time: str, amount: str, unit: str, other_difference: str = "") -> Suggestion | None:
    """Write time_bucket; bins that do not divide a day are aligned differently in other engines (1970-01-01)."""
    part = _date_part(unit)
    if part is None or not amount.isdecimal() or int(amount) == 0:
        return None
    seconds = _SECONDS.get(part, 0) * int(amount)
    aligned = seconds > 0 and _DAY_SECONDS % seconds == 0  # then bins begin at midnight in every engine
    difference = "; ".join(filter(None, (other_difference, "" if aligned else _BIN_ORIGIN_DIFFERENCE)))
    return Suggestion(f"time_bucket(INTERVAL {amount} {part.upper()}, {time})", difference)


def _spark_window(arguments: list[str]) -> Suggestion | None:
    """Rewrite Spark's window(time, '15 minutes')."""
    found = re.fullmatch(r"'(\d+) (\w+?)s?'", arguments[1]) if len(arguments) == 2 else None
    return None if found is None else _time_bucket(arguments[0], found[1], found[2], "the start of each window")


def _time_slice(arguments: list[str]) -> Suggestion | None:
    """Rewrite Snowflake's TIME_SLICE, which returns the start of a slice unless its end is requested."""
    if len(arguments) not in (3, 4) or arguments[3:] not in ([], ["'START'"], ["'start'"]):
        return None
    return _time_bucket(arguments[0], arguments[1], arguments[2].strip("'"))


def _date_bin(arguments: list[str]) -> Suggestion | None:
    """Rewrite PostgreSQL's DATE_BIN('15 minutes', time, origin), for origins at midnight."""
    found = re.fullmatch(r"(?:interval\s+)?'(\d+) (\w+?)s?'", arguments[0], re.IGNORECASE)
    if len(arguments) != 3 or found is None or not re.search(r"'\d+-\d+-\d+(?: 00:00(?::00)?)?'", arguments[2]):
        return None
    return _time_bucket(arguments[1], found[1], found[2])


def _make_interval(arguments: list[str]) -> str | None:
    """Rewrite PostgreSQL's MAKE_INTERVAL(mins => 90) of one constant part."""
    found = re.fullmatch(r"(\w+?)s?\s*(?:=>|:=)\s*(\d+)", arguments[0]) if len(arguments) == 1 else None
    unit = None if found is None else {"min": "MINUTE", "sec": "SECOND"}.get(found[1].lower(), found[1].upper())
    return None if found is None or unit not in _INTERVAL_UNITS else f"INTERVAL {found[2]} {unit}"


def _range_bucket(arguments: list[str]) -> str | None:
    """Rewrite BigQuery's RANGE_BUCKET with constant boundaries as CASE; NULL has no bucket."""
    ends = [end.strip() for end in arguments[1].strip("[]").split(",")] if len(arguments) == 2 else []
    if not ends or not arguments[1].startswith("[") or not all(map(_NUMBER.fullmatch, ends)):
        return None
    tests = "".join(f" WHEN {arguments[0]} < {end} THEN {bucket}" for bucket, end in enumerate(ends))
    return f"CASE{tests} WHEN {arguments[0]} >= {ends[-1]} THEN {len(ends)} END"


def _decode(arguments: list[str]) -> str | None:
    """Rewrite DECODE(x, value, result, ..., default) of Oracle and Snowflake as CASE; there NULL equals NULL.

    An even number of arguments ends with a default. With constant values a plain CASE x has the same result.
    """
    if len(arguments) < 3:
        return None
    pairs = list(zip(arguments[1::2], arguments[2::2], strict=False))
    otherwise = f" ELSE {arguments[-1]}" if len(arguments) % 2 == 0 else ""
    if all(_CONSTANT.fullmatch(when) for when, _ in pairs):
        return f"CASE {arguments[0]}{''.join(f' WHEN {when} THEN {then}' for when, then in pairs)}{otherwise} END"
    tests = "".join(f" WHEN {arguments[0]} IS NOT DISTINCT FROM {when} THEN {then}" for when, then in pairs)
    return f"CASE{tests}{otherwise} END"


def _at_time_zone(arguments: list[str]) -> str | None:
    """Write (instant AT TIME ZONE 'zone') for two arguments; None for others."""
    if len(arguments) == 2 and arguments[1].startswith("'"):
        return f"({arguments[0]} AT TIME ZONE {arguments[1]})"
    return None


def _from_utc_timestamp(arguments: list[str]) -> Suggestion | None:
    """Rewrite Spark's FROM_UTC_TIMESTAMP: wall-clock time in UTC -> wall-clock time in a zone."""
    zoned = _at_time_zone(arguments)
    if zoned is None:
        return None
    difference = f"of a TIMESTAMP that shows UTC; a TIMESTAMPTZ is read by {zoned}"
    return Suggestion(f"(({arguments[0]} AT TIME ZONE 'UTC') AT TIME ZONE {arguments[1]})", difference)


def _convert(arguments: list[str]) -> Suggestion | None:
    """Rewrite SQL Server's CONVERT(type, value) as a CAST; none for its third argument, a style of text."""
    difference = _CAST_DIFFERENCES.get(arguments[0].lower()) if len(arguments) == 2 else None
    return None if difference is None else Suggestion(f"CAST({arguments[1]} AS {arguments[0]})", difference)


def _formatter(codes: Mapping[str, str], difference: str = "", format_first: bool = False) -> CallRewrite:
    """Return a rewrite of a format function as strftime; None where a format code has no equivalent.

    `codes`: format code -> strftime code. `difference` is stated only where names of days or months are written.
    """

    def rewrite(arguments: list[str]) -> Suggestion | None:
        """Rewrite a call with a time and a format."""
        if len(arguments) != 2:
            return None
        time, text = (arguments[1], arguments[0]) if format_first else (arguments[0], arguments[1])
        translated = to_strftime(text, codes)
        name_difference = difference if translated is not None and re.search("%[aAbB]", translated) else ""
        return None if translated is None else Suggestion(f"strftime({time}, {translated})", name_difference)

    return rewrite


def _to_char(arguments: list[str]) -> Suggestion | None:
    """Rewrite TO_CHAR of a time with a format of Oracle, PostgreSQL and Snowflake, or of a value alone."""
    if len(arguments) == 1:
        return Suggestion(f"CAST({arguments[0]} AS VARCHAR)", _TEXT_DIFFERENCE)
    rewritten = _formatter(ORACLE, _NAME_DIFFERENCE)(arguments)
    return rewritten if isinstance(rewritten, Suggestion) else None


def _date_format(arguments: list[str]) -> str | Suggestion | None:
    """Rewrite DATE_FORMAT of MySQL, whose format codes have a %, and of Spark."""
    return _formatter(MYSQL if "%" in arguments[-1] else JAVA)(arguments)


def _date_shift(operator: str) -> CallRewrite:
    """Return a rewrite of DATE_ADD or DATE_SUB; `operator` is + or -.

    Forms: (d, INTERVAL 7 DAY) of BigQuery, (d, days) of Spark, ('day', n, d) of Presto for DATE_ADD.
    """

    def rewrite(arguments: list[str]) -> str | Suggestion | None:
        """Rewrite one call; three arguments are Presto's, where the operator is +."""
        if len(arguments) == 3 and operator == "+" and arguments[0].startswith("'"):
            return _dateadd(arguments)
        if len(arguments) != 2:  # DuckDB's own DATE_SUB has three arguments
            return None
        start = f"DATE {arguments[0]}" if _ISO_LITERAL.fullmatch(arguments[0]) else arguments[0]
        return f"({start} {operator} {arguments[1]})"

    return rewrite


def _typed_literal(type_name: str) -> CallRewrite:
    """Return a rewrite of a conversion from text: constant ISO text becomes a typed literal."""

    def rewrite(arguments: list[str]) -> str | None:
        """Rewrite one call; with a format only constant text in ISO form, as other text would be read differently."""
        is_iso_format = len(arguments) == 1 or (len(arguments) == 2 and _ISO_FORMAT.fullmatch(arguments[1]))
        if arguments and _ISO_LITERAL.fullmatch(arguments[0]) and is_iso_format:
            return f"{type_name} {arguments[0]}"
        return f"CAST({arguments[0]} AS {type_name})" if len(arguments) == 1 and type_name == "DATE" else None

    return rewrite


def _generate_date_array(arguments: list[str]) -> str | None:
    """Rewrite BigQuery's GENERATE_DATE_ARRAY, whose end is included."""
    if len(arguments) not in (2, 3):
        return None
    ends = [f"DATE {end}" if _ISO_LITERAL.fullmatch(end) else end for end in arguments[:2]]
    return f"generate_series({ends[0]}, {ends[1]}, {arguments[2] if len(arguments) == 3 else 'INTERVAL 1 DAY'})"


_QUANTILE = _template("quantile_cont({0}, {1})", "interpolates between neighbouring values")
_ADD_TEMPLATE = "({0} + {1})"
_KILOMETRES = _template(
    "(haversine_m({1}, {0}, {3}, {2}) / 1000)", "kilometres, of (lat, lon, lat, lon), as in Snowflake"
)
CALL_REWRITES: dict[str, CallRewrite] = {
    "safe_divide": _template("(({0}) / nullif({1}, 0))"),
    "div0": _template("CASE WHEN ({1}) = 0 AND ({0}) IS NOT NULL THEN 0 ELSE ({0}) / nullif({1}, 0) END"),
    "div0null": _template("CASE WHEN coalesce({1}, 0) = 0 THEN 0 ELSE ({0}) / nullif({1}, 0) END"),
    "zeroifnull": _template("coalesce({0}, 0)"),
    "nullifzero": _template("nullif({0}, 0)"),
    "ratio_to_report": _template("1.0 * ({0}) / SUM({0})"),
    "isnull": _isnull,
    "average": _template("avg({0})"),
    "dow": _template("dayofweek({0})", "Sunday is 0"),
    "to_date": _typed_literal("DATE"),
    "to_timestamp": _typed_literal("TIMESTAMP"),
    "date_format": _date_format,
    "date_add": _date_shift("+"),
    "date_sub": _date_shift("-"),
    "count_big": _template("count({0})"),
    "unix_timestamp": _template("epoch({0})", "keeps fractions of a second, and reads a TIMESTAMP as UTC"),
    "percentile": _template("quantile_cont({0}, {1})"),
    **dict.fromkeys(("percentile_approx", "approx_percentile"), _QUANTILE),
    "datepart": _datepart,
    "date_part": _datepart,
    "datename": _datename,
    "decode": _decode,
    "from_utc_timestamp": _from_utc_timestamp,
    "date": lambda given: f"CAST({zoned} AS DATE)" if (zoned := _at_time_zone(given)) else None,
    "trunc": _trunc,
    "window": _spark_window,
    "range_bucket": _range_bucket,
    "convert": _convert,
    "size": _template("len({0})", "NULL for NULL, where Spark may give -1"),
    "dayofweekiso": _template("isodow({0})"),
    "format": lambda given: _formatter(DOTNET)(given) if given and _DATE_FORMAT.fullmatch(given[-1]) else None,
    "to_char": _to_char,
    **dict.fromkeys(("format_date", "format_timestamp", "format_datetime"), _formatter(BIGQUERY, format_first=True)),
    "timestamp_diff": _timestamp_diff,
    "timestampdiff": _timestampdiff,
    **dict.fromkeys(("datetime_diff", "date_diff", "datediff"), _date_diff),
    **dict.fromkeys(("timestamp_trunc", "datetime_trunc", "date_trunc"), _date_trunc),
    **dict.fromkeys(("dateadd", "timestampadd"), _dateadd),
    **dict.fromkeys(("timestamp_add", "datetime_add"), _template(_ADD_TEMPLATE)),
    **dict.fromkeys(("timestamp_sub", "datetime_sub"), _template("({0} - {1})")),
    "add_months": _template(
        "({0} + INTERVAL ({1}) MONTH)", "the same day of the month; Oracle and Snowflake stay at a month's last day"
    ),
    "time_slice": _time_slice,
    "date_bin": _date_bin,
    "make_interval": _make_interval,
    "months_between": _template(
        "date_diff('month', {1}, {0})", "counts ends of months; Oracle and Spark give fractions"
    ),
    **{
        f"tostartof{unit}": _template(f"date_trunc('{unit}', {{0}})")
        for unit in ("minute", "hour", "day", "month", "quarter", "year")
    },
    "tostartoffifteenminutes": _template("time_bucket(INTERVAL 15 MINUTE, {0})"),
    "tomonday": _template("CAST(date_trunc('week', {0}) AS DATE)"),
    "toyyyymm": _template("CAST(strftime({0}, '%Y%m') AS BIGINT)"),
    **{f"{name}if": _template(f"{name}({{0}}) FILTER (WHERE {{1}})") for name in ("sum", "avg")},
    "uniq": _template("count(DISTINCT {0})", "the number of different values; uniq estimates it"),
    "uniqexact": _template("count(DISTINCT {0})"),
    "extract": _extract,
    "generate_date_array": _generate_date_array,
    "regexp_contains": _template("regexp_matches({0}, {1})"),
    "regexp_like": _template(
        "regexp_matches({0}, {1})", "anywhere in the text; Snowflake's REGEXP_LIKE matches the whole"
    ),
    **dict.fromkeys(("haversine", "great_circle_distance"), _KILOMETRES),
}


_INTERVAL_UNITS = ("YEAR", "MONTH", "WEEK", "DAY", "HOUR", "MINUTE", "SECOND")
_MAX_CALLS = 20  # calls rewritten in one query
# [a name] of SQL Server, not an index into a list
_BRACKETED = re.compile(r"(?<![\w\])'\".])\[([a-z_]\w*)\]|(?<=\.)\[([a-z_]\w*)\]", re.IGNORECASE)
_TOP = re.compile(r"^(\s*select)\s+top\s*(?:\s(\d+)\b|\((\d+)\))(.*?)[\s;]*$", re.IGNORECASE | re.DOTALL)
_SET_OPERATION = re.compile(r"\b(?:union|intersect|except)\b", re.IGNORECASE)
_WITH_ROLLUP = re.compile(
    r"\b(group\s+by)\s+((?:(?!\bgroup\s+by\b).)+?)(?<=\S)\s+with\s+(rollup|cube)\b", re.IGNORECASE | re.DOTALL
)


def to_duckdb(sql: str) -> Suggestion:
    """Rewrite all foreign calls of a query for DuckDB, the innermost first; the same text where there is none.

    Before the calls, TOP becomes LIMIT and [names] lose their brackets. The difference joins those of all rewritten
    calls. A text that can't be tokenized is returned as far as it was rewritten.
    """
    differences: list[str] = []
    top = _TOP.match(sql)
    if top is not None and not _SET_OPERATION.search(sql):  # LIMIT would apply to the result, TOP applies to one side
        sql = f"{top[1]}{top[4]} LIMIT {top[2] or top[3]}"
    sql = _strip_brackets(sql)
    try:
        for _ in range(_MAX_CALLS):
            found = next(_rewritten_calls(sql), None)
            if found is None:
                break
            span, suggestion = found
            sql = sql[: span.start] + suggestion.sql + sql[span.end :]
            differences.insert(0, suggestion.difference)
    except Refusal:  # too long by now, or not tokenizable
        pass
    return Suggestion(sql, join_differences(*differences))


def _strip_brackets(sql: str) -> str:
    """Remove SQL Server's [brackets] around identifiers, outside of text literals."""
    parts = re.split(r"('(?:[^']|'')*')", sql)
    return "".join(p if p.startswith("'") else _BRACKETED.sub(lambda found: found[1] or found[2], p) for p in parts)


def replace_ampersands(sql: str) -> str:
    """Replace every && by AND."""
    for token in reversed(tokenize(sql)):
        if token.token_type is TokenType.DAMP:
            sql = f"{sql[: token.start]}AND{sql[token.end + 1 :]}"
    return sql


def to_rollup_syntax(sql: str) -> str:
    """Rewrite GROUP BY a, b WITH ROLLUP of MySQL and SQL Server as GROUP BY ROLLUP (a, b)."""
    return _WITH_ROLLUP.sub(lambda found: f"{found[1]} {found[3]} ({found[2]})", sql)


def rewrite_call_at(sql: str, span: Span) -> Suggestion | None:
    """Rewrite the foreign call that overlaps a span, of several the last; None where there is none."""
    try:
        calls = _rewritten_calls(sql)
        return next((call for at, call in calls if at.start < span.end and span.start < at.end), None)
    except Refusal:  # not tokenizable
        return None


def _rewritten_calls(sql: str) -> Iterator[tuple[Span, Suggestion]]:
    """Rewrite each foreign call of a text, the last first, as it contains no other one: (its span, the new call)."""
    tokens = tokenize(sql)
    calls = (_rewrite_call(sql, tokens, position) for position in reversed(range(len(tokens))))
    yield from (call for call in calls if call is not None)


def _rewrite_call(sql: str, tokens: list[Token], position: int) -> tuple[Span, Suggestion] | None:
    """Rewrite the foreign call whose name is the token at `position`: (its span, the rewritten call), or None."""
    rewrite = CALL_REWRITES.get(tokens[position].text.lower())
    if rewrite is None or position + 1 >= len(tokens) or tokens[position + 1].token_type is not TokenType.L_PAREN:
        return None
    end = closing_bracket(tokens, position + 1)
    arguments = [] if end is None else list(split_at_commas(sql, tokens, position + 2, end))
    rewritten = rewrite(arguments) if arguments else None
    if end is None or rewritten is None:
        return None
    return Span(tokens[position].start, tokens[end].end + 1), rewritten if isinstance(
        rewritten, Suggestion
    ) else Suggestion(rewritten)
