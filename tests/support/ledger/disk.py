"""A simulated disk whose power can be cut: unflushed writes survive in part, torn and in any order.

SQLite writes to it through apsw's virtual file system.
"""

from __future__ import annotations

import itertools
import random
from dataclasses import dataclass, field
from typing import Any

import apsw

SECTOR = 512
_numbers = itertools.count()


class PowerCut(Exception):
    """The disk has lost its power."""


@dataclass
class File:
    """Content of a file, its durable state, and the writes since the last flush."""

    current: bytearray = field(default_factory=bytearray)
    durable: bytes = b""
    pending: list[tuple[int, bytes] | int] = field(default_factory=list)  # (offset, bytes), or a new size
    exists_for_certain: bool = False

    def write(self, data: bytes, offset: int) -> None:
        _write(self.current, data, offset)
        self.pending.append((offset, data))

    def truncate(self, size: int) -> None:
        del self.current[size:]
        self.pending.append(size)

    def sync(self) -> None:
        self.durable, self.exists_for_certain = bytes(self.current), True
        self.pending.clear()

    def content_after_cut(self, drawn: random.Random) -> bytes:
        """Content after a power cut: what was flushed, and of later writes none, all, a prefix, or random sectors."""
        content = bytearray(self.durable)
        fate = drawn.choice(("none", "all", "beginning", "sectors", "sectors"))
        pending = self.pending if fate in ("all", "sectors") else []
        pending = self.pending[: drawn.randint(0, len(self.pending))] if fate == "beginning" else pending
        for change in pending:
            if isinstance(change, int):
                if fate != "sectors" or drawn.random() < 0.5:
                    del content[change:]
                continue
            offset, data = change
            for start in range(0, len(data), SECTOR):
                if fate != "sectors" or drawn.random() < 0.5:
                    _write(content, data[start : start + SECTOR], offset + start)
        return bytes(content)


def _write(into: bytearray, data: bytes, offset: int) -> None:
    into.extend(bytes(max(0, offset + len(data) - len(into))))
    into[offset : offset + len(data)] = data


class Disk(apsw.VFS):
    """A disk whose power is cut after a number of writes and flushes, or on demand."""

    def __init__(self, *, pages_of_log: int = 1_000, flushes: bool = True) -> None:
        """Create an empty disk; `pages_of_log` is SQLite's checkpoint interval, and `flushes=False` ignores flushes."""
        self.pages_of_log, self.flushes = pages_of_log, flushes
        self.files: dict[str, File] = {}
        self.steps_left: int | None = None  # writes and flushes until the power goes
        self.done = 0
        self.vfs_name = f"disk {next(_numbers)}"
        super().__init__(self.vfs_name, base="")

    def step(self) -> None:
        """Count one write or flush."""
        if self.steps_left is not None and self.steps_left <= 0:
            raise PowerCut
        self.done += 1
        self.steps_left = None if self.steps_left is None else self.steps_left - 1

    def cut(self, drawn: random.Random) -> None:
        """Cut and restore the power; what is on the disk now is durable."""
        files = {}
        for name, file in self.files.items():
            if file.exists_for_certain or drawn.random() < 0.5:
                content = file.content_after_cut(drawn)
                files[name] = File(bytearray(content), content, [], exists_for_certain=True)
        self.files, self.steps_left = files, None

    def xOpen(self, name: Any, flags: list[int]) -> Open:
        path = name.filename() if isinstance(name, apsw.URIFilename) else name or f"temporary {next(_numbers)}"
        flags[1] = flags[0]
        return Open(self, self.files.setdefault(path, File()))

    def xAccess(self, path: str, flags: int) -> bool:
        return path in self.files

    def xDelete(self, path: str, sync: bool) -> None:
        self.step()
        self.files.pop(path, None)

    def xFullPathname(self, name: str) -> str:
        return name


class Open:
    """An open file of a disk."""

    def __init__(self, disk: Disk, file: File) -> None:
        self.disk, self.file = disk, file

    def xRead(self, amount: int, offset: int) -> bytes:
        return bytes(self.file.current[offset : offset + amount])

    def xWrite(self, data: bytes, offset: int) -> None:
        self.disk.step()
        self.file.write(bytes(data), offset)

    def xTruncate(self, size: int) -> None:
        self.disk.step()
        self.file.truncate(size)

    def xSync(self, flags: int) -> None:
        self.disk.step()
        if self.disk.flushes:
            self.file.sync()

    def xFileSize(self) -> int:
        return len(self.file.current)

    def xClose(self) -> None:
        """Do nothing."""

    def xLock(self, level: int) -> None:
        """Do nothing: there is one process."""

    def xUnlock(self, level: int) -> None:
        """Do nothing: there is one process."""

    def xCheckReservedLock(self) -> bool:
        return False

    def xFileControl(self, op: int, pointer: int) -> bool:
        return False

    def xSectorSize(self) -> int:
        return SECTOR

    def xDeviceCharacteristics(self) -> int:
        return 0
