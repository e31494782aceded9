"""How far a copy of the data, or the bundled data, is made: a bar on a terminal, a line elsewhere, else nothing."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress

Told = Callable[[str, float], None]
ONCE = "Making a copy of the data to read from, once"


@contextmanager
def shown_making(what: str = ONCE, *, quiet: bool = False) -> Iterator[Told]:
    """Give a function to tell a stage and the finished fraction to; the bar begins with the first call.

    `quiet` keeps the one line back where standard error is no terminal, for programs that read it.
    """
    made = _Making(what, quiet)
    try:
        yield made.tell
    finally:
        made.stop()


class _Making:
    """A bar that exists only once there is something to tell."""

    def __init__(self, what: str, quiet: bool) -> None:
        self._what, self._quiet = what, quiet
        self._bar: Progress | None = None
        self._begun = False

    def tell(self, stage: str, fraction: float) -> None:
        """Show the stage and the finished fraction."""
        if not self._begun:
            self._begin()
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], stage=stage, completed=fraction)

    def stop(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.stop()

    def _begin(self) -> None:
        self._begun = True
        if sys.stderr.isatty():
            self._bar = _bar(self._what)
            self._bar.start()
        elif not self._quiet:
            sys.stderr.write(f"{self._what} ...\n")


def _bar(what: str) -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=28),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeElapsedColumn(),
        TextColumn("[dim]{task.fields[stage]}"),
        console=Console(stderr=True),
    )
    bar.add_task(what, total=1.0, stage="")
    return bar
