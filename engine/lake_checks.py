"""What privacy rests on in a lake's tables, held against them when data are opened: types, keys, complete lists.

The same as `engine.snapshot` asks of files (`proofs.md#backends`); here Spark is asked, and no value comes out.
"""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from dialect.catalog import Catalog, ColumnOf, SqlType, Table
from dialect.engine_name import EngineName
from dialect.handed import LISTED, place
from dialect.private_plan import Target
from dialect.spark_stored import own_person, same_bits
from dialect.stored_column import stored_column
from dialect.write_expr import name
from engine.backends.over_lake import LakeBackend
from engine.complete_lists import rows_outside
from engine.declared_dates import CURE, WHY, rests_on_date, rows_on_other_dates
from engine.errors import DataError, ExecutionFailed

_WHOLE = ("tinyint", "smallint", "int", "bigint", "decimal(20,0)")
# declared type -> stored ones that hold none but its values
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
    """Refuse a lake that is not what the catalog says; raises DataError."""
    targets = {target for table in catalog.tables if table.person for _, target in table.person.through}
    for table in (table for table in catalog.tables if table.private):
        try:
            _check_rows(table, backend)
            _check_types(table, backend.lake.types(table_place(table)))
            of_person = table.person is not None and table.primary_key == (table.person.column,)
            if table.primary_key and (of_person or table.name in targets):
                _check_unique(table, backend)
            _check_complete(table, backend)
            if rests_on_date(table, catalog):
                _check_dates(table, backend)
        except ExecutionFailed:
            why = "the lake does not answer, or the table is not there."
            raise DataError(table.name, why, "start Spark Connect at the catalog's remote, or correct source") from None


def table_place(table: Table) -> str:
    """Name the place of a lake's table in SQL."""
    return f"table_{table.name}"


def lake_target(catalog: Catalog, addresses: Mapping[str, str]) -> Target:
    """Say where tables lie: public ones by their addresses in DuckDB, people's in the lake."""
    of_people = {table.name: place(table_place(table)) for table in catalog.tables if table.private}
    return Target(dict(addresses), lake=Target(of_people, EngineName.SPARK, same_bits=same_bits(catalog)))


def persons_of_bits(catalog: Catalog) -> Mapping[str, str]:
    """Say which column of which place a lake reads as the BIGINT of the same bits."""
    datasets = same_bits(catalog)
    own = {table_place(t): own_person(t) for t in catalog.tables if t.private and t.dataset in datasets}
    return {place: column for place, column in own.items() if column is not None}


def _check_rows(table: Table, backend: LakeBackend) -> None:
    """Refuse rows that are made when they are read, by a view of the lake's catalog.

    Claim: a table's rows are those that are stored, each time they are read. Symbols: what Spark's catalog says that it
    is. Formula: none. Source: proofs.md#stored-rows. Raises DataError.
    """
    if not backend.lake.is_stored(table_place(table)):
        why = "it is a view, and its rows may depend on other people's."
        raise DataError(table.name, why, "store its rows: CREATE TABLE ... AS SELECT * FROM the view, and name that")


def _check_types(table: Table, stored: Mapping[str, str]) -> None:
    for column in table.columns:
        kind = stored.get(column.name)
        if kind is None:
            raise DataError(
                table.name, f"there is no column {column.name}.", "correct the catalog, or the lake's table"
            )
        decimal = column.type is SqlType.DOUBLE and kind.startswith("decimal")
        if kind not in _FITS.get(column.type, ()) and not decimal:
            why = f"{column.name} is stored as {kind} and declared as {column.stored_type}."
            raise DataError(table.name, why, "declare the stored type, or store the declared one")


def _check_unique(table: Table, backend: LakeBackend) -> None:
    columns = [column for column in table.columns if column.name in table.primary_key]
    read = [stored_column(column, table, EngineName.SPARK) for column in columns]
    keys, nulls = ", ".join(read), " OR ".join(f"{text} IS NULL" for text in read)
    rows = place(table_place(table))
    twice = f"SELECT 1 AS one FROM {rows} GROUP BY {keys} HAVING count(*) > 1 LIMIT 1"
    missing = f"SELECT 1 AS one FROM {rows} WHERE {nulls} LIMIT 1"
    if any(_any(backend, text) for text in (missing, twice)):
        why = f"its primary key ({', '.join(table.primary_key)}) is not unique or has NULLs."
        raise DataError(table.name, why, "keep one row per key, or drop primary_key")


def _check_complete(table: Table, backend: LakeBackend) -> None:
    for column in (column for column in table.columns if column.complete):
        addresses, rows = {table.name: place(table_place(table))}, {}
        if isinstance(column.domain, ColumnOf):
            addresses[column.domain.table] = place(LISTED)
            listed = backend.target.addresses[column.domain.table]
            rows[LISTED] = backend.public(f"SELECT {name(column.domain.column)} FROM {listed}")
        if _any(backend, rows_outside(table, column, addresses, EngineName.SPARK), rows):
            why = f"{column.name} is declared to be complete, and a row holds something that is not in its list."
            raise DataError(table.name, why, "correct the list or the rows, or remove complete = true")


def _check_dates(table: Table, backend: LakeBackend) -> None:
    if _any(backend, rows_on_other_dates(table, place(table_place(table)), EngineName.SPARK)):
        raise DataError(table.name, WHY.format(table.time_column), CURE)


def _any(backend: LakeBackend, text: str, rows: Mapping[str, pa.Table] | None = None) -> bool:
    return bool(backend.lake.gather(text, rows or {}).num_rows)
