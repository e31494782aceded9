"""The norm that was chosen for one vector from what is publicly known of people, in place of the declared one."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ChosenNorm:
    """A norm C for one vector; whichever it is, the promise holds, and a good one loses little."""

    norm: float  # in the vector's unit
    predicted_bias: float | None  # expected relative error of a total by what is cut, at most 0; None: unknown
    why: str  # what it was chosen from, and at what it aims
    kept: float = 1.0  # released numbers are divided by this share of them that is expected to be left
    bias_within: float | None = None  # how far a number may be off by cutting, in 19 of 20 groups; as VectorBound's
