"""Stored columns: the SQL of a declared column in its dialect type, and the retention predicate of a scan.

Every read of a declared table, in DuckDB and in Spark, uses these forms. In Spark, dates and times outside the years 1
to 9999 are NULL, because its calendar ends there and its functions may raise beyond it. In DuckDB, only times that are
converted between zones are limited, from EARLIEST to LATEST.

A same-bits key is an unsigned 64-bit person key that a lake's files hold, or that is read, as the signed BIGINT of the
same 64 bits. Retention: rows from before the first retained day are neither read nor charged.
"""

from __future__ import annotations

from dialect.algebra.expressions import Literal
from dialect.catalog.model import Catalog, Column, EngineName, SqlType, Table
from dialect.codegen.engines.dialects import ENGINE_DIALECTS
from dialect.codegen.engines.engine import UNSIGNED_TYPE

SPARK_UNSIGNED_TYPE = "decimal(20,0)"  # https://spark.apache.org/docs/latest/sql-data-sources-parquet.html
# stored type of an unsigned key -> form of the signed BIGINT with the same bits; NULL where it is no unsigned number
SAME_BITS_FORMS = {
    **dict.fromkeys(("tinyint", "smallint", "int", "bigint"), "CASE WHEN {0} >= 0 THEN CAST({0} AS BIGINT) END"),
    SPARK_UNSIGNED_TYPE: "CAST(CASE WHEN {0} BETWEEN 0 AND 9223372036854775807 THEN {0} WHEN {0} BETWEEN"
    " 9223372036854775808 AND 18446744073709551615 THEN {0} - 18446744073709551616 END AS BIGINT)",
}


def same_bits_datasets(catalog: Catalog) -> frozenset[str]:
    """Return the datasets whose unsigned person keys a lake reads as the signed BIGINT of the same bits.

    Excluded are datasets with a person key of another type, and with person tables whose key other tables refer to:
    those columns would still be read as decimals.

    Claim: two persons of such a dataset are one number if and only if they are one. Symbols: none. Formula: p below
    2^63, else p - 2^64, of p from 0 to 2^64 - 1. Source: proofs.md#same-bits. Raises: nothing.
    """
    person_tables = [table for table in catalog.tables if table.person is not None]
    excluded = {table.dataset for table in person_tables if table.own_person_column and not _is_unsigned(table)}
    tables_by_name = {table.name: table for table in person_tables}
    referenced_tables = [
        tables_by_name[target] for table in person_tables if table.person for _, target in table.person.through
    ]
    excluded |= {
        table.dataset for table in referenced_tables if table.own_person_column in table.primary_key
    }  # columns of other tables refer to persons by this key
    return frozenset({table.dataset for table in person_tables} - excluded)


def _is_unsigned(table: Table) -> bool:
    """Return whether a table's own person key column is stored as an unsigned 64-bit integer."""
    column = table.columns_by_name.get(table.own_person_column or "")
    return column is not None and column.stored_type.upper() == UNSIGNED_TYPE


def stored_column(
    column: Column,
    table: Table | None = None,
    engine: EngineName = EngineName.DUCKDB,
    same_bits_datasets: frozenset[str] = frozenset(),
) -> str:
    """Write a stored column cast to its declared dialect type; UTC times become local times of their place.

    An engine drops a cast to the type that a column already has; without it, forms for the declared type might raise.
    Spark reads unsigned integers as decimals. A table's keys stay decimals, except person keys of `same_bits_datasets`,
    which are read as the signed BIGINT of the same bits.
    """
    is_key = table is not None and column.name in table.person_key_columns
    is_same_bits = table is not None and table.dataset in same_bits_datasets and column.name == table.own_person_column
    return ENGINE_DIALECTS[engine].stored_column(column, is_key, is_same_bits)


def retention_predicates(table: Table, engine: EngineName = EngineName.DUCKDB) -> list[str]:
    """Write the retention predicate of a table, on its local time; empty if rows are retained forever.

    Proof: `dialect/catalog/proofs.md#retention`.

    A row without a time is not retained. The first retained day is a public fact of the catalog.
    """
    if table.retained_from is None or table.time_column is None:
        return []
    return [
        (
            f"{stored_time(table, engine)} >="
            f" {ENGINE_DIALECTS[engine].emitter.quote(Literal(table.retained_from, SqlType.DATE))}"
        )
    ]


def stored_time(table: Table, engine: EngineName = EngineName.DUCKDB) -> str:
    """Write the time column of a stored row as local time in its zone, as queries read it."""
    column = table.columns_by_name.get(table.time_column or "")
    assert column is not None  # noqa: S101  callers check the time column
    stored = stored_column(column, table, engine)
    if column.type is not SqlType.TIMESTAMPTZ:
        return stored
    zone = ENGINE_DIALECTS[engine].emitter.quote(Literal(column.time_zone, SqlType.VARCHAR))
    return ENGINE_DIALECTS[engine].local_timestamp.format(stored, zone)
