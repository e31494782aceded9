"""Delivered privacy windows: those that the steward declares complete, never inferred from rows.

There are two declarations: `delivered_until` in the catalog, and `passersby ingest --window`
(`proofs.md#delivered-windows`).
"""

from __future__ import annotations

from collections.abc import Mapping

from dialect.catalog import Catalog, Dataset, Table
from engine.catalog.sources import ingest_folder
from engine.data.ingest.add_files import registered_windows


def delivered_windows(catalog: Catalog, dataset: Dataset) -> Mapping[str, frozenset[str]]:
    """Return the delivered windows of each private table that has a time column and is calibrated.

    Claim: the same for neighbouring data. Symbols: catalog and ingest register, both written by the steward. Formula:
    windows up to `delivered_until`, and those that an ingest into the table was declared for. Source:
    proofs.md#delivered-windows. Raises nothing.
    """
    timed = (t for t in catalog.private_tables(dataset.name) if t.time_column is not None)
    return {
        table.name: _windows_of_table(catalog, dataset, table) for table in timed if not table.has_one_row_per_person
    }


def _windows_of_table(catalog: Catalog, dataset: Dataset, table: Table) -> frozenset[str]:
    """Return the delivered windows of one table."""
    windows = dataset.window_names
    until = windows.index(dataset.delivered_until) + 1 if dataset.delivered_until else 0
    place = None if catalog.remote else ingest_folder(table)
    registered = frozenset() if place is None else registered_windows(place)
    return frozenset(windows[:until]) | (registered & set(windows))
