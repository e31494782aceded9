"""Two text forms of what a connection returns: a few lines when it is printed, everything in its `details`."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import RenderableType


class Displayed:
    """An object with a short and a long text form."""

    @abstractmethod
    def _show(self, details: bool) -> RenderableType:
        """Render for a terminal, in the short or the long form."""

    @property
    def details(self) -> str:
        """The long form as text: everything that is known."""
        return self._text(details=True)

    def __repr__(self) -> str:
        return self._text(details=False)

    def _text(self, *, details: bool) -> str:
        from passersby.result.terminal import as_text

        return as_text(self._show, details)
