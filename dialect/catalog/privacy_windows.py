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
MAX_WINDOWS = 4_000  # per dataset: more than ten years of days


class PrivacyWindow(StrEnum):
    """Length of a privacy window: the period of one person's data that is protected as one privacy unit."""

    FOREVER = "forever"
    MONTH = "month"
    WEEK = "week"
    DAY = "day"


_NAME_PATTERNS = {
    PrivacyWindow.MONTH: (r"(\d{4})-(\d{2})", "2026-10"),
    PrivacyWindow.WEEK: (r"(\d{4})-W(\d{2})", "2026-W43"),
    PrivacyWindow.DAY: (r"(\d{4})-(\d{2})-(\d{2})", "2026-10-17"),
}
# window length -> time units that never cross a window boundary
UNITS_WITHIN_WINDOW: dict[PrivacyWindow, frozenset[str]] = {
    PrivacyWindow.FOREVER: frozenset(),
    PrivacyWindow.MONTH: frozenset({"month", "day", "hour", "minute", "second"}),
    PrivacyWindow.WEEK: frozenset({"week", "day", "hour", "minute", "second"}),
    PrivacyWindow.DAY: frozenset({"day", "hour", "minute", "second"}),
}


@dataclass(frozen=True)
class WindowRange:
    """All privacy windows of a dataset from the first to the last, each identified by its first day."""

    window: PrivacyWindow  # never FOREVER
    first: date
    last: date

    def first_days(self) -> tuple[date, ...]:
        """First days of the windows, in order."""
        days = [self.first]
        while days[-1] < self.last:
            days.append(next_window_start(self.window, days[-1]))
        return tuple(days)

    def window_names(self) -> tuple[str, ...]:
        """Names of the windows, the earliest first."""
        return tuple(window_name(self.window, begin) for begin in self.first_days())


def example_window_name(window: PrivacyWindow) -> str:
    """Return an example of a window name of this length, for messages."""
    return _NAME_PATTERNS[window][1]


def first_day_of_window(window: PrivacyWindow, day: date) -> date:
    """First day of the window that contains a day."""
    if window is PrivacyWindow.MONTH:
        return day.replace(day=1)
    return day - timedelta(days=day.weekday()) if window is PrivacyWindow.WEEK else day


def next_window_start(window: PrivacyWindow, first_day: date) -> date:
    """First day of the following window."""
    length = {PrivacyWindow.MONTH: 31, PrivacyWindow.WEEK: 7, PrivacyWindow.DAY: 1}[window]
    return first_day_of_window(window, first_day + timedelta(days=length))


def days_of_window(window: PrivacyWindow, first_day: date) -> Iterator[date]:
    """Iterate over the days of a window."""
    day, end = first_day, next_window_start(window, first_day)
    while day < end:
        yield day
        day += timedelta(days=1)


def window_name(window: PrivacyWindow, first_day: date) -> str:
    """Name of the window that starts on a day: `2026-10`, `2026-W43` or `2026-10-17`."""
    if window is PrivacyWindow.MONTH:
        return f"{first_day:%Y-%m}"
    if window is PrivacyWindow.WEEK:
        year, week, _ = first_day.isocalendar()
        return f"{year:04d}-W{week:02d}"
    return first_day.isoformat()


def window_of_name(name: str) -> PrivacyWindow | None:
    """Window length that a window name implies; None for the static account."""
    if name == PrivacyWindow.FOREVER:
        return PrivacyWindow.FOREVER
    return next((window for window in _NAME_PATTERNS if first_day_of_name(window, name) is not None), None)


def first_day_of_name(window: PrivacyWindow, name: str) -> date | None:
    """First day of the window of this name; None where no window between 1900 and 2200 has it."""
    match = re.fullmatch(_NAME_PATTERNS[window][0], name, re.ASCII)
    try:
        parts = [int(part) for part in match.groups()] if match else [0]
        if not 1900 <= parts[0] <= 2200:
            return None
        if window is PrivacyWindow.WEEK:
            return date.fromisocalendar(parts[0], parts[1], 1)
        return date(*parts) if window is PrivacyWindow.DAY else date(parts[0], parts[1], 1)
    except ValueError:
        return None
