"""A price is split so that the shown numbers are as exact as possible: compared with every other split."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np
import pytest

from budgets import PICO
from dialect import compile_query
from engine.pipeline.engine import Engine
from engine.pricing.price import ASSUMED_MEAN_OFFSET, split_price, split_prices
from engine.pricing.query_terms import Request
from tests.engine.town import make_town, opened

RHO = Fraction(5, 1000)


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    folder = tmp_path_factory.mktemp("town")
    with opened(make_town(folder), folder) as engine:
        yield engine


def budget_shares(town: Engine, sql: str) -> dict[str, Fraction]:
    question = compile_query(sql, town.catalog)
    ((parts,), (plan,)) = split_prices(question), question.plans
    return {vector.kind.value: Fraction(part, sum(parts)) for vector, part in zip(plan.vectors, parts, strict=True)}


@pytest.mark.parametrize(
    "shown",
    [
        "COUNT(*) AS n, SUM(minutes) AS s",
        "SUM(minutes) / SUM(coins) AS m",
        "COUNT(*) AS n, COUNT(*) AS again, SUM(coins) AS s",
    ],
)
def test_independent_numbers_get_equal_budget_shares(town: Engine, shown: str) -> None:
    assert set(budget_shares(town, f"SELECT zone, {shown} FROM visit GROUP BY zone").values()) == {Fraction(1, 2)}


def test_a_mean_is_narrower_than_with_even_shares(town: Engine) -> None:
    own = budget_shares(town, "SELECT AVG(minutes) AS m FROM visit")
    total, count = float(own["centred"]), float(own["valid"])

    def variance(of_total: float) -> float:
        return 1 / of_total + ASSUMED_MEAN_OFFSET**2 / (1 - of_total)

    tried = np.linspace(0.01, 0.99, 99)
    assert total + count == pytest.approx(1)
    assert variance(total) <= 1.001 * min(map(variance, tried))
    assert variance(total) < 0.92 * variance(0.5)


def test_a_count_selected_with_its_mean_gets_most_of_the_budget(town: Engine) -> None:
    own = budget_shares(town, "SELECT COUNT(minutes) AS n, AVG(minutes) AS m FROM visit")
    assert own["valid"] > Fraction(1, 2)
    assert own["centred"] > Fraction(1, 3)


def test_shares_add_up_to_no_more_than_the_price(town: Engine) -> None:
    assert sum(split_price((64, 21, 43), 10**9 + 7)) <= 10**9 + 7
    (made,) = town.compile(
        compile_query("SELECT AVG(minutes) AS m FROM visit", town.catalog), Request("ann", RHO)
    ).releases
    assert sum(vector.pico_rho for vector in made.cost.vectors) <= made.cost.loss.pico_rho == RHO * PICO


def test_equivalent_queries_split_the_budget_equally(town: Engine) -> None:
    one = budget_shares(town, "SELECT COUNT(*) AS n, AVG(coins) AS m FROM visit")
    assert one == budget_shares(town, "SELECT AVG(coins) + 1 AS k, COUNT(*) AS n FROM visit")
