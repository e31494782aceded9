"""A loss is shared over vectors, and never exceeded by what their mechanisms say."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest

from budgets import Loss
from dialect import Catalog, Refusal, bound, read
from engine.noise import measured_pico_rho
from engine.price import Cost, key_vector, price
from engine.thresholds import threshold_delta

QUESTIONS = {
    "one": "SELECT COUNT(*) AS n FROM visit",
    "three": "SELECT zone, COUNT(*) AS n, AVG(minutes) AS m FROM visit GROUP BY zone",
    "shared": "SELECT COUNT(*) AS n, COUNT(*) AS again, 2 * COUNT(*) AS twice FROM visit",
    "private": "SELECT shop, COUNT(*) AS n FROM visit GROUP BY shop",
    "person": "SELECT gender, COUNT(*) AS n, COUNT(DISTINCT person_id) AS p FROM person GROUP BY gender",
}
KEYS = {"one": 1, "three": 7, "shared": 1, "private": None, "person": 3}


def priced(town: Catalog, name: str, rho: Fraction = Fraction(1, 200)) -> tuple[Cost, tuple[int, ...]]:
    (plan,) = read(QUESTIONS[name], town).plans
    bounds = bound(plan, town, KEYS[name])
    return price(plan, bounds, rho, Fraction(1, 10**12)), tuple(vector.sensitivity for vector in bounds.vectors)


@pytest.mark.parametrize("name", QUESTIONS)
@pytest.mark.parametrize("rho", [Fraction(1, 10_000), Fraction(1, 200), Fraction(7, 30), Fraction(3)])
def test_the_mechanisms_together_cost_no_more_than_is_charged(town: Catalog, name: str, rho: Fraction) -> None:
    cost, sensitivities = priced(town, name, rho)
    pairs = tuple(zip(cost.vectors, sensitivities, strict=True))
    measured = [measured_pico_rho(sensitivity, vector.sigma) for vector, sensitivity in pairs]
    assert all(found <= vector.pico_rho for found, (vector, _) in zip(measured, pairs, strict=True))
    assert sum(vector.pico_rho for vector in cost.vectors) <= cost.loss.pico_rho == Loss.of(rho, 0).pico_rho


def test_a_share_is_an_equal_part_rounded_down(town: Catalog) -> None:
    cost, _ = priced(town, "three", Fraction(1, 10_000))
    assert {vector.pico_rho for vector in cost.vectors} == {10**8 // len(cost.vectors)}


def test_the_same_vector_in_several_columns_is_paid_for_once(town: Catalog) -> None:
    assert priced(town, "shared") == priced(town, "one")


def test_only_private_keys_cost_delta_and_have_a_threshold(town: Catalog) -> None:
    for name, keys in KEYS.items():
        cost, _ = priced(town, name)
        assert (cost.loss.atto_delta, cost.threshold is None) == ((10**6, False) if keys is None else (0, True))


def test_the_threshold_is_that_of_the_count_of_persons(town: Catalog) -> None:
    cost, sensitivities = priced(town, "private")
    (plan,) = read(QUESTIONS["private"], town).plans
    place = key_vector(plan)
    assert plan.vectors[place].kind == "persons"
    assert cost.threshold is not None and cost.max_groups == 4
    assert sensitivities[place] == 2  # the square root of 4 groups, one person in each
    sigma = cost.vectors[place].sigma
    assert threshold_delta(sigma, cost.threshold, 4) <= 1e-12 < threshold_delta(sigma, cost.threshold - 1, 4)


def test_a_loss_that_cannot_be_shared_is_refused_in_words(town: Catalog) -> None:
    with pytest.raises(Refusal, match="E_PARAM"):
        priced(town, "three", Fraction(1, 10**12))


@pytest.mark.parametrize("groups", [1, 2, 5, 9, 20, 49, 1_000])
def test_the_declared_number_of_groups_is_the_one_paid_for(town: Catalog, groups: int) -> None:
    """A number that is no square is kept and paid for as it is, in finer grains, and its threshold covers delta."""
    tables = tuple(replace(t, max_groups_per_person=groups) if t.name == "visit" else t for t in town.tables)
    (plan,) = read(QUESTIONS["private"], town).plans
    bounds = bound(plan, replace(town, tables=tables), None)
    vector = bounds.vectors[key_vector(plan)]
    person = 1 << vector.fraction_bits
    assert bounds.max_groups == groups
    assert vector.sensitivity**2 >= groups * person**2  # no less than L0 groups with one unit each
    assert (vector.sensitivity - 1) ** 2 < groups * person**2  # and not a grain more
    cost = price(plan, bounds, Fraction(1, 200), Fraction(1, 10**12))
    assert cost.threshold is not None
    sigma = cost.vectors[key_vector(plan)].sigma
    assert threshold_delta(sigma, cost.threshold - person + 1, groups) <= 1e-12
    assert threshold_delta(sigma, cost.threshold - person, groups) > 1e-12  # planted: one grain lower costs more
