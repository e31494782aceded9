"""A guard of speed: measurements are compared with limits.toml, and those beyond are named; `--guard` exits with 1.

A limit is what is aimed at, or a third more where one question's ratio on a busy machine's clock is held against it.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

LIMITS = Path(__file__).with_name("limits.toml")
beyond: list[str] = []  # of all parts that ran in this process


class Guard:
    """Compares one part's measurements with its limits."""

    def __init__(self, part: str, limits: Path = LIMITS) -> None:
        read = tomllib.loads(limits.read_text(encoding="utf-8")).get(part, {})
        self._limits: dict[str, dict[str, float]] = {"ratio": {}, "ms": {}, **read}
        self._part, self._held, self._found = part, set[tuple[str, str]](), list[str]()

    def ratio(self, name: str, found: float) -> None:
        """Compare a ratio with its limit, if it has one."""
        self._compare("ratio", name, found)

    def milliseconds(self, name: str, found: float) -> None:
        """Compare a time without a meaningful ratio with its limit, if it has one."""
        self._compare("ms", name, found)

    def unheld(self) -> list[str]:
        """Limits without a measurement."""
        limits = [(kind, name) for kind, some in self._limits.items() for name in some]
        return [name for kind, name in limits if (kind, name) not in self._held]

    def summary(self) -> str:
        """Summary: figures beyond their limit and limits without a figure; no verdict if nothing was compared."""
        found = self._found or (["nothing is beyond its limit"] if self._held else [])
        missing = [f"no figure for {name}" for name in self.unheld()]
        return "; ".join([f"guard of {self._part}: {len(self._held)} figures have a limit", *found, *missing])

    def _compare(self, kind: str, name: str, found: float) -> None:
        limit = self._limits[kind].get(name)
        if limit is None:
            return
        self._held.add((kind, name))
        if not found <= limit:  # what is no number is beyond every limit
            self._found.append(f"{name}: {kind} {found:.3g}, limit {limit:g}")
            beyond.append(self._found[-1])
