"""The cache folder: copies of data, a note of each copy's catalog and files, and their removal.

A copy contains everybody who was in the data when it was made, so that persons erased from the files must be erased
from copies too (engine/data/proofs.md#cached).
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dialect import Catalog
from engine.backends.scratch import remove_left
from engine.catalog.sources import overlap, stored_files
from engine.errors import DataError

NOTE = "of.json"  # file name, in the folder of each copy
LAYOUTS = "layout-*"
REHEARSALS = "rehearsal-*"  # synthetic rows, and copies of public tables
COPIES = ("snapshot-*", LAYOUTS, REHEARSALS)
UNFINISHED = (".copying-*", ".optimizing-*", ".rehearsing-*")
STALE = 86_400.0  # seconds until an unfinished or orphaned copy may be removed


@dataclass(frozen=True)
class Forgotten:
    """What was removed from the cache."""

    folder: str  # the cache folder, which differs between users and services
    copies: int
    bytes: int


def publish(unfinished: Path, target: Path, catalog: Catalog, made: Mapping[str, Any] | None = None) -> None:
    """Move a finished copy into place, owner-only, and remove the same catalog's copies of other data.

    Synthetic and real copies do not replace each other. Copies of catalogs that no longer exist are removed too, as
    nobody would ask for it.

    `inputs` records the copy's inputs, for later updates. Raises DataError if another process removes copies meanwhile.
    """
    sources = sorted({table.source.path for table in catalog.tables if table.private})
    noted = {"catalog": _place(catalog), "sources": sources, "made": made}
    try:
        _put(unfinished, target, json.dumps(noted))
    except FileNotFoundError:
        why = "copies of data were removed while this one was made."
        raise DataError(target.parent.name, why, "open the data again") from None
    for folder in _copies(target.parent.parent):
        older = folder.match(REHEARSALS) is target.parent.match(REHEARSALS) and _is_of(folder, catalog)
        if folder != target.parent and (older or _is_left(folder)):
            with suppress(OSError):  # queries go on; `forget` reports the failure
                shutil.rmtree(folder)


def _put(unfinished: Path, target: Path, noted: str) -> None:
    """Write the note of a copy, then move the copy into place: a copy without a note is never complete."""
    unfinished.chmod(0o600)
    target.parent.mkdir(exist_ok=True, mode=0o700)
    (note := target.parent / NOTE).touch(mode=0o600)
    note.write_text(noted, encoding="utf-8")
    unfinished.replace(target)


def layouts_of(catalog: Catalog, cache: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Yield the layouts of a catalog, each with its inputs."""
    for folder in cache.glob(LAYOUTS):
        if _is_of(folder, catalog) and isinstance(made := _noted(folder).get("made"), dict):
            yield folder, made


def forget(catalog: Catalog, cache: Path) -> Forgotten:
    """Remove every copy of a catalog's private files by any catalog, its own other copies, and orphaned ones.

    Claim: no file of the cache holds rows of these files afterwards, nor of others that this catalog named before,
    except for copies and queries in progress. Symbols: the catalog and sources in a copy's note. Formula: none. Source:
    engine/data/proofs.md#cached. Raises DataError where one can't be removed.
    """
    remove_left(cache)
    found, freed = list(_of(catalog, cache)), 0
    for folder in found:
        freed += sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
        try:
            shutil.rmtree(folder)
        except OSError:
            raise DataError(str(folder), "this copy of data can't be removed.", "remove the folder by hand") from None
    return Forgotten(str(cache), len(found), freed)


def _of(catalog: Catalog, cache: Path) -> Iterator[Path]:
    """Yield the copies that may contain rows of a catalog's persons, also from earlier sources, and orphaned ones."""
    mine = [stored_files(table.source.path) for table in catalog.tables if table.private]
    for folder in _copies(cache):
        theirs = _noted(folder).get("sources")
        met = theirs is None or any(overlap(one, stored_files(path)) for one in mine for path in theirs)
        if met or _is_of(folder, catalog) or _is_left(folder):  # also copies of earlier source paths
            yield folder
    for pattern in UNFINISHED:
        yield from filter(_is_stale, cache.glob(pattern))


def _is_of(folder: Path, catalog: Catalog) -> bool:
    """Return whether a copy belongs to a catalog, by its note."""
    return bool(_noted(folder).get("catalog") == _place(catalog))


def _is_left(folder: Path) -> bool:
    """Return whether a copy is orphaned: its catalog file is missing, and the copy is older than STALE_SECONDS.

    The delay allows for a catalog that is moved, or is not mounted at the moment.
    """
    catalog = _noted(folder).get("catalog")
    with suppress(OSError):  # unknown: keep the copy
        return isinstance(catalog, str) and _is_stale(folder) and not Path(catalog).exists()
    return False


def _is_stale(folder: Path) -> bool:
    """Return whether a folder is older than STALE_SECONDS; False if it was removed meanwhile."""
    with suppress(FileNotFoundError):
        return time.time() - folder.stat().st_mtime > STALE
    return False


def _copies(cache: Path) -> Iterator[Path]:
    """Yield the folders of all finished copies."""
    return (folder for pattern in COPIES for folder in cache.glob(pattern))


def _noted(folder: Path) -> dict[str, Any]:
    """Read a copy's note; empty where there is none."""
    try:
        noted = json.loads((folder / NOTE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return noted if isinstance(noted, dict) else {}


def _place(catalog: Catalog) -> str:
    """Return the catalog's resolved path, which identifies it in notes."""
    return str(Path(catalog.path).resolve())
