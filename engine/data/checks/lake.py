"""Lake checks: types, unique keys and complete lists of a lake's tables, on which privacy rests.

The constraints are those of files (`engine.data.checks.declared`, `engine/backends/proofs.md#backends`); here Spark
evaluates them, and no value comes out.
"""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from dialect.algebra import Rollup, Target
from dialect.catalog import Catalog, ColumnValues, EngineName, SqlType, Table
from dialect.codegen import KEY_SET, placeholder, same_bits_datasets
from dialect.functions import quote_identifier
from engine.backends.lake import LakeBackend
from engine.data.checks.declared import IS_VIEW, constraints, type_mismatch
from engine.errors import DataError, ExecutionFailed

NOTHING: Mapping[str, str] = {}
_INTEGER_TYPES = ("tinyint", "smallint", "int", "bigint", "decimal(20,0)")
# declared type -> compatible stored types
_COMPATIBLE_TYPES: Mapping[SqlType, tuple[str, ...]] = {
    SqlType.BIGINT: _INTEGER_TYPES,
    SqlType.DOUBLE: (*_INTEGER_TYPES, "float", "double"),
    SqlType.VARCHAR: ("string",),
    SqlType.BOOLEAN: ("boolean",),
    SqlType.DATE: ("date",),
    SqlType.TIMESTAMP: ("timestamp_ntz", "date"),
    SqlType.TIMESTAMPTZ: ("timestamp",),
    SqlType.VARCHAR_LIST: ("array<string>",),
    SqlType.BIGINT_LIST: tuple(f"array<{kind}>" for kind in _INTEGER_TYPES),
}


def check_lake(catalog: Catalog, backend: LakeBackend) -> None:
    """Check that the lake's tables are as declared. Raises DataError."""
    for table in (table for table in catalog.tables if table.private):
        try:
            _check_stored(table, backend)
            _check_types(table, backend.lake.stored_types(lake_placeholder(table)))
            backend.lake.detect_person_types(lake_placeholder(table))
            _check_constraints(table, catalog, backend)
        except ExecutionFailed:
            why = "the lake does not answer, or the table is not there."
            raise DataError(table.name, why, "start Spark Connect at the catalog's remote, or correct source") from None


def lake_placeholder(table: Table) -> str:
    """Return the placeholder name of a lake table in SQL."""
    return f"table_{table.name}"


def lake_target(
    catalog: Catalog,
    addresses: Mapping[str, str],
    rollups: tuple[Rollup, ...] = (),
    eligible: Mapping[str, str] = NOTHING,
) -> Target:
    """Return the table addresses for SQL: public tables in DuckDB, private ones in the lake, and stored results."""
    private_addresses = {table.name: placeholder(lake_placeholder(table)) for table in catalog.tables if table.private}
    lake = Target(private_addresses, EngineName.SPARK, same_bits_datasets=same_bits_datasets(catalog))
    return Target(dict(addresses), lake=lake, rollups=rollups, eligible_tables=eligible)


def bit_cast_person_columns(catalog: Catalog) -> Mapping[str, str]:
    """Map each lake table to its person column, where that is read as the BIGINT of the same bits."""
    datasets = same_bits_datasets(catalog)
    own = {lake_placeholder(t): t.own_person_column for t in catalog.tables if t.private and t.dataset in datasets}
    return {place: column for place, column in own.items() if column is not None}


def _check_stored(table: Table, backend: LakeBackend) -> None:
    """Reject views of the lake's catalog, with rows that are computed when they are read.

    Claim: a table's rows are those that are stored, each time they are read. Symbols: the table's kind in Spark's
    catalog. Formula: none. Source: engine/data/proofs.md#stored-rows. Raises DataError.
    """
    if not backend.lake.is_stored_table(lake_placeholder(table)):
        cure = "store its rows: CREATE TABLE ... AS SELECT * FROM the view, and name that"
        raise DataError(table.name, IS_VIEW, cure)


def _check_types(table: Table, stored: Mapping[str, str]) -> None:
    """Check that every declared column exists with a compatible type."""
    for column in table.columns:
        kind = stored.get(column.name)
        if kind is None:
            cure = "correct the catalog, or the lake's table"
            raise DataError(table.name, f"there is no column {column.name}.", cure)
        decimal = column.type is SqlType.DOUBLE and kind.startswith("decimal")
        if kind not in _COMPATIBLE_TYPES.get(column.type, ()) and not decimal:
            raise type_mismatch(table, column, kind)


def _check_constraints(table: Table, catalog: Catalog, backend: LakeBackend) -> None:
    """Check the declared constraints of a table; public value lists are sent with the query."""
    lists = {each.name: placeholder(KEY_SET) for each in catalog.tables if not each.private}
    own = {table.name: placeholder(lake_placeholder(table))}
    for constraint in constraints(table, catalog, lists | own, EngineName.SPARK):
        rows = {} if constraint.public_list is None else {KEY_SET: _list_values(constraint.public_list, backend)}
        if backend.lake.gather(constraint.violation_sql, rows).num_rows:
            raise constraint.error


def _list_values(public: ColumnValues, backend: LakeBackend) -> pa.Table:
    """Return the values of a public column, from DuckDB."""
    return backend.public(f"SELECT {quote_identifier(public.column)} FROM {backend.target.addresses[public.table]}")
