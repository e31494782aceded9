"""What determines the privacy window of a row, and what equates two windows."""

from __future__ import annotations

from datetime import date

import pytest

from dialect.catalog.privacy_windows import PrivacyWindow, WindowRange
from dialect.stability.scans import limit_ranges, merge_adjacent_windows
from tests.dialect.windowed import touched

GROUPED = "SELECT COUNT(*) FROM (SELECT person_id, {} AS k, count(*) AS n FROM visit GROUP BY 1, 2)"
JOINED = "SELECT COUNT(*) FROM visit v JOIN seen s ON v.person_id = s.person_id AND {}"
TELL = {
    PrivacyWindow.MONTH: ("day", "began", "date_trunc('month', began)", "date_trunc('day', day)", "CAST(began AS DATE)", "date_trunc('month', CAST(began AS DATE))"),
    PrivacyWindow.WEEK: ("day", "date_trunc('week', day)", "date_trunc('hour', began)"),
    PrivacyWindow.DAY: ("day", "date_trunc('day', began)", "date_trunc('second', began)"),
}  # fmt: skip
DO_NOT = {
    PrivacyWindow.MONTH: (
        "date_trunc('week', day)",
        "date_trunc('year', day)",
        "month(day)",
        "day + 1",
        "tag",
        "hour(began)",
    ),
    PrivacyWindow.WEEK: ("date_trunc('month', day)", "isodow(day)"),
    PrivacyWindow.DAY: ("date_trunc('week', began)", "CAST(began + INTERVAL 1 HOUR AS DATE)"),
}
EQUAL = ("CAST(s.ts AS DATE) = v.day", "date_trunc('month', s.ts) = date_trunc('month', v.began)", "s.ts = v.began")
UNEQUAL = ("CAST(s.ts AS DATE) >= v.day", "date_trunc('week', s.ts) = date_trunc('week', v.began)", "s.place = v.place", "(CAST(s.ts AS DATE) = v.day OR s.place = 1)", "CAST(s.ts AS DATE) = v.day + 1", "s.ts AT TIME ZONE 'UTC' = v.began")  # fmt: skip


@pytest.mark.parametrize(("window", "key"), [(window, key) for window in TELL for key in TELL[window]])
def test_a_group_key_that_determines_the_privacy_window_prevents_crossing(window: PrivacyWindow, key: str) -> None:
    assert not touched(GROUPED.format(key), window).is_crossing


@pytest.mark.parametrize(("window", "key"), [(window, key) for window in DO_NOT for key in DO_NOT[window]])
def test_a_group_key_that_does_not_determine_the_window_allows_crossing(window: PrivacyWindow, key: str) -> None:
    assert touched(GROUPED.format(key), window).is_crossing


@pytest.mark.parametrize("condition", EQUAL)
def test_a_join_of_equal_windows_keeps_them_apart(condition: str) -> None:
    assert not touched(JOINED.format(condition)).is_crossing


@pytest.mark.parametrize("condition", UNEQUAL)
def test_any_other_join_makes_windows_cross(condition: str) -> None:
    assert touched(JOINED.format(condition)).is_crossing


def test_neighbouring_windows_are_one_range() -> None:
    stretch = WindowRange(PrivacyWindow.MONTH, date(2026, 1, 1), date(2026, 12, 1))
    months = [date(2026, month, 1) for month in (1, 2, 5, 12)]
    assert merge_adjacent_windows(stretch, months) == [
        (date(2026, 1, 1), date(2026, 3, 1)),
        (date(2026, 5, 1), date(2026, 6, 1)),
        (date(2026, 12, 1), date(2027, 1, 1)),
    ]


def test_windows_that_lie_too_far_scattered_are_filled() -> None:
    stretch = WindowRange(PrivacyWindow.DAY, date(2026, 1, 1), date(2026, 12, 31))
    every_other = stretch.first_days()[::2]
    assert limit_ranges(stretch, every_other) == stretch.first_days()
    assert limit_ranges(stretch, every_other[:100]) == every_other[:100]
