"""Discrete Gaussian noise on exact integers: the only use of OpenDP, the only randomness.

Every vector gets discrete Gaussian noise in its own grain. The mechanism is built, its privacy map is evaluated, and
it does not run when that is more than was charged. Nothing here takes a seed, and OpenDP has none.

Proofs: proofs.md#noise
"""

import importlib.metadata
import math
import os
import re
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from functools import lru_cache, partial
from typing import NewType, Protocol

import numpy as np
from opendp.core import as_array
from opendp.domains import atom_domain, vector_domain
from opendp.measurements import make_gaussian
from opendp.metrics import l2_distance
from opendp.mod import Measurement, enable_features

from budgets import PICO
from engine.backends.exact import Int64Vector

NoisyVector = NewType("NoisyVector", Int64Vector)  # one noisy int64 per group; distinct from exact vectors

MAX_SENSITIVITY_GRAINS = 2**52
MOST_VALUES_IN_A_SLICE = 50_000
FEWEST_VALUES_IN_A_SLICE = 1_000
OLDEST_OPENDP = (0, 16)


def _require_opendp(installed: str) -> None:
    """Refuse an OpenDP whose samplers or maps are known to be wrong."""
    release = tuple(int(part) for part in re.findall(r"\d+", installed)[:2])
    if release < OLDEST_OPENDP:
        raise ImportError(f"opendp {installed} is too old: samplers were biased before 0.14.2; install opendp>=0.16")


_require_opendp(importlib.metadata.version("opendp"))
enable_features("contrib")
# domain, metric and output of each mechanism: made once, as they take longer than the mechanism
_VECTORS, _DISTANCE, _ARRAY = vector_domain(atom_domain(T="i64")), l2_distance(T="f64"), as_array()


class NoiseRefused(Exception):
    """The mechanism costs more than was charged, so it was not run."""

    def __init__(self, measured_rho: float, pico_rho_charged: int) -> None:
        """Keep the loss of the mechanism's map and the charged loss."""
        super().__init__(f"the mechanism costs rho {measured_rho!r}, charged were {pico_rho_charged} pico-rho")
        self.measured_rho = measured_rho
        self.pico_rho_charged = pico_rho_charged


class NoiseSource(Protocol):
    """Mechanism that the engine uses: `add_noise`, or an exact source that only tests can build."""

    def __call__(self, exact: Int64Vector, sensitivity: int, scale: float, pico_rho_charged: int) -> NoisyVector:
        """Noisy integers, one per exact integer, in the same order and grain."""
        ...


@lru_cache(maxsize=4096)
def gaussian_scale(sensitivity: int, pico_rho: int) -> float:
    """Find the smallest scale, in grains, whose built mechanism costs at most `pico_rho`.

    Claim: a vector with L2 sensitivity `sensitivity` noised at this scale is (pico_rho * 10^-12)-zCDP, as OpenDP's own
    map certifies; the next smaller float is not certified.
    Symbols: `sensitivity` = most that one person moves the vector, L2, in grains; `pico_rho` = rho in units of 10^-12.
    Formula: rho = sensitivity^2 / (2 scale^2).
    Source: Canonne, Kamath, Steinke, arXiv 2004.00010 v5, Theorem 14 (the multivariate discrete Gaussian).
    Raises: ValueError unless 1 <= sensitivity <= 2^52 and pico_rho >= 1 (sensitivity 0 would ask for no noise).
    Proof: proofs.md#gaussian_scale
    """
    if pico_rho < 1:
        raise ValueError(f"pico_rho must be at least 1, not {pico_rho}")
    _require_grains(sensitivity)
    scale = _least_scale(sensitivity, pico_rho)
    while _exceeds(_measured_rho(scale, sensitivity), pico_rho):
        scale = math.nextafter(scale, math.inf)
    return scale


def _least_scale(sensitivity: int, pico_rho: int) -> float:
    """Find by the formula, in exact fractions, the smallest scale whose map, rounded up once, is within a price.

    Building a mechanism and evaluating its map takes ten times as long: that is done once, for the scale found.
    """
    most = pico_rho / PICO  # the largest float within the price
    if Fraction(most) > Fraction(pico_rho, PICO):
        most = math.nextafter(most, 0.0)
    scale, least_square = sensitivity / math.sqrt(2 * most), Fraction(sensitivity) ** 2 / (2 * Fraction(most))
    while Fraction(scale) ** 2 < least_square:
        scale = math.nextafter(scale, math.inf)
    while Fraction(smaller := math.nextafter(scale, 0.0)) ** 2 >= least_square:
        scale = smaller
    return scale


@lru_cache(maxsize=4096)
def privacy_loss(sensitivity: int, scale: float) -> Fraction:
    """Loss (rho) of the mechanism at a scale and an L2 sensitivity, both in grains, as its own map states it.

    Raises ValueError for a sensitivity outside 1..2^52, a scale that is not positive and finite, or an infinite loss.
    """
    measured_rho = _measured_rho(scale, sensitivity)
    if not math.isfinite(measured_rho):
        raise ValueError(f"a sensitivity of {sensitivity} at scale {scale!r} has no finite loss")
    return Fraction(measured_rho)


def at_most(noise: NoiseSource, rho: Fraction) -> NoiseSource:
    """Limit what all calls of a noise source cost together.

    Claim: whatever prices the calls state, their losses add up to at most `rho`, else the call that exceeds it is
    refused before noise is drawn. Source and proof: engine/pricing/proofs.md#profiles. Raises NoiseRefused.
    """
    spent = [Fraction(0)]

    def limited(exact: Int64Vector, sensitivity: int, scale: float, pico_rho_charged: int) -> NoisyVector:
        """Add noise if its loss fits into what is left."""
        spent[0] += privacy_loss(sensitivity, scale)
        if spent[0] > rho:
            raise NoiseRefused(float(spent[0]), math.floor(rho * PICO))
        return noise(exact, sensitivity, scale, pico_rho_charged)

    return limited


def add_noise(exact: Int64Vector, sensitivity: int, scale: float, pico_rho_charged: int) -> NoisyVector:
    """Add discrete Gaussian noise to an exact vector, if that costs no more than was charged.

    Claim: the returned vector is (pico_rho_charged * 10^-12)-zCDP for neighbours whose exact vectors differ by at most
    `sensitivity` in L2; it is the only function that turns exact numbers into releasable ones.
    Symbols: `exact` = one int64 per group, in grains; `scale` = sigma in grains; int64 overflow saturates.
    Formula: noisy_i = exact_i + Z_i, Z_i independent, P[Z = k] proportional to exp(-k^2 / (2 scale^2)).
    Source: Canonne, Kamath, Steinke, arXiv 2004.00010 v5, Definition 1, Theorem 14; OpenDP 0.16 `make_gaussian`.
    Raises: NoiseRefused if the built mechanism's map exceeds the charge; ValueError for a sensitivity outside
    1..2^52, a scale that is not positive and finite; TypeError unless the vector is one-dimensional int64.
    Proof: proofs.md#add_noise
    """
    if exact.dtype != np.int64 or exact.ndim != 1:
        raise TypeError(f"noise needs a one-dimensional int64 vector, not {exact.ndim} dimensions of {exact.dtype}")
    measured_rho = _measured_rho(scale, sensitivity)
    if _exceeds(measured_rho, pico_rho_charged):
        raise NoiseRefused(measured_rho, pico_rho_charged)
    return NoisyVector(_in_slices(_mechanism(scale), exact))


def _require_grains(sensitivity: int) -> None:
    """Refuse a sensitivity of 0, which would mean no noise, or one that a float can't represent exactly."""
    if not 1 <= sensitivity <= MAX_SENSITIVITY_GRAINS:
        raise ValueError(f"sensitivity must be from 1 to 2^52 grains, not {sensitivity}")


@lru_cache(maxsize=1024)
def _mechanism(scale: float) -> Measurement:
    """Build the discrete Gaussian on int64 vectors under L2 distance; a scale of 0 would be the identity."""
    if not 0 < scale < math.inf:
        raise ValueError(f"scale must be positive and finite, not {scale!r}")
    return make_gaussian(_VECTORS, _DISTANCE, scale=scale) >> _ARRAY


@lru_cache(maxsize=4096)
def _measured_rho(scale: float, sensitivity: int) -> float:
    """Evaluate the built mechanism's privacy map, once for each; a sensitivity up to 2^52 is exact as a float."""
    _require_grains(sensitivity)
    return float(_mechanism(scale).map(float(sensitivity)))  # type: ignore[no-untyped-call]


def _exceeds(measured_rho: float, pico_rho: int) -> bool:
    """Compare the map's float, read exactly, with a number of pico-rho."""
    return not math.isfinite(measured_rho) or Fraction(measured_rho) > Fraction(pico_rho, PICO)


def _in_slices(mechanism: Measurement, exact: Int64Vector) -> Int64Vector:
    """Add noise to disjoint slices in threads: one mechanism, accounted once; OpenDP samples without the GIL."""
    threads = os.cpu_count() or 1
    size = min(MOST_VALUES_IN_A_SLICE, max(FEWEST_VALUES_IN_A_SLICE, -(-exact.size // threads)))
    slices = [exact[start : start + size] for start in range(0, exact.size, size)]
    noised = partial(_noised_slice, mechanism)
    if len(slices) <= 1:
        return np.concatenate([np.zeros(0, dtype=np.int64), *map(noised, slices)])
    with ThreadPoolExecutor(threads) as pool:
        return np.concatenate(list(pool.map(noised, slices)))


def _noised_slice(mechanism: Measurement, exact: Int64Vector) -> Int64Vector:
    """Add noise to a copy of one slice: Arrow's arrays are read-only, and OpenDP takes no strided ones."""
    return np.array(mechanism(np.array(exact, dtype=np.int64, order="C")), dtype=np.int64)
