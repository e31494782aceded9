"""Eligibility in the grey box: rows that must not be read have no more effect than deleted rows, under every rule.

Every world exists twice. `read_<world>` has all rows, and the engine filters by the catalog's rules. In `kept_<world>`
the same rows are deleted by an independent implementation, and the engine has no rules. Keys and exact integers must be
equal.

    people      the drawn states of every person, also of persons without a row
    objected    persons who objected, unknown ones included
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import pyarrow as pa
from hypothesis import strategies as st

from dialect import Question, Target, compile_query
from dialect.catalog.model import NO_ELIGIBILITY_RULES, Catalog, Table
from dialect.postprocess import reads_single_groups
from engine.backends.exact import NO_OBJECTIONS
from engine.catalog.file import load_catalog
from engine.errors import ExecutionFailed
from engine.pricing.compile_release import CompiledRelease, compile_release
from tests.support.greybox.greybox import RHO, InMemory, UnexpectedChange, groups
from tests.support.greybox.greybox_data import PRIVATE, PUBLIC, VICTIM, WORLDS, Database, declared_as
from tests.support.greybox.greybox_questions import databases
from tests.support.sql.passes import passes

LAST = dt.date(2026, 10, 3)  # that the catalog declares
LAWS = ("'DE'", "' de '", "'De'", "'FR'", "'fr'", "'AT'", "'Germany'", "'DEU'", "''", "NULL")
BIRTHDAYS = ("1990-01-02", "2008-10-01", "2008-10-02", "2008-09-30", "2020-01-01", "infinity", "-infinity", None)
YEARS = (1990, 2007, 2008, 2009, -5, 9999, None)
AGES = (34, 18, 17, 0, -1, 200, None)
BANDS = ("18-64", "65+", "0-17", "", None)
PERSONS = (VICTIM, 1, 2, 3)
STRANGERS = (77, -1, 10**18)


@dataclass(frozen=True)
class States:
    """What a person's row states, apart from consent."""

    law: str = "'FR'"  # SQL
    born: str | None = "1990-01-02"
    year: int | None = 1990
    age: int | None = 34
    band: str | None = "18-64"


@dataclass(frozen=True)
class Rules:
    """Eligibility rules of the catalog, in its own text."""

    law: str | None = None
    minors: str | None = None
    days: int | None = None  # of retention


LAW_RULES = ("", ', denied = ["FR"]', ', admitted = ["FR", "AT"]', ', legal_basis = { DE = "made up" }')
MINOR_RULES = (
    'birth_date = "born"',
    'birth_date = "born", minimum = 16, on = "2026-09-30"',
    'birth_year = "year"',
    'age = "years"',
    'age_band = "band", admitted = ["18-64", "65+"]',
)
RULES = st.builds(
    Rules,
    law=st.sampled_from((None, None, None, *LAW_RULES)),
    minors=st.sampled_from((None, None, None, *MINOR_RULES)),
    days=st.sampled_from((None, None, None, 1, 2, 3)),
)
STATES = st.builds(
    States,
    law=st.sampled_from((*("'FR'", "'AT'") * 4, *LAWS)),
    born=st.sampled_from((*("1990-01-02",) * 6, *BIRTHDAYS)),
    year=st.sampled_from((*(1990,) * 6, *YEARS)),
    age=st.sampled_from((*(34,) * 6, *AGES)),
    band=st.sampled_from((*("18-64",) * 4, *BANDS)),
)


@dataclass(frozen=True)
class EligibilityCase:
    """A database, the states of its persons, the catalog's rules, and who objected."""

    database: Database
    states: tuple[States, ...]  # in the order of PERSONS
    rules: Rules
    objected: frozenset[int]


def eligibility_cases() -> st.SearchStrategy[EligibilityCase]:
    """Draw persons of all kinds under all rules, the victim included."""
    objecting = st.frozensets(st.sampled_from((*PERSONS, *STRANGERS)), max_size=3)
    return st.builds(EligibilityCase, databases(), st.tuples(*[STATES] * len(PERSONS)), RULES, objecting)


@cache
def catalog_of(rules: Rules) -> Catalog:
    """Load the grey box's catalog with the columns of states and with some rules."""
    text = Path(__file__).with_name("greybox.toml").read_text(encoding="utf-8")
    columns = 'law = { type = "VARCHAR" }\nborn_on = { type = "DATE" }\nyear = { type = "BIGINT" }\n'
    columns = columns.replace("born_on", "birthday") + 'years = { type = "BIGINT" }\nband = { type = "VARCHAR" }\n'
    text = text.replace('consent = { type = "BOOLEAN" }\n', f'consent = {{ type = "BOOLEAN" }}\n{columns}')
    text = text.replace('size_class = "1e4"', 'size_class = "1e4"\ntime_column = "ts"')
    text = text.replace('window = "forever"\n', f'window = "forever"\n[datasets.d.admission]\n{_written(rules)}\n')
    with TemporaryDirectory() as folder:
        file = Path(folder) / "catalog.toml"
        file.write_text(text, encoding="utf-8")
        return load_catalog(file)


def _written(rules: Rules) -> str:
    law = "" if rules.law is None else f'jurisdiction = {{ column = "law"{rules.law} }}\n'
    minors = "" if rules.minors is None else f"minors = {{ {rules.minors} }}\n".replace('"born"', '"birthday"')
    return law + minors + ("" if rules.days is None else f"retention = {{ days = {rules.days} }}\n")


def without_rules(catalog: Catalog) -> Catalog:
    """Remove every eligibility rule from a catalog."""

    def bare(table: Table) -> Table:
        return replace(table, consent=None, retained_from=None)

    datasets = tuple(replace(dataset, eligibility=NO_ELIGIBILITY_RULES) for dataset in catalog.datasets)
    return replace(catalog, datasets=datasets, tables=tuple(map(bare, catalog.tables)))


def make_eligibility_worlds(connection: duckdb.DuckDBPyConnection, one: EligibilityCase) -> None:
    """Create both forms of the four worlds, on top of existing worlds."""
    rows = ", ".join(_person(person, states) for person, states in zip(PERSONS, one.states, strict=True))
    connection.execute(f"""
        CREATE OR REPLACE TABLE memory.main.known AS SELECT * FROM
            (VALUES {rows}) AS k(subscriber_id, law, birthday, year, years, band);
    """)
    for world in WORLDS:
        _views(connection, one, world)


def _person(person: int, states: States) -> str:
    def value(of: object, kind: str) -> str:
        return f"CAST({'NULL' if of is None else repr(of)} AS {kind})"

    return (
        f"({person}::BIGINT, CAST({states.law} AS VARCHAR), {value(states.born, 'DATE')}, {value(states.year, 'BIGINT')},"
        f" {value(states.age, 'BIGINT')}, {value(states.band, 'VARCHAR')})"
    )


def _views(connection: duckdb.DuckDBPyConnection, one: EligibilityCase, world: str) -> None:
    for form in ("read", "kept"):
        connection.execute(f"DROP SCHEMA IF EXISTS {form}_{world} CASCADE; CREATE SCHEMA {form}_{world}")
        connection.execute("".join(f"CREATE VIEW {form}_{world}.{t} AS FROM {world}.{t};" for t in PUBLIC))
    people = (
        f"(SELECT s.*, k.* EXCLUDE (subscriber_id) FROM {world}.subscribers s LEFT JOIN known k USING (subscriber_id))"
    )
    states = connection.execute(f"SELECT subscriber_id, consent FROM {world}.subscribers").fetchall()
    consent = dict(states)
    gone = [p for p in {*consent, *PERSONS} if not is_admitted(p, one, consent)]
    listed = ", ".join(map(str, gone)) or "NULL"
    every = "TRUE" if not gone else f"coalesce(subscriber_id NOT IN ({listed}), TRUE)"
    first = (
        "TRUE" if one.rules.days is None else f"ts >= TIMESTAMP '{LAST - dt.timedelta(one.rules.days - 1)} 00:00:00'"
    )
    visit = f"visit_id NOT IN (SELECT visit_id FROM {world}.visits WHERE visit_id IS NOT NULL AND NOT ({every}))"
    conditions = {"events": f"{every} AND {first}", "subscribers": every, "visits": every, "marks": visit}
    for table in PRIVATE:
        rows = people if table == "subscribers" else f"{world}.{table}"
        connection.execute(f"CREATE VIEW read_{world}.{table} AS FROM {rows} AS t;")
        connection.execute(f"CREATE TABLE kept_{world}.{table} AS FROM {rows} AS t WHERE {conditions[table]};")


def is_admitted(person: int, one: EligibilityCase, consent: dict[int, bool | None]) -> bool:
    """Return whether a person's rows may be read, independently of the engine."""
    states, rules = dict(zip(PERSONS, one.states, strict=True)).get(person, States()), one.rules
    if person in one.objected:
        return False
    asks = one.database.declared.consent or rules.law is not None or rules.minors is not None
    if asks and person not in consent:
        return False
    if one.database.declared.consent and consent[person] is not True:
        return False
    return _lawful(states.law, rules.law) and _of_age(states, rules)


def _lawful(law: str, rule: str | None) -> bool:
    code = law.strip("'").strip().upper()
    if rule is None:
        return True
    if law == "NULL" or not re.fullmatch("[A-Z][A-Z]", code):
        return False
    if "admitted" in rule:
        return code in ("FR", "AT")
    return code not in {"DE"} - ({"DE"} if "legal_basis" in rule else set()) and not (code == "FR" and "denied" in rule)


def _of_age(states: States, rules: Rules) -> bool:
    rule = rules.minors
    if rule is None:
        return True
    if "age_band" in rule:
        return states.band in ("18-64", "65+")
    if "years" in rule:
        return states.age is not None and 18 <= states.age <= 130
    on = dt.date(2026, 9, 30) if "on =" in rule else dt.date(2026, 10, 1)
    if rules.days is not None and "on =" not in rule:
        on = LAST - dt.timedelta(rules.days - 1)
    if "birth_year" in rule:
        return states.year is not None and states.year >= 1850 and states.year + 18 < on.year
    if states.born is None or "infinity" in states.born:
        return False
    born, years = dt.date.fromisoformat(states.born), 16 if "minimum" in rule else 18
    return (born.year + years, born.month, born.day) <= (on.year, on.month, on.day)


def check_eligibility(connection: duckdb.DuckDBPyConnection, one: EligibilityCase, sql: str) -> int:
    """Compare filtered worlds with those whose rows are deleted; returns the number of nonempty comparisons."""
    ruled = declared_as(catalog_of(one.rules), one.database.declared)
    objected = pa.table({"person": pa.array([str(person) for person in sorted(one.objected)], pa.string())})
    unruled = without_rules(ruled)
    query, unruled_query = compile_query(sql, ruled), compile_query(sql, unruled)
    some = 0
    for world in WORLDS:
        filtered = exact_of(connection, ruled, f"read_{world}", query, objected)
        deleted = exact_of(connection, unruled, f"kept_{world}", unruled_query, NO_OBJECTIONS)
        if filtered != deleted:
            raise UnexpectedChange(f"who is not admitted is not as good as deleted in {world}: {sql}")
        some += any(any(numbers) for found in filtered for numbers in found.values())
    return some


def exact_of(
    connection: duckdb.DuckDBPyConnection, catalog: Catalog, world: str, question: Question, objected: pa.Table
) -> list[dict[tuple[str, ...], tuple[int, ...]]]:
    """Keys and exact integers of every release of a query."""
    target = Target({table.name: f"{world}.{table.name}" for table in catalog.tables})
    backend = InMemory(target, connection, [table.name for table in catalog.tables if table.private])
    is_by_group = reads_single_groups(question)
    prepared: list[CompiledRelease] = [
        compile_release(plan, catalog, backend, RHO, reads_single_groups=is_by_group) for plan in question.plans
    ]
    try:
        return [groups(exact) for each in prepared for _, exact in passes(each, backend, objected)]
    except ExecutionFailed:
        raise UnexpectedChange(f"some row makes the engine raise: {question.sql}") from None
