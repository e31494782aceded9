"""Interval arithmetic on value ranges: the numeric range of an expression from the declared bounds of its columns.

A range describes declared values, not stored ones. It decides where values are clamped, always outside the
expression, and never replaces a runtime guard. An unknown end is infinite. Proof: proofs.md#ranges

A range rule computes the range of a function's result from the ranges of its arguments. A constant argument is a range
with two equal ends, of which rules read `lower`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from dialect.catalog.model import Bounds

UNKNOWN = Bounds(-math.inf, math.inf)
RangeRule = Callable[..., Bounds]
_FAR_DEGREES = 170.0  # beyond it, rounding changes an arc sine by a factor of more than 2^-40


def hull(ranges: Sequence[Bounds]) -> Bounds:
    """Smallest range that contains all given ranges."""
    return Bounds(min(r.lower for r in ranges), max(r.upper for r in ranges))


def _enclosing_range(ends: Sequence[float]) -> Bounds:
    """Smallest range that contains the results at the ends; unknown if one is NaN, as inf - inf is."""
    return UNKNOWN if any(math.isnan(end) for end in ends) else Bounds(min(ends), max(ends))


def monotone(function: Callable[[float], float], lowest: float = -math.inf) -> RangeRule:
    """Range rule of an increasing function: maps both ends, clamped to `lowest`, where its domain starts.

    An end at which the function raises becomes infinite.
    """

    def end(value: float, otherwise: float) -> float:
        """Map one end of the range; `otherwise` where the function raises."""
        try:
            return function(max(value, lowest))
        except (OverflowError, ValueError):
            return otherwise

    return lambda a: Bounds(end(a.lower, -math.inf), end(a.upper, math.inf))


def _round_if_finite(rounding: Callable[[float], int], end: float) -> float:
    """Round an end to an integer; Python's rounding functions raise for infinities."""
    return float(rounding(end)) if math.isfinite(end) else end


_TRUNCATE = monotone(math.trunc)


def constant(lower: float, upper: float) -> RangeRule:
    """Range rule that ignores its arguments."""
    return lambda *_: Bounds(lower, upper)


def add(a: Bounds, b: Bounds) -> Bounds:
    """Range of a sum."""
    return _enclosing_range((a.lower + b.lower, a.upper + b.upper))


def subtract(a: Bounds, b: Bounds) -> Bounds:
    """Range of a difference."""
    return _enclosing_range((a.lower - b.upper, a.upper - b.lower))


def multiply(a: Bounds, b: Bounds) -> Bounds:
    """Range of a product."""
    return _enclosing_range([x * y for x in (a.lower, a.upper) for y in (b.lower, b.upper)])


def divide(a: Bounds, b: Bounds) -> Bounds:
    """Range of a quotient; unknown where the divisor's range contains 0."""
    if b.lower <= 0 <= b.upper:
        return UNKNOWN
    return _enclosing_range([x / y for x in (a.lower, a.upper) for y in (b.lower, b.upper)])


def divide_integers(a: Bounds, b: Bounds) -> Bounds:
    """Range of an integer division, truncated towards zero.

    If the divisor's range contains 0, the result is at most as large as the dividend: a divisor is at least 1 in
    magnitude, or gives NULL.
    """
    if not b.lower <= 0 <= b.upper:
        return _TRUNCATE(divide(a, b))
    largest = max(abs(a.lower), abs(a.upper))
    return Bounds(-largest, largest)


def remainder(a: Bounds, b: Bounds) -> Bounds:
    """Range of a remainder with the sign of the dividend: not larger than the dividend, smaller than the divisor.

    `below` is the largest double below the divisor's magnitude.
    """
    largest = max(abs(b.lower), abs(b.upper))
    below = math.nextafter(largest, 0.0) if math.isfinite(largest) else largest
    return Bounds(max(a.lower, -below) if a.lower < 0 else 0.0, min(a.upper, below) if a.upper > 0 else 0.0)


def modulus(_: Bounds, b: Bounds) -> Bounds:
    """Range of a remainder with the sign of the divisor; the dividend is ignored."""
    return Bounds(min(0.0, b.lower), max(0.0, b.upper))


def negate(a: Bounds) -> Bounds:
    """Range of the negated value."""
    return Bounds(-a.upper, -a.lower)


def absolute(a: Bounds) -> Bounds:
    """Range of the absolute value."""
    ends = (abs(a.lower), abs(a.upper))
    return Bounds(0.0 if a.lower <= 0 <= a.upper else min(ends), max(ends))


def power(a: Bounds, b: Bounds) -> Bounds:
    """Range of a power; known for a constant exponent that is not negative.

    A negative base needs an integer exponent, else the result is NaN. An even power of a range around 0 contains 0.
    """
    exponent = b.lower
    whole = float(exponent).is_integer() if math.isfinite(exponent) else False
    if b.lower != b.upper or exponent < 0 or (a.lower < 0 and not whole):
        return UNKNOWN
    try:
        ends = [float(a.lower) ** exponent, float(a.upper) ** exponent]
    except OverflowError:
        return UNKNOWN
    return _enclosing_range([*ends, 0.0] if exponent % 2 == 0 and a.lower < 0 < a.upper else ends)


def bitwise_and(a: Bounds, b: Bounds) -> Bounds:
    """Range of bitwise AND: at most the smaller of its operands that are never negative."""
    upper_ends = [each.upper for each in (a, b) if each.lower >= 0]
    return Bounds(0.0, min(upper_ends)) if upper_ends else UNKNOWN


def bitwise_or(a: Bounds, b: Bounds) -> Bounds:
    """Range of bitwise OR and XOR: as many bits as the longer operand."""
    longest = max(abs(end) for each in (a, b) for end in (each.lower, each.upper))
    if not math.isfinite(longest):
        return UNKNOWN
    limit = 2.0 ** (int(longest).bit_length() + 1)
    return Bounds(0.0 if min(a.lower, b.lower) >= 0 else -limit, limit - 1)


def greatest_common_divisor(a: Bounds, b: Bounds) -> Bounds:
    """Range of the greatest common divisor."""
    return Bounds(0.0, max(absolute(a).upper, absolute(b).upper))


def least_common_multiple(a: Bounds, b: Bounds) -> Bounds:
    """Range of the least common multiple."""
    return Bounds(0.0, multiply(absolute(a), absolute(b)).upper)


def bitwise_not(a: Bounds) -> Bounds:
    """Range of bitwise NOT."""
    return Bounds(-a.upper - 1, -a.lower - 1)


def shift_left(a: Bounds, bits: Bounds) -> Bounds:
    """Range of a non-negative integer shifted left by a constant number of bits."""
    factor = 2.0**bits.lower
    return Bounds(max(a.lower, 0.0) * factor, max(a.upper, 0.0) * factor)


def shift_right(a: Bounds, bits: Bounds) -> Bounds:
    """Range of an integer shifted right by a constant number of bits."""
    return monotone(lambda end: math.floor(end / 2.0**bits.lower))(a)


def square(a: Bounds) -> Bounds:
    """Range of an expression multiplied by itself."""
    return _enclosing_range((a.lower * a.lower, a.upper * a.upper, *((0.0,) if a.lower < 0 < a.upper else ())))


def width_bucket(a: Bounds, lower: Bounds, upper: Bounds, count: Bounds) -> Bounds:
    """Range of WIDTH_BUCKET: bucket numbers from 1 to count, with 0 below the first and count + 1 above the last."""
    low, high, bucket_count = lower.lower, upper.lower, count.lower

    def bucket(value: float) -> float:
        """Return the number of the bucket that holds a value."""
        if value < low or value >= high:
            return 0.0 if value < low else bucket_count + 1
        return min(bucket_count, math.floor((value - low) / (high - low) * bucket_count) + 1)

    return Bounds(bucket(a.lower), bucket(a.upper))


def first_argument(a: Bounds, *_: Bounds) -> Bounds:
    """Range of the first argument, unchanged; other arguments are ignored."""
    return a


def round_to_integer(a: Bounds) -> Bounds:
    """Range after rounding to an integer, independent of how halves are rounded."""
    return Bounds(_round_if_finite(math.ceil, a.lower - 0.5), _round_if_finite(math.floor, a.upper + 0.5))


def with_rounding_slack(rule: RangeRule) -> RangeRule:
    """Widen a range rule by a relative 2^-50: exp, ln and pow of the engine may round differently from Python's."""

    def widened(*arguments: Bounds) -> Bounds:
        """Apply the rule, and move both ends of its range outward."""
        exact = rule(*arguments)
        return Bounds(exact.lower - abs(exact.lower) * 2.0**-50, exact.upper + abs(exact.upper) * 2.0**-50)

    return widened


def great_circle_distance(radius: float) -> RangeRule:
    """Range of great-circle distances between places in degrees: at most the difference in longitude plus latitude.

    Beyond _FAR_DEGREES, half the circumference is the bound; below it, a slack factor covers rounding.
    """

    def distance(lon1: Bounds, lat1: Bounds, lon2: Bounds, lat2: Bounds) -> Bounds:
        """Range of distances between two rectangles of longitude and latitude."""
        sides = ((lon1, lon2), (lat1, lat2))
        degrees = sum(max(a.upper - b.lower, b.upper - a.lower, 0.0) for a, b in sides)
        return Bounds(0, radius * (math.pi if degrees > _FAR_DEGREES else math.radians(degrees) * (1 + 2.0**-40)))

    return distance


def round_to_digits(a: Bounds, digits: Bounds) -> Bounds:
    """Range after rounding to digits: a value moves by at most one unit of the last digit."""
    step = 10.0 ** min(max(-digits.lower, 0.0), 300.0)
    return Bounds(a.lower - step, a.upper + step)


def decimal(a: Bounds, precision: Bounds, scale: Bounds) -> Bounds:
    """Range of DECIMAL(precision, scale)."""
    range_after_rounding = round_to_digits(a, scale)
    limit = 10.0 ** (precision.lower - scale.lower)
    return Bounds(max(range_after_rounding.lower, -limit), min(range_after_rounding.upper, limit))


def to_single_precision(a: Bounds) -> Bounds:
    """Range after conversion to single precision, which moves a value by a relative 2^-23 at most."""
    slack = 2.0**-23
    return Bounds(a.lower - abs(a.lower) * slack - 2.0**-140, a.upper + abs(a.upper) * slack + 2.0**-140)


def least(ranges: Sequence[Bounds], never_null: Sequence[bool]) -> Bounds:
    """Range of LEAST. It ignores NULL arguments, so only arguments that are never NULL limit it from above."""
    caps = [r.upper for r, is_never_null in zip(ranges, never_null, strict=True) if is_never_null]
    upper = min(caps) if caps else max(r.upper for r in ranges)
    return Bounds(min(r.lower for r in ranges), upper)


def greatest(ranges: Sequence[Bounds], never_null: Sequence[bool]) -> Bounds:
    """Range of GREATEST: the mirror image of LEAST."""
    return negate(least([negate(r) for r in ranges], never_null))
