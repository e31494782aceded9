"""Who is not admitted is as good as deleted, by generated people, rules and questions; planted bugs are found.

PASSERSBY_NIGHTLY=1 pytest tests/privacy/greybox/test_greybox_eligibility.py    # 20,000 random databases
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib import import_module
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st

from dialect.errors import Refusal
from tests.support.greybox.greybox import UnexpectedChange, connect
from tests.support.greybox.greybox_admission import (
    EligibilityCase,
    Rules,
    States,
    check_eligibility,
    eligibility_cases,
    make_eligibility_worlds,
)
from tests.support.greybox.greybox_data import VICTIM, Database, Declared, Run, Subscriber, make_worlds
from tests.support.greybox.greybox_movement import MOVEMENT
from tests.support.greybox.greybox_questions import CHOSEN, EVENTS, MARKS, OTHERS, questions
from tests.support.greybox.greybox_sets import SETS
from tests.support.greybox.greybox_windows import windowed_questions

EXAMPLES = 20_000 if os.environ.get("PASSERSBY_NIGHTLY") else 25
KINDS = {
    "events": questions(EVENTS),
    "others": st.one_of(questions(OTHERS), questions(MARKS)),
    "private keys": questions(CHOSEN),
    "movement": questions(MOVEMENT),
    "sets": questions(SETS),
    "windows": windowed_questions(),
}
MOVING = tuple(Run(str(person), 9, 5, steps="3") for person in (1, 2, VICTIM))


def moving(database: Database) -> Database:
    """Make people move: few drawn rows make a stay."""
    return replace(database, runs=(*database.runs, *MOVING))


write_admission, prepare, retention, write_rows, render, clipping = (
    import_module(name)
    for name in (
        "dialect.codegen.stored_rows",
        "engine.pricing.compile_release",
        "dialect.codegen.stored_rows",
        "dialect.codegen.relations.relation",
        "dialect.codegen.bounded_sql",
        "dialect.codegen.contribution.clipping",
    )
)


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with connect() as opened:
        yield opened


@pytest.mark.parametrize("kind", KINDS)
def test_ineligible_people_are_as_good_as_deleted(connection: duckdb.DuckDBPyConnection, kind: str) -> None:
    seen: Counter[str] = Counter()

    @settings(
        max_examples=EXAMPLES // len(KINDS) * (2 if kind == "movement" else 1), deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )  # fmt: skip
    @given(eligibility_cases(), KINDS[kind])
    def holds(one: EligibilityCase, sql: str) -> None:
        note(sql)
        one = replace(one, database=moving(one.database)) if kind == "movement" else one
        make_worlds(connection, one.database)
        make_eligibility_worlds(connection, one)
        try:
            seen["somebody"] += check_eligibility(connection, one, sql)
        except Refusal:
            seen["refused"] += 1

    holds()
    assert seen["somebody"], "numbers of nobody are always the same"


ADULT, UNKNOWN = States(), States(law="NULL", born=None, year=None, age=None, band=None)
EVERYBODY = (ADULT,) * 4
EVENTS_OF = tuple(Run(str(person), 3, 2) for person in (VICTIM, 1, 2))
PEOPLE = (Subscriber(VICTIM), Subscriber(1), Subscriber(2, consent="NULL"))
DATABASE = Database(EVENTS_OF, PEOPLE, ((1, "1", 3), (2, str(VICTIM), 2)), Declared(rows=20.0, persons=5.0))
NO_CONSENT = replace(DATABASE, declared=replace(DATABASE.declared, consent=False))
OLD = replace(NO_CONSENT, runs=(*EVENTS_OF, Run("1", 4, ts="TIMESTAMP '2026-09-01 08:00:00'"), Run("1", 1, ts="NULL")))
COUNTED = "SELECT cell_id, COUNT(*), COUNT(DISTINCT subscriber_id) FROM events GROUP BY 1"


def only_where_persons_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: eligibility is checked only if the query reads the person table."""
    write = prepare.generate_sql

    def named(plan: Any, bounds: Any, target: Any, who: Any, *shared: Any) -> Any:
        return write(plan, bounds, target, who if "subscribers" in plan.tables else None, *shared)

    monkeypatch.setattr(prepare, "generate_sql", named)


def unknown_admitted(monkeypatch: pytest.MonkeyPatch) -> None:
    condition = write_admission._state_condition
    monkeypatch.setattr(write_admission, "_state_condition", lambda *given: f"coalesce({condition(*given)}, TRUE)")


def codes_as_they_stand(monkeypatch: pytest.MonkeyPatch) -> None:
    country = write_admission._country_condition
    monkeypatch.setattr(
        write_admission,
        "_country_condition",
        lambda *given: country(*given).replace("upper(trim(", "((").replace("known", ""),
    )


def objections_of_the_admitted_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget objections where the catalog asks for no state."""
    join = write_admission.join_admitted

    def forgetful(rows: str, admission: Any, *said: Any) -> str:
        return rows if admission is None or admission.table is None else join(rows, admission, *said)

    monkeypatch.setattr(render, "join_admitted", forgetful)
    monkeypatch.setattr(clipping, "join_admitted", forgetful)


def units_of_objectors_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget objections in the number of units alone, which correlated noise adds to."""
    count = render._unit_count
    monkeypatch.setattr(
        render, "_unit_count", lambda *given: count(*given).replace("ANTI JOIN opted_out_persons USING (person)", "")
    )


def instead(module: Any, name: str, other: Any) -> Callable[[pytest.MonkeyPatch], None]:
    return lambda monkeypatch: monkeypatch.setattr(module, name, other)


PLANTED: dict[str, tuple[Callable[[pytest.MonkeyPatch], None], EligibilityCase, str]] = {
    "a filter only where persons are named": (
        only_where_persons_are_named, EligibilityCase(DATABASE, EVERYBODY, Rules(), frozenset({1})), COUNTED,
    ),
    "an unknown consent that admits": (unknown_admitted, EligibilityCase(DATABASE, EVERYBODY, Rules(), frozenset()), COUNTED),
    "an unknown law that admits": (
        unknown_admitted, EligibilityCase(NO_CONSENT, (ADULT, UNKNOWN, ADULT, ADULT), Rules(law=""), frozenset()), COUNTED,
    ),
    "an unknown age that admits": (
        unknown_admitted,
        EligibilityCase(NO_CONSENT, (ADULT, UNKNOWN, ADULT, ADULT), Rules(minors='birth_date = "born"'), frozenset()), COUNTED,
    ),
    "a law in other letters": (
        codes_as_they_stand,
        EligibilityCase(NO_CONSENT, (ADULT, States(law="' fr '"), ADULT, ADULT), Rules(law=""), frozenset()), COUNTED,
    ),
    "objections forgotten without states": (
        objections_of_the_admitted_alone, EligibilityCase(NO_CONSENT, EVERYBODY, Rules(), frozenset({VICTIM})), COUNTED,
    ),
    "objectors among the counted units": (
        units_of_objectors_counted, EligibilityCase(NO_CONSENT, EVERYBODY, Rules(), frozenset({VICTIM})), COUNTED,
    ),
    "old rows read": (
        instead(write_rows, "retention_predicates", lambda *_: []), EligibilityCase(OLD, EVERYBODY, Rules(days=3), frozenset()), COUNTED,
    ),
    "old rows read where a person has several": (
        instead(write_rows, "retention_predicates", lambda *_: []), EligibilityCase(OLD, EVERYBODY, Rules(days=3), frozenset()),
        "SELECT COUNT(*) FROM events e JOIN events f ON e.subscriber_id = f.subscriber_id AND f.steps >= e.steps",
    ),
}  # fmt: skip


@pytest.mark.parametrize("title", PLANTED)
def test_a_planted_bug_is_found(
    title: str, connection: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant, one, sql = PLANTED[title]
    make_worlds(connection, one.database)
    make_eligibility_worlds(connection, one)
    assert check_eligibility(connection, one, sql)
    plant(monkeypatch)
    with pytest.raises(UnexpectedChange):
        check_eligibility(connection, one, sql)


BY_SEARCH = {
    "a filter only where persons are named": eligibility_cases(),
    "old rows read": eligibility_cases().filter(lambda one: one.rules.days is not None),
}


@pytest.mark.parametrize("title", BY_SEARCH)
def test_a_planted_bug_is_found_by_the_generated_search(
    title: str, connection: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    PLANTED[title][0](monkeypatch)

    @settings(max_examples=200, phases=[Phase.generate], deadline=None, suppress_health_check=list(HealthCheck))
    @given(BY_SEARCH[title], questions(EVENTS))
    def holds(one: EligibilityCase, sql: str) -> None:
        make_worlds(connection, one.database)
        make_eligibility_worlds(connection, one)
        check_eligibility(connection, one, sql)

    with pytest.raises(UnexpectedChange):
        holds()
