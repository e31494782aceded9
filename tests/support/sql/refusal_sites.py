"""Where the dialect refuses: every call in its source that builds a refusal, and which of them a test reaches."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from dialect.errors import Refusal
from tests.support.tree import ROOT

_THROUGH = ("at", "refusal", "explained", "replace", "_replace")  # functions between a call and the refusal
_FOLDER = ROOT / "dialect"
_MAKER = "parser/compile_context.py"  # contains `refusal`, which all others call


@dataclass(frozen=True)
class Site:
    """One call that builds a refusal."""

    file: str  # below dialect/
    first: int  # lines
    last: int
    text: str  # the call as it is written

    def __str__(self) -> str:
        """Describe the location."""
        return f"dialect/{self.file}:{self.first}: {self.text[:150]}"


def below_dialect(path: str | Path) -> str:
    """Return the path of a file relative to the dialect's folder; of any other file its whole path."""
    return str(Path(path).relative_to(_FOLDER)) if Path(path).is_relative_to(_FOLDER) else str(path)


@cache
def sites() -> tuple[Site, ...]:
    """Find every call in the dialect that builds a refusal, except those that all go through."""
    found = []
    for path in sorted(_FOLDER.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Call) and _makes_refusal(node.func):
                last = node.end_lineno or node.lineno
                found.append(Site(below_dialect(path), node.lineno, last, " ".join(ast.unparse(node).split())))
    return tuple(site for site in found if site.file != "errors.py" and (site.file != _MAKER or "Kind." in site.text))


def _makes_refusal(called: ast.expr) -> bool:
    """Return whether a called expression builds a refusal: refusal, Kind.X.at, kind.at or refused.explained."""
    if isinstance(called, ast.Attribute):
        return called.attr == "explained" or (called.attr == "at" and "kind" in ast.unparse(called.value).lower())
    return isinstance(called, ast.Name) and called.id == "refusal"


@contextmanager
def reached() -> Iterator[set[tuple[str, int]]]:
    """Record file and line of every refusal built within the context."""
    noted: set[tuple[str, int]] = set()
    made = Refusal.__init__

    def noting(self: Refusal, *given: object, **named: object) -> None:
        frame = sys._getframe(1)
        while frame.f_code.co_name in _THROUGH and frame.f_back is not None:
            frame = frame.f_back
        noted.add((below_dialect(frame.f_code.co_filename), frame.f_lineno))
        made(self, *given, **named)  # type: ignore[arg-type]

    Refusal.__init__ = noting  # type: ignore[method-assign, assignment]
    try:
        yield noted
    finally:
        Refusal.__init__ = made  # type: ignore[method-assign]


def missed(noted: set[tuple[str, int]]) -> list[Site]:
    """Sites that were not reached."""
    return [s for s in sites() if not any(file == s.file and s.first <= line <= s.last for file, line in noted)]
