"""Weights of sets: exact on every pattern, of the least variance, and none where no weights do."""

from __future__ import annotations

import random
from fractions import Fraction

import numpy as np
import pytest

from engine.reuse.derived_release import WEIGHT_BITS
from engine.reuse.weights import Pattern, is_reachable, least_variance_weights

Case = tuple[list[Pattern], list[int] | None]
# patterns of rows: wanted, then whether they are in each set -> weights
CASES: list[Case] = [
    ([(False, True, True), (True, True, False)], [1, -1]),  # all less P
    ([(True, True, False), (True, False, True)], [1, 1]),  # P and not P
    (
        [(True, True, False, False), (True, True, True, False), (True, False, True, True), (False, False, False, True)],
        None,
    ),
    ([(True, True, False, False), (True, True, True, False), (True, False, True, True)], [1, 0, 1]),
    ([(True, True, False, False), (True, True, True, True), (True, False, True, False)], [1, 1, -1]),  # what both have
    ([(True, True), (True, False)], None),
    ([(False, True), (True, True)], None),
]


@pytest.mark.parametrize(("patterns", "weights"), CASES)
def test_weights_reproduce_the_requested_set(patterns: list[Pattern], weights: list[int] | None) -> None:
    made = least_variance_weights(patterns, [1.0] * (len(patterns[0]) - 1))
    assert (None if made is None else [*map(int, made)]) == weights
    assert is_reachable(patterns) == (weights is not None)


def drawn(dice: random.Random) -> list[Pattern]:
    """Draw sets of which two, added or one taken off the other, are a set."""
    while True:
        sets = dice.randint(2, 7)
        rows = [[dice.random() < 0.5 for _ in range(sets)] for _ in range(dice.randint(2, 5))]
        (one, other), sign = dice.sample(range(sets), 2), dice.choice((1, -1))
        wanted = [row[one] + sign * row[other] for row in rows]
        if set(wanted) == {0, 1}:
            return [(bool(each), *row) for each, row in zip(wanted, rows, strict=True)]


@pytest.mark.parametrize("seed", range(40))
def test_weights_are_exact_and_nearly_optimal(seed: int) -> None:
    dice = random.Random(seed)
    patterns = drawn(dice)
    variances = [dice.uniform(0.1, 10) for _ in patterns[0][1:]]
    made = least_variance_weights(patterns, variances)
    assert made is not None
    assert all((each * 2**WEIGHT_BITS).denominator == 1 for each in made)
    for pattern in patterns:
        assert sum((w for w, inside in zip(made, pattern[1:], strict=True) if inside), Fraction(0)) == pattern[0]
    table, spread = np.array(patterns, dtype=float), np.array(variances) ** 0.5
    best = np.linalg.lstsq(table[:, 1:] / spread, table[:, 0], rcond=None)[0]
    given = np.array([float(w) for w in made]) * spread
    assert given @ given <= best @ best + 1e-3 * max(variances)


def test_independent_numbers_of_one_set_get_inverse_variance_weights() -> None:
    made = least_variance_weights([(True, True, True)], [1.0, 3.0])
    assert made is not None and [*map(float, made)] == pytest.approx([0.75, 0.25], abs=2**-WEIGHT_BITS)
