"""Progress callbacks for long operations."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str, float], None]  # what is being done now, and which share of all is done: 0 to 1


def ignore_progress(stage: str, fraction: float) -> None:
    """Report progress to nobody."""
