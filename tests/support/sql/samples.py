"""Samples of the engine's own noise, and its claimed privacy cost."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

from budgets import PICO
from engine.mechanism import gaussian
from engine.mechanism.gaussian import NoisyVector, add_noise


def measured_pico_rho(sensitivity: int, scale: float) -> int:
    """Privacy cost that the built mechanism claims for a scale, in grains: pico-rho rounded up.

    Raises ValueError as `add_noise` does, OverflowError if the cost is infinite.
    """
    return math.ceil(Fraction(gaussian._measured_rho(scale, sensitivity)) * PICO)


def gaussian_samples(count: int, scale: float) -> NoisyVector:
    """Draw discrete Gaussian noise of `scale` grains, at its price."""
    return add_noise(np.zeros(count, dtype=np.int64), 1, scale, measured_pico_rho(1, scale))
