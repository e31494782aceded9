"""What bounding is expected to cut away is given back: how far a corrected number may still be off, from public facts.

A number that keeps a share k of its total is divided by k. That is right for the total; a group keeps another share
where other people are in it (`proofs.md#correction`).
"""

from __future__ import annotations

import math

import numpy as np

from engine.pricing.norms.norm_spread import Spread

MOST_LOST = 0.5  # of a total: for more, the correction itself would be most of the answer
MISREAD_PERSONS = 0.1  # of what is lost of them: how far a noisy histogram tells it wrongly
MISREAD = 0.06  # of how unevenly people are cut: how far the spread that is read in a histogram's bins may be wrong
WITHIN_BINS = 0.005  # the same, how far it is wrong as a rule by how people lie within bins: norms are chosen by this
UNTOLD = 0.1  # of a squared norm: what is no further from rows that fall by chance is not told from them
UNLIKE = 0.12  # of how unevenly people are cut: how far groups differ in it, where people prefer some groups
OF_PERSONS = 0.3  # of what is lost of persons, each of whom counts once in a group: how far groups differ in it
ALIGNED = 0.4  # of what people's preferences could add up to if all of them preferred the same groups
UNEVEN = 1.0  # squared coefficient of variation of groups: places differ in size by about as much as their mean
DEVIATIONS = 3.0  # that are told: nineteen of twenty groups lie within them, as a few are far from the others


def usual_size(spread: Spread, groups: float) -> float:
    """Give the size of a usual group, in the vector's unit: the root of the mean squared size."""
    return math.sqrt(1 + UNEVEN * (1 - 1 / groups)) * spread.total / groups


def off_by(spread: Spread, norm: float, groups: float, *, rows: bool, persons: bool, usually: bool = False) -> float:
    """Give the standard deviation of what is wrong with a corrected number, as a share of a usual group.

    Claim: a function of public histograms, whose worth is measured and not proven. Symbols: people with norms r_i and
    totals t_i over G groups keep k_i = min(1, C/r_i), all together k; e_i = k_i/k - 1. Formula: the root of the sum of
    squares of four parts: by chance sum (r_i^2 - t_i^2/G) e_i^2 / G; unlike groups and a misread bin, each in
    proportion to the root of sum t_i e_i^2 / sum t_i; noise in the histogram. What is wrong `usually` has a smaller
    third part. Raises nothing. Source and proof: proofs.md#correction
    """
    lost = spread.lost(norm)
    kept = 1 - lost
    cut = np.abs(spread.kept(norm) / kept - 1)
    size = usual_size(spread, groups)
    uneven = np.maximum(0.0, spread.norms**2 - spread.totals**2 / groups)  # of one person, over the groups
    by_chance = math.sqrt(float(spread.people @ (uneven * cut**2)) / groups) / size
    if persons:  # of who is in which groups a histogram of their number says nothing
        return math.hypot(by_chance, OF_PERSONS * lost / kept, MISREAD_PERSONS * lost / kept)
    unevenly = math.sqrt(float((spread.people * spread.totals) @ cut**2) / spread.total)
    drawn = spread.totals * (1 - 1 / groups) + UNTOLD * spread.norms**2 if rows else 0.0  # by chance alone, or nearly
    preferring = float(spread.people @ (cut * np.sqrt(np.maximum(0.0, uneven - drawn) / groups))) / size
    unlike = min(UNLIKE * unevenly, ALIGNED * preferring)
    misread = math.hypot(WITHIN_BINS * unevenly, spread.mispaired(norm)) if usually else MISREAD * unevenly
    return math.hypot(by_chance, unlike, misread, spread.misread(norm))
