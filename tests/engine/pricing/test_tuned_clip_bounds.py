"""The tuned clip bound has the least error: compared with every other on people of known contributions."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from budgets import PICO
from dialect import compile_query
from dialect.algebra.release_plan import ClipRule
from engine.pipeline.engine import Engine
from engine.pricing.clip_bounds.distribution import contribution_distribution
from engine.pricing.clip_bounds.error_models import clip_error_models
from engine.pricing.clip_bounds.histograms import NO_CALIBRATION, Calibration, HistogramSubject, Quantity
from engine.pricing.clip_bounds.tuning import (
    GROUP_SIZE_VARIATION,
    ClipErrorModel,
    clip_bound_outcomes,
    tune_clip_bounds,
)
from engine.pricing.compile_release import CompiledRelease, clip_bound_alternatives, compile_release
from tests.engine.pricing.test_contribution_distribution import histogram as row_histogram
from tests.engine.town import make_town, opened
from tests.support.statistics.calibrated import histogram, made_up_calibration

BY_ZONE = "SELECT zone, COUNT(*) AS n FROM visit GROUP BY zone"
ROWS = (0, 40, 80, 200, 300, 200, 60, 30, 10, 5)  # people by squared norm: 1, 2 to 3, 4 to 7, ...


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    folder = tmp_path_factory.mktemp("town")
    with opened(make_town(folder), folder) as engine:
        yield engine


def made(town: Engine, sql: str, calibration: Calibration, rho: str = "0.005") -> CompiledRelease:
    (plan,) = compile_query(sql, town.catalog).plans
    return compile_release(plan, town.catalog, town.backend, Fraction(rho), calibration=calibration)


@pytest.mark.parametrize("price", [10**8, 10**9, 10**10, 10**11])
def test_no_other_clip_bound_has_a_smaller_true_error(price: int) -> None:
    draw = np.random.default_rng(11)
    rows = np.ceil(draw.lognormal(2.5, 1.2, 20_000)).astype(int)
    held = np.array([draw.multinomial(n, np.full(40, 1 / 40)) for n in rows])
    norms, totals = np.sqrt((held**2).sum(axis=1)), held.sum(axis=1)
    spread = contribution_distribution(
        row_histogram(norms**2, keys=("zone",), noise=4), row_histogram(totals.astype(float) ** 2, noise=5)
    )
    assert spread is not None
    facts = ClipErrorModel(spread, 40, 1.0, counts_rows=True, counts_persons=False)

    def error(norm: float) -> float:
        lost = float(totals @ (1 - np.minimum(1, norm / norms))) / 40
        return math.hypot(norm / math.sqrt(2 * price / PICO), lost * math.sqrt(1 + GROUP_SIZE_VARIATION * (1 - 1 / 40)))

    (chosen,) = tune_clip_bounds([facts], [price])
    assert chosen is not None
    assert error(chosen.clip_bound) <= 1.05 * min(error(float(norm)) for norm in range(1, 300))


def test_a_higher_price_clips_less(town: Engine) -> None:
    norms = [
        made(town, BY_ZONE, made_up_calibration(town.catalog, ROWS), rho).bounds.vectors[0].clip_bound
        for rho in ("0.0001", "0.1")
    ]
    assert norms[0] < norms[1]


def test_without_a_calibration_the_declared_clip_bound_is_used(town: Engine) -> None:
    declared = made(town, BY_ZONE, NO_CALIBRATION)
    assert declared.bounds.vectors[0].clip_bound == 20
    assert clip_bound_alternatives(declared) == ((),)
    nobody = Calibration((histogram(HistogramSubject("visit", (), Quantity.ROWS), (1, 1)),))  # not clear of the noise
    assert made(town, BY_ZONE, nobody).bounds == declared.bounds


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT WITH DIFFERENTIAL_PRIVACY OPTIONS(max_rows_contributed = 7) zone, COUNT(*) AS n FROM visit GROUP BY 1",
        "SELECT WITH DIFFERENTIAL_PRIVACY OPTIONS(max_groups_contributed = 2) zone, COUNT(*) AS n FROM visit GROUP BY 1",
        "SELECT zone, COUNT(*) AS n FROM visit v JOIN visit w ON v.person_id = w.person_id GROUP BY 1",
        "SELECT zone, COUNT(DISTINCT coins) AS n FROM visit GROUP BY zone",
    ],
    ids=["rows named", "groups named", "rows multiplied", "different values"],
)
def test_clip_bounds_fixed_by_query_or_joins_are_not_tuned(town: Engine, sql: str) -> None:
    sql = sql.replace("SELECT zone, COUNT(*) AS n FROM visit v", "SELECT v.zone, COUNT(*) AS n FROM visit v")
    sql = sql.replace("GROUP BY 1", "GROUP BY v.zone") if "visit v" in sql else sql
    (plan,) = compile_query(sql, town.catalog).plans
    assert not any(clip_error_models(plan, town.catalog, made_up_calibration(town.catalog, ROWS), 7))


def test_a_proven_clip_bound_is_not_widened(town: Engine) -> None:
    wide = made_up_calibration(town.catalog, ROWS, groups=(0, 0, 0, 0, 0, 0, 0, 500))
    sql = "SELECT zone, COUNT(DISTINCT person_id) AS n FROM visit GROUP BY zone"
    (bound,) = made(town, sql, wide, "0.1").bounds.vectors
    assert bound.rule is ClipRule.UNCLIPPED  # seven zones: the root of 7, whatever people were measured
    assert bound.clip_bound == pytest.approx(math.sqrt(7))


def test_the_finest_calibrated_keys_are_used(town: Engine) -> None:
    by_zone = histogram(HistogramSubject("visit", ("zone",), Quantity.ROWS), (500, 400, 100))
    known = Calibration((*made_up_calibration(town.catalog, ROWS).histograms, by_zone))
    assert made(town, BY_ZONE, known, "0.1").bounds.vectors[0].clip_bound <= 3
    assert made(town, "SELECT COUNT(*) AS n FROM visit", known, "0.1").bounds.vectors[0].clip_bound > 3


def test_a_condition_on_keys_makes_no_group_larger(town: Engine) -> None:
    """A planted calibration that does not know its groups takes two zones for all that people do, and asks for more."""
    by_zone = replace(histogram(HistogramSubject("visit", ("zone",), Quantity.ROWS), ROWS), groups=7)
    some = "SELECT zone, COUNT(*) AS n FROM visit WHERE zone IN ('a', 'b') GROUP BY zone"
    every = "SELECT zone, COUNT(*) AS n FROM visit WHERE minutes >= 0 GROUP BY zone"
    rows = made_up_calibration(town.catalog, ROWS).histograms
    norms = [made(town, sql, Calibration((*rows, by_zone))).bounds.vectors[0].clip_bound for sql in (some, every)]
    assert norms[0] == norms[1]
    planted = made(town, some, Calibration((*rows, replace(by_zone, groups=None)))).bounds.vectors[0].clip_bound
    assert planted > norms[0]


def test_sums_take_their_columns_histogram_else_that_of_rows(town: Engine) -> None:
    minutes = histogram(HistogramSubject("visit", (), Quantity.SUMS, "minutes", 60.0), (0,) * 40 + (300, 200, 100))
    known = Calibration((*made_up_calibration(town.catalog, ROWS).histograms, minutes))
    sums = made(town, "SELECT SUM(minutes) AS n FROM visit", known).bounds.vectors[0]
    assert sums.clip_bound <= 60 * 2**1.5
    twice = made(town, "SELECT SUM(2 * minutes) AS n FROM visit", known).bounds.vectors[0]
    assert (
        1.8 * sums.clip_bound <= twice.clip_bound <= 6 * sums.clip_bound
    )  # more: of another expression nothing is given back
    cut = made(town, "SELECT SUM(LEAST(minutes, 9)) AS n FROM visit", known).bounds.vectors[0]
    assert sums.retained_share < 1 and twice.retained_share == cut.retained_share == 1
    coins = made(town, "SELECT SUM(coins) AS n FROM visit", known).bounds.vectors[0]
    rows = made(town, "SELECT COUNT(minutes) AS n FROM visit", known).bounds.vectors[0]
    assert coins.clip_bound == pytest.approx(9 * rows.clip_bound, rel=0.2)


def test_the_neighbours_of_the_chosen_clip_bound_are_listed(town: Engine) -> None:
    (row,) = clip_bound_alternatives(made(town, BY_ZONE, made_up_calibration(town.catalog, ROWS)))
    assert [each.chosen for each in row] == [False, True, False]
    assert row[0].noise < row[1].noise < row[2].noise
    assert row[0].bias < row[1].bias <= row[2].bias <= 0
    errors = [math.hypot(each.noise, each.off if each.off is not None else each.bias) for each in row]
    assert errors[1] == min(errors)
    assert clip_bound_outcomes(None, 4.0, 10**9) == ()


def test_private_keys_are_bounded_at_the_least_delta_that_a_catalog_may_say(town: Engine) -> None:
    (dataset,) = town.catalog.datasets
    least = replace(dataset, defaults=replace(dataset.defaults, delta=Fraction(1, 10**18)))
    strict = replace(town, catalog=replace(town.catalog, datasets=(least,)))
    by_shop = "SELECT shop, COUNT(*) AS n FROM visit GROUP BY shop"
    assert made(strict, by_shop, made_up_calibration(town.catalog, ROWS)).cost.loss.atto_delta == 1
