"""Where a question spills what memory does not hold: people's rows, so nothing of an ended process is left lying."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path

PREFIX = "scratch-"
HELD = "held"  # a file that the process of a folder keeps locked
BEGINNING = 3600.0  # seconds in which a folder without that file may be one that is being made


class Scratch:
    """A folder of this process alone, for its owner alone; it goes when it is closed, or when the next one is made."""

    def __init__(self, parent: Path) -> None:
        """Make it, after removing those whose processes ended without closing theirs."""
        parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        remove_left(parent)
        self.path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
        self._lock = os.fdopen(os.open(self.path / HELD, os.O_WRONLY | os.O_CREAT, 0o600), "wb")
        fcntl.flock(self._lock, fcntl.LOCK_EX)  # a process that ends lets go of it, whatever ended it

    def close(self) -> None:
        """Remove it with all that was spilled."""
        shutil.rmtree(self.path, ignore_errors=True)
        self._lock.close()


def remove_left(parent: Path) -> None:
    """Remove what processes that ended without a word have spilled into folders of their own; those of others stay."""
    for left in parent.glob(f"{PREFIX}*"):
        _remove_if_left(left)


def _remove_if_left(folder: Path) -> None:
    try:
        with (folder / HELD).open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
    except FileNotFoundError:
        with suppress(FileNotFoundError):
            if time.time() - folder.stat().st_mtime > BEGINNING:
                shutil.rmtree(folder, ignore_errors=True)
    except OSError:
        return  # its process lives, or it is another user's
