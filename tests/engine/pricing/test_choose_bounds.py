"""The tuned clip bound has the least error: compared with every other on people of known contributions."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from budgets import PICO
from dialect import read
from dialect.algebra.release_plan import Rule
from engine.pipeline.engine import Engine
from engine.pricing.norms.choose import UNEVEN, NormFacts, choose_bounds, foreseen
from engine.pricing.norms.facts import norm_facts
from engine.pricing.norms.histograms import NO_CALIBRATION, Calibration, Kind, Measured
from engine.pricing.norms.spread import norm_spread
from engine.pricing.prepare import Prepared, choices_of, prepare
from tests.engine.pricing.test_norm_spread import histogram as counted
from tests.engine.town import make_town, opened
from tests.support.statistics.calibrated import histogram, made_up

BY_ZONE = "SELECT zone, COUNT(*) AS n FROM visit GROUP BY zone"
ROWS = (0, 40, 80, 200, 300, 200, 60, 30, 10, 5)  # people by squared norm: 1, 2 to 3, 4 to 7, ...


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    folder = tmp_path_factory.mktemp("town")
    with opened(make_town(folder), folder) as engine:
        yield engine


def made(town: Engine, sql: str, calibration: Calibration, rho: str = "0.005") -> Prepared:
    (plan,) = read(sql, town.catalog).plans
    return prepare(plan, town.catalog, town.backend, Fraction(rho), calibration=calibration)


@pytest.mark.parametrize("price", [10**8, 10**9, 10**10, 10**11])
def test_no_norm_has_a_smaller_error_in_truth(price: int) -> None:
    draw = np.random.default_rng(11)
    rows = np.ceil(draw.lognormal(2.5, 1.2, 20_000)).astype(int)
    held = np.array([draw.multinomial(n, np.full(40, 1 / 40)) for n in rows])
    norms, totals = np.sqrt((held**2).sum(axis=1)), held.sum(axis=1)
    spread = norm_spread(counted(norms**2, keys=("zone",), noise=4), counted(totals.astype(float) ** 2, noise=5))
    assert spread is not None
    facts = NormFacts(spread, 40, 1.0, rows=True, persons=False)

    def error(norm: float) -> float:
        lost = float(totals @ (1 - np.minimum(1, norm / norms))) / 40
        return math.hypot(norm / math.sqrt(2 * price / PICO), lost * math.sqrt(1 + UNEVEN * (1 - 1 / 40)))

    (chosen,) = choose_bounds([facts], [price])
    assert chosen is not None
    assert error(chosen.norm) <= 1.05 * min(error(float(norm)) for norm in range(1, 300))


def test_a_higher_price_cuts_less(town: Engine) -> None:
    norms = [made(town, BY_ZONE, made_up(town.catalog, ROWS), rho).bounds.vectors[0].norm for rho in ("0.0001", "0.1")]
    assert norms[0] < norms[1]


def test_without_a_calibration_the_declared_norm_holds(town: Engine) -> None:
    declared = made(town, BY_ZONE, NO_CALIBRATION)
    assert declared.bounds.vectors[0].norm == 20
    assert choices_of(declared) == ((),)
    nobody = Calibration((histogram(Measured("visit", (), Kind.ROWS), (1, 1)),))  # not clear of the noise
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
def test_where_the_question_or_the_joins_decide_nothing_is_chosen(town: Engine, sql: str) -> None:
    sql = sql.replace("SELECT zone, COUNT(*) AS n FROM visit v", "SELECT v.zone, COUNT(*) AS n FROM visit v")
    sql = sql.replace("GROUP BY 1", "GROUP BY v.zone") if "visit v" in sql else sql
    (plan,) = read(sql, town.catalog).plans
    assert not any(norm_facts(plan, town.catalog, made_up(town.catalog, ROWS), 7))


def test_a_proven_norm_is_not_widened(town: Engine) -> None:
    wide = made_up(town.catalog, ROWS, groups=(0, 0, 0, 0, 0, 0, 0, 500))
    sql = "SELECT zone, COUNT(DISTINCT person_id) AS n FROM visit GROUP BY zone"
    (bound,) = made(town, sql, wide, "0.1").bounds.vectors
    assert bound.rule is Rule.WITHIN  # seven zones: the root of 7, whatever people were measured
    assert bound.norm == pytest.approx(math.sqrt(7))


def test_the_finest_calibrated_keys_are_used(town: Engine) -> None:
    by_zone = histogram(Measured("visit", ("zone",), Kind.ROWS), (500, 400, 100))
    known = Calibration((*made_up(town.catalog, ROWS).histograms, by_zone))
    assert made(town, BY_ZONE, known, "0.1").bounds.vectors[0].norm <= 3
    assert made(town, "SELECT COUNT(*) AS n FROM visit", known, "0.1").bounds.vectors[0].norm > 3


def test_a_condition_on_keys_makes_no_group_larger(town: Engine) -> None:
    """A planted calibration that does not know its groups takes two zones for all that people do, and asks for more."""
    by_zone = replace(histogram(Measured("visit", ("zone",), Kind.ROWS), ROWS), groups=7)
    some = "SELECT zone, COUNT(*) AS n FROM visit WHERE zone IN ('a', 'b') GROUP BY zone"
    every = "SELECT zone, COUNT(*) AS n FROM visit WHERE minutes >= 0 GROUP BY zone"
    rows = made_up(town.catalog, ROWS).histograms
    norms = [made(town, sql, Calibration((*rows, by_zone))).bounds.vectors[0].norm for sql in (some, every)]
    assert norms[0] == norms[1]
    planted = made(town, some, Calibration((*rows, replace(by_zone, groups=None)))).bounds.vectors[0].norm
    assert planted > norms[0]


def test_sums_take_their_columns_histogram_else_that_of_rows(town: Engine) -> None:
    minutes = histogram(Measured("visit", (), Kind.SUMS, "minutes", 60.0), (0,) * 40 + (300, 200, 100))
    known = Calibration((*made_up(town.catalog, ROWS).histograms, minutes))
    sums = made(town, "SELECT SUM(minutes) AS n FROM visit", known).bounds.vectors[0]
    assert sums.norm <= 60 * 2**1.5
    twice = made(town, "SELECT SUM(2 * minutes) AS n FROM visit", known).bounds.vectors[0]
    assert 1.8 * sums.norm <= twice.norm <= 6 * sums.norm  # more: of another expression nothing is given back
    cut = made(town, "SELECT SUM(LEAST(minutes, 9)) AS n FROM visit", known).bounds.vectors[0]
    assert sums.kept < 1 and twice.kept == cut.kept == 1
    coins = made(town, "SELECT SUM(coins) AS n FROM visit", known).bounds.vectors[0]
    rows = made(town, "SELECT COUNT(minutes) AS n FROM visit", known).bounds.vectors[0]
    assert coins.norm == pytest.approx(9 * rows.norm, rel=0.2)


def test_the_neighbours_of_the_choice_are_told(town: Engine) -> None:
    (row,) = choices_of(made(town, BY_ZONE, made_up(town.catalog, ROWS)))
    assert [each.chosen for each in row] == [False, True, False]
    assert row[0].noise < row[1].noise < row[2].noise
    assert row[0].bias < row[1].bias <= row[2].bias <= 0
    errors = [math.hypot(each.noise, each.off if each.off is not None else each.bias) for each in row]
    assert errors[1] == min(errors)
    assert foreseen(None, 4.0, 10**9) == ()


def test_private_keys_are_bounded_at_the_least_delta_that_a_catalog_may_say(town: Engine) -> None:
    (dataset,) = town.catalog.datasets
    least = replace(dataset, defaults=replace(dataset.defaults, delta=Fraction(1, 10**18)))
    strict = replace(town, catalog=replace(town.catalog, datasets=(least,)))
    by_shop = "SELECT shop, COUNT(*) AS n FROM visit GROUP BY shop"
    assert made(strict, by_shop, made_up(town.catalog, ROWS)).cost.loss.atto_delta == 1
