"""Eligibility predicate: which persons may be read, joined to per-person rows (`proofs.md#admission`).

A row is admitted only if every condition is true of its person. NULL, infinities and implausible values count as
unknown, so they are not admitted.
"""

from __future__ import annotations

from dialect.algebra.expressions import Literal
from dialect.algebra.target import BoundedSql, Subquery, Target
from dialect.catalog.admission import OBJECTED, Admission, Among, Between, Country, State
from dialect.catalog.model import EngineName, SqlType, Table
from dialect.codegen.engine_syntax import OF_DUCKDB, Words, words
from dialect.codegen.stored_columns import stored_column

ELIGIBLE = "eligible"  # the first CTE of bounded SQL, where there are eligibility conditions
TEXT = "VARCHAR"
UNSIGNED = ("UBIGINT", "HUGEINT")  # integer types beyond signed 64 bits
A, Z = ord("A"), ord("Z")
_OF_BITS = "CASE WHEN person > 9223372036854775807 THEN CAST(person AS HUGEINT) - 18446744073709551616 ELSE person END"


def admission_parts(admission: Admission | None, target: Target, dataset: str) -> list[Subquery]:
    """Write the CTEs that bounded SQL begins with: eligible and admitted persons, or the objectors alone."""
    if admission is None:
        return []
    objectors = _objectors(admission, target)
    if target.lake is not None:  # DuckDB stores persons as the lake reads them
        objectors = objections(admission, dataset in target.lake.same_bits)[OBJECTED]
    if admission.table is None:
        return [("objectors", False, objectors)]
    return [(ELIGIBLE, False, eligible(admission, target)), ("admitted", False, _admitted(objectors))]


def are_known(admission: Admission | None, target: Target) -> bool:
    """Return whether DuckDB stores the eligible persons of a lake, where eligibility conditions apply."""
    asked = "" if target.lake is None else eligible(admission, target.lake)
    return not asked or asked in target.eligible


def eligible(admission: Admission | None, target: Target) -> str:
    """Select the persons who meet all eligibility conditions, objections not considered; "" without conditions."""
    if admission is None or admission.table is None:
        return ""
    if target.lake is not None:
        return f"SELECT person FROM {target.eligible[eligible(admission, target.lake)]}"
    table = admission.table
    conditions = " AND ".join(_condition(state, table, target) for state in admission.states)
    assert table.person is not None  # noqa: S101  the catalog reader finds the table of persons
    person = words(target).name(table.person.column)
    return f"SELECT {person} AS person FROM {target.addresses[table.name]} WHERE {conditions}"


def over_kept(bounded: BoundedSql, kept: str) -> str:
    """Rewrite bounded SQL to read the eligible persons from a table that holds the result of its own subquery."""
    begins = _begins(bounded.eligible)
    if not bounded.eligible or not bounded.text.startswith(begins):
        return bounded.text
    return _begins(f"SELECT person FROM {kept}") + bounded.text.removeprefix(begins)


def _begins(text: str) -> str:
    return f"WITH {ELIGIBLE} AS ({text}),"


def of_admitted(rows: str, admission: Admission | None, said: Words = OF_DUCKDB) -> str:
    """Join rows with a column `person` to the admitted persons; unchanged where everybody is admitted."""
    if admission is None:
        return rows
    among = "ANTI JOIN objectors" if admission.table is None else f"{said.looked_up} admitted"
    return f"{rows} {among} USING (person)"


def objections(admission: Admission | None, same_bits: bool = False) -> dict[str, str]:
    """Write the objectors to broadcast to a lake, in the type in which the lake reads persons.

    `same_bits`: the lake reads persons as the BIGINT of the same 64 bits.
    """
    if admission is None:
        return {}
    kind = admission.person_type
    number = f"CAST({_OF_BITS} AS BIGINT)" if same_bits else f"TRY_CAST(person AS {_in_lake(kind)})"
    person = "person" if kind == TEXT else number
    # a lake reads integer persons as 64 bits, even if the declared type is narrower
    compared = kind if kind in (TEXT, *UNSIGNED) else "BIGINT"
    return {OBJECTED: f"SELECT {person} AS person FROM ({_in_type(compared)}) AS o WHERE {person} IS NOT NULL"}


def _in_lake(stored: str) -> str:
    """Return the Spark type in which a lake reads persons of an integer type."""
    return "DECIMAL(20, 0)" if stored in UNSIGNED else "BIGINT"


def _objectors(admission: Admission, target: Target) -> str:
    if target.engine is EngineName.SPARK:
        return f"SELECT person FROM {{{OBJECTED}}}"
    return _in_type(admission.person_type)


def _in_type(kind: str) -> str:
    """Select the objectors, cast to the stored type of persons; values that do not fit match nobody."""
    person = "person" if kind == TEXT else f"TRY_CAST(person AS {kind})"
    return f"SELECT {person} AS person FROM {OBJECTED}"


def _admitted(objectors: str) -> str:
    return f"SELECT a.person FROM {ELIGIBLE} AS a ANTI JOIN ({objectors}) AS o USING (person)"


def _condition(state: State, table: Table, target: Target) -> str:
    column, quote = table.column(state.column), words(target).emitter.quote
    assert column is not None  # noqa: S101  the catalog reader finds it
    stored = stored_column(column, table, target.engine)
    if isinstance(state, Among):
        return f"{stored} IN ({', '.join(quote(_constant(value)) for value in state.values)})"
    if isinstance(state, Between):
        lower, upper = (quote(Literal(end, state.type)) for end in (state.lower, state.upper))
        return f"{stored} BETWEEN {lower} AND {upper}"
    return _country(stored, state, words(target))


def _country(stored: str, state: Country, said: Words) -> str:
    """Write a country condition on uppercase two-letter codes; any other text does not satisfy it."""
    code, listed = said.capitals.format(stored), ", ".join(said.emitter.quote(_constant(code)) for code in state.codes)
    letters = (f"ascii({code}) BETWEEN {A} AND {Z}", f"ascii(substr({code}, 2)) BETWEEN {A} AND {Z}")
    known = " AND ".join([f"length({code}) = 2", *letters])  # costs half as much as a regular expression
    if not state.codes:
        return known
    return f"{known} AND {code} {'NOT IN' if state.denied else 'IN'} ({listed})"


def _constant(value: str | bool) -> Literal:
    return Literal(value, SqlType.BOOLEAN if isinstance(value, bool) else SqlType.VARCHAR)
