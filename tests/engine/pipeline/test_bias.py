"""Clipping-bias bound of a column: reported where it is a share of the number, or an amount."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dialect import compile_query
from dialect.postprocess.noise_propagation import LinearCombination
from engine.pipeline.bias import column_bias_bounds, column_biases, unmeasured_bias_columns
from engine.pipeline.engine import Engine
from engine.pricing.query_terms import Request
from tests.engine.pricing.test_bias_correction import known
from tests.engine.pricing.test_tuned_clip_bounds import made
from tests.engine.town import make_town, opened

BY_ZONE = "SELECT zone, COUNT(*) AS n, {} AS m FROM visit GROUP BY zone"
SHARES = {
    "COUNT(*) + 7": 1,
    "COUNT(*) / 7": 1,
    "COUNT(*) + 2 * COUNT(*)": 1,
    "0.5 - COUNT(*)": None,
    "COUNT(*) - 7": None,
}


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    folder = tmp_path_factory.mktemp("town")
    with opened(make_town(folder), folder) as engine:
        yield engine


def reported_biases(town: Engine, column: str) -> tuple[float | None, float | None, float]:
    """Reported bias share of a column, its predicted bias, and the bias share of the count next to it."""
    question, prepared = (
        compile_query(BY_ZONE.format(column), town.catalog),
        (made(town, BY_ZONE.format(column), known(town)),),
    )
    doubts, biases = column_bias_bounds(question, prepared), column_biases(question, prepared)
    return (doubts["m"]["share"] if "m" in doubts else None), biases["m"], doubts["n"]["share"]


@pytest.mark.parametrize("column", SHARES)
def test_a_relative_bias_bound_is_reported_only_where_it_holds(town: Engine, column: str) -> None:
    share, bias, of_count = reported_biases(town, column)
    if SHARES[column] is None:
        assert (share, bias) == (None, None)
    else:
        assert (share, bias) == (of_count, 0.0)


def test_a_difference_reported_with_the_bias_share_of_its_operands_is_found(
    town: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 8 less 7, each off by up to a tenth of 8, a tenth of 1 would be reported."""
    monkeypatch.setattr(LinearCombination, "preserves_relative_error", lambda self: True)
    share, bias, of_count = reported_biases(town, "COUNT(*) - 7")
    assert (share, bias) == (of_count, 0.0)


@pytest.mark.parametrize("column", ["greatest(COUNT(*), 9)", "COUNT(*) * COUNT(*)"])
def test_a_column_without_interval_has_no_bias_bound_even_if_corrected(town: Engine, column: str) -> None:
    assert reported_biases(town, column)[:2] == (None, None)


def test_a_bias_is_measured_where_a_calibration_holds_and_guessed_where_limits_are_declared(town: Engine) -> None:
    sql = BY_ZONE.format("COUNT(*) + 7")
    question = compile_query(sql, town.catalog)
    assert unmeasured_bias_columns(question, town.compile(question, Request("ann")).releases) == {"n", "m"}
    assert not unmeasured_bias_columns(question, (made(town, sql, known(town)),))
    people = compile_query("SELECT COUNT(DISTINCT person_id) AS n FROM visit", town.catalog)
    assert not unmeasured_bias_columns(people, town.compile(people, Request("ann")).releases)
