"""That a question is being answered: a line on a terminal's standard error while it takes long, nothing elsewhere."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress

PATIENCE = 0.5  # seconds after which a line appears
ANSWERING = "Answering: reading the data, counting each person's part, adding noise"


@contextmanager
def shown_waiting(what: str = ANSWERING) -> Iterator[None]:
    """Show what is being done and for how long, from the moment on at which it takes longer than usual."""
    if not sys.stderr.isatty():
        yield
        return
    line = _Line(what)
    try:
        yield
    finally:
        line.stop()


class _Line:
    """A line that appears late, and leaves no trace."""

    def __init__(self, what: str) -> None:
        self._what, self._begun = what, monotonic()
        self._lock, self._bar, self._over = threading.Lock(), None, False
        self._timer = threading.Timer(PATIENCE, self._appear)
        self._timer.daemon = True
        self._timer.start()

    def stop(self) -> None:
        """Take the line away; it does not appear any more."""
        self._timer.cancel()
        with self._lock:
            self._over = True
            if self._bar is not None:
                self._bar.stop()

    _bar: Progress | None

    def _appear(self) -> None:
        with self._lock:
            if not self._over:
                self._bar = _spinner(self._what, self._begun)
                self._bar.start()


def _spinner(what: str, begun: float) -> Progress:
    from rich.console import Console
    from rich.progress import Progress, ProgressColumn, SpinnerColumn, Task, TextColumn
    from rich.text import Text

    class Elapsed(ProgressColumn):
        """Seconds since the question was asked."""

        def render(self, task: Task) -> Text:
            """Write them."""
            del task
            return Text(f"{monotonic() - begun:.0f} s", "dim")

    shown = Progress(
        SpinnerColumn(), TextColumn("[dim]{task.description}"), Elapsed(), console=Console(stderr=True), transient=True
    )
    shown.add_task(what, total=None)
    return shown
