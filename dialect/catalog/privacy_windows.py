"""Windows of time: the stretches of a person's days that are protected each for itself, and their names.

A window is known by the day on which it begins, and called by text: `2026-10`, an ISO week `2026-W43`, `2026-10-17`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

STATIC = "static"  # the account of private tables without time, read alone
MOST_WINDOWS = 4_000  # of one dataset: more than ten years of days


class Window(StrEnum):
    """The stretch of one person's time that is protected as one unit."""

    FOREVER = "forever"
    MONTH = "month"
    WEEK = "week"
    DAY = "day"


_NAMES = {
    Window.MONTH: (r"(\d{4})-(\d{2})", "2026-10"),
    Window.WEEK: (r"(\d{4})-W(\d{2})", "2026-W43"),
    Window.DAY: (r"(\d{4})-(\d{2})-(\d{2})", "2026-10-17"),
}
# window -> units of time of which each lies inside one window
INSIDE: dict[Window, frozenset[str]] = {
    Window.FOREVER: frozenset(),
    Window.MONTH: frozenset({"month", "day", "hour", "minute", "second"}),
    Window.WEEK: frozenset({"week", "day", "hour", "minute", "second"}),
    Window.DAY: frozenset({"day", "hour", "minute", "second"}),
}


@dataclass(frozen=True)
class Stretch:
    """The declared windows of a dataset: all from the first to the last, known by the days on which they begin."""

    window: Window  # never FOREVER
    first: date
    last: date

    def begins(self) -> tuple[date, ...]:
        """List the days on which the windows begin."""
        found = [self.first]
        while found[-1] < self.last:
            found.append(next_begin(self.window, found[-1]))
        return tuple(found)

    def names(self) -> tuple[str, ...]:
        """List the windows by name, the earliest first."""
        return tuple(window_name(self.window, begin) for begin in self.begins())


def example_of(window: Window) -> str:
    """Show how a window of this length is called."""
    return _NAMES[window][1]


def begin_of(window: Window, day: date) -> date:
    """Find the day on which the window of a day begins."""
    if window is Window.MONTH:
        return day.replace(day=1)
    return day - timedelta(days=day.weekday()) if window is Window.WEEK else day


def next_begin(window: Window, begin: date) -> date:
    """Find the day on which the following window begins."""
    length = {Window.MONTH: 31, Window.WEEK: 7, Window.DAY: 1}[window]
    return begin_of(window, begin + timedelta(days=length))


def days_of(window: Window, begin: date) -> Iterator[date]:
    """Walk the days of a window."""
    day, end = begin, next_begin(window, begin)
    while day < end:
        yield day
        day += timedelta(days=1)


def window_name(window: Window, begin: date) -> str:
    """Name the window that begins on a day."""
    if window is Window.MONTH:
        return f"{begin:%Y-%m}"
    if window is Window.WEEK:
        year, week, _ = begin.isocalendar()
        return f"{year:04d}-W{week:02d}"
    return begin.isoformat()


def length_of(name: str) -> Window | None:
    """Tell how long a window of this name is; None of the static account."""
    if name == Window.FOREVER:
        return Window.FOREVER
    return next((window for window in _NAMES if begin_named(window, name) is not None), None)


def begin_named(window: Window, name: str) -> date | None:
    """Find the day on which a window begins by its name; None if there is no such window between 1900 and 2200."""
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
