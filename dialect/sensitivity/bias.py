"""How much a norm is expected to cut away, from public facts alone: the declared share of people within it.

No row is looked at. The guess rests on one observation about people that many published data sets share: what one
person contributes is about log-normal, with a standard deviation of the logarithm near 1.2.
"""

from __future__ import annotations

import math
from statistics import NormalDist

SPREAD = 1.2  # standard deviation of ln(contribution): 1.1 to 1.6 in bicycle trips, check-ins and operator records


def predicted_bias(covers: float) -> float:
    """Predict the relative error of a total whose contributions are cut at the `covers` quantile; never above 0.

    Claim: for log-normal contributions X with sd(ln X) = s and P[X <= C] = `covers`, clipping at C changes the total
    by the returned share. A prediction and no bound: another distribution loses another share.
    Formula: -(Phi(s - z) - exp(z s - s^2 / 2) Phi(-z)), z = Phi^-1(covers), s = 1.2.
    Raises: ValueError unless 0 < covers < 1. Proof: proofs.md#predicted-bias
    """
    if not 0 < covers < 1:
        raise ValueError(f"covers must lie between 0 and 1, not {covers!r}")
    normal = NormalDist()
    z = normal.inv_cdf(covers)
    return -max(0.0, normal.cdf(SPREAD - z) - math.exp(z * SPREAD - SPREAD**2 / 2) * normal.cdf(-z))
