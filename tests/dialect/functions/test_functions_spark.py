"""Forms for Spark, run by Spark itself in ANSI mode: none raises, and each gives the value of DuckDB's form.

Part of `make nightly` alone, which installs Spark and needs a Java: starting it takes longer than most tests together.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from pyspark.sql import SparkSession

from dialect.functions.registry import OVERLOADS
from dialect.functions.signatures import NoForm
from tests.support.spark.on_spark import ExpressionResults, of_conformance, of_forms, session
from tests.support.sql.form_samples import ALL

# wrong forms, and rows that they stand in for: each would be right for most values
WRONG = {
    "+(int, int)": "({0} + {1})",  # raises
    "lower(text)": "lower({0})",  # letters whose case depends on others
    "trim(text)": "trim({0})",  # spaces that are not of ASCII
    "//(num, num)": "({0} / {1})",  # raises by zero
    "-(time, time)": "({0} - {1})",  # no number
    "round(num, int!)": "round({0}, CAST({1} AS INT))",  # rounds the decimal text
    "instant(stamp, zone!)": "to_utc_timestamp(CAST({0} AS TIMESTAMP), {1})",  # the first of an hour that comes twice
    "pow(num, num)": "pow({0} + 0D, {1})",  # no number of one and no number
    "isnan(num)": "isnan({0})",  # no of NULL
    "from_epoch(num)": "timestamp_seconds(CASE WHEN abs({0}) < 8e12D THEN {0} END)",  # cuts microseconds
    "array_to_string(texts, short!)": "left(array_join({0}, {1}), 1000)",  # empty of NULLs alone
    "within_m(lon, lat, lon, lat, num)": "TRUE",
}


@pytest.fixture(scope="module")
def spark() -> Iterator[SparkSession]:
    started = session()
    yield started
    started.stop()


def _wrong(given: list[ExpressionResults]) -> list[tuple[str, str, object]]:
    return [(each.case.row, each.case.shown, each.raised or each.different[:3]) for each in given if each.wrong]


def test_every_expression_of_the_list_is_duckdbs_on_spark(spark: SparkSession) -> None:
    given = list(of_conformance(spark))
    assert _wrong(given) == []
    assert len(given) >= 600


def test_every_form_of_spark_gives_duckdbs_value(spark: SparkSession) -> None:
    given = list(of_forms(spark))
    assert _wrong(given) == []
    assert {each.case.row for each in given} == {form.row_name for form in ALL if not isinstance(form.spark, NoForm)}


@pytest.mark.parametrize("key", WRONG)
def test_a_wrong_form_is_caught(key: str, spark: SparkSession, monkeypatch: pytest.MonkeyPatch) -> None:
    (form,) = (each for each in ALL if f"{each.name}({', '.join(each.argument_kinds)})" == key)
    assert not _wrong(list(of_forms(spark, [form])))
    monkeypatch.setitem(OVERLOADS, form.row_name, replace(form, spark=WRONG[key]))
    assert _wrong(list(of_forms(spark, [form])))
