"""Shrinkage: numbers below their noise move to what such groups usually hold, by empirical Bayes.

Where an answer has many groups that noise hides, a single number of them is mostly noise, but all of them together show
how such groups are distributed. Each number becomes its expected value given both. The sum over these groups stays, as
does the order of the groups; numbers well above the noise stay as they were released. Intervals are of the released
numbers, and hold each group's exact number whatever the others are.

    120, -340, 80, 15, -60, ... (noise 150)   ->   48, 12, 41, 29, 21, ...

Everything here is post-processing. Source: Robbins, Proc. Third Berkeley Symp. 1 (1956) 157-163; Efron and Morris,
J. Am. Stat. Assoc. 67 (1972) 130-139, whose limited translation bounds how far one number moves.

Terms:
    near    numbers so close to 0 that they are shrunk: below NEAR deviations of the noise
    prior   distribution of the exact numbers of near groups, in deviations of the noise
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa

from dialect import Question
from dialect.postprocess import column_limits
from engine.mechanism.answer import Answer
from engine.mechanism.intervals import Flags, Floats

NEAR = 5.0
FULLY_SHRUNK = 4.0  # from here on to NEAR, less and less
LEAST_GROUPS = 10  # fewer near groups tell too little of each other
LARGEST_MOVE = 1.9  # in deviations: less than the half-width of a 95% interval
LEAST_FACTOR = 1e-3  # of expected values, for the sum
FACTOR_STEPS = 30  # of the bisection that finds it
SPREADS = (0.2, 0.35, 0.5, 0.75, 1.0, 1.4, 1.9, 2.5)  # of the logarithms, by candidate prior
FITTING_STEPS = 2  # of expectation maximization: after many, a prior follows the noise
POSITIVE_PLACES = np.concatenate([np.geomspace(0.05, 1.0, 12)[:-1], np.arange(1.0, NEAR + 3.0, 1 / 3)])
PLACES = np.concatenate([[0.0], POSITIVE_PLACES])
LARGEST_INTEGER = 2.0**53  # that floats hold exactly


def shrink_numbers(answer: Answer, question: Question) -> Answer:
    """Shrink the columns of an answer that are one noisy number each, and never negative.

    Claim: shrunk numbers are a function of released numbers and public facts, and lie within their intervals. Raises:
    nothing. Source: Robbins; Efron and Morris. Proof: proofs.md#shrinkage
    """
    limits = {column.name: least for column, (least, _) in zip(question.columns, column_limits(question), strict=True)}
    table, counts = answer.table, dict[str, int]()
    for name, deviation in answer.noise.items():
        column = table.column(name)
        if limits[name] < 0 or column.null_count or table.num_rows < LEAST_GROUPS:
            continue
        noisy: Floats = column.cast(pa.float64(), safe=False).to_numpy()
        is_integer = pa.types.is_integer(column.type)
        shrunk, is_near = shrink(noisy, deviation)
        if not is_near.any() or (is_integer and np.abs(noisy).max() >= LARGEST_INTEGER):
            continue
        lower, upper = (ends[is_near] for ends in answer.intervals[name])
        near = _in_order(np.fmin(np.fmax(shrunk[is_near], lower), upper), noisy[is_near])
        shrunk[is_near] = _round_to_sum(near) if is_integer else near
        table = table.set_column(table.column_names.index(name), name, pa.array(shrunk).cast(column.type))
        counts[name] = int(is_near.sum())
    return replace(answer, table=table, shrunk=counts)


def shrink(noisy: Floats, deviation: float) -> tuple[Floats, Flags]:
    """Shrink numbers with noise of one deviation; and mark those that are near.

    Claim: numbers keep their order, none moves down by more than LARGEST_MOVE nor up beyond 0 by more, the sum of the
    near ones stays where these moves allow it, and the others stay. Symbols: x = the number, in deviations; w = 1 up to
    FULLY_SHRUNK, falling to 0 at NEAR; m = its expected value. Formula: (1 - w) x + w t, where t = s m within the moves
    that are allowed, with s such that the sum stays; then isotonic. All stay if none is below 0: then nothing shows
    that noise hides any. Proof: proofs.md#shrinkage
    """
    is_near = noisy < NEAR * deviation
    if is_near.sum() < LEAST_GROUPS or noisy.min() >= 0:
        return noisy, np.zeros_like(is_near)
    x = noisy[is_near] / deviation
    weights = np.clip((NEAR - x) / (NEAR - FULLY_SHRUNK), 0.0, 1.0)
    shrunk = noisy.copy()
    shrunk[is_near] = deviation * _isotonic((1 - weights) * x + weights * _moved(x, weights), x)
    return shrunk, is_near


def _moved(x: Floats, weights: Floats) -> Floats:
    """Multiply expected values by a factor that leaves the weighted sum of x, within the moves that are allowed.

    No number moves above both itself and its expected value, so that a single large one does not take what others lose.
    """
    expected = _expected_values(x)
    least = np.maximum(x - LARGEST_MOVE, 0.0)
    most = np.minimum(np.minimum(np.maximum(x, expected), np.maximum(x + LARGEST_MOVE, 0.0)), NEAR)
    factor, lower, upper, total = 1.0, LEAST_FACTOR, 1 / LEAST_FACTOR, float(weights @ x)
    for _ in range(FACTOR_STEPS):
        moved = np.clip(factor * expected, least, most)
        lower, upper = (factor, upper) if weights @ moved < total else (lower, factor)
        factor = float(np.sqrt(lower * upper))
    missing = total - float(weights @ moved)
    limit = most if missing > 0 else least
    possible = float(weights @ (limit - moved))
    share = min(1.0, missing / possible) if missing * possible > 0 else 0.0
    moved += share * (limit - moved)
    return moved


def _expected_values(x: Floats) -> Floats:
    """Compute expected exact values of numbers with standard normal noise, by a prior that is fitted to them.

    Candidate priors are log-normal, of the numbers' mean; they count by their likelihood. Numbers are rounded here, so
    that time and memory do not grow with them.
    """
    rounded, places, counts = np.unique(np.round(x, 2), return_inverse=True, return_counts=True)
    likelihood = np.exp(-((rounded[:, None] - PLACES) ** 2) / 2) + 1e-300
    mean = max(float(x.mean()), 1 / np.sqrt(len(x)))
    priors = np.array([_log_normal(mean, spread) for spread in SPREADS])
    fits = counts @ np.log(likelihood @ priors.T)
    prior = np.exp(fits - fits.max()) @ priors
    for _ in range(FITTING_STEPS):
        prior = counts @ _posteriors(likelihood, prior) / len(x)
    return (_posteriors(likelihood, prior) @ PLACES)[places]


def _posteriors(likelihood: Floats, prior: Floats) -> Floats:
    """Posterior distributions over PLACES, one row per number."""
    joint = likelihood * prior
    return joint / joint.sum(axis=1, keepdims=True)


def _log_normal(mean: float, spread: float) -> Floats:
    """Log-normal distribution over PLACES."""
    logs = np.log(POSITIVE_PLACES)
    masses = np.gradient(logs) * np.exp(-(((logs - np.log(mean)) / spread + spread / 2) ** 2) / 2)
    return np.concatenate([[0.0], masses / masses.sum()])


def _in_order(values: Floats, by: Floats) -> Floats:
    """Lower values to the least one of any larger number: upper ends, moved to natural limits, need not rise."""
    order = np.argsort(by, kind="stable")
    rising = np.empty_like(values)
    rising[order] = np.minimum.accumulate(values[order][::-1])[::-1]
    return rising


def _isotonic(values: Floats, by: Floats) -> Floats:
    """Isotonic regression: the nearest values that rise with `by`, of the same sum."""
    order = np.argsort(by, kind="stable")
    blocks: list[tuple[float, int]] = []  # sum and size
    for value in values[order]:
        total, size = float(value), 1
        while blocks and blocks[-1][0] * size > total * blocks[-1][1]:
            below, count = blocks.pop()
            total, size = total + below, size + count
        blocks.append((total, size))
    rising = np.empty_like(values)
    rising[order] = np.concatenate([np.full(size, total / size) for total, size in blocks])
    return rising


def _round_to_sum(values: Floats) -> Floats:
    """Round numbers to integers of the same sum, but for ties: fractions from a common threshold on are rounded up."""
    whole = np.floor(values)
    fractions = values - whole
    missing = round(float(fractions.sum()))
    if missing == 0:
        return whole
    threshold = np.partition(fractions, -missing)[-missing]
    return whole + ((fractions >= threshold) & (fractions > 0))
