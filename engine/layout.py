"""Raw data -> a layout beside them: a copy sorted by person, and the rollups that the catalog declares.

The same rows in another order: which integers a question has is a function of each person's rows, not of their order
(proofs.md#layout). The layout is named by what decides it, so that changed data or declarations find none.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from glob import glob
from pathlib import Path

import duckdb

from dialect import Catalog, PrivatePlan, Refusal, Target, bound, read
from dialect.person_rollups import Rollup, can_be_rolled, write_rollup
from dialect.write_expr import name, quote_text
from engine.cached import publish
from engine.errors import CatalogError, DataError
from engine.progress import Progress
from engine.snapshot import Snapshot, checked, copy_table, fingerprint, snapshot
from engine.snapshot_checks import check_sources
from engine.stored_files import OFFLINE, offline

ALIAS = "layout"
MEMORY = "4GB"
ROLLUP = "rollup "  # before a digest; no declared table can have such a name


@dataclass(frozen=True)
class Account:
    """What a layout cost, and where it lies."""

    file: Path
    seconds: float
    bytes_before: int  # of the raw files
    bytes_after: int
    rollups: int


def layout_file(catalog: Catalog, cache: Path) -> Path:
    """Name the file of the layout of the data as they lie there now; raises DataError where there are none."""
    return cache / f"layout-{fingerprint(catalog.tables)}" / "data.duckdb"


def addresses(catalog: Catalog) -> Mapping[str, str]:
    """Say where each table lies in a layout."""
    return {table.name: f"{ALIAS}.main.{name(table.name)}" for table in catalog.tables}


def optimize(catalog: Catalog, cache: Path, progress: Progress) -> Account:
    """Build the layout of a catalog's data beside them, in one step at the end; raises CatalogError, DataError."""
    check_sources(catalog)
    start, target = time.perf_counter(), layout_file(catalog, cache)
    rollups = _declared(catalog, Target(addresses(catalog)))
    cache.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.TemporaryDirectory(prefix=".optimizing-", dir=cache) as work:  # its owner's alone
        unfinished = Path(work) / "data.duckdb"
        _build(catalog, unfinished, rollups, progress)
        if layout_file(catalog, cache) != target:
            raise DataError("layout", "the files changed while they were read.", "optimize again")
        publish(unfinished, target, catalog)
    progress("optimized", 1.0)
    seconds = time.perf_counter() - start
    return Account(target, seconds, _bytes(catalog), target.stat().st_size, len(rollups))


def has_layout(catalog: Catalog, cache: Path) -> bool:
    """Tell whether there is a layout of the data as they lie there now."""
    try:
        return layout_file(catalog, cache).exists()
    except DataError:  # a file is missing: whoever opens it says so
        return False


def laid_out(catalog: Catalog, cache: Path, progress: Progress) -> tuple[Snapshot, tuple[Rollup, ...]]:
    """Open the layout of the data where there is one, else the data themselves; raises DataError as snapshot does."""
    if not has_layout(catalog, cache):
        return snapshot(catalog, cache, progress), ()
    file = layout_file(catalog, cache)
    check_sources(catalog)
    return checked(catalog, Snapshot({ALIAS: str(file)}, dict(addresses(catalog)))), found_rollups(catalog, file)


def found_rollups(catalog: Catalog, file: Path) -> tuple[Rollup, ...]:
    """Find the rollups of a layout that the catalog still declares, word for word in the SQL that made them."""
    with duckdb.connect(str(file), read_only=True, config=OFFLINE) as connection:
        stored = {table for (table,) in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()}
    known = _readable(catalog, Target(addresses(catalog)))
    return tuple(rollup for table, _, rollup in known if table in stored)


def _build(catalog: Catalog, file: Path, rollups: Sequence[tuple[str, str, Rollup]], progress: Progress) -> None:
    with offline(memory_limit=MEMORY, temp_directory=str(file.parent / "spill")) as connection:
        with suppress(duckdb.InvalidInputException):  # a notebook without widgets refuses to speak of a bar
            connection.execute("SET enable_progress_bar = false")
        connection.execute(f"ATTACH {quote_text(str(file))} AS {ALIAS}")
        connection.execute(f"USE {ALIAS}")
        ordered = sorted(catalog.tables, key=lambda table: table.private)  # public ones first: joins look them up
        steps = len(ordered) + len(rollups)
        for place, table in enumerate(ordered):
            within = partial(_within, progress, f"making columns of {table.name}", place, steps)
            progress(f"copying {table.name}", place / steps)
            copy_table(connection, catalog, table, within)
        for place, (stored, sql, _) in enumerate(rollups, len(ordered)):
            progress("rolling up", place / steps)
            try:
                connection.execute(f"CREATE TABLE {name(stored)} AS {sql}")
            except duckdb.Error:
                why = "a rollup of it can't be made."
                raise DataError("rollups", why, "ask its question alone, and remove what fails") from None


def _within(progress: Progress, what: str, place: int, steps: int, part: float) -> None:
    progress(what, (place + part) / steps)


def _declared(catalog: Catalog, target: Target) -> list[tuple[str, str, Rollup]]:
    """Read the declared rollups; raise CatalogError for one that can't be."""
    made = []
    for dataset in catalog.datasets:
        for i, sql in enumerate(dataset.rollups):
            key = f"datasets.{dataset.name}.rollups[{i}]"
            try:
                plans = read(sql, catalog).plans
            except Refusal as refusal:
                raise CatalogError(catalog.path, key, f"it is refused: {refusal.why}", refusal.hint) from None
            if len(plans) != 1 or plans[0].dataset != dataset.name or not can_be_rolled(plans[0]):
                why = "it is no question whose numbers add up from group to group."
                raise CatalogError(catalog.path, key, why, "counts, sums and persons of one GROUP BY by public keys")
            made.append(_rollup(plans[0], catalog, target))
    return made


def _readable(catalog: Catalog, target: Target) -> Iterator[tuple[str, str, Rollup]]:
    """Read the declared rollups that can be read: of others none is stored."""
    for dataset in catalog.datasets:
        for sql in dataset.rollups:
            try:
                plans = read(sql, catalog).plans
            except Refusal:
                continue
            yield from (_rollup(plan, catalog, target) for plan in plans[:1] if can_be_rolled(plan))


def _rollup(plan: PrivatePlan, catalog: Catalog, target: Target) -> tuple[str, str, Rollup]:
    """Name a rollup by the digest of the SQL that makes it."""
    bounds = bound(plan, catalog, None)  # for its grains alone
    sql = write_rollup(plan, bounds, target)
    stored = ROLLUP + hashlib.sha256(sql.encode()).hexdigest()[:16]
    return stored, sql, Rollup(plan, bounds, f"{ALIAS}.main.{name(stored)}")


def _bytes(catalog: Catalog) -> int:
    paths = {path for table in catalog.tables for path in glob(table.source.path, recursive=True)}  # noqa: PTH207
    return sum(os.stat(path).st_size for path in paths)  # noqa: PTH116
