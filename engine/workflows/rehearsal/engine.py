"""Rehearsal engine: the real engine over synthetic rows generated from the catalog alone, with a ledger of its own.

Contribution bounds and noise are those of the real answer: the calibrations in force are public, and are passed in.
Public tables are copied unchanged; the files of private ones are not opened, and need not exist
(`engine/workflows/proofs.md#rehearsal`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from budgets import Ledger
from dialect.catalog import NO_ELIGIBILITY_RULES, Catalog
from dialect.functions import quote_identifier
from engine.backends.duckdb import DuckDBBackend, Limits
from engine.catalog.folders import cache_folder
from engine.data.files.cache import publish, unfinished_copy
from engine.data.files.stored_files import connect_offline
from engine.data.snapshot import copy_digest, copy_tables
from engine.errors import DataError
from engine.mechanism.gaussian import add_noise
from engine.pipeline.engine import Engine
from engine.pricing.clip_bounds.histograms import NO_CALIBRATIONS, CalibrationProvider
from engine.progress import ignore_progress
from engine.workflows.rehearsal.rows import synthetic_statements

DATABASE_FILE = "made-up.duckdb"
LIMITS = Limits(memory="1GB", seconds=60, temporary="2GB")


@contextmanager
def rehearsal(catalog: Catalog, calibrations: CalibrationProvider = NO_CALIBRATIONS) -> Iterator[Engine]:
    """Open an engine over synthetic rows that answers for free; its numbers contain no information about anybody.

    Proof: `engine/workflows/proofs.md#rehearsal`.

    Claim: the half-widths of a query are those that it has on the data, at the same price, for a client without stored
    releases. Needs: `calibrations`, those of the real engine. Raises DataError where a public table's files are not as
    declared.
    """
    backend = _open_synthetic(catalog, cache_folder())
    try:
        with Ledger.open(":memory:") as ledger:
            yield Engine(_without_eligibility_rules(catalog), backend, ledger, add_noise, calibrations=calibrations)
    finally:
        backend.close()


def _open_synthetic(catalog: Catalog, cache: Path, *, again: bool = True) -> DuckDBBackend:
    """Open the synthetic database; regenerate it once if another process removes it before it is open."""
    database = _synthetic_database(catalog, cache)
    addresses = {table.name: f"stage.main.{quote_identifier(table.name)}" for table in catalog.tables}
    try:
        return DuckDBBackend.open({"stage": str(database)}, addresses, cache, LIMITS)
    except DataError:
        if database.exists() or not again:
            raise
    return _open_synthetic(catalog, cache, again=False)


def _without_eligibility_rules(catalog: Catalog) -> Catalog:
    """Remove the eligibility rules: law and age of synthetic persons are random."""
    return replace(
        catalog, datasets=tuple(replace(dataset, eligibility=NO_ELIGIBILITY_RULES) for dataset in catalog.datasets)
    )


def _synthetic_database(catalog: Catalog, cache: Path) -> Path:
    """Return the synthetic database, cached by a digest of its SQL and of the public files; generate it if missing."""
    public = [table for table in catalog.tables if not table.private]
    statements = tuple(synthetic_statements(catalog))
    digest = hashlib.sha256(repr((copy_digest(public), statements)).encode()).hexdigest()
    target = cache / f"rehearsal-{digest[:16]}" / DATABASE_FILE
    if target.exists():
        return target
    with unfinished_copy(cache, ".rehearsing-") as unfinished:
        with connect_offline(str(unfinished)) as connection:
            copy_tables(connection, catalog, public, ignore_progress)
            for statement in statements:
                connection.execute(statement)
        publish(unfinished, target, catalog)
    return target
