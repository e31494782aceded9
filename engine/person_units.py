"""Whose rows a table holds, and when they happened: what is written with every charge, and cannot change after it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from budgets import Ledger
from dialect.catalog import Catalog, Table
from engine.errors import CatalogError

BETWEEN = "; "  # tables in a note of versions
AT = "@"  # between a table's name and its source
SHORT = 16  # hex digits by which sources are told apart


class Charged(NamedTuple):
    """What a note says of one table."""

    name: str
    source: str  # empty in notes of before it was noted
    unit: str


def units_said(catalog: Catalog, dataset: str) -> str:
    """Tell source, person key, time and time zone of every private table of a dataset."""
    tables = sorted(_private(catalog, dataset), key=lambda table: table.name)
    return BETWEEN.join(f"{table.name}{AT}{_source(table)} {_unit(table)}" for table in tables)


def check_units(ledger: Ledger, catalog: Catalog) -> None:
    """Refuse another person key, time or time zone of a table than it was charged with; raises CatalogError."""
    for error in changed_units(ledger, catalog):
        raise error


def changed_units(ledger: Ledger, catalog: Catalog) -> Iterator[CatalogError]:
    """Find the tables whose unit is not what it was when they were charged.

    Claim: what one person in one window is never changes for charged data, so that losses of one unit add up. Symbols:
    person key, time and time zone of each private table. Formula: those of every earlier charge of its name equal
    today's, and one of those of its source. Source: proofs.md#units. Raises nothing.
    """
    for dataset in catalog.datasets:
        charged = [_read(part) for said in ledger.versions(dataset.name) for part in said.split(BETWEEN)[1:]]
        for table in _private(catalog, dataset.name):
            for unit in _other_units(table, charged):
                why = f"its rows are {_unit(table)} now, and were charged {unit}: spent budget would come back."
                cure = "declare person, time_column and time_zone as they were; new data make a new dataset."
                yield CatalogError(catalog.path, f"tables.{table.name}", why, cure)


def _read(part: str) -> Charged:
    """Read what a note says of one table."""
    named, _, unit = part.partition(" ")
    name, _, source = named.partition(AT)
    return Charged(name, source, unit)


def _other_units(table: Table, charged: Sequence[Charged]) -> Iterable[str]:
    """Give the units, each once, that a table was charged with and has no more, also where it had another name."""
    units = [each.unit for each in charged if each.name == table.name]
    under_any_name = [each.unit for each in charged if each.source == _source(table)]
    if _unit(table) not in under_any_name:  # of one source several may have been declared at once, each with its own
        units += under_any_name
    return dict.fromkeys(unit for unit in units if unit != _unit(table))


def _source(table: Table) -> str:
    """Name where a table's rows lie, without telling it."""
    of = table.source
    return hashlib.sha256("\n".join((of.format, of.path, of.table or "")).encode()).hexdigest()[:SHORT]


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
