"""docs/functions.md, written from the rows of the allow-list."""

from __future__ import annotations

from collections.abc import Iterator

from dialect.algebra import value_ranges as ranges
from dialect.catalog.model import SqlType
from dialect.functions.aggregates import AGGREGATES, Aggregate
from dialect.functions.registry import all_overloads
from dialect.functions.scalar.casts import CASTS
from dialect.functions.scalar.geography import CELLS, PLACES, POLYGONS
from dialect.functions.scalar.logic import LOGIC
from dialect.functions.scalar.numbers import INTERVALS, NUMBERS
from dialect.functions.scalar.text import LISTS, TEXT
from dialect.functions.scalar.time import TIMES
from dialect.functions.signatures import Function, KeySetRule, NoForm, Partial, kind_name
from dialect.functions.table_functions import TABLE_FUNCTIONS
from tests.support.tree import ROOT

PATH = ROOT / "docs" / "functions.md"
HEAD = """# Functions

All functions and aggregates, written from the allow-list by `make docs`. Others are refused with `E_FUNC` or `E_AGG`.

| column | meaning |
|---|---|
| form | how it is written; DuckDB's other spellings work too: `x ~ 'a'`, `x ^@ 'a'`, `nvl`, `x[2:3]`, `INTERVAL '1 day'` |
| NULL where | besides NULL arguments. Nothing raises: where DuckDB would, or beyond 64 bits, the result is NULL |
| range | the result's known ends: SUM, AVG and keys need no other bounds then |
| keys | public keys of a GROUP BY. Days and hours need both ends of the time, from WHERE or the catalog |
| meaning | of what DuckDB does not have |

COALESCE, LEAST, GREATEST, CONCAT, AND, OR, CASE and IS accept NULL. x and y have one type, or are a date and a timestamp.
"""
SECTIONS = {
    "Comparison, conditions and NULL": LOGIC,
    "Numbers": NUMBERS,
    "Casts": CASTS,
    "Text": TEXT,
    "Lists, and parts by position": LISTS,
    "Dates, times and spans": TIMES,
    "Places, and bands of time": PLACES,
    "Cells": CELLS,
    "Intervals": INTERVALS,
    "Polygons": POLYGONS,
}
INTRODUCTIONS = {
    "Intervals": """Of released numbers, and of what is computed from them where noise is followed.
""",
    "Casts": """Decimals are doubles, rounded to the digits of the type. Stored text is cast to nothing else.
""",
    "Text": """A short text has at most 100 characters. Patterns are constants; regular expressions are RE2's: classes, groups,
up to 1,000 repetitions, `^`, `$`, `\\b`, options `i`, `s`, `g`; no inner flags, no named classes. Results that grow are
truncated to 1,000 characters, and similarity looks at the first 1,000.
""",
    "Dates, times and spans": """Intervals are constants, or differences of times: `end_ts - start_ts > INTERVAL '90 minutes'`,
`EXTRACT(epoch FROM end_ts - start_ts) / 60`. An interval times a column is refused.
""",
    "Places, and bands of time": """Degrees are WGS 84, longitude first, on a sphere of 6,371,000 m; distances differ from
the ellipsoid's by at most 0.6%. For names of places, join a public table.
""",
    "Cells": """H3 cells are columns of the catalog, as 15 hexadecimal digits or integers. `h3_cell(lon, lat, resolution)` stands for
such a column made of these coordinates, or its parents. Near an edge a parent may be the neighbour's. Digits are not
checked.
""",
    "Polygons": """Polygons are columns of public tables, for these functions only. `ST_Contains(polygon, ST_Point(lon, lat))` and
`ST_Within(ST_Point(lon, lat), polygon)` are other names of the test.
""",
}
SPARK = """## Spark

{there} of {rows} rows of the allow-list have a form for Spark 4.1 (ANSI mode, UTC). `python -m tests.conformance --spark` compares
them with DuckDB; doubles may differ in the last digits. There a time of day and an interval are whole microseconds,
and a month of an interval is 30 days. These have no form there:

| form | why |
|---|---|"""
WHEN_NULL = {
    "grid_cell": "not on the earth",
    "nullif": "both are equal",
    "<<": "it is negative, or fits no 64 bits",
    "make_date": "there is no such date in the years 1 to 9999",
    "make_timestamp": "a date beyond all calendars",
    "from_epoch": "a date beyond all calendars",
    "list_position": "it is not there",
    "list_extract": "there is no such position",
    "list_min": "the list is empty",
    "list_max": "the list is empty",
    "list_avg": "the list is empty",
    "list_sum": "the list is empty, or it fits no 64 bits",
    "jaccard": "the text is empty",
}
COMPARED = {"=", "<>", "<", "<=", ">", ">=", "is distinct from", "is not distinct from"}  # of any kind, one row for all
LIKE_ARGUMENTS = {"coalesce", "least", "greatest"}
RULES = {
    ranges.first_argument: "of the argument",
    ranges.add: "of the sum",
    ranges.subtract: "of the difference",
    ranges.multiply: "of the product",
    ranges.divide: "of the quotient, where the divisor is never 0",
    ranges.divide_integers: "of the quotient",
    ranges.remainder: "below the divisor",
    ranges.negate: "of the negative",
    ranges.absolute: "of the magnitude",
    ranges.round_to_integer: "of the argument, rounded",
    ranges.round_to_digits: "of the argument, and a unit of the last digit",
    ranges.to_single_precision: "of the argument, in single precision",
    ranges.bitwise_and: "no more than what is not negative",
    ranges.bitwise_or: "as many bits as the longer has",
    ranges.bitwise_not: "of the complement",
    ranges.shift_left: "of the argument, moved",
    ranges.shift_right: "of the argument, moved",
    ranges.greatest_common_divisor: "0 to the larger magnitude",
    ranges.least_common_multiple: "0 to the product of the magnitudes",
    ranges.modulus: "between 0 and the divisor",
    ranges.decimal: "of the argument, and a unit of the last digit",
    ranges.width_bucket: "of the buckets that the argument can reach",
}
PATTERNS = {
    "negative": "-{0}",
    "is null": "{0} IS NULL",
    "is true": "{0} IS TRUE",
    "is false": "{0} IS FALSE",
    "not": "NOT {0}",
    "and": "condition AND ...",
    "or": "condition OR ...",
    "in": "x IN (y, ...)",
    "~": "~{0}",
    "like escape": "{0} LIKE {1} ESCAPE {2}",
    "ilike escape": "{0} ILIKE {1} ESCAPE {2}",
    "slice": "{0}[{1}:{2}]",
    "from_epoch": "to_timestamp({0})",
    "to_decimal": "CAST({0} AS DECIMAL(p, s))",
    "instant": "{0} AT TIME ZONE {1} AT TIME ZONE {1}",
    "wall": "{0} AT TIME ZONE {1}",
}


def document() -> str:
    """Write the whole page."""
    parts = [HEAD]
    for title, rows in SECTIONS.items():
        meanings = any(row.meaning for row in rows)
        columns = ("form", "returns", "NULL where", "range", "keys", *(("meaning",) if meanings else ()))
        introduction = f"{INTRODUCTIONS[title]}\n" if title in INTRODUCTIONS else ""
        parts.append(f"## {title}\n\n{introduction}| {' | '.join(columns)} |\n|{'---|' * len(columns)}")
        parts[-1] += "".join(f"\n{line}" for line in _lines(rows, meanings)) + "\n"
    parts += [_spark(), _aggregates(), _table_functions()]
    return "\n".join(parts)


def _lines(rows: tuple[Function, ...], meanings: bool) -> Iterator[str]:
    shown: set[str] = set()
    for row in rows:
        form = _form(row)
        if form in shown:
            continue
        shown.add(form)
        kind = str(row.result) if row.result != "NULL" else "their common type"
        meaning = (row.meaning,) if meanings else ()
        yield "| " + " | ".join((f"`{form}`", kind, _nulls(row), _range(row), _keys(row), *meaning)) + " |"


def _nulls(row: Function) -> str:
    """Where a form is NULL though no argument is: what is made total."""
    if not row.partial.is_ordinary:
        far = "the number is not finite" if "num" in row.argument_kinds else "a date beyond all calendars"
        return "" if row.partial is Partial.NEVER else far
    if row.name in WHEN_NULL:
        return WHEN_NULL[row.name]
    if row.name.startswith("to_"):
        return "does not fit"
    if row.result is SqlType.INTERVAL or row.name == "epoch_ms":
        return "a date beyond all calendars"
    by_zero = "the divisor is 0" if row.name in {"//", "%"} else ""
    too_large = "fits no 64 bits" if row.result is SqlType.BIGINT else ""
    return " or ".join(part for part in (by_zero, too_large) if part)


def _form(row: Function) -> str:
    arguments = [kind_name(kind) for kind in row.argument_kinds]
    if row.name in COMPARED:
        return f"x {row.name.upper()} y"
    if row.name in PATTERNS:
        return PATTERNS[row.name].format(*arguments)
    if row.name.startswith("to_"):
        return f"CAST({arguments[0]} AS {row.name[3:].upper()})"
    if row.name[0].isalpha() and row.is_callable:
        return f"{row.name}({', '.join(arguments)})"
    return f" {row.name.upper()} ".join(arguments).replace("|", "\\|")


def _range(row: Function) -> str:
    if row.name in LIKE_ARGUMENTS:
        return "of the arguments"
    if row.range_rule is None:
        return ""
    if row.range_rule in RULES:
        return RULES[row.range_rule]
    found = row.range_rule(*(ranges.UNKNOWN for _ in row.argument_kinds))
    if found.is_finite:
        return f"{_end(found.lower)} to {_end(found.upper)}"
    return "of the argument's ends" if len(row.argument_kinds) == 1 else "where the exponent is a constant"


def _end(value: float) -> str:
    if value == 2**31:
        return "2^31"
    return f"{value:,.0f}" if value > 10_000 or float(value).is_integer() else f"{value:g}"


def _keys(row: Function) -> str:
    if row.key_set is KeySetRule.UNITS:
        return (
            f"of each {row.constant_within}" if isinstance(row.constant_within, str) else "of each unit that it shows"
        )
    if not row.listed_values:
        return "true, false" if row.result is SqlType.BOOLEAN else ""
    numbers = all(isinstance(value, int) for value in row.listed_values)
    return f"{row.listed_values[0]} to {row.listed_values[-1]}" if numbers else f"{len(row.listed_values)} names"


def _spark() -> str:
    """Spark's functions, and the reasons for the missing ones."""
    rows = all_overloads()
    lines = dict.fromkeys(f"| `{_form(row)}` | {row.spark.reason} |" for row in rows if isinstance(row.spark, NoForm))
    there = sum(not isinstance(row.spark, NoForm) for row in rows)
    return "\n".join([SPARK.format(there=there, rows=len(rows)), *lines]) + "\n"


def _aggregates() -> str:
    head = "## Aggregates\n\n| aggregate | across people | of one person's rows | of public or released rows |\n|---|---|---|---|"
    return "\n".join([head, *map(_aggregate, AGGREGATES.values())]) + "\n"


def _aggregate(each: Aggregate) -> str:
    name = {"count_star": "COUNT(*)", "count_distinct": "COUNT(DISTINCT x)"}.get(each.name)
    shown = name or f"{each.name.upper()}({', '.join('xy'[: each.argument_count])})"
    at_boundary = each.is_releasable or each.name == "count_if"
    inside = each.is_per_person or each.name == "count_if"
    return f"| `{shown}` | {'yes' if at_boundary else ''} | {'yes' if inside else ''} | yes |"


def _table_functions() -> str:
    head = "## Table functions\n\nThey stand in FROM: [movement.md](movement.md).\n"
    lines = ["| call | columns, after the person key | meaning |", "|---|---|---|"]
    for each in TABLE_FUNCTIONS:
        given = ", ".join(p.name if p.default is None else f"{p.name} => {p.default}" for p in each.parameters)
        lines.append(
            f"| `{each.name}(rows, {given})` | {', '.join(f'`{c}`' for c in each.result_columns)} | {each.meaning} |"
        )
    return "\n".join([head, *lines]) + "\n"
