"""Which ranges variances have, and of which values they can be made."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialect.algebra.expressions import Field, Ref
from dialect.catalog.model import Bounds, SqlType
from dialect.functions.aggregates import AGGREGATES, aggregate_range, integer_bounds, products_fit

ENDS = st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)).map(sorted)


def _value(lower: float, upper: float) -> Ref:
    return Ref(Field(f"c{lower}_{upper}", "x", SqlType.DOUBLE, bounds=Bounds(lower, upper)))


def _range(name: str, *arguments: Ref) -> Bounds:
    found = aggregate_range(AGGREGATES[name], arguments, 1)
    assert found is not None
    return found


@given(ends=ENDS, shares=st.lists(st.floats(0, 1), min_size=2, max_size=12))
def test_no_spread_is_beyond_its_range(ends: list[float], shares: list[float]) -> None:
    lower, upper = ends
    values = np.array([lower + (upper - lower) * share for share in shares]).clip(lower, upper)
    found = {
        "var_pop": np.var(values), "var_samp": np.var(values, ddof=1), "stddev_pop": np.std(values),
        "stddev_samp": np.std(values, ddof=1), "covar_pop": np.cov(values, -values, ddof=0)[0, 1],
        "covar_samp": np.cov(values, -values)[0, 1],
    }  # fmt: skip
    for name, number in found.items():
        other = (_value(-upper, -lower),) if AGGREGATES[name].argument_count == 2 else ()
        bounds = _range(name, _value(lower, upper), *other)
        slack = 1e-9 * max(1.0, bounds.upper)
        assert bounds.lower - slack <= number <= bounds.upper + slack


def test_ranges_that_are_not_known_stay_so() -> None:
    anything = _value(-math.inf, math.inf)
    assert _range("var_pop", anything).upper == math.inf
    assert _range("regr_slope", _value(0, 1), _value(0, 1)).upper == math.inf
    assert _range("corr", anything, anything) == Bounds(-1.0, 1.0)


@pytest.mark.parametrize(
    ("lower", "upper", "named", "can"),
    [
        (0, 100, None, True),
        (-math.inf, 100, None, False),
        (-math.inf, 100, Bounds(0, 50), True),
        (0, 2e12, None, False),
        (0, 2e12, Bounds(0, 50), True),
        (0, 100, Bounds(0, 1e15), False),
    ],
)
def test_products_need_known_and_narrow_ranges(lower: float, upper: float, named: Bounds | None, can: bool) -> None:
    assert products_fit((Bounds(lower, upper),), named) is can


def test_ends_of_whole_values_are_rounded_outward() -> None:
    assert integer_bounds(Bounds(-0.5, 10.5), SqlType.BIGINT) == Bounds(-1.0, 11.0)
    assert integer_bounds(Bounds(-0.5, 10.5), SqlType.DOUBLE) == Bounds(-0.5, 10.5)
