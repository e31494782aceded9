"""Which groups may appear: at most a million public ones, and private ones that reach the threshold."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dialect import Catalog, PrivatePlan, Refusal, compile_query
from dialect.analysis import Work
from dialect.planner.keys.key_set import MAX_KEYS
from engine.backends.exact import Int64Vector
from engine.catalog.file import load_catalog
from engine.mechanism.gaussian import NoisyVector
from engine.pipeline.engine import Engine
from engine.pricing import work_limits
from engine.pricing.compile_release import compile_release
from engine.pricing.noisy_release import is_promising, passes_both_rounds, passes_threshold
from engine.pricing.query_terms import Request
from engine.pricing.work_limits import check_key_count
from tests.engine.town import CATALOG, ROWS, make_town, opened

BY_SHOP = "SELECT shop, COUNT(*) AS n FROM visit GROUP BY shop"
WIDE = """
format = 1
name = "wide"
[datasets.wide]
window = "forever"
[tables.walk]
dataset = "wide"
kind = "private"
source = { csv = "walk.csv" }
person = "person_id"
size_class = "1e1"
norms = { rows = 9, persons = 3 }
[tables.walk.columns]
person_id = { type = "BIGINT" }
steps = { type = "BIGINT", range = [1, 1000], nullable = false }
stairs = { type = "BIGINT", range = [1, 1000], nullable = false }
coins = { type = "BIGINT", range = [1, 1001], nullable = false }
"""


def plan_of(sql: str, catalog: Catalog) -> PrivatePlan:
    (plan,) = compile_query(sql, catalog).plans
    return plan


def test_a_key_is_released_from_the_threshold_on(engine: Engine) -> None:
    (made,) = engine.compile(compile_query(BY_SHOP, engine.catalog), Request("ann")).releases
    limit = made.cost.threshold
    assert limit is not None
    persons = np.array([limit - 1, limit, limit + 1, 0, -limit], dtype=np.int64)
    assert passes_threshold(persons, made.cost).tolist() == [False, True, True, False, False]


def test_keys_below_the_threshold_leave_no_trace(engine: Engine) -> None:
    """Noise of one's choice: the first and the last key just reach the threshold, the one between just does not."""
    (made,) = engine.compile(compile_query(BY_SHOP, engine.catalog), Request("ann")).releases
    limit, second = made.cost.threshold, made.cost.second
    assert limit is not None and second is not None
    last = second.threshold
    rounds = list[int]()

    def noise(exact: np.ndarray, *_: object) -> np.ndarray:
        rounds.append(exact.size)
        if len(rounds) == 2:  # the second round, over the key that the first one left open
            return np.array([last - 2 * (limit - 1) - 1], dtype=np.int64) // 3
        return np.array([limit, limit - 1, limit], dtype=np.int64)[: exact.size]

    answered = replace(engine, add_noise=noise).answer(BY_SHOP, Request("ann"))
    (release,) = answered.releases
    assert answered.answer.table.column("shop").to_pylist() == ["shop 0", "shop 2"]
    assert release.keys.num_rows == 2 and rounds[:2] == [3, 1]
    assert all(vector.size == 2 for vector in release.noisy)


@pytest.mark.parametrize("missing", [0, 1])
def test_a_key_is_released_from_the_threshold_of_both_rounds_on(engine: Engine, missing: int) -> None:
    (made,) = engine.compile(compile_query(BY_SHOP, engine.catalog), Request("ann")).releases
    assert made.cost.second is not None and made.cost.threshold is not None
    first = np.array([made.cost.threshold - 1], dtype=np.int64)
    second = -(-(made.cost.second.threshold - 2 * first) // 3) - missing
    assert passes_both_rounds(first, np.array([True]), second, made.cost).tolist() == [not missing]


def test_keys_without_hope_and_released_ones_are_not_in_the_second_round(engine: Engine) -> None:
    (made,) = engine.compile(compile_query(BY_SHOP, engine.catalog), Request("ann")).releases
    assert made.cost.second is not None and made.cost.threshold is not None and made.cost.keys is not None
    hopeless = made.cost.second.threshold / 5 - 2 * made.cost.keys.sigma
    weights = np.array([math.floor(hopeless), math.ceil(hopeless), made.cost.threshold - 1, made.cost.threshold])
    assert is_promising(weights, made.cost).tolist() == [False, True, True, False]


def test_every_public_key_appears_whatever_the_noise(engine: Engine) -> None:
    def noise(exact: np.ndarray, *_: object) -> np.ndarray:
        return np.full(exact.size, -1000, dtype=np.int64)

    sql = "SELECT zone, COUNT(*) AS n FROM visit GROUP BY zone"
    assert replace(engine, add_noise=noise).answer(sql, Request("ann")).answer.table.num_rows == 7


@pytest.mark.parametrize("keys", [0, 1, MAX_KEYS])
def test_a_million_keys_are_accepted(engine: Engine, keys: int) -> None:
    check_key_count(plan_of("SELECT zone, COUNT(*) FROM visit GROUP BY zone", engine.catalog), keys, (keys,))


def test_more_than_a_million_keys_are_refused(engine: Engine) -> None:
    with pytest.raises(Refusal, match="E_KEY"):
        check_key_count(plan_of("SELECT zone, COUNT(*) FROM visit GROUP BY zone", engine.catalog), MAX_KEYS + 1, (7,))


def test_a_refusal_names_the_widest_list_and_is_free(tmp_path: Path) -> None:
    (tmp_path / "walk.csv").write_text("person_id,steps,stairs,coins\n1,1,1,1\n")
    (tmp_path / "catalog.toml").write_text(WIDE)
    wide = load_catalog(tmp_path / "catalog.toml")
    rho = wide.datasets[0].defaults.rho
    with opened(wide, tmp_path / "cache") as engine:
        most = "SELECT steps, stairs, COUNT(*) AS n FROM walk GROUP BY 1, 2"
        assert compile_release(plan_of(most, wide), wide, engine.backend, rho).key_count == MAX_KEYS
        with pytest.raises(Refusal, match="the declared range of coins with 1,001 values") as refused:
            engine.answer("SELECT steps, coins, COUNT(*) AS n FROM walk GROUP BY 1, 2", Request("ann"))
        assert (refused.value.code, engine.ledger.entries()) == ("E_KEY", ())
        assert "coins" in refused.value.hint
        fewer = "SELECT steps, coins, COUNT(*) AS n FROM walk WHERE coins < 500 GROUP BY 1, 2"
        assert compile_release(plan_of(fewer, wide), wide, engine.backend, rho).key_count == 499_000


NOISED_STEPS = 40.0  # in which a number gets its noise
OWN_SHOPS = 60  # of one person, who has been nowhere else
OWN_ROWS = f"INSERT INTO visit SELECT 5, 9000 + i, 'z1', 1.0, 'own ' || i, 1, DATE '2026-10-01' FROM range({OWN_SHOPS}) AS t(i);"


def noised_weights(folder: Path, rows: str, max_groups: int = 50) -> tuple[int, Work]:
    """Number of noisy weights of a selection of keys, and the bound on its work."""
    sizes = list[int]()

    def counting(exact: Int64Vector, sensitivity: int, scale: float, pico_rho_charged: int) -> NoisyVector:
        del sensitivity, scale, pico_rho_charged
        sizes.append(exact.size)
        return NoisyVector(exact)

    folder.mkdir()
    declared = CATALOG.replace("max_groups_per_person = 4", f"max_groups_per_person = {max_groups}")
    catalog = make_town(folder, ROWS + rows, declared)
    with opened(catalog, folder, counting) as engine:
        (made,) = engine.answer(BY_SHOP, Request("ann")).query.releases
    return sum(sizes[:-1]), made.unpriced_release.work  # the last ones are those of the released keys


def check_own_keys(folder: Path) -> None:
    """The bound on one person's work holds the noise of the keys that only this person has."""
    (alone, _), (with_own, work) = noised_weights(folder / "without", ""), noised_weights(folder / "with", OWN_ROWS)
    _, of_one_key = noised_weights(folder / "one", OWN_ROWS, max_groups=1)
    steps = work.max_unit_steps - of_one_key.max_unit_steps
    assert 40 <= with_own - alone <= 1 + steps / NOISED_STEPS


def test_the_bound_on_work_holds_the_noise_of_a_person_s_own_keys(tmp_path: Path) -> None:
    check_own_keys(tmp_path)


def test_a_planted_bound_without_the_noise_of_keys_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work_limits, "NOISED_NUMBER_STEPS", 0.0)
    with pytest.raises(AssertionError):
        check_own_keys(tmp_path)
