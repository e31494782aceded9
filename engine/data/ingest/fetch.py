"""Fetching objects from a store into the staging folder, each complete, for `passersby ingest`.

    list      the objects at an address, with size, modification time and tag of each
    copy      in pieces; an interrupted run continues where it stopped
    verify    the store must report the same state of each object again, or nothing is taken

Credentials are found by pyarrow. Its error texts, which may quote secrets, are never shown.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from errno import ENOSPC
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import pyarrow as pa

from engine.catalog.sources import USUAL, StoreAddress
from engine.errors import DataError
from engine.progress import Progress

if TYPE_CHECKING:
    from pyarrow.fs import FileInfo, FileSystem

FETCHED = "fetched-"  # prefix of the folder of an object's copy, followed by its digest
ENDINGS = (".parquet", ".csv")
PIECE = 16 * 2**20  # bytes
LONGEST = 60  # maximum length of a copy's file name
AT_ONCE = 16  # concurrent requests for object states
TELLING = ("etag", "generation", "last-modified", "versionid", "updated", "md5hash", "crc32c")
NOWHERE = re.compile(r"NO_SUCH|RESOURCE_NOT_FOUND|HTTP status 404|NOT_FOUND|NotFound|does not exist")
NOT_ALLOWED = re.compile(
    r"HTTP status 40[13]|ACCESS_DENIED|INVALID_ACCESS_KEY|SIGNATURE|TOKEN"  # S3
    r"|UNAUTHENTICATED|PERMISSION_DENIED|access token|[Cc]redential"
)


@dataclass(frozen=True)
class Fetched:
    """Fetched copies of objects, and the number of objects ingested before."""

    files: tuple[Path, ...] = ()
    marks: tuple[str, ...] = ()  # digests of object and state, one per copy
    already: int = 0  # objects with a known digest


@dataclass(frozen=True)
class _Object:
    """An object of a store in one state."""

    store: FileSystem
    shown: str  # the requested address, without credentials
    path: str
    told: tuple[object, ...]

    @property
    def mark(self) -> str:
        """Return a digest that identifies the object and its state."""
        return hashlib.sha256(repr((self.shown.partition("://")[0], self.path, self.told)).encode()).hexdigest()

    @property
    def size(self) -> int:
        """Return the object's size in bytes."""
        return int(str(self.told[0]))

    @property
    def name(self) -> str:
        """Return a file name for the copy, without glob characters."""
        return re.sub(r"[^\w.=-]", "_", PurePosixPath(self.path).name)[-LONGEST:]

    def copy(self, staging: Path) -> Path:
        """Return the path of the copy."""
        return staging / f"{FETCHED}{self.mark}" / self.name


def fetch(
    table: str, addresses: Sequence[StoreAddress], staging: Path, known: Collection[str], progress: Progress
) -> Fetched:
    """Copy the objects at addresses, except those with a known digest. Raises DataError.

    What was copied before an interruption stays for the next run; copies of other objects are removed.
    """
    found = {one.mark: one for address in addresses for one in _found(table, address)}
    wanted = [each for mark, each in found.items() if mark not in known]
    sweep(staging, {each.mark for each in wanted})
    done, size = 0, sum(each.size for each in wanted) or 1
    for each in wanted:
        for here in _copied(table, each, staging):
            part, whole = ((done + here) / 1e6, size / 1e6)
            progress(f"copying {each.name}, {part:,.0f} of {whole:,.0f} MB", min(1.0, part / whole))
        done += each.size
    files = [each.copy(staging) for each in wanted]
    _check_same(table, wanted, files)
    return Fetched(tuple(files), tuple(each.mark for each in wanted), len(found) - len(wanted))


def sweep(staging: Path, but: Collection[str] = ()) -> None:
    """Remove the copies of objects, except those with the given digests."""
    for left in staging.glob(f"{FETCHED}*"):
        if left.name.removeprefix(FETCHED) not in but:
            shutil.rmtree(left)


def _found(table: str, address: StoreAddress) -> list[_Object]:
    """List the objects at an address with their states, sorted by path. Raises DataError."""
    with _plain_words(table, address.shown):
        store, infos = _listed(address)
        paths = sorted(info.path for info in infos if info.is_file)
        paths = [path for path in paths if not _is_aside(path.removeprefix(infos[0].path))]
        _check_kinds(table, address, paths)
        with ThreadPoolExecutor(AT_ONCE) as asking:
            told = list(asking.map(lambda path: _told(store, path), paths))
    return [_Object(store, address.shown, path, each) for path, each in zip(paths, told, strict=True)]


def _listed(address: StoreAddress) -> tuple[FileSystem, list[FileInfo]]:
    """List the files of a store at an address; the first entry is the address itself."""
    from pyarrow.fs import FileSelector, FileSystem, FileType  # lazy: initializes the stores' libraries

    store, path = FileSystem.from_uri(address.address)
    itself = store.get_file_info(path)
    if itself.type is FileType.File and not address.pattern:
        return store, [itself]
    under = store.get_file_info(FileSelector(path, recursive=not address.pattern))
    fits = (info for info in under if fnmatchcase(info.base_name, address.pattern or "*"))
    return store, [itself, *fits]


def _is_aside(path: str) -> bool:
    """Return whether a path is metadata by convention: _SUCCESS, _delta_log, .crc."""
    return any(part.startswith(("_", ".")) for part in PurePosixPath(path).parts)


def _check_kinds(table: str, address: StoreAddress, paths: Sequence[str]) -> None:
    """Check that all objects are Parquet, or all are CSV. Raises DataError."""
    kinds = {PurePosixPath(path).suffix for path in paths}
    if not kinds & set(ENDINGS):
        cure = "give an object, or a folder of a bucket that holds some"
        raise DataError(table, f"there is no .parquet or .csv file at {address.shown}.", cure)
    if len(kinds) > 1:
        why = f"there are files of several kinds at {address.shown}."
        raise DataError(table, why, "name those to add by a pattern: s3://bucket/folder/*.parquet")


def _told(store: FileSystem, path: str) -> tuple[object, ...]:
    """Query the current state of an object: its size and tags, which change with the object."""
    with store.open_input_file(path) as file:
        size, said = file.size(), file.metadata() or {}
    tags = tuple(sorted((key.lower(), str(value)) for key, value in said.items() if key.lower() in TELLING))
    return size, *(tags or (store.get_file_info(path).mtime_ns,))


def _copied(table: str, each: _Object, staging: Path) -> Iterator[int]:
    """Copy an object and yield the bytes on disk; an interrupted copy continues after its last durable piece."""
    copy = each.copy(staging)
    copy.parent.mkdir(mode=0o700, exist_ok=True)
    if copy.exists():
        return
    part = copy.with_name(".part")
    with _plain_words(table, each.shown), part.open("ab") as out, each.store.open_input_file(each.path) as stored:
        at = max(0, out.tell() // PIECE - 1) * PIECE  # the last complete piece may not be on disk
        out.truncate(at)
        stored.seek(at)
        yield at
        while piece := stored.read(PIECE):
            out.write(piece)
            out.flush()
            os.fsync(out.fileno())
            yield min(out.tell(), each.size)
    part.rename(copy)


def _check_same(table: str, objects: Sequence[_Object], files: Sequence[Path]) -> None:
    """Reject objects that changed while they were copied: a copy could mix two states. Raises DataError."""
    for each, file in zip(objects, files, strict=True):
        with _plain_words(table, each.shown):
            same = _told(each.store, each.path) == each.told and file.stat().st_size == each.size
        if not same:
            shutil.rmtree(file.parent)
            raise DataError(table, f"{each.name} changed in the store while it was copied.", "give it again")


@contextmanager
def _plain_words(table: str, shown: str) -> Iterator[None]:
    """Convert errors of a store's library to DataError, with fixed texts."""
    try:
        yield
    except (OSError, pa.ArrowException) as failure:
        raise DataError(table, *_said(failure, shown)) from None


def _said(failure: Exception, shown: str) -> tuple[str, str]:
    """Return the reason of a store's failure, and the cure."""
    if isinstance(failure, OSError) and failure.errno == ENOSPC:
        return "the disk has no room for a copy of the new files.", "make room beside the data, and run it again"
    if isinstance(failure, FileNotFoundError) or NOWHERE.search(str(failure)):
        return f"there is no bucket, or no path, {shown}.", "correct the address"
    if NOT_ALLOWED.search(str(failure)):
        return f"the store does not let {shown} be read, or no credentials were found.", USUAL
    if isinstance(failure, pa.ArrowInvalid):
        return f"the address {shown} can't be read.", "write bucket and path, with % codes for spaces and the like"
    why = f"the store of {shown} can't be reached, or broke off."
    return why, "run it again: what was copied is kept, and gone on with"
