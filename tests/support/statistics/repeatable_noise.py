"""Noise that is the same in every run: Gaussian of the scale that is asked for, without privacy."""

from __future__ import annotations

from typing import cast

import numpy as np

from engine.backends.exact import Int64Vector
from engine.mechanism.gaussian import NoiseSource, NoisyVector


def repeatable_noise(seed: int = 1) -> NoiseSource:
    """Return a noise source of its own generator, for tests of widths that noise decides."""
    generator = np.random.default_rng(seed)

    def noise(exact: Int64Vector, _sensitivity: int, scale: float, _pico_rho: int) -> NoisyVector:
        """Add rounded Gaussian noise."""
        return cast("NoisyVector", exact + np.rint(generator.normal(0.0, scale, len(exact))).astype(np.int64))

    return noise
