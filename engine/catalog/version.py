"""Catalog versions: a digest of the whole catalog, for auditors, and one of what a single release depends on.

A release depends on the tables that its plan reads, the tables on the path to its persons, and the eligibility rules.
Budgets, defaults, clip bounds and limits determine its price and its bounds, which the release key contains
separately. A change to anything else in the catalog leaves every stored release valid.

The privacy unit of each private table (person key, time and time zone) is recorded with every charge, and cannot
change afterwards.
"""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import wraps
from pathlib import Path
from typing import TypeVar

from budgets import Ledger
from dialect import Catalog, PrivatePlan
from dialect.algebra import tables_of
from dialect.catalog import Column, Table, stable_text
from engine.catalog.admission import person_table
from engine.errors import CatalogError

T = TypeVar("T")
SHORT = 12  # characters of the digest
_CATALOGS = 4  # size of each cache


def _once(make: Callable[[Catalog], T]) -> Callable[[Catalog], T]:
    """Cache a function of a catalog by identity: hashing a catalog is as slow as the function itself."""
    kept = deque[tuple[Catalog, T]](maxlen=_CATALOGS)

    @wraps(make)
    def made(catalog: Catalog) -> T:
        for known, there in tuple(kept):
            if known is catalog:
                return there
        there = make(catalog)
        kept.append((catalog, there))
        return there

    return made


@_once
def catalog_version(catalog: Catalog) -> str:
    """Return a digest of the whole catalog, independent of the folder in which it is stored."""
    parts = (stable_text(catalog.datasets), *(stable_text(_placed(table, catalog)) for table in catalog.tables))
    complete = tuple(f"{t.name}.{c.name} is complete" for t in catalog.tables for c in t.columns if c.complete)
    lake = () if catalog.remote is None else (f"people's tables lie in {catalog.remote}",)
    return _digest((*parts, *complete, *lake))[:SHORT]


def resting_on(plan: PrivatePlan, catalog: Catalog) -> str:
    """Return a digest of the catalog parts that determine a release (proofs.md#what-a-release-rests-on)."""
    dataset = catalog.dataset(plan.dataset)
    meanings = _meanings(catalog)
    return _digest((stable_text(dataset.window), *(meanings[name] for name in sorted(_read(plan, catalog)))))


@_once
def _meanings(catalog: Catalog) -> Mapping[str, str]:
    """Return the definition of every table; all at once, so that no timing reveals earlier lookups."""
    return {table.name: table_meaning(table, catalog) for table in catalog.tables}


def _read(plan: PrivatePlan, catalog: Catalog) -> Iterable[str]:
    """Return the tables that a plan reads: its own, its key set's, person paths, eligibility and column lookups."""
    names = set(tables_of(plan.source)) | set(plan.tables)
    if plan.key_set is not None:
        names |= tables_of(plan.key_set.relation)
    if (deciding := person_table(catalog, catalog.dataset(plan.dataset))) is not None:
        names.add(deciding.name)
    found: dict[str, Table] = {}
    while missing := names - found.keys():
        for table in (table for table in catalog.tables if table.name in missing):
            found[table.name] = table
            names |= {join.table for join in table.source.joins}
            names |= {step for _, step in table.person.through} if table.person is not None else set()
        names &= {table.name for table in catalog.tables} | found.keys()
    return found


def table_meaning(table: Table, catalog: Catalog) -> str:
    """Return a text that identifies a table's rows; clip bounds, limits, sort order and size class are left out."""
    columns = tuple(sorted(map(_column, table.columns)))
    about = replace(
        _placed(table, catalog), columns=(), norms=None, sorted_by=(), size_class=None, max_groups_per_person=None
    )
    return stable_text((about, columns))


def _column(column: Column) -> str:
    """Return a text that identifies a column's values, without clip bounds."""
    return stable_text(replace(column, sum_norm=None, centred_norm=None, centre=None))


def _placed(table: Table, catalog: Catalog) -> Table:
    """Make a table's path relative to the catalog file, as both may move together; lake paths stay absolute."""
    if table.source.format == "spark" or "://" in table.source.path:
        return table
    beside = os.path.relpath(table.source.path, Path(catalog.path).parent)
    return replace(table, source=replace(table.source, path=beside))


def _digest(parts: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


BETWEEN = "; "  # separates the tables in a ledger entry


def units_said(catalog: Catalog, dataset: str) -> str:
    """Format the privacy unit of every private table of a dataset: person key, time and time zone."""
    tables = sorted(_private(catalog, dataset), key=lambda table: table.name)
    return BETWEEN.join(f"{table.name} {unit}" for table in tables for unit in [_unit(table)])


def check_units(ledger: Ledger, catalog: Catalog) -> None:
    """Reject a privacy unit that differs from the one recorded at an earlier charge. Raises CatalogError."""
    for error in changed_units(ledger, catalog):
        raise error


def changed_units(ledger: Ledger, catalog: Catalog) -> Iterator[CatalogError]:
    """Yield an error for each table with a privacy unit that differs from the one recorded at a charge.

    Claim: the unit, one person in one window, never changes for charged data, so that losses of one unit add up.
    Symbols: person key, time and time zone of each private table. Formula: those of every earlier charge equal
    today's. Source: proofs.md#units. Raises nothing.
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
    """Return the private tables of a dataset."""
    return [table for table in catalog.tables if table.private and table.dataset == dataset]


def _unit(table: Table) -> str:
    """Format a table's privacy unit: person key with its foreign-key path, time column and time zone."""
    assert table.person is not None  # noqa: S101  every private table has one
    person = " -> ".join((*(f"{own} of {to}" for own, to in table.person.through), table.person.column))
    time = None if table.time_column is None else table.column(table.time_column)
    if time is None:
        return f"by {person}"
    zone = f" in {time.time_zone}" if time.time_zone is not None else ""
    return f"by {person} at {time.name}{zone}{' (stored as UTC)' if time.stored_utc else ''}"
