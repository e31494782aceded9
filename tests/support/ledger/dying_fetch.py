"""Process that ingests objects of a store and dies midway: `... dying_fetch CATALOG ADDRESS PIECE STAGE TIMES`."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from engine import ingest_files
from engine.data.ingest import fetch


def main(where: Path, address: str, piece: int, stage: str, times: int) -> None:
    """Ingest the objects at an address in pieces of so many bytes; die at the n-th report of a stage."""
    repeats = iter(range(1, times))
    fetch.PIECE_BYTES = piece

    def progress(now: str, fraction: float) -> None:
        assert 0 <= fraction <= 1
        if now.startswith(stage) and next(repeats, None) is None:
            os.kill(os.getpid(), signal.SIGKILL)

    ingest_files(str(where), "visit", [address], progress=progress)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4], int(sys.argv[5]))
