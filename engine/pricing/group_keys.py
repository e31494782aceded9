"""Group keys of an answer: the size limit of public key sets, and the threshold that private keys must pass."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from dialect import PrivatePlan
from dialect.diagnostics import Unnamed
from dialect.planner.keys import MAX_KEYS
from engine.errors import EngineKind
from engine.mechanism.gaussian import NoisyVector
from engine.pricing.price import ROUND_PARTS, Cost

PROMISING_DEVIATIONS = 2.0  # standard deviations of the first round's noise
MAX_COUNTED_ROWS = 100 * MAX_KEYS  # counting stops here: 0 to 2^63 would take years


def check_key_count(plan: PrivatePlan, key_count: int | None, factor_counts: tuple[int, ...]) -> None:
    """Refuse a public key set of more than MAX_KEYS keys, naming its largest factor (proofs.md#check_key_count).

    `key_count` = None if the factors are so large that their product was not counted: that is refused too.
    `factor_counts` = number of values of each list of which the key set is the product.
    """
    if key_count is not None and key_count <= MAX_KEYS:
        return
    sources = plan.key_set.sources if plan.key_set is not None else ()
    # (number of values, description) of the longest list
    values, key = max(
        zip(factor_counts, (source.description for source in sources), strict=False), default=(0, Unnamed.KEYS)
    )
    if values > MAX_COUNTED_ROWS:  # counting stopped there, so that it is not the real number
        raise EngineKind.TOO_MANY_GROUPS_TO_COUNT.at(limit=MAX_KEYS, key=key, counted=MAX_COUNTED_ROWS)
    raise EngineKind.TOO_MANY_GROUPS.at(limit=MAX_KEYS, key=key, values=values)


def passes_threshold(noisy_weights: NoisyVector, cost: Cost) -> npt.NDArray[np.bool_]:
    """Mark the private keys that pass: noisy weight >= threshold, both in grains (proofs.md#partition-selection)."""
    assert cost.threshold is not None  # noqa: S101  called for private keys only
    return noisy_weights >= cost.threshold


def is_promising(noisy_weights: NoisyVector, cost: Cost) -> npt.NDArray[np.bool_]:
    """Mark the keys of the second round: not released by the first one, and not hopeless by its noisy weights.

    With PROMISING_DEVIATIONS more, the sum of both rounds would pass at the same weight.
    """
    assert cost.second is not None and cost.keys is not None  # noqa: S101  called for two rounds only
    hoped = (noisy_weights + PROMISING_DEVIATIONS * cost.keys.sigma) * sum(ROUND_PARTS)
    promising: npt.NDArray[np.bool_] = ~passes_threshold(noisy_weights, cost) & (hoped >= cost.second.threshold)
    return promising


def passes_both_rounds(
    first: NoisyVector, is_open: npt.NDArray[np.bool_], second: NoisyVector, cost: Cost
) -> npt.NDArray[np.bool_]:
    """Mark the keys of the second round that pass: weighted sum of both noisy weights >= threshold, in grains.

    `first` = noisy weights of all keys, `second` of those that are open. Proof: proofs.md#two-rounds
    """
    assert cost.second is not None  # noqa: S101  called for two rounds only
    of_first, of_second = ROUND_PARTS
    passing: npt.NDArray[np.bool_] = of_first * first[is_open] + of_second * second >= cost.second.threshold
    return passing
