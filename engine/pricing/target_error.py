"""Accuracy-to-budget solver: the smallest price at which every data-independent error meets the target.

The price of a query here is the price of each of its releases, in whole pico-rho (`proofs.md#least_price`). It follows
from text, catalog and stored answers, never from data. Interval widths that depend on the answer are predicted from a
stored answer, with the noise that another price would give.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from statistics import median

import numpy as np
import pyarrow as pa

from budgets import MINIMUM_RHO, PICO, PaidRelease
from dialect import Code, Question, Refusal
from dialect.algebra import Note, NoteCode
from dialect.parser import TargetError
from engine.mechanism.answer import Answer
from engine.mechanism.gaussian import gaussian_scale
from engine.mechanism.release import Release
from engine.pricing.expected_error import Noise, Scales, Width, noise_of, widths
from engine.pricing.prepare import Prepared, Sized, scales_of

MOST_PICO_RHO = 10**17  # of the whole query: no account has as much
Limits = Mapping[str, Fraction]  # the largest half-width of each column
Scale = Callable[[int, int], float]  # sensitivity, pico-rho -> sigma


@dataclass(frozen=True)
class Aim:
    """Query with a target error instead of a price."""

    question: Question
    sized: tuple[Sized, ...]
    target: TargetError
    confidence: float
    known: Mapping[str, Width]  # columns with a data-independent width
    others: tuple[str, ...] = ()  # columns whose width depends on the answer: predicted from a stored one

    def refused(self, why: str, hint: str) -> Refusal:
        """Refusal of the target error, with its place in the SQL text."""
        return Refusal(Code.PARAM, why, hint, self.question.options.span("target_error"))

    def noise(self, price: int, scale: Scale = gaussian_scale) -> Noise | None:
        """Noise at a price per release; None if some vector's share is below one pico-rho."""
        if any(min(each.shares(price)) < 1 for each in self.sized):
            return None
        return noise_of(self.question, tuple(scales_at(each, price, scale) for each in self.sized))

    def meets(self, price: int, limits: Limits, scale: Scale = gaussian_scale) -> bool:
        """Return whether every limited column is at most as wide as its limit at this price."""
        noise = self.noise(price, scale)
        return noise is not None and all(
            Fraction(self.known[name].at(noise, self.confidence)) <= limit for name, limit in limits.items()
        )


def aim_of(question: Question, sized: tuple[Sized, ...], target: TargetError, confidence: float) -> Aim:
    """Determine which columns a target error applies to. Raises Refusal with E_PARAM if no column is noisy."""
    found = widths(question)
    known = {name: width for name, width in found.items() if width is not None}
    others = tuple(name for name, width in found.items() if width is None)
    aim = Aim(question, sized, target, confidence, known, others)
    if not found:
        raise aim.refused("No shown number has noise in it.", "rho = 0.005, or the numbers themselves as columns")
    return aim


def scales_at(made: Sized, price: int, scale: Scale) -> tuple[tuple[float, float], ...]:
    """Grain in units and noise scale in grains of each query vector at a price."""
    pairs = zip(made.bounds(price).vectors, made.shares(price), strict=True)
    return tuple((bound.grain, scale(bound.sensitivity, share)) for bound, share in pairs)


def _ideal(sensitivity: int, pico_rho: int) -> float:
    """Noise scale in closed form, before the mechanism rounds it up to a certified value."""
    return float(sensitivity / (2 * pico_rho / PICO) ** 0.5)


def least_price(aim: Aim, limits: Limits) -> int:
    """Smallest price per release, in pico-rho, at which every limited column is at most as wide as its limit.

    Claim: the price meets the limits, and one pico-rho less does not, unless it is the minimum price of a query.
    Symbols: `limits` = half-widths by column. Formula: bisection over whole pico-rho, first with the closed form of the
    scale, then with the scales that the mechanism certifies. Source and proof: proofs.md#least_price.
    Raises: Refusal with E_PARAM where no price meets them.
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
    """Bisect for the smallest price in (low, high] that meets a monotone condition."""
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if met(middle) else (middle, high)
    return high


Shown = Callable[[int], pa.Table]  # price -> stored answer
Named = Callable[[str], str]  # release key -> key of its newest stored generation
Foresee = Callable[[int, int], Mapping[str, float]]  # stored price, other price -> half-widths predicted for the other


def aimed_price(aim: Aim, held: Sequence[int], shown: Shown, foresee: Foresee) -> int:
    """Price per release for a target error: one already paid by this client if it is enough, else the smallest.

    `paid_prices` = the prices, rising, at which this client has all releases of the query stored. Raises Refusal where
    the width depends on the answer and no stored answer predicts it.
    """
    if aim.known and not aim.target.relative:
        needed = least_price(aim, dict.fromkeys(aim.known, aim.target.amount))
        return next((price for price in held if price >= needed), needed)
    found = (_need(aim, price, shown, foresee) for price in held)
    needs = [need for need in found if need is not None]
    if not needs:
        raise _unheld(aim, held)
    enough = ((price, needed) for needed in needs for price in held if price >= needed)
    return next((price for price, _ in enough), needs[-1])


def _need(aim: Aim, held: int, shown: Shown, foresee: Foresee) -> int | None:
    """Price at which a stored answer predicts that the target is met; None if it can't predict the width."""
    seen = {name: width for name, width in foresee(held, held).items() if name in aim.others}
    limits = _limits(aim, held, shown, seen)
    if not limits:
        return None
    known = {name: limit for name, limit in limits.items() if name in aim.known}
    needed = least_price(aim, known) if known else 0
    others = {name: float(limit) for name, limit in limits.items() if name in seen}
    return max(needed, foreseen_price(aim, held, others, foresee)) if others else needed


def _limits(aim: Aim, held: int, shown: Shown, seen: Mapping[str, float]) -> Limits:
    """Largest half-width of each column; empty if a column of the stored answer is within its noise of 0."""
    if not aim.target.relative:
        clear = bool(seen) and max(seen.values()) < math.inf
        return dict.fromkeys(seen, aim.target.amount) if clear else {}
    noise, table = aim.noise(held), shown(held)
    limits: dict[str, Fraction] = {}
    for name in (*aim.known, *seen):
        sizes = [abs(value) for value in table.column(name).to_pylist() if value is not None]
        typical = median(sizes) if sizes else 0.0
        width = aim.known[name].at(noise, aim.confidence) if noise and name in aim.known else seen.get(name, math.inf)
        if typical <= width:
            return {}
        limits[name] = aim.target.amount * Fraction(typical)
    return limits


def foreseen_price(aim: Aim, held: int, limits: Mapping[str, float], foresee: Foresee) -> int:
    """Smallest price, within 0.1%, at which a stored answer predicts that every limit is met.

    Claim: post-processing of a stored release. Symbols: `paid_price` = its price; limits by column. Formula:
    half-widths of the stored numbers under the noise of another price; bisection of its logarithm to a thousandth.
    Proof: proofs.md#foreseen_price. Raises: Refusal with E_PARAM where no price meets them.
    """
    least, most = -(-int(MINIMUM_RHO * PICO) // len(aim.sized)), MOST_PICO_RHO // len(aim.sized)

    def met(price: int) -> bool:
        seen = foresee(held, price)
        return all(seen.get(name, math.inf) <= limit for name, limit in limits.items())

    low, high = float(least), float(held)
    while high < most and not met(int(high)):
        low, high = high, min(high * 16, most)
    if not met(int(high)):
        raise aim.refused(f"Even rho {MOST_PICO_RHO // PICO:,} does not reach this error.", "a larger target_error")
    if met(least):
        return least
    while high > low * 1.001:
        middle = math.sqrt(low * high)
        low, high = (low, middle) if met(int(middle)) else (middle, high)
    return int(high)


def _unheld(aim: Aim, held: Sequence[int]) -> Refusal:
    if held and not aim.target.relative:
        why = "What you hold of this question is too weak to tell how wide its intervals will be."
        return aim.refused(why, "ask with a higher rho first")
    if held:
        why = "What you hold of this question is not clear of 0 within its noise, so that no share of it is known."
        return aim.refused(why, "target_error = 50, an amount; or rho = 0.005 first")
    if not aim.target.relative:
        why = "How wide such intervals are depends on the answer, and you hold none of this question to tell from."
        return aim.refused(why, "ask with rho = 0.0005 first; or COUNT(*) and SUM(x) as columns of their own")
    why = "A share is taken of an answer that you hold already, and you hold none of this question."
    return aim.refused(why, "target_error = 50, an amount; or ask with rho = 0.0005 first")


def held_prices(sized: Iterable[Sized], paid: Iterable[PaidRelease], delta: Fraction, named: Named) -> tuple[int, ...]:
    """Prices, rising, at which all these releases are paid for and stored; `current_key` maps to the newest key."""
    stored = [each for each in paid if each.settled_at is not None]
    sets = [set(_held(made, stored, delta, named)) for made in sized]
    return tuple(sorted(set.intersection(*sets))) if sets else ()


def _held(made: Sized, stored: Iterable[PaidRelease], delta: Fraction, named: Named) -> Iterator[int]:
    for each in stored:
        if (each.dataset, each.question) != (made.plan.dataset, made.plan.canonical):
            continue
        if min(made.shares(each.loss.pico_rho)) >= 1:
            cost = made.cost(each.loss.rho, delta)
            if named(made.release_key(cost)) == each.release_key:
                yield each.loss.pico_rho


def aimed_notes(
    question: Question, prepared: tuple[Prepared, ...], target: TargetError | None, confidence: float
) -> tuple[Note, ...]:
    """Describe what a target error led to: the errors and the price, and the columns it does not cover."""
    if target is None or not prepared:
        return ()
    price = float(sum((p.cost.loss.rho for p in prepared), Fraction(0)))
    errors, others = errors_of(question, scales_of(prepared), confidence), _others(question)
    aimed = target.relative or not errors  # at the others too
    bought = f"target_error {target}: {f'{errors_told(errors)}, ' if errors else ''}for rho {price:.3g}."
    notes = [Note(NoteCode.TARGET, bought)]
    if others and aimed:
        about = f"{others}: estimated from answers that you hold, so about half of its intervals reach the target."
        notes.append(Note(NoteCode.TARGET_OPEN, about))
    elif others:
        about = f"{others}: not bound by target_error, as the width of its intervals depends on the answer."
        notes.append(Note(NoteCode.TARGET_OPEN, about))
    return tuple(notes)


def _others(question: Question) -> str:
    return ", ".join(name for name, width in widths(question).items() if width is None)


def at_price(release: Release, made: Sized, price: int) -> Release:
    """Return a stored release with the noise scales of another price: its prediction of an answer at that price."""
    scales = zip(scales_at(made, price, gaussian_scale), release.grains, strict=True)
    return replace(release, sigmas=tuple(sigma * unit / grain for (unit, sigma), grain in scales))


def typical_widths(answer: Answer) -> dict[str, float]:
    """Median half-width of each column; a number without an interval counts as infinitely wide."""
    halves = {name: (upper - lower) / 2 for name, (lower, upper) in answer.intervals.items()}
    return {
        name: float(np.median(np.where(np.isnan(half), np.inf, half))) for name, half in halves.items() if len(half)
    }


def errors_at(question: Question, prepared: Sequence[Prepared], price: int, confidence: float) -> dict[str, float]:
    """Data-independent half-widths if each release cost this price; empty if a share is below one pico-rho."""
    sized = tuple(p.sized for p in prepared)
    if not sized or any(min(each.shares(price)) < 1 for each in sized):
        return {}
    return errors_of(question, tuple(scales_at(each, price, gaussian_scale) for each in sized), confidence)


def errors_of(question: Question, scales: Scales, confidence: float) -> dict[str, float]:
    """Data-independent half-width of each column at the given noise scales."""
    noise = noise_of(question, scales)
    known = {name: width for name, width in widths(question).items() if width is not None}
    return {name: width.at(noise, confidence) for name, width in known.items()}


def errors_told(errors: Mapping[str, float]) -> str:
    """Format half-widths, such as `n ± 5`; an unnamed column appears as its SQL."""
    shown = {"count_star()": "COUNT(*)"}
    return ", ".join(f"{shown.get(name, name)} ± {width:,.6g}" for name, width in errors.items())
