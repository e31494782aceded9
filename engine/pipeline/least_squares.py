"""Noisy sums over groups of finest ones -> the finest numbers that lie nearest to all of them.

Conjugate gradients on sums over groups: no matrix is made, and as few steps are needed as there are different ways in
which levels overlap (proofs.md#agreeing).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.backends.exact import Int64Vector
from engine.mechanism.intervals import Floats

MOST_STEPS, CLOSE = 400, 1e-11
MOST_ROUNDS = 25  # of taking groups that would be below 0 out


@dataclass(frozen=True)
class Level:
    """Noisy sums of the finest numbers."""

    groups: Int64Vector  # of each of the finest: its row in `noisy`, or -1 where it is in none
    noisy: Floats
    sigma: float

    def sums(self, finest: Floats) -> Floats:
        """Add the finest numbers up."""
        inside = self.groups >= 0
        return np.bincount(self.groups[inside], finest[inside], minlength=len(self.noisy)).astype(np.float64)

    def spread(self, rows: Floats) -> Floats:
        """Give each of the finest the number of its row."""
        return np.where(self.groups >= 0, rows[self.groups], 0.0)


def nearest(levels: Sequence[Level], free: npt.NDArray[np.bool_] | None = None) -> Floats:
    """Find the finest numbers with the least weighted sum of squares; those that are not free are 0.

    Claim: argmin over x of sum |A_i x - y_i|^2 / sigma_i^2. Symbols: A_i = sums of a level, y_i its noisy numbers.
    Formula: conjugate gradients on the normal equations. Raises: nothing. Proof: proofs.md#agreeing
    """
    kept = np.ones(len(levels[0].groups)) if free is None else free.astype(np.float64)

    def normal(x: Floats) -> Floats:
        total: Floats = kept * np.sum([each.spread(each.sums(x)) / each.sigma**2 for each in levels], axis=0)
        return total

    wanted = kept * np.sum([each.spread(each.noisy) / each.sigma**2 for each in levels], axis=0)
    x = kept * levels[0].spread(levels[0].noisy)
    left = wanted - normal(x)
    step, size = left.copy(), float(left @ left)
    enough = CLOSE**2 * float(wanted @ wanted)
    for _ in range(MOST_STEPS):
        if size <= enough:
            break
        along = normal(step)
        far = size / float(step @ along)
        x, left = x + far * step, left - far * along
        size, before = float(left @ left), size
        step = left + size / before * step
    return x


def never_negative(levels: Sequence[Level]) -> Floats:
    """Find such numbers that are not below 0: what would be is 0, and the others are found anew without it."""
    free = np.ones(len(levels[0].groups), dtype=bool)
    found = nearest(levels)
    for _ in range(MOST_ROUNDS):
        if not (found < 0).any():
            break
        free &= found > 0
        found = nearest(levels, free)
    return np.maximum(found, 0.0)


def whole(finest: Floats) -> Int64Vector:
    """Round numbers so that every run of neighbours adds up to within 1 of what it did; none below 0 becomes so.

    Formula: s_k = round(x_1 + ... + x_k) - round(x_1 + ... + x_(k-1)). Raises: nothing. Proof: proofs.md#agreeing
    """
    run: Int64Vector = np.rint(np.cumsum(finest)).astype(np.int64)
    return np.diff(run, prepend=0)
