"""Eligibility predicate: the persons who may be read, joined to whatever has one person a row (`proofs.md#admission`).

Every condition is true of a row or it is not admitted: NULL, infinities and what is no plausible value are unknown.
"""

from __future__ import annotations

from dialect.algebra.expressions import Literal
from dialect.algebra.target import BoundedSql, Subquery, Target
from dialect.catalog.admission import OBJECTED, Admission, Among, Between, Country, State
from dialect.catalog.model import EngineName, SqlType, Table
from dialect.codegen.engine_syntax import OF_DUCKDB, Words, words
from dialect.codegen.stored_columns import stored_column

ELIGIBLE = "eligible"  # the subquery that bounded SQL begins with, where any state is asked for
TEXT = "VARCHAR"
UNSIGNED = ("UBIGINT", "HUGEINT")  # integers that 64 bits with a sign do not hold
A, Z = ord("A"), ord("Z")
_OF_BITS = "CASE WHEN person > 9223372036854775807 THEN CAST(person AS HUGEINT) - 18446744073709551616 ELSE person END"


def admission_parts(admission: Admission | None, target: Target, dataset: str) -> list[Subquery]:
    """Write the subqueries that bounded SQL begins with: who meets every state and has not objected, or who has."""
    if admission is None:
        return []
    objectors = _objectors(admission, target)
    if target.lake is not None:  # persons lie here as the lake gave them
        objectors = objections(admission, dataset in target.lake.same_bits)[OBJECTED]
    if admission.table is None:
        return [("objectors", False, objectors)]
    return [(ELIGIBLE, False, eligible(admission, target)), ("admitted", False, _admitted(objectors))]


def are_known(admission: Admission | None, target: Target) -> bool:
    """Tell whether who meets every state of a lake's people is stored beside it."""
    asked = "" if target.lake is None else eligible(admission, target.lake)
    return not asked or asked in target.eligible


def eligible(admission: Admission | None, target: Target) -> str:
    """List the persons who meet every state: a function of the stored rows, whoever objects; "" where none is asked."""
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
    """Let bounded SQL read who meets every state from a table of them, which was made by its own subquery."""
    begins = _begins(bounded.eligible)
    if not bounded.eligible or not bounded.text.startswith(begins):
        return bounded.text
    return _begins(f"SELECT person FROM {kept}") + bounded.text.removeprefix(begins)


def _begins(text: str) -> str:
    return f"WITH {ELIGIBLE} AS ({text}),"


def of_admitted(rows: str, admission: Admission | None, said: Words = OF_DUCKDB) -> str:
    """Leave out of rows with a column `person` those of persons who are not admitted."""
    if admission is None:
        return rows
    among = "ANTI JOIN objectors" if admission.table is None else f"{said.looked_up} admitted"
    return f"{rows} {among} USING (person)"


def objections(admission: Admission | None, same_bits: bool = False) -> dict[str, str]:
    """Write who has objected as a lake is handed it: compared with its persons in their own type, by DuckDB's rule.

    `same_bits`: its persons are read as the BIGINT of the same 64 bits.
    """
    if admission is None:
        return {}
    kind = admission.person_type
    number = f"CAST({_OF_BITS} AS BIGINT)" if same_bits else f"TRY_CAST(person AS {_in_lake(kind)})"
    person = "person" if kind == TEXT else number
    # persons are read there with 64 bits, however narrow the declared type
    compared = kind if kind in (TEXT, *UNSIGNED) else "BIGINT"
    return {OBJECTED: f"SELECT {person} AS person FROM ({_in_type(compared)}) AS o WHERE {person} IS NOT NULL"}


def _in_lake(stored: str) -> str:
    """Give the type in which a lake holds persons of an integer type."""
    return "DECIMAL(20, 0)" if stored in UNSIGNED else "BIGINT"


def _objectors(admission: Admission, target: Target) -> str:
    if target.engine is EngineName.SPARK:
        return f"SELECT person FROM {{{OBJECTED}}}"
    return _in_type(admission.person_type)


def _in_type(kind: str) -> str:
    """List who has objected, in the type in which persons are stored; what is none of that type is nobody."""
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
    """Compare a code in capitals; what is no code of two letters is not known to be allowed."""
    code, listed = said.capitals.format(stored), ", ".join(said.emitter.quote(_constant(code)) for code in state.codes)
    letters = (f"ascii({code}) BETWEEN {A} AND {Z}", f"ascii(substr({code}, 2)) BETWEEN {A} AND {Z}")
    known = " AND ".join([f"length({code}) = 2", *letters])  # half of what a regular expression takes
    if not state.codes:
        return known
    return f"{known} AND {code} {'NOT IN' if state.denied else 'IN'} ({listed})"


def _constant(value: str | bool) -> Literal:
    return Literal(value, SqlType.BOOLEAN if isinstance(value, bool) else SqlType.VARCHAR)
