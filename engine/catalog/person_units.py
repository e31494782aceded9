"""Whose rows a table holds, and when they happened: what is written with every charge, and cannot change after it."""

from __future__ import annotations

from collections.abc import Iterator

from budgets import Ledger
from dialect.catalog.catalog import Catalog, Table
from engine.errors import CatalogError

BETWEEN = "; "  # tables in a note of versions


def units_said(catalog: Catalog, dataset: str) -> str:
    """Tell person key, time and time zone of every private table of a dataset."""
    tables = sorted(_private(catalog, dataset), key=lambda table: table.name)
    return BETWEEN.join(f"{table.name} {unit}" for table in tables for unit in [_unit(table)])


def check_units(ledger: Ledger, catalog: Catalog) -> None:
    """Refuse another person key, time or time zone of a table than it was charged with; raises CatalogError."""
    for error in changed_units(ledger, catalog):
        raise error


def changed_units(ledger: Ledger, catalog: Catalog) -> Iterator[CatalogError]:
    """Find the tables whose unit is not what it was when they were charged.

    Claim: what one person in one window is never changes for charged data, so that losses of one unit add up. Symbols:
    person key, time and time zone of each private table. Formula: those of every earlier charge equal today's.
    Source: proofs.md#units. Raises nothing.
    """
    for dataset in catalog.datasets:
        before = [part for said in ledger.versions(dataset.name) for part in said.split(BETWEEN)[1:]]
        charged = [tuple(part.split(" ", 1)) for part in before]
        for table in _private(catalog, dataset.name):
            for unit in dict.fromkeys(unit for name, unit in charged if name == table.name and unit != _unit(table)):
                why = f"its rows are {_unit(table)} now, and were charged {unit}: spent budget would come back."
                cure = "declare person, time_column and time_zone as they were; new data make a new dataset."
                yield CatalogError(catalog.path, f"tables.{table.name}", why, cure)


def _private(catalog: Catalog, dataset: str) -> list[Table]:
    return [table for table in catalog.tables if table.private and table.dataset == dataset]


def _unit(table: Table) -> str:
    assert table.person is not None  # noqa: S101  every private table has one
    person = " -> ".join((*(f"{own} of {to}" for own, to in table.person.through), table.person.column))
    time = None if table.time_column is None else table.column(table.time_column)
    if time is None:
        return f"by {person}"
    zone = f" in {time.time_zone}" if time.time_zone is not None else ""
    return f"by {person} at {time.name}{zone}{' (stored as UTC)' if time.stored_utc else ''}"
