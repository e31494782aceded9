"""Stored rows: the SQL of declared columns, and the eligibility predicate: which persons may be read.

Eligibility is joined to per-person rows (`proofs.md#admission`). Terms, which are also names of CTEs:

    eligible    persons of whom every eligibility condition is true (consent, age, country); objections not considered
    objectors   persons who have objected (opted out)
    admitted    eligible persons without an objection: those who are read; not written where there are no conditions

NULL, infinities and implausible values count as unknown, so that a condition on them is not true. `admission` is the
Eligibility of the dataset; None where everybody is read.

Every read of a declared table, in DuckDB and in Spark, uses the forms of stored columns. In Spark, dates and times
outside the years 1 to 9999 are NULL, because its calendar ends there and its functions may raise beyond it. In DuckDB,
only times that are converted between zones are limited, from EARLIEST to LATEST.

A same-bits key is an unsigned 64-bit person key that a lake's files hold, or that is read, as the signed BIGINT of the
same 64 bits. Retention: rows from before the first retained day are neither read nor charged.
"""

from __future__ import annotations

from dataclasses import replace

from dialect.algebra.codegen_types import BoundedSql, Subquery, Target
from dialect.algebra.expressions import Literal
from dialect.catalog.model import (
    OPT_OUT_TABLE,
    Catalog,
    Column,
    CountryCondition,
    Eligibility,
    EligibilityCondition,
    EngineName,
    InRange,
    IsIn,
    SqlType,
    Table,
)
from dialect.codegen.engines.dialects import DUCKDB_DIALECT, ENGINE_DIALECTS, EngineDialect
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
    # columns of other tables refer to persons by this key
    excluded |= {table.dataset for table in referenced_tables if table.own_person_column in table.primary_key}
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


ELIGIBLE_CTE = "eligible_persons"  # the first CTE of bounded SQL, where there are eligibility conditions
TEXT = "VARCHAR"
WIDE_INTEGER_TYPES = ("UBIGINT", "HUGEINT")  # integer types beyond signed 64 bits
FIRST_LETTER, LAST_LETTER = ord("A"), ord("Z")
_PERSON_OF_SAME_BITS = (
    "CASE WHEN person > 9223372036854775807 THEN CAST(person AS HUGEINT) - 18446744073709551616 ELSE person END"
)


def eligibility_ctes(admission: Eligibility | None, target: Target, dataset: str) -> list[Subquery]:
    """Write the CTEs that bounded SQL begins with: eligible and admitted persons, or the objectors alone.

    Without eligibility conditions, everybody but the objectors is admitted, so that only these are listed.
    """
    if admission is None:
        return []
    is_broadcast = ENGINE_DIALECTS[target.engine].reads_broadcast_objectors
    objectors = f"SELECT person FROM {{{OPT_OUT_TABLE}}}" if is_broadcast else _objectors_as(admission.person_type)
    if target.lake is not None:  # DuckDB stores persons as the lake reads them: the same SQL as for a broadcast
        objectors = objectors_to_broadcast(admission, dataset in target.lake.same_bits_datasets)[OPT_OUT_TABLE]
    if admission.table is None:
        return [("opted_out_persons", False, objectors)]
    admitted = f"SELECT a.person FROM {ELIGIBLE_CTE} AS a ANTI JOIN ({objectors}) AS o USING (person)"
    return [(ELIGIBLE_CTE, False, eligible_persons_sql(admission, target)), ("admitted_persons", False, admitted)]


def is_eligibility_stored(admission: Eligibility | None, target: Target) -> bool:
    """Return whether DuckDB can read the eligible persons of a lake; true where no lake or no condition needs them.

    A lake's eligible persons are stored in DuckDB by the SQL that selects them (`Target.eligible_tables`).
    """
    eligible_sql = "" if target.lake is None else eligible_persons_sql(admission, target.lake)
    return not eligible_sql or eligible_sql in target.eligible_tables


def eligible_persons_sql(admission: Eligibility | None, target: Target) -> str:
    """Select the persons who meet all eligibility conditions, objections not considered; "" without conditions.

    In DuckDB, a lake's eligible persons are read from the table that stores them.
    """
    if admission is None or admission.table is None:
        return ""
    if target.lake is not None:
        return f"SELECT person FROM {target.eligible_tables[eligible_persons_sql(admission, target.lake)]}"
    table = admission.table
    conditions = " AND ".join(_state_condition(state, table, target) for state in admission.conditions)
    assert table.person is not None  # noqa: S101  the catalog reader finds the table of persons
    person = ENGINE_DIALECTS[target.engine].quote_identifier(table.person.column)
    return f"SELECT {person} AS person FROM {target.addresses[table.name]} WHERE {conditions}"


def read_eligible_from(bounded: BoundedSql, table: str) -> BoundedSql:
    """Rewrite bounded SQL to read the eligible persons from a table that holds the result of its own subquery."""
    own, stored = _eligible_cte(bounded.eligible_sql), _eligible_cte(f"SELECT person FROM {table}")
    shared = {cte: sql.replace(own, stored) for cte, sql in bounded.shared.items()}
    return replace(bounded, text=bounded.text.replace(own, stored), shared=shared)


def _eligible_cte(text: str) -> str:
    """Write the beginning of bounded SQL, up to the comma after the CTE of eligible persons."""
    return f"WITH {ELIGIBLE_CTE} AS ({text}),"


def join_admitted(rows: str, admission: Eligibility | None, dialect: EngineDialect = DUCKDB_DIALECT) -> str:
    """Join rows with a column `person` to the admitted persons; unchanged where everybody is admitted.

    Without eligibility conditions, an anti-join with the objectors. Persons are unique in `admitted_persons`, so that
    no row is multiplied.
    """
    if admission is None:
        return rows
    join = "ANTI JOIN opted_out_persons" if admission.table is None else f"{dialect.lookup_join} admitted_persons"
    return f"{rows} {join} USING (person)"


def objectors_to_broadcast(admission: Eligibility | None, same_bits: bool = False) -> dict[str, str]:
    """Write the objectors to broadcast to a lake, in the type in which the lake reads persons.

    Returns placeholder -> SQL; empty where everybody is admitted. `same_bits`: the lake reads unsigned persons as the
    BIGINT of the same 64 bits.
    """
    if admission is None:
        return {}
    person_type = admission.person_type
    cast_person = (
        f"CAST({_PERSON_OF_SAME_BITS} AS BIGINT)"
        if same_bits
        else f"TRY_CAST(person AS {_lake_person_type(person_type)})"
    )
    person = "person" if person_type == TEXT else cast_person
    # a lake reads integer persons as 64 bits, even if the declared type is narrower
    compared = person_type if person_type in (TEXT, *WIDE_INTEGER_TYPES) else "BIGINT"
    return {
        OPT_OUT_TABLE: f"SELECT {person} AS person FROM ({_objectors_as(compared)}) AS o WHERE {person} IS NOT NULL"
    }


def _lake_person_type(stored_type: str) -> str:
    """Return the Spark type in which a lake reads persons of an integer type."""
    return "DECIMAL(20, 0)" if stored_type in WIDE_INTEGER_TYPES else "BIGINT"


def _objectors_as(person_type: str) -> str:
    """Select the objectors, cast to the stored type of persons; values that do not fit match nobody."""
    person = "person" if person_type == TEXT else f"TRY_CAST(person AS {person_type})"
    return f"SELECT {person} AS person FROM {OPT_OUT_TABLE}"


def _state_condition(state: EligibilityCondition, table: Table, target: Target) -> str:
    """Write one eligibility condition on the stored column; NULL does not satisfy it."""
    column, quote = table.columns_by_name.get(state.column), ENGINE_DIALECTS[target.engine].emitter.quote
    assert column is not None  # noqa: S101  the catalog reader finds it
    stored = stored_column(column, table, target.engine)
    if isinstance(state, IsIn):
        return f"{stored} IN ({', '.join(quote(_literal(value)) for value in state.values)})"
    if isinstance(state, InRange):
        lower, upper = (quote(Literal(end, state.type)) for end in (state.lower, state.upper))
        return f"{stored} BETWEEN {lower} AND {upper}"
    return _country_condition(stored, state, ENGINE_DIALECTS[target.engine])


def _country_condition(stored: str, state: CountryCondition, dialect: EngineDialect) -> str:
    """Write a country condition on uppercase two-letter codes; any other text does not satisfy it.

    Without listed codes, every valid code does.
    """
    code, listed_codes = (
        dialect.uppercase.format(stored),
        ", ".join(dialect.emitter.quote(_literal(code)) for code in state.codes),
    )
    letters = (
        f"ascii({code}) BETWEEN {FIRST_LETTER} AND {LAST_LETTER}",
        f"ascii(substr({code}, 2)) BETWEEN {FIRST_LETTER} AND {LAST_LETTER}",
    )
    is_code = " AND ".join([f"length({code}) = 2", *letters])  # costs half as much as a regular expression
    if not state.codes:
        return is_code
    return f"{is_code} AND {code} {'NOT IN' if state.is_excluded else 'IN'} ({listed_codes})"


def _literal(value: str | bool) -> Literal:
    """Make the literal of a value that a condition lists."""
    return Literal(value, SqlType.BOOLEAN if isinstance(value, bool) else SqlType.VARCHAR)
