"""What `passersby ingest` has added to a table: files of their own, beside the others that its source names.

One file is one ingest, and it is there or not: data and their version move in one step (proofs.md#ingest).
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace
from pathlib import Path

from dialect.catalog.catalog import Catalog, Dataset, Table

SHORT = 12  # characters that tell versions apart
STAMP = r"ingested-(\d{14})"  # the moment, in UTC, so that a number is never given twice


@dataclass(frozen=True)
class Place:
    """Where new files of a table go, and how they are called there."""

    folder: Path
    before: str  # what a name begins with
    after: str  # and ends with

    def added(self) -> dict[int, Path]:
        """Find the files that were added, by their number, the oldest first."""
        named = re.compile(f"{re.escape(self.before)}{STAMP}{re.escape(self.after)}")
        there = sorted(self.folder.iterdir()) if self.folder.is_dir() else []
        found = ((named.fullmatch(path.name), path) for path in there)
        return {int(match[1]): path for match, path in found if match is not None}

    def file(self, number: int) -> Path:
        """Name a new file."""
        return self.folder / f"{self.before}ingested-{number}{self.after}"


def place_of(table: Table) -> Place | None:
    """Find where new files of a private table go: into the one folder of its Parquet files; None where none is."""
    folder, _, pattern = table.source.path.rpartition("/")
    plain = pattern.count("*") == 1 and not re.search(r"[*?[]", folder + pattern.replace("*", ""))
    if not table.private or table.source.format != "parquet" or "://" in folder or not plain:
        return None
    return Place(Path(folder), *pattern.split("*"))


def version_of(dataset: Dataset) -> str:
    """Give the version of the data that counts: the steward's, and what ingest has added."""
    return f"{dataset.data_version}+{dataset.ingested}" if dataset.ingested else str(dataset.data_version)


def with_ingested(catalog: Catalog) -> Catalog:
    """Let the version of each dataset's data tell what was added to its tables."""
    return replace(
        catalog, datasets=tuple(replace(each, ingested=added_to(catalog, each.name)) for each in catalog.datasets)
    )


def added_to(catalog: Catalog, dataset: str) -> str:
    """Name what is added to a dataset now, by the numbers of the files and nothing that is in them; '' for nothing."""
    places = {table.name: place_of(table) for table in catalog.tables if table.dataset == dataset}
    found = [(name, number) for name, place in sorted(places.items()) if place is not None for number in place.added()]
    return hashlib.sha256(repr(found).encode()).hexdigest()[:SHORT] if found else ""
