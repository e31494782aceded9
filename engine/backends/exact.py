"""Exact integers per group, between backend and noise: the only form in which private data reaches this process.

An Exact cannot be serialised or shown; `engine.mechanism.gaussian` converts its vectors to another type, of which a
Release is made.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Int64Vector = npt.NDArray[np.int64]
NO_OBJECTIONS = pa.table({"person": pa.nulls(0, pa.string())})  # objections where nobody has objected
FindObjections = Callable[[str], pa.Table]  # dataset -> snapshot of the people who object now


def no_objections(dataset: str) -> pa.Table:
    """Return an empty table of objections."""
    del dataset
    return NO_OBJECTIONS


@dataclass(frozen=True, repr=False)
class Exact:
    """Exact vectors of a release, one row per group."""

    keys: pa.Table  # columns k0, k1, ... in the plan's order
    vectors: tuple[Int64Vector, ...]  # one int64 per group, in released grains

    @classmethod
    def from_table(cls, table: pa.Table, keys: int, vectors: int) -> Exact:
        """Split a bounded SQL result: key columns k0, k1, ..., then vectors w0, w1, ..., with NULL as 0."""
        return cls(
            table.select([f"k{i}" for i in range(keys)]),
            tuple(_int64_vector(table.column(f"w{i}")) for i in range(vectors)),
        )

    def __reduce__(self) -> NoReturn:
        raise TypeError("exact numbers are not serialised; only a Release is")


def _int64_vector(column: pa.ChunkedArray) -> Int64Vector:
    filled = column.fill_null(0) if column.null_count else column
    return filled.to_numpy().astype(np.int64, copy=True)
