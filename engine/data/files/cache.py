"""The cache folder: copies of data, a note of each copy's catalog and files, and their removal.

A copy contains everybody who was in the data when it was made, so that persons erased from the files must be erased
from copies too (engine/data/proofs.md#cached).
"""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dialect import Catalog
from engine.backends.scratch import remove_abandoned
from engine.catalog.sources import share_files, source_files
from engine.errors import DataError

DATA_FILE = "data.duckdb"  # file name of a copy, in its folder
NOTE_FILE = "of.json"  # file name, in the folder of each copy
LAYOUT_FOLDERS = "layout-*"
REHEARSAL_FOLDERS = "rehearsal-*"  # synthetic rows, and copies of public tables
COPY_FOLDERS = ("snapshot-*", LAYOUT_FOLDERS, REHEARSAL_FOLDERS)
UNFINISHED_FOLDERS = (".copying-*", ".optimizing-*", ".rehearsing-*")
STALE_SECONDS = 86_400.0  # seconds until an unfinished or orphaned copy may be removed


@dataclass(frozen=True)
class ForgetReport:
    """What was removed from the cache."""

    folder: str  # the cache folder, which differs between users and services
    copies: int
    bytes: int


@contextmanager
def unfinished_copy(cache: Path, prefix: str) -> Iterator[Path]:
    """Yield the path of a copy that is being made, in an owner-only folder that is removed at the end."""
    cache.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.TemporaryDirectory(prefix=prefix, dir=cache) as work:
        yield Path(work) / DATA_FILE


def publish(unfinished: Path, target: Path, catalog: Catalog, inputs: Mapping[str, Any] | None = None) -> None:
    """Move a finished copy into place, owner-only, and remove the same catalog's copies of other data.

    Synthetic and real copies do not replace each other. Copies of catalogs that no longer exist are removed too, as
    nobody would ask for it.

    `inputs` records the copy's inputs, for later updates. Raises DataError if another process removes copies meanwhile.
    """
    sources = sorted({table.source.path for table in catalog.tables if table.private})
    note = {"catalog": _catalog_path(catalog), "sources": sources, "made": inputs}
    try:
        _move_into_place(unfinished, target, json.dumps(note))
    except FileNotFoundError:
        why = "copies of data were removed while this one was made."
        raise DataError(target.parent.name, why, "open the data again") from None
    for folder in _copies(target.parent.parent):
        same_kind = folder.match(REHEARSAL_FOLDERS) is target.parent.match(REHEARSAL_FOLDERS)
        older = same_kind and _belongs_to(folder, catalog)
        if folder != target.parent and (older or _is_orphaned(folder)):
            with suppress(OSError):  # queries go on; `forget` reports the failure
                shutil.rmtree(folder)


def _move_into_place(unfinished: Path, target: Path, note_text: str) -> None:
    """Write the note of a copy, then move the copy into place: a copy without a note is never complete."""
    unfinished.chmod(0o600)
    target.parent.mkdir(exist_ok=True, mode=0o700)
    (note := target.parent / NOTE_FILE).touch(mode=0o600)
    note.write_text(note_text, encoding="utf-8")
    unfinished.replace(target)


def layouts_of(catalog: Catalog, cache: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Yield the layouts of a catalog, each with its inputs."""
    for folder in cache.glob(LAYOUT_FOLDERS):
        if _belongs_to(folder, catalog) and isinstance(inputs := _read_note(folder).get("made"), dict):
            yield folder, inputs


def forget(catalog: Catalog, cache: Path) -> ForgetReport:
    """Remove every copy of a catalog's private files by any catalog, its own other copies, and orphaned ones.

    Claim: no file of the cache holds rows of these files afterwards, nor of others that this catalog named before,
    except for copies and queries in progress. Symbols: the catalog and sources in a copy's note. Formula: none. Source:
    engine/data/proofs.md#cached. Raises DataError where one can't be removed.
    """
    remove_abandoned(cache)
    found, freed = list(_copies_of(catalog, cache)), 0
    for folder in found:
        freed += sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
        try:
            shutil.rmtree(folder)
        except OSError:
            raise DataError(str(folder), "this copy of data can't be removed.", "remove the folder by hand") from None
    return ForgetReport(str(cache), len(found), freed)


def _copies_of(catalog: Catalog, cache: Path) -> Iterator[Path]:
    """Yield the copies that may contain rows of a catalog's persons, also from earlier sources, and orphaned ones."""
    own_files = [source_files(table.source.path) for table in catalog.tables if table.private]
    for folder in _copies(cache):
        sources = _read_note(folder).get("sources")
        overlaps = (share_files(one, source_files(path)) for path in sources or () for one in own_files)
        # also copies of earlier source paths
        if sources is None or any(overlaps) or _belongs_to(folder, catalog) or _is_orphaned(folder):
            yield folder
    for pattern in UNFINISHED_FOLDERS:
        yield from filter(_is_stale, cache.glob(pattern))


def _belongs_to(folder: Path, catalog: Catalog) -> bool:
    """Return whether a copy belongs to a catalog, by its note."""
    return bool(_read_note(folder).get("catalog") == _catalog_path(catalog))


def _is_orphaned(folder: Path) -> bool:
    """Return whether a copy is orphaned: its catalog file is missing, and the copy is older than STALE_SECONDS.

    The delay allows for a catalog that is moved, or is not mounted at the moment.
    """
    catalog = _read_note(folder).get("catalog")
    with suppress(OSError):  # unknown: keep the copy
        return isinstance(catalog, str) and _is_stale(folder) and not Path(catalog).exists()
    return False


def _is_stale(folder: Path) -> bool:
    """Return whether a folder is older than STALE_SECONDS; False if it was removed meanwhile."""
    with suppress(FileNotFoundError):
        return time.time() - folder.stat().st_mtime > STALE_SECONDS
    return False


def _copies(cache: Path) -> Iterator[Path]:
    """Yield the folders of all finished copies."""
    return (folder for pattern in COPY_FOLDERS for folder in cache.glob(pattern))


def _read_note(folder: Path) -> dict[str, Any]:
    """Read a copy's note; empty where there is none."""
    try:
        noted = json.loads((folder / NOTE_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return noted if isinstance(noted, dict) else {}


def _catalog_path(catalog: Catalog) -> str:
    """Return the catalog's resolved path, which identifies it in notes."""
    return str(Path(catalog.path).resolve())
