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

from engine.catalog.sources import CREDENTIALS_ADVICE, StoreAddress
from engine.errors import DataError
from engine.progress import Progress

if TYPE_CHECKING:
    from pyarrow.fs import FileInfo, FileSystem

COPY_PREFIX = "fetched-"  # prefix of the folder of an object's copy, followed by its digest
FILE_SUFFIXES = (".parquet", ".csv")
PIECE_BYTES = 16 * 2**20  # bytes
MAX_NAME_LENGTH = 60  # maximum length of a copy's file name
CONCURRENT_REQUESTS = 16  # concurrent requests for object states
STATE_KEYS = ("etag", "generation", "last-modified", "versionid", "updated", "md5hash", "crc32c")
NOT_FOUND = re.compile(r"NO_SUCH|RESOURCE_NOT_FOUND|HTTP status 404|NOT_FOUND|NotFound|does not exist")
ACCESS_DENIED = re.compile(
    r"HTTP status 40[13]|ACCESS_DENIED|INVALID_ACCESS_KEY|SIGNATURE|TOKEN"  # S3
    r"|UNAUTHENTICATED|PERMISSION_DENIED|access token|[Cc]redential"
)


@dataclass(frozen=True)
class Fetched:
    """Fetched copies of objects, and the number of objects ingested before."""

    files: tuple[Path, ...] = ()
    digests: tuple[str, ...] = ()  # digests of object and state, one per copy
    known_count: int = 0  # objects with a known digest


@dataclass(frozen=True)
class _StoreObject:
    """An object of a store in one state."""

    store: FileSystem
    display: str  # the requested address, without credentials
    path: str
    state: tuple[object, ...]

    @property
    def digest(self) -> str:
        """Return a digest that identifies the object and its state."""
        return hashlib.sha256(repr((self.display.partition("://")[0], self.path, self.state)).encode()).hexdigest()

    @property
    def size(self) -> int:
        """Return the object's size in bytes."""
        return int(str(self.state[0]))

    @property
    def name(self) -> str:
        """Return a file name for the copy, without glob characters."""
        return re.sub(r"[^\w.=-]", "_", PurePosixPath(self.path).name)[-MAX_NAME_LENGTH:]

    def copy_path(self, staging: Path) -> Path:
        """Return the path of the copy."""
        return staging / f"{COPY_PREFIX}{self.digest}" / self.name


def fetch(
    table: str, addresses: Sequence[StoreAddress], staging: Path, known_digests: Collection[str], progress: Progress
) -> Fetched:
    """Copy the objects at addresses, except those with a known digest. Raises DataError.

    What was copied before an interruption stays for the next run; copies of other objects are removed.
    """
    found = {one.digest: one for address in addresses for one in _list_objects(table, address)}
    new_objects = [each for mark, each in found.items() if mark not in known_digests]
    remove_copies(staging, {each.digest for each in new_objects})
    done, size = 0, sum(each.size for each in new_objects) or 1
    for each in new_objects:
        for copied_bytes in _copy_object(table, each, staging):
            done_mb, total_mb = ((done + copied_bytes) / 1e6, size / 1e6)
            progress(f"copying {each.name}, {done_mb:,.0f} of {total_mb:,.0f} MB", min(1.0, done_mb / total_mb))
        done += each.size
    files = [each.copy_path(staging) for each in new_objects]
    _check_same(table, new_objects, files)
    return Fetched(tuple(files), tuple(each.digest for each in new_objects), len(found) - len(new_objects))


def remove_copies(staging: Path, keep: Collection[str] = ()) -> None:
    """Remove the copies of objects, except those with the given digests."""
    for folder in staging.glob(f"{COPY_PREFIX}*"):
        if folder.name.removeprefix(COPY_PREFIX) not in keep:
            shutil.rmtree(folder)


def _list_objects(table: str, address: StoreAddress) -> list[_StoreObject]:
    """List the objects at an address with their states, sorted by path. Raises DataError."""
    with _translated_errors(table, address.display):
        store, infos = _list_files(address)
        paths = sorted(info.path for info in infos if info.is_file)
        paths = [path for path in paths if not _is_metadata_path(path.removeprefix(infos[0].path))]
        _check_kinds(table, address, paths)
        with ThreadPoolExecutor(CONCURRENT_REQUESTS) as asking:
            states = list(asking.map(lambda path: _object_state(store, path), paths))
    return [_StoreObject(store, address.display, path, each) for path, each in zip(paths, states, strict=True)]


def _list_files(address: StoreAddress) -> tuple[FileSystem, list[FileInfo]]:
    """List the files of a store at an address; the first entry is the address itself."""
    from pyarrow.fs import FileSelector, FileSystem, FileType  # lazy: initializes the stores' libraries

    store, path = FileSystem.from_uri(address.uri)
    itself = store.get_file_info(path)
    if itself.type is FileType.File and not address.pattern:
        return store, [itself]
    under = store.get_file_info(FileSelector(path, recursive=not address.pattern))
    fits = (info for info in under if fnmatchcase(info.base_name, address.pattern or "*"))
    return store, [itself, *fits]


def _is_metadata_path(path: str) -> bool:
    """Return whether a path is metadata by convention: _SUCCESS, _delta_log, .crc."""
    return any(part.startswith(("_", ".")) for part in PurePosixPath(path).parts)


def _check_kinds(table: str, address: StoreAddress, paths: Sequence[str]) -> None:
    """Check that all objects are Parquet, or all are CSV. Raises DataError."""
    kinds = {PurePosixPath(path).suffix for path in paths}
    if not kinds & set(FILE_SUFFIXES):
        cure = "give an object, or a folder of a bucket that holds some"
        raise DataError(table, f"there is no .parquet or .csv file at {address.display}.", cure)
    if len(kinds) > 1:
        why = f"there are files of several kinds at {address.display}."
        raise DataError(table, why, "name those to add by a pattern: s3://bucket/folder/*.parquet")


def _object_state(store: FileSystem, path: str) -> tuple[object, ...]:
    """Query the current state of an object: its size and tags, which change with the object."""
    with store.open_input_file(path) as file:
        size, metadata = file.size(), file.metadata() or {}
    tags = tuple(sorted((key.lower(), str(value)) for key, value in metadata.items() if key.lower() in STATE_KEYS))
    return size, *(tags or (store.get_file_info(path).mtime_ns,))


def _copy_object(table: str, each: _StoreObject, staging: Path) -> Iterator[int]:
    """Copy an object and yield the bytes on disk; an interrupted copy continues after its last durable piece."""
    copy = each.copy_path(staging)
    copy.parent.mkdir(mode=0o700, exist_ok=True)
    if copy.exists():
        return
    partial = copy.with_name(".part")
    with (
        _translated_errors(table, each.display),
        partial.open("ab") as out,
        each.store.open_input_file(each.path) as stored,
    ):
        at = max(0, out.tell() // PIECE_BYTES - 1) * PIECE_BYTES  # the last complete piece may not be on disk
        out.truncate(at)
        stored.seek(at)
        yield at
        while piece := stored.read(PIECE_BYTES):
            out.write(piece)
            out.flush()
            os.fsync(out.fileno())
            yield min(out.tell(), each.size)
    partial.rename(copy)


def _check_same(table: str, objects: Sequence[_StoreObject], files: Sequence[Path]) -> None:
    """Reject objects that changed while they were copied: a copy could mix two states. Raises DataError."""
    for each, file in zip(objects, files, strict=True):
        with _translated_errors(table, each.display):
            same = _object_state(each.store, each.path) == each.state and file.stat().st_size == each.size
        if not same:
            shutil.rmtree(file.parent)
            raise DataError(table, f"{each.name} changed in the store while it was copied.", "give it again")


@contextmanager
def _translated_errors(table: str, display: str) -> Iterator[None]:
    """Convert errors of a store's library to DataError, with fixed texts."""
    try:
        yield
    except (OSError, pa.ArrowException) as failure:
        raise DataError(table, *_explain_failure(failure, display)) from None


def _explain_failure(failure: Exception, display: str) -> tuple[str, str]:
    """Return the reason of a store's failure, and the cure."""
    if isinstance(failure, OSError) and failure.errno == ENOSPC:
        return "the disk has no room for a copy of the new files.", "make room beside the data, and run it again"
    if isinstance(failure, FileNotFoundError) or NOT_FOUND.search(str(failure)):
        return f"there is no bucket, or no path, {display}.", "correct the address"
    if ACCESS_DENIED.search(str(failure)):
        return f"the store does not let {display} be read, or no credentials were found.", CREDENTIALS_ADVICE
    if isinstance(failure, pa.ArrowInvalid):
        return f"the address {display} can't be read.", "write bucket and path, with % codes for spaces and the like"
    why = f"the store of {display} can't be reached, or broke off."
    return why, "run it again: what was copied is kept, and gone on with"
