"""How Spark writes the rows of the allow-list, where DuckDB's text does not run or gives another value there.

Spark 4 in ANSI mode, whose functions are those of https://spark.apache.org/docs/latest/api/sql/ and whose rules for
types and overflow are https://spark.apache.org/docs/latest/sql-ref-ansi-compliance.html. Every form here is held
against DuckDB's by `make nightly`; a row that stands nowhere has no form there.
"""

from __future__ import annotations

from dialect.function_row import Function

_BY_ZERO = (
    "CASE WHEN {0} = 0 OR isnan(CAST({0} AS DOUBLE)) THEN CAST('NaN' AS DOUBLE) WHEN {0} > 0 THEN CAST('inf' AS DOUBLE)"
    " WHEN {0} < 0 THEN CAST('-inf' AS DOUBLE) END"
)
_LEAST_OF_BIGINT = "-9223372036854775808L"


def _real(name: str) -> str:
    return f"{name}(CAST({{0}} AS DOUBLE))"


def _logarithm(name: str) -> str:
    """Give what IEEE 754 gives of 0 and of negative numbers, where Spark gives NULL."""
    return (
        f"CASE WHEN {{0}} > 0 THEN {name}(CAST({{0}} AS DOUBLE)) WHEN {{0}} = 0 THEN CAST('-inf' AS DOUBLE)"
        " WHEN {0} < 0 THEN CAST('NaN' AS DOUBLE) END"
    )


def _cut(form: str) -> str:
    """Give a whole double: Spark's own would be a BIGINT, and is only where one holds it. Beyond 2^53 all are whole."""
    small = "abs(CAST({0} AS DOUBLE)) < 9007199254740992D"
    return f"CASE WHEN {small} THEN CAST({form} AS DOUBLE) ELSE CAST({{0}} AS DOUBLE) END"


def _end(name: str) -> str:
    """Take signs from one end; a negative number is how many stay away at the other."""
    return f"{name}({{0}}, CAST(CASE WHEN {{1}} >= 0 THEN {{1}} ELSE greatest(length({{0}}) + {{1}}, 0) END AS INT))"


def _narrowed(target: str) -> str:
    """Round a double to the nearest integer, halves to what is even, as DuckDB does; NULL where it does not fit."""
    return f"CAST(TRY_CAST(rint(CAST({{0}} AS DOUBLE)) AS {target}) AS BIGINT)"


# name(kinds), or a name for all of its rows -> form
FORMS: dict[str, str] = {
    "+(int, int)": "try_add({0}, {1})",
    "-(int, int)": "try_subtract({0}, {1})",
    "*(int, int)": "try_multiply({0}, {1})",
    "/": f"CASE WHEN {{1}} = 0 THEN {_BY_ZERO} ELSE CAST({{0}} AS DOUBLE) / nullif(CAST({{1}} AS DOUBLE), 0) END",
    "%(num, num)": "CASE WHEN {1} = 0 THEN CASE WHEN {0} IS NOT NULL THEN CAST('NaN' AS DOUBLE) END"
    " ELSE CAST({0} AS DOUBLE) % nullif(CAST({1} AS DOUBLE), 0) END",
    "ln": _logarithm("ln"),
    "log2": _logarithm("log2"),
    "log10": _logarithm("log10"),
    "//(int, int)": f"({{0}} div CASE WHEN {{1}} <> 0 AND ({{0}} > {_LEAST_OF_BIGINT} OR {{1}} <> -1) THEN {{1}} END)",
    "%(int, int)": "({0} % nullif({1}, 0))",
    "negative(int)": "try_subtract(0L, {0})",
    "abs(int)": "CASE WHEN {0} < 0 THEN try_subtract(0L, {0}) ELSE {0} END",
    "sign": "CAST(CASE WHEN isnan(CAST({0} AS DOUBLE)) THEN 0 ELSE sign({0}) END AS BIGINT)",
    "is true": "({0} IS TRUE)",
    "xor": "({0} ^ {1})",
    "&": "({0} & {1})",
    "|": "({0} | {1})",
    "~": "(~{0})",
    ">>": "shiftright({0}, CAST({1} AS INT))",
    "<<": "CASE WHEN {0} >= 0 AND shiftright(shiftleft({0}, CAST({1} AS INT)), CAST({1} AS INT)) = {0}"
    " AND shiftleft({0}, CAST({1} AS INT)) >= 0 THEN shiftleft({0}, CAST({1} AS INT)) END",
    "bit_count": "CAST(bit_count({0}) AS BIGINT)",
    "floor": _cut("floor({0})"),
    "ceil": _cut("ceil({0})"),
    "trunc(num)": _cut("CASE WHEN {0} < 0 THEN ceil({0}) ELSE floor({0}) END"),
    "to_bigint(num)": _narrowed("BIGINT"),
    "to_integer(num)": _narrowed("INT"),
    "to_smallint(num)": _narrowed("SMALLINT"),
    "to_tinyint(num)": _narrowed("TINYINT"),
    "to_varchar(int)": "CAST({0} AS STRING)",
    "to_varchar(bool)": "CAST({0} AS STRING)",
    "to_timestamp": "CAST({0} AS TIMESTAMP_NTZ)",
    "isnan": _real("isnan"),
    "isinf(num)": "(abs(CAST({0} AS DOUBLE)) = CAST('inf' AS DOUBLE))",
    "isfinite(num)": "(abs(CAST({0} AS DOUBLE)) < CAST('inf' AS DOUBLE))",
    "isinf(time)": "CASE WHEN {0} IS NOT NULL THEN FALSE END",
    "isfinite(time)": "CASE WHEN {0} IS NOT NULL THEN TRUE END",
    "length(text)": "CAST(length({0}) AS BIGINT)",
    "length": "CAST(size({0}) AS BIGINT)",
    "strlen": "CAST(octet_length({0}) AS BIGINT)",
    "concat": "left(concat_ws('', {*, }), 1000)",
    "starts_with": "startswith({0}, {1})",
    "ends_with": "endswith({0}, {1})",
    "strpos": "CAST(instr({0}, {1}) AS BIGINT)",
    "list_contains": "CASE WHEN {0} IS NOT NULL THEN coalesce(array_contains({0}, {1}), FALSE) END",
    "trim(text, text!)": "trim(BOTH {1} FROM {0})",
    "ltrim(text, text!)": "trim(LEADING {1} FROM {0})",
    "rtrim(text, text!)": "trim(TRAILING {1} FROM {0})",
    "left": _end("left"),
    "right": _end("right"),
    "to_varchar(time)": "CAST({0} AS STRING)",
    "list_position": "nullif(array_position({0}, {1}), 0L)",
    "year": "CAST(year({0}) AS BIGINT)",
    "quarter": "CAST(quarter({0}) AS BIGINT)",
    "month": "CAST(month({0}) AS BIGINT)",
    "week": "CAST(weekofyear({0}) AS BIGINT)",
    "day": "CAST(day({0}) AS BIGINT)",
    "dayofyear": "CAST(dayofyear({0}) AS BIGINT)",
    "dayofweek": "CAST(dayofweek({0}) - 1 AS BIGINT)",
    "isodow": "CAST(weekday({0}) + 1 AS BIGINT)",
    "isoyear": "CAST(extract(YEAROFWEEK FROM {0}) AS BIGINT)",
    "yearweek": "CAST(extract(YEAROFWEEK FROM {0}) * 100 + weekofyear({0}) AS BIGINT)",
    "hour(time)": "CAST(hour(CAST({0} AS TIMESTAMP_NTZ)) AS BIGINT)",
    "minute(time)": "CAST(minute(CAST({0} AS TIMESTAMP_NTZ)) AS BIGINT)",
    "second(time)": "CAST(second(CAST({0} AS TIMESTAMP_NTZ)) AS BIGINT)",
    "dayname": "date_format({0}, 'EEEE')",
    "monthname": "date_format({0}, 'MMMM')",
    "hour_of_week": "CAST(weekday({0}) * 24 + hour(CAST({0} AS TIMESTAMP_NTZ)) AS BIGINT)",
    "is_weekend": "(weekday({0}) >= 5)",
    "part_of_day": "CASE WHEN {0} IS NOT NULL THEN element_at(array('night', 'morning', 'afternoon', 'evening'),"
    " CAST(hour(CAST({0} AS TIMESTAMP_NTZ)) div 6 + 1 AS INT)) END",
    "date_trunc": "CAST(date_trunc({0}, CAST({1} AS TIMESTAMP)) AS TIMESTAMP_NTZ)",
    "last_day": "last_day(CAST({0} AS DATE))",
    "-(date, date)": "CAST(datediff({0}, {1}) AS BIGINT)",
    "+(date, days!)": "date_add({0}, CAST({1} AS INT))",
    "-(date, days!)": "date_sub({0}, CAST({1} AS INT))",
    "+(stamp, span!)": "({0} + {1})",
    "-(stamp, span!)": "({0} - {1})",
    "+(date, span!)": "(CAST({0} AS TIMESTAMP_NTZ) + {1})",
    "-(date, span!)": "(CAST({0} AS TIMESTAMP_NTZ) - {1})",
    "epoch(time)": "CAST(unix_micros(CAST({0} AS TIMESTAMP)) / 1e6D AS DOUBLE)",
    "epoch_ms(stamp)": "CAST(floor((unix_micros(CAST({0} AS TIMESTAMP)) + 500) / 1000) AS BIGINT)",
    "epoch_ms(date)": "CAST(floor((unix_micros(CAST({0} AS TIMESTAMP)) + 500) / 1000) AS BIGINT)",
    "epoch_us(time)": "unix_micros(CAST({0} AS TIMESTAMP))",
    "ascii": "CAST(ascii({0}) AS BIGINT)",
    "array_to_string": "left(array_join({0}, {1}), 1000)",
}


# rows whose own text runs in Spark and gives the same values
SAME = frozenset((
    "*(num, num)", "+(num, num)", "-(num, num)", "<(date, date)", "<(num, num)", "<(stamp, stamp)", "<(text, text)",
    "<=(date, date)", "<=(num, num)", "<=(stamp, stamp)", "<=(text, text)", "<>(bool, bool)", "<>(num, num)",
    "<>(text, text)", "=(bool, bool)", "=(date, date)", "=(num, num)", "=(text, text)", "=(time, time)",
    ">(num, num)", ">(time, time)", ">=(date, date)", ">=(num, num)", ">=(stamp, stamp)", ">=(text, text)",
    "abs(num)", "acos(num)", "acosh(num)", "and(bool*)", "asin(num)", "atan(num)", "atan2(num, num)", "atanh(num)",
    "cbrt(num)", "coalesce(any*)", "concat_ws(short!, text*)", "contains(text, text!)", "cos(num)", "cosh(num)",
    "cot(num)", "degrees(num)", "dwell_band(num)", "exp(num)", "from_epoch(num)", "greatest(any*)",
    "grid_cell(lon, lat, metres!)", "haversine_m(lon, lat, lon, lat)", "ilike escape(text, text!, text!)",
    "ilike(text, text!)", "in(bool, bool*)", "in(date, date*)", "in(num, num*)", "in(text, text*)",
    "is distinct from(bool, bool)", "is distinct from(num, num)", "is distinct from(stamp, stamp)",
    "is distinct from(text, text)", "is false(bool)", "is not distinct from(num, num)", "is null(any)", "least(any*)",
    "levenshtein(text, short!)", "like escape(text, text!, text!)", "like(text, text!)", "lower(text)",
    "lpad(text, width!, short!)", "ltrim(text)", "make_date(int, int, int)", "negative(num)", "not(bool)",
    "nullif(any, any)", "or(bool*)", "pi()", "pow(num, num)", "radians(num)",
    "regexp_extract(text, pattern!, group!)", "replace(text, short!, short!)", "reverse(text)", "round(int)",
    "round(num)", "rpad(text, width!, short!)", "rtrim(text)", "sin(num)", "sinh(num)", "sqrt(num)",
    "substr(text, int!)", "tan(num)", "tanh(num)", "to_bigint(bool)", "to_boolean(num)", "to_date(time)",
    "to_double(bool)", "to_double(num)", "to_integer(bool)", "translate(text, short!, short!)", "trim(text)",
    "trunc(int)", "width_bucket(num, num!, num!, buckets!)", "||(text, text)",
))  # fmt: skip


def in_spark(row: Function) -> str | None:
    """Find the form of a row in Spark; None where it has none that is known to be equal."""
    key = f"{row.name}({', '.join(row.arguments)})"
    if key in SAME:
        return row.duckdb
    return FORMS.get(key, FORMS.get(row.name))
