"""The mistakes of one catalog: reading goes on behind each, so that a steward sees them all at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import ParamSpec, TypeVar

from engine.errors import CatalogError

Part = TypeVar("Part")
Given = ParamSpec("Given")


class Mistakes:
    """What was found so far, in the order of reading."""

    def __init__(self) -> None:
        """Begin with none."""
        self._found: list[CatalogError] = []

    def add(self, error: CatalogError) -> None:
        """Keep a mistake, once."""
        if error not in self._found:
            self._found.append(error)

    def part(self, instead: Part, read: Callable[Given, Part], *args: Given.args, **kwargs: Given.kwargs) -> Part:
        """Read a part; where it is a mistake, keep that and go on with what stands instead."""
        try:
            return read(*args, **kwargs)
        except CatalogError as error:
            self.add(error)
            return instead

    def refuse(self) -> None:
        """Raise the first mistake, with the others beside it."""
        if self._found:
            raise replace(self._found[0], others=tuple(self._found[1:]))
