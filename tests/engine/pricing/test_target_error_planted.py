"""Each property of target errors has a test that finds its planted bug."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from budgets import Ledger, PaidRelease
from dialect import Refusal
from engine.pipeline import target_budget
from engine.pipeline.engine import Engine
from engine.pricing import target_error
from engine.pricing.target_error import AccuracyTarget, WidthLimits
from tests.engine.pricing import test_target_error as target_error_tests

FOUND = (AssertionError, KeyError, Refusal, pytest.fail.Exception)  # KeyError: it reads what it does not hold
_between, _meets, _limits = target_error._bisect, AccuracyTarget.meets_limits, target_error._width_limits


def least(engine: Engine) -> None:
    """Check the least price of a query from both sides."""
    search: Any = target_error_tests.test_one_pico_rho_less_misses_the_target
    search.hypothesis.inner_test(engine, "counts and sums", 7000.0, 0.95)


def shown(engine: Engine) -> None:
    target_error_tests.test_the_answer_meets_the_target_error(engine, "counts and sums", 0.95)


def one_pico_rho_more(plant: pytest.MonkeyPatch) -> None:
    plant.setattr(target_error, "_bisect", lambda low, high, met: _between(low, high, met) + 1)


def one_pico_rho_less(plant: pytest.MonkeyPatch) -> None:
    plant.setattr(target_error, "_bisect", lambda low, high, met: _between(low, high, met) - 1)


def any_column_will_do(plant: pytest.MonkeyPatch) -> None:
    def meets(self: AccuracyTarget, price: int, limits: WidthLimits, *scale: Any) -> bool:
        return any(_meets(self, price, {name: limit}, *scale) for name, limit in limits.items())

    plant.setattr(AccuracyTarget, "meets_limits", meets)


def another_confidence(plant: pytest.MonkeyPatch) -> None:
    def meets(self: AccuracyTarget, price: int, limits: WidthLimits, *scale: Any) -> bool:
        return _meets(replace(self, confidence=0.8), price, limits, *scale)

    plant.setattr(AccuracyTarget, "meets_limits", meets)


def any_release_suffices(plant: pytest.MonkeyPatch) -> None:
    kept = target_error.price_for_target
    plant.setattr(
        target_budget,
        "price_for_target",
        lambda made, prices, *more: prices[-1] if prices else kept(made, prices, *more),
    )


def use_releases_of_others(plant: pytest.MonkeyPatch) -> None:
    kept: Callable[[Ledger, str], tuple[PaidRelease, ...]] = Ledger.paid_releases
    plant.setattr(Ledger, "paid_releases", lambda ledger, client: kept(ledger, "ann"))


def a_share_of_the_largest(plant: pytest.MonkeyPatch) -> None:
    plant.setattr(target_error, "median", max)


def a_share_of_noise(plant: pytest.MonkeyPatch) -> None:
    def limits(
        made: AccuracyTarget, price: int, table: target_error.StoredAnswer, seen: Mapping[str, float]
    ) -> WidthLimits:
        return _limits(made, price, table, seen) or dict.fromkeys(made.data_independent, Fraction(10_000))

    plant.setattr(target_error, "_width_limits", limits)


PLANTED: Mapping[Callable[[pytest.MonkeyPatch], None], Callable[[Engine], None]] = {
    one_pico_rho_more: least,
    one_pico_rho_less: least,
    any_column_will_do: shown,
    another_confidence: shown,
    any_release_suffices: target_error_tests.test_a_relative_target_refers_to_the_stored_release,
    use_releases_of_others: target_error_tests.test_a_share_of_nothing_is_refused,
    a_share_of_the_largest: target_error_tests.test_a_relative_target_refers_to_the_stored_release,
    a_share_of_noise: target_error_tests.test_a_share_of_nothing_is_refused,
}


@pytest.mark.parametrize("bug", PLANTED, ids=lambda bug: bug.__name__.replace("_", " "))
def test_a_planted_bug_is_found(
    engine: Engine, bug: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    bug(monkeypatch)
    with pytest.raises(FOUND):
        PLANTED[bug](engine)


@pytest.mark.parametrize("check", dict.fromkeys(PLANTED.values()))
def test_without_a_bug_nothing_is_found(engine: Engine, check: Callable[[Engine], None]) -> None:
    check(engine)
