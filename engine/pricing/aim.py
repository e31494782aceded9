"""question + target error -> an aim, and the least price at which what no data decide is exact enough.

A price here is what each release of the question costs, in whole pico-rho (`proofs.md#least_price`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from budgets import MINIMUM_RHO, PICO
from dialect import Code, Question, Refusal
from dialect.parser.options import TargetError
from engine.mechanism.gaussian import gaussian_scale
from engine.pricing.expected_error import Noise, Width, noise_of, widths
from engine.pricing.prepare import Sized

MOST_PICO_RHO = 10**17  # of the whole question: no account has as much
Limits = Mapping[str, Fraction]  # the largest half-width of each column
Scale = Callable[[int, int], float]  # sensitivity, pico-rho -> sigma


@dataclass(frozen=True)
class Aim:
    """A question that names an error instead of a price."""

    question: Question
    sized: tuple[Sized, ...]
    target: TargetError
    confidence: float
    known: Mapping[str, Width]  # the columns whose width no data decide
    others: tuple[str, ...] = ()  # those whose width depends on the answer: foreseen from one that the asker holds

    def refused(self, why: str, hint: str) -> Refusal:
        """Refuse the target where it stands."""
        return Refusal(Code.PARAM, why, hint, self.question.options.span("target_error"))

    def noise(self, price: int, scale: Scale = gaussian_scale) -> Noise | None:
        """Give the noise at a price; None where a vector's part of it is nothing."""
        if any(min(each.shares(price)) < 1 for each in self.sized):
            return None
        return noise_of(self.question, tuple(scales_at(each, price, scale) for each in self.sized))

    def meets(self, price: int, limits: Limits, scale: Scale = gaussian_scale) -> bool:
        """Tell whether every limited column is as narrow as its limit at a price."""
        noise = self.noise(price, scale)
        return noise is not None and all(
            Fraction(self.known[name].at(noise, self.confidence)) <= limit for name, limit in limits.items()
        )


def aim_of(question: Question, sized: tuple[Sized, ...], target: TargetError, confidence: float) -> Aim:
    """Find the columns that a target speaks of; raises Refusal with E_PARAM where there are none."""
    found = widths(question)
    known = {name: width for name, width in found.items() if width is not None}
    others = tuple(name for name, width in found.items() if width is None)
    aim = Aim(question, sized, target, confidence, known, others)
    if not found:
        raise aim.refused("No shown number has noise in it.", "rho = 0.005, or the numbers themselves as columns")
    return aim


def scales_at(made: Sized, price: int, scale: Scale) -> tuple[tuple[float, float], ...]:
    """Give the unit of each vector and its noise at a price."""
    pairs = zip(made.bounds(price).vectors, made.shares(price), strict=True)
    return tuple((bound.grain, scale(bound.sensitivity, share)) for bound, share in pairs)


def _ideal(sensitivity: int, pico_rho: int) -> float:
    """Give the scale without the last floats, which only the mechanism itself can tell."""
    return float(sensitivity / (2 * pico_rho / PICO) ** 0.5)


def least_price(aim: Aim, limits: Limits) -> int:
    """Find the least price of each release at which every limited column is as narrow as its limit.

    Claim: the price meets the limits, and one pico-rho less misses them, unless it is the least that a question may
    cost. Symbols: `limits` = half-widths by column. Formula: bisection over whole pico-rho, first with the closed form
    of the scale, then with the scales that the mechanism certifies. Source and proof: proofs.md#least_price.
    Raises: Refusal with E_PARAM where no price reaches them.
    """
    count = len(aim.sized)
    least = -(-int(MINIMUM_RHO * PICO) // count)
    most = MOST_PICO_RHO // count
    if aim.meets(least, limits):
        return least
    if not aim.meets(most, limits):
        why = f"Even rho {MOST_PICO_RHO // PICO:,} does not reach this error."
        raise aim.refused(why, "target_error = 50, or another larger one")
    start = _between(least, most, lambda price: aim.meets(price, limits, _ideal))
    low, high, step = start - 1, start, 1
    while not aim.meets(high, limits):
        low, high, step = high, min(most, high + step), 2 * step
    while low > least and aim.meets(low, limits):
        low, high, step = max(least, low - step), low, 2 * step
    return _between(low, high, lambda price: aim.meets(price, limits))


def _between(low: int, high: int, met: Callable[[int], bool]) -> int:
    """Bisect down to a price that is met, the one below it being missed."""
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if met(middle) else (middle, high)
    return high
