"""What a release touches of time: which windows are charged for it, and whether it keeps them apart."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

from dialect.algebra.expressions import Field
from dialect.catalog.privacy_windows import STATIC, Window


@dataclass(frozen=True)
class Touched:
    """The windows of one release."""

    windows: tuple[str, ...]  # each is charged in full, the earliest first
    crossing: bool = False  # rows of one window may decide what counts of another: people are bounded over all of them
    window: Field | None = None  # holds the window of each row of the source, where several are kept apart
    keyed: bool = False  # a group key tells the window
    every: bool = False  # all declared windows, as nothing says fewer
    derived: tuple[str, ...] = ()  # those of them that columns or tables were computed from

    @property
    def text(self) -> str:
        """Say in canonical text what the rows themselves do not: which windows are charged, and whether they cross."""
        if self.windows == (str(Window.FOREVER),):
            return ""
        digest = sha256("|".join(self.windows).encode()).hexdigest()[:16]
        shown = self.windows[0] if len(self.windows) == 1 else f"{self.windows[0]} to {self.windows[-1]} ({digest})"
        return f" in {shown}{', crossing' if self.crossing else ''}"

    @property
    def together(self) -> int:
        """How many windows of a person count as one: 1 where each is bounded for itself."""
        return len([name for name in self.windows if name != STATIC]) or 1 if self.crossing else 1
