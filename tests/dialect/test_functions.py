"""Every allowed form: never raises whatever is stored, and gives DuckDB's own value wherever DuckDB gives one."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import duckdb
import pytest

from dialect.catalog import SqlType
from dialect.expressions import Call, Expr, Field, Literal, Ref
from dialect.function_row import CONSTANT, REPEATED, Function, Partial, accepts, mistake
from dialect.functions import _FORMS as FORMS
from dialect.functions_polygons import STORED as STORED_POLYGON
from dialect.functions_time import UNITS
from dialect.write_expr import quote, write_expr
from engine.polygons import polygon
from tests.support.plain import MACROS

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
    "TIMESTAMP '1969-12-31 12:00:00.5'",
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
    "polygon": tuple(f"$x${polygon(text)}$x$" for text in POLYGONS),
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
# constants of one form that must fit each other, or are few: by its name and their place
BY_PLACE: dict[tuple[str, int], tuple[Literal, ...]] = {
    ("date_trunc", 0): tuple(Literal(unit, SqlType.VARCHAR) for unit in UNITS),
    ("date_diff", 0): tuple(Literal(unit, SqlType.VARCHAR) for unit in UNITS),
    ("date_sub", 0): tuple(Literal(unit, SqlType.VARCHAR) for unit in UNITS),
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
ENGINE_TYPES = {
    SqlType.BIGINT: {"BIGINT", "INTEGER"},  # 32 bits where nothing asks for more
    SqlType.VARCHAR_LIST: {"VARCHAR[]"},
    SqlType.TIMESTAMPTZ: {"TIMESTAMP WITH TIME ZONE"},
}
CUT = {"||", "concat", "concat_ws", "replace", "regexp_replace", "array_to_string"}
COMPARED_BY_SIGN = {"levenshtein", "jaccard", "jaro_winkler_similarity"}
NEVER_NULL = {"coalesce", "least", "greatest"}


@dataclass(frozen=True)
class Sample:
    """One form with arguments: stored columns of some kinds, and constants."""

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
        return Call(self.form.row, arguments, arguments[0].type if result is SqlType.NULL else result)

    def plain(self) -> str:
        parts = [quote(a) if isinstance(a, Literal) else f"c{place}" for place, a in enumerate(self.arguments())]
        name = self.form.name
        if (name, self.form.arguments) == ("epoch", ("span",)):  # on purpose: a month is 30 days
            months = f"CAST(datepart('year', {parts[0]}) * 12 + datepart('month', {parts[0]}) AS INTEGER)"
            return f"epoch({parts[0]} - to_months({months}) + to_days(30 * {months}))"
        if (name, self.form.arguments[:1]) == ("h3_parent", ("int",)):
            name = "h3_parent_of_integer"  # a macro knows no types
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


def _samples(form: Function) -> Iterator[Sample]:
    kinds = form.arguments
    if kinds and kinds[-1].endswith(REPEATED):
        last = kinds[-1][:-1]
        kinds = (*kinds[:-1], last) if len(kinds) > 1 else (last, last)
    for chosen in itertools.product(*(_choices(form, kind, place) for place, kind in enumerate(kinds))):
        sample = Sample(form, chosen)
        alike = len({a.type for a in sample.arguments()}) == 1 or form.result is not SqlType.NULL
        first = next((f for f in FORMS[form.name] if accepts(f, sample.arguments())), None)
        if first is form and alike and mistake(form, sample.arguments()) is None:
            yield sample


ALL = [form for forms in FORMS.values() for form in forms]


@pytest.fixture(scope="module")
def stored() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(config={"threads": 1})
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute(MACROS.read_text(encoding="utf-8"))
    for kind, values in STORED.items():
        rows = ", ".join(f"({value})" for value in values)
        as_type = STORED_AS.get(kind) or TYPES[kind].value
        connection.execute(
            f"CREATE TABLE s_{kind} AS SELECT CAST(x AS {as_type}) AS x FROM (VALUES {rows}, (NULL)) v(x)"
        )
    return connection


def _query(sample: Sample, columns: str) -> str:
    tables = ", ".join(f"s_{kind} AS t{name}({name})" for name, kind in sample.columns())
    return f"SELECT {columns}" + (f" FROM {tables}" if tables else "")


def _far(value: object) -> bool:
    text = str(value)
    return (
        text in {"inf", "-inf", "nan"}
        or "inf" in text
        or "BC" in text
        or len(text.split("-", maxsplit=1)[0]) > 4
        or text.startswith(("0001-", "9999-"))
    )


@pytest.mark.parametrize("form", ALL, ids=lambda form: form.row)
def test_a_form_is_total_and_gives_duckdbs_value(form: Function, stored: duckdb.DuckDBPyConnection) -> None:
    seen = 0
    for sample in _samples(form):
        inputs = [name for name, _ in sample.columns()]
        shown = [f"CAST({name} AS VARCHAR)" for name in inputs]
        call, plain = write_expr(sample.call()), sample.plain()
        columns = [*shown, call, f"TRY({plain})", f"({call}) IS NOT DISTINCT FROM TRY({plain})"]
        rows = stored.execute(_query(sample, ", ".join(columns))).fetchall()  # a form that raises fails here
        for row in rows:
            seen += 1
            given, ours, theirs, same = row[: len(inputs)], row[-3], row[-2], row[-1]
            _check(form, given, ours, stored, sample)
            if not same and not _differs_on_purpose(form, given, ours, theirs):
                assert ours is not None or theirs is None or _raises(stored, sample, given), (call, given, ours, theirs)
                assert theirs is None and _raises(stored, sample, given), (call, given, ours, theirs)
    assert seen


def _check(
    form: Function, given: tuple[object, ...], ours: object, stored: duckdb.DuckDBPyConnection, sample: Sample
) -> None:
    """Check what inference believes of a form: when it is NULL, and which values it can give."""
    holes = [value is None for value in given]
    if form.strict and any(holes):
        assert ours is None, given
    if not any(holes) and ours is None and form.name not in NEVER_NULL:
        far = any(_far(value) for value in given)
        assert form.partial is Partial.VALUE or (form.partial is Partial.FAR and far), (sample, given)
    if form.values and ours is not None:
        assert ours in form.values, (given, ours)


def _differs_on_purpose(form: Function, given: tuple[object, ...], ours: object, theirs: object) -> bool:
    """Tell the few places where the dialect means something else than DuckDB, each for one reason."""
    if form.partial is Partial.FAR and ours is None:
        return any(_far(value) for value in given)
    if form.name in {"/", "pow", "atan2", "cot", "to_varchar", "bearing_deg"} and any(
        str(value) == "-0.0" for value in given
    ):
        return True  # 0.0 and -0.0 are one value
    if form.name in CUT:
        return isinstance(ours, str) and len(ours) == 1_000 and str(theirs).startswith(ours)  # memory has an end
    if form.name in COMPARED_BY_SIGN:
        return any(len(str(value)) > 1_000 for value in given)  # and so has time
    if form.name in {"make_timestamp", "epoch_ms"} and form.partial is Partial.VALUE:
        return ours is None and abs(int(str(given[0]))) > 8 * 10**15  # a quarter of a million years away
    if form.name == "make_date":
        return ours is None and not 1 <= int(str(given[0])) <= 9999
    return isinstance(ours, float) and isinstance(theirs, float) and _close(ours, theirs)


def _close(one: float, other: float) -> bool:
    return one == other or abs(one - other) <= 1e-12 * max(abs(one), abs(other))


def _raises(stored: duckdb.DuckDBPyConnection, sample: Sample, given: tuple[object, ...]) -> bool:
    """Tell whether DuckDB itself raises for these values, and so gives none."""
    names = [name for name, _ in sample.columns()]
    where = " AND ".join(
        f"CAST({name} AS VARCHAR) IS NOT DISTINCT FROM {quote(Literal(value, SqlType.VARCHAR))}"  # type: ignore[arg-type]
        for name, value in zip(names, given, strict=True)
    )
    tables = ", ".join(f"s_{kind} AS t{name}({name})" for name, kind in sample.columns())
    try:
        stored.execute(f"SELECT {sample.plain()} FROM (SELECT * FROM {tables} WHERE {where}) q").fetchall()
    except duckdb.Error:
        return True
    return False


@pytest.mark.parametrize("form", ALL, ids=lambda form: form.row)
def test_a_form_gives_the_type_that_is_said(form: Function, stored: duckdb.DuckDBPyConnection) -> None:
    for sample in _samples(form):
        query = _query(sample, f"typeof({write_expr(sample.call())})")
        given = stored.execute(f"{query} LIMIT 1").fetchall()[0][0]
        assert given in ENGINE_TYPES.get(sample.call().type, {sample.call().type.value}), sample


def test_unsigned_numbers_raise_nowhere(stored: duckdb.DuckDBPyConnection) -> None:
    for form in ALL:
        for sample in _samples(form):
            kinds = tuple("unsigned" if kind == "int" else kind for kind in sample.kinds)
            if "unsigned" in kinds:
                wide = Sample(form, kinds)
                stored.execute(_query(wide, write_expr(wide.call()))).fetchall()


def test_every_form_of_a_name_is_reached() -> None:
    unreached = [form.row for form in ALL if not list(_samples(form))]
    assert not unreached


def test_equal_intervals_have_one_epoch(stored: duckdb.DuckDBPyConnection) -> None:
    """Equal values must not be told apart: which of them MAX or GROUP BY keeps depends on the order of rows."""
    spans = ("12 month", "360 day", "1 year", "8640 hour", "1 month", "30 day", "-13 month", "-390 day", "1000 year")
    values = ", ".join(f"(INTERVAL '{span}')" for span in spans)
    form = next(f for f in FORMS["epoch"] if f.arguments == ("span",))

    def rows(epoch: str) -> list[tuple[bool, bool]]:
        pairs = f"SELECT {epoch.format('a.x')} = {epoch.format('b.x')}, a.x = b.x FROM v a, v b"
        return stored.execute(f"WITH v(x) AS (VALUES {values}) {pairs}").fetchall()

    assert len(rows(form.duckdb)) == len(spans) ** 2
    assert all(alike == equal for alike, equal in rows(form.duckdb))
    assert not all(alike == equal for alike, equal in rows("epoch({0})"))  # the engine's own tells them apart
