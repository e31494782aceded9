"""The dialect of each engine, and the order of rows by a hash that is written in it."""

from __future__ import annotations

from collections.abc import Sequence

from dialect.catalog.model import EngineName
from dialect.codegen.engines.duckdb import DUCKDB_DIALECT
from dialect.codegen.engines.engine import EngineDialect
from dialect.codegen.engines.spark import SPARK_DIALECT

__all__ = ["DUCKDB_DIALECT", "ENGINE_DIALECTS", "MAX_SMALL_SUMMAND", "SMALL_SUM", "EngineDialect", "hash_order"]
MAX_SMALL_SUMMAND = 2**28  # the sum of 2^35 numbers up to this one fits 64 bits
SMALL_SUM = "sum({0})"  # SUM of integers up to MAX_SMALL_SUMMAND, in every engine
ENGINE_DIALECTS: dict[EngineName, EngineDialect] = {EngineName.DUCKDB: DUCKDB_DIALECT, EngineName.SPARK: SPARK_DIALECT}


def hash_order(columns: Sequence[str], dialect: EngineDialect = DUCKDB_DIALECT) -> str:
    """Write the ORDER BY terms of a total order of distinct rows: a salted hash, then the columns.

    The columns include the person, so that the order differs from person to person; they also order rows of equal hash.
    """
    return (
        f"{dialect.salted_hash.format(', '.join(columns))},"
        f" {', '.join(column + dialect.nulls_last for column in columns)}"
    )
