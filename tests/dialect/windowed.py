"""The catalog with windows that tests of reading use: the grey box's."""

from __future__ import annotations

from dialect import read
from dialect.algebra.release_plan import Touched
from dialect.catalog.privacy_windows import Window
from tests.support.neighbours.window_worlds import declare

CATALOGS = {window: declare(window) for window in (Window.MONTH, Window.WEEK, Window.DAY)}


def touched(sql: str, window: Window = Window.MONTH) -> Touched:
    """Read a question of one release, and give the windows that it touches."""
    (plan,) = read(sql, CATALOGS[window]).plans
    return plan.touched
