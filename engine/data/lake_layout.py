"""Lake layouts: a DuckDB file with the public tables and results that were computed from the lake once.

The results are the declared rollups, and the persons who meet every eligibility condition of their dataset. Both
contain everybody, also people who object, and are named by the lake's files they were computed from
(proofs.md#lake-layout).
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
ELIGIBLE = "eligible "  # prefix of table names; no declared table has a space in its name


@dataclass(frozen=True)
class BesideLake:
    """The local DuckDB tables of a lake catalog: public tables, rollups and eligible persons."""

    files: Mapping[str, str]  # alias -> path, to attach
    addresses: Mapping[str, str]  # public table -> alias.schema.table
    rollups: tuple[Rollup, ...] = ()
    eligible: Mapping[str, str] = field(default_factory=dict)  # SQL for the eligible persons -> stored table


def public_part(catalog: Catalog) -> Catalog:
    """Return a catalog without its private tables."""
    return replace(catalog, tables=tuple(table for table in catalog.tables if not table.private))


def made_of(catalog: Catalog, lake: Lake) -> CopiedFrom:
    """Return what determines a lake's layout: public files, dataset versions, and the lake's stored private tables.

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
    """Return the path of a lake's layout, named by a digest of its inputs."""
    return cache / f"layout-{digest(made)}" / DATA


def layout_target(catalog: Catalog) -> Target:
    """Return the table addresses for SQL: public tables in the layout, private ones in the lake."""
    return lake_target(catalog, {table.name: stored_at(table.name) for table in public_part(catalog).tables})


def states(catalog: Catalog) -> Mapping[str, str]:
    """Map the lake SQL for the persons who meet every eligibility condition to the name of their stored table.

    One entry for each dataset with rollups.
    """
    lake = layout_target(catalog).lake
    assert lake is not None  # noqa: S101  the target of a lake layout has a lake
    found = [eligible(admission(catalog, each.name), lake) for each in catalog.datasets if each.rollups]
    return {sql: named(ELIGIBLE, sql) for sql in found if sql}


def beside_lake(catalog: Catalog, cache: Path, lake: Lake, progress: Progress) -> BesideLake:
    """Open the local tables of a lake catalog: its layout if there is one, else the public tables. Raises DataError."""
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
    """Return the layout of the current files, or None; without rollups there is none, and the lake is not queried.

    Raises DataError where the lake does not answer: whether a layout exists is then unknown, and a copy of the public
    tables alone would replace it.
    """
    if any(dataset.rollups for dataset in catalog.datasets):
        try:
            file = layout_file(made_of(catalog, lake), cache)
        except DataError:  # a public file is missing: opening the tables reports it
            return None
        except ExecutionFailed:
            raise DataError(
                catalog.name, SILENT, "start Spark Connect at the catalog's remote, or correct source"
            ) from None
        return file if file.exists() else None
    return None
