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
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from budgets import Ledger
from dialect import Catalog, PrivatePlan
from dialect.algebra import tables_of
from dialect.catalog import Column, Table, stable_text
from engine.catalog.eligibility import cached_by_identity, person_table
from engine.errors import CatalogError

DIGEST_LENGTH = 12  # characters of the digest


@cached_by_identity
def catalog_version(catalog: Catalog) -> str:
    """Return a digest of the whole catalog, independent of the folder in which it is stored."""
    tables = [stable_text(_with_relative_path(table, catalog)) for table in catalog.tables]
    complete = tuple(f"{t.name}.{c.name} is complete" for t in catalog.tables for c in t.columns if c.complete)
    lake = () if catalog.remote is None else (f"people's tables lie in {catalog.remote}",)
    return _digest((stable_text(catalog.datasets), *tables, *complete, *lake))[:DIGEST_LENGTH]


def release_dependency_digest(plan: PrivatePlan, catalog: Catalog) -> str:
    """Return a digest of the catalog parts that determine a release (proofs.md#what-a-release-rests-on)."""
    dataset = catalog.datasets_by_name[plan.dataset]
    meanings = _table_definitions(catalog)
    return _digest((stable_text(dataset.window), *(meanings[name] for name in sorted(_tables_read(plan, catalog)))))


@cached_by_identity
def _table_definitions(catalog: Catalog) -> Mapping[str, str]:
    """Return the definition of every table; all at once, so that no timing reveals earlier lookups."""
    return {table.name: table_definition(table, catalog) for table in catalog.tables}


def _tables_read(plan: PrivatePlan, catalog: Catalog) -> Iterable[str]:
    """Return the tables that a plan reads: its own, its key set's, person paths, eligibility and column lookups."""
    names = set(tables_of(plan.source)) | set(plan.tables)
    if plan.key_set is not None:
        names |= tables_of(plan.key_set.relation)
    if plan.others is not None:
        names |= tables_of(plan.others.relation)
    if (deciding := person_table(catalog, catalog.datasets_by_name[plan.dataset])) is not None:
        names.add(deciding.name)
    found: dict[str, Table] = {}
    while missing := names - found.keys():
        for table in (table for table in catalog.tables if table.name in missing):
            found[table.name] = table
            names |= {join.table for join in table.source.joins}
            names |= {step for _, step in table.person.through} if table.person is not None else set()
        names &= {table.name for table in catalog.tables} | found.keys()
    return found


def table_definition(table: Table, catalog: Catalog) -> str:
    """Return a text that identifies a table's rows; clip bounds, limits, sort order and size class are left out."""
    columns = tuple(sorted(map(_column_definition, table.columns)))
    definition = replace(
        _with_relative_path(table, catalog),
        columns=(),
        clip_bounds=None,
        sorted_by=(),
        size_class=None,
        max_groups_per_person=None,
    )
    return stable_text((definition, columns))


def _column_definition(column: Column) -> str:
    """Return a text that identifies a column's values, without clip bounds."""
    return stable_text(replace(column, sum_clip_bound=None, centred_sum_clip_bound=None, centre=None))


def _with_relative_path(table: Table, catalog: Catalog) -> Table:
    """Make a table's path relative to the catalog file, as both may move together; lake paths stay absolute."""
    if table.source.format == "spark" or "://" in table.source.path:
        return table
    relative_path = os.path.relpath(table.source.path, Path(catalog.path).parent)
    return replace(table, source=replace(table.source, path=relative_path))


def _digest(parts: Iterable[str]) -> str:
    """SHA-256 (hex) of some texts, one per line."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


UNIT_SEPARATOR = "; "  # separates the tables in a ledger entry


def format_units(catalog: Catalog, dataset: str) -> str:
    """Format the privacy unit of every private table of a dataset: person key, time and time zone."""
    tables = sorted(catalog.private_tables(dataset), key=lambda table: table.name)
    return UNIT_SEPARATOR.join(f"{table.name} {unit}" for table in tables for unit in [_format_unit(table)])


def check_privacy_units(ledger: Ledger, catalog: Catalog) -> None:
    """Reject a privacy unit that differs from the one recorded at an earlier charge. Raises CatalogError."""
    for error in changed_privacy_units(ledger, catalog):
        raise error


def changed_privacy_units(ledger: Ledger, catalog: Catalog) -> Iterator[CatalogError]:
    """Yield an error for each table with a privacy unit that differs from the one recorded at a charge.

    Claim: the unit, one person in one window, never changes for charged data, so that losses of one unit add up.
    Symbols: person key, time and time zone of each private table. Formula: those of every earlier charge equal
    today's. Source: proofs.md#units. Raises nothing.
    """
    for dataset in catalog.datasets:
        entries = [entry for recorded in ledger.versions(dataset.name) for entry in recorded.split(UNIT_SEPARATOR)[1:]]
        charged = [tuple(entry.split(" ", 1)) for entry in entries]
        for table in catalog.private_tables(dataset.name):
            for unit in dict.fromkeys(
                unit for name, unit in charged if name == table.name and unit != _format_unit(table)
            ):
                why = f"its rows are {_format_unit(table)} now, and were charged {unit}: spent budget would come back."
                cure = "declare person, time_column and time_zone as they were; new data make a new dataset."
                yield CatalogError(catalog.path, f"tables.{table.name}", why, cure)


def _format_unit(table: Table) -> str:
    """Format a table's privacy unit: person key with its foreign-key path, time column and time zone."""
    assert table.person is not None  # noqa: S101  every private table has one
    person = " -> ".join((*(f"{own} of {to}" for own, to in table.person.through), table.person.column))
    time = None if table.time_column is None else table.columns_by_name.get(table.time_column)
    if time is None:
        return f"by {person}"
    zone = f" in {time.time_zone}" if time.time_zone is not None else ""
    return f"by {person} at {time.name}{zone}{' (stored as UTC)' if time.stored_utc else ''}"
