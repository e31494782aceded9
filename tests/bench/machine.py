"""The machine and the versions behind a page of figures."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterable, Sequence


def described() -> str:
    """Describe the machine of the measurements."""
    versions = ", ".join(
        f"{name} {importlib.metadata.version(name)}" for name in ("duckdb", "opendp", "sqlglot", "pyarrow")
    )
    return f"{os.cpu_count()} cores ({platform.machine()}), Python {platform.python_version()}, {versions}"


def milliseconds(run: Callable[[], object], times: int = 30) -> tuple[float, float, float]:
    """Time a call: minimum, median and maximum in milliseconds, after two warm-up calls."""
    run(), run()
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        run()
        taken.append((time.perf_counter() - start) * 1000)
        time.sleep(0.02)  # let what runs behind an answer finish
    return min(taken), statistics.median(taken), max(taken)


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a Markdown table, each row as it comes."""
    print("| " + " | ".join(head) + " |")
    print("|" + "---|" * len(head))
    for row in rows:
        print(
            "| " + " | ".join(f"{cell:.3g}" if isinstance(cell, float) else str(cell) for cell in row) + " |",
            flush=True,
        )
