"""Eligibility with privacy windows: filtered worlds compared with worlds whose ineligible rows are deleted.

Every world of `window_worlds` gets states of its persons. In `kept_<world>` the ineligible rows are deleted by an
independent implementation, and the engine has no rules and no objections, except the first day of retention, which
decides the charged privacy windows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import pyarrow as pa
from hypothesis import strategies as st

from dialect import Catalog, Question, Target, compile_query
from dialect.catalog.model import NO_ELIGIBILITY_RULES
from dialect.catalog.privacy_windows import PrivacyWindow, next_window_start
from dialect.postprocess import reads_single_groups
from engine.backends.exact import NO_OBJECTIONS
from engine.catalog.file import load_catalog
from engine.pricing.compile_release import compile_release
from tests.support.greybox.greybox import RHO, InMemory, ReleaseRun, UnexpectedChange, groups
from tests.support.neighbours.window_questions import data
from tests.support.neighbours.window_worlds import (
    LOCAL,
    PRIVATE,
    VICTIM,
    WINDOW_COUNT,
    Data,
    Worlds,
    begins,
    catalog_text,
)
from tests.support.sql.passes import passes

PERSONS = (VICTIM, 1, 2)
DELETED = ("everybody", "without_0")  # worlds compared with their copies without the rows
_ADULT = 18


@dataclass(frozen=True)
class States:
    """What a person's row states."""

    consent: str | None = "yes"
    law: str | None = "FR"
    age: int | None = 40  # on the first day read, in whole years; one day short if `almost`
    almost: bool = False

    def admit(self, rules: Rules) -> bool:
        """Return whether these states allow reading, independently of the engine."""
        if rules.consent and self.consent != "yes":
            return False
        if rules.law and self.law not in ("FR", "at"):
            return False
        return not rules.minors or (self.age is not None and self.age - self.almost >= _ADULT)


@dataclass(frozen=True)
class Rules:
    """Rules of the catalog; retention as the first kept window, and how many of its days are gone."""

    consent: bool = False
    law: bool = False
    minors: bool = False
    first_retained_window: int | None = None
    days_gone: int = 0

    def first_retained_day(self, window: PrivacyWindow) -> date:
        """First day that is read."""
        starts = begins(window)
        if self.first_retained_window is None:
            return starts[0]
        length = (
            next_window_start(window, starts[self.first_retained_window]) - starts[self.first_retained_window]
        ).days
        return starts[self.first_retained_window] + timedelta(days=min(self.days_gone, length - 1))


@dataclass(frozen=True)
class RuledDatabase:
    """A database, the states of its persons, the catalog's rules, and who objected."""

    data: Data
    rules: Rules = Rules()
    states: tuple[States | None, ...] = (States(),) * len(PERSONS)  # in the order of PERSONS; None: no row
    objected: frozenset[int] = field(default=frozenset())

    def admitted(self, person: int) -> bool:
        """Return whether a person's rows may be read."""
        states = self.states[PERSONS.index(person)]
        has_rules = self.rules.consent or self.rules.law or self.rules.minors
        return person not in self.objected and (not has_rules or (states is not None and states.admit(self.rules)))


_STATES = st.builds(
    States,
    consent=st.sampled_from(("yes", "yes", "yes", "no", None)),
    law=st.sampled_from(("FR", "FR", "at", "DE", "France", None)),
    age=st.sampled_from((40, 40, 18, 17, None)),
    almost=st.booleans(),
)
RULES = st.builds(
    Rules, st.booleans(), st.booleans(), st.booleans(),
    st.sampled_from((None, None, *range(WINDOW_COUNT))), st.sampled_from((0, 0, 1, 5)),
)  # fmt: skip


def ruled() -> st.SearchStrategy[RuledDatabase]:
    """Draw persons of all kinds under all rules, the victim included."""
    objecting = st.frozensets(st.sampled_from((*PERSONS, 99)), max_size=2)
    states = st.tuples(*[st.one_of(_STATES, _STATES, _STATES, st.none())] * len(PERSONS))
    return st.builds(RuledDatabase, data(), RULES, states, objecting)


@cache
def ruled_catalog(window: PrivacyWindow, rules: Rules) -> Catalog:
    """Load the catalog with windows of one length, states and rules."""
    states = (
        'person_id = { type = "BIGINT", nullable = false }\nconsent_state = { type = "VARCHAR", visible = false }\n'
    )
    states += 'law = { type = "VARCHAR", visible = false }\nborn = { type = "DATE", visible = false }\n'
    text = catalog_text(window)
    text = text.replace('person_id = { type = "BIGINT", nullable = false }\n', states)
    consent = '\nconsent = { column = "consent_state", admitted = ["yes"] }' if rules.consent else ""
    text = text.replace('table = "person" }', f'table = "person" }}{consent}')
    text = text.replace("[tables.person]\n", f"[datasets.d.admission]\n{_written(window, rules)}\n[tables.person]\n", 1)
    with TemporaryDirectory() as folder:
        file = Path(folder) / "ruled.toml"
        file.write_text(text)
        return load_catalog(file)


def _written(window: PrivacyWindow, rules: Rules) -> str:
    end = next_window_start(window, begins(window)[-1])
    is_declared = {
        'jurisdiction = { column = "law", admitted = ["FR", "AT"] }\n': rules.law,
        'minors = { birth_date = "born" }\n': rules.minors,
        f"retention = {{ days = {(end - rules.first_retained_day(window)).days} }}\n": rules.first_retained_window
        is not None,
    }
    return "".join(text for text, holds in is_declared.items() if holds)


class RuledWorlds(Worlds):
    """The worlds of one database under rules and objections."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, window: PrivacyWindow, given: RuledDatabase) -> None:
        super().__init__(connection, window, given.data)
        self.given, self.catalog = given, ruled_catalog(window, given.rules)
        for world in self.worlds:
            self._connection.execute(_with_states(world, given, window))
        for world in DELETED:
            self._connection.execute(_eligible_rows(world, given, window))

    def run(self, question: Question, world: str, threads: int = 1) -> tuple[ReleaseRun, ...]:
        """Prepare and run a query in one world, with all objections."""
        objected = pa.table({"person": pa.array(sorted(map(str, self.given.objected)), pa.string())})
        return self._run(question, self.catalog, world, threads, objected)

    def _run(
        self, question: Question, catalog: Catalog, world: str, threads: int, objected: pa.Table
    ) -> tuple[ReleaseRun, ...]:
        target = Target({table.name: f"{world}.{table.name}" for table in catalog.tables})
        backend = InMemory(target, self._connection, PRIVATE)
        self._connection.execute(f"SET threads = {threads}")
        is_by_group = reads_single_groups(question)
        prepared = [
            compile_release(plan, catalog, backend, RHO, reads_single_groups=is_by_group) for plan in question.plans
        ]
        return tuple(
            ReleaseRun(*each)
            for p, plan in zip(prepared, question.plans, strict=True)
            for each in passes(p, backend, objected, self.chosen_keys(plan, self.catalog))
        )

    def check_deleted(self, sql: str) -> bool:
        """Compare a query with the same over deleted rows; returns whether the deleted rows would have mattered."""
        bare = _without_rules(self.catalog)
        question, unruled_query = compile_query(sql, self.catalog), compile_query(sql, bare)
        for world in DELETED:
            filtered = _numbers(self.run(question, world))
            deleted = _numbers(self._run(unruled_query, bare, f"kept_{world}", 2, NO_OBJECTIONS))
            if filtered != deleted:
                raise UnexpectedChange(f"who is not admitted is not as good as deleted in {world}: {sql}")
        return filtered != _numbers(self._run(unruled_query, bare, world, 1, NO_OBJECTIONS))


def _numbers(ran: Sequence[ReleaseRun]) -> list[dict[tuple[str, ...], tuple[int, ...]]]:
    return [groups(each.exact) for each in ran]


def _without_rules(catalog: Catalog) -> Catalog:
    datasets = tuple(replace(dataset, eligibility=NO_ELIGIBILITY_RULES) for dataset in catalog.datasets)
    return replace(catalog, datasets=datasets, tables=tuple(replace(t, consent=None) for t in catalog.tables))


def _with_states(world: str, given: RuledDatabase, window: PrivacyWindow) -> str:
    """SQL that adds states to everybody's row, the same in all worlds."""
    first = given.rules.first_retained_day(window)
    rows = [
        f"({person}, {_text(s.consent)}, {_text(s.law)}, {_born(s, first)})"
        for person, s in zip(PERSONS, given.states, strict=True)
        if s is not None
    ] or ["(NULL, NULL::VARCHAR, NULL::VARCHAR, NULL::DATE)"]
    return f"""
        CREATE OR REPLACE TABLE {world}.person AS SELECT * FROM {world}.person
            JOIN (VALUES {", ".join(rows)}) AS k(person_id, consent_state, law, born) USING (person_id);
    """


def _text(value: str | None) -> str:
    return "NULL::VARCHAR" if value is None else f"'{value}'"


def _born(states: States, first: date) -> str:
    if states.age is None:
        return "NULL::DATE"
    day = first.replace(year=first.year - states.age) + timedelta(days=int(states.almost))
    return f"DATE '{day}'"


def _eligible_rows(world: str, given: RuledDatabase, window: PrivacyWindow) -> str:
    gone = ", ".join(str(person) for person in PERSONS if not given.admitted(person)) or "-1"
    late = f"({{}} >= TIMESTAMP '{given.rules.first_retained_day(window)}') IS TRUE"
    late = late if given.rules.first_retained_window is not None else "TRUE OR {} IS NULL"
    theirs = f"(person_id IN ({gone})) IS NOT TRUE"
    visit = f"visit_id IN (SELECT visit_id FROM kept_{world}.visit)"
    return f"""
        DROP SCHEMA IF EXISTS kept_{world} CASCADE; CREATE SCHEMA kept_{world};
        CREATE TABLE kept_{world}.person AS FROM {world}.person WHERE {theirs};
        CREATE TABLE kept_{world}.visit AS FROM {world}.visit WHERE {theirs} AND ({late.format("began")});
        CREATE TABLE kept_{world}.seen AS FROM {world}.seen WHERE {theirs} AND ({late.format(LOCAL)});
        CREATE TABLE kept_{world}.leg AS FROM {world}.leg WHERE {visit};
        CREATE TABLE kept_{world}.point AS FROM {world}.point WHERE {visit} AND ({late.format("began")});
        CREATE VIEW kept_{world}.place AS FROM {world}.place;
    """
