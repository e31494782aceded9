"""A price is split so that the shown numbers are as exact as possible: compared with every other split."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np
import pytest

from budgets import PICO
from dialect import read
from engine.pipeline.engine import Engine
from engine.pricing.split import OFF_CENTRE, shares, split
from engine.pricing.terms import Asked
from tests.engine.town import make_town, opened

RHO = Fraction(5, 1000)


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    folder = tmp_path_factory.mktemp("town")
    with opened(make_town(folder), folder) as engine:
        yield engine


def parted(town: Engine, sql: str) -> dict[str, Fraction]:
    question = read(sql, town.catalog)
    ((parts,), (plan,)) = split(question), question.plans
    return {vector.kind.value: Fraction(part, sum(parts)) for vector, part in zip(plan.vectors, parts, strict=True)}


@pytest.mark.parametrize(
    "shown",
    [
        "COUNT(*) AS n, SUM(minutes) AS s",
        "SUM(minutes) / COUNT(*) AS m",
        "COUNT(*) AS n, COUNT(*) AS again, SUM(coins) AS s",
    ],
)
def test_numbers_of_their_own_have_even_shares(town: Engine, shown: str) -> None:
    assert set(parted(town, f"SELECT zone, {shown} FROM visit GROUP BY zone").values()) == {Fraction(1, 2)}


def test_a_mean_is_narrower_than_with_even_shares(town: Engine) -> None:
    own = parted(town, "SELECT AVG(minutes) AS m FROM visit")
    total, count = float(own["centred"]), float(own["valid"])

    def variance(of_total: float) -> float:
        return 1 / of_total + OFF_CENTRE**2 / (1 - of_total)

    tried = np.linspace(0.01, 0.99, 99)
    assert total + count == pytest.approx(1)
    assert variance(total) <= 1.001 * min(map(variance, tried))
    assert variance(total) < 0.92 * variance(0.5)


def test_a_count_beside_its_mean_is_not_starved(town: Engine) -> None:
    own = parted(town, "SELECT COUNT(minutes) AS n, AVG(minutes) AS m FROM visit")
    assert own["valid"] > Fraction(1, 2)
    assert own["centred"] > Fraction(1, 3)


def test_shares_add_up_to_no_more_than_the_price(town: Engine) -> None:
    assert sum(shares((64, 21, 43), 10**9 + 7)) <= 10**9 + 7
    (made,) = town.prepare(read("SELECT AVG(minutes) AS m FROM visit", town.catalog), Asked("ann", RHO))
    assert sum(vector.pico_rho for vector in made.cost.vectors) <= made.cost.loss.pico_rho == RHO * PICO


def test_however_it_is_written_one_question_is_parted_alike(town: Engine) -> None:
    one = parted(town, "SELECT COUNT(*) AS n, AVG(coins) AS m FROM visit")
    assert one == parted(town, "SELECT AVG(coins) + 1 AS k, COUNT(*) AS n FROM visit")
