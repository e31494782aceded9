"""The engine's own noise, drawn on its own, and what it says it costs."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

from budgets import PICO
from engine.mechanism import gaussian as noise
from engine.mechanism.gaussian import NoisyVector, add_noise


def measured_pico_rho(sensitivity: int, scale: float) -> int:
    """Ask the mechanism that is built for a scale, in grains, what it costs: pico-rho rounded up.

    Raises ValueError as `add_noise` does, OverflowError where the cost is infinite.
    """
    return math.ceil(Fraction(noise._measured_rho(noise._mechanism(scale), sensitivity)) * PICO)


def gaussian_samples(count: int, scale: float) -> NoisyVector:
    """Draw discrete Gaussians of `scale` grains: noise on nothing, at the price that it has."""
    return add_noise(np.zeros(count, dtype=np.int64), 1, scale, measured_pico_rho(1, scale))
