"""Progress display: a line on a terminal or a bar in a notebook, during a query or while data are copied.

Nothing is shown for a fast query. Copying shows a bar on a terminal, one line of text elsewhere.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from html import escape
from time import monotonic
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from IPython.display import DisplayHandle
    from rich.progress import Progress


StageCallback = Callable[[str, float], None]
FractionCallback = Callable[[float], None]
COPYING = "Making a copy of the data to read from, once"
ANSWERING = "Answering: reading the data, counting each person's part, adding noise"
DELAY_SECONDS = 0.5  # seconds before the line appears
_current_report: ContextVar[FractionCallback | None] = ContextVar("told_to", default=None)


@contextmanager
def show_copying(what: str = COPYING, *, quiet: bool = False) -> Iterator[StageCallback]:
    """Yield a callback (stage, fraction done) for a copy of data; the bar appears with the first call.

    `quiet` suppresses the text line where standard error is not a terminal, for programs that parse it.
    """
    bar: Progress | None = None
    has_begun = False

    def report(stage: str, fraction: float) -> None:
        nonlocal bar, has_begun
        if not has_begun and sys.stderr.isatty():
            bar = _copying_bar(what)
            bar.start()
        elif not has_begun and not quiet:
            sys.stderr.write(f"{what} ...\n")
        has_begun = True
        if bar is not None:
            bar.update(bar.task_ids[0], stage=stage, completed=fraction)

    try:
        yield report
    finally:
        if bar is not None:
            bar.stop()


def _copying_bar(what: str) -> Progress:
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


@contextmanager
def show_waiting(what: str = ANSWERING) -> Iterator[FractionCallback]:
    """Show the activity and elapsed time of a query that takes longer than usual.

    Yields a callback for the fraction done. A nested call reuses the outer display.
    """
    outer = _current_report.get()
    if outer is not None:
        yield outer
        return
    shown = _notebook_bar(what) if in_notebook() else _terminal_line(what) if sys.stderr.isatty() else None
    with shown or nullcontext(_ignore) as report:
        token = _current_report.set(report)
        try:
            yield report
        finally:
            _current_report.reset(token)


def in_notebook() -> bool:
    """Return whether output goes to a Jupyter notebook."""
    module = sys.modules.get("IPython")
    shell = module.get_ipython() if module is not None else None
    return shell is not None and hasattr(shell, "kernel")


def _ignore(fraction: float) -> None:
    del fraction


@contextmanager
def _notebook_bar(what: str) -> Iterator[FractionCallback]:
    """Show a progress bar below a notebook's cell, from the first report on."""
    from IPython.display import HTML, display

    shown: DisplayHandle | None = None

    def report(fraction: float) -> None:
        nonlocal shown
        page = HTML(f"<progress max='1' value='{fraction:.2f}'></progress> {escape(what)}, {fraction:.0%}")
        if shown is None:
            shown = display(page, display_id=True)
        else:
            shown.update(page)

    try:
        yield report
    finally:
        if shown is not None:
            shown.update(HTML(""))


@contextmanager
def _terminal_line(what: str) -> Iterator[FractionCallback]:
    """Show a spinner with elapsed time, which appears after a delay and disappears when done."""
    begun, lock = monotonic(), threading.Lock()
    bar: Progress | None = None
    is_over = False

    def appear() -> None:
        nonlocal bar
        with lock:
            if not is_over:
                bar = _spinner(what, begun)
                bar.start()

    def report(fraction: float) -> None:
        with lock:
            if bar is not None:
                bar.update(bar.task_ids[0], done=f"{fraction:.0%}")

    timer = threading.Timer(DELAY_SECONDS, appear)
    timer.daemon = True
    timer.start()
    try:
        yield report
    finally:
        timer.cancel()
        with lock:
            is_over = True
            if bar is not None:
                bar.stop()


def _spinner(what: str, begun: float) -> Progress:
    """Spinner whose seconds count from a reading of the monotonic clock."""
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn

    spinner = Progress(
        SpinnerColumn(),
        TextColumn("[dim]{task.description}"),
        TextColumn("[dim]{task.elapsed:.0f} s"),
        TextColumn("[dim]{task.fields[done]}"),
        console=Console(stderr=True),
        transient=True,
        get_time=monotonic,
    )
    spinner.add_task(what, total=None, done="")
    spinner.tasks[0].start_time = begun
    return spinner
