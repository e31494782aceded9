"""Files that a power cut leaves whole, and where they were put: what was promised before must be found again."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path


def write_durably(file: Path, text: str) -> None:
    """Put text in its place for its owner alone, in one step; durable when this returns. Raises OSError."""
    aside = file.with_suffix(f".{os.getpid()}")
    with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as out:
        out.write(text)
    move_durably(aside, file, 0o600)


def make_durably(file: Path, content: bytes) -> None:
    """Make a file for its owner alone, whole or not at all, where there is none; durable when this returns.

    Of several that make it at once one does. Raises OSError, also where files can't have a second name.
    """
    with tempfile.NamedTemporaryFile(dir=file.parent, prefix=f"{file.name}.") as aside:  # its owner's alone
        aside.write(content)
        aside.flush()
        os.fsync(aside.fileno())
        with suppress(FileExistsError):
            os.link(aside.name, file)
    _sync(file.parent)


def move_durably(file: Path, to: Path, mode: int) -> None:
    """Give a file its place, once it is on the disk as a whole; durable when this returns. Raises OSError."""
    file.chmod(mode)
    _sync(file)
    file.replace(to)
    _sync(to.parent)


def make_folder_durably(folder: Path) -> None:
    """Make a folder, and those above it, for their owner alone; durable when this returns. Raises OSError."""
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for each in missing:
        _sync(each.parent)


def _sync(path: Path) -> None:
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
