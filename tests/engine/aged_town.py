"""The town of the other tests, whose numbers are repeated for thirty days, and a clock that may be off."""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo

from tests.engine.town import CATALOG

AGED = CATALOG.replace("[datasets.town]", "[datasets.town]\nreplay_max_age = { days = 30 }")


class Clock(datetime):
    """A clock that is as far off as a test says."""

    off = timedelta(0)

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
        """Give the time that it shows."""
        return datetime.now(tz) + cls.off
