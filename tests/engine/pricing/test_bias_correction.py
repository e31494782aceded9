"""Bias correction: right for the total, and for groups about as far off as reported."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from budgets import PICO
from dialect import bound_contributions, compile_query, generate_sql
from engine.pipeline.bias import column_bias_bounds
from engine.pipeline.engine import Engine
from engine.pricing.clip_bounds.distribution import contribution_distribution
from engine.pricing.clip_bounds.histograms import Calibration, HistogramSubject, Quantity
from engine.pricing.clip_bounds.tuning import BOUND_DEVIATIONS, ClipErrorModel, tune_clip_bounds, usual_group_size
from tests.engine.pricing.test_contribution_distribution import histogram as row_histogram
from tests.engine.pricing.test_tuned_clip_bounds import ROWS, made
from tests.engine.town import make_town, opened
from tests.engine.windowed_town import WINDOWED
from tests.support.statistics.calibrated import histogram, made_up_calibration

GROUPS = 40
BY_ZONE = "SELECT zone, COUNT(*) AS n FROM visit GROUP BY zone"


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    folder = tmp_path_factory.mktemp("town")
    with opened(make_town(folder), folder) as engine:
        yield engine


def known(town: Engine) -> Calibration:
    """Know rows by zone and in all."""
    by_zone = histogram(HistogramSubject("visit", ("zone",), Quantity.ROWS), ROWS)
    return Calibration((*made_up_calibration(town.catalog, ROWS).histograms, by_zone))


def drawn_rows(sort: str) -> np.ndarray:
    """Rows of 20,000 people of heavy tail in 40 groups, with or without preferences."""
    draw = np.random.default_rng(5)
    rows = np.ceil(draw.lognormal(2.5, 1.2, 20_000)).astype(int)
    if sort == "everywhere":
        return np.array([draw.multinomial(n, np.full(GROUPS, 1 / GROUPS)) for n in rows])
    return np.array([draw.multinomial(n, draw.dirichlet(np.full(GROUPS, 0.2))) for n in rows])


@pytest.mark.parametrize("sort", ["everywhere", "somewhere"])
@pytest.mark.parametrize("pico_rho", [10**9, 10**10, 10**11])
def test_bias_corrected_numbers_are_within_the_reported_bias_bound(sort: str, pico_rho: int) -> None:
    rows = drawn_rows(sort)
    norms, totals = np.sqrt((rows.astype(float) ** 2).sum(axis=1)), rows.sum(axis=1)
    by_keys, in_all = (
        row_histogram(norms**2, keys=("zone",), noise=6),
        row_histogram(totals.astype(float) ** 2, noise=7),
    )
    spread = contribution_distribution(by_keys, in_all, GROUPS)
    assert spread is not None
    facts = ClipErrorModel(spread, GROUPS, 1.0, counts_rows=True, counts_persons=False, is_corrected=True)
    (chosen,) = tune_clip_bounds([facts], [pico_rho])
    assert chosen is not None and chosen.residual_bias_bound is not None and chosen.predicted_bias == 0
    given = (rows * np.minimum(1, chosen.clip_bound / norms)[:, None]).sum(axis=0) / chosen.retained_share
    off = (given - rows.sum(axis=0)) / usual_group_size(spread, GROUPS)
    assert np.sqrt(np.mean(off**2)) <= chosen.residual_bias_bound
    uncorrected = tune_clip_bounds([replace(facts, is_corrected=False)], [pico_rho])[0]
    assert uncorrected is not None
    assert facts.expected_error(chosen.clip_bound, pico_rho) < 0.95 * replace(facts, is_corrected=False).expected_error(
        uncorrected.clip_bound, pico_rho
    )


def test_a_group_of_clipped_people_alone_has_a_reported_bias_bound() -> None:
    """Off by up to twice the reported bound; a planted model that takes all groups as equal reports half of it."""
    rows = np.zeros((2_000, 2))
    rows[:1_800], rows[1_800:] = (3.6, 0.4), (6, 54)  # light people are mostly in one group, heavy ones in the other
    norms, totals = np.sqrt((rows**2).sum(axis=1)), rows.sum(axis=1)
    spread = contribution_distribution(row_histogram(norms**2, keys=("zone",)), row_histogram(totals**2), 2)
    assert spread is not None
    facts = ClipErrorModel(spread, 2.0, 1.0, counts_rows=True, counts_persons=False, is_corrected=True)
    kept = np.minimum(1, 36 / norms)
    share = float(totals @ kept) / totals.sum()
    off = ((rows * kept[:, None]).sum(axis=0) / share - rows.sum(axis=0)) / usual_group_size(spread, 2)
    told = facts.correction_error(36)
    assert told is not None
    assert np.sqrt(np.mean(off**2)) <= 2 * BOUND_DEVIATIONS * told
    alike = replace(facts, distribution=replace(spread, totals=spread.norms * math.sqrt(2)))
    planted = alike.correction_error(36)
    assert planted is not None and np.sqrt(np.mean(off**2)) > 3 * BOUND_DEVIATIONS * planted


def test_only_measured_clipping_is_bias_corrected(town: Engine) -> None:
    given = made(town, BY_ZONE, known(town)).bounds.vectors[0]
    assert given.retained_share < 1 and given.predicted_bias == 0 and given.residual_bias_bound
    for sql in (
        "SELECT zone, COUNT(*) AS n FROM visit WHERE minutes > 5 GROUP BY zone",  # fewer rows than measured
        "SELECT zone, COUNT(*) FILTER (WHERE minutes > 5) AS n FROM visit GROUP BY zone",
        "SELECT zone, COUNT(minutes) AS n FROM visit GROUP BY zone",
        "SELECT zone, shop, COUNT(*) AS n FROM visit GROUP BY zone, shop",  # finer groups than measured
        "SELECT v.zone, COUNT(*) AS n FROM visit v JOIN person p ON v.person_id = p.person_id GROUP BY v.zone",
        "SELECT WITH DIFFERENTIAL_PRIVACY OPTIONS(keys = 'private') zone, COUNT(*) AS n FROM visit GROUP BY zone",
    ):
        vectors = made(town, sql, known(town)).bounds.vectors
        assert all(each.retained_share == 1 and each.residual_bias_bound is None for each in vectors), sql


@pytest.mark.parametrize(
    ("where", "whole"),
    [
        ("", True),
        ("WHERE day >= '2026-10-02' AND day < '2026-10-04'", True),
        ("WHERE day BETWEEN '2026-10-02' AND '2026-10-03'", True),
        ("WHERE day = '2026-10-03'", True),
        ("WHERE dayofweek(day) = 5", True),
        ("WHERE day >= '2026-10-02' AND minutes > 5", False),
    ],
)
def test_only_whole_windows_are_bias_corrected(where: str, whole: bool, tmp_path: Path) -> None:
    with opened(make_town(tmp_path, declared=WINDOWED), tmp_path) as windowed:
        sql = f"SELECT zone, COUNT(*) AS n FROM visit {where} GROUP BY zone"
        (given,) = made(windowed, sql, known(windowed)).bounds.vectors
    assert (given.retained_share < 1 and given.residual_bias_bound is not None) is whole


def test_bias_correction_changes_no_sensitivity_noise_or_sql(town: Engine) -> None:
    """Exact integers, their clip bound and the noise are unchanged: only the size of a grain is not."""
    prepared = made(town, BY_ZONE, known(town))
    (given,) = prepared.bounds.vectors
    chosen = tune_clip_bounds(prepared.unpriced_release.clip_error_models, [prepared.cost.vectors[0].pico_rho])
    plain = [each and replace(each, retained_share=1.0, residual_bias_bound=None) for each in chosen]
    without = bound_contributions(prepared.plan, town.catalog, prepared.key_count, plain)
    (other,) = without.vectors
    assert (given.sensitivity, given.clip_bound_grains, given.fraction_bits) == (
        other.sensitivity, other.clip_bound_grains, other.fraction_bits,
    )  # fmt: skip
    texts = {generate_sql(prepared.plan, each, town.backend.target, None).text for each in (without, prepared.bounds)}
    assert len(texts) == 1
    assert given.grain_size == other.grain_size / given.retained_share
    assert prepared.cost.vectors[0].sigma == pytest.approx(
        given.sensitivity / math.sqrt(2 * prepared.cost.vectors[0].pico_rho / PICO), rel=1e-9
    )


def test_each_column_has_a_reported_bias_bound(town: Engine) -> None:
    sql = "SELECT zone, COUNT(*) AS n, 2 * COUNT(*) AS m, AVG(coins) AS a FROM visit GROUP BY zone"
    question = compile_query(sql, town.catalog)
    prepared = (made(town, sql, known(town)),)
    doubts = column_bias_bounds(question, prepared)
    within = max(
        v.residual_bias_bound or 0
        for v, k in zip(prepared[0].bounds.vectors, prepared[0].plan.vectors, strict=True)
        if not k.is_sum
    )
    assert doubts["n"] == doubts["m"] == {"share": within, "amount": 0.0}
    assert doubts["a"]["share"] == 0 and doubts["a"]["amount"] > 0
