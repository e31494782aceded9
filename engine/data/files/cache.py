"""Copies of data in the cache folder: of which catalog and files each is, and how they are forgotten.

A copy holds everybody who was in the data when it was made, so that a person who is erased from the files has to go
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

NOTE = "of.json"  # in the folder of a copy
LAYOUTS = "layout-*"
REHEARSALS = "rehearsal-*"  # made-up people, and copies of public tables
COPIES = ("snapshot-*", LAYOUTS, REHEARSALS)
UNFINISHED = (".copying-*", ".optimizing-*", ".rehearsing-*")
STALE = 86_400.0  # seconds after which nobody works on an unfinished copy any more, or misses one of no catalog


@dataclass(frozen=True)
class Forgotten:
    """What was removed from the cache."""

    folder: str  # of the cache: another user's, or a service's, is another one
    copies: int
    bytes: int


def publish(unfinished: Path, target: Path, catalog: Catalog, made: Mapping[str, Any] | None = None) -> None:
    """Give a finished copy its place, for its owner alone, and remove the same catalog's copies of other data.

    What is made up and what is copied do not remove each other. With older ones go copies of catalogs whose file is
    gone: nobody would ask that they be forgotten.

    `made` notes what it was made of, for whoever goes on from it. Raises DataError where another process forgets copies
    meanwhile.
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
            with suppress(OSError):  # one that can't be removed stops nobody from asking; `forget` says so
                shutil.rmtree(folder)


def _put(unfinished: Path, target: Path, noted: str) -> None:
    """Note what a copy is of, then move it there: a copy that is not noted is never seen whole."""
    unfinished.chmod(0o600)
    target.parent.mkdir(exist_ok=True, mode=0o700)
    (note := target.parent / NOTE).touch(mode=0o600)
    note.write_text(noted, encoding="utf-8")
    unfinished.replace(target)


def layouts_of(catalog: Catalog, cache: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Find the layouts of a catalog, each with what it was made of."""
    for folder in cache.glob(LAYOUTS):
        if _is_of(folder, catalog) and isinstance(made := _noted(folder).get("made"), dict):
            yield folder, made


def forget(catalog: Catalog, cache: Path) -> Forgotten:
    """Remove every copy of a catalog's private files, whoever made it, its own of others, and those nobody knows of.

    Claim: no file of the cache holds rows of these files afterwards, nor of others that this catalog named before,
    except of copies and questions that are being worked on. Symbols: the catalog and sources that a copy is noted to be
    of. Formula: none. Source: engine/data/proofs.md#cached. Raises DataError where one can't be removed.
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
    """Find the copies that may hold rows of a catalog's people."""
    mine = [stored_files(table.source.path) for table in catalog.tables if table.private]
    for folder in _copies(cache):
        theirs = _noted(folder).get("sources")
        met = theirs is None or any(overlap(one, stored_files(path)) for one in mine for path in theirs)
        if met or _is_of(folder, catalog) or _is_left(folder):  # of where its people's rows lay before, too
            yield folder
    for pattern in UNFINISHED:
        yield from filter(_is_stale, cache.glob(pattern))


def _is_of(folder: Path, catalog: Catalog) -> bool:
    return bool(_noted(folder).get("catalog") == _place(catalog))


def _is_left(folder: Path) -> bool:
    """Tell whether a copy's catalog file is gone; a day is left for one that is moved, or not mounted at the moment."""
    catalog = _noted(folder).get("catalog")
    with suppress(OSError):  # it can't be told
        return isinstance(catalog, str) and _is_stale(folder) and not Path(catalog).exists()
    return False


def _is_stale(folder: Path) -> bool:
    """Tell whether a folder is so old; one that another process removed meanwhile is not."""
    with suppress(FileNotFoundError):
        return time.time() - folder.stat().st_mtime > STALE
    return False


def _copies(cache: Path) -> Iterator[Path]:
    return (folder for pattern in COPIES for folder in cache.glob(pattern))


def _noted(folder: Path) -> dict[str, Any]:
    """Read what a copy is noted to be of; nothing where there is no note."""
    try:
        noted = json.loads((folder / NOTE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return noted if isinstance(noted, dict) else {}


def _place(catalog: Catalog) -> str:
    return str(Path(catalog.path).resolve())
