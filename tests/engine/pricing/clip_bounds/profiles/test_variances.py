"""Variances and correlations with a profile: about centres of values and of products, with what clipping took."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from budgets import Ledger
from dialect.algebra import MomentsOf
from dialect.catalog.model import Catalog
from dialect.planner.query_vectors import QueryVectors
from engine.backends.exact import Int64Vector
from engine.mechanism import release as released
from engine.mechanism.gaussian import NoisyVector
from engine.mechanism.release import VectorCorrection
from engine.pipeline.engine import Engine
from engine.pricing.clip_bounds.profiles import averages
from engine.pricing.clip_bounds.profiles.products import ProductScale
from engine.pricing.query_terms import Request
from tests.engine.pricing.clip_bounds.profiles.test_profiles import MANY_ROWS
from tests.engine.town import CATALOG, backend_over, make_town
from tests.support.statistics.repeatable_noise import repeatable_noise
from tests.support.without_norms import without_norms

NUMBERS = {
    "s": "STDDEV(minutes)",
    "v": "VAR_POP(minutes)",
    "c": "CORR(minutes, coins)",
    "r": "REGR_INTERCEPT(minutes, coins)",
    "m": "AVG(minutes)",
}
COLUMNS = ", ".join(f"{sql} AS {name}" for name, sql in NUMBERS.items())
RHO = Fraction("0.1")
LOW = "CAST(i % 50 AS DOUBLE) AS minutes"  # as written in the town's rows
# far from the middle of a range of 0 to 60, with coins of 0 to 4
VALUES = "CAST(2 + (i // 6000 + i) % 5 + (hash(i) % 7) AS DOUBLE) AS minutes"
COINS = "CAST(i % 5 AS INTEGER) AS coins"
RELATED = "CAST((hash(i) % 7 + hash(i * 3) % 4) // 2 AS INTEGER) AS coins"


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    rows = MANY_ROWS.replace(LOW, VALUES).replace(COINS, RELATED)
    assert VALUES in rows and RELATED in rows
    return make_town(tmp_path_factory.mktemp("town"), rows, without_norms(CATALOG))


def noiseless(exact: Int64Vector, sensitivity: int, scale: float, pico_rho_charged: int) -> NoisyVector:
    del sensitivity, scale, pico_rho_charged
    return NoisyVector(exact)


def answer(catalog: Catalog, backend: Any, noise: Any = noiseless, by: str = "zone", columns: str = COLUMNS) -> Any:
    sql = f"SELECT {by}, {columns} FROM visit GROUP BY {by} ORDER BY {by}" if by else f"SELECT {columns} FROM visit"
    with Ledger.open(":memory:") as ledger:
        return Engine(catalog, backend, ledger, noise).answer(sql, Request("ann", rho=RHO))


def exact(backend: Any, by: str = "zone", columns: str = COLUMNS) -> Any:
    address = backend.target.addresses["visit"]
    group = f" GROUP BY {by} ORDER BY {by}" if by else ""
    return backend.run_over(f"SELECT {columns} FROM {address}{group}", {})


@pytest.mark.parametrize("by", ["zone", ""])
def test_without_noise_variances_are_those_of_the_rows(catalog: Catalog, backend: Any, by: str) -> None:
    answered, rows = answer(catalog, backend, by=by), exact(backend, by)
    for name in NUMBERS:
        assert answered.answer.table.column(name).to_numpy() == pytest.approx(rows.column(name).to_numpy(), rel=0.05)
    places = [i for i, vector in enumerate(answered.query.releases[0].plan.vectors) if vector.factor is not None]
    corrections = answered.releases[0].corrections
    assert places and all(corrections[i].centre for i in places)


def test_people_without_values_have_no_part_in_variances(tmp_path: Path) -> None:
    """Their sums are NULL, which `least` ignores: clamped, they would be the largest ones."""
    values = VALUES.replace("AS minutes", "* CASE WHEN i % 3 > 0 THEN 1 END AS minutes")
    rows = MANY_ROWS.replace(LOW, values)
    assert rows.count("CASE WHEN i % 3 > 0 THEN 1 END") == 1
    catalog = make_town(tmp_path, rows, without_norms(CATALOG))
    with closing(backend_over(catalog, tmp_path)) as backend:
        exact_rows = backend.run_over(f"SELECT VAR_POP(minutes) AS v FROM {backend.target.addresses['visit']}", {})
        shown = answer(catalog, backend, by="").answer.table
    assert shown.column("v").to_numpy() == pytest.approx(exact_rows.column("v").to_numpy(), rel=0.05)


def test_intervals_of_variances_hold_the_exact_ones(catalog: Catalog, backend: Any) -> None:
    rows, holds = exact(backend), []
    for seed in range(3):
        answered = answer(catalog, backend, repeatable_noise(seed))
        for name in NUMBERS:
            (lower, upper), number = answered.answer.intervals[name], rows.column(name).to_numpy()
            holds.append((lower <= number) & (number <= upper))
    assert np.mean(holds) >= 0.8


def test_a_planted_centre_of_products_that_is_not_added_back_is_found(
    catalog: Catalog, backend: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was subtracted from each product is most of a variance."""

    def planted(formula: MomentsOf, corrections: Mapping[int, VectorCorrection]) -> Any:
        del corrections
        return formula, {}

    monkeypatch.setattr(released, "about_measured_centres", planted)
    shown = answer(catalog, backend).answer.table.column("v").to_numpy()
    assert (shown < exact(backend).column("v").to_numpy() / 2).all()


def test_means_of_products_that_fail_are_taken_as_likely(
    catalog: Catalog, backend: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A refused answer would tell of noise that is not stored."""

    def failing(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(ProductScale, "means", failing)
    assert answer(catalog, backend).answer.table.num_rows == len(exact(backend))


def check_shown_counts(catalog: Catalog, backend: Any, by: str) -> None:
    """Count and moments are shown, and no average: each sum has a price, and all mechanisms cost no more than it."""
    for columns in ("COUNT(minutes) AS n, STDDEV(minutes) AS s", "COUNT(*) AS n, COVAR_POP(coins, coins * 2) AS c"):
        answered = answer(catalog, backend, by=by, columns=columns)
        count = exact(backend, by, "count(minutes) AS n").column("n").to_numpy()
        assert answered.answer.table.column("n").to_numpy() == pytest.approx(count, rel=0.05)
        assert any(each.centre is not None for each in answered.releases[0].corrections), "a choice failed"


@pytest.mark.parametrize("by", ["zone", ""])
def test_a_shown_count_leaves_a_price_for_the_sums_of_moments(catalog: Catalog, backend: Any, by: str) -> None:
    check_shown_counts(catalog, backend, by)


def test_a_planted_count_that_takes_more_than_a_pool_is_found(
    catalog: Catalog, backend: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Products take from the price of a shown count, whose part of the rest is more than all."""
    pools = averages._pools
    monkeypatch.setattr(averages, "_pools", lambda *given, is_shown: pools(*given, is_shown=False))
    monkeypatch.setattr(averages, "MOST_OF_SHOWN_COUNT", 10.0)
    with pytest.raises(AssertionError, match="a choice failed"), np.errstate(invalid="ignore"):
        check_shown_counts(catalog, backend, "")


def check_stated_fractions(catalog: Catalog, backend: Any) -> None:
    """Whole numbers are clamped to whole ends, whatever the question states, in their sum and in their squares."""
    for ends in ("(0.5, 3.5)", "(1.6, 2.4)"):
        columns = f"VAR_POP(coins, contribution_bounds_per_group => {ends}) AS v"
        answered = answer(catalog, backend, columns=columns)
        clamped = "least(greatest(coins, 0), 4)" if ends == "(0.5, 3.5)" else "least(greatest(coins, 1), 3)"
        rows = exact(backend, columns=f"VAR_POP({clamped}) AS v")
        assert answered.answer.table.column("v").to_numpy() == pytest.approx(rows.column("v").to_numpy(), rel=0.05)


def test_fractional_ends_of_whole_numbers_are_rounded_outward(catalog: Catalog, backend: Any) -> None:
    check_stated_fractions(catalog, backend)


def test_planted_ends_of_squares_that_values_do_not_have_are_found(
    catalog: Catalog, backend: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The profile looks for the average of the squared values, and finds none."""
    bounds = QueryVectors._centred_bounds
    factor = QueryVectors._centred_factor

    def planted(self: QueryVectors, *given: Any) -> Any:
        return replace(factor(self, *given), lower=bounds(self, *given).lower - 1)

    monkeypatch.setattr(QueryVectors, "_centred_factor", planted)
    with pytest.raises(AssertionError):
        check_stated_fractions(catalog, backend)
