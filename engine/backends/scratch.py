"""Spill folder for data that do not fit in memory: private rows, so those of a dead process are removed."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path

FOLDER_PREFIX = "scratch-"
LOCK_FILE = "held"  # lock file, locked by the folder's live process
CREATION_SECONDS = 3600.0  # seconds; a younger folder without a lock file may be one that is being created


class Scratch:
    """Folder of this process and its owner alone, removed when it is closed, or by the next process."""

    def __init__(self, parent: Path) -> None:
        """Create the folder, after removing those of dead processes."""
        parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        remove_abandoned(parent)
        self.path = Path(tempfile.mkdtemp(prefix=FOLDER_PREFIX, dir=parent))
        self._lock = os.fdopen(os.open(self.path / LOCK_FILE, os.O_WRONLY | os.O_CREAT, 0o600), "wb")
        fcntl.flock(self._lock, fcntl.LOCK_EX)  # released when the process ends, for any reason

    def close(self) -> None:
        """Remove the folder with everything that was spilled."""
        shutil.rmtree(self.path, ignore_errors=True)
        self._lock.close()


def remove_abandoned(parent: Path) -> None:
    """Remove the spill folders of dead processes; those of live ones stay."""
    for folder in parent.glob(f"{FOLDER_PREFIX}*"):
        _remove_if_abandoned(folder)


def _remove_if_abandoned(folder: Path) -> None:
    try:
        with (folder / LOCK_FILE).open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
    except FileNotFoundError:
        with suppress(FileNotFoundError):
            if time.time() - folder.stat().st_mtime > CREATION_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)
    except OSError:
        return  # its process is alive, or it belongs to another user
