"""Every allowed form with sample arguments: columns of extreme values of its types, and constants."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

from dialect.algebra.expressions import Call, Expr, Field, Literal, Ref
from dialect.catalog.model import SqlType
from dialect.functions.emitter import quote_literal
from dialect.functions.registry import OVERLOADS_BY_NAME as FORMS
from dialect.functions.scalar.geography import POLYGON_TYPE as STORED_POLYGON
from dialect.functions.scalar.time import TIME_UNITS
from dialect.functions.signatures import CONSTANT, VARIADIC, Function, accepts, constant_mistake
from engine.data.files.polygons import parse_polygon

FAR_DATES = (
    "CAST('infinity' AS DATE)",
    "CAST('-infinity' AS DATE)",
    "DATE '5881580-07-10'",
    "DATE '5877642-06-25 (BC)'",
    "DATE '290309-12-21 (BC)'",
    "DATE '294247-01-11'",
)
NEAR_DATES = ("DATE '2026-10-14'", "DATE '2000-02-29'", "DATE '1970-01-01'", "DATE '0001-01-01'", "DATE '9999-12-31'")
FAR_TIMES = (
    "CAST('infinity' AS TIMESTAMP)",
    "CAST('-infinity' AS TIMESTAMP)",
    "TIMESTAMP '294247-01-10 04:00:54.775806'",
    "make_timestamp(-9223372022400000000)",
)
NEAR_TIMES = (
    "TIMESTAMP '2026-10-14 23:59:59.999999'",
    "TIMESTAMP '2000-02-29 00:00:00'",
    "TIMESTAMP '1969-12-31 23:59:59.9985'",
    "TIMESTAMP '0001-01-01 00:00:00'",
    "TIMESTAMP '9999-12-31 23:59:59'",
)
POLYGONS = (
    "POLYGON EMPTY",
    "POLYGON ((0 0, 20 0, 20 60, 0 60, 0 0), (13 52, 14 52, 14 53, 13 53, 13 52))",
    "MULTIPOLYGON (((-99.5 19, -99 19, -99 20, -99.5 19)), ((170 -10, 180 -10, 180 10, 170 -10)))",
)
STORED: dict[str, tuple[str, ...]] = {
    "bool": ("TRUE", "FALSE"),
    "int": ("0", "1", "-1", "2", "-7", "10", "2147483648", "-2147483649", "9007199254740993",
            "617700169958293503", "9223372036854775807", "CAST('-9223372036854775808' AS BIGINT)"),
    "unsigned": ("0", "9223372036854775808", "18446744073709551615"),
    "double": ("0.0", "CAST('-0.0' AS DOUBLE)", "1.5", "-2.5", "0.1", "-7.25", "123456.789", "9.2e18", "1e300", "-1e308",
               "5e-324", "CAST('inf' AS DOUBLE)", "CAST('-inf' AS DOUBLE)", "CAST('nan' AS DOUBLE)"),
    "degrees": ("0.0", "CAST('-0.0' AS DOUBLE)", "13.4", "-99.133", "19.43", "52.52", "180.0", "1e300",
                "CAST('inf' AS DOUBLE)", "CAST('nan' AS DOUBLE)"),
    "whole_degrees": ("0", "-90", "200"),
    "text": ("''", "'a'", "'B'", "'Zürich'", "'a%b_c'", "'  pad '", "'NaN'", "'12'", "'😀x'", "repeat('y', 1500)",
             "'891f1d48177ffff'", "'8009fffffffffff'", "'891F1D48177FFFF'", "'091f1d48177ffff'"),
    "date": NEAR_DATES + FAR_DATES,
    "stamp": NEAR_TIMES + FAR_TIMES,
    "instant": (*(f"timezone('UTC', {time})" for time in NEAR_TIMES + FAR_TIMES),),
    "clock": ("TIME '00:00:00'", "TIME '23:59:59.999999'", "TIME '12:00:00'"),
    "span": ("INTERVAL '1 day'", "INTERVAL '-1 month'", "INTERVAL '0 second'", "INTERVAL '1000 year'"),
    "texts": ("CAST([] AS VARCHAR[])", "['a', NULL]", "['b']"),
    "polygon": tuple(f"$x${parse_polygon(text)}$x$" for text in POLYGONS),
    "ints": ("CAST([] AS BIGINT[])", "CAST([1, NULL] AS BIGINT[])"),
}  # fmt: skip
TYPES = {
    "polygon": SqlType.POLYGON,
    "degrees": SqlType.DOUBLE, "whole_degrees": SqlType.BIGINT,
    "bool": SqlType.BOOLEAN, "int": SqlType.BIGINT, "double": SqlType.DOUBLE, "text": SqlType.VARCHAR,
    "date": SqlType.DATE, "stamp": SqlType.TIMESTAMP, "instant": SqlType.TIMESTAMPTZ, "clock": SqlType.TIME,
    "span": SqlType.INTERVAL, "texts": SqlType.VARCHAR_LIST, "ints": SqlType.BIGINT_LIST,
}  # fmt: skip
STORED_AS = {"unsigned": "UBIGINT", "polygon": STORED_POLYGON}
_DEGREES = ("degrees", "whole_degrees")
WIDER = {
    "num": ("int", "double"),
    "days": ("int",),
    "lon": _DEGREES,
    "lat": _DEGREES,
    "time": ("stamp", "date"),
    "any": ("int", "double", "text", "date", "stamp", "bool"),
}

INTS = tuple(Literal(value, SqlType.BIGINT) for value in (0, 1, -1, 3, -3, 20, -20, 2**31 - 1, -(2**31) + 1))
NUMBERS = {
    "int": INTS,
    "num": (Literal(-3, SqlType.BIGINT), Literal(0.5, SqlType.DOUBLE), Literal(10, SqlType.BIGINT)),
    "days": tuple(Literal(value, SqlType.BIGINT) for value in (0, 1, -30, 365_000, -365_000)),
    "metres": tuple(Literal(value, SqlType.BIGINT) for value in (1, 250, 1_000_000)),
    "buckets": tuple(Literal(value, SqlType.BIGINT) for value in (1, 7, 100)),
    "precision": tuple(Literal(value, SqlType.BIGINT) for value in (1, 6, 12)),
    "resolution": tuple(Literal(value, SqlType.BIGINT) for value in (0, 7, 9, 15)),
    "bits": tuple(Literal(value, SqlType.BIGINT) for value in (0, 1, 3, 30)),
    "group": tuple(Literal(value, SqlType.BIGINT) for value in (0, 1, 9)),
    "width": tuple(Literal(value, SqlType.BIGINT) for value in (0, 1, 7, 1_000)),
}
SPANS = ("1 day", "-7 day", "90 minute", "3 month", "-1 year", "1000 year", "1 second", "2 quarter", "525600000 minute")
PERIODS = ("1 day", "7 day", "90 minute", "5 month", "1000 year", "1 second", "2 quarter", "1 week")
PATTERNS = ("a", "", "%", "a%", "_", "a\\", "%ü%")
ZONES = ("UTC", "America/Mexico_City", "Europe/Berlin", "Asia/Kolkata")
EXPRESSIONS = ("a", "", "[a-z]+", "(a)(%)?", "(?is)B.*$", "^\\s|\\bx{0,3}?", "[^ü]\\W")
FORMATS = (
    "%Y-%m-%d",
    "%H:%M:%S.%f",
    "%c %x %X %g %n",
    "%a %A %b %B %p %I %j %u %w %U %V %W %G %y",
    "%-d.%-m.%-j",
    " ",
    "%%",
)
BY_KIND = {
    "short": ("a", "", "a%b", "\\", "üx", "-" * 100),
    "pattern": EXPRESSIONS,
    "format": FORMATS,
    "zone": ZONES,
}
# constants of one form that must match each other, or are few: by name and position
BY_PLACE: dict[tuple[str, int], tuple[Literal, ...]] = {
    ("date_trunc", 0): tuple(Literal(unit, SqlType.VARCHAR) for unit in TIME_UNITS),
    ("date_diff", 0): tuple(Literal(unit, SqlType.VARCHAR) for unit in TIME_UNITS),
    ("date_sub", 0): tuple(Literal(unit, SqlType.VARCHAR) for unit in TIME_UNITS),
    ("regexp_replace", 2): tuple(Literal(text, SqlType.VARCHAR) for text in ("", "ab", "<\\0>", "\\1\\1", "\\\\")),
    ("regexp_replace", 3): (Literal("g", SqlType.VARCHAR),),
    ("like escape", 2): (Literal("\\", SqlType.VARCHAR), Literal("%", SqlType.VARCHAR), Literal("$", SqlType.VARCHAR)),
    ("to_decimal", 1): tuple(Literal(digits, SqlType.BIGINT) for digits in (9, 38)),
    ("to_decimal", 2): tuple(Literal(digits, SqlType.BIGINT) for digits in (0, 2)),
}

INFIX = {"+", "-", "*", "/", "//", "%", "=", "<>", "<", "<=", ">", ">=", "||", "like", "ilike"}
INFIX |= {"is distinct from", "is not distinct from", "glob", "&", "|", "<<", ">>"}
PLAIN = {
    "and": "({0} AND {1})",
    "or": "({0} OR {1})",
    "not": "(NOT {0})",
    "negative": "(-{0})",
    "in": "({0} IN ({1}))",
    "is null": "({0} IS NULL)",
    "is true": "({0} IS TRUE)",
    "is false": "({0} IS FALSE)",
    "wall": "timezone({1}, {0})",
    "instant": "timezone({1}, {0})",
    "like escape": "({0} LIKE {1} ESCAPE {2})",
    "ilike escape": "({0} ILIKE {1} ESCAPE {2})",
    "~": "(~{0})",
    "slice": "{0}[{1}:{2}]",
    "from_epoch": "to_timestamp({0})",
    "to_decimal": "CAST({0} AS DECIMAL({1}, {2}))",
}


@dataclass(frozen=True)
class Sample:
    """One form with arguments: stored columns of some types, and constants."""

    form: Function
    kinds: tuple[str | Literal, ...]

    def arguments(self) -> tuple[Expr, ...]:
        return tuple(
            kind if isinstance(kind, Literal) else Ref(Field(f"c{place}", None, TYPES[kind.replace("unsigned", "int")]))
            for place, kind in enumerate(self.kinds)
        )

    def call(self) -> Call:
        arguments = self.arguments()
        result = self.form.result
        return Call(self.form.row_name, arguments, arguments[0].type if result is SqlType.NULL else result)

    def plain(self) -> str:
        parts = [
            quote_literal(a) if isinstance(a, Literal) else f"c{place}" for place, a in enumerate(self.arguments())
        ]
        name = self.form.name
        if (name, self.form.argument_kinds) == ("epoch", ("span",)):  # on purpose: a month is 30 days
            months = f"CAST(datepart('year', {parts[0]}) * 12 + datepart('month', {parts[0]}) AS INTEGER)"
            return f"epoch({parts[0]} - to_months({months}) + to_days(30 * {months}))"
        if self.form.argument_kinds == ("date", "days"):  # DuckDB adds integers of 32 bits to dates
            parts[1] = f"CAST({parts[1]} AS INTEGER)"
        if (name, self.form.argument_kinds[:1]) == ("h3_parent", ("int",)):
            name = "h3_parent_of_integer"  # macros are untyped
        if name in PLAIN:
            return PLAIN[name].format(*parts)
        if name.startswith("to_"):
            return f"CAST({parts[0]} AS {name[3:].upper()})"
        return f"({f' {name} '.join(parts)})" if name in INFIX else f"{name}({', '.join(parts)})"

    def columns(self) -> list[tuple[str, str]]:
        return [(f"c{place}", kind) for place, kind in enumerate(self.kinds) if isinstance(kind, str)]


def _constants(form: Function, kind: str, place: int) -> tuple[Literal, ...]:
    if (form.name, place) in BY_PLACE:
        return BY_PLACE[form.name, place]
    if kind in NUMBERS:
        return NUMBERS[kind]
    if kind in {"span", "period"}:
        texts = SPANS if kind == "span" else PERIODS
        return tuple(Literal(text, SqlType.INTERVAL) for text in texts)
    return tuple(Literal(text, SqlType.VARCHAR) for text in BY_KIND.get(kind, PATTERNS))


def _choices(form: Function, kind: str, place: int) -> tuple[str | Literal, ...]:
    if kind.endswith(CONSTANT):
        return _constants(form, kind[:-1], place)
    return WIDER.get(kind, (kind,))


def samples(form: Function) -> Iterator[Sample]:
    kinds = form.argument_kinds
    if kinds and kinds[-1].endswith(VARIADIC):
        last = kinds[-1][:-1]
        kinds = (*kinds[:-1], last) if len(kinds) > 1 else (last, last)
    for chosen in itertools.product(*(_choices(form, kind, place) for place, kind in enumerate(kinds))):
        sample = Sample(form, chosen)
        samples_of_types = len({a.type for a in sample.arguments()}) == 1 or form.result is not SqlType.NULL
        first = next((f for f in FORMS[form.name] if accepts(f, sample.arguments())), None)
        if first is form and samples_of_types and constant_mistake(form, sample.arguments()) is None:
            yield sample


ALL = [form for forms in FORMS.values() for form in forms]
