"""The town of the other tests, its visits in windows of one day."""

from __future__ import annotations

from tests.engine.town import CATALOG

DAYS = ("2026-10-01", "2026-10-02", "2026-10-03", "2026-10-04")
WINDOWED = CATALOG.replace(
    'window = "forever"', f'window = "day"\nfirst_window = "{DAYS[0]}"\nlast_window = "{DAYS[-1]}"'
).replace('primary_key = ["visit_id"]', 'primary_key = ["visit_id"]\ntime_column = "day"')
