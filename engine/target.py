"""question + target error -> the least price that reaches it: from text, catalog and what the asker holds, never data.

A price here is what each release of the question costs, in whole pico-rho (`proofs.md#least_price`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from statistics import median

import pyarrow as pa

from budgets import MINIMUM_RHO, PICO, PaidRelease
from dialect import Catalog, Code, Question, Refusal
from dialect.options import TargetError
from engine.expected import Noise, Scales, Width, noise_of, widths
from engine.noise import gaussian_scale
from engine.prepare import Prepared, Sized, scales_of

MOST_PICO_RHO = 10**17  # of the whole question: no account has as much
Limits = Mapping[str, Fraction]  # the largest half-width of each column
Scale = Callable[[int, int], float]  # sensitivity, pico-rho -> sigma
Shown = Callable[[int], pa.Table]  # the answer at a price that the asker holds


@dataclass(frozen=True)
class Aim:
    """A question that names an error instead of a price."""

    question: Question
    sized: tuple[Sized, ...]
    target: TargetError
    confidence: float
    known: Mapping[str, Width]  # the columns whose width no data decide

    def refused(self, why: str, hint: str) -> Refusal:
        """Refuse the target where it stands."""
        return Refusal(Code.PARAM, why, hint, self.question.options.span("target_error"))

    def noise(self, price: int, scale: Scale = gaussian_scale) -> Noise | None:
        """Give the noise at a price; None where a vector's part of it is nothing."""
        if any(price < len(each.plan.vectors) for each in self.sized):
            return None
        return noise_of(self.question, tuple(_scales(each, price, scale) for each in self.sized))

    def meets(self, price: int, limits: Limits, scale: Scale = gaussian_scale) -> bool:
        """Tell whether every limited column is as narrow as its limit at a price."""
        noise = self.noise(price, scale)
        return noise is not None and all(
            Fraction(self.known[name].at(noise, self.confidence)) <= limit for name, limit in limits.items()
        )


def aim_of(question: Question, sized: tuple[Sized, ...], target: TargetError, confidence: float) -> Aim:
    """Find the columns that a target speaks of; raises Refusal with E_PARAM where there are none."""
    known = {name: width for name, width in widths(question).items() if width is not None}
    aim = Aim(question, sized, target, confidence, known)
    if not known:
        why = "No shown number has an error that is known beforehand: ratios and quantiles depend on the answer."
        raise aim.refused(why, "rho = 0.005, or COUNT(*) and SUM(x) as columns of their own")
    return aim


def _scales(made: Sized, price: int, scale: Scale) -> tuple[tuple[float, float], ...]:
    share = price // len(made.plan.vectors)
    return tuple((bound.grain, scale(bound.sensitivity, share)) for bound in made.bounds.vectors)


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


def aimed_price(aim: Aim, held: Sequence[int], shown: Shown) -> int:
    """Choose what each release costs: a price that the asker has paid already, if it is enough; else the least.

    `held` are the prices, rising, at which this client holds all releases of the question.
    """
    if not aim.target.relative:
        needed = least_price(aim, dict.fromkeys(aim.known, aim.target.amount))
        return next((price for price in held if price >= needed), needed)
    needs = [least_price(aim, limits) for price in held if (limits := _relative(aim, price, shown))]
    if not needs:
        raise _unheld(aim, held)
    enough = ((price, needed) for needed in needs for price in held if price >= needed)
    return next((price for price, _ in enough), needs[-1])


def _relative(aim: Aim, price: int, shown: Shown) -> Limits:
    """Take a share of what the asker holds; nothing where some column is not clear of 0 within its noise."""
    noise, table = aim.noise(price), shown(price)
    limits: dict[str, Fraction] = {}
    for name, width in aim.known.items():
        sizes = [abs(value) for value in table.column(name).to_pylist() if value is not None]
        typical = median(sizes) if sizes else 0.0
        if noise is None or typical <= width.at(noise, aim.confidence):
            return {}
        limits[name] = aim.target.amount * Fraction(typical)
    return limits


def _unheld(aim: Aim, held: Sequence[int]) -> Refusal:
    if held:
        why = "What you hold of this question is not clear of 0 within its noise, so that no share of it is known."
        return aim.refused(why, "target_error = 50, an amount; or rho = 0.005 first")
    why = "A share is taken of an answer that you hold already, and you hold none of this question."
    return aim.refused(why, "target_error = 50, an amount; or ask with rho = 0.0005 first")


def held_prices(
    sized: Iterable[Sized], paid: Iterable[PaidRelease], catalog: Catalog, delta: Fraction
) -> tuple[int, ...]:
    """List the prices, rising, at which every one of these releases was paid for and stored."""
    stored = [each for each in paid if each.settled_at is not None]
    sets = [set(_held(made, stored, catalog, delta)) for made in sized]
    return tuple(sorted(set.intersection(*sets))) if sets else ()


def _held(made: Sized, stored: Iterable[PaidRelease], catalog: Catalog, delta: Fraction) -> Iterator[int]:
    for each in stored:
        if (each.dataset, each.question) != (made.plan.dataset, made.plan.canonical):
            continue
        if each.loss.pico_rho >= len(made.plan.vectors):
            cost = made.cost(catalog, each.loss.rho, delta)
            if made.release_key(catalog, cost) == each.release_key:
                yield each.loss.pico_rho


def aimed_notes(
    question: Question, prepared: tuple[Prepared, ...], target: TargetError | None, confidence: float
) -> tuple[str, ...]:
    """Say what a target bought, and which columns it does not speak of."""
    if target is None or not prepared:
        return ()
    price = float(sum((p.cost.loss.rho for p in prepared), Fraction(0)))
    bought = errors_told(errors_of(question, scales_of(prepared), confidence))
    told = [f"target_error {target}: {bought}, for rho {price:.3g}"]
    others = [name for name, width in widths(question).items() if width is None]
    if others:
        what = ", ".join(others)
        told.append(f"{what}: not aimed at by target_error, as the width of its intervals depends on the answer")
    return tuple(told)


def errors_at(question: Question, prepared: Sequence[Prepared], price: int, confidence: float) -> dict[str, float]:
    """Give the half-widths that no data decide, were each release priced so; none where a price buys nothing."""
    sized = tuple(Sized(p.plan, p.bounds, p.key_count) for p in prepared)
    if not sized or price < max(len(each.plan.vectors) for each in sized):
        return {}
    return errors_of(question, tuple(_scales(each, price, gaussian_scale) for each in sized), confidence)


def errors_of(question: Question, scales: Scales, confidence: float) -> dict[str, float]:
    """Give the half-width of each column that no data decide."""
    noise = noise_of(question, scales)
    known = {name: width for name, width in widths(question).items() if width is not None}
    return {name: width.at(noise, confidence) for name, width in known.items()}


def errors_told(errors: Mapping[str, float]) -> str:
    """Write half-widths: n ± 5."""
    return ", ".join(f"{name} ± {width:,.6g}" for name, width in errors.items())
