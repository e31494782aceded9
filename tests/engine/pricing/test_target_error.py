"""A target error buys the least sufficient price, or reuses stored releases; the data never decide."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from budgets import MIN_QUERY_RHO, PICO, BudgetRefused, Loss
from dialect import Code, Refusal, compile_query
from dialect.parser.privacy_clause import TargetError, parse_target_error
from engine.pipeline.engine import Engine
from engine.pipeline.explain import explain
from engine.pricing.compile_release import unpriced_release
from engine.pricing.query_terms import Request
from engine.pricing.target_error import AccuracyTarget, accuracy_target, least_price

ANN = Request("ann")
QUESTIONS = {
    "a count": "SELECT COUNT(*) AS n FROM visit",
    "counts and sums": "SELECT zone, COUNT(*) AS n, SUM(minutes) AS s FROM visit GROUP BY zone",
    "a combination": "SELECT round(2 * n - people, -1) AS d FROM"
    " (SELECT COUNT(*) AS n, COUNT(DISTINCT person_id) AS people FROM visit) AS q",
    "private keys": "SELECT shop, COUNT(DISTINCT person_id) AS n FROM visit GROUP BY shop",
    "two releases": "SELECT v.n - p.n AS d FROM (SELECT COUNT(*) AS n FROM visit) AS v"
    " CROSS JOIN (SELECT COUNT(*) AS n, SUM(1) AS s FROM person) AS p",
}


def aiming(sql: str, options: str) -> str:
    return f"SELECT WITH DIFFERENTIAL_PRIVACY OPTIONS({options}) {sql.removeprefix('SELECT ')}"


def solved_target(engine: Engine, sql: str, confidence: float = 0.95) -> AccuracyTarget:
    question = compile_query(sql, engine.catalog)
    made = tuple(unpriced_release(plan, engine.catalog, engine.backend) for plan in question.plans)
    return accuracy_target(question, made, TargetError(Fraction(1)), confidence)


@pytest.mark.parametrize("name", QUESTIONS)
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.floats(0.6, 5e5), st.sampled_from([0.5, 0.8, 0.95, 0.999]))
def test_one_pico_rho_less_misses_the_target(engine: Engine, name: str, most: float, confidence: float) -> None:
    made = solved_target(engine, QUESTIONS[name], confidence)
    limits = dict.fromkeys(made.data_independent, Fraction(most))
    try:
        price = least_price(made, limits)
    except Refusal as refused:
        assert (refused.code, refused.why) == (Code.PARAM, "Even rho 100,000 does not reach this error.")
        return
    assert made.meets_limits(price, limits)
    least = -(-int(MIN_QUERY_RHO * PICO) // len(made.unpriced))
    assert price == least or (price > least and not made.meets_limits(price - 1, limits))


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_larger_error_never_costs_more(engine: Engine, name: str) -> None:
    made = solved_target(engine, QUESTIONS[name])
    prices = [least_price(made, dict.fromkeys(made.data_independent, Fraction(most))) for most in range(40, 900, 40)]
    assert prices == sorted(prices, reverse=True) and len(set(prices)) > 3


@pytest.mark.parametrize("name", QUESTIONS)
@pytest.mark.parametrize("confidence", [0.8, 0.95])
def test_the_answer_meets_the_target_error(engine: Engine, name: str, confidence: float) -> None:
    sql = aiming(QUESTIONS[name], f"target_error = 7000, confidence = {confidence}")
    foretold = explain(engine, sql, ANN)
    given_ = engine.answer(sql, ANN)
    assert given_.charged_loss == foretold.loss
    for lower, upper in given_.answer.intervals.values():
        assert ((upper - lower) / 2 <= 7000).all()
    again = engine.answer(sql, ANN)
    assert again.charged_loss == Loss(0, 0) and again.answer.table.equals(given_.answer.table)
    assert any(note.text.startswith("target_error 7000: ") and "± " in note.text for note in again.notes)


def test_a_target_equals_a_query_at_the_solved_price(engine: Engine) -> None:
    sql = QUESTIONS["counts and sums"]
    given_ = engine.answer(aiming(sql, "target_error = 9000"), ANN)
    price = replace(ANN, rho=given_.charged_loss.rho)
    assert engine.answer(sql, price).charged_loss == Loss(0, 0)
    less = explain(
        engine, sql, replace(price, client="ben", rho=given_.charged_loss.rho - Fraction(1, PICO))
    ).expected_error
    assert max(value for value in less.values() if value is not None) > 9000


def test_a_stored_release_within_the_target_is_free(engine: Engine) -> None:
    sql = QUESTIONS["a count"]
    bought = engine.answer(sql, replace(ANN, rho=Fraction(1, 20)))
    aimed = aiming(sql, "target_error = 300")
    free = engine.answer(aimed, ANN)
    assert free.charged_loss == Loss(0, 0) and free.answer.table.equals(bought.answer.table)
    assert engine.answer(aimed, Request("ben")).charged_loss.rho > 0  # who has not paid for it buys what was asked for
    assert engine.answer(aiming(sql, "target_error = 100"), replace(ANN, client="cat")).charged_loss.rho > Fraction(
        1, 20
    )


def test_releases_with_other_delta_or_bounds_do_not_meet_a_target(engine: Engine) -> None:
    sql = QUESTIONS["private keys"]
    engine.answer(sql, replace(ANN, rho=Fraction(1, 20)))
    assert engine.answer(aiming(sql, "target_error = 500"), ANN).charged_loss == Loss(0, 0)
    other = explain(engine, aiming(sql, "target_error = 500, delta = 1e-13"), ANN)
    assert other.loss.rho > 0 and other.loss.delta == Fraction(1, 10**13)


def test_columns_whose_width_depends_on_the_answer_are_named(engine: Engine) -> None:
    sql = aiming("SELECT COUNT(*) AS n, AVG(minutes) AS m FROM visit", "target_error = 300")
    told = explain(engine, sql, ANN)
    assert told.expected_error == {"n": 300.0, "m": None}
    assert any(note.text.startswith("m: not bound by target_error") for note in told.notes)


@pytest.mark.parametrize(
    "sql", ["SELECT AVG(minutes) AS m FROM visit", "SELECT MEDIAN(minutes) AS m FROM visit WHERE minutes < 60"]
)
def test_a_target_without_any_known_width_is_refused_at_its_span(engine: Engine, sql: str) -> None:
    for options in ("target_error = 5", "target_error = '5%'"):
        text = aiming(sql, options)
        with pytest.raises(Refusal) as caught:
            engine.answer(text, ANN)
        span = caught.value.span
        assert caught.value.code is Code.PARAM and span is not None and text[span.start : span.end] == options
    assert engine.ledger.entries() == ()


def test_an_unaffordable_target_states_the_error_that_the_rest_would_buy(engine: Engine) -> None:
    sql = aiming(QUESTIONS["a count"], "target_error = 20")
    assert explain(engine, sql, ANN).loss.rho > Fraction(1, 10)  # explained all the same
    with pytest.raises(BudgetRefused) as caught:
        engine.answer(sql, ANN)
    assert caught.value.requested.rho > caught.value.remaining.rho == Fraction(1, 10)
    rest = explain(engine, QUESTIONS["a count"], replace(ANN, rho=Fraction(1, 10))).expected_error["n"]
    assert f"That buys n ± {rest:,.6g} at confidence 0.95." in caught.value.hint
    assert engine.ledger.entries() == ()


def test_a_public_question_needs_no_price(engine: Engine) -> None:
    found = engine.answer(aiming("SELECT COUNT(*) AS n FROM zone", "target_error = 5"), ANN)
    assert found.charged_loss == Loss(0, 0) and found.notes == ()


def test_the_clause_comes_before_the_call(engine: Engine) -> None:
    asked = replace(ANN, target_error=parse_target_error("300"))
    by_call = explain(engine, QUESTIONS["a count"], asked)
    assert by_call.loss == explain(engine, aiming(QUESTIONS["a count"], "target_error = 300"), ANN).loss
    assert explain(engine, aiming(QUESTIONS["a count"], "rho = 0.03"), asked).loss == Loss.rounded_up("0.03")
    two = explain(engine, aiming(QUESTIONS["a count"], "target_error = 400"), asked)
    assert 0 < two.loss.rho < by_call.loss.rho


# ---------------------------------------------------------------- shares of what is held

SHARE = aiming(QUESTIONS["counts and sums"], "target_error = '8%'")


def hold(engine: Engine, rho: str, sql: str = QUESTIONS["counts and sums"]) -> dict[str, float]:
    """Buy an answer, and give the middle of each column."""
    table = engine.answer(sql, replace(ANN, rho=Fraction(rho))).answer.table
    middle: Any = {name: sorted(abs(v) for v in table.column(name).to_pylist()) for name in ("n", "s")}
    return {name: values[len(values) // 2] for name, values in middle.items()}


def test_a_relative_target_refers_to_the_stored_release(engine: Engine) -> None:
    rich = replace(engine, catalog=_with_budget(engine, 2000))
    middle = hold(rich, "1")
    told = explain(rich, SHARE, ANN).expected_error
    assert all(told[name] <= 0.08 * middle[name] for name in middle)  # type: ignore[operator]
    bought = rich.answer(SHARE, ANN)
    assert bought.charged_loss.rho > 0
    for _ in range(2):
        again = rich.answer(SHARE, ANN)
        assert again.charged_loss == Loss(0, 0) and again.answer.table.equals(bought.answer.table)


def test_a_share_of_nothing_is_refused(engine: Engine) -> None:
    rich = replace(engine, catalog=_with_budget(engine, 2000))
    with pytest.raises(Refusal, match="you hold none of this question"):
        rich.answer(SHARE, ANN)
    hold(rich, "0.0001")
    with pytest.raises(Refusal, match="not clear of 0"):
        rich.answer(SHARE, ANN)
    hold(rich, "1")
    assert explain(rich, SHARE, ANN).loss.rho > 0
    with pytest.raises(Refusal, match="you hold none"):
        rich.answer(SHARE, Request("ben"))  # what others hold is not his


def _with_budget(engine: Engine, rho: int) -> Any:
    catalog = engine.catalog
    budget = replace(catalog.datasets[0].budget, rho=Fraction(rho), client_rho=Fraction(rho))
    return replace(catalog, datasets=(replace(catalog.datasets[0], budget=budget),))
