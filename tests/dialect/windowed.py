"""The grey box's catalog with privacy windows, for tests of reading."""

from __future__ import annotations

from dialect import read
from dialect.algebra.release_plan import Touched
from dialect.catalog.privacy_windows import Window
from tests.support.neighbours.window_worlds import declare

CATALOGS = {window: declare(window) for window in (Window.MONTH, Window.WEEK, Window.DAY)}


def touched(sql: str, window: Window = Window.MONTH) -> Touched:
    """Charged privacy windows of a query with one release."""
    (plan,) = read(sql, CATALOGS[window]).plans
    return plan.touched
