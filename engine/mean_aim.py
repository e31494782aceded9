"""What decides the norm of an average's vectors: a ratio keeps its value where sum and count are cut alike.

Everybody's rows are scaled by one factor for both, so that a small norm moves an average only as far as the people who
are scaled differ from others. A calibration tells how means change with people's rows (`proofs.md#mean_aim`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from budgets import PICO
from engine.calibration import LEAN_STEPS, Histogram
from engine.norm_spread import Spread
from engine.split import OFF_CENTRE
from engine.tails import believed

UNKNOWN_LEAN = 0.05  # of the largest magnitude of a value, by unit of ln(rows): where none was measured
OTHERWISE = 0.01  # how far people with more rows differ in other ways, group by group


@dataclass(frozen=True)
class MeanAim:
    """What decides the norm C of the count below an average; the sum's is C times the largest magnitude of a value."""

    spread: Spread  # of rows
    groups: float
    moved: float  # how many times C one person moves the count
    moved_sum: float  # how many times its own C the sum
    lean: float  # by how much a person's mean changes with ln(rows), in largest magnitudes of a value

    def error(self, norm: float, pico_rho: int, pico_rho_sum: int) -> float:
        """Give the root of the expected squared error of an average, in largest magnitudes of a value."""
        parts = (self.moved_sum**2 / pico_rho_sum, (OFF_CENTRE * self.moved) ** 2 / pico_rho)
        noise = norm * math.sqrt(sum(parts) * PICO / 2)
        kept = 1 - self.spread.lost(norm)
        return math.hypot(noise * self.groups / (kept * self.spread.total), self.bias(norm))

    def bias(self, norm: float) -> float:
        """Give how far an average may be moved by cutting, in largest magnitudes of a value."""
        weights = self.spread.people * self.spread.totals / self.spread.total
        kept = self.spread.kept(norm)
        tilt = kept / float(weights @ kept) - 1  # of each person's weight in the average
        activity = np.log(np.maximum(self.spread.totals, 1.0))
        return math.hypot(self.lean * float(weights @ (tilt * activity)), OTHERWISE * math.sqrt(weights @ tilt**2))


def lean_of(leans: Histogram | None, rows: Histogram | None) -> float:
    """Read how people's means change with ln(rows): the slope through the bins, and what noise may hide of it."""
    if leans is None or rows is None:
        return UNKNOWN_LEAN
    people = believed(rows)
    held = people > 0
    if held.sum() < 2:
        return UNKNOWN_LEAN
    means = np.asarray(leans.counts, dtype=np.float64)[held] / people[held] / LEAN_STEPS
    places = np.asarray(leans.measured.bins, dtype=np.float64)[held] * math.log(2) / 2
    noise = leans.sigma / LEAN_STEPS
    known = people[held] ** 2 / (noise**2 + people[held])  # of each bin's mean; people differ, each by at most 1
    weights = known * np.exp(places / 2)  # who has more rows counts for more in an average, and is cut
    apart = places - float(weights @ places) / float(weights.sum())
    across = float(weights @ apart**2)
    slope = float(weights @ (apart * means)) / across
    return min(1.0, max(abs(slope), math.sqrt(float((weights * apart) ** 2 @ (1 / known))) / across))


def least_norm(aim: MeanAim, norms: Sequence[float], pico_rho: int, pico_rho_sum: int) -> float:
    """Choose the norm of least expected error, and of as good ones the smallest."""
    return min(norms, key=lambda norm: aim.error(norm, pico_rho, pico_rho_sum))
