"""Threshold of private keys: the noisy count of persons that a key must reach, for a given delta.

A private key may appear only if its noisy count of persons reaches the threshold. OpenDP's own threshold mechanisms
count only values above it while releasing those equal to it (its issue 2922), so delta is computed here.
"""

import math
import sys
from fractions import Fraction

from budgets import ATTO

# Outward margin: erfc with its argument is off by less than 2^-38 of itself while it is a normal float, the rest by
# a few 2^-52.
OUTWARD_MARGIN = 1 + 2.0**-30


def person_threshold(sigma: float, max_groups: int, atto_delta: int) -> int:
    """Find the smallest count of persons at which keys may be released for `atto_delta`.

    Claim: releasing the keys whose noisy count of persons is >= T shows a key that one person alone brings in with
    probability at most atto_delta * 10^-18.
    Symbols: `sigma` = scale of the discrete Gaussian noise Z on counts of persons (grain 1); `max_groups` = most groups
    of one person, L0, each counting the person once; T = what is returned, in persons.
    Formula: least T with 1 - (1 - P[Z >= T - 1])^L0 <= delta, P bounded from above as in `threshold_delta`.
    Source: Rogers, arXiv 2309.09170, for unknown domains; the tail bound is proven with the rest.
    Raises: ValueError unless sigma is positive and finite, max_groups >= 1 and 0 < atto_delta < 10^18.
    Proof: proofs.md#threshold
    """
    if not 0 < atto_delta < ATTO:
        raise ValueError(f"atto_delta must lie between 0 and 10^18, not {atto_delta}")
    delta = Fraction(atto_delta, ATTO)
    fits = 2
    while Fraction(threshold_delta(sigma, fits, max_groups)) > delta:
        fits *= 2
    too_low = 1  # P[Z >= 0] > 1/2: the bound at a threshold of one person is 1
    while fits - too_low > 1:
        middle = (fits + too_low) // 2
        if Fraction(threshold_delta(sigma, middle, max_groups)) > delta:
            too_low = middle
        else:
            fits = middle
    return fits


def threshold_delta(sigma: float, persons_threshold: int, max_groups: int) -> float:
    """Bound the chance that a person alone lifts any of `max_groups` keys to the threshold, rounded up.

    Claim: never less than 1 - (1 - P[Z >= T - 1])^L0, for T = `persons_threshold` and L0 = `max_groups`.
    Symbols: Z = discrete Gaussian of scale `sigma`; N = the continuous one; m = T - 1.
    Formula: P[Z >= m] <= P[N >= m - 1/2] where m - 1/2 >= sigma, else <= P[N >= m - 1]; 1 for m < 1.
    Source: the midpoint rule below a convex density; Canonne, Kamath, Steinke, arXiv 2004.00010 v5, for the normaliser.
    Raises: ValueError unless sigma is positive and finite and max_groups >= 1.
    Proof: proofs.md#threshold
    """
    if not 0 < sigma < math.inf:
        raise ValueError(f"sigma must be positive and finite, not {sigma!r}")
    if max_groups < 1:
        raise ValueError(f"max_groups must be at least 1, not {max_groups}")
    one_key = _tail_above(sigma, persons_threshold - 1)
    if one_key >= 1:
        return 1.0
    any_key = -math.expm1(max_groups * math.log1p(-one_key)) * OUTWARD_MARGIN
    return min(1.0, max(any_key, sys.float_info.min))


def _tail_above(sigma: float, least: int) -> float:
    """Bound P[Z >= least] for the discrete Gaussian from above, by the tail of the continuous one."""
    if least < 1:
        return 1.0
    middle = least - 0.5
    from_here = middle if middle >= sigma else least - 1.0
    tail = 0.5 * math.erfc(from_here / (sigma * math.sqrt(2))) * OUTWARD_MARGIN
    # below the normal floats erfc has no relative accuracy left
    return max(tail, sys.float_info.min)
