"""Lake checks: types, unique keys and complete lists of a lake's tables, on which privacy rests.

The constraints are those of files (`engine.data.checks.declared`, `engine/backends/proofs.md#backends`); here Spark
evaluates them, and no value comes out.
"""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from dialect.algebra import Rollup, Target
from dialect.catalog import Catalog, ColumnOf, EngineName, SqlType, Table
from dialect.codegen import LISTED, own_person, place, same_bits
from dialect.functions import name
from engine.backends.lake import LakeBackend
from engine.data.checks.declared import IS_VIEW, stored_otherwise, unfit_rows
from engine.errors import DataError, ExecutionFailed

NOTHING: Mapping[str, str] = {}
_WHOLE = ("tinyint", "smallint", "int", "bigint", "decimal(20,0)")
# declared type -> compatible stored types
_FITS: Mapping[SqlType, tuple[str, ...]] = {
    SqlType.BIGINT: _WHOLE,
    SqlType.DOUBLE: (*_WHOLE, "float", "double"),
    SqlType.VARCHAR: ("string",),
    SqlType.BOOLEAN: ("boolean",),
    SqlType.DATE: ("date",),
    SqlType.TIMESTAMP: ("timestamp_ntz", "date"),
    SqlType.TIMESTAMPTZ: ("timestamp",),
    SqlType.VARCHAR_LIST: ("array<string>",),
    SqlType.BIGINT_LIST: tuple(f"array<{kind}>" for kind in _WHOLE),
}


def check_lake(catalog: Catalog, backend: LakeBackend) -> None:
    """Check that the lake's tables are as declared. Raises DataError."""
    for table in (table for table in catalog.tables if table.private):
        try:
            _check_rows(table, backend)
            _check_types(table, backend.lake.types(table_place(table)))
            backend.lake.try_persons(table_place(table))
            _check_fit(table, catalog, backend)
        except ExecutionFailed:
            why = "the lake does not answer, or the table is not there."
            raise DataError(table.name, why, "start Spark Connect at the catalog's remote, or correct source") from None


def table_place(table: Table) -> str:
    """Return the placeholder name of a lake table in SQL."""
    return f"table_{table.name}"


def lake_target(
    catalog: Catalog,
    addresses: Mapping[str, str],
    rollups: tuple[Rollup, ...] = (),
    eligible: Mapping[str, str] = NOTHING,
) -> Target:
    """Return the table addresses for SQL: public tables in DuckDB, private ones in the lake, and stored results."""
    of_people = {table.name: place(table_place(table)) for table in catalog.tables if table.private}
    lake = Target(of_people, EngineName.SPARK, same_bits=same_bits(catalog))
    return Target(dict(addresses), lake=lake, rollups=rollups, eligible=eligible)


def persons_of_bits(catalog: Catalog) -> Mapping[str, str]:
    """Map each lake table to its person column, where that is read as the BIGINT of the same bits."""
    datasets = same_bits(catalog)
    own = {table_place(t): own_person(t) for t in catalog.tables if t.private and t.dataset in datasets}
    return {place: column for place, column in own.items() if column is not None}


def _check_rows(table: Table, backend: LakeBackend) -> None:
    """Reject views of the lake's catalog, with rows that are computed when they are read.

    Claim: a table's rows are those that are stored, each time they are read. Symbols: the table's kind in Spark's
    catalog. Formula: none. Source: engine/data/proofs.md#stored-rows. Raises DataError.
    """
    if not backend.lake.is_stored(table_place(table)):
        raise DataError(
            table.name, IS_VIEW, "store its rows: CREATE TABLE ... AS SELECT * FROM the view, and name that"
        )


def _check_types(table: Table, stored: Mapping[str, str]) -> None:
    """Check that every declared column exists with a compatible type."""
    for column in table.columns:
        kind = stored.get(column.name)
        if kind is None:
            raise DataError(
                table.name, f"there is no column {column.name}.", "correct the catalog, or the lake's table"
            )
        decimal = column.type is SqlType.DOUBLE and kind.startswith("decimal")
        if kind not in _FITS.get(column.type, ()) and not decimal:
            raise stored_otherwise(table, column, kind)


def _check_fit(table: Table, catalog: Catalog, backend: LakeBackend) -> None:
    """Check the declared constraints of a table; public value lists are sent with the query."""
    lists = {each.name: place(LISTED) for each in catalog.tables if not each.private}
    own = {table.name: place(table_place(table))}
    for unfit in unfit_rows(table, catalog, lists | own, EngineName.SPARK):
        rows = {} if unfit.public is None else {LISTED: _listed(unfit.public, backend)}
        if backend.lake.gather(unfit.sql, rows).num_rows:
            raise unfit.error


def _listed(public: ColumnOf, backend: LakeBackend) -> pa.Table:
    """Return the values of a public column, from DuckDB."""
    return backend.public(f"SELECT {name(public.column)} FROM {backend.target.addresses[public.table]}")
