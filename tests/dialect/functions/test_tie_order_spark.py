"""Tie breakers have the same numbers, and choose the same values, in DuckDB and in Spark.

Part of `make nightly` alone, which installs Spark and needs a Java.
"""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest
from pyspark.sql import SparkSession

from dialect.algebra.expressions import Field
from dialect.catalog.model import SqlType
from dialect.functions.tie_order import DUCKDB_TIE_HASH, SPARK_TIE_HASH, TieOrder
from tests.support.spark.on_spark import session, shared

COLUMNS = {
    "p": SqlType.BIGINT,
    "s": SqlType.VARCHAR,
    "b": SqlType.BOOLEAN,
    "n": SqlType.BIGINT,
    "x": SqlType.DOUBLE,
    "d": SqlType.DATE,
    "t": SqlType.TIMESTAMP,
    "z": SqlType.TIMESTAMPTZ,
}
ROWS = """
    SELECT i AS row_number, CAST(hash(i) % 9223372036854775807 AS BIGINT) * (1 - 2 * (i % 2)) AS p,
        CASE i % 5 WHEN 0 THEN NULL WHEN 1 THEN 'Zürich ' || i WHEN 2 THEN '' ELSE 'person ' || hash(i) END AS s,
        CASE WHEN i % 3 > 0 THEN i % 3 = 1 END AS b,
        CASE i % 4 WHEN 0 THEN i WHEN 1 THEN -i WHEN 2 THEN 9223372036854775807 - i ELSE -9223372036854775808 + i END AS n,
        CAST(CASE i % 9 WHEN 0 THEN 'nan' WHEN 1 THEN 'inf' WHEN 2 THEN '-0.0' WHEN 3 THEN '9e18' WHEN 4 THEN '1e-300'
            WHEN 5 THEN '1e300' ELSE CAST(sin(i) * power(10, i % 19) AS VARCHAR) END AS DOUBLE) AS x,
        DATE '1900-01-01' + CAST(i * 37 AS INTEGER) AS d,
        TIMESTAMP '1900-01-01 00:00:00.000001' + i * INTERVAL 999983 SECOND AS t,
        timezone('UTC', TIMESTAMP '1999-12-31 23:59:59' + i * INTERVAL 7 HOUR) AS z
    FROM range(2000) AS r(i)
"""


@pytest.fixture(scope="module")
def spark() -> Iterator[SparkSession]:
    started = session()
    yield started
    started.stop()


@pytest.mark.parametrize("person", ["p", "s"])
def test_hashes_are_the_same_numbers(person: str, spark: SparkSession) -> None:
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute(f"CREATE TABLE tied AS {ROWS}")
    shared(spark, connection, "tied", COLUMNS)
    given = []
    for tie_hash in (DUCKDB_TIE_HASH, SPARK_TIE_HASH):
        ties = TieOrder(Field(person, None, COLUMNS[person]), tie_hash)
        made = ", ".join(f"CAST({ties.hash_of(name, kind)} AS BIGINT) AS h_{name}" for name, kind in COLUMNS.items())
        text = f"SELECT {made} FROM tied"
        if tie_hash is SPARK_TIE_HASH:
            given.append(sorted(tuple(row) for row in spark.sql(text).collect()))
        else:
            given.append(sorted(connection.execute(text).fetchall()))
    assert given[0] == given[1]
    assert all(len(set(column)) > 1 for column in zip(*given[0], strict=True))
