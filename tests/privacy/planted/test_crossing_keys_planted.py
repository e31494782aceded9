"""Private keys of a question that crosses privacy windows: the threshold covers the keys of either neighbour.

The victim has group keys of their own in both neighbours: as many as the group limit with the rows of a window, and as
many others without them. Bugs of the threshold and of the first pass are planted.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any

import duckdb
import pytest

from dialect import compile_query
from dialect.catalog.privacy_windows import PrivacyWindow
from dialect.codegen.partition_selection import max_weight
from engine.mechanism.thresholds import person_threshold
from tests.support.greybox.greybox import ReleaseRun, SensitivityExceeded, connect
from tests.support.neighbours.window_worlds import VICTIM, Data, Row, Worlds
from tests.support.planted import Plant, instead

bound, pricing, render = (
    import_module("dialect.sensitivity.bounding"),
    import_module("engine.pricing.price"),
    import_module("dialect.codegen.bounded_sql"),
)
under_replacement, threshold_weight, choose_groups = (
    bound._under_replacement,
    pricing._threshold_weight,
    render.truncate_groups,
)
MONTH, LIMIT = PrivacyWindow.MONTH, 2
OF_ALL_WINDOWS = (
    f"SELECT WITH DIFFERENTIAL_PRIVACY OPTIONS(keys = 'private', max_groups_contributed = {LIMIT})"
    " v.place + m.top * 10 AS k, COUNT(*) FROM visit v"
    " JOIN (SELECT person_id, max(steps) AS top FROM visit GROUP BY person_id) AS m ON v.person_id = m.person_id"
    " GROUP BY 1"
)
OTHERS = tuple(Row(person, window) for person in (1, 2) for window in range(4))
TOP = Row(VICTIM, 0, place=3, steps=20)  # without it every key of the victim is another one
EVERY_GROUP = Data((TOP, *(Row(VICTIM, 1, place=place, steps=5) for place in (1, 2, 3)), *OTHERS))
ONE_GROUP = Data((TOP, Row(VICTIM, 1, place=3, steps=5), *OTHERS))


class KeyShown(AssertionError):
    """A key of one person alone is released with a probability above delta."""


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with connect() as opened:
        yield opened


def check_keys(connection: duckdb.DuckDBPyConnection, data: Data, groups: int) -> None:
    """Check the vectors of neighbours, and the keys that each of them has alone."""
    worlds = Worlds(connection, MONTH, data)
    question = worlds.check(OF_ALL_WINDOWS)
    assert question.plans[0].charged_windows.is_crossing
    more, less = worlds.run(question, "everybody")[0], worlds.run(question, "without_0")[0]
    for here, there in ((more, less), (less, more)):
        check_threshold(here, [weight for key, (weight,) in here.groups.items() if key not in there.groups], groups)


def check_threshold(run: ReleaseRun, weights: list[int], groups: int) -> None:
    """Compare delta with the probability that noise lifts any of some weights to the threshold."""
    cost = run.prepared.cost
    assert cost.keys is not None and cost.threshold is not None and len(weights) == groups
    spread = cost.keys.sigma * math.sqrt(2)
    shown = [math.erfc((cost.threshold - weight - 0.5) / spread) / 2 for weight in weights]
    any_shown = -math.expm1(sum(math.log1p(-each) for each in shown))
    if any_shown > cost.loss.atto_delta / 2 * 1e-18 * (1 + 1e-6):
        raise KeyShown(f"{any_shown} > half of {cost.loss}")
    assert cost.second is not None
    one = 1 << run.prepared.bounds.vectors[0].fraction_bits  # a person may weigh as much in one open key
    spread = math.hypot(2 * cost.keys.sigma, 3 * cost.second.price.sigma) * math.sqrt(2)
    any_shown = -math.expm1(groups * math.log1p(-math.erfc((cost.second.threshold - 5 * one) / spread) / 2))
    if any_shown > cost.loss.atto_delta / 2 * 1e-18 * (1 + 1e-6):
        raise KeyShown(f"{any_shown} > half of {cost.loss} in both rounds")


@pytest.mark.parametrize(("data", "groups"), [(EVERY_GROUP, LIMIT), (ONE_GROUP, 1)], ids=["every group", "one group"])
def test_keys_of_one_person_alone_stay_below_the_threshold_in_both_neighbours(
    connection: duckdb.DuckDBPyConnection, data: Data, groups: int
) -> None:
    check_keys(connection, data, groups)


def test_crossing_windows_change_the_noise_of_keys_and_neither_delta_nor_the_number_of_groups(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    worlds = Worlds(connection, MONTH, EVERY_GROUP)
    question = compile_query(OF_ALL_WINDOWS, worlds.catalog)
    (plan,) = question.plans
    kept_apart = replace(plan, charged_windows=replace(plan.charged_windows, is_crossing=False))
    crossing, apart = (
        worlds.run(replace(question, plans=(each,)), "everybody")[0].prepared for each in (plan, kept_apart)
    )
    (of_two,), (of_one,) = crossing.bounds.vectors, apart.bounds.vectors
    assert of_two.fraction_bits == of_one.fraction_bits
    assert of_two.sensitivity**2 >= 2 * of_one.sensitivity**2 > (of_two.sensitivity - 1) ** 2
    assert crossing.bounds.max_groups == apart.bounds.max_groups == LIMIT
    assert crossing.cost.loss == apart.cost.loss and crossing.cost.loss.atto_delta > 0
    for each in (crossing, apart):
        assert each.cost.keys is not None
        sigma, delta = each.cost.keys.sigma, each.cost.loss.atto_delta // 2  # the rest is that of the second round
        needs = [max_weight(k, each.bounds) - 1 + person_threshold(sigma, k, delta) for k in range(1, LIMIT + 1)]
        assert each.cost.threshold == max(needs)


def without_root(plan: Any, vector: Any, made: Any) -> Any:
    return made if plan.key_set is None else under_replacement(plan, vector, made)


@dataclass(frozen=True)
class Case:
    plant: Plant
    found: type[AssertionError] = KeyShown


CASES = {
    "the root of two is forgotten for weights": Case(
        instead(bound, "_under_replacement", without_root), SensitivityExceeded
    ),
    "a person keeps the group limit in each of two windows": Case(
        instead(render, "truncate_groups", lambda plan, groups, *given: choose_groups(plan, 2 * groups, *given)),
        SensitivityExceeded,
    ),
    "the threshold of a single group": Case(
        instead(pricing, "_threshold_weight", lambda bounds, _, *given: threshold_weight(bounds, 1, *given))
    ),
    "delta counted once for each neighbour": Case(
        instead(
            pricing,
            "_threshold_weight",
            lambda bounds, groups, sigma, delta: threshold_weight(bounds, groups, sigma, 2 * delta),
        )
    ),
    "a second threshold of a single group": Case(
        instead(pricing, "person_threshold", lambda sigma, _, delta: person_threshold(sigma, 1, delta))
    ),
    "the threshold of windows that are kept apart": Case(
        instead(
            pricing,
            "_threshold_weight",
            lambda bounds, groups, sigma, delta: threshold_weight(bounds, groups, sigma / math.sqrt(2), delta),
        )
    ),
}


@pytest.mark.parametrize("bug", CASES)
def test_a_planted_bug_is_found(
    connection: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch, bug: str
) -> None:
    CASES[bug].plant(monkeypatch)
    with pytest.raises(CASES[bug].found):
        check_keys(connection, EVERY_GROUP, LIMIT)
