"""A search without end, cut into chunks: each draws new examples from a seed of its own, in a process of its own.

Small chunks keep Hypothesis quick (it remembers what it has tried), use every core, and let progress be seen.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from multiprocessing import get_context
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

EXAMPLES = "examples"  # the count that a search is measured by
EVERY = 60.0  # seconds between two lines of progress
SHOWN = 6_000  # characters of what was found
_SPAWN = get_context("spawn")  # a fork of many threads may end abruptly
MOST_FOUND = 5  # failing chunks after which a search ends early


@dataclass(frozen=True)
class Search:
    """One kind of examples."""

    name: str
    wanted: int  # examples of the long form
    chunk: Callable[[int], Counter[str]]  # a seed -> what was tried; raises with what was found
    lacking: Callable[[], str] = str  # what it needs and is not there, in words; nothing is ""
    processes: int | None = None  # at once; None: as many as the others


@dataclass
class Outcome:
    """What became of a search."""

    name: str
    counted: Counter[str] = field(default_factory=Counter)
    found: list[str] = field(default_factory=list)  # a seed and its traceback each
    seconds: float = 0.0

    def line(self) -> str:
        """One-line summary."""
        rest = ", ".join(f"{number:,} {what}" for what, number in sorted(self.counted.items()) if what != EXAMPLES)
        verdict = f"{len(self.found)} FOUND" if self.found else "nothing found"
        each = f"{self.counted[EXAMPLES] / max(self.seconds, 1e-9):.1f} a second"
        return f"{self.name}: {self.counted[EXAMPLES]:,} examples ({rest}), {self.seconds:.0f} s, {each}: {verdict}"


def drawn(
    strategy: st.SearchStrategy[Any], number: int, examples: int, look: Callable[[Any], None], *, smaller: bool = True
) -> None:
    """Look at examples that a seed decides; a failing one is made as small as it gets, if that is worth its time."""

    @seed(number)
    @settings(
        max_examples=examples,
        phases=(Phase.generate, Phase.shrink) if smaller else (Phase.generate,),
        database=None,
        derandomize=False,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def each(example: Any) -> None:
        look(example)

    each()


def search(asked: Search, wanted: int, processes: int, say: Callable[[str], None], first: int | None = None) -> Outcome:
    """Run chunks in some processes until enough examples were tried, or the first SIGINT or SIGTERM; running ones end.

    Seeds count up from the first one, which is drawn unless it is given.
    """
    seeds = count(int.from_bytes(os.urandom(4), "big") if first is None else first)
    outcome, start, told = Outcome(asked.name), time.monotonic(), 0.0
    with _until_stopped() as stopped, ProcessPoolExecutor(processes, _SPAWN, _go_on) as pool:
        waiting: set[Future[tuple[Counter[str], str]]] = set()
        while True:
            ending = stopped() or outcome.counted[EXAMPLES] >= wanted or len(outcome.found) >= MOST_FOUND
            while not ending and len(waiting) < processes:
                waiting.add(pool.submit(_one, asked.chunk, next(seeds)))
            if not waiting:
                return outcome
            done, waiting = wait(waiting, timeout=1, return_when=FIRST_COMPLETED)
            for future in done:
                counted, found = future.result()
                outcome.counted += counted
                outcome.found += [found] if found else []
            outcome.seconds = time.monotonic() - start
            if outcome.seconds - told > EVERY:
                told = outcome.seconds
                say(f"  ... {outcome.counted[EXAMPLES]:,} of {wanted:,} in {told:.0f} s")


@contextmanager
def _until_stopped() -> Iterator[Callable[[], bool]]:
    """Catch the first signal to end, so that running work is counted; the second one ends at once."""
    heard = threading.Event()

    def on_signal(number: int, frame: object) -> None:
        heard.set()
        signal.signal(number, signal.SIG_DFL)

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield heard.is_set
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _go_on() -> None:
    """Leave it to the first process when a terminal's interrupt ends a search."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _one(chunk: Callable[[int], Counter[str]], number: int) -> tuple[Counter[str], str]:
    """Run one chunk where another process can't be hurt by it; text travels, exceptions may not."""
    sys.setrecursionlimit(1_000)
    try:
        return chunk(number), ""
    except Exception as error:
        where = "".join(traceback.format_tb(error.__traceback__)[-4:])
        drawn_from = "\n".join(getattr(error, "__notes__", ()))
        return Counter(), f"seed {number}\n{where}{type(error).__name__}: {str(error)[:SHOWN]}\n{drawn_from[:SHOWN]}"
