"""Processes that ingest visits and die, each at another step: `python -m tests.support.ledger.dying_ingest`.

Each is forked from a single-threaded interpreter, and works on its own copy of the data, named by the step.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from pathlib import Path

from engine import ingest_files
from engine.catalog.sources import IngestFolder
from engine.data.ingest import add_files as ingest

STEPS = ("judging rows", "writing rows", "writing what is refused", "checking", "keeping what is refused", "adding")
DONE = ("added", "never")
BUG = "a planted bug"


def die() -> None:
    """Kill this process, without any cleanup."""
    os.kill(os.getpid(), signal.SIGKILL)


def without_version(file: Path, place: IngestFolder) -> None:
    """A planted bug: rows are added under a file name that does not change the data version."""
    shutil.copy(file, place.folder / "new.parquet")
    die()


def live(town: Path, files: str, step: str) -> None:
    """Ingest the files, up to a step."""

    def progress(stage: str, fraction: float) -> None:
        assert 0 <= fraction <= 1
        if stage == step:
            die()

    if step == BUG:
        ingest._publish_accepted = lambda taken, table, place: without_version(taken, place)
    ingest_files(str(town / "catalog.toml"), "visit", [files], progress=progress)


def main(made: Path, folder: Path, files: str) -> None:
    """Report the exit code of the process of each step."""
    for step in (*STEPS, *DONE, BUG):
        shutil.copytree(made, folder / step)
        child = os.fork()
        if not child:
            try:
                live(folder / step, files, step)
                os._exit(0)
            finally:
                os._exit(1)
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{step}: {os.waitstatus_to_exitcode(status)}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
