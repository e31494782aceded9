"""Query terms: the clause overrides the call, the call the catalog; and nobody spends more than requested."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest

from budgets import BudgetRefused, Loss, chargeable, conversion_delta, epsilon_from_rho
from dialect import Code, Refusal, compile_query
from engine.pipeline.engine import Engine
from engine.pipeline.explain import explain
from engine.pricing.query_terms import Request, caps, resolve_terms

CLAUSE = "SELECT WITH DIFFERENTIAL_PRIVACY OPTIONS({}) COUNT(*) AS n FROM visit"
TWO = (
    "SELECT WITH DIFFERENTIAL_PRIVACY OPTIONS({}) v.n / p.n AS share FROM (SELECT COUNT(*) AS n FROM visit) AS v"
    " CROSS JOIN (SELECT COUNT(*) AS n FROM person) AS p"
)
ANN = Request("ann")


def charged(engine: Engine, sql: str, asked: Request = ANN) -> Loss:
    return explain(engine, sql, asked).loss


def test_the_clause_comes_first_then_the_call_then_the_catalog(engine: Engine) -> None:
    asked = replace(ANN, rho=Fraction(1, 50), confidence=0.9)
    question = compile_query(CLAUSE.format("rho = 0.03, confidence = 0.8"), engine.catalog)
    assert (
        resolve_terms(question, asked, engine.catalog).rho,
        resolve_terms(question, asked, engine.catalog).confidence,
    ) == (
        Fraction(3, 100),
        0.8,
    )
    plain = compile_query(CLAUSE.format(""), engine.catalog)
    assert resolve_terms(plain, asked, engine.catalog).rho == Fraction(1, 50)
    assert resolve_terms(plain, asked, engine.catalog).confidence == 0.9
    defaults = engine.catalog.datasets[0].defaults
    assert resolve_terms(plain, ANN, engine.catalog).rho == defaults.rho
    assert resolve_terms(plain, ANN, engine.catalog).confidence == defaults.confidence


@pytest.mark.parametrize("sql", [CLAUSE, TWO])
def test_the_requested_rho_is_that_of_the_whole_query(engine: Engine, sql: str) -> None:
    assert charged(engine, sql.format("rho = 0.03")) == Loss.rounded_up("0.03")
    assert charged(engine, sql.format(""), replace(ANN, rho=Fraction(3, 100))) == Loss.rounded_up("0.03")
    assert charged(engine, sql.format("rho = 0.0300000000001")).rho <= Fraction("0.0300000000001")


@pytest.mark.parametrize("epsilon", ["0.2", "0.5", "1.0"])
@pytest.mark.parametrize("sql", [CLAUSE, TWO])
def test_a_requested_epsilon_is_not_exceeded_and_fully_used(engine: Engine, sql: str, epsilon: str) -> None:
    delta = conversion_delta(caps(engine.catalog.datasets[0].budget).dataset)
    loss = charged(engine, sql.format(f"epsilon = {epsilon}"))
    assert (
        epsilon_from_rho(loss.rho, delta) <= Fraction(epsilon) < epsilon_from_rho(loss.rho + Fraction(3, 10**12), delta)
    )


def test_delta_is_that_of_thresholds(engine: Engine) -> None:
    private = (
        "SELECT WITH DIFFERENTIAL_PRIVACY OPTIONS(delta = 2e-13, keys = 'private') zone, COUNT(*) FROM visit GROUP BY 1"
    )
    assert charged(engine, private).delta == Fraction(2, 10**13)
    assert charged(engine, CLAUSE.format("delta = 2e-13")).delta == 0


@pytest.mark.parametrize("option", ["rho = 0.00009", "epsilon = 0.001"])
def test_too_small_a_rho_is_refused_at_its_span(engine: Engine, option: str) -> None:
    with pytest.raises(Refusal) as caught:
        charged(engine, CLAUSE.format(option))
    span = caught.value.span
    assert caught.value.code is Code.PARAM and span is not None
    assert CLAUSE.format(option)[span.start : span.end] == option


def test_options_that_change_the_numbers_make_another_release(engine: Engine) -> None:
    options = ("", "rho = 0.02", "max_rows_contributed = 2", "max_groups_contributed = 1", "keys = 'private'")
    by_zone = "SELECT WITH DIFFERENTIAL_PRIVACY OPTIONS({}) zone, COUNT(*) AS n FROM visit GROUP BY zone"
    prepared = [engine.compile(compile_query(by_zone.format(each), engine.catalog), ANN).releases for each in options]
    assert len({p.release_key for (p,) in prepared}) == len(options)
    (same,) = engine.compile(compile_query(by_zone.format("confidence = 0.5"), engine.catalog), ANN).releases
    assert same.release_key == prepared[0][0].release_key


def test_a_limited_question_is_answered(engine: Engine) -> None:
    sql = (
        "SELECT WITH DIFFERENTIAL_PRIVACY OPTIONS(rho = 0.02, max_groups_contributed = 1, max_rows_contributed = 9)"
        " zone, COUNT(*) AS n FROM visit GROUP BY zone"
    )
    first, again = engine.answer(sql, ANN), engine.answer(sql, ANN)
    assert first.charged_loss == Loss.rounded_up("0.02") and again.charged_loss == Loss(0, 0)
    assert first.answer.table.equals(again.answer.table)


def test_every_cap_of_the_catalog_reaches_the_ledger(engine: Engine) -> None:
    dataset = engine.catalog.datasets[0]
    plain = caps(dataset.budget)
    assert (plain.reserve, plain.query, plain.lifetime) == (Loss(0, 0), None, None)
    said = {"reserve_rho": Fraction(1, 20), "query_rho": Fraction(1, 50), "lifetime_rho": Fraction(3, 10)}
    capped = caps(replace(dataset.budget, **said))
    assert capped.reserve == Loss.rounded_up("0.05") and (capped.dataset, capped.client) == (
        plain.dataset,
        plain.client,
    )
    assert capped.query == Loss(Loss.rounded_up("0.02").pico_rho, chargeable(plain.dataset).atto_delta)
    assert capped.lifetime is not None and capped.lifetime.rho == Fraction(3, 10)


@pytest.mark.parametrize(
    ("said", "client", "sql", "refused"),
    [
        ({"reserve_rho": Fraction(1, 10)}, ("ann", "ben"), "rho = 0.08", "all clients together"),
        ({"query_rho": Fraction(1, 50)}, ("ann",), "rho = 0.03", "one question of client 'ann'"),
        ({"lifetime_rho": Fraction(1, 50)}, ("ann",), "rho = 0.03", "client 'ann' over all windows"),
    ],
)
def test_every_cap_of_the_catalog_is_enforced(
    engine: Engine, said: dict[str, Fraction], client: tuple[str, ...], sql: str, refused: str
) -> None:
    dataset = engine.catalog.datasets[0]
    capped = replace(dataset, budget=replace(dataset.budget, **said))
    engine = replace(engine, catalog=replace(engine.catalog, datasets=(capped,)))
    for i, other in enumerate(client[:-1]):
        engine.answer(CLAUSE.format(sql) + f" WHERE coins > {i}", Request(other))
    with pytest.raises(BudgetRefused, match=refused):
        engine.answer(CLAUSE.format(sql), Request(client[-1]))
