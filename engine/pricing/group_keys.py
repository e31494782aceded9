"""Group keys of an answer: the size limit of public key sets, and the threshold that private keys must pass."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from dialect import PrivatePlan, Refusal
from dialect.errors import Code
from dialect.planner.keys import MAX_KEYS
from engine.mechanism.gaussian import NoisyVector
from engine.pricing.price import Cost

MOST_COUNTED = 100 * MAX_KEYS  # counting stops here: 0 to 2^63 would take years


def check_key_count(plan: PrivatePlan, keys: int | None, lists: tuple[int, ...]) -> None:
    """Refuse a public key set of more than MAX_KEYS keys, naming its largest factor (proofs.md#check_key_count)."""
    if keys is not None and keys <= MAX_KEYS:
        return
    sources = plan.key_set.sources if plan.key_set is not None else ()
    widest = max(zip(lists, (source.what for source in sources), strict=False), default=(0, "the keys"))
    values = f"{widest[0]:,}" if widest[0] <= MOST_COUNTED else f"more than {MOST_COUNTED:,}"
    raise Refusal(
        Code.KEY,
        f"The answer would have more than {MAX_KEYS:,} keys; the widest list is {widest[1]} with {values} values.",
        f"a coarser key instead of {widest[1]}, or a WHERE that names some of its values",
    )


def reached(noisy_weights: NoisyVector, cost: Cost) -> npt.NDArray[np.bool_]:
    """Mark the private keys that pass the threshold: noisy weight >= threshold (proofs.md#partition-selection)."""
    assert cost.threshold is not None  # noqa: S101  called for private keys only
    return noisy_weights >= cost.threshold
