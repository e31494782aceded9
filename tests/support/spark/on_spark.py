"""Expressions on a real Spark session in ANSI mode, compared row by row with DuckDB."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import duckdb
from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from dialect.algebra.expressions import Expr
from dialect.catalog.model import SqlType
from dialect.functions.emitter import SPARK, UnsupportedByEngine, write_expr
from dialect.functions.scalar.time import MICROSECONDS_OF_INTERVAL
from dialect.functions.signatures import Function, NoForm
from tests.support.sql.conformance import COLUMNS, Conformance, are_equal, cases, typed
from tests.support.sql.form_samples import ALL, NEAR_DATES, NEAR_TIMES, STORED, STORED_AS, TYPES, Sample, samples

A_QUERY = 40  # expressions
MOST_ROWS = 600  # of a combination of columns
_SETTINGS = {
    "spark.driver.memory": "1g",
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",  # nothing runs for long
    "spark.sql.ansi.enabled": "true",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.shuffle.partitions": "1",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
}
# Spark's calendar, years 1 to 9999; characters for case, spaces and code points
_TIMES = (
    *NEAR_TIMES,
    "TIMESTAMP '2026-03-29 02:30:00'",
    "TIMESTAMP '2026-10-25 02:30:00'",
    "TIMESTAMP '2024-12-30 12:00:00.5'",
)
_TEXTS = (
    "'İßŉΑΣ'",
    "'ǆᾳ ὖ'",
    "chr(160) || 'a' || chr(12288) || ' '",
    "'a,b,,c'",
    "'e' || chr(769) || 'x'",
    "'a\\%_'",
    "chr(10)",
)
_DOUBLES = ("1.0", "-1.0", "2.675", "-1.005", "0.285", "-0.5", "2.5", "25.0", "50608.65", "1e15")
_STORED = {
    **STORED,
    "double": (*STORED["double"], *(f"CAST({number} AS DOUBLE)" for number in _DOUBLES)),
    "text": (*STORED["text"], *_TEXTS),
    "date": (*NEAR_DATES, "DATE '2024-12-30'", "DATE '2026-01-31'"),
    "stamp": _TIMES,
    "instant": tuple(f"timezone('UTC', {time})" for time in _TIMES),
    "clock": (*STORED["clock"], "TIME '24:00:00'", "TIME '12:30:00.5'"),
    "texts": (*STORED["texts"], "['x', NULL, 'a', 'x']", "CAST([NULL, NULL] AS VARCHAR[])"),
    "ints": (
        *STORED["ints"],
        "CAST([NULL] AS BIGINT[])",
        "[9223372036854775807, 1]",
        "CAST([3, 1, NULL, 1] AS BIGINT[])",
    ),
}
# values of `tests/sql/conformance.txt` outside Spark's calendar
_ORDINARY = (
    "UPDATE stored SET d = NULL WHERE NOT isfinite(d) OR d > DATE '9999-12-31'",
    "UPDATE stored SET ts = NULL WHERE NOT isfinite(ts)",
)


@dataclass(frozen=True)
class ExpressionCase:
    """One expression over columns of one table."""

    shown: str  # for people
    row: str  # name in the allow-list; empty: several
    expr: Expr


@dataclass(frozen=True)
class ExpressionResults:
    """Results of both engines for one expression."""

    case: ExpressionCase
    values: tuple[tuple[object, object], ...]  # DuckDB's and Spark's
    raised: str = ""  # by Spark, which must not

    @property
    def wrong(self) -> bool:
        """Return whether Spark raised, or gave another value."""
        return bool(self.raised or self.different)

    @property
    def different(self) -> tuple[tuple[object, object], ...]:
        """Pairs of unequal values."""
        return tuple(pair for pair in self.values if not are_equal(*pair))


def session() -> SparkSession:
    """Start Spark with few resources."""
    started = SparkSession.builder.master("local[2]").config(map=_SETTINGS).getOrCreate()
    started.sparkContext.setLogLevel("OFF")
    logging.getLogger("SQLQueryContextLogger").disabled = True
    return started


def of_conformance(spark: SparkSession) -> Iterator[ExpressionResults]:
    """Evaluate every listed expression that Spark supports, over its values."""
    conformance = Conformance()
    for change in _ORDINARY:
        conformance.connection.execute(change)
    shared(spark, conformance.connection, "stored", {name: field.type for name, field in COLUMNS.items()})
    expressions = [ExpressionCase(case.sql, "", typed(case.sql)) for case in cases()]
    yield from _given(spark, conformance.connection, "stored", [each for each in expressions if written(each.expr)])


def of_forms(spark: SparkSession, forms: Sequence[Function] = ALL) -> Iterator[ExpressionResults]:
    """Evaluate every form with every choice of constants, over combinations of extreme values."""
    connection = duckdb.connect(config={"threads": 1})
    connection.execute("SET TimeZone = 'UTC'")
    every = [each for form in forms if not isinstance(form.spark, NoForm) for each in samples(form) if _few(each)]
    every = sorted(every, key=lambda sample: str(sample.columns()))
    for number, (_, group) in enumerate(groupby(every, key=lambda sample: str(sample.columns()))):
        samples_of_types = list(group)
        table = f"values_{number}"
        connection.execute(_combined(table, samples_of_types[0]))
        shared(spark, connection, table, {name: TYPES[kind] for name, kind in samples_of_types[0].columns()})
        cases = [ExpressionCase(str(sample.kinds), sample.form.row_name, sample.call()) for sample in samples_of_types]
        yield from _given(spark, connection, table, [each for each in cases if written(each.expr)])


def _few(sample: Sample) -> bool:
    """Select samples with few columns, or whose coordinate columns are all of one kind."""
    places = {kind for _, kind in sample.columns() if kind.endswith("degrees")}
    return len(sample.columns()) < 4 or len(places) == 1


def written(expr: Expr) -> str | None:
    """Generate Spark SQL; None if there is no form."""
    try:
        return write_expr(expr, SPARK)
    except UnsupportedByEngine:
        return None


def _combined(table: str, sample: Sample) -> str:
    """Create a table of all combinations of a sample's values, or of some if there are many."""
    parts, most = ["(SELECT 0) AS nothing"], 1
    for name, kind in sample.columns():
        as_type = STORED_AS.get(kind) or TYPES[kind].value
        rows = ", ".join(f"({value})" for value in _STORED[kind])
        parts.append(f"(SELECT CAST(x AS {as_type}) FROM (VALUES {rows}, (NULL)) v(x)) AS t{name}({name})")
        most *= len(_STORED[kind]) + 1
    names = ", ".join(name for name, _ in sample.columns())
    some = f"row_number % {most // MOST_ROWS * 2 + 1} = 0"  # an odd step visits all values of each column
    numbered = f"SELECT row_number() OVER (ORDER BY ALL) AS row_number{names and ', ' + names} FROM {', '.join(parts)}"
    return f"CREATE TABLE {table} AS SELECT * FROM ({numbered.replace('ORDER BY ALL', 'ORDER BY ' + (names or '1'))}) WHERE {some}"


def shared(spark: SparkSession, connection: duckdb.DuckDBPyConnection, table: str, columns: dict[str, SqlType]) -> None:
    """Copy a DuckDB table to Spark, times of day and intervals as microseconds."""
    shown = "".join(f", {_stored(name, kind)} AS {name}" for name, kind in columns.items())
    rows = connection.sql(f"SELECT row_number{shown} FROM {table} ORDER BY row_number").to_arrow_table()
    spark.createDataFrame(rows).coalesce(1).createOrReplaceTempView(table)


def _stored(name: str, kind: SqlType) -> str:
    exact = {SqlType.TIME: "epoch_ns({0}) // 1000", SqlType.INTERVAL: MICROSECONDS_OF_INTERVAL}
    return f"CAST({exact[kind].replace('{0}', name)} AS BIGINT)" if kind in exact else name


def _given(
    spark: SparkSession, connection: duckdb.DuckDBPyConnection, table: str, cases: Sequence[ExpressionCase]
) -> Iterator[ExpressionResults]:
    for first in range(0, len(cases), A_QUERY):
        part = cases[first : first + A_QUERY]
        ours = [_of_duckdb(connection, table, each.expr) for each in part]
        for each, mine, theirs in zip(part, ours, _of_spark(spark, table, part), strict=True):
            if isinstance(theirs, str):
                yield ExpressionResults(each, (), theirs)
            else:
                yield ExpressionResults(each, tuple(zip(mine, theirs, strict=True)))


def _of_duckdb(connection: duckdb.DuckDBPyConnection, table: str, expr: Expr) -> list[object]:
    form = write_expr(expr)
    if expr.type in (SqlType.TIMESTAMP, SqlType.TIMESTAMPTZ):
        form = f"epoch_us({form})"
    elif expr.type is SqlType.DATE:
        form = f"epoch_us(TRY_CAST({form} AS TIMESTAMP))"
    else:
        form = _stored(f"({form})", expr.type)
    return [value for (value,) in connection.execute(f"SELECT {form} FROM {table} ORDER BY row_number").fetchall()]


def _of_spark(spark: SparkSession, table: str, part: Sequence[ExpressionCase]) -> list[list[object] | str]:
    """Evaluate in one query; if it raises, each half by itself."""
    shown = ", ".join(f"({_as_number(each.expr)}) AS e{place}" for place, each in enumerate(part))
    try:
        given = spark.sql(f"SELECT {shown} FROM {table} ORDER BY row_number").toArrow()
    except (PySparkException, Py4JJavaError) as error:
        half = len(part) // 2
        return [str(error)] if not half else _of_spark(spark, table, part[:half]) + _of_spark(spark, table, part[half:])
    return [column.to_pylist() for column in given.columns]


def _as_number(expr: Expr) -> str:
    form = write_expr(expr, SPARK)
    if expr.type in (SqlType.TIMESTAMP, SqlType.TIMESTAMPTZ, SqlType.DATE):
        return f"unix_micros(CAST({form} AS TIMESTAMP))"
    return form
