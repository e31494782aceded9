"""A guard of speed: what is measured is held against limits.toml, and what is beyond is named; `--guard` exits with 1.

A limit is about a half above what was measured when it was set: a machine that is busy moves ratios by a third.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

LIMITS = Path(__file__).with_name("limits.toml")
beyond: list[str] = []  # of all parts that ran in this process


class Guard:
    """Holds one part's figures against its limits."""

    def __init__(self, part: str, limits: Path = LIMITS) -> None:
        read = tomllib.loads(limits.read_text(encoding="utf-8")).get(part, {})
        self._limits: dict[str, dict[str, float]] = {"ratio": {}, "ms": {}, **read}
        self._part, self._held, self._found = part, 0, list[str]()

    def ratio(self, name: str, found: float) -> None:
        """Hold a ratio against its limit, if it has one."""
        self._hold("ratio", name, found)

    def milliseconds(self, name: str, found: float) -> None:
        """Hold a time that no ratio tells against its limit, if it has one."""
        self._hold("ms", name, found)

    def said(self) -> str:
        """Say what was beyond its limit."""
        found = "; ".join(self._found) or "nothing is beyond its limit"
        return f"guard of {self._part}: {self._held} figures have a limit; {found}"

    def _hold(self, kind: str, name: str, found: float) -> None:
        limit = self._limits[kind].get(name)
        if limit is None:
            return
        self._held += 1
        if not found <= limit:  # what is no number is beyond every limit
            self._found.append(f"{name}: {kind} {found:.3g}, limit {limit:g}")
            beyond.append(self._found[-1])
