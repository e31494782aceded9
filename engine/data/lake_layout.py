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
from dialect.codegen import eligible_persons_sql
from engine.backends.protocol import Lake
from engine.catalog.eligibility import eligibility_filter
from engine.data.checks.lake import lake_placeholder, lake_target
from engine.data.checks.snapshot import check_sources, check_stored
from engine.data.files.cache import DATA_FILE
from engine.data.files.stored_files import connect_offline
from engine.data.layout import layout_tables
from engine.data.materialized_rollups import LAYOUT_ALIAS, layout_address, stored_table_name, valid_rollups
from engine.data.snapshot import CopyInputs, copy_inputs, declaration_text, inputs_digest, open_snapshot
from engine.errors import DataError, ExecutionFailed
from engine.progress import Progress

NO_ANSWER = "the lake does not answer, or a table is not there."
ELIGIBLE = "eligible "  # prefix of table names; no declared table has a space in its name


@dataclass(frozen=True)
class LocalTables:
    """The local DuckDB tables of a lake catalog: public tables, rollups and eligible persons."""

    files: Mapping[str, str]  # alias -> path, to attach
    addresses: Mapping[str, str]  # public table -> alias.schema.table
    rollups: tuple[Rollup, ...] = ()
    eligible: Mapping[str, str] = field(default_factory=dict)  # SQL for the eligible persons -> stored table


def public_catalog(catalog: Catalog) -> Catalog:
    """Return a catalog without its private tables."""
    return replace(catalog, tables=tuple(table for table in catalog.tables if not table.private))


def lake_layout_inputs(catalog: Catalog, lake: Lake) -> CopyInputs:
    """Return what determines a lake's layout: public files, dataset versions, and the lake's stored private tables.

    Raises DataError where a public file is missing, ExecutionFailed where the lake does not answer.
    """
    stored = lake.storage_fingerprints()
    inputs = copy_inputs(public_catalog(catalog).tables)
    for table in (table for table in catalog.tables if table.private):
        inputs[f"lake.{table.name}"] = {"declared": declaration_text(table), "stored": stored[lake_placeholder(table)]}
    versions = {dataset.name: dataset.full_data_version for dataset in catalog.datasets}
    return {**inputs, "lake": {"remote": catalog.remote, "versions": versions}}


def lake_layout_file(inputs: CopyInputs, cache: Path) -> Path:
    """Return the path of a lake's layout, named by a digest of its inputs."""
    return cache / f"layout-{inputs_digest(inputs)}" / DATA_FILE


def lake_layout_target(catalog: Catalog) -> Target:
    """Return the table addresses for SQL: public tables in the layout, private ones in the lake."""
    return lake_target(catalog, {table.name: layout_address(table.name) for table in public_catalog(catalog).tables})


def eligible_person_queries(catalog: Catalog) -> Mapping[str, str]:
    """Map the lake SQL for the persons who meet every eligibility condition to the name of their stored table.

    One entry for each dataset with rollups.
    """
    lake = lake_layout_target(catalog).lake
    assert lake is not None  # noqa: S101  the target of a lake layout has a lake
    filters = [eligibility_filter(catalog, dataset.name) for dataset in catalog.datasets if dataset.rollups]
    found = [eligible_persons_sql(each, lake) for each in filters]
    return {sql: stored_table_name(ELIGIBLE, sql) for sql in found if sql}


def open_local_tables(catalog: Catalog, cache: Path, lake: Lake, progress: Progress) -> LocalTables:
    """Open the local tables of a lake catalog: its layout if there is one, else the public tables. Raises DataError."""
    public, file = public_catalog(catalog), _current_layout(catalog, cache, lake)
    if file is None:
        public_snapshot = open_snapshot(public, cache, progress)
        return LocalTables(public_snapshot.files, public_snapshot.addresses)
    target, files = lake_layout_target(catalog), {LAYOUT_ALIAS: str(file)}
    with connect_offline() as connection:
        check_sources(connection, public)
        check_stored(connection, public, files if public.tables else {}, target.addresses)
    stored = layout_tables(file)
    eligible_tables = {
        sql: layout_address(table) for sql, table in eligible_person_queries(catalog).items() if table in stored
    }
    rollups = tuple(each.rollup for each in valid_rollups(catalog, target) if each.table in stored)
    return LocalTables(files, target.addresses, rollups, eligible_tables)


def _current_layout(catalog: Catalog, cache: Path, lake: Lake) -> Path | None:
    """Return the layout of the current files, or None; without rollups there is none, and the lake is not queried.

    Raises DataError where the lake does not answer: whether a layout exists is then unknown, and a copy of the public
    tables alone would replace it.
    """
    if any(dataset.rollups for dataset in catalog.datasets):
        try:
            file = lake_layout_file(lake_layout_inputs(catalog, lake), cache)
        except DataError:  # a public file is missing: opening the tables reports it
            return None
        except ExecutionFailed:
            raise DataError(
                catalog.name, NO_ANSWER, "start Spark Connect at the catalog's remote, or correct source"
            ) from None
        return file if file.exists() else None
    return None
