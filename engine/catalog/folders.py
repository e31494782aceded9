"""Where things lie that the user did not place: copies of data in the cache, ledgers among the user's data."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import platformdirs

from dialect.catalog import Catalog


def cache_folder() -> Path:
    """Find the folder for copies of data: PASSERSBY_CACHE, else the user's cache."""
    chosen = os.environ.get("PASSERSBY_CACHE")
    return Path(chosen).expanduser() if chosen else platformdirs.user_cache_path("passersby")


def default_ledger(catalog: Catalog, *, bundled: bool) -> Path:
    """Name the ledger that belongs to a catalog file; a bundled catalog has one wherever its file was put."""
    folder = _data_folder()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    place = catalog.name if bundled else str(Path(catalog.path).resolve())
    return folder / f"{catalog.name}-{hashlib.sha256(place.encode()).hexdigest()[:8]}.ledger"


def marks_folder() -> Path:
    """Find the folder of marks, which say whose ledger is whose; made when the first one is."""
    return _data_folder() / "marks"


def _data_folder() -> Path:
    chosen = os.environ.get("PASSERSBY_DATA")
    return Path(chosen).expanduser() if chosen else platformdirs.user_data_path("passersby")
