"""Averages with a profile: about a centre that the profile chose, and with the error of clipping in their intervals."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from budgets import Ledger
from dialect.catalog.model import Catalog
from dialect.codegen.outer_query import write_outer_query
from dialect.planner import noise_fields
from dialect.postprocess.noise_propagation import forms_by_field
from engine.backends.exact import Int64Vector
from engine.mechanism.gaussian import NoisyVector
from engine.pipeline import engine as pipeline
from engine.pipeline import post_process
from engine.pipeline.engine import Engine
from engine.pricing.clip_bounds.profiles import averages
from engine.pricing.clip_bounds.profiles.average_design import AverageProfile, measured_rows, weight_deviation
from engine.pricing.clip_bounds.profiles.class_means import ClassPosterior
from engine.pricing.query_terms import Request
from tests.engine.pricing.clip_bounds.profiles.test_profiles import MANY_ROWS
from tests.engine.town import CATALOG, make_town
from tests.support.statistics.repeatable_noise import repeatable_noise
from tests.support.without_norms import without_norms

AVERAGES = "SELECT zone, AVG(minutes) AS m, COUNT(minutes) AS n FROM visit GROUP BY zone ORDER BY zone"
RHO = Fraction("0.05")
LOW = "CAST(i % 50 AS DOUBLE) AS minutes"  # as written in the town's rows
VALUES = "CAST(3 + (i // 6000 + i) % 5 AS DOUBLE) AS minutes"  # means of 5 on a range of 0 to 60


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    rows = MANY_ROWS.replace(LOW, VALUES)
    assert VALUES in rows
    return make_town(tmp_path_factory.mktemp("town"), rows, without_norms(CATALOG))


def noiseless(exact: Int64Vector, sensitivity: int, scale: float, pico_rho_charged: int) -> NoisyVector:
    del sensitivity, scale, pico_rho_charged
    return NoisyVector(exact)


def answer_of(catalog: Catalog, backend: Any, noise: Any = noiseless, sql: str = AVERAGES) -> Any:
    with Ledger.open(":memory:") as ledger:
        return Engine(catalog, backend, ledger, noise).answer(sql, Request("ann", rho=RHO))


def exact_means(backend: Any) -> np.ndarray[Any, np.dtype[np.float64]]:
    address = backend.target.addresses["visit"]
    rows = backend.run_over(f"SELECT avg(minutes) AS m FROM {address} GROUP BY zone ORDER BY zone", {})
    found: np.ndarray[Any, np.dtype[np.float64]] = rows.column("m").to_numpy()
    return found


def test_without_noise_averages_are_those_of_the_rows(catalog: Catalog, backend: Any) -> None:
    answered = answer_of(catalog, backend)
    assert answered.answer.table.column("m").to_numpy() == pytest.approx(exact_means(backend), rel=0.02)
    (release,) = answered.releases
    centres = [each.centre for each in release.corrections if each.centre is not None]
    assert centres == pytest.approx([5.0], abs=1.5)


def test_intervals_of_averages_hold_the_exact_ones(catalog: Catalog, backend: Any) -> None:
    holds = []
    for seed in range(4):
        lower, upper = answer_of(catalog, backend, repeatable_noise(seed)).answer.intervals["m"]
        holds.append((lower <= exact_means(backend)) & (exact_means(backend) <= upper))
    assert np.mean(holds) >= 0.8


UNIONS = [
    "SELECT zone, AVG(minutes) AS m FROM visit GROUP BY ROLLUP (zone)",
    "SELECT zone, 2 * AVG(minutes) + 1 AS m FROM visit GROUP BY zone UNION ALL SELECT 'all', AVG(minutes) FROM visit",
    """SELECT 'n' AS zone, COUNT(*) AS m FROM visit
       UNION ALL (SELECT 'all', AVG(minutes) FROM visit UNION ALL SELECT 'again', AVG(minutes) FROM visit)""",
]


def misses(catalog: Catalog, backend: Any, sql: str) -> list[bool]:
    """Whether a number lies outside of its own interval, for each row."""
    answer = answer_of(catalog, backend, sql=sql).answer
    shown, (lower, upper) = answer.table.column("m").to_numpy(), answer.intervals["m"]
    assert not (np.isnan(lower) | np.isnan(upper)).any()
    return [not each for each in (lower <= shown) & (shown <= upper)]


@pytest.mark.parametrize("sql", UNIONS)
def test_intervals_of_averages_in_a_union_are_about_the_measured_centre(
    sql: str, catalog: Catalog, backend: Any
) -> None:
    assert not any(misses(catalog, backend, sql))


@pytest.mark.parametrize("sql", UNIONS)
def test_a_planted_union_about_the_planned_centre_is_found(
    sql: str, catalog: Catalog, backend: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(noise_fields, "_forms_about_shown_means", forms_by_field)
    assert any(misses(catalog, backend, sql))


def test_far_units_widen_an_average_once(catalog: Catalog, backend: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What noise may hide far from the centre is in the hidden population, and not in who may weigh more as well."""
    own, far = weight_deviation, list[float]()

    def deviation(profile: AverageProfile, bound: float, classes: ClassPosterior) -> float:
        far.append(float(np.sqrt(np.diag(classes.covariance).max())) / profile.spread)
        return own(profile, bound, classes)

    monkeypatch.setattr(averages, "weight_deviation", deviation)
    for question in ("AVG(minutes)", "AVG(CASE WHEN minutes > 5 THEN 1 ELSE 0 END)"):
        answer_of(catalog, backend, repeatable_noise(0), f"SELECT {question} AS m FROM visit")
    of_values, of_shares = far
    assert of_values < 5 < of_shares  # in spreads: few units may have most of a rare event


def shown_with(catalog: Catalog, backend: Any, measured: Callable[[float], Any]) -> tuple[int, list[list[float]]]:
    """Ask with only some rows of distances measured, each with the same noise whichever others are."""
    drawn, rows = np.random.default_rng(1).integers(-40, 40, averages.DISTANCE_ROWS), list[Any]()

    def noise(exact: Int64Vector, *_: Any) -> NoisyVector:
        own = [each for each in rows if len(each) == len(exact)]
        return NoisyVector(exact + drawn[own[0]] if own else exact)

    def noted(most: float) -> Any:
        rows.extend(measured(most))
        return rows[-2:]

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(averages, "measured_rows", noted)
        answer = answer_of(catalog, backend, noise).answer
    ends = [answer.intervals["m"][side].tolist() for side in (0, 1)]
    return sum(map(len, rows)), [answer.table.column("m").to_pylist(), *ends]


def test_rows_of_distances_that_are_not_measured_change_nothing(catalog: Catalog, backend: Any) -> None:
    every = np.arange(averages.DISTANCE_ROWS)
    (few, found), (many, wanted) = (
        shown_with(catalog, backend, rows) for rows in (measured_rows, lambda _: (every, every))
    )
    assert few < 0.6 * many and found == wanted


def test_a_planted_row_that_is_read_and_not_measured_is_found(catalog: Catalog, backend: Any) -> None:
    classes, _ = measured_rows(1.0)
    (_, found), (_, wanted) = (
        shown_with(catalog, backend, rows) for rows in (measured_rows, lambda _: (classes, measured_rows(2.0**9)[1]))
    )
    assert found != wanted


def test_a_planted_centre_that_is_not_added_back_is_found(
    catalog: Catalog, backend: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """About the planned centre, the middle of the range, averages are off by the difference of both."""
    monkeypatch.setattr(pipeline, "with_centres", lambda question, centres: question)
    shown = answer_of(catalog, backend).answer.table.column("m").to_numpy()
    assert (np.abs(shown - exact_means(backend)) > 10).all()


def test_outer_sql_is_written_once_for_each_noise(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """About the measured centre, and where it is bound; a repeat writes none, and shows the same intervals."""
    real, written = write_outer_query, list[str]()

    def recorded(*given: Any) -> Any:
        written.append(real(*given).text)
        return real(*given)

    monkeypatch.setattr(post_process, "write_outer_query", recorded)
    first = engine.answer(AVERAGES, Request("ann", rho=RHO / 2)).answer
    first_count = len(written)
    assert 1 <= len(set(written)) == first_count <= 2  # bound once for all questions of this text
    again = engine.answer(AVERAGES, Request("ann", rho=RHO / 2)).answer
    assert len(written) == first_count
    assert again.table.equals(first.table)
    assert np.array_equal(again.intervals["m"][0], first.intervals["m"][0], equal_nan=True)
    other = engine.answer(AVERAGES, Request("ann", rho=RHO)).answer
    assert len(written) > first_count  # the noise is another
    assert (other.intervals["m"][0] != first.intervals["m"][0]).all()
