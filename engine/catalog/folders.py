"""Default folders: data copies in the user's cache, ledgers and ledger bindings in the user's data folder."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import platformdirs

from dialect.catalog import Catalog


def cache_folder() -> Path:
    """Return the folder for copies of data: PASSERSBY_CACHE, or the user's cache."""
    chosen = os.environ.get("PASSERSBY_CACHE")
    return Path(chosen).expanduser() if chosen else platformdirs.user_cache_path("passersby")


def default_ledger(catalog: Catalog, *, bundled: bool) -> Path:
    """Return the default ledger path of a catalog file; a bundled catalog has one ledger wherever it is stored."""
    folder = _user_data_folder()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    identity = catalog.name if bundled else str(Path(catalog.path).resolve())
    return folder / f"{catalog.name}-{hashlib.sha256(identity.encode()).hexdigest()[:8]}.ledger"


def ledger_bindings_folder() -> Path:
    """Return the folder of ledger bindings, which record the ledger of each data file; created on first use."""
    return _user_data_folder() / "marks"


def _user_data_folder() -> Path:
    """Return the folder for durable data: PASSERSBY_DATA, or the user's data folder."""
    chosen = os.environ.get("PASSERSBY_DATA")
    return Path(chosen).expanduser() if chosen else platformdirs.user_data_path("passersby")
