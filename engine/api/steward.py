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
from engine.accounts.open import opened, opened_to_read
from engine.accounts.window_accounts import windows_of
from engine.catalog.bundled import find_catalog
from engine.catalog.folders import cache_folder
from engine.data.checks.catalog import Finding, check_catalog
from engine.data.draft_catalog import new_catalog
from engine.data.materialized_rollups import unread_rollups
from engine.data.objections import Register
from engine.errors import CatalogError
from engine.problems import refusals
from engine.progress import ignore_progress


def about_me(where: str, *, ledger: str | None = None, html: bool = False) -> str:
    """Write the person report from a catalog and its ledger, as HTML or text. Opens no data; raises Refused."""
    from engine.api.reports.person import (
        about,  # late: rarely used
        page_html,
        page_text,
    )

    with opened_to_read(where, ledger) as books:
        pages = about(books.catalog, books.ledger)
    return page_html(pages) if html else page_text(pages)


def check_catalog_text(where: str) -> list[dict[str, Any]]:
    """List the errors in a catalog, its rollups, or the files it names. An invalid catalog yields all its errors."""
    try:
        catalog = find_catalog(where)
        return [asdict(finding) for finding in (*map(_finding, unread_rollups(catalog)), *check_catalog(catalog))]
    except CatalogError as error:
        return [asdict(_finding(mistake)) for mistake in (error, *error.others)]


def _finding(mistake: CatalogError) -> Finding:
    return Finding(mistake.file, mistake.key, mistake.why, mistake.cure)


def catalog_diff_told(where: str, new: str, *, ledger: str | None = None) -> list[dict[str, Any]]:
    """List what a new catalog would change with the current catalog's ledger, before it applies; raises Refused."""
    from engine.api.catalog_diff import catalog_diff  # late: rarely used

    with opened_to_read(where, ledger) as books:
        return [asdict(change) for change in catalog_diff(books.catalog, find_catalog(new), books.ledger)]


def new_catalog_text(folder: str) -> str:
    """Draft a commented TOML catalog for the files of a folder; raises Refused where there are none."""
    with refusals():
        return new_catalog(Path(folder))


def optimize_catalog(
    where: str, *, anew: bool = True, progress: Callable[[str, float], None] | None = None
) -> dict[str, Any]:
    """Build the layout and the materialized rollups of a catalog's data, and return what they cost; raises Refused.

    With `rebuild` false, an existing layout is extended by what ingest has added since, where that is possible.
    """
    from engine.data.lake_optimize import optimize_lake  # late: rarely used
    from engine.data.layout import optimize

    with refusals():
        catalog, cache, said = find_catalog(where, progress), cache_folder(), progress or ignore_progress
        if catalog.remote is None:
            account = optimize(catalog, cache, said, anew=anew)
        else:
            account = optimize_lake(catalog, catalog.remote, cache, said)
    return {**asdict(account), "file": str(account.file)}


def forget_copies(where: str) -> dict[str, Any]:
    """Remove the copies of a catalog's private files from the cache, and count them; raises Refused."""
    from engine.data.files.cache import forget  # late: rarely used

    with refusals():
        return asdict(forget(find_catalog(where), cache_folder()))


def ingest_files(
    where: str,
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
    of rejected rows contain no values. `laid_out`: a layout exists, so `optimize_catalog` should run again.
    """
    from engine.data.ingest.ingest import ingest  # late: rarely used
    from engine.data.layout import has_layout

    with refusals():
        with opened(where, ledger, progress) as books:
            catalog, charged = books.catalog, _charged(books.catalog, table, books.ledger)
        laid_out = has_layout(catalog, cache_folder())
        done = ingest(catalog, table, files, charged, progress or ignore_progress, late=late, windows=windows)
    quarantine = None if done.quarantine is None else str(done.quarantine)
    return {**asdict(done), "quarantine": quarantine, "laid_out": laid_out and done.rows > 0}


def _charged(catalog: Catalog, named: str, ledger: Ledger) -> set[str]:
    """Privacy windows of a table's dataset that have been charged."""
    table = catalog.table(named)
    if table is None or not table.private:
        return set()
    declared = windows_of(catalog, catalog.dataset(table.dataset))
    return {view.name.window for view in ledger.accounts(table.dataset)} & set(declared)


@contextmanager
def open_register(
    where: str,
    *,
    ledger: str | None = None,
    to_read: bool = False,
    progress: Callable[[str, float], None] | None = None,
) -> Iterator[Register]:
    """Open the register of objections that belongs to a catalog's ledger. Opens no data; raises Refused.

    With `read_only`, no ledger is created and nothing may be recorded.
    """
    way = opened_to_read(where, ledger) if to_read else opened(where, ledger, progress)
    with way as books, closing(Register.beside(books.catalog, books.place, books.ledger)) as register:
        yield register
