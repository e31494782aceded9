"""Eligibility predicate: which persons may be read, joined to per-person rows (`proofs.md#admission`).

Terms, which are also names of CTEs:

    eligible    persons of whom every eligibility condition is true (consent, age, country); objections not considered
    objectors   persons who have objected (opted out)
    admitted    eligible persons without an objection: those who are read; not written where there are no conditions

NULL, infinities and implausible values count as unknown, so that a condition on them is not true. `admission` is the
Eligibility of the dataset; None where everybody is read.
"""

from __future__ import annotations

from dataclasses import replace

from dialect.algebra.codegen_types import BoundedSql, Subquery, Target
from dialect.algebra.expressions import Literal
from dialect.catalog.eligibility import (
    OPT_OUT_TABLE,
    CountryCondition,
    Eligibility,
    EligibilityCondition,
    InRange,
    IsIn,
)
from dialect.catalog.model import SqlType, Table
from dialect.codegen.engines.dialects import DUCKDB_DIALECT, ENGINE_DIALECTS, EngineDialect
from dialect.codegen.stored_columns import stored_column

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
    objectors = _objectors_of(admission, target)
    if target.lake is not None:  # DuckDB stores persons as the lake reads them: the same SQL as for a broadcast
        objectors = objectors_to_broadcast(admission, dataset in target.lake.same_bits_datasets)[OPT_OUT_TABLE]
    if admission.table is None:
        return [("opted_out_persons", False, objectors)]
    admitted = f"SELECT a.person FROM {ELIGIBLE_CTE} AS a ANTI JOIN ({objectors}) AS o USING (person)"
    return [
        (ELIGIBLE_CTE, False, eligible_persons_sql(admission, target)),
        ("admitted_persons", False, admitted),
    ]


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


def _objectors_of(admission: Eligibility, target: Target) -> str:
    """Select the objectors: from broadcast rows, or from the stored table."""
    if ENGINE_DIALECTS[target.engine].reads_broadcast_objectors:
        return f"SELECT person FROM {{{OPT_OUT_TABLE}}}"
    return _objectors_as(admission.person_type)


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
