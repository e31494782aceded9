"""Progress callbacks for long operations."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str, float], None]  # called with the current stage, and the share of all work done: 0 to 1


def ignore_progress(stage: str, fraction: float) -> None:
    """Report progress to nobody."""
