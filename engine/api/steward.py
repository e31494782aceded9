"""Operations of a steward in wire shapes, on people, catalogs and data.

People: the person report, and the register of objections. Catalogs: check one, compare two, draft one. Data: build the
layout, remove cached copies, ingest new files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from budgets import Ledger
from dialect import Catalog
from engine.accounts.open_ledger import opened_for_reading, opened_ledger
from engine.accounts.window_accounts import account_windows
from engine.catalog.bundled import find_catalog
from engine.catalog.folders import cache_folder
from engine.data.checks.catalog import check_catalog
from engine.data.checks.undeclared import undeclared_hints
from engine.data.draft_catalog import catalog_keys, draft_catalog
from engine.data.materialized_rollups import rollup_errors
from engine.data.objections import CatalogObjections
from engine.errors import CatalogError, refusals
from engine.progress import ignore_progress


def write_person_report(catalog_source: str, *, ledger: str | None = None, html: bool = False) -> str:
    """Write the person report from a catalog and its ledger, as HTML or text. Opens no data; raises Refused."""
    from engine.api.reports.person import page_html, page_text, person_report  # late: rarely used

    with opened_for_reading(catalog_source, ledger) as opened_catalog:
        pages = person_report(opened_catalog.catalog, opened_catalog.ledger)
    return page_html(pages) if html else page_text(pages)


def find_catalog_errors(catalog_source: str) -> list[dict[str, Any]]:
    """List the errors in a catalog, its rollups, or the files it names. An invalid catalog yields all its errors."""
    try:
        catalog = find_catalog(catalog_source)
        errors = (*rollup_errors(catalog), *check_catalog(catalog))
    except CatalogError as error:
        errors = (error, *error.other_errors)
    return [{name: getattr(error, name) for name in ("file", "key", "why", "cure")} for error in errors]


def list_undeclared(catalog_source: str) -> list[str]:
    """List what the columns of an accepted catalog suggest and nothing declares, the gravest first."""
    return list(undeclared_hints(find_catalog(catalog_source)))


def list_catalog_changes(
    catalog_source: str, new_catalog_source: str, *, ledger: str | None = None
) -> list[dict[str, Any]]:
    """List what a new catalog would change with the current catalog's ledger, before it applies; raises Refused."""
    from engine.api.catalog_diff import catalog_diff  # late: rarely used

    with opened_for_reading(catalog_source, ledger) as opened_catalog:
        return [
            asdict(change)
            for change in catalog_diff(opened_catalog.catalog, find_catalog(new_catalog_source), opened_catalog.ledger)
        ]


def convert_files(
    folder: str, target: str, progress: Callable[[str, float], None] | None = None
) -> list[dict[str, Any]]:
    """Convert the files of a folder to Parquet that a catalog can declare: what became of each; raises Refused."""
    from engine.data.convert_files import convert_folder  # late: rarely used

    with refusals():
        return [asdict(table) for table in convert_folder(Path(folder), Path(target), progress or ignore_progress)]


def catalog_keys_text() -> str:
    """Explain every key of a catalog, as TOML with comments."""
    return catalog_keys()


def draft_catalog_text(folder: str) -> str:
    """Draft a commented TOML catalog for the files of a folder; raises Refused where there are none."""
    with refusals():
        return draft_catalog(Path(folder))


def optimize_catalog(
    catalog_source: str, *, rebuild: bool = True, progress: Callable[[str, float], None] | None = None
) -> dict[str, Any]:
    """Build the layout and the materialized rollups of a catalog's data, and return what they cost; raises Refused.

    With `rebuild` false, an existing layout is extended by what ingest has added since, where that is possible.
    """
    from engine.data.lake_optimize import optimize_lake  # late: rarely used
    from engine.data.layout import build_layout

    with refusals():
        catalog = find_catalog(catalog_source, progress)
        cache = cache_folder()
        report_progress = progress or ignore_progress
        if catalog.remote is None:
            layout_report = build_layout(catalog, cache, report_progress, rebuild=rebuild)
        else:
            layout_report = optimize_lake(catalog, catalog.remote, cache, report_progress)
    return {**asdict(layout_report), "file": str(layout_report.file)}


def remove_cached_copies(catalog_source: str) -> dict[str, Any]:
    """Remove the copies of a catalog's private files from the cache, and count them; raises Refused."""
    from engine.data.files.cache import forget  # late: rarely used

    with refusals():
        return asdict(forget(find_catalog(catalog_source), cache_folder()))


def ingest_files(
    catalog_source: str,
    table: str,
    files: Sequence[str],
    *,
    ledger: str | None = None,
    late: bool = False,
    windows: Sequence[str] = (),
    progress: Callable[[str, float], None] | None = None,
) -> dict[str, Any]:
    """Add files of new rows to a private table, and return what became of them. Raises Refused, changing nothing.

    `windows` are the privacy windows that the delivery covers, each a name or FIRST..LAST. Counts are of rows. Reasons
    of rejected rows contain no values. `open_layout_or_snapshot`: a layout exists, so `optimize_catalog` should run
    again.
    """
    from engine.data.ingest.add_files import ingest  # late: rarely used
    from engine.data.layout import has_layout

    with refusals():
        with opened_ledger(catalog_source, ledger, progress) as opened_catalog:
            catalog = opened_catalog.catalog
            charged_windows = _charged_windows(opened_catalog.catalog, table, opened_catalog.ledger)
        laid_out = has_layout(catalog, cache_folder())
        outcome = ingest(
            catalog, table, files, charged_windows, progress or ignore_progress, allow_late=late, windows=windows
        )
    quarantine = None if outcome.quarantine is None else str(outcome.quarantine)
    return {**asdict(outcome), "quarantine": quarantine, "laid_out": laid_out and outcome.rows > 0}


def _charged_windows(catalog: Catalog, table_name: str, ledger: Ledger) -> set[str]:
    """Privacy windows of a table's dataset that have been charged."""
    table = catalog.tables_by_name.get(table_name)
    if table is None or not table.private:
        return set()
    declared = account_windows(catalog, catalog.datasets_by_name[table.dataset])
    return {view.name.window for view in ledger.accounts(table.dataset)} & set(declared)


@contextmanager
def open_register(
    catalog_source: str,
    *,
    ledger: str | None = None,
    read_only: bool = False,
    progress: Callable[[str, float], None] | None = None,
) -> Iterator[CatalogObjections]:
    """Open the register of objections that belongs to a catalog's ledger. Opens no data; raises Refused.

    With `read_only`, no ledger is created and nothing may be recorded.
    """
    opening = (
        opened_for_reading(catalog_source, ledger) if read_only else opened_ledger(catalog_source, ledger, progress)
    )
    with (
        opening as opened_catalog,
        closing(
            CatalogObjections.open_with_ledger(opened_catalog.catalog, opened_catalog.address, opened_catalog.ledger)
        ) as register,
    ):
        yield register
