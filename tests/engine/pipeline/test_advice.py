"""Advice: why intervals are wide, what to ask instead; true to what the other question costs and gives, blind to data."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from importlib import import_module
from pathlib import Path

import pytest

from budgets import Loss
from dialect import compile_query
from dialect.parser.privacy_clause import TargetError
from dialect.parser.suggestions.rewrite_suggestions import ChangeKind
from engine.api import session as session_module
from engine.api.session import Session
from engine.pipeline.advice import NO_ADVICE, Advice, find_advice
from engine.pipeline.engine import Engine
from engine.pipeline.explain import explain
from engine.pricing.compile_release import CompiledRelease
from engine.pricing.query_terms import Request
from tests.engine.town import ROWS, make_town, opened
from tests.engine.windowed_town import WINDOWED

module = import_module("engine.pipeline.advice")
ANN = Request("ann")
FINE = "SELECT zone, day, COUNT(*) AS n FROM visit GROUP BY 1, 2"
ASKED = (
    FINE,
    "SELECT zone, COUNT(*) AS n, AVG(minutes) AS m FROM visit WHERE day = DATE '2026-10-02' GROUP BY 1",
    "SELECT WITH DIFFERENTIAL_PRIVACY OPTIONS(rho = 0.01) day, SUM(coins) AS c FROM visit GROUP BY day",
    "SELECT COUNT(*) AS n FROM visit",
)


def advised(engine: Engine, sql: str, asked: Request = ANN) -> Advice:
    question = compile_query(sql, engine.catalog)
    query = engine.compile(question, asked)
    return find_advice(engine, query, query.releases)


@pytest.mark.parametrize("sql", ASKED)
def test_every_proposed_query_has_the_stated_price_and_error(engine: Engine, sql: str) -> None:
    found = advised(engine, sql)
    assert found.reasons and 1 <= len(found.proposals) <= 3
    for each in found.proposals:
        explained = explain(engine, each.sql, ANN)
        assert explained.loss == each.loss and explained.expected_error == each.expected_error
        assert engine.answer(each.sql, replace(ANN, client=str(each.change))).charged_loss == each.loss


def test_proposals_are_of_different_kinds_and_paying_more_comes_last(engine: Engine) -> None:
    changes = [each.change for each in advised(engine, FINE).proposals]
    assert len(set(changes)) == len(changes) == 3 and changes[-1] is ChangeKind.HIGHER_PRICE
    assert {ChangeKind.FEWER_KEYS, ChangeKind.COARSER} & set(changes)


def test_four_times_the_price_is_about_half_the_width(engine: Engine) -> None:
    now, more = explain(engine, FINE, ANN), advised(engine, FINE).proposals[-1]
    assert more.loss == Loss.rounded_up(4 * now.loss.rho)
    assert (more.expected_error["n"] or 0) / (now.expected_error["n"] or 1) == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize(("rho", "proposed"), [("0.05", True), ("0.06", False), ("7", False)])
def test_a_price_beyond_every_cap_is_not_proposed(engine: Engine, rho: str, proposed: bool) -> None:
    found = advised(engine, f"SELECT WITH DIFFERENTIAL_PRIVACY OPTIONS(rho = {rho}) {FINE.removeprefix('SELECT')}")
    assert (ChangeKind.HIGHER_PRICE in [each.change for each in found.proposals]) is proposed
    assert found.reasons and found.proposals


def test_a_price_shared_by_several_numbers_is_described_as_shared(engine: Engine) -> None:
    alone, shared = (" ".join(advised(engine, sql).reasons) for sql in (ASKED[3], ASKED[1]))
    assert "shared by" not in alone and "shared by 3 numbers" in shared


def test_noise_is_compared_with_the_declared_size(engine: Engine) -> None:
    told = " ".join(advised(engine, FINE).reasons)
    assert (
        "There are about 1,000 rows in 28 groups, 35.7 in each: the noise is" in told and "one person may count" in told
    )


def test_of_the_declared_size_a_question_of_few_windows_has_their_share(tmp_path: Path) -> None:
    few = "SELECT zone, COUNT(*) AS n FROM visit WHERE day = DATE '2026-10-02' GROUP BY 1"
    with opened(make_town(tmp_path, declared=WINDOWED), tmp_path) as windowed:
        told = [" ".join(advised(windowed, sql).reasons) for sql in (few, FINE)]
        longer = [
            each.description for each in advised(windowed, few).proposals if each.change is ChangeKind.LONGER_TIME
        ]
    assert longer == ["take all of the declared time, charged to 4 windows"]
    assert "There are about 250 rows in 1 of 4 windows, in 7 groups, 35.7 in each: the noise" in told[0]
    assert "There are about 1,000 rows in 28 groups, 35.7 in each: the noise" in told[1]


def test_the_declared_size_is_not_that_of_what_a_condition_leaves(engine: Engine) -> None:
    few = "SELECT zone, day, COUNT(*) AS n FROM visit WHERE minutes > 55 GROUP BY 1, 2"
    told = " ".join(advised(engine, few).reasons)
    assert "one person may count" in told and "There are about" not in told


def test_a_target_error_query_gets_no_advice(engine: Engine) -> None:
    target = replace(ANN, target_error=TargetError(Fraction(50)))
    assert advised(engine, FINE, target) == NO_ADVICE


BY_PERSON = "(SELECT person_id, COUNT(*) AS n FROM visit GROUP BY 1)"


@pytest.mark.parametrize(
    "sql", [f"SELECT AVG(n) AS a, COUNT(*) AS m FROM {BY_PERSON}", f"SELECT COUNT(*) FROM {BY_PERSON}"]
)
def test_rows_multiplied_by_a_query_are_not_compared_with_the_table_size(engine: Engine, sql: str) -> None:
    assert "There are about" not in " ".join(advised(engine, sql).reasons)


def test_numbers_are_written_as_people_write_them(engine: Engine) -> None:
    assert [module._format_number(x) for x in (2.23607, 5.0, 7.0710678, 50, 1838.4, 5000.0, 1e6, 3073228427206)] == [
        "2.24", "5", "7.07", "50", "1,838", "5,000", "1,000,000", "3,070,000,000,000",
    ]  # fmt: skip
    told = " ".join(advised(engine, FINE, replace(ANN, rho=Fraction(1, 10_000))).reasons)
    assert "takes noise of 1,414." in told and "the noise is 39.6 times that" in told


HELD = "SELECT WITH DIFFERENTIAL_PRIVACY OPTIONS(rho = {}) zone, COUNT(*) AS n{} FROM visit GROUP BY zone"
RATIO = ", AVG(minutes) AS m"


@pytest.mark.parametrize("more", ["", RATIO])
def test_advice_on_a_stored_release_reports_its_noise_and_suggests_no_purchase(engine: Engine, more: str) -> None:
    session = Session(engine)
    session.query(HELD.format("0.05", more), client="ann")
    held = session.explain(HELD.format("0.005", more), client="ann")
    assert held["replayed"]
    assert "made of what is held, its noise is" in held["advice"]["why"][0] and "rho" not in held["advice"]["why"][0]
    assert [each for each in held["advice"]["instead"] if each["change"] == "more"] == []
    anew = session.explain(HELD.format("0.005", more), client="ben")
    assert "at rho 0.005" in anew["advice"]["why"][0] and not anew["replayed"]


# ------------------------------------------------------------------ two worlds


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """Open another world under the same catalog: a tenth of the visits, by others, elsewhere."""
    rows = ROWS.replace("range(1, 3001)", "range(1, 301)").replace("i * i % 7", "i % 2")
    catalog = make_town(tmp_path_factory.mktemp("other"), rows)
    with opened(catalog, tmp_path_factory.mktemp("cache")) as engine:
        yield engine


def differing(engine: Engine, other: Engine) -> list[str]:
    return [sql for sql in ASKED if advised(engine, sql) != advised(other, sql)]


def test_two_worlds_get_the_same_advice(engine: Engine, other: Engine) -> None:
    assert differing(engine, other) == []


def test_an_advisor_that_counts_rows_is_found(engine: Engine, other: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    def counted(engine: Engine, each: CompiledRelease, sigma: float, bins: int) -> Iterator[str]:
        visits = engine.backend.target.addresses["visit"]
        yield f"{engine.backend.count(f'SELECT * FROM {visits}') / sigma:.3g}"

    monkeypatch.setattr(module, "_compare_with_rows", counted)
    assert differing(engine, other) != []


# ------------------------------------------------------------------ where it is shown


def card(engine: Engine, sql: str) -> dict:
    return json.loads(Session(engine).query(sql, client="ann").schema.metadata[b"passersby"])


def test_an_answer_with_weak_numbers_has_advice(engine: Engine) -> None:
    weak = card(engine, FINE)  # about a hundred visits a group, under a noise of two hundred
    assert {"poor", "noise"} & set(weak["reliability"]["n"])
    assert weak["advice"] == Session(engine).explain(FINE, client="ann")["advice"]
    assert [set(each) for each in weak["advice"]["instead"]] == [
        {"change", "told", "sql", "price", "expected_error", "groups", "relative_width"}
    ] * len(weak["advice"]["instead"])


def test_a_good_answer_has_no_advice(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_module, "find_advice", lambda *_: pytest.fail("nobody needs it"))
    rich = "SELECT WITH DIFFERENTIAL_PRIVACY OPTIONS(rho = 0.09) COUNT(DISTINCT person_id) AS n FROM visit"
    assert card(engine, rich)["advice"] is None


def test_explain_privacy_lists_it(engine: Engine) -> None:
    rows = Session(engine).query(f"EXPLAIN PRIVACY {FINE}", client="ann").to_pylist()
    told = [(row["name"], row["told"]) for row in rows if row["part"] == "advice"]
    assert {name for name, _ in told} == {"why", "instead"}
    assert all(compile_query(sql, engine.catalog) for name, sql in told if name == "instead")


def test_a_question_without_groups_is_explained_all_the_same(engine: Engine) -> None:
    none = FINE.replace("GROUP BY", "WHERE zone = 'z0' AND zone = 'z1' GROUP BY")
    assert all(
        each.relative_error_ratio is None
        for each in advised(engine, none).proposals
        if each.change is not ChangeKind.HIGHER_PRICE
    )
    assert explain(engine, none, ANN).prepared[0].key_count == 0
