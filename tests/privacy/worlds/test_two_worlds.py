"""Every adversarial case in two worlds: apart from noise, no output distinguishes them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from dialect import compile_query
from engine import Refused, Session
from engine.backends.duckdb import DuckDBBackend, Limits
from engine.data.snapshot import open_snapshot
from engine.pipeline.engine import Engine
from engine.pricing.compile_release import compile_release
from tests.support.neighbours.attack_catalog import attack_catalog
from tests.support.neighbours.attack_neighbours import neighbours, uncovered
from tests.support.neighbours.two_worlds import (
    ANSWERED,
    BY_ZONE,
    COUNT,
    Attack,
    attacks,
    check_attack,
    check_second_client,
    observe,
    open_worlds,
    with_empty_ledger,
)

ATTACKS = attacks()
READ = neighbours()


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Session]]:
    with open_worlds(tmp_path_factory.mktemp("worlds")) as opened:
        yield opened


@pytest.mark.parametrize("attack", ATTACKS, ids=[f"{a.number}: {a.why}" for a in ATTACKS])
def test_only_noise_distinguishes_the_worlds(attack: Attack, worlds: dict[str, Session]) -> None:
    check_attack(attack, worlds)


@pytest.mark.parametrize("attack", READ, ids=[f"{a.number}: {a.sql[:50]}" for a in READ])
def test_only_noise_distinguishes_neighbouring_worlds(attack: Attack, worlds: dict[str, Session]) -> None:
    """The dialect's own list of cases holds for all outputs, too."""
    check_attack(attack, worlds, ("D",))


AMOUNTS = (
    "nan",
    "NaN",
    "Infinity",
    "-1",
    "0",
    "-0.0",
    "1e-300",
    "5e-324",
    "1e400",
    "0x1",
    "",
    "0.1\x00",
    "١",
    0.005,
    True,
)


@pytest.mark.parametrize("rho", AMOUNTS, ids=repr)
def test_125_an_invalid_amount_is_refused(rho: Any, worlds: dict[str, Session]) -> None:
    check_attack(replace(COUNT, outcome="E_PARAM"), worlds, ("D",), rho=rho)


@pytest.mark.parametrize("confidence", [float("nan"), float("inf"), -1.0, 0.0, 1.0, 1e-300, True], ids=repr)
def test_125_an_invalid_confidence_is_refused(confidence: float, worlds: dict[str, Session]) -> None:
    check_attack(replace(COUNT, outcome="E_PARAM"), worlds, ("D",), confidence=confidence)


@pytest.mark.parametrize(
    ("rho", "outcome"), [("0.0001", ANSWERED), ("0.1", ANSWERED), ("0.3", "E_BUDGET"), ("1", "E_BUDGET")]
)
def test_113_price_and_remaining_budget_do_not_depend_on_people(
    rho: str, outcome: str, worlds: dict[str, Session]
) -> None:
    check_attack(replace(COUNT, outcome=outcome), worlds, rho=rho)


def small(session: Session, folder: Path, world: str) -> Session:
    """Open the same data in less memory than any question needs."""
    catalog = attack_catalog(folder, world)
    made = open_snapshot(catalog, folder, lambda stage, part: None)
    backend = DuckDBBackend.open(made.files, made.addresses, folder, Limits(memory="300kB", temporary="0kB"))
    roomy = DuckDBBackend.open(made.files, made.addresses, folder)
    assert roomy.empty and not backend._empty  # questions are bound before they are charged, in memory of their own
    backend._empty.append(roomy._empty.pop())
    roomy.close()
    return Session(Engine(catalog, backend, session.engine.ledger, session.engine.add_noise))


def test_20_running_out_of_memory_keeps_the_charge_and_reveals_nothing(
    tmp_path: Path, worlds: dict[str, Session]
) -> None:
    attack = replace(COUNT, outcome="E_EXEC")
    failing = [small(worlds[world], tmp_path, world) for world in ("D'", "D", "heavy")]
    told = [observe(session, attack) for session in failing]
    for other in told:
        assert other.outcome == "E_EXEC"
        charged = [row["rho"] for row in other.static["ledger"] if row["kind"] == "charged"]
        assert charged == [0.005, 0], "it may be tried again, and is paid for once"
        assert other.static == told[0].static
    for session in failing:
        session.engine.backend.close()


def test_109_another_client_pays_for_the_same_release(worlds: dict[str, Session]) -> None:
    for session in worlds.values():
        check_second_client(session)


def test_115_many_clients_of_one_analyst_share_the_dataset(worlds: dict[str, Session]) -> None:
    told = []
    for session in worlds.values():
        with with_empty_ledger(session) as own:
            for number in range(4):
                own.query(COUNT.sql, client=f"sybil {number}", rho=f"0.04{number}")
            with pytest.raises(Refused) as refused:
                own.query(COUNT.sql, client="sybil 4", rho="0.05")
        told.append(refused.value.problem)
    assert told[0]["code"] == "E_BUDGET_DATASET"
    assert all(problem == told[0] for problem in told)


def test_130_a_request_id_of_one_client_is_for_one_question(worlds: dict[str, Session]) -> None:
    for session in worlds.values():
        with with_empty_ledger(session) as own:
            first = own.query(COUNT.sql, client="ann", request_id="r")
            assert own.query(COUNT.sql, client="ann", request_id="r").column(0) == first.column(0)
            with pytest.raises(Refused, match="E_IDEMPOTENCY"):
                own.query(BY_ZONE.sql, client="ann", request_id="r")
            with pytest.raises(Refused, match="E_IDEMPOTENCY"):
                own.query(COUNT.sql, client="ann", request_id="r", rho="0.02")  # less is in store
            own.query(BY_ZONE.sql, client="bob", request_id="r")
            assert [row["rho"] for row in own.ledger("ann") if row["kind"] == "charged"] == [0.005]


def test_every_number_of_the_list_has_a_case() -> None:
    assert uncovered() == set()


def test_83_one_question_per_zone_is_charged_as_often(worlds: dict[str, Session]) -> None:
    """Zones are not disjoint: one person is in many of them."""
    for session in worlds.values():
        with with_empty_ledger(session) as own:
            for zone in ("C1", "C2", "C3"):
                own.query(f"{COUNT.sql} JOIN cells USING (cell_id) WHERE zone = '{zone}'", client="ann")
            assert sum(row["rho"] for row in own.ledger("ann") if row["kind"] == "charged") == pytest.approx(0.015)


def test_85_three_numbers_are_noised_together_for_one_price(worlds: dict[str, Session]) -> None:
    """The squares of sensitivity over scale add up to the charge: one answer more is noise more."""
    sql = "SELECT COUNT(*), SUM(dwell_s), COUNT(DISTINCT subscriber_id) FROM events"
    engine = worlds["D"].engine
    for question in (sql, COUNT.sql):
        (plan,) = compile_query(question, engine.catalog).plans
        prepared = compile_release(plan, engine.catalog, engine.backend, Fraction(1, 200))
        pairs = zip(prepared.bounds.vectors, prepared.cost.vectors, strict=True)
        spent = sum(Fraction(vector.sensitivity) ** 2 / (2 * Fraction(priced.sigma) ** 2) for vector, priced in pairs)
        assert Fraction(1, 201) < spent <= Fraction(1, 200)
