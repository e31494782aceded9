"""The grey box's catalog with privacy windows, for tests of reading."""

from __future__ import annotations

from dialect import compile_query
from dialect.algebra.release_plan import ChargedWindows
from dialect.catalog.privacy_windows import PrivacyWindow
from tests.support.neighbours.window_worlds import declare

CATALOGS = {window: declare(window) for window in (PrivacyWindow.MONTH, PrivacyWindow.WEEK, PrivacyWindow.DAY)}


def touched(sql: str, window: PrivacyWindow = PrivacyWindow.MONTH) -> ChargedWindows:
    """Charged privacy windows of a query with one release."""
    (plan,) = compile_query(sql, CATALOGS[window]).plans
    return plan.charged_windows
