"""Interface of every adapter: a JSON file with one query in, a JSON file with its answers out.

Adapters run under a rival's own Python, in an environment where the project is not: they import this file alone.
"""

from __future__ import annotations

import importlib.metadata
import json
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

Job = dict[str, Any]
Answers = tuple[list[dict[str, float]], str]  # of each run: "key" or "key,key" -> number; how the bounds were set

SECONDS: list[float] = []  # of each answer, rows read and all


def each_run(job: Job) -> Iterator[int]:
    """Walk the runs of a job, and note how long each took its caller."""
    for number in range(job["runs"]):
        begun = time.perf_counter()
        yield number
        SECONDS.append(time.perf_counter() - begun)


def run(answer: Callable[[Job], Answers], package: str) -> None:
    """Answer the job named on the command line; write the answers or the error next to it."""
    place = Path(sys.argv[1])
    job = json.loads(place.read_text())
    start = time.perf_counter()
    try:
        answers, setting = answer(job)
        made = {"answers": answers, "setting": setting}
    except Exception as error:  # whatever a rival raises is what the table says
        trace = traceback.format_exc()
        made = {
            "error": f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error) else ''}",
            "trace": trace,
        }
    made |= {"version": importlib.metadata.version(package), "seconds": time.perf_counter() - start, "each": SECONDS}
    place.with_suffix(".answer.json").write_text(json.dumps(made))


def text_key(*parts: Any) -> str:
    """Write a key as the answers name it."""
    return ",".join(str(int(part)) for part in parts)
