"""Accuracy-to-budget solver: the smallest price at which every data-independent error meets the target.

The price of a query here is the price of each of its releases, in whole pico-rho (`proofs.md#least_price`). It follows
from text, catalog and stored answers, never from data. Interval widths that depend on the answer are predicted from a
stored answer, with the noise that another price would give.

Terms:
    data-independent width  half-width of a column that is a linear combination of raw noisy numbers: noise decides it
    data-dependent width    half-width that depends on the answer, as a ratio's does
    paid price              price at which the client has every release of the query stored already
    limit                   largest half-width of a column at which the target is met
    share                   part of a release's price that one query vector gets, in pico-rho
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from statistics import median

import numpy as np
import pyarrow as pa

from budgets import MIN_QUERY_RHO, PICO, PaidRelease
from dialect import Question, Refusal
from dialect.algebra import Note, NoteCode
from dialect.parser import TargetError
from dialect.postprocess import ResultColumn
from engine.errors import EngineKind
from engine.mechanism.answer import Answer
from engine.mechanism.gaussian import gaussian_scale
from engine.mechanism.release import Release
from engine.pricing.clip_bounds.profiles.compiled_profile import StoredProfile
from engine.pricing.clip_bounds.profiles.prediction import expected_profile, predicted_release
from engine.pricing.compile_release import CompiledRelease, UnpricedRelease, noise_scales
from engine.pricing.expected_error import (
    Noise,
    data_independent_half_width,
    data_independent_half_widths,
    noise_of,
    noisy_columns,
    profiled_columns,
)
from engine.pricing.price import ScaleFunction, vector_price
from engine.pricing.profiled_release import choose_from_profile

MAX_PICO_RHO = 10**17  # of the whole query: no account has as much
WidthLimits = Mapping[str, Fraction]  # the largest half-width of each column


@dataclass(frozen=True)
class AccuracyTarget:
    """Query with a target error instead of a price."""

    question: Question
    unpriced: tuple[UnpricedRelease, ...]
    target: TargetError
    confidence: float
    data_independent: Mapping[str, ResultColumn]  # columns with a data-independent width
    data_dependent: tuple[str, ...] = ()  # columns whose width depends on the answer: predicted from a stored one
    needs_profile: bool = False  # a profile will choose clip bounds: then the width of its columns depends on it

    def refusal(self, kind: EngineKind) -> Refusal:
        """Refusal of the target error, with its position in the SQL text."""
        return kind.at(self.question.options.span("target_error"), max_rho=MAX_PICO_RHO // PICO)

    def noise_at(self, price: int, scale: ScaleFunction = gaussian_scale) -> Noise | None:
        """Noise at a price per release; None if some vector's share is below one pico-rho."""
        if any(min(each.shares(price)) < 1 for each in self.unpriced):
            return None
        return noise_of(self.question, tuple(noise_scales_at(each, price, scale) for each in self.unpriced))

    def meets_limits(self, price: int, limits: WidthLimits, scale: ScaleFunction = gaussian_scale) -> bool:
        """Return whether every limited column is at most as wide as its limit at this price."""
        noise_at_price = self.noise_at(price, scale)
        return noise_at_price is not None and all(
            Fraction(data_independent_half_width(self.data_independent[name], noise_at_price, self.confidence)) <= limit
            for name, limit in limits.items()
        )


def accuracy_target(
    question: Question, unpriced: tuple[UnpricedRelease, ...], target: TargetError, confidence: float
) -> AccuracyTarget:
    """Determine which columns a target error applies to. Raises Refusal with E_PARAM if no column is noisy."""
    data_independent, data_dependent = noisy_columns(question)
    profiled = profiled_columns(question, [each.unknown_vectors for each in unpriced])
    by_name = {column.name: column for column in data_independent if column.name not in profiled}
    dependent_names = tuple(
        column.name for column in (*data_independent, *data_dependent) if column.name not in by_name
    )
    accuracy = AccuracyTarget(question, unpriced, target, confidence, by_name, dependent_names, bool(profiled))
    if not by_name and not dependent_names:
        raise accuracy.refusal(EngineKind.NO_NOISY_NUMBER)
    return accuracy


def noise_scales_at(unpriced: UnpricedRelease, price: int, scale: ScaleFunction) -> tuple[tuple[float, float], ...]:
    """Grain in units and noise scale in grains of each query vector at a price."""
    bounds = unpriced.bounds(price)
    pairs = zip(bounds.vectors, unpriced.shares(price), strict=True)
    return unpriced.scales(bounds, [vector_price(bound, share, scale) for bound, share in pairs])


def _closed_form_scale(sensitivity: int, pico_rho: int) -> float:
    """Noise scale in closed form, before the mechanism rounds it up to a certified value."""
    return float(sensitivity / (2 * pico_rho / PICO) ** 0.5)


def least_price(accuracy: AccuracyTarget, limits: WidthLimits) -> int:
    """Smallest price per release, in pico-rho, at which every limited column is at most as wide as its limit.

    Claim: the price meets the limits, and one pico-rho less does not, unless it is the minimum price of a query.
    Symbols: `limits` = half-widths by column. Formula: bisection over whole pico-rho, first with the closed form of the
    scale, which is cheap, then around its result with the scales that the mechanism certifies, which are a little
    larger. Source and proof: proofs.md#least_price. Raises: Refusal with E_PARAM where no price meets them.
    """
    count = len(accuracy.unpriced)
    # the minimum is for the whole query: divided among the releases, rounded up
    min_price = -(-int(MIN_QUERY_RHO * PICO) // count)
    max_price = MAX_PICO_RHO // count
    if accuracy.meets_limits(min_price, limits):
        return min_price
    if not accuracy.meets_limits(max_price, limits):
        raise accuracy.refusal(EngineKind.TARGET_OUT_OF_REACH)
    # cheap estimate; the two loops move [low, high] until the certified scales fail at low and succeed at high
    start = _bisect(min_price, max_price, lambda price: accuracy.meets_limits(price, limits, _closed_form_scale))
    low, high, step = start - 1, start, 1
    while not accuracy.meets_limits(high, limits):
        low, high, step = high, min(max_price, high + step), 2 * step
    while low > min_price and accuracy.meets_limits(low, limits):
        low, high, step = max(min_price, low - step), low, 2 * step
    return _bisect(low, high, lambda price: accuracy.meets_limits(price, limits))


def _bisect(low: int, high: int, is_met: Callable[[int], bool]) -> int:
    """Bisect for the smallest price in (low, high] that meets a monotone condition; `high` is known to meet it."""
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if is_met(middle) else (middle, high)
    return high


StoredAnswer = Callable[[int], pa.Table]  # price -> stored answer
CurrentKey = Callable[[str], str]  # release key -> key of its newest stored generation
# stored price, other price -> half-widths predicted for the other
PredictWidths = Callable[[int, int], Mapping[str, float]]


def price_for_target(
    accuracy: AccuracyTarget, paid_prices: Sequence[int], stored_answer: StoredAnswer, predict_widths: PredictWidths
) -> int:
    """Price per release for a target error: one already paid by this client if it is enough, else the smallest.

    `paid_prices` = the prices, rising, at which this client has all releases of the query stored. An absolute target of
    data-independent columns needs no stored answer. Otherwise each stored answer predicts a price of its own; the first
    paid price that is enough by some prediction is chosen, else the prediction of the most precise stored answer, which
    is the last. Raises Refusal where the width depends on the answer, or on a profile, and no stored answer predicts
    it.
    """
    if accuracy.data_independent and not accuracy.target.relative and not accuracy.needs_profile:
        needed = least_price(accuracy, dict.fromkeys(accuracy.data_independent, accuracy.target.amount))
        return next((price for price in paid_prices if price >= needed), needed)
    candidates = (_predicted_need(accuracy, price, stored_answer, predict_widths) for price in paid_prices)
    needs = [need for need in candidates if need is not None]
    if not needs:
        raise _no_stored_answer(accuracy, paid_prices)
    sufficient = ((price, needed) for needed in needs for price in paid_prices if price >= needed)
    return next((price for price, _ in sufficient), needs[-1])


def _predicted_need(
    accuracy: AccuracyTarget, paid_price: int, stored_answer: StoredAnswer, predict_widths: PredictWidths
) -> int | None:
    """Price per release at which a stored answer predicts that the target is met; None if it predicts no width."""
    predicted = {
        name: width for name, width in predict_widths(paid_price, paid_price).items() if name in accuracy.data_dependent
    }
    limits = _width_limits(accuracy, paid_price, stored_answer, predicted)
    if not limits:
        return None
    data_independent = {name: limit for name, limit in limits.items() if name in accuracy.data_independent}
    needed = least_price(accuracy, data_independent) if data_independent else 0
    data_dependent = {name: float(limit) for name, limit in limits.items() if name in predicted}
    return (
        max(needed, predicted_price(accuracy, paid_price, data_dependent, predict_widths)) if data_dependent else needed
    )


def _width_limits(
    accuracy: AccuracyTarget, paid_price: int, stored_answer: StoredAnswer, predicted: Mapping[str, float]
) -> WidthLimits:
    """Largest half-width of each column; empty if the stored answer can't decide it.

    An absolute target is the limit of every column, unless a predicted width is infinite. A relative target is a share
    of the column's median absolute value; a median within its own noise is not known to differ from 0, so there is no
    limit.
    """
    if not accuracy.target.relative:
        is_predicted = bool(predicted) and max(predicted.values()) < math.inf
        return dict.fromkeys([*predicted, *accuracy.data_independent], accuracy.target.amount) if is_predicted else {}
    noise, table = accuracy.noise_at(paid_price), stored_answer(paid_price)
    limits: dict[str, Fraction] = {}
    for name in (*accuracy.data_independent, *predicted):
        sizes = [abs(value) for value in table.column(name).to_pylist() if value is not None]
        typical = median(sizes) if sizes else 0.0
        width = (
            data_independent_half_width(accuracy.data_independent[name], noise, accuracy.confidence)
            if noise and name in accuracy.data_independent
            else predicted.get(name, math.inf)
        )
        if typical <= width:
            return {}
        limits[name] = accuracy.target.amount * Fraction(typical)
    return limits


def predicted_price(
    accuracy: AccuracyTarget, paid_price: int, limits: Mapping[str, float], predict_widths: PredictWidths
) -> int:
    """Smallest price, within 0.1%, at which a stored answer predicts that every limit is met.

    Claim: post-processing of a stored release. Symbols: `paid_price` = its price; limits by column. Formula:
    half-widths of the stored numbers under the noise of another price; bisection of its logarithm to a thousandth.
    Proof: proofs.md#predicted_price. Raises: Refusal with E_PARAM where no price meets them.
    """
    min_price = -(-int(MIN_QUERY_RHO * PICO) // len(accuracy.unpriced))
    max_price = MAX_PICO_RHO // len(accuracy.unpriced)

    def is_met(price: int) -> bool:
        """Check whether the widths predicted for a price meet every limit; an unpredicted one does not."""
        predicted = predict_widths(paid_price, price)
        return all(predicted.get(name, math.inf) <= limit for name, limit in limits.items())

    low, high = float(min_price), float(paid_price)
    while high < max_price and not is_met(int(high)):
        low, high = high, min(high * 16, max_price)
    if not is_met(int(high)):
        raise accuracy.refusal(EngineKind.PREDICTED_TARGET_OUT_OF_REACH)
    if is_met(min_price):
        return min_price
    while high > low * 1.001:
        middle = math.sqrt(low * high)
        low, high = (low, middle) if is_met(int(middle)) else (middle, high)
    return int(high)


def _no_stored_answer(accuracy: AccuracyTarget, paid_prices: Sequence[int]) -> Refusal:
    """Refusal where no stored answer decides the price; its text depends on the target and on what is stored."""
    if accuracy.target.relative:
        return accuracy.refusal(EngineKind.HELD_ANSWER_NEAR_ZERO if paid_prices else EngineKind.SHARE_OF_NO_ANSWER)
    if accuracy.needs_profile and not paid_prices:
        return accuracy.refusal(EngineKind.WIDTH_OF_NO_PROFILE)
    return accuracy.refusal(EngineKind.HELD_ANSWER_TOO_WEAK if paid_prices else EngineKind.WIDTH_OF_NO_ANSWER)


def paid_prices(
    unpriced: Iterable[UnpricedRelease], paid: Iterable[PaidRelease], delta: Fraction, current_key: CurrentKey
) -> tuple[int, ...]:
    """Prices, rising, at which all these releases are paid for and stored; `current_key` maps to the newest key."""
    stored = [each for each in paid if each.settled_at is not None]
    price_sets = [set(_paid_prices(each_unpriced, stored, delta, current_key)) for each_unpriced in unpriced]
    return tuple(sorted(set.intersection(*price_sets))) if price_sets else ()


def _paid_prices(
    unpriced: UnpricedRelease, stored: Iterable[PaidRelease], delta: Fraction, current_key: CurrentKey
) -> Iterator[int]:
    """Prices at which one release is stored: of the same plan text, and under the key that it would have today.

    A price whose smallest share is below one pico-rho could not be charged now, so its key can't be computed.
    """
    for each in stored:
        if (each.dataset, each.canonical_query) != (unpriced.plan.dataset, unpriced.plan.canonical_text):
            continue
        for price in unpriced.prices_with_profile(each.loss.pico_rho):
            if min(unpriced.shares(price)) >= 1:
                cost = unpriced.cost(Fraction(price, PICO), delta)
                bounds = unpriced.bounds(cost.loss.pico_rho)
                if current_key(unpriced.release_key(cost, bounds)) == each.release_key:
                    yield price


def target_notes(
    question: Question, compiled: tuple[CompiledRelease, ...], target: TargetError | None, confidence: float
) -> tuple[Note, ...]:
    """Describe what a target error led to: the errors and the price, and the columns that it does not cover.

    A second note names columns whose width depends on the answer. They reach the target by prediction only, if it is
    relative or there are no other columns; else they are not bound by it.
    """
    if target is None or not compiled:
        return ()
    price = float(sum((p.cost.loss.rho for p in compiled), Fraction(0)))
    profiled = profiled_columns(question, [each.unpriced_release.unknown_vectors for each in compiled])
    widths = data_independent_half_widths(question, noise_scales(compiled), confidence)
    errors = {name: width for name, width in widths.items() if name not in profiled}
    # their width depends on the answer, or on the profile
    others = ", ".join(column.name for column in question.columns if column.is_noisy and column.name not in errors)
    is_for_all = target.relative or not errors or profiled  # the price was chosen for the data-dependent columns too
    bought = f"target_error {target}: {f'{format_half_widths(errors)}, ' if errors else ''}for rho {price:.3g}."
    notes = [Note(NoteCode.TARGET, bought)]
    if others and is_for_all:
        about = f"{others}: estimated from answers that you hold, so about half of its intervals reach the target."
        notes.append(Note(NoteCode.TARGET_OPEN, about))
    elif others:
        about = f"{others}: not bound by target_error, as the width of its intervals depends on the answer."
        notes.append(Note(NoteCode.TARGET_OPEN, about))
    return tuple(notes)


def with_noise_at_price(
    release: Release, unpriced: UnpricedRelease, price: int, profile: StoredProfile | None = None
) -> Release:
    """Return a stored release with the noise scales of another price: its prediction of an answer at that price.

    `profile` = the stored profile that its clip bounds were chosen from, if there is one.
    """
    if profile is not None:
        expected = expected_profile(profile, unpriced.catalog, unpriced.profile_share(price))
        chosen = choose_from_profile(unpriced, unpriced.cost(Fraction(price, PICO)), expected)
        return predicted_release(release, chosen.vectors, chosen.averages, chosen.bounds, chosen.prices)
    # (unit, sigma) = grain in units and sigma in grains at the other price; converted to the stored release's grains
    scales = zip(noise_scales_at(unpriced, price, gaussian_scale), release.grains, strict=True)
    return replace(release, sigmas=tuple(sigma * unit / grain for (unit, sigma), grain in scales))


def median_half_widths(answer: Answer) -> dict[str, float]:
    """Median half-width of each column; a number without an interval counts as infinitely wide."""
    halves = {name: (upper - lower) / 2 for name, (lower, upper) in answer.intervals.items()}
    return {
        name: float(np.median(np.where(np.isnan(half), np.inf, half))) for name, half in halves.items() if len(half)
    }


def half_width_ranges(answer: Answer) -> dict[str, tuple[float, float]]:
    """Least and largest half-width over the rows of each column that have an interval."""
    halves = {name: (upper - lower) / 2 for name, (lower, upper) in answer.intervals.items()}
    finite = {name: half[np.isfinite(half)] for name, half in halves.items()}
    return {name: (float(half.min()), float(half.max())) for name, half in finite.items() if len(half)}


def half_widths_at_price(
    question: Question, compiled: Sequence[CompiledRelease], price: int, confidence: float
) -> dict[str, float]:
    """Data-independent half-widths if each release cost this price; empty if a share is below one pico-rho."""
    unpriced = tuple(p.unpriced_release for p in compiled)
    if not unpriced or any(min(each.shares(price)) < 1 for each in unpriced):
        return {}
    profiled = profiled_columns(question, [each.unknown_vectors for each in unpriced])  # not known before
    scales = tuple(noise_scales_at(each, price, gaussian_scale) for each in unpriced)
    widths = data_independent_half_widths(question, scales, confidence)
    return {name: width for name, width in widths.items() if name not in profiled}


def format_half_widths(errors: Mapping[str, float]) -> str:
    """Format half-widths, such as `n ± 5`; an unnamed column appears as its SQL."""
    display_names = {"count_star()": "COUNT(*)"}
    return ", ".join(f"{display_names.get(name, name)} ± {width:,.6g}" for name, width in errors.items())
