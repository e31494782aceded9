"""What a question would cost and show, computed before anything is read or charged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from passersby.result.card import Explained
from passersby.result.display import Displayed
from passersby.result.wire import plain

if TYPE_CHECKING:
    from rich.console import RenderableType


class Explanation(Displayed, Explained):
    """Price, expected error, keys, contribution bounds and generated SQL of one question.

    `print` shows a few lines, `details` everything: columns, keys, bounds, thresholds, advice with its SQL.
    """

    def to_wire(self) -> dict[str, Any]:
        """Convert the explanation to the JSON shape that docs/answers.md documents."""
        return {key: plain(value) for key, value in self.card.items()}

    def _show(self, details: bool) -> RenderableType:
        from passersby.result.terminal import show_explanation

        return show_explanation(self, details=details)

    def _repr_html_(self) -> str:
        from passersby.result.notebook import explanation_html

        return explanation_html(self)
