"""Progress display: a line on a terminal or a bar in a notebook, during a query or while data are copied.

Nothing is shown for a fast query. Copying shows a bar on a terminal, one line of text elsewhere.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from html import escape
from time import monotonic
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from IPython.display import DisplayHandle
    from rich.progress import Progress


StageCallback = Callable[[str, float], None]
COPYING = "Making a copy of the data to read from, once"


@contextmanager
def show_copying(what: str = COPYING, *, quiet: bool = False) -> Iterator[StageCallback]:
    """Yield a callback (stage, fraction done) for a copy of data; the bar appears with the first call.

    `quiet` suppresses the text line where standard error is not a terminal, for programs that parse it.
    """
    display = _CopyProgress(what, quiet)
    try:
        yield display.report
    finally:
        display.stop()


class _CopyProgress:
    """A progress bar that appears with the first report."""

    def __init__(self, what: str, quiet: bool) -> None:
        self._label, self._quiet = what, quiet
        self._bar: Progress | None = None
        self._has_begun = False

    def report(self, stage: str, fraction: float) -> None:
        """Report the stage and the fraction done."""
        if not self._has_begun:
            self._start()
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], stage=stage, completed=fraction)

    def stop(self) -> None:
        """Remove the bar."""
        if self._bar is not None:
            self._bar.stop()

    def _start(self) -> None:
        self._has_begun = True
        if sys.stderr.isatty():
            self._bar = _bar(self._label)
            self._bar.start()
        elif not self._quiet:
            sys.stderr.write(f"{self._label} ...\n")


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


FractionCallback = Callable[[float], None]
_current_report: ContextVar[FractionCallback | None] = ContextVar("told_to", default=None)
DELAY_SECONDS = 0.5  # seconds before the line appears
ANSWERING = "Answering: reading the data, counting each person's part, adding noise"


@contextmanager
def show_waiting(what: str = ANSWERING) -> Iterator[FractionCallback]:
    """Show the activity and elapsed time of a query that takes longer than usual.

    Yields a callback for the fraction done. A nested call reuses the outer display.
    """
    outer = _current_report.get()
    if outer is not None:
        yield outer
        return
    line: _TerminalLine | _NotebookBar | None = (
        _NotebookBar(what) if in_notebook() else _TerminalLine(what) if sys.stderr.isatty() else None
    )
    report = _ignore if line is None else line.report
    token = _current_report.set(report)
    try:
        yield report
    finally:
        _current_report.reset(token)
        if line is not None:
            line.stop()


def in_notebook() -> bool:
    """Return whether output goes to a Jupyter notebook."""
    module = sys.modules.get("IPython")
    shell = module.get_ipython() if module is not None else None
    return shell is not None and hasattr(shell, "kernel")


def _ignore(fraction: float) -> None:
    del fraction


class _NotebookBar:
    """A progress bar below a notebook's cell; appears with the first report."""

    def __init__(self, what: str) -> None:
        self._label, self._shown = what, None

    _shown: DisplayHandle | None

    def report(self, fraction: float) -> None:
        """Report the fraction done."""
        from IPython.display import HTML, display

        page = HTML(f"<progress max='1' value='{fraction:.2f}'></progress> {escape(self._label)}, {fraction:.0%}")
        if self._shown is None:
            self._shown = display(page, display_id=True)
        else:
            self._shown.update(page)

    def stop(self) -> None:
        """Remove the bar."""
        from IPython.display import HTML

        if self._shown is not None:
            self._shown.update(HTML(""))


class _TerminalLine:
    """A spinner with elapsed time that appears after a delay and disappears when done."""

    def __init__(self, what: str) -> None:
        self._label, self._start_seconds = what, monotonic()
        self._lock, self._bar, self._is_stopped = threading.Lock(), None, False
        self._timer = threading.Timer(DELAY_SECONDS, self._show)
        self._timer.daemon = True
        self._timer.start()

    def report(self, fraction: float) -> None:
        """Report the fraction done."""
        with self._lock:
            if self._bar is not None:
                self._bar.update(self._bar.task_ids[0], done=f"{fraction:.0%}")

    def stop(self) -> None:
        """Remove the line, or prevent it from appearing."""
        self._timer.cancel()
        with self._lock:
            self._is_stopped = True
            if self._bar is not None:
                self._bar.stop()

    _bar: Progress | None

    def _show(self) -> None:
        with self._lock:
            if not self._is_stopped:
                self._bar = _spinner(self._label, self._start_seconds)
                self._bar.start()


def _spinner(what: str, begun: float) -> Progress:
    from rich.console import Console
    from rich.progress import Progress, ProgressColumn, SpinnerColumn, Task, TextColumn
    from rich.text import Text

    class Elapsed(ProgressColumn):
        """Seconds since the query was sent."""

        def render(self, task: Task) -> Text:
            """Format the elapsed seconds."""
            del task
            return Text(f"{monotonic() - begun:.0f} s", "dim")

    shown = Progress(
        SpinnerColumn(),
        TextColumn("[dim]{task.description}"),
        Elapsed(),
        TextColumn("[dim]{task.fields[done]}"),
        console=Console(stderr=True),
        transient=True,
    )
    shown.add_task(what, total=None, done="")
    return shown
