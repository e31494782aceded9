"""Exact integers per group, between backend and noise: the only form in which private data reaches this process.

Nothing in this module can be serialised or shown; noise turns an Exact into a Release.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NoReturn

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from engine.noise import Int64Vector


@dataclass(frozen=True, repr=False)
class Exact:
    """One row per group."""

    keys: pa.Table  # columns k0, k1, ... in the plan's order
    vectors: tuple[Int64Vector, ...]  # one int64 per group, in released grains
    missing: tuple[npt.NDArray[np.bool_] | None, ...] = ()  # only tests, which lift the bounds, meet sums of nothing

    def __reduce__(self) -> NoReturn:
        raise TypeError("exact numbers are not serialised; only a Release is")
