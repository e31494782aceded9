"""Calls of BigQuery, Snowflake, Spark, MySQL and SQL Server -> the same in DuckDB's words, by their arguments' text."""

from __future__ import annotations

import re
from collections.abc import Callable

# arguments as they are written -> the call in DuckDB's words; None: it stays as it is
Form = Callable[[list[str]], str | None]

_PARTS = ("year", "quarter", "month", "week", "isoweek", "day", "hour", "minute", "second")
_ALSO = {
    "isoweek": "week", "week(monday)": "week", "hh": "hour", "mi": "minute", "dd": "day", "mm": "month", "yyyy": "year",
    "yy": "year", "mon": "month", "q": "quarter",
}  # fmt: skip
_NAMED = {"weekday": "dayname", "dw": "dayname", "month": "monthname"}  # what SQL Server calls by a name
_SIGNS = {  # of a Snowflake format, the longest first
    "YYYY": "%Y", "HH24": "%H", "MON": "%b", "DAY": "%A", "MM": "%m", "DD": "%d", "DY": "%a", "MI": "%M", "SS": "%S",
    "IW": "%V", "YY": "%y",
}  # fmt: skip
_MYSQL = {"%i": "%M", "%M": "%B", "%s": "%S", "%W": "%A", "%T": "%H:%M:%S", "%k": "%-H", "%D": "%-d", "%e": "%-d"}
_JAVA = {  # signs of a format of Spark and of SQL Server, the longest first
    "yyyy": "%Y", "yy": "%y", "MMMM": "%B", "MMM": "%b", "MM": "%m", "dddd": "%A", "ddd": "%a", "dd": "%d",
    "EEEE": "%A", "EEE": "%a", "E": "%a", "HH": "%H", "mm": "%M", "ss": "%S",
}  # fmt: skip
_DATED = re.compile(r"'(?:yyyy|yy|MM+|dd+|HH|mm|ss|[-/:. ])+'")  # a format of dates
_TYPES = ("date", "datetime", "datetime2", "timestamp", "int", "bigint", "float", "varchar")
_FROM_ZERO = re.compile(r"date_diff\('(\w+)', 0, (.*)\)", re.DOTALL)
_ISO = re.compile(r"'\d{4}-\d\d-\d\d( \d\d:\d\d(:\d\d(\.\d{1,6})?)?)?'")


def _filled(form: str) -> Form:
    """Fill arguments in at their numbers; None where there are fewer."""
    wanted = 1 + max(int(place) for place in re.findall(r"\{(\d)\}", form))
    return lambda given: form.format(*given) if len(given) >= wanted else None


def _part(text: str) -> str | None:
    """Read a date part that stands without quotes."""
    part = _ALSO.get(text.lower(), text.lower())
    return part if part in _PARTS else None


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
    if (cut := _FROM_ZERO.fullmatch(given[1])) is not None and given[2] == "0":  # as SQL Server cuts a time
        return f"date_trunc('{cut[1]}', {cut[2]})"
    part = _part(given[0])
    amount = given[1] if given[1].isdecimal() else f"({given[1]})"
    start = f"{'TIMESTAMP' if ':' in given[2] else 'DATE'} {given[2]}" if _ISO.fullmatch(given[2]) else given[2]
    return None if part is None else f"({start} + INTERVAL {amount} {part.upper()})"


def _extracted(given: list[str]) -> str | None:
    form = r"(isoweek|date)\s+from\s+(.*)"
    found = re.fullmatch(form, given[0], re.IGNORECASE | re.DOTALL) if len(given) == 1 else None
    if found is None:
        return None
    return f"week({found[2]})" if found[1].lower() == "isoweek" else f"CAST({found[2]} AS DATE)"


def _or_null(given: list[str]) -> str | None:
    """Read SQL Server's, which says what stands for NULL, and the test for NULL of others."""
    forms = {1: "({0} IS NULL)", 2: "coalesce({0}, {1})"}
    return forms[len(given)].format(*given) if len(given) in forms else None


def _parted(given: list[str]) -> str | None:
    """Read SQL Server's DATEPART."""
    if len(given) == 2 and given[0].lower() in ("weekday", "dw"):  # from 1, which is Sunday
        return f"(dayofweek({given[1]}) + 1)"
    part = _part(given[0]) if len(given) == 2 else None
    return None if part is None else f"date_part('{part}', {given[1]})"


def _part_named(given: list[str]) -> str | None:
    """Read SQL Server's DATENAME, which gives a number as text where a part has no name."""
    called, part = _NAMED.get(given[0].lower()) if len(given) == 2 else None, _parted(given)
    if called is not None:
        return f"{called}({given[1]})"
    return None if part is None else f"CAST({part} AS VARCHAR)"


def _cut(given: list[str]) -> str | None:
    """Read Spark's and Oracle's TRUNC of a date to a unit in quotes."""
    part = _part(given[1].strip("'")) if len(given) == 2 and given[1].startswith("'") else None
    return None if part is None else f"date_trunc('{part}', {given[0]})"


def _binned(given: list[str]) -> str | None:
    """Read Spark's window of so many units of time."""
    found = re.fullmatch(r"'(\d+) (\w+?)s?'", given[1]) if len(given) == 2 else None
    return None if found is None else f"time_bucket(INTERVAL {found[1]} {found[2].upper()}, {given[0]})"


def _between_ends(given: list[str]) -> str | None:
    """Read BigQuery's place of a number among ends."""
    ends = given[1].strip("[]").split(",") if len(given) == 2 and given[1].startswith("[") else []
    tests = "".join(f" WHEN {given[0]} < {end.strip()} THEN {place}" for place, end in enumerate(ends))
    return f"CASE{tests} ELSE {len(ends)} END" if tests else None


def _decoded(given: list[str]) -> str | None:
    """Read Oracle's and Snowflake's values in pairs, and what stands for others."""
    if len(given) < 3:
        return None
    tests = "".join(f" WHEN {when} THEN {then}" for when, then in zip(given[1::2], given[2::2], strict=False))
    return f"CASE {given[0]}{tests}{f' ELSE {given[-1]}' if len(given) % 2 == 0 else ''} END"


def _in_zone(given: list[str]) -> str | None:
    return f"({given[0]} AT TIME ZONE {given[1]})" if len(given) == 2 and given[1].startswith("'") else None


def _converted(given: list[str]) -> str | None:
    """Read SQL Server's, whose type comes first."""
    return f"CAST({given[1]} AS {given[0]})" if len(given) == 2 and given[0].lower() in _TYPES else None


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
FORMS: dict[str, Form] = {
    "safe_divide": _filled(_RATIO),
    "div0": _filled(f"coalesce({_RATIO}, 0)"),
    "div0null": _filled(_RATIO),
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
    "unix_timestamp": lambda given: f"epoch({given[0]})" if len(given) == 1 else None,
    **dict.fromkeys(("percentile", "percentile_approx", "approx_percentile"), _filled("quantile_cont({0}, {1})")),
    **dict.fromkeys(("datepart", "date_part"), _parted),
    "datename": _part_named,
    "decode": _decoded,
    "from_utc_timestamp": _in_zone,
    "date": lambda given: f"CAST({zoned} AS DATE)" if (zoned := _in_zone(given)) else None,
    "trunc": _cut,
    "window": _binned,
    "range_bucket": _between_ends,
    "convert": _converted,
    "size": _filled("len({0})"),
    "dayofweekiso": _filled("isodow({0})"),
    "format": lambda given: _date_formatted(given) if _DATED.fullmatch(given[-1]) else None,
    "to_char": _formatted,
    **dict.fromkeys(("format_date", "format_timestamp", "format_datetime"), _filled("strftime({1}, {0})")),
    **dict.fromkeys(("timestamp_diff", "datetime_diff", "date_diff", "datediff", "timestampdiff"), _difference),
    **dict.fromkeys(("timestamp_trunc", "datetime_trunc", "date_trunc"), _truncated),
    **dict.fromkeys(("dateadd", "timestampadd"), _moved),
    **dict.fromkeys(("timestamp_add", "datetime_add"), _filled(_ADDED)),
    **dict.fromkeys(("timestamp_sub", "datetime_sub"), _filled("({0} - {1})")),
    "add_months": _filled("({0} + INTERVAL ({1}) MONTH)"),
    "time_slice": _sliced,
    "extract": _extracted,
    "generate_date_array": _filled("generate_series(DATE {0}, DATE {1}, INTERVAL 1 DAY)"),
}
