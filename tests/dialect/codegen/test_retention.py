"""Retention: which windows are read, and charged."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from dialect import Catalog, compile_query
from dialect.catalog.model import retained_windows
from dialect.catalog.privacy_windows import PrivacyWindow
from tests.dialect.windowed import CATALOGS

MONTHS = CATALOGS[PrivacyWindow.MONTH]  # 2026-01 to 2026-04; person.home was computed from 2026-02


def with_retention(first: str, window: PrivacyWindow = PrivacyWindow.MONTH, *, but: str = "") -> Catalog:
    """Retain rows from a day on, in all tables with time but one."""
    catalog = CATALOGS[window]
    tables = (replace(t, retained_from=first) if t.time_column and t.name != but else t for t in catalog.tables)
    return replace(catalog, tables=tuple(tables))


@pytest.mark.parametrize(
    ("first", "window", "begins"),
    [
        ("2026-03-01", PrivacyWindow.MONTH, date(2026, 3, 1)),
        ("2026-02-28", PrivacyWindow.MONTH, date(2026, 2, 1)),  # read from its last day on, and a window all the same
        ("2026-03-31", PrivacyWindow.MONTH, date(2026, 3, 1)),
        ("0001-01-01", PrivacyWindow.MONTH, date(2026, 1, 1)),
        ("2027-01-01", PrivacyWindow.MONTH, date(2026, 4, 1)),  # there is always one
        ("2026-04-05", PrivacyWindow.WEEK, date(2026, 3, 30)),
        ("2026-04-06", PrivacyWindow.WEEK, date(2026, 4, 6)),
        ("0001-01-01", PrivacyWindow.WEEK, date(2026, 3, 23)),
        ("2026-03-30", PrivacyWindow.DAY, date(2026, 3, 30)),
    ],
)
def test_the_first_window_of_which_a_day_is_kept(first: str, window: PrivacyWindow, begins: date) -> None:
    catalog = with_retention(first, window)
    declared = catalog.datasets[0].window_range
    assert declared is not None
    assert retained_windows(catalog, catalog.datasets[0]) == replace(declared, first=begins)


def test_one_table_that_keeps_all_keeps_all_windows() -> None:
    catalog = with_retention("2026-03-01", but="seen")
    assert retained_windows(catalog, catalog.datasets[0]) == catalog.datasets[0].window_range


# question -> windows that are charged where rows from the 10th of March on are kept
CHARGED = {
    "SELECT COUNT(*) FROM visit": ("2026-03", "2026-04"),
    "SELECT COUNT(*) FROM visit WHERE day < '2026-03-20'": ("2026-03",),
    "SELECT COUNT(*) FROM visit WHERE day < '2026-02-01'": ("2026-03",),  # nothing can be there: the first one is read
    "SELECT day, COUNT(*) FROM visit GROUP BY day": ("2026-03", "2026-04"),
    "SELECT COUNT(*) FROM leg": ("2026-03", "2026-04"),
    "SELECT COUNT(*) FROM (SELECT person_id FROM visit EXCEPT SELECT person_id FROM seen)": ("2026-03", "2026-04"),
    "SELECT zone_id, COUNT(*) FROM stays(visit, 1) GROUP BY 1": ("2026-03", "2026-04"),
    "SELECT zone, COUNT(*) FROM person GROUP BY zone": ("static",),
    "SELECT home, COUNT(*) FROM person GROUP BY home": ("2026-02", "static"),  # computed from rows that were read then
    "SELECT COUNT(*) FROM visit JOIN person USING (person_id) WHERE home = 'a'": ("2026-02", "2026-03", "2026-04"),
}


@pytest.mark.parametrize("sql", CHARGED)
def test_windows_before_retention_are_not_charged(sql: str) -> None:
    catalog = with_retention("2026-03-10")
    (plan,) = compile_query(sql, catalog).plans
    assert plan.charged_windows.windows == CHARGED[sql]
    assert not plan.charged_windows.is_every_window


def test_without_retention_all_windows_are_charged() -> None:
    (plan,) = compile_query("SELECT COUNT(*) FROM visit", MONTHS).plans
    assert plan.charged_windows.windows == ("2026-01", "2026-02", "2026-03", "2026-04")
