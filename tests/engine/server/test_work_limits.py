"""The limit on one person's work: usual queries are within it, and refused ones get a suggestion everywhere."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialect import Refusal
from dialect.analysis.work_bounds import Work
from engine import Refused, Session, open_session
from engine.pricing.query_terms import Request
from engine.pricing.work_limits import check_steps
from engine.server.settings import Settings
from engine.server.worker import pacing
from engine.server.worker.pacing import PacedEngine, ResponsePacing
from tests.engine.town import CATALOG, make_town, opened
from tests.support.sql.analysts import questions
from tests.support.sql.sql_cases import sql_cases
from tests.support.timed_worlds import REFUSED, timed_worlds
from tests.support.without_norms import without_norms

LARGEST = ("sightings inside a visit", "events within a walk of a place")  # among the shipped questions
ASKED = [case.sql for file in ("exact_operator", "exact_analysts") for case in sql_cases(file)]


@pytest.fixture(scope="module")
def operator() -> Iterator[Session]:
    with open_session("operator", ledger=":memory:") as session:
        yield replace(session, engine=PacedEngine.of(session.engine, ResponsePacing()))


def accepted(session: Session, sql: str) -> bool:
    """Is a query within the limit? One refused for another reason is."""
    try:
        session.engine.compile(session.engine.read(sql, "ann"), Request("ann"))
    except Refusal as refusal:
        return "plain rows" not in refusal.why
    return True


def test_usual_analyst_queries_are_within_the_limit(operator: Session) -> None:
    largest = [case.sql for case in sql_cases("exact_operator") if case.title in LARGEST]
    assert len(largest) == len(LARGEST)
    asked = [*questions().values(), *largest, *ASKED[::9]]
    assert [sql for sql in asked if not accepted(operator, sql)] == []
    assert Settings().unit_rows == ResponsePacing().unit_rows


def test_the_suggestion_is_within_the_limit(tmp_path: Path) -> None:
    with timed_worlds(tmp_path) as worlds:
        session = replace(worlds["D'"], engine=PacedEngine.of(worlds["D'"].engine, ResponsePacing()))
        anew = REFUSED["a search that begins anew"]
        for ask in (session.query, session.explain):
            with pytest.raises(Refused) as refused:
                ask(anew, client="ann")
            assert refused.value.problem["code"] == "E_COMPLEX"
            assert "left(x, 20)" in refused.value.problem["hint"]
        assert not session.ledger()
        assert accepted(session, anew.replace("regexp_replace(home_zone", "regexp_replace(left(home_zone, 20)"))
        with pytest.raises(Refused) as refused:
            session.query(REFUSED["joins"], client="ann")
        assert "aggregate per person before joining" in refused.value.problem["hint"]
        each = "SELECT subscriber_id, MAX(dwell_s) AS d FROM events WHERE lon BETWEEN 24.7 AND 24.8 GROUP BY 1"
        assert accepted(session, f"SELECT COUNT(*) FROM ({each}) CROSS JOIN range(5000) a(x) CROSS JOIN range(9) b(y)")


def test_total_work_is_limited_except_for_large_tables() -> None:
    check_steps([Work(9e8, 10.0, 0.0, 9e8)], 2e6, 1e8)
    with pytest.raises(Refusal, match="All rows together"):
        check_steps([Work(9e8, 10.0, 0.0, 1e4)], 2e6, 1e8)
    with pytest.raises(Refusal, match="one person"):
        check_steps([Work(10.0, 3e6, 0.0, 10.0)], 2e6, 1e8)


steps = st.floats(0, 1e9)


@given(steps, steps, steps, steps)
def test_a_pacing_bucket_covers_and_grows_with_the_cost_bound(
    all_: float, unit: float, more: float, longer: float
) -> None:
    def made(work: Work) -> Any:
        return SimpleNamespace(
            key_count=1, unpriced_release=SimpleNamespace(work=work), plan=SimpleNamespace(vectors=()), profile=None
        )

    pace = ResponsePacing()
    works = Work(all_, unit), Work(all_ + more, unit + longer)
    small, large = (pace.bucket_seconds((made(work),)) for work in works)
    assert small >= (all_ + unit) / pace.rows_per_second
    assert large >= small


MANY = ", ".join(f"VAR_POP(minutes) FILTER (WHERE minutes < {i} + 0.5) AS a{i}" for i in range(48))


SLOPES = ", ".join(f"REGR_SLOPE(minutes, coins) FILTER (WHERE minutes < {i} + 0.5) AS a{i}" for i in range(36))


def check_profiled_bucket(folder: Path) -> None:
    """The bucket of a question with many profiled numbers holds the processor time that it takes over few rows."""
    catalog = make_town(folder, declared=without_norms(CATALOG))
    with opened(catalog, folder) as engine:
        begun = time.process_time()
        answered = engine.answer(f"SELECT zone, {MANY} FROM visit GROUP BY zone", Request("ann", rho=Fraction(1, 20)))
        taken = time.process_time() - begun
    assert taken < ResponsePacing().bucket_seconds(answered.query.releases)


def check_bucket_under_norms(folder: Path) -> None:
    """The bucket of a question with many numbers under declared norms holds the time of their statement."""
    with opened(make_town(folder), folder) as engine:
        question = engine.read(f"SELECT zone, {SLOPES} FROM visit GROUP BY zone", "ann")
        (release,) = engine.compile(question, Request("ann", rho=Fraction(1, 20))).releases
        begun = time.process_time()
        engine.measure_release(release)
        taken = time.process_time() - begun
    assert release.profile is None and taken < ResponsePacing().bucket_seconds((release,))


def test_a_bucket_holds_what_many_profiled_numbers_take(tmp_path: Path) -> None:
    check_profiled_bucket(tmp_path)


def test_a_planted_bucket_of_rows_alone_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pacing, "PROFILED_VECTOR_SECONDS", 0.0)
    with pytest.raises(AssertionError):
        check_profiled_bucket(tmp_path)


def test_a_bucket_holds_what_many_numbers_under_norms_take(tmp_path: Path) -> None:
    check_bucket_under_norms(tmp_path)


def test_a_planted_bucket_without_planning_under_norms_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pacing, "PLANNED_VECTOR_SECONDS", 0.0)
    with pytest.raises(AssertionError):
        check_bucket_under_norms(tmp_path)
