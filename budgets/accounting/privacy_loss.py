"""Privacy losses as exact integers, strict parsing of decimal amounts, and conversion to (epsilon, delta).

Conversions between rho-zCDP and (epsilon, delta) are rounded so that the shown guarantee is never too strong.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_CEILING, Context, Decimal
from fractions import Fraction
from functools import lru_cache

from budgets.errors import ParamError

PICO = 10**12  # pico-rho in one rho
ATTO = 10**18  # atto-delta in one delta
MAX_UNITS = 2**63 - 1  # maximum of a signed 64-bit column

Amount = Fraction | Decimal | int | str

_DECIMAL = re.compile(r"[0-9]{1,40}(\.[0-9]{0,60})?([eE][+-]?[0-9]{1,4})?", re.ASCII)
_MAX_DIGITS_ABOVE_ONE = 30
_MAX_DIGITS_BELOW_ONE = 60
_ONE_NUMBER = "write one positive decimal number, as in 0.005."


@dataclass(frozen=True)
class Loss:
    """A privacy loss under approximate zCDP: rho in pico-rho, delta in atto-delta. Both add up over releases."""

    pico_rho: int  # 1e-12 of rho
    atto_delta: int = 0  # 1e-18 of delta; spent on partition-selection thresholds only

    def __post_init__(self) -> None:
        """Reject anything but integers from 0 to 2^63 - 1; raises ParamError."""
        for name, units in (("pico_rho", self.pico_rho), ("atto_delta", self.atto_delta)):
            if type(units) is not int or not 0 <= units <= MAX_UNITS:
                raise ParamError(f"{name} must be an integer from 0 to {MAX_UNITS}.", "spend less at once.")

    @classmethod
    def rounded_up(cls, rho: Amount, delta: Amount = 0) -> Loss:
        """Round a charge up to whole units: the ledger never records less than was spent.

        Claim: Fraction(pico_rho, 10^12) >= rho and Fraction(atto_delta, 10^18) >= delta.
        Symbols: rho of zCDP, delta of thresholded keys. Formula: pico_rho = ceil(rho * 10^12).
        Source: proofs.md#rounding. Raises ParamError for anything but finite numbers >= 0 that fit.
        """
        return cls(_units_up(rho, "rho", PICO), _units_up(delta, "delta", ATTO))

    @classmethod
    def rounded_down(cls, rho: Amount, delta: Amount = 0) -> Loss:
        """Round a cap down to whole units: the ledger never allows more than was promised.

        Claim: Fraction(pico_rho, 10^12) <= rho and Fraction(atto_delta, 10^18) <= delta.
        Symbols and source as for `rounded_up`: proofs.md#rounding. Raises ParamError like `rounded_up`.
        """
        exact_rho, exact_delta = parse_nonnegative_amount(rho, "rho"), parse_nonnegative_amount(delta, "delta")
        return cls(int(exact_rho * PICO), int(exact_delta * ATTO))

    @property
    def rho(self) -> Fraction:
        """The zCDP rho as an exact fraction."""
        return Fraction(self.pico_rho, PICO)

    @property
    def delta(self) -> Fraction:
        """The delta as an exact fraction."""
        return Fraction(self.atto_delta, ATTO)

    def __add__(self, other: Loss) -> Loss:
        """Add two losses: sequential composition."""
        return Loss(self.pico_rho + other.pico_rho, self.atto_delta + other.atto_delta)

    def times(self, count: int) -> Loss:
        """Return the loss of as many charges like this one."""
        return self if count == 1 else Loss(self.pico_rho * count, self.atto_delta * count)

    def fits_in(self, limit: Loss) -> bool:
        """Return whether both rho and delta are at most those of the limit."""
        return self.pico_rho <= limit.pico_rho and self.atto_delta <= limit.atto_delta

    def excess_over(self, limit: Loss) -> Loss:
        """Subtract a limit, component by component, and clamp at 0."""
        return Loss(max(0, self.pico_rho - limit.pico_rho), max(0, self.atto_delta - limit.atto_delta))

    def componentwise_min(self, other: Loss) -> Loss:
        """Component-wise minimum."""
        return Loss(min(self.pico_rho, other.pico_rho), min(self.atto_delta, other.atto_delta))

    def componentwise_max(self, other: Loss) -> Loss:
        """Component-wise maximum."""
        return Loss(max(self.pico_rho, other.pico_rho), max(self.atto_delta, other.atto_delta))

    def __str__(self) -> str:
        """Format for display, as in `rho 0.005 and delta 1e-12`."""
        return self.formatted(delta=self.atto_delta > 0)

    def formatted(self, *, delta: bool) -> str:
        """Format for display; a nonzero delta is included only on request."""
        rho = f"rho {_scaled_decimal(self.pico_rho, -12):f}"
        return f"{rho} and delta {_scaled_decimal(self.atto_delta, -18):g}" if delta and self.atto_delta else rho


ZERO_LOSS = Loss(0, 0)


def sum_losses(losses: Iterable[Loss]) -> Loss:
    """Sum losses: sequential composition."""
    pico_rho = atto_delta = 0
    for loss in losses:
        pico_rho += loss.pico_rho
        atto_delta += loss.atto_delta
    return Loss(pico_rho, atto_delta)


def parse_positive_amount(value: object, name: str, *, floor: Fraction | None = None) -> Fraction:
    """Parse a positive number exactly; raises ParamError for NaN, infinity, bool, float, 0, negatives.

    Accepts decimal text, int, Decimal or Fraction. Floats are rejected because their decimal text is lost. A number
    below `floor` is rejected too.
    """
    amount = parse_nonnegative_amount(value, name)
    if amount == 0:
        raise ParamError(f"{name} must be above 0.", _ONE_NUMBER)
    if floor is not None and amount < floor:
        least = f"{float(floor):g}"
        raise ParamError(f"{name} is below the least that is accepted, {least}.", f"{name} = {least} or more.")
    return amount


def parse_nonnegative_amount(value: object, name: str) -> Fraction:
    """Parse a number >= 0 exactly; otherwise like `parse_positive_amount`. Raises ParamError."""
    if type(value) is int or isinstance(value, Fraction):
        amount = Fraction(value)
    elif isinstance(value, (str, Decimal)):
        amount = _parse_decimal(str(value).strip(), name)
    else:
        raise ParamError(f"{name} must be a decimal number, not a {type(value).__name__}.", _ONE_NUMBER)
    if amount < 0:
        raise ParamError(f"{name} must not be negative.", _ONE_NUMBER)
    if amount * PICO > MAX_UNITS:
        raise ParamError(f"{name} is larger than the ledger can hold.", _ONE_NUMBER)
    return amount


def _parse_decimal(text: str, name: str) -> Fraction:
    """Parse ASCII decimal text. The exponent is checked before any power of ten is computed."""
    if not _DECIMAL.fullmatch(text):
        comma = _DECIMAL.fullmatch(text.replace(",", "."))  # a decimal comma
        cure = f"write it with a point: {text.replace(',', '.')}" if comma else _ONE_NUMBER
        raise ParamError(f"{name} must be a plain decimal number of at least 0.", cure)
    number = Decimal(text)
    if number and number.adjusted() > _MAX_DIGITS_ABOVE_ONE:
        raise ParamError(f"{name} is larger than the ledger can hold.", _ONE_NUMBER)
    if number and number.adjusted() < -_MAX_DIGITS_BELOW_ONE:
        raise ParamError(f"{name} is smaller than the ledger can tell from 0.", _ONE_NUMBER)
    return Fraction(number) if number else Fraction(0)


def _units_up(value: Amount, name: str, units_per_one: int) -> int:
    """Round a number up to whole units; `units_per_one` = PICO or ATTO. Raises ParamError."""
    exact = parse_nonnegative_amount(value, name) * units_per_one
    return -(-exact.numerator // exact.denominator)


def _scaled_decimal(units: int, exponent: int) -> Decimal:
    """Whole units as a decimal number, exactly; `exponent` = -12 for rho, -18 for delta."""
    return Decimal(units).scaleb(exponent).normalize()


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
