"""What a release touches of time: which windows are charged for it, and whether it keeps them apart."""

from __future__ import annotations

from dataclasses import dataclass

from dialect.expressions import Field
from dialect.time_windows import STATIC


@dataclass(frozen=True)
class Touched:
    """The windows of one release."""

    windows: tuple[str, ...]  # each is charged in full, the earliest first
    crossing: bool = False  # rows of one window may decide what counts of another: people are bounded over all of them
    window: Field | None = None  # holds the window of each row of the source, where several are kept apart
    every: bool = False  # all declared windows, as nothing says fewer
    derived: tuple[str, ...] = ()  # those of them that columns or tables were computed from

    @property
    def together(self) -> int:
        """How many windows of a person count as one: 1 where each is bounded for itself."""
        return len([name for name in self.windows if name != STATIC]) or 1 if self.crossing else 1
