"""What to buy: against all choices there are, on small cases."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.workflows.workload import chosen, prices, total

PRICES = st.sampled_from([1.0, 1.5, 2.0, 3.0, 7.0])


@st.composite
def cases(draw: st.DrawFn) -> list[dict[int, float]]:
    count = draw(st.integers(1, 4))
    return [{i: 1.0} | draw(st.dictionaries(st.integers(0, 5), PRICES, max_size=4)) for i in range(count)]


@given(cases())
@settings(max_examples=60, deadline=None)
def test_it_is_never_worse_than_each_alone_and_no_move_is_better(needed: list[dict[int, float]]) -> None:
    served = chosen(needed)
    found = total(served, needed)
    assert found <= sum(min(each.values()) for each in needed) + 1e-9
    assert all(facility in each for facility, each in zip(served, needed, strict=True))
    best = min(total(some, needed) for some in product(*(sorted(each) for each in needed)))
    assert best <= found + 1e-9 <= 2 * best + 1e-6  # measured, not proven: a local optimum


def test_one_that_serves_all_is_bought_once() -> None:
    needed = [{0: 1.0, 9: 1.0}, {1: 1.0, 9: 1.0}, {2: 1.0, 9: 1.5}]
    assert prices(chosen(needed), needed) == {9: 1.5}


def test_what_nothing_serves_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing"):
        chosen([{}])
