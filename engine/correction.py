"""What bounding is expected to cut away is given back: how far a corrected number may still be off, from public facts.

A number that keeps a share k of its total is divided by k. That is right for the total; a group keeps another share
where other people are in it (`proofs.md#correction`).
"""

from __future__ import annotations

import math

import numpy as np

from engine.norm_spread import Spread

MOST_LOST = 0.5  # of a total: for more, the correction itself would be most of the answer
MISREAD = 0.1  # of what is lost: how far a noisy histogram tells it wrongly
UNLIKE = 0.3  # of what is lost: how far groups differ in it, where people prefer some groups
ALIGNED = 0.4  # of what people's preferences could add up to if all of them preferred the same groups
UNEVEN = 1.0  # squared coefficient of variation of groups: places differ in size by about as much as their mean
DEVIATIONS = 2.0  # that are told: nineteen of twenty groups lie within them


def usual_size(spread: Spread, groups: float) -> float:
    """Give the size of a usual group: the root of the mean squared size."""
    return math.sqrt(1 + UNEVEN * (1 - 1 / groups)) * spread.total / groups


def off_by(spread: Spread, norm: float, groups: float, *, rows: bool, persons: bool) -> float:
    """Give the standard deviation of what is wrong with a corrected number, as a share of a usual group.

    Claim: a function of public histograms, whose worth is measured and not proven. Symbols: people with norms r_i and
    totals t_i over G groups keep k_i = min(1, C/r_i), all together k. Formula: the root of the sum of squares of three
    parts: by chance sum (r_i^2 - t_i^2/G) (1 - k_i/k)^2 / G, unlike groups, a misread histogram. Raises nothing.
    Source and proof: proofs.md#correction
    """
    lost, size = spread.lost(norm), usual_size(spread, groups)
    kept = 1 - lost
    cut = np.abs(1 - spread.kept(norm) / kept)
    uneven = np.maximum(0.0, spread.norms**2 - spread.totals**2 / groups)  # of one person, over the groups
    by_chance = math.sqrt(float(spread.people @ (uneven * cut**2)) / groups) / size
    unlike = UNLIKE * lost / kept
    if not persons:  # of who is in which groups a histogram of their number says nothing
        drawn = spread.totals * (1 - 1 / groups) if rows else 0.0  # rows that fall into groups by chance alone
        preferring = float(spread.people @ (cut * np.sqrt(np.maximum(0.0, uneven - drawn) / groups))) / size
        unlike = min(unlike, ALIGNED * preferring)
    return math.hypot(by_chance, unlike, MISREAD * lost / kept)
