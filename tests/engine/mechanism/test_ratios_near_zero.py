"""Ratios whose denominator may be 0: what is NULL and what misses together stay within what the level allows.

Of all ratios, shown or not, at most 1 - level may be shown with an interval that misses, wherever the exact denominator
lies: held to a binomial test at 1e-7. The usual shortcut, the ratio and its first derivatives, is found to miss more.
"""

from __future__ import annotations

import numpy as np
import pytest

from engine.mechanism.intervals import Flags, Floats, normal_quantile, ratio_interval
from tests.support.statistics.statistics import binomial_at_most

LEVEL, TIMES = 0.95, 40_000
PLACES = [(num, den) for num in (0.0, 2.0, 5.0, 20.0) for den in (0.5, 1.0, 2.0, 3.0, 4.0, 8.0)]  # in sigmas


def noisy(num: float, den: float) -> tuple[Floats, Floats]:
    drawn = np.random.default_rng(int(100 * num + 10_000 * den))
    return num + drawn.normal(size=TIMES), den + drawn.normal(size=TIMES)


def missed(num: float, den: float, lower: Floats, upper: Floats, weak: Flags) -> int:
    held = (lower <= num / den) & (num / den <= upper)
    return int((~held & ~weak).sum())


@pytest.mark.parametrize(("num", "den"), PLACES)
def test_ratios_that_are_shown_miss_no_more_than_the_level_allows(num: float, den: float) -> None:
    found = ratio_interval(*noisy(num, den), 1.0, 1.0, 0.0, LEVEL)
    assert binomial_at_most(missed(num, den, *found), TIMES, 1 - LEVEL)


def test_a_ratio_with_its_first_derivatives_is_found_to_miss_more() -> None:
    found = []
    for num, den in PLACES:
        top, below = noisy(num, den)
        reach = normal_quantile(LEVEL) * np.sqrt(1 + (top / below) ** 2) / np.abs(below)
        misses = missed(num, den, top / below - reach, top / below + reach, np.zeros(TIMES, dtype=bool))
        found.append(not binomial_at_most(misses, TIMES, 1 - LEVEL))
    assert any(found)


def test_no_denominator_at_all_is_nearly_always_null() -> None:
    *_, weak = ratio_interval(*noisy(5.0, 1e-9), 1.0, 1.0, 0.0, LEVEL)
    assert weak.mean() >= 0.97  # one in forty lies clearly above 0 by chance
