"""Conversion between rho-zCDP and (epsilon, delta), rounded so that the shown guarantee is never too strong."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import ROUND_CEILING, Context, Decimal
from fractions import Fraction
from functools import lru_cache

from budgets.accounting.privacy_loss import (
    MAX_UNITS,
    PICO,
    Amount,
    Loss,
    parse_nonnegative_amount,
    parse_positive_amount,
)
from budgets.errors import ParamError

THRESHOLD_DELTA_DIVISOR = 10  # 1/10 of a cap's delta pays for thresholds, 9/10 for the conversion to epsilon

_GOLDEN = (math.sqrt(5) - 1) / 2
_EXACT = Context(prec=50, rounding=ROUND_CEILING)
_SLACK = Decimal("1e-30")  # far above the rounding error of 50 digits, far below a float's ulp


@dataclass(frozen=True)
class EpsilonDelta:
    """A privacy loss as (epsilon, delta), both rounded up."""

    epsilon: float
    delta: float

    @classmethod
    def from_loss(cls, spent: Loss, cap: Loss) -> EpsilonDelta:
        """Convert a loss to epsilon at the delta of its cap.

        Claim: what spent `spent` is (epsilon, delta)-DP. Symbols: delta_conversion = 0.9 of the cap's delta;
        delta_thresholds = spent.delta. Formula: epsilon = CKS20(spent.rho, delta_conversion),
        delta = delta_conversion + delta_thresholds. Source: Bun, Steinke 2016 (arXiv 1605.02065) section 8 and
        proofs.md#conversion. Raises ParamError if the cap has no delta.
        """
        delta_conversion = conversion_delta(cap)
        return cls(epsilon_from_rho(spent.rho, delta_conversion), _float_up(delta_conversion + spent.delta))


def chargeable(cap: Loss) -> Loss:
    """Part of a cap that releases may spend: all of its rho, and one tenth of its delta, for thresholds."""
    return Loss(cap.pico_rho, cap.atto_delta // THRESHOLD_DELTA_DIVISOR)


def conversion_delta(cap: Loss) -> Fraction:
    """Part of a cap's delta reserved for converting rho to epsilon: what thresholds cannot spend."""
    return cap.delta - chargeable(cap).delta


@lru_cache(maxsize=4096, typed=True)  # typed: True and 1.0 must not hit the cache entry of 1
def epsilon_from_rho(rho: Amount, delta: Amount) -> float:
    """Convert rho-zCDP to the least epsilon of (epsilon, delta)-DP, rounded up.

    Claim: every rho-zCDP mechanism is (epsilon, delta)-DP. Symbols: alpha > 1, any; epsilon(alpha) bounds for each.
    Formula: epsilon = min over alpha of alpha*rho + ln(1/(alpha*delta))/(alpha-1) + ln(1-1/alpha), at least 0.
    Source: Canonne, Kamath, Steinke 2020 (arXiv 2004.00010) section 2.3; proofs.md#conversion.
    Raises ParamError unless rho >= 0 and 0 < delta < 1.
    """
    exact_rho, exact_delta = parse_nonnegative_amount(rho, "rho"), _read_delta(delta)
    if exact_rho == 0:
        return 0.0
    alpha = _best_alpha(float(exact_rho), math.log(exact_delta.numerator) - math.log(exact_delta.denominator))
    return _float_up(max(Fraction(0), _epsilon_up(exact_rho, exact_delta, alpha)))


@lru_cache(maxsize=4096, typed=True)  # typed: True and 1.0 must not hit the cache entry of 1
def rho_from_epsilon(epsilon: Amount, delta: Amount) -> Fraction:
    """Convert (epsilon, delta) to the largest rho that it covers, in whole pico-rho.

    Claim: epsilon_from_rho(rho_from_epsilon(epsilon, delta), delta) <= epsilon. Symbols as for `epsilon_from_rho`.
    Formula: bisection on whole pico-rho; the lower end always satisfies the claim.
    Source: proofs.md#conversion. Raises ParamError unless epsilon > 0 and 0 < delta < 1.
    """
    exact_epsilon, exact_delta = parse_positive_amount(epsilon, "epsilon"), _read_delta(delta)
    covered, above = 0, 1
    while above <= MAX_UNITS and epsilon_from_rho(Fraction(above, PICO), exact_delta) <= exact_epsilon:
        covered, above = above, above * 4
    while above - covered > 1:
        middle = (covered + above) // 2
        if epsilon_from_rho(Fraction(middle, PICO), exact_delta) <= exact_epsilon:
            covered = middle
        else:
            above = middle
    return Fraction(covered, PICO)


def _read_delta(delta: Amount) -> Fraction:
    """Parse a delta as an exact fraction; raises ParamError unless it is above 0 and below 1."""
    exact = parse_positive_amount(delta, "delta")
    if exact >= 1:
        raise ParamError("delta must be below 1.", "delta = 1e-9.")
    return exact


def _best_alpha(rho: float, log_delta: float) -> float:
    """Find the Renyi order by golden-section search on ln(alpha - 1). A poor alpha is less tight, never unsound."""
    centre = 0.5 * (math.log(max(-log_delta, 1e-9)) - math.log(rho))
    low, high = centre - 8.0, centre + 8.0
    left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    at_left, at_right = _approximate_epsilon(rho, log_delta, left), _approximate_epsilon(rho, log_delta, right)
    while high - low > 1e-7:
        if at_left <= at_right:
            high, right, at_right = right, left, at_left
            left = high - _GOLDEN * (high - low)
            at_left = _approximate_epsilon(rho, log_delta, left)
        else:
            low, left, at_left = left, right, at_right
            right = low + _GOLDEN * (high - low)
            at_right = _approximate_epsilon(rho, log_delta, right)
    return 1.0 + math.exp((low + high) / 2)


def _approximate_epsilon(rho: float, log_delta: float, log_excess: float) -> float:
    """Epsilon at one order alpha, in floating point, to find the best; `log_excess` = ln(alpha - 1)."""
    excess = math.exp(log_excess)  # alpha - 1
    alpha = 1.0 + excess
    return alpha * rho - (log_delta + math.log(alpha)) / excess + log_excess - math.log(alpha)


def _epsilon_up(rho: Fraction, delta: Fraction, alpha: float) -> Fraction:
    """Evaluate epsilon(alpha) to 50 digits, and add more than the rounding error of those digits."""
    order = Fraction(alpha)
    tail = _ln(1 / (order * delta)) / (order - 1)
    terms = (order * rho, tail, _ln(1 - 1 / order))
    return sum(terms, Fraction(0)) + Fraction(_SLACK) * (1 + sum(abs(term) for term in terms))


def _ln(exact: Fraction) -> Fraction:
    """Natural logarithm of a fraction to 50 digits; the callers add more than its rounding error."""
    quotient = _EXACT.divide(Decimal(exact.numerator), Decimal(exact.denominator))
    return Fraction(_EXACT.ln(quotient))


def _float_up(exact: Fraction) -> float:
    """Smallest float that is at least an exact number."""
    nearest = float(exact)
    return nearest if Fraction(nearest) >= exact else math.nextafter(nearest, math.inf)
