"""docs/functions.md, written from the rows of the allow-list."""

from __future__ import annotations

from collections.abc import Iterator

from dialect.algebra import intervals as ranges
from dialect.catalog.model import SqlType
from dialect.functions.aggregates import AGGREGATES, Aggregate
from dialect.functions.registry import function_rows
from dialect.functions.scalar.casts import CASTS
from dialect.functions.scalar.logic import LOGIC
from dialect.functions.scalar.noise_intervals import INTERVALS
from dialect.functions.scalar.numbers import NUMBERS
from dialect.functions.scalar.places import CELLS, PLACES, POLYGONS
from dialect.functions.scalar.text import LISTS, TEXT
from dialect.functions.scalar.time import TIMES
from dialect.functions.signature import Function, Partial, in_words
from dialect.functions.table_functions import TABLE_FUNCTIONS
from tests.support.tree import ROOT

PATH = ROOT / "docs" / "functions.md"
HEAD = """# Functions

Every form that a question may use, written from the allow-list itself by `make docs`. What is not here is refused with
`E_FUNC` or `E_AGG`. A form never raises: where DuckDB would, or where a value fits no 64 bits, it is NULL.

A form is NULL where an argument is, but for COALESCE, LEAST, GREATEST, CONCAT, AND, OR, CASE and IS. *NULL where* says
when it is NULL although no argument is. x and y are of one kind; a date and a timestamp are. *Range* is what is known
of the value of declared numbers, so that SUM, AVG and keys need no bounds of their own; *keys* are values that a
GROUP BY lists without looking at the data: those of each day or hour where it says so and WHERE or the catalog gives both
ends of the time; *meaning* defines what DuckDB itself does not have. What is computed of values that are listed has a list
too. CASE, IF, BETWEEN and EXTRACT(part FROM x) are written as in DuckDB, and so are the other names and operators of a
function: `x ~ 'a'`, `x ^@ 'a'`, `nvl`, `suffix`, `x[2:3]`, `INTERVAL '1 day 2 hours'`.
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
    "Intervals": """Of released numbers alone, and of what is computed from them in a way in which noise is followed: refused elsewhere.
""",
    "Casts": """Decimals are doubles, rounded to the digits that are asked for. Text that is stored is cast to nothing else.
""",
    "Text": """A short text has 100 characters at most. Patterns are constants. Regular expressions are RE2's, which takes time
linear in the text: classes, groups, repetitions up to 1,000, `^`, `$`, `\\b` and the options `i`, `s` and `g`, no
flags in the middle and no named classes. What is joined, replaced or filled up is cut to 1,000 characters; what compares sign by sign sees no more of a text.
""",
    "Dates, times and spans": """Intervals are constants, or differences of times: `end_ts - start_ts > INTERVAL '90 minutes'`,
`EXTRACT(epoch FROM end_ts - start_ts) / 60`. An interval times a column is refused.
""",
    "Places, and bands of time": """Degrees are WGS 84, longitude first, on a sphere of 6,371,000 m (the mean radius of the IUGG). The way over it
differs from that over the ellipsoid by at most 0.6%. Nothing is looked up: where a table with zones or cells of
places is declared, joining it costs no more and gives their names.
""",
    "Cells": """A cell of H3 is 15 hexadecimal digits or the same number as an integer. Only its parents are computed here: a
column of cells is declared in the catalog, and `h3_cell(lon, lat, resolution)` is another word for such a column or its
parents, where these are the columns of longitude and latitude that it is made of. A parent is what the index says,
which near an edge of the parent is not always the cell of the place itself. Base cells and digits are not looked at: what only looks like a cell has
a parent that only looks like one.
""",
    "Polygons": """A polygon is a column of a public table that the catalog declares with the type POLYGON. It can be selected in a
subquery, and stand in these functions; it is no value to show, compare or group by. `ST_Contains(polygon,
ST_Point(lon, lat))` and `ST_Within(ST_Point(lon, lat), polygon)` are other names of the same test.
""",
}
SPARK = """## Spark

{there} of the {rows} rows of the allow-list are written for Spark 4.1 too, in ANSI mode and a session whose time zone is UTC.
`python -m tests.conformance --spark` and `make nightly` run each of them there, with every choice of sampled constants over extreme
and ordinary values of its calendar: none may raise, and each must give DuckDB's value (of doubles all but the last
digits). A time of day and an interval are whole microseconds there, an interval's month 30 days of them.
LIKE and GLOB are patterns that never turn back. These have no form there:

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
    ranges.same: "of the argument",
    ranges.add: "of the sum",
    ranges.subtract: "of the difference",
    ranges.multiply: "of the product",
    ranges.divide: "of the quotient, where the divisor is never 0",
    ranges.divide_integers: "of the quotient",
    ranges.remainder: "below the divisor",
    ranges.negate: "of the negative",
    ranges.absolute: "of the magnitude",
    ranges.nearest: "of the argument, rounded",
    ranges.rounded: "of the argument, and a unit of the last digit",
    ranges.single_precision: "of the argument, in single precision",
    ranges.masked: "no more than what is not negative",
    ranges.joined: "as many bits as the longer has",
    ranges.complement: "of the complement",
    ranges.shifted: "of the argument, moved",
    ranges.unshifted: "of the argument, moved",
    ranges.divisor: "0 to the larger magnitude",
    ranges.multiple: "0 to the product of the magnitudes",
    ranges.modulus: "between 0 and the divisor",
    ranges.decimal: "of the argument, and a unit of the last digit",
    ranges.buckets: "of the buckets that the argument can reach",
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
        columns = ("form", "gives", "NULL where", "range", "keys", *(("meaning",) if meanings else ()))
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
    """Say where a form is NULL though no argument is: what is made total."""
    if row.partial is not Partial.VALUE:
        far = "the number is not finite" if "num" in row.arguments else "a date beyond all calendars"
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
    arguments = [in_words(kind) for kind in row.arguments]
    if row.name in COMPARED:
        return f"x {row.name.upper()} y"
    if row.name in PATTERNS:
        return PATTERNS[row.name].format(*arguments)
    if row.name.startswith("to_"):
        return f"CAST({arguments[0]} AS {row.name[3:].upper()})"
    if row.name[0].isalpha() and row.written:
        return f"{row.name}({', '.join(arguments)})"
    return f" {row.name.upper()} ".join(arguments).replace("|", "\\|")


def _range(row: Function) -> str:
    if row.name in LIKE_ARGUMENTS:
        return "of the arguments"
    if row.range is None:
        return ""
    if row.range in RULES:
        return RULES[row.range]
    found = row.range(*(ranges.UNKNOWN for _ in row.arguments))
    if ranges.known(found):
        return f"{_end(found.lower)} to {_end(found.upper)}"
    return "of the argument's ends" if len(row.arguments) == 1 else "where the exponent is a constant"


def _end(value: float) -> str:
    if value == 2**31:
        return "2^31"
    return f"{value:,.0f}" if value > 10_000 or float(value).is_integer() else f"{value:g}"


def _keys(row: Function) -> str:
    if row.constant_on:
        return f"of each {row.constant_on}" if isinstance(row.constant_on, str) else "of each unit that it shows"
    if not row.values:
        return "true, false" if row.result is SqlType.BOOLEAN else ""
    numbers = all(isinstance(value, int) for value in row.values)
    return f"{row.values[0]} to {row.values[-1]}" if numbers else f"{len(row.values)} names"


def _spark() -> str:
    """Say what Spark has, and why it has not the rest."""
    rows = function_rows()
    lines = dict.fromkeys(f"| `{_form(row)}` | {row.no_spark} |" for row in rows if row.no_spark)
    there = sum(row.spark is not None for row in rows)
    return "\n".join([SPARK.format(there=there, rows=len(rows)), *lines]) + "\n"


def _aggregates() -> str:
    head = "## Aggregates\n\n| aggregate | over many people | of one person's rows | over public or released rows |\n|---|---|---|---|"
    return "\n".join([head, *map(_aggregate, AGGREGATES.values())]) + "\n"


def _aggregate(each: Aggregate) -> str:
    name = {"count_star": "COUNT(*)", "count_distinct": "COUNT(DISTINCT x)"}.get(each.name)
    shown = name or f"{each.name.upper()}({', '.join('xy'[: each.arguments])})"
    at_boundary = each.at_boundary or each.name == "count_if"
    inside = each.inside is not None or each.name == "count_if"
    return f"| `{shown}` | {'yes' if at_boundary else ''} | {'yes' if inside else ''} | yes |"


def _table_functions() -> str:
    head = "## Table functions\n\nIn FROM, over a table whose movement is declared or a subquery ([movement.md](movement.md)).\n"
    lines = ["| call | gives, behind the person key | meaning |", "|---|---|---|"]
    for each in TABLE_FUNCTIONS:
        given = ", ".join(p.name if p.default is None else f"{p.name} => {p.default}" for p in each.parameters)
        lines.append(f"| `{each.name}(rows, {given})` | {', '.join(f'`{c}`' for c in each.gives)} | {each.meaning} |")
    return "\n".join([head, *lines]) + "\n"
