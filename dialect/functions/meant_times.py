"""Text that is no time -> the time that it must mean, in the one form that is read; or that form alone."""

from __future__ import annotations

import re
from datetime import date

_FORMS = {"DATE": "'YYYY-MM-DD'", "TIMESTAMP": "'YYYY-MM-DD HH:MM:SS'", "TIME": "'HH:MM:SS'"}
_DAY = re.compile(
    r"(?:(\d{4})([./-])(\d\d?)\2(\d\d?)|(\d\d?)([./-])(\d\d?)\6(\d{4})|(\d{4})(\d\d)(\d\d))"
    r"(?:[ T](\d\d?):(\d\d)(?::(\d\d))?)?",
    re.ASCII,
)


def how_written(kind: str) -> str:
    """Show how a constant of a type is written; of other types than those of time a number."""
    return f"{kind} {_FORMS[kind]}" if kind in _FORMS else "a number in digits"


def meant_time(text: str, kind: str) -> str | None:
    """Write a day as it is read here, with quotes; None where none may be meant, or more than one.

    A day with dots begins with its day, one with slashes or dashes with its day or its month, as numbers allow.
    """
    found = _DAY.fullmatch(text)
    if found is None or kind not in ("DATE", "TIMESTAMP"):
        return None
    days = {day for day in _days(found) if day is not None}
    hour, minute, second = found.groups()[-3:]
    if len(days) != 1 or (hour is not None and (int(hour) > 23 or max(int(minute), int(second or 0)) > 59)):
        return None
    clock = f" {int(hour):02}:{minute}:{second or '00'}" if hour is not None and kind == "TIMESTAMP" else ""
    return f"'{days.pop().isoformat()}{clock}'"


def _days(found: re.Match[str]) -> tuple[date | None, ...]:
    if found[5] is None:
        year, month, day = (found[1], found[3], found[4]) if found[1] is not None else found.group(9, 10, 11)
        return (_date(year, month, day),)
    first, second, year = found[5], found[7], found[8]
    by_day = _date(year, second, first)
    return (by_day,) if found[6] == "." else (by_day, _date(year, first, second))


def _date(year: str, month: str, day: str) -> date | None:
    try:
        return date(int(year), int(month), int(day))
    except ValueError:
        return None
