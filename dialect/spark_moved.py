"""Spark's forms of dates and times that are moved, and of spans, in whole microseconds (`dialect.spark_time`)."""

from __future__ import annotations

from collections.abc import Callable

from dialect.constants import MONTHS, SECONDS
from dialect.function_row import SparkForm
from dialect.functions_time import MOST_DAYS, MOST_MICROSECONDS

_SECOND = 1_000_000


def microseconds(span: str) -> int:
    """Count a constant interval."""
    amount, unit = span.split(" ")
    return int(amount) * (MONTHS[unit] * 30 * 86_400 if unit in MONTHS else SECONDS[unit]) * _SECOND


def wall(place: int) -> str:
    """Write an argument as a time."""
    return f"TRY_CAST({{{place}}} AS TIMESTAMP_NTZ)"


def micros(place: int) -> str:
    """Write an argument's microseconds since 1970."""
    return f"unix_micros(TRY_CAST({{{place}}} AS TIMESTAMP))"


def stamp(since: str) -> str:
    """Write the time that many microseconds after 1970 began."""
    return f"CAST(timestamp_micros({since}) AS TIMESTAMP_NTZ)"


def _moved(sign: str) -> Callable[[str], str]:
    """Move a time by a constant: by months in the calendar, or by microseconds."""

    def form(span: str) -> str:
        amount, unit = span.split(" ")
        if unit in MONTHS:
            return f"({wall(0)} {sign} make_ym_interval(0, {int(amount) * MONTHS[unit]}))"
        return stamp(f"{'try_add' if sign == '+' else 'try_subtract'}({micros(0)}, {microseconds(span)}L)")

    return form


_DAYS = f"CAST(CASE WHEN {{1}} BETWEEN -{MOST_DAYS} AND {MOST_DAYS} THEN {{1}} END AS INT)"
_PRODUCT = "(CAST({0} AS DOUBLE) * CAST({1} AS DOUBLE))"
_TIMES_DOUBLE = f"CASE WHEN abs({_PRODUCT}) <= {MOST_MICROSECONDS} THEN CAST(rint({_PRODUCT}) AS BIGINT) END"


def _by_span(sign: str) -> str:
    moved = stamp(f"{'try_add' if sign == '+' else 'try_subtract'}({micros(0)}, {{1}})")
    return f"CASE WHEN {{1}} BETWEEN -{MOST_MICROSECONDS}L AND {MOST_MICROSECONDS}L THEN {moved} END"


MOVED: dict[str, SparkForm] = {
    "+(date, days!)": "date_add({0}, CAST({1} AS INT))",
    "-(date, days!)": "date_sub({0}, CAST({1} AS INT))",
    "+(date, int)": f"date_add({{0}}, {_DAYS})",
    "-(date, int)": f"date_sub({{0}}, {_DAYS})",
    **{f"{sign}({kind}, span)": _by_span(sign) for sign in "+-" for kind in ("stamp", "date")},
    **{f"{sign}({kind}, span!)": _moved(sign) for sign in "+-" for kind in ("stamp", "date")},
    "+(span, span)": "try_add({0}, {1})",
    "-(span, span)": "try_subtract({0}, {1})",
    "*(span!, int!)": "try_multiply({0}, {1})",
    "*(int!, span!)": "try_multiply({0}, {1})",
    "*(span!, int)": "try_multiply({0}, {1})",
    "*(int, span!)": "try_multiply({0}, {1})",
    "*(span!, num)": _TIMES_DOUBLE,
    "*(num, span!)": _TIMES_DOUBLE,
    "negative(span!)": "(-{0})",
}
