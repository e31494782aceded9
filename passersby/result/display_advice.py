"""Why intervals are wide, and what to ask instead, as a terminal shows it."""

from __future__ import annotations

from typing import Any

from rich.console import RenderableType
from rich.text import Text

from passersby.text.wording import instead_text, printable


def show_advice(advice: dict[str, Any]) -> list[RenderableType]:
    """Show why, then each question with what it would cost and give; nothing where there is none."""
    if not advice:
        return []
    parts: list[RenderableType] = [Text()]
    parts += [Text(printable(f"why so wide: {line}"), "dim") for line in advice["why"]]
    for each in advice["instead"]:
        parts.append(Text.assemble(("Or ", "bold green"), instead_text(each)))
        parts.append(Text(f"  {printable(each['sql'])}"))
    return parts
