"""What correction of clipped numbers leaves: a share of each number, which adds by absolute weight."""

from __future__ import annotations

from collections.abc import Mapping

import duckdb
import pytest

from dialect.algebra import Expr, Field, Literal
from dialect.catalog.model import SqlType
from dialect.functions.emitter import write_expr
from dialect.postprocess import ZERO, LinearCombination, Residual, noise_propagation

ONE, TWO = Field("r1", None, SqlType.DOUBLE), Field("r2", None, SqlType.DOUBLE)
VALUES = {"r1": 100.0, "r2": -40.0}
SHARES = {"r1": Residual(0.1), "r2": Residual(0.5)}


def number(value: float) -> Expr:
    return Literal(value, SqlType.DOUBLE)


def evaluated(expr: Expr) -> float:
    """Value of an expression of the two raw numbers."""
    columns = ", ".join(f"CAST({value} AS DOUBLE) AS {name}" for name, value in VALUES.items())
    with duckdb.connect() as database:
        ((found,),) = database.execute(f"SELECT {write_expr(expr)} FROM (SELECT {columns}) AS r").fetchall()
    return float(found)


def squared_error(weights: Mapping[Field, float], shares: Mapping[str, Residual]) -> float:
    combination = LinearCombination(number(7), tuple((raw, number(weight)) for raw, weight in weights.items()))
    return evaluated(combination.residual_variance(shares))


def test_errors_of_corrections_add_by_absolute_weight() -> None:
    assert squared_error({ONE: 1}, SHARES) == pytest.approx(10**2)
    assert squared_error({ONE: -0.5}, SHARES) == pytest.approx(5**2)
    assert squared_error({ONE: 1, TWO: 2}, SHARES) == pytest.approx((10 + 40) ** 2)
    assert squared_error({ONE: 1, TWO: -2}, SHARES) == pytest.approx((10 + 40) ** 2)
    assert squared_error({ONE: 1, TWO: 2}, {"r1": Residual(0.1)}) == pytest.approx(10**2)
    assert squared_error({ONE: 1, TWO: -2}, {"r1": Residual(0.1, floor=3), "r2": Residual(floor=1)}) == (13 + 2) ** 2
    assert LinearCombination(ZERO, ((ONE, number(1)),)).residual_variance({}) == ZERO


def test_the_error_of_an_average_moves_its_sum_by_the_count() -> None:
    total, count = LinearCombination(ZERO, ((ONE, number(2)),)), LinearCombination(ZERO, ((TWO, number(1)),))
    residuals = {"r1": Residual(amount=0.25)}
    assert evaluated(total.residual_variance(residuals, count)) == pytest.approx((2 * 0.25 * 40) ** 2)
    assert total.residual_variance(residuals) == ZERO


def test_planted_errors_that_add_by_squares_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the square of the whole sum, the error of two numbers is too small."""
    plus, times = noise_propagation.plus, noise_propagation.times

    def of_squares(one: Expr, other: Expr) -> Expr:
        return plus(one, times(other, other))

    monkeypatch.setattr(noise_propagation, "plus", of_squares)
    monkeypatch.setattr(noise_propagation, "times", lambda a, b: a if a is b and a != ZERO else times(a, b))
    assert squared_error({ONE: 1, TWO: 2}, SHARES) < (10 + 40) ** 2 - 1
