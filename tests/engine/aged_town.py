"""The town whose releases are replayed for thirty days, and a clock with an offset."""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo

from tests.engine.town import CATALOG

AGED = CATALOG.replace("[datasets.town]", "[datasets.town]\nreplay_max_age = { days = 30 }")


class Clock(datetime):
    """A clock with the offset that a test sets."""

    off = timedelta(0)

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
        """The shifted current time."""
        return datetime.now(tz) + cls.off
