"""Stored column -> a value of its dialect type: what every read of a declared table goes through."""

from __future__ import annotations

from dialect.algebra.expressions import Literal
from dialect.catalog.catalog import Column, SqlType, Table
from dialect.catalog.engine_name import EngineName
from dialect.codegen.spark_stored import own_person, stored_in_spark
from dialect.functions.scalar.functions_time import EARLIEST, LATEST
from dialect.functions.write_expr import name, quote


def stored_column(
    column: Column,
    table: Table | None = None,
    engine: EngineName = EngineName.DUCKDB,
    same_bits: frozenset[str] = frozenset(),
) -> str:
    """Write a stored column as its declared type, whatever it is stored as: UTC as the place's own time.

    An engine leaves a cast out where the type is that already; elsewhere forms for the declared type might raise.
    Spark's unsigned integers are decimals: of a table's own keys they stay it, less the persons of datasets whose
    persons are read as the BIGINT of the same bits.
    """
    if engine is EngineName.SPARK:
        of_bits = table is not None and table.dataset in same_bits and column.name == own_person(table)
        return stored_in_spark(column, table is not None and column.name in _keys(table), of_bits)
    written = name(column.name)
    if column.type is SqlType.DOUBLE:
        return f"CAST({written} AS DOUBLE)"
    if column.type is not SqlType.TIMESTAMP:
        return written
    written = f"TRY_CAST({written} AS TIMESTAMP)"  # dates and seconds reach further than microseconds
    if not column.stored_utc or column.time_zone is None:
        return written
    within = f"{written} BETWEEN TIMESTAMP '{EARLIEST} 00:00:00' AND TIMESTAMP '{LATEST} 00:00:00'"
    zone = quote(Literal(column.time_zone, SqlType.VARCHAR))
    return f"CASE WHEN {within} THEN timezone({zone}, timezone('UTC', {written})) END"


def _keys(table: Table) -> set[str]:
    """Name the columns by which rows find their person: they are compared, and nothing else is done with them."""
    of_person = {table.person.column, *(own for own, _ in table.person.through)} if table.person is not None else set()
    return of_person | set(table.primary_key)
