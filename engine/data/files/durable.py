"""Durable file writes: files and their folder entries survive a power cut, complete or not at all."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path


def write_durably(file: Path, text: str) -> None:
    """Replace a file's text atomically, owner-only; durable on return. Raises OSError."""
    temporary = file.with_suffix(f".{os.getpid()}")
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as out:
        out.write(text)
    move_durably(temporary, file, 0o600)


def create_durably(file: Path, content: bytes) -> None:
    """Create a file, owner-only and complete, if there is none; durable on return.

    Of several concurrent writers one succeeds. Raises OSError, also where the file system has no hard links.
    """
    with tempfile.NamedTemporaryFile(dir=file.parent, prefix=f"{file.name}.") as temporary:  # created owner-only
        temporary.write(content)
        temporary.flush()
        os.fsync(temporary.fileno())
        with suppress(FileExistsError):
            os.link(temporary.name, file)
    _sync(file.parent)


def move_durably(file: Path, to: Path, mode: int) -> None:
    """Flush a file to disk, then rename it; durable on return. Raises OSError."""
    file.chmod(mode)
    _sync(file)
    file.replace(to)
    _sync(to.parent)


def make_folder_durably(folder: Path) -> None:
    """Create a folder and its parents, owner-only; durable on return. Raises OSError."""
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for each in missing:
        _sync(each.parent)


def _sync(path: Path) -> None:
    """Flush a file or folder to disk."""
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
