"""Objects of a store -> copies of them beside the data, each as a whole, for `passersby ingest`.

    found     what the store lists under an address, with size, time and tag of each
    copied    piece after piece; a run that was interrupted continues where it was
    the same  the store reports of each what it reported before, or nothing is taken

Who may read is found by pyarrow's own means. Of its texts, which may quote what is secret, none is shown.
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

FETCHED = "fetched-"  # before an object's mark: the folder that its copy lies in
ENDINGS = (".parquet", ".csv")
PIECE = 16 * 2**20  # bytes
LONGEST = 60  # letters of a copy's name
AT_ONCE = 16  # objects that are asked about
TELLING = ("etag", "generation", "last-modified", "versionid", "updated", "md5hash", "crc32c")
NOWHERE = re.compile(r"NO_SUCH|RESOURCE_NOT_FOUND|HTTP status 404|NOT_FOUND|NotFound|does not exist")
NOT_ALLOWED = re.compile(
    r"HTTP status 40[13]|ACCESS_DENIED|INVALID_ACCESS_KEY|SIGNATURE|TOKEN"  # Amazon's
    r"|UNAUTHENTICATED|PERMISSION_DENIED|access token|[Cc]redential"
)


@dataclass(frozen=True)
class Fetched:
    """Copies of objects, and those that need none."""

    files: tuple[Path, ...] = ()
    marks: tuple[str, ...] = ()  # of the copies: digests of which object each is, as the store told of it
    already: int = 0  # objects whose mark is known


@dataclass(frozen=True)
class _Object:
    """One object, as the store tells of it."""

    store: FileSystem
    shown: str  # address that it was found under
    path: str
    told: tuple[object, ...]

    @property
    def mark(self) -> str:
        """Name the object and its state."""
        return hashlib.sha256(repr((self.shown.partition("://")[0], self.path, self.told)).encode()).hexdigest()

    @property
    def size(self) -> int:
        return int(str(self.told[0]))

    @property
    def name(self) -> str:
        """Give a name that no reader of files takes for a pattern."""
        return re.sub(r"[^\w.=-]", "_", PurePosixPath(self.path).name)[-LONGEST:]

    def copy(self, staging: Path) -> Path:
        """Say where its copy lies."""
        return staging / f"{FETCHED}{self.mark}" / self.name


def fetch(
    table: str, addresses: Sequence[StoreAddress], staging: Path, known: Collection[str], progress: Progress
) -> Fetched:
    """Copy the objects under addresses that are not known by their mark; raises DataError.

    What was copied stays where the store breaks off, for the next run; what is left of other objects is removed.
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
    """Remove copies of objects, but those of some marks."""
    for left in staging.glob(f"{FETCHED}*"):
        if left.name.removeprefix(FETCHED) not in but:
            shutil.rmtree(left)


def _found(table: str, address: StoreAddress) -> list[_Object]:
    """List the objects that are meant, in the order of their paths, with what the store tells of each."""
    with _plain_words(table, address.shown):
        store, infos = _listed(address)
        paths = sorted(info.path for info in infos if info.is_file)
        paths = [path for path in paths if not _is_aside(path.removeprefix(infos[0].path))]
        _check_kinds(table, address, paths)
        with ThreadPoolExecutor(AT_ONCE) as asking:
            told = list(asking.map(lambda path: _told(store, path), paths))
    return [_Object(store, address.shown, path, each) for path, each in zip(paths, told, strict=True)]


def _listed(address: StoreAddress) -> tuple[FileSystem, list[FileInfo]]:
    """Ask a store what is there: first what the address names itself."""
    from pyarrow.fs import FileSelector, FileSystem, FileType  # late: it starts the stores' libraries

    store, path = FileSystem.from_uri(address.address)
    itself = store.get_file_info(path)
    if itself.type is FileType.File and not address.pattern:
        return store, [itself]
    under = store.get_file_info(FileSelector(path, recursive=not address.pattern))
    fits = (info for info in under if fnmatchcase(info.base_name, address.pattern or "*"))
    return store, [itself, *fits]


def _is_aside(path: str) -> bool:
    """Tell whether a path under a folder is no data by custom: _SUCCESS, _delta_log, .crc."""
    return any(part.startswith(("_", ".")) for part in PurePosixPath(path).parts)


def _check_kinds(table: str, address: StoreAddress, paths: Sequence[str]) -> None:
    kinds = {PurePosixPath(path).suffix for path in paths}
    if not kinds & set(ENDINGS):
        cure = "give an object, or a folder of a bucket that holds some"
        raise DataError(table, f"there is no .parquet or .csv file at {address.shown}.", cure)
    if len(kinds) > 1:
        why = f"there are files of several kinds at {address.shown}."
        raise DataError(table, why, "name those to add by a pattern: s3://bucket/folder/*.parquet")


def _told(store: FileSystem, path: str) -> tuple[object, ...]:
    """Ask what a store tells of an object now: its size, and what is another when the object is."""
    with store.open_input_file(path) as file:
        size, said = file.size(), file.metadata() or {}
    tags = tuple(sorted((key.lower(), str(value)) for key, value in said.items() if key.lower() in TELLING))
    return size, *(tags or (store.get_file_info(path).mtime_ns,))


def _copied(table: str, each: _Object, staging: Path) -> Iterator[int]:
    """Copy an object, telling the bytes that are here; gone on with behind the pieces that are surely on the disk."""
    copy = each.copy(staging)
    copy.parent.mkdir(mode=0o700, exist_ok=True)
    if copy.exists():
        return
    part = copy.with_name(".part")
    with _plain_words(table, each.shown), part.open("ab") as out, each.store.open_input_file(each.path) as stored:
        at = max(0, out.tell() // PIECE - 1) * PIECE  # the last whole piece may not be on the disk
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
    """Refuse objects that changed while they were copied: a copy could be of neither state."""
    for each, file in zip(objects, files, strict=True):
        with _plain_words(table, each.shown):
            same = _told(each.store, each.path) == each.told and file.stat().st_size == each.size
        if not same:
            shutil.rmtree(file.parent)
            raise DataError(table, f"{each.name} changed in the store while it was copied.", "give it again")


@contextmanager
def _plain_words(table: str, shown: str) -> Iterator[None]:
    """Say in words of our own what a store's library says."""
    try:
        yield
    except (OSError, pa.ArrowException) as failure:
        raise DataError(table, *_said(failure, shown)) from None


def _said(failure: Exception, shown: str) -> tuple[str, str]:
    """Give why, and a cure."""
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
