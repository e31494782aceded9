"""Forked processes that draw noise, from a single-threaded interpreter.

`python -m tests.support.ledger.forked` draws, forks twice, and writes the noise of each child in hexadecimal.
"""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np

from engine.mechanism.gaussian import add_noise
from tests.support.timeouts import MAX_SECONDS
from tests.support.tree import ROOT

DRAWN = 1_000


def drawn_in_forks() -> tuple[bytes, bytes]:
    """Return the noise that each of two forks of one process added to zeros: 1,000 int64 of scale 50."""
    command = [sys.executable, "-m", "tests.support.ledger.forked"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=MAX_SECONDS)
    first, second = map(bytes.fromhex, run.stdout.split())
    return first, second


def _drawn() -> bytes:
    return add_noise(np.zeros(DRAWN, dtype=np.int64), 1, 50.0, 10**9).tobytes()


def main() -> None:
    """Draw in the parent, so that a child could inherit a generator's state; then in two children."""
    _drawn()
    for _ in range(2):
        child = os.fork()
        if child == 0:
            sys.stdout.write(f"{_drawn().hex()}\n")
            sys.stdout.flush()
            os._exit(0)
        os.waitpid(child, 0)


if __name__ == "__main__":
    main()
