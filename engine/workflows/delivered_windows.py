"""Delivered privacy windows: those that the steward declares complete, never inferred from rows.

There are two declarations: `delivered_until` in the catalog, and `passersby ingest --window`
(`proofs.md#delivered-windows`).
"""

from __future__ import annotations

from collections.abc import Mapping

from dialect.catalog import Catalog, Dataset, Table
from engine.catalog.sources import place_of
from engine.data.ingest.ingest import delivered
from engine.workflows.calibration_questions import is_bounded


def delivered_windows(catalog: Catalog, dataset: Dataset) -> Mapping[str, frozenset[str]]:
    """Return the delivered windows of each private table that has a time column and is calibrated.

    Claim: the same for neighbouring data. Symbols: catalog and ingest register, both written by the steward. Formula:
    windows up to `delivered_until`, and those that an ingest into the table was declared for. Source:
    proofs.md#delivered-windows. Raises nothing.
    """
    timed = (t for t in catalog.tables if t.private and t.dataset == dataset.name and t.time_column is not None)
    return {table.name: _delivered(catalog, dataset, table) for table in timed if not is_bounded(table)}


def _delivered(catalog: Catalog, dataset: Dataset, table: Table) -> frozenset[str]:
    """Return the delivered windows of one table."""
    windows = dataset.windows
    until = windows.index(dataset.delivered_until) + 1 if dataset.delivered_until else 0
    place = None if catalog.remote else place_of(table)
    registered = frozenset() if place is None else delivered(place)
    return frozenset(windows[:until]) | (registered & set(windows))
