"""A target error in two worlds: acceptance and price depend on text, catalog and the client's holdings alone.

Both worlds are given the same ledger, with the same stored release: whatever a price may know, it knows then of both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from engine import Refused, Session
from engine.mechanism.release import Release
from engine.pipeline.target_budget import StoredAnswers
from engine.pricing.compile_release import CompiledRelease
from tests.support.neighbours.two_worlds import (
    ANSWERED,
    BY_HOUR,
    CLIENT,
    COUNT,
    check_attack,
    open_worlds,
    with_empty_ledger,
)

CHEAP, SHARE = "0.02", "1%"
SUM = "SELECT SUM(dwell_s) AS s FROM events"  # finer than a count: one person more is another price


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Session]]:
    with open_worlds(tmp_path_factory.mktemp("worlds")) as opened:
        yield opened


@pytest.mark.parametrize("attack", [COUNT, BY_HOUR], ids=["count", "by hour"])
@pytest.mark.parametrize(("target", "outcome"), [("2000", ANSWERED), ("1", "E_BUDGET"), ("20%", "E_PARAM")])
def test_meeting_or_refusing_a_target_is_independent_of_the_data(
    attack: Any, target: str, outcome: str, worlds: dict[str, Session]
) -> None:
    check_attack(replace(attack, outcome=outcome), worlds, target_error=target)


@pytest.mark.parametrize(
    "target", ["nan", "NaN%", "Infinity", "-1", "0", "0%", "101%", "1e400", "5e-324", "0x1", "", "%", "5 %", True, b"5"]
)
def test_an_invalid_target_is_refused(target: Any, worlds: dict[str, Session]) -> None:
    check_attack(replace(COUNT, outcome="E_PARAM"), worlds, ("D",), target_error=target)


def test_a_price_and_a_target_are_one_too_many(worlds: dict[str, Session]) -> None:
    check_attack(replace(COUNT, outcome="E_PARAM"), worlds, ("D",), target_error="50", rho="0.01")


def prices(worlds: dict[str, Session], plant: Callable[[], None] = lambda: None) -> dict[str, Any]:
    """Price of a share of one stored answer in each world."""
    with with_empty_ledger(worlds["D"]) as own:
        own.query(SUM, client=CLIENT, rho=CHEAP)
        shared = own.engine.ledger
        plant()
        sessions = {
            world: replace(session, engine=replace(session.engine, ledger=shared)) for world, session in worlds.items()
        }
        return {world: _price(session) for world, session in sessions.items()}


def _price(session: Session) -> Any:
    try:
        return session.explain(SUM, client=CLIENT, target_error=SHARE)["price"]
    except Refused as refused:
        return refused.problem


def test_a_relative_target_is_priced_by_the_stored_release(worlds: dict[str, Session]) -> None:
    found = prices(worlds)
    assert found["D"]["rho"] > 0, found
    assert all(price == found["D"] for price in found.values())


_held_at = StoredAnswers._stored_at


def exact_numbers(of: StoredAnswers, price: int) -> tuple[tuple[CompiledRelease, ...], tuple[Release, ...]]:
    """Read the data where stored answers ought to be looked up."""
    paid, _ = _held_at(of, price)
    made = []
    for each in paid:
        exact = of.backend.run(each.sql)
        grains = tuple(bound.grain_size for bound in each.bounds.vectors)
        scales = tuple(cost.sigma for cost in each.cost.vectors)
        made.append(Release(exact.keys, exact.vectors, grains, scales))  # type: ignore[arg-type]
    return paid, tuple(made)


def test_a_share_of_exact_numbers_is_found(worlds: dict[str, Session], monkeypatch: pytest.MonkeyPatch) -> None:
    found = prices(worlds, lambda: monkeypatch.setattr(StoredAnswers, "_stored_at", exact_numbers))
    assert "rho" in found["D"], found
    assert len({str(price) for price in found.values()}) > 1, found
