"""What to buy: against all choices there are, on small cases."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.workflows.workload import choose_facilities, facility_prices, total_price

PRICES = st.sampled_from([1.0, 1.5, 2.0, 3.0, 7.0])


@st.composite
def cases(draw: st.DrawFn) -> list[dict[int, float]]:
    count = draw(st.integers(1, 4))
    return [{i: 1.0} | draw(st.dictionaries(st.integers(0, 5), PRICES, max_size=4)) for i in range(count)]


@given(cases())
@settings(max_examples=60, deadline=None)
def test_the_purchase_plan_is_locally_optimal(needed: list[dict[int, float]]) -> None:
    served = choose_facilities(needed)
    found = total_price(served, needed)
    assert found <= sum(min(each.values()) for each in needed) + 1e-9
    assert all(facility in each for facility, each in zip(served, needed, strict=True))
    best = min(total_price(some, needed) for some in product(*(sorted(each) for each in needed)))
    assert best <= found + 1e-9 <= 2 * best + 1e-6  # measured, not proven: a local optimum


def test_a_release_that_serves_all_queries_is_bought_once() -> None:
    needed = [{0: 1.0, 9: 1.0}, {1: 1.0, 9: 1.0}, {2: 1.0, 9: 1.5}]
    assert facility_prices(choose_facilities(needed), needed) == {9: 1.5}


def test_a_query_that_no_release_serves_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing"):
        choose_facilities([{}])
