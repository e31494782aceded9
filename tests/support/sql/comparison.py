"""The contract of the exactness oracle: when an answer counts as equal to plain DuckDB's.

* The same column names, ignoring case, in the same order, and the same number of rows.
* Rows in any order unless the outermost SELECT has an ORDER BY; then in the same order.
* Integers, text, booleans, dates and times are equal. A date is equal to its midnight.
* A double on either side agrees within the grain: an absolute 2^-20, or a relative 2^-36 if that is larger, which
  accounts for grains of 2^-20 and for DuckDB's rounding of sums.
* A quantile of doubles is read from bins, and lies within one bin width of DuckDB's, which its query states
  (`within`); quantiles of few integers, each its own bin, are equal. MIN and MAX are the 1% and 99% quantiles.
* Excluded from comparison: cells in which plain DuckDB gives NaN, an infinity, or a magnitude of 2^42 or more that no
  grain can represent, and queries for which plain DuckDB raises.
"""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pyarrow as pa

from tests.support.sql.plain import Row, Rows

ABSOLUTE = 2.0**-20
RELATIVE = 2.0**-36
TOO_LARGE_DOUBLE = 2.0**42
TOO_LARGE_INTEGER = 2**63


@dataclass(frozen=True)
class Comparison:
    """Result of a comparison: the differences, and the number of excluded cells."""

    difference: str | None
    apart: int = 0


def compare(answer: pa.Table, plain: Rows, *, ordered: bool, within: float = 0.0) -> Comparison:
    """Compare an answer with plain DuckDB's rows."""
    if [name.lower() for name in answer.column_names] != [name.lower() for name in plain.names]:
        return Comparison(f"columns {answer.column_names} are not {list(plain.names)}")
    ours = list(zip(*(column.to_pylist() for column in answer.columns), strict=True))
    theirs = plain.rows
    if len(ours) != len(theirs):
        return Comparison(f"{len(ours)} rows are not {len(theirs)}: {_sample(ours)} against {_sample(theirs)}")
    if not ordered:
        ours, theirs = _matched(ours, theirs)
    apart = 0
    for mine, other in zip(ours, theirs, strict=True):
        verdicts = [cell(a, b, within) for a, b in zip(mine, other, strict=True)]
        if False in verdicts:
            return Comparison(f"{mine!r} is not {other!r}", apart)
        apart += verdicts.count(None)
    return Comparison(None, apart)


def cell(ours: Any, theirs: Any, within: float = 0.0) -> bool | None:
    """Return whether two values agree; None if they are excluded."""
    theirs = float(theirs) if isinstance(theirs, Decimal) else theirs
    if _is_apart(theirs):
        return None
    if ours is None or theirs is None:
        return ours is theirs
    if isinstance(ours, float) or isinstance(theirs, float):
        return _close(ours, theirs, within)
    return bool(_moment(ours) == _moment(theirs) and isinstance(ours, bool) == isinstance(theirs, bool))


def _is_apart(value: object) -> bool:
    if isinstance(value, float):
        return not math.isfinite(value) or abs(value) >= TOO_LARGE_DOUBLE
    return isinstance(value, int) and abs(value) >= TOO_LARGE_INTEGER


def _close(ours: object, theirs: object, within: float) -> bool:
    numbers = isinstance(ours, int | float) and isinstance(theirs, int | float)
    return numbers and math.isclose(ours, theirs, rel_tol=RELATIVE, abs_tol=max(ABSOLUTE, within))  # type: ignore[arg-type]


def _moment(value: object) -> object:
    """Convert a date to its midnight, and a time with zone to its instant."""
    if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        return dt.datetime(value.year, value.month, value.day)
    return value


def _matched(ours: list[Row], theirs: list[Row]) -> tuple[list[Row], list[Row]]:
    """Sort both sides alike: by exact columns, then by doubles, which are only nearly equal."""
    near = {i for row in ours + theirs for i, value in enumerate(row) if isinstance(value, float | Decimal)}
    near |= {i for row in theirs for i, value in enumerate(row) if _is_apart(value)}
    mine, other = (sorted(rows, key=lambda row: _place(row, near)) for rows in (ours, theirs))
    for start in range(len(other)):
        partner = next((i for i in range(start, len(mine)) if _agree(mine[i], other[start])), start)
        mine.insert(start, mine.pop(partner))  # fast path without excluded cells
    return mine, other


def _agree(ours: Row, theirs: Row) -> bool:
    return all(cell(a, b) is not False for a, b in zip(ours, theirs, strict=True))


def _place(row: Row, near: set[int]) -> tuple[object, ...]:
    exact = tuple(repr(_moment(value)) for i, value in enumerate(row) if i not in near)
    return (exact, tuple(_rank(value) for i, value in enumerate(row) if i in near))


def _rank(value: object) -> tuple[int, float]:
    if value is None:
        return (2, 0.0)
    number = float(value)  # type: ignore[arg-type]
    return (0, number) if not math.isnan(number) else (1, 0.0)


def _sample(rows: list[Row]) -> str:
    return repr(rows[:3])
