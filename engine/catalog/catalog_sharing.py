"""Which files two tables share: a private file has one dataset, and is never public too."""

from __future__ import annotations

import fnmatch
import glob
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from dialect.catalog.catalog import Catalog, Table
from engine.catalog.catalog_mistakes import Mistakes
from engine.errors import CatalogError


def check_sharing(catalog: Catalog, mistakes: Mistakes) -> None:
    """Note every private file that is counted twice or given away.

    A file in two datasets would be charged to two budgets, each of which promises the whole loss; a private file
    that is declared public would be answered without noise.
    """
    found = [(table, stored_files(table.source.path)) for table in catalog.tables]
    for (one, its), (other, others) in combinations(found, 2):
        if not _separate(one, other) and overlap(its, others):
            mistakes.add(_shared(catalog, one, other))


def _shared(catalog: Catalog, one: Table, other: Table) -> CatalogError:
    why, key = f"its file is read by {one.name} too", f"tables.{other.name}.source"
    if one.private and other.private:
        cure = f"put both tables into dataset {one.dataset}."
        return CatalogError(catalog.path, key, f"{why}, which is in dataset {one.dataset}.", cure)
    cure = "declare both private, or give the public table a file of its own."
    return CatalogError(catalog.path, key, f"{why}; one of the two is private and the other public.", cure)


@dataclass(frozen=True)
class Files:
    """What a source names: its pattern, and the files that are there now."""

    pattern: str  # absolute, links resolved
    found: frozenset[tuple[int, int]]  # (device, inode), the same under every name of a file


def stored_files(pattern: str) -> Files:
    """Look up which files a source reads."""
    names = glob.glob(pattern, recursive=True) or [pattern]  # noqa: PTH207 (a Path globs no absolute pattern)
    stats = [path.stat() for path in map(Path, names) if path.exists()]
    return Files(pattern, frozenset((stat.st_dev, stat.st_ino) for stat in stats))


def _separate(one: Table, other: Table) -> bool:
    """Say whether two tables may share a file."""
    if one.private and other.private:
        return one.dataset == other.dataset
    if one.private == other.private:
        return True
    # tables of one DuckDB file are told apart by name; elsewhere the file is the table
    return (
        one.source.format == other.source.format == "duckdb"
        and (one.source.table or "").lower() != (other.source.table or "").lower()
    )


def overlap(one: Files, other: Files) -> bool:
    """Say whether two sources name a common file, now or by their patterns."""
    return (
        bool(one.found & other.found)
        or one.pattern == other.pattern  # also where a folder is named like a pattern
        or one.pattern.startswith(f"{other.pattern}/")  # a folder that Spark reads whole
        or other.pattern.startswith(f"{one.pattern}/")
        or fnmatch.fnmatchcase(one.pattern, other.pattern)
        or fnmatch.fnmatchcase(other.pattern, one.pattern)
    )
