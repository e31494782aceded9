"""The bundled operator in the user's cache, generated where it is missing."""

from __future__ import annotations

import hashlib
from pathlib import Path

import duckdb

from engine.catalog.folders import cache_folder
from engine.catalog.operator.make import (
    BURSTS_A_DAY,
    DEMO_EVENTS,
    EVENTS_PER_SUBSCRIBER,
    SQL_FOLDER,
    Order,
    make_operator,
    write_catalog,
)
from engine.progress import Progress, ignore_progress


def operator_path(events: int = DEMO_EVENTS, progress: Progress = ignore_progress, *, order: Order = "person") -> Path:
    """Return the catalog file of an operator of about `events` events, stored in the folder of its database.

    Generated at first use, and again when the generator changes. PASSERSBY_CACHE overrides the user's cache folder.
    """
    folder = cache_folder() / f"operator-{events}-{order}-{generator_digest()}"
    if not (folder / "operator.duckdb").exists():
        make_operator(folder, events, progress, order=order)
    return write_catalog(folder, events)


def generator_digest() -> str:
    """Return a digest of everything that determines rows and file format: SQL, constants, DuckDB's minor version."""
    digest = hashlib.sha256()
    for file in sorted(SQL_FOLDER.glob("*.sql")):
        digest.update(file.name.encode() + file.read_bytes())
    digest.update(repr((EVENTS_PER_SUBSCRIBER, BURSTS_A_DAY, duckdb.__version__.rsplit(".", 1)[0])).encode())
    return digest.hexdigest()[:12]
