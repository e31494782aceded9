"""The engine's own noise, drawn on its own."""

from __future__ import annotations

import numpy as np

from engine.noise import NoisyVector, add_noise, measured_pico_rho


def gaussian_samples(count: int, scale: float) -> NoisyVector:
    """Draw discrete Gaussians of `scale` grains: noise on nothing, at the price that it has."""
    return add_noise(np.zeros(count, dtype=np.int64), 1, scale, measured_pico_rho(1, scale))
