"""Forms for Spark, run by Spark itself in ANSI mode: none raises, and each gives the value of DuckDB's form.

Part of `make nightly` alone, which installs Spark and a Java: starting it takes longer than most tests together.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from pyspark.sql import SparkSession

from dialect.expressions import Call, Expr, children
from dialect.functions import _FORMS as FORMS
from dialect.functions import function
from dialect.write_expr import SPARK, NoForm, write_expr
from tests.support.conformance import Case, Conformance, alike, cases, typed

A_QUERY = 60  # expressions
# words that Spark's calendar does not have: infinite dates, and those beyond the year 9999
ORDINARY = (
    "UPDATE stored SET d = NULL WHERE NOT isfinite(d) OR d > DATE '9999-12-31'",
    "UPDATE stored SET ts = NULL WHERE NOT isfinite(ts)",
    "ALTER TABLE stored DROP COLUMN c",  # Spark reads no TIME from Arrow
)
# what forms for Spark may differ in: nothing but this
BECAUSE = {
    "d + 1": "a day after 9999-12-31 is no date of Python's, which reads the answer",
}


@pytest.fixture(scope="module")
def conformance() -> Iterator[Conformance]:
    opened = Conformance()
    for change in ORDINARY:
        opened.connection.execute(change)
    yield opened
    opened.connection.close()


@pytest.fixture(scope="module")
def spark(conformance: Conformance) -> Iterator[SparkSession]:

    settings = {
        "spark.ui.enabled": "false",
        "spark.sql.ansi.enabled": "true",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": "1",
        "spark.sql.execution.arrow.pyspark.enabled": "true",
    }
    session = SparkSession.builder.master("local[2]").config(map=settings).getOrCreate()
    stored = conformance.connection.execute("SELECT * FROM stored ORDER BY row_number").to_arrow_table()
    session.createDataFrame(stored).coalesce(1).createOrReplaceTempView("stored")
    yield session
    session.stop()


def _written() -> list[tuple[Case, str]]:
    """Write for Spark what has a form there."""
    found = []
    for case in cases():
        expr = typed(case.sql)
        if case.because or case.sql in BECAUSE or any(column.name == "c" for column in _columns(expr)):
            continue
        try:
            found.append((case, write_expr(expr, SPARK)))
        except NoForm:
            continue
    return found


def _columns(expr: Expr) -> Iterator[Any]:
    if hasattr(expr, "field"):
        yield expr.field
    for part in children(expr):
        yield from _columns(part)


def _rows(expr: Expr) -> Iterator[str]:
    if isinstance(expr, Call):
        yield expr.function
    for part in children(expr):
        yield from _rows(part)


def test_every_form_of_spark_gives_duckdbs_value(conformance: Conformance, spark: SparkSession) -> None:
    different: list[tuple[str, object, object]] = []
    written = _written()
    for first in range(0, len(written), A_QUERY):
        part = written[first : first + A_QUERY]
        shown = ", ".join(f"({form}) AS e{place}" for place, (_, form) in enumerate(part))
        given = spark.sql(f"SELECT {shown} FROM stored ORDER BY row_number").toArrow()
        for place, (case, _) in enumerate(part):
            query = f"SELECT {write_expr(typed(case.sql))} FROM stored ORDER BY row_number"
            ours = [value for (value,) in conformance.connection.execute(query).fetchall()]
            theirs = given.column(place).to_pylist()
            different += [
                (case.sql, one, other) for one, other in zip(ours, theirs, strict=True) if not _same(one, other)
            ]
    assert not different
    assert len(written) >= 400


def _same(one: object, other: object) -> bool:
    if isinstance(one, datetime) and isinstance(other, datetime):
        return one.replace(tzinfo=None) == other.replace(tzinfo=None)
    return alike(one, other)


def test_every_form_of_spark_is_held() -> None:
    held = {row for case, _ in _written() for row in _rows(typed(case.sql))}
    forms = {form.row for forms in FORMS.values() for form in forms if form.spark is not None}
    assert sorted(forms - held) == []
    assert all(function(row).spark for row in held)
