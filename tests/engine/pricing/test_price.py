"""A loss is shared over vectors, and never exceeded by what their mechanisms say."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction
from statistics import NormalDist, StatisticsError

import numpy as np
import pytest

from budgets import Loss
from dialect import Catalog, ContributionBounds, Refusal, bound_contributions, compile_query
from dialect.algebra.release_plan import ClipRule, VectorBound
from dialect.codegen.partition_selection import max_weight, plan_over_released_keys, selection_plan
from engine.mechanism.thresholds import person_threshold, threshold_delta
from engine.pricing import price as pricing
from engine.pricing.price import Cost, approximate_threshold, correlated_price, price
from tests.support.sql.samples import measured_pico_rho

QUESTIONS = {
    "one": "SELECT COUNT(*) AS n FROM visit",
    "three": "SELECT zone, COUNT(*) AS n, AVG(minutes) AS m FROM visit GROUP BY zone",
    "shared": "SELECT COUNT(*) AS n, COUNT(*) AS again, 2 * COUNT(*) AS twice FROM visit",
    "private": "SELECT shop, COUNT(*) AS n FROM visit GROUP BY shop",
    "person": "SELECT gender, COUNT(*) AS n, COUNT(DISTINCT person_id) AS p FROM person GROUP BY gender",
}
LIMITED = "WITH DIFFERENTIAL_PRIVACY OPTIONS(max_groups_contributed = {})"
KEYS = {"one": 1, "three": 7, "shared": 1, "private": None, "person": 3}


def priced(town: Catalog, name: str, rho: Fraction = Fraction(1, 200)) -> tuple[Cost, tuple[int, ...]]:
    (plan,) = compile_query(QUESTIONS[name], town).plans
    private = KEYS[name] is None
    bounds = bound_contributions(plan_over_released_keys(plan) if private else plan, town, KEYS[name])
    choosing = bound_contributions(selection_plan(plan), town, None) if private else None
    cost = price(plan, bounds, rho, Fraction(1, 10**12), selection_bounds=choosing)
    return cost, tuple(vector.sensitivity for vector in bounds.vectors)


@pytest.mark.parametrize("name", QUESTIONS)
@pytest.mark.parametrize("rho", [Fraction(1, 10_000), Fraction(1, 200), Fraction(7, 30), Fraction(3)])
def test_the_mechanisms_together_cost_no_more_than_is_charged(town: Catalog, name: str, rho: Fraction) -> None:
    cost, sensitivities = priced(town, name, rho)
    pairs = tuple(zip(cost.vectors, sensitivities, strict=True))
    measured = [measured_pico_rho(sensitivity, vector.sigma) for vector, sensitivity in pairs]
    assert all(found <= vector.pico_rho for found, (vector, _) in zip(measured, pairs, strict=True))
    assert sum(vector.pico_rho for vector in cost.vectors) <= cost.loss.pico_rho == Loss.rounded_up(rho, 0).pico_rho


def test_a_share_is_an_equal_part_rounded_down(town: Catalog) -> None:
    cost, _ = priced(town, "three", Fraction(1, 10_000))
    assert {vector.pico_rho for vector in cost.vectors} == {10**8 // len(cost.vectors)}


def test_the_same_vector_in_several_columns_is_paid_for_once(town: Catalog) -> None:
    assert priced(town, "shared") == priced(town, "one")


def test_only_private_keys_cost_delta_and_have_a_threshold(town: Catalog) -> None:
    for name, keys in KEYS.items():
        cost, _ = priced(town, name)
        assert (cost.loss.atto_delta, cost.threshold is None) == ((10**6, False) if keys is None else (0, True))


def test_partition_selection_has_its_share_and_weights_of_at_most_one_person(town: Catalog) -> None:
    cost, _ = priced(town, "private")
    (plan,) = compile_query(QUESTIONS["private"], town).plans
    choosing = bound_contributions(selection_plan(plan), town, None)
    (vector,) = choosing.vectors
    assert cost.keys is not None and cost.max_groups == 4
    assert cost.keys_pico_rho == cost.loss.pico_rho // 3  # the choice, the count of rows, the count of persons
    assert cost.keys.pico_rho == cost.keys_pico_rho * 2 // 5 and cost.second is not None
    assert measured_pico_rho(vector.sensitivity, cost.second.price.sigma) <= cost.second.price.pico_rho
    assert vector.sensitivity == 1 << vector.fraction_bits  # whoever is in four groups weighs 1/2 in each
    assert measured_pico_rho(vector.sensitivity, cost.keys.sigma) <= cost.keys.pico_rho


def test_a_loss_that_cannot_be_shared_is_refused_in_words(town: Catalog) -> None:
    with pytest.raises(Refusal, match="E_PARAM"):
        priced(town, "three", Fraction(1, 10**12))


@pytest.mark.parametrize("groups", [1, 2, 5, 9, 20, 49, 1_000])
def test_the_threshold_covers_people_alone_in_several_groups(town: Catalog, groups: int) -> None:
    tables = tuple(replace(t, max_groups_per_person=groups) if t.name == "visit" else t for t in town.tables)
    (plan,) = compile_query(QUESTIONS["private"], town).plans
    declared = replace(town, tables=tables)
    choosing = bound_contributions(selection_plan(plan), declared, None)
    assert choosing.max_groups == groups
    bounds = bound_contributions(plan_over_released_keys(plan), declared, None)
    cost = price(plan, bounds, Fraction(1, 200), Fraction(1, 10**12), selection_bounds=choosing)
    assert cost.threshold is not None and cost.keys is not None

    def delta(limit: int) -> float:
        """Bound the chance that a key of one person alone is released, however many groups they are in."""
        assert cost.keys is not None
        weights = ((alone, max_weight(alone, choosing)) for alone in range(1, groups + 1))
        return max(threshold_delta(cost.keys.sigma, limit - weight + 1, alone) for alone, weight in weights)

    most = 1e-12 if groups == 1 else 5e-13  # the other half is that of the second round
    assert delta(cost.threshold) <= most < delta(cost.threshold - 1)  # planted: one grain lower costs more


def of_both_rounds(town: Catalog, groups: int, rho: Fraction, delta: Fraction = Fraction(1, 10**12)) -> float:
    """Chance that a person of most weight lifts any of their keys in both rounds, over delta: of continuous noise."""
    choosing, cost = chosen(town, groups, rho, delta)
    assert cost.keys is not None and cost.second is not None
    one = 1 << choosing.vectors[0].fraction_bits
    scale = math.hypot(2 * cost.keys.sigma, 3 * cost.second.price.sigma)
    of_one = math.erfc((cost.second.threshold - 5 * one) / scale / math.sqrt(2)) / 2
    return -math.expm1(groups * math.log1p(-of_one)) / float(delta - Fraction(math.floor(delta * 10**18) // 2, 10**18))


@pytest.mark.parametrize("groups", [2, 17, 300, 10**6])
@pytest.mark.parametrize("rho", ["0.0001", "0.005", "1", "40"])
@pytest.mark.parametrize("delta", ["1e-12", "1e-6", "2e-18", "0.02"])
def test_the_threshold_of_both_rounds_covers_people_alone_in_all_their_groups(
    town: Catalog, groups: int, rho: str, delta: str
) -> None:
    assert 0.999 < of_both_rounds(town, groups, Fraction(rho), Fraction(delta)) <= 1


def test_a_planted_second_threshold_for_one_key_alone_is_found(town: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pricing, "person_threshold", lambda sigma, _, atto: person_threshold(sigma, 1, atto))
    pricing._threshold_weight.cache_clear()
    assert of_both_rounds(town, 17, Fraction(1, 200)) > 1
    pricing._threshold_weight.cache_clear()


@pytest.mark.parametrize("seed", range(4))
def test_a_sum_of_discrete_noise_exceeds_a_continuous_one_by_the_sum_of_its_weights_at_most(seed: int) -> None:
    """P[2 X + 3 Y >= t] <= P[N >= t - 5] for every t, in exact sums, also where noise is narrow."""
    sigmas = ((1.0, 1.0), (1.0, 2.7), (3.1, 1.3), (4.0, 5.0))[seed]
    points = [np.arange(-12 * math.ceil(sigma), 12 * math.ceil(sigma) + 1) for sigma in sigmas]
    masses = [np.exp(-(x**2) / (2 * sigma**2)) for x, sigma in zip(points, sigmas, strict=True)]
    one, other = (mass / mass.sum() for mass in masses)
    sums, joint = 2 * points[0][:, None] + 3 * points[1][None, :], one[:, None] * other[None, :]
    scale = math.hypot(2 * sigmas[0], 3 * sigmas[1])
    for t in range(-int(6 * scale), int(6 * scale)):
        assert joint[sums >= t].sum() <= math.erfc((t - 5) / scale / math.sqrt(2)) / 2 + 1e-14


def chosen(
    town: Catalog, groups: int, rho: Fraction, delta: Fraction = Fraction(1, 10**12)
) -> tuple[ContributionBounds, Cost]:
    """Price a question of private keys in which a person is in so many groups."""
    (plan,) = compile_query(QUESTIONS["private"].replace("SELECT", f"SELECT {LIMITED.format(groups)}"), town).plans
    choosing = bound_contributions(selection_plan(plan), town, None)
    bounds = bound_contributions(plan_over_released_keys(plan), town, None)
    return choosing, price(plan, bounds, rho, delta, selection_bounds=choosing)


def hold_limit(town: Catalog, groups: int) -> None:
    """Compare the threshold of keys with the need of each number of groups, for little and much noise."""
    delta = 10**6 if groups == 1 else 10**6 // 2  # the other half is that of the second round
    for rho in (Fraction(1, 10_000), Fraction(1, 200), Fraction(1), Fraction(40), Fraction(5_000)):
        choosing, cost = chosen(town, groups, rho)
        assert cost.keys is not None
        needs = [
            max_weight(k, choosing) - 1 + person_threshold(cost.keys.sigma, k, delta) for k in range(1, groups + 1)
        ]
        assert cost.threshold == max(needs)


@pytest.mark.parametrize("groups", [1, 2, 3, 17, 300])
def test_keys_reach_the_largest_weight_that_any_number_of_groups_needs(town: Catalog, groups: int) -> None:
    hold_limit(town, groups)


@pytest.mark.parametrize("least", [True, False], ids=["few groups", "many groups"])
def test_a_planted_number_of_groups_that_is_not_covered_is_found(
    town: Catalog, least: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if least:
        monkeypatch.setattr(pricing, "max_weight", lambda groups, bounds: max_weight(max(2, groups), bounds))
    else:
        monkeypatch.setattr(
            pricing, "person_threshold", lambda sigma, groups, atto: person_threshold(sigma, max(1, groups - 1), atto)
        )
    pricing._threshold_weight.cache_clear()
    with pytest.raises(AssertionError):
        hold_limit(town, 17)
    pricing._threshold_weight.cache_clear()


def test_a_million_groups_are_priced_without_looking_at_each(town: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at = list[int]()

    def counted(sigma: float, groups: int, atto_delta: int) -> int:
        looked_at.append(groups)
        return person_threshold(sigma, groups, atto_delta)

    monkeypatch.setattr(pricing, "person_threshold", counted)
    pricing._threshold_weight.cache_clear()
    for rho in (Fraction(1, 10_000), Fraction(1, 200), Fraction(1), Fraction(40), Fraction(5_000)):
        assert chosen(town, 10**6, rho)[1].max_groups == 10**6
    assert 0 < len(looked_at) < 1_000


@pytest.mark.parametrize("groups", [1, 2, 3, 7, 50, 10**6])
def test_no_person_weight_exceeds_the_assumed_bound(town: Catalog, groups: int) -> None:
    (plan,) = compile_query(QUESTIONS["private"], town).plans
    choosing = bound_contributions(selection_plan(plan), town, None)
    one = 1 << choosing.vectors[0].fraction_bits
    most = max_weight(groups, choosing)
    assert most * most * groups >= one * one  # in exact integers: no less than the norm of 1
    assert (most - 2) ** 2 * groups < one * one
    weighed = int((1.0 / math.sqrt(groups)) * (1 - 2**-48) * one) if groups > 1 else one  # as the SQL does
    assert weighed <= most and weighed**2 * groups <= one**2


@pytest.mark.parametrize("groups", [1, 4, 10**6])
@pytest.mark.parametrize("atto", [1, 55, 10**6, 10**12, 10**15])
def test_the_approximate_threshold_of_private_keys_is_known_at_every_delta(
    town: Catalog, groups: int, atto: int
) -> None:
    (plan,) = compile_query(QUESTIONS["private"], town).plans
    choosing = replace(bound_contributions(selection_plan(plan), town, None), max_groups=groups)
    sigma = 10.0
    deviations = (approximate_threshold(choosing, 5 * 10**9, Fraction(atto, 10**18)) - 1) / sigma
    assert math.erfc(deviations / math.sqrt(2)) / 2 == pytest.approx(atto / 1e18 / groups, rel=1e-9)
    if atto / 1e18 / groups > 1e-13:  # as by 1 - delta, where that is not 1
        assert deviations == pytest.approx(NormalDist().inv_cdf(1 - atto / 1e18 / groups), rel=1e-4)
    elif atto / 1e18 / groups < 5e-17:
        with pytest.raises(StatisticsError):
            NormalDist().inv_cdf(1 - atto / 1e18 / groups)


@pytest.mark.parametrize("keys", [2, 24, 25, 5113])
@pytest.mark.parametrize("pico_rho", [2, 10**6, 5 * 10**9])
def test_a_correlated_price_is_split_where_noise_is_least(keys: int, pico_rho: int) -> None:
    half = 2**20
    root = math.isqrt(keys * half**2 - 1) + 1
    bound = VectorBound(ClipRule.UNCLIPPED, math.sqrt(keys), 0, 2 * root, 21, root, "", is_correlated=True)
    made = correlated_price(bound, pico_rho)
    assert made.correlated is not None
    centred, units = made.correlated.centred, made.correlated.units
    assert centred.pico_rho + units.pico_rho == pico_rho
    assert measured_pico_rho(root, centred.sigma) <= centred.pico_rho
    assert measured_pico_rho(1, units.sigma) <= units.pico_rho
    assert made.sigma == pytest.approx(math.hypot(centred.sigma, half * units.sigma))
    if pico_rho > 10**5:
        assert made.deviation(bound) == pytest.approx(
            (math.sqrt(keys) + 1) / 2 / math.sqrt(2 * pico_rho / 10**12), rel=1e-3
        )
