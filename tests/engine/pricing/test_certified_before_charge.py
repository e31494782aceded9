"""The built mechanism's own map is compared with the price before the ledger is charged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from functools import partial
from typing import Any

import pytest

from dialect import compile_query
from engine.mechanism.gaussian import NoiseRefused, gaussian_scale
from engine.pipeline.engine import Engine
from engine.pricing import price
from engine.pricing.query_terms import Request

QUESTIONS = (
    "SELECT zone, COUNT(*) AS n, SUM(minutes) AS s FROM visit GROUP BY zone",
    "SELECT shop, COUNT(*) AS n FROM visit GROUP BY shop",  # private keys
)


def closed_form(sensitivity: int, sigma: float) -> Fraction:
    return Fraction(sensitivity) ** 2 / (2 * Fraction(sigma) ** 2)


@pytest.mark.parametrize("sql", QUESTIONS)
def test_a_release_costs_exactly_what_its_maps_state(engine: Engine, sql: str) -> None:
    (release,) = engine.compile(compile_query(sql, engine.catalog), Request("ann")).releases
    losses = [closed_form(sensitivity, vector.sigma) for sensitivity, vector in release.measurements]
    assert len(losses) == len(release.plan.vectors) + 2 * (release.plan.key_set is None)
    exact = sum(losses, Fraction(0))
    assert exact <= release.privacy_loss <= release.cost.loss.rho  # the map rounds upward
    assert float(release.privacy_loss / exact) == pytest.approx(1, abs=1e-12)
    assert float(release.cost.loss.rho / exact) == pytest.approx(1, abs=1e-6)


def narrow_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    def half(sensitivity: int, share: int) -> float:
        return gaussian_scale(sensitivity, share) / 2

    monkeypatch.setattr(price, "gaussian_scale", half)  # of partition selection
    monkeypatch.setattr(price, "vector_price", partial(price.vector_price, scale=half))


def low_charge(monkeypatch: pytest.MonkeyPatch) -> None:
    request = Engine.charge_request

    def cheaper(self: Engine, *asked: Any) -> Any:
        made = request(self, *asked)
        items = tuple(replace(i, loss=replace(i.loss, pico_rho=i.loss.pico_rho * 99 // 100)) for i in made.releases)
        return replace(made, releases=items)

    monkeypatch.setattr(Engine, "charge_request", cheaper)


@pytest.mark.parametrize("sql", QUESTIONS)
@pytest.mark.parametrize("plant", [narrow_noise, low_charge])
def test_a_price_that_is_too_small_is_refused_before_the_charge(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, sql: str, plant: Callable[[pytest.MonkeyPatch], None]
) -> None:
    before = engine.ledger.entries()
    plant(monkeypatch)
    with pytest.raises(NoiseRefused):
        engine.answer(sql, Request("ann", rho=Fraction("0.0123")))
    assert engine.ledger.entries() == before and not engine.ledger.paid_releases("ann")
