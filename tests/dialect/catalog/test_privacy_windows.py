"""Privacy windows begin and end where calendars do, for every length, and have names that show it."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialect.catalog.privacy_windows import (
    PrivacyWindow,
    WindowRange,
    days_of_window,
    first_day_of_name,
    first_day_of_window,
    next_window_start,
    window_name,
    window_of_name,
)

LENGTHS = (PrivacyWindow.MONTH, PrivacyWindow.WEEK, PrivacyWindow.DAY)
NAMED = {
    (PrivacyWindow.MONTH, "2026-10"): date(2026, 10, 1),
    (PrivacyWindow.WEEK, "2026-W43"): date(2026, 10, 19),
    (PrivacyWindow.WEEK, "2026-W01"): date(2025, 12, 29),
    (PrivacyWindow.WEEK, "2026-W53"): date(2026, 12, 28),
    (PrivacyWindow.DAY, "2028-02-29"): date(2028, 2, 29),
}
NO_NAMES = ((PrivacyWindow.MONTH, "2026-13"), (PrivacyWindow.MONTH, "2026-10-01"), (PrivacyWindow.WEEK, "2025-W53"), (PrivacyWindow.WEEK, "2026-43"), (PrivacyWindow.DAY, "2026-02-29"), (PrivacyWindow.DAY, "2026-2-3"), (PrivacyWindow.MONTH, "1026-10"), (PrivacyWindow.MONTH, "٢٠٢٦-10"), (PrivacyWindow.DAY, ""))  # fmt: skip


@pytest.mark.parametrize(("window", "name"), NAMED)
def test_a_name_is_read_and_written(window: PrivacyWindow, name: str) -> None:
    assert first_day_of_name(window, name) == NAMED[window, name]
    assert window_name(window, NAMED[window, name]) == name


@pytest.mark.parametrize(("window", "name"), NO_NAMES)
def test_an_invalid_window_name_has_no_first_day(window: PrivacyWindow, name: str) -> None:
    assert first_day_of_name(window, name) is None


@pytest.mark.parametrize("window", LENGTHS)
@given(day=st.dates(date(1900, 1, 8), date(2199, 12, 1)))
def test_every_day_lies_in_one_window(window: PrivacyWindow, day: date) -> None:
    begin = first_day_of_window(window, day)
    days = list(days_of_window(window, begin))
    assert day in days and days[0] == begin and first_day_of_window(window, days[-1]) == begin
    assert (
        next_window_start(window, begin)
        == days[-1] + timedelta(days=1)
        == first_day_of_window(window, days[-1] + timedelta(days=1))
    )
    assert first_day_of_name(window, window_name(window, begin)) == begin


def test_a_stretch_lists_all_of_its_windows() -> None:
    assert WindowRange(PrivacyWindow.MONTH, date(2026, 11, 1), date(2027, 2, 1)).window_names() == (
        "2026-11",
        "2026-12",
        "2027-01",
        "2027-02",
    )
    assert len(WindowRange(PrivacyWindow.DAY, date(2026, 1, 1), date(2026, 12, 31)).first_days()) == 365
    assert WindowRange(PrivacyWindow.WEEK, date(2025, 12, 29), date(2025, 12, 29)).window_names() == ("2026-W01",)


def test_the_length_of_a_privacy_window_follows_from_its_name() -> None:
    assert [window_of_name(name) for name in ("2026-10", "2026-W43", "2026-10-17", "forever", "static")] == [
        PrivacyWindow.MONTH, PrivacyWindow.WEEK, PrivacyWindow.DAY, PrivacyWindow.FOREVER, None,
    ]  # fmt: skip
