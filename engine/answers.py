"""outer rows -> answer: shown columns, their intervals, and what is unstable."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from dialect.write_outer import OuterSql
from engine.intervals import linear_interval, ratio_interval

Ends = tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]


@dataclass(frozen=True)
class Answer:
    """What the asker sees: a table, and intervals for the columns that noise is in."""

    table: pa.Table
    intervals: dict[str, Ends]  # column -> lower and upper ends, NaN where there is none
    unstable: dict[str, int]  # column -> how many of its ratios have a denominator that may be 0


def answer(rows: pa.Table, outer: OuterSql, confidence: float) -> Answer:
    """Turn the outer part's rows into shown columns with intervals at a level."""
    shown = {name: rows.column(f"s{i}") for i, name in enumerate(outer.names)}
    intervals: dict[str, Ends] = {}
    unstable: dict[str, int] = {}
    for i in outer.uncertain:
        name = outer.names[i]
        lower, upper, weak = _ends(rows, i, i in outer.ratios, confidence)
        none = np.asarray(shown[name].is_null()) | weak
        if weak.any():
            shown[name] = pc.if_else(pa.array(weak), pa.scalar(None, shown[name].type), shown[name])
            unstable[name] = int(weak.sum())
        intervals[name] = (np.where(none, np.nan, lower), np.where(none, np.nan, upper))
    return Answer(pa.table(shown), intervals, unstable)


def _ends(
    rows: pa.Table, i: int, ratio: bool, confidence: float
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    offset, top, top_variance = (
        _floats(rows, f"s{i}_{part}") for part in ("offset", "numerator", "numerator_variance")
    )
    if not ratio:
        lower, upper = linear_interval(top, np.sqrt(top_variance), confidence)
        return offset + lower, offset + upper, np.zeros(len(offset), dtype=bool)
    parts = ("denominator", "denominator_variance", "covariance")
    bottom, bottom_variance, covariance = (_floats(rows, f"s{i}_{part}") for part in parts)
    lower, upper, weak = ratio_interval(top, bottom, top_variance, bottom_variance, covariance, confidence)
    return offset + lower, offset + upper, weak


def _floats(rows: pa.Table, name: str) -> npt.NDArray[np.float64]:
    values: npt.NDArray[np.float64] = rows.column(name).cast(pa.float64()).fill_null(float("nan")).to_numpy()
    return values
