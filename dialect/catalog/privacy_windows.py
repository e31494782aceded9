"""Privacy windows: the periods of a person's time that are each protected as one privacy unit, and their names.

A window is identified by its first day and named by text: `2026-10`, an ISO week `2026-W43`, `2026-10-17`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

STATIC = "static"  # account charged for private tables without time, queried alone
MOST_WINDOWS = 4_000  # per dataset: more than ten years of days


class Window(StrEnum):
    """Length of a privacy window: the period of one person's data that is protected as one privacy unit."""

    FOREVER = "forever"
    MONTH = "month"
    WEEK = "week"
    DAY = "day"


_NAMES = {
    Window.MONTH: (r"(\d{4})-(\d{2})", "2026-10"),
    Window.WEEK: (r"(\d{4})-W(\d{2})", "2026-W43"),
    Window.DAY: (r"(\d{4})-(\d{2})-(\d{2})", "2026-10-17"),
}
# window length -> time units that never cross a window boundary
INSIDE: dict[Window, frozenset[str]] = {
    Window.FOREVER: frozenset(),
    Window.MONTH: frozenset({"month", "day", "hour", "minute", "second"}),
    Window.WEEK: frozenset({"week", "day", "hour", "minute", "second"}),
    Window.DAY: frozenset({"day", "hour", "minute", "second"}),
}


@dataclass(frozen=True)
class Stretch:
    """All privacy windows of a dataset from the first to the last, each identified by its first day."""

    window: Window  # never FOREVER
    first: date
    last: date

    def begins(self) -> tuple[date, ...]:
        """First days of the windows, in order."""
        found = [self.first]
        while found[-1] < self.last:
            found.append(next_begin(self.window, found[-1]))
        return tuple(found)

    def names(self) -> tuple[str, ...]:
        """Names of the windows, the earliest first."""
        return tuple(window_name(self.window, begin) for begin in self.begins())


def example_of(window: Window) -> str:
    """Return an example of a window name of this length, for messages."""
    return _NAMES[window][1]


def begin_of(window: Window, day: date) -> date:
    """First day of the window that contains a day."""
    if window is Window.MONTH:
        return day.replace(day=1)
    return day - timedelta(days=day.weekday()) if window is Window.WEEK else day


def next_begin(window: Window, begin: date) -> date:
    """First day of the following window."""
    length = {Window.MONTH: 31, Window.WEEK: 7, Window.DAY: 1}[window]
    return begin_of(window, begin + timedelta(days=length))


def days_of(window: Window, begin: date) -> Iterator[date]:
    """Iterate over the days of a window."""
    day, end = begin, next_begin(window, begin)
    while day < end:
        yield day
        day += timedelta(days=1)


def window_name(window: Window, begin: date) -> str:
    """Name of the window that starts on a day."""
    if window is Window.MONTH:
        return f"{begin:%Y-%m}"
    if window is Window.WEEK:
        year, week, _ = begin.isocalendar()
        return f"{year:04d}-W{week:02d}"
    return begin.isoformat()


def length_of(name: str) -> Window | None:
    """Window length that a window name implies; None for the static account."""
    if name == Window.FOREVER:
        return Window.FOREVER
    return next((window for window in _NAMES if begin_named(window, name) is not None), None)


def begin_named(window: Window, name: str) -> date | None:
    """First day of the window of this name; None where no window between 1900 and 2200 has it."""
    found = re.fullmatch(_NAMES[window][0], name, re.ASCII)
    try:
        parts = [int(part) for part in found.groups()] if found else [0]
        if not 1900 <= parts[0] <= 2200:
            return None
        if window is Window.WEEK:
            return date.fromisocalendar(parts[0], parts[1], 1)
        return date(*parts) if window is Window.DAY else date(parts[0], parts[1], 1)
    except ValueError:
        return None
