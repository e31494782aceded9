"""A lake's layout: one file of DuckDB with the public tables, and what was read of the lake once to be kept beside it.

That is the declared rollups, and the persons who meet every state of their dataset. Both are of everybody, whoever
objects, and of the very files of the lake that the layout is named by (proofs.md#lake-layout).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from dialect import Catalog, Target
from dialect.algebra import Rollup
from dialect.codegen import eligible
from engine.backends.protocol import Lake
from engine.catalog.admission import admission
from engine.catalog.sources import version_of
from engine.data.checks.lake import lake_target, table_place
from engine.data.checks.snapshot import check_sources, check_stored
from engine.data.files.files import offline
from engine.data.layout import DATA, tables_in
from engine.data.materialized_rollups import LAYOUT, named, readable_rollups, stored_at
from engine.data.snapshot import CopiedFrom, copied_from, declared, digest, snapshot
from engine.errors import DataError, ExecutionFailed
from engine.progress import Progress

SILENT = "the lake does not answer, or a table is not there."
ELIGIBLE = "eligible "  # before a digest; no declared table can have such a name


@dataclass(frozen=True)
class BesideLake:
    """What lies in DuckDB beside a lake."""

    files: Mapping[str, str]  # to attach, by alias
    addresses: Mapping[str, str]  # of public tables
    rollups: tuple[Rollup, ...] = ()
    eligible: Mapping[str, str] = field(default_factory=dict)  # SQL of who meets every state -> their table


def public_part(catalog: Catalog) -> Catalog:
    """Leave people's tables out of a catalog."""
    return replace(catalog, tables=tuple(table for table in catalog.tables if not table.private))


def made_of(catalog: Catalog, lake: Lake) -> CopiedFrom:
    """Tell what decides a lake's layout: public files, the version of each dataset, and what people's tables lie in.

    Raises DataError where a public file is missing, ExecutionFailed where the lake does not answer.
    """
    stored = lake.stored()
    of_people = {table.name: table for table in catalog.tables if table.private}
    said: CopiedFrom = {
        f"lake.{name}": {"declared": declared(table), "stored": stored[table_place(table)]}
        for name, table in of_people.items()
    }
    versions = {dataset.name: version_of(dataset) for dataset in catalog.datasets}
    return copied_from(public_part(catalog).tables) | said | {"lake": {"remote": catalog.remote, "versions": versions}}


def layout_file(made: CopiedFrom, cache: Path) -> Path:
    """Name the file of a lake's layout by what it is made of."""
    return cache / f"layout-{digest(made)}" / DATA


def layout_target(catalog: Catalog) -> Target:
    """Say where tables lie: public ones in the layout, people's in the lake."""
    return lake_target(catalog, {table.name: stored_at(table.name) for table in public_part(catalog).tables})


def states(catalog: Catalog) -> Mapping[str, str]:
    """Find in the lake's SQL who meets every state, of each dataset with rollups -> the name of their table."""
    lake = layout_target(catalog).lake
    assert lake is not None  # noqa: S101  it is a lake's layout
    found = [eligible(admission(catalog, each.name), lake) for each in catalog.datasets if each.rollups]
    return {sql: named(ELIGIBLE, sql) for sql in found if sql}


def beside_lake(catalog: Catalog, cache: Path, lake: Lake, progress: Progress) -> BesideLake:
    """Open what lies beside a lake: its layout where there is one, else the public tables alone; raises DataError."""
    public, file = public_part(catalog), _found(catalog, cache, lake)
    if file is None:
        made = snapshot(public, cache, progress)
        return BesideLake(made.files, made.addresses)
    target, files = layout_target(catalog), {LAYOUT: str(file)}
    with offline() as connection:
        check_sources(connection, public)
        check_stored(connection, public, files if public.tables else {}, target.addresses)
    there = tables_in(file)
    kept = {sql: stored_at(table) for sql, table in states(catalog).items() if table in there}
    rollups = tuple(each.rollup for each in readable_rollups(catalog, target) if each.table in there)
    return BesideLake(files, target.addresses, rollups, kept)


def _found(catalog: Catalog, cache: Path, lake: Lake) -> Path | None:
    """Find the layout of the files as they are; without rollups there is none, and the lake is not asked.

    Raises DataError where the lake does not answer: whether there is one is not known then, and a copy of the public
    tables alone would remove it.
    """
    if any(dataset.rollups for dataset in catalog.datasets):
        try:
            file = layout_file(made_of(catalog, lake), cache)
        except DataError:  # a public file is missing: whoever opens it says so
            return None
        except ExecutionFailed:
            raise DataError(
                catalog.name, SILENT, "start Spark Connect at the catalog's remote, or correct source"
            ) from None
        return file if file.exists() else None
    return None
