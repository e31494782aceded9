"""Privacy windows begin and end where calendars do, for every length, and have names that show it."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialect.catalog.privacy_windows import (
    Stretch,
    Window,
    begin_named,
    begin_of,
    days_of,
    length_of,
    next_begin,
    window_name,
)

LENGTHS = (Window.MONTH, Window.WEEK, Window.DAY)
NAMED = {
    (Window.MONTH, "2026-10"): date(2026, 10, 1),
    (Window.WEEK, "2026-W43"): date(2026, 10, 19),
    (Window.WEEK, "2026-W01"): date(2025, 12, 29),
    (Window.WEEK, "2026-W53"): date(2026, 12, 28),
    (Window.DAY, "2028-02-29"): date(2028, 2, 29),
}
NO_NAMES = ((Window.MONTH, "2026-13"), (Window.MONTH, "2026-10-01"), (Window.WEEK, "2025-W53"), (Window.WEEK, "2026-43"), (Window.DAY, "2026-02-29"), (Window.DAY, "2026-2-3"), (Window.MONTH, "1026-10"), (Window.MONTH, "٢٠٢٦-10"), (Window.DAY, ""))  # fmt: skip


@pytest.mark.parametrize(("window", "name"), NAMED)
def test_a_name_is_read_and_written(window: Window, name: str) -> None:
    assert begin_named(window, name) == NAMED[window, name]
    assert window_name(window, NAMED[window, name]) == name


@pytest.mark.parametrize(("window", "name"), NO_NAMES)
def test_what_is_no_window_has_no_beginning(window: Window, name: str) -> None:
    assert begin_named(window, name) is None


@pytest.mark.parametrize("window", LENGTHS)
@given(day=st.dates(date(1900, 1, 8), date(2199, 12, 1)))
def test_every_day_lies_in_one_window(window: Window, day: date) -> None:
    begin = begin_of(window, day)
    days = list(days_of(window, begin))
    assert day in days and days[0] == begin and begin_of(window, days[-1]) == begin
    assert next_begin(window, begin) == days[-1] + timedelta(days=1) == begin_of(window, days[-1] + timedelta(days=1))
    assert begin_named(window, window_name(window, begin)) == begin


def test_a_stretch_lists_all_of_its_windows() -> None:
    assert Stretch(Window.MONTH, date(2026, 11, 1), date(2027, 2, 1)).names() == (
        "2026-11",
        "2026-12",
        "2027-01",
        "2027-02",
    )
    assert len(Stretch(Window.DAY, date(2026, 1, 1), date(2026, 12, 31)).begins()) == 365
    assert Stretch(Window.WEEK, date(2025, 12, 29), date(2025, 12, 29)).names() == ("2026-W01",)


def test_a_name_says_how_long_a_window_is() -> None:
    assert [length_of(name) for name in ("2026-10", "2026-W43", "2026-10-17", "forever", "static")] == [
        Window.MONTH, Window.WEEK, Window.DAY, Window.FOREVER, None,
    ]  # fmt: skip
