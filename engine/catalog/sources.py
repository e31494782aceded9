"""Sources: where the rows of declared tables lie, and which of them may be shared.

People's rows lie in DuckDB, or in the lake of a Spark that the owner names; each has the sources that it may have. A
private file has one dataset, and is never public too.

Object stores have addresses such as s3://bucket/new/ or gs://bucket/new/*.parquet. What could be a secret in one is
refused, and no part of it that could hold one is ever shown.

Ingested rows are files of their own, beside the others that a table's source names. One file is one ingest, and it is
there or not: data and their version move in one step (proofs.md#ingest).
"""

from __future__ import annotations

import fnmatch
import glob
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit, urlunsplit

from dialect.catalog import Catalog, Dataset, SqlType, Table
from engine.catalog.toml_section import Mistakes, Section
from engine.errors import CatalogError, DataError

BACKENDS = ("duckdb", "spark")
LAKE_TABLE = re.compile(r"[A-Za-z0-9_]+(\.[A-Za-z0-9_]+){0,3}", re.ASCII)
URL = re.compile(r"[a-z][a-z0-9+.-]*://\S+", re.ASCII)  # of a folder or files that Spark reads
REMOTE = re.compile(r"sc://[^\s/]+(/;\S*)?", re.ASCII)
SECRET = "token="  # noqa: S105  a part of addresses that catalogs must not have


def read_remote(whole: Section) -> str | None:
    """Read which backend answers, and where its lake is; None for DuckDB."""
    backend = whole.text("backend") or "duckdb"
    if backend not in BACKENDS:
        raise whole.error("backend", f"there is no backend {backend}.", 'write backend = "duckdb" or "spark".')
    if backend == "duckdb":
        if "remote" in whole.entries:
            raise whole.error("remote", "DuckDB is not remote.", 'remove remote, or write backend = "spark".')
        return None
    whole.need("remote", 'write the address of a Spark Connect server: remote = "sc://host:15002".')
    remote = whole.text("remote") or ""
    if not REMOTE.fullmatch(remote):
        raise whole.error("remote", "this is no address of Spark Connect.", 'write e.g. remote = "sc://host:15002".')
    if SECRET in remote:
        cure = "remove it, and set PASSERSBY_SPARK_TOKEN in the environment."
        raise whole.error("remote", "a catalog holds no secrets.", cure)
    return remote


def check_backend(catalog: Catalog, mistakes: Mistakes) -> None:
    """Note every source that the backend can't read, and what a lake's tables can't have."""
    for table in catalog.tables:
        in_lake = table.private and catalog.remote is not None
        for part, why, cure in _of_lake(table) if in_lake else _of_files(table):
            mistakes.add(CatalogError(catalog.path, f"tables.{table.name}.{part}", why, cure))


def _of_files(table: Table) -> Iterator[tuple[str, str, str]]:
    if table.source.format == "spark" or "://" in table.source.path:
        why = "only people's tables of a Spark catalog lie in a lake; this source is a file on this machine."
        cure = 'copy the files, and give their path; or write backend = "spark" for private tables.'
        yield f"source.{table.source.format}", why, cure


def _of_lake(table: Table) -> Iterator[tuple[str, str, str]]:
    if table.source.format not in ("parquet", "spark"):
        yield "source", "Spark reads no such file.", 'write source = { parquet = "..." } or { spark = "schema.table" }.'
    if table.source.joins:
        yield (
            "joins",
            "nothing is looked up in a lake's tables.",
            "store the column, or join the public table in questions.",
        )
    for column in table.columns:
        at = f"columns.{column.name}"
        if column.cell is not None:
            yield at, "no cells are made of a lake's rows.", 'store the cell, and declare it as type = "VARCHAR".'
        elif column.type is SqlType.TIME:
            yield at, "Spark stores no time of day.", "store a TIMESTAMP, or whole microseconds as BIGINT."


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


S3, GCS, AZURE = ("s3",), ("gs", "gcs"), ("abfs", "abfss")
SCHEMES = (*S3, *GCS, *AZURE)
OPTIONS = {
    **dict.fromkeys(S3, ("region", "scheme", "endpoint_override")),
    **dict.fromkeys(GCS, ("scheme", "endpoint_override")),
    **dict.fromkeys(AZURE, ("blob_storage_authority", "dfs_storage_authority")),
}
PATIENCE = {"retry_limit_seconds": "60"}  # of Google's library, which otherwise tries for a quarter of an hour
HERE = ("localhost", "127.0.0.1", "[::1]")
_HOST = re.compile(r"(\[[0-9a-fA-F:.]+\]|[\w.-]+)(?::\d+)?", re.ASCII)
USUAL = "put credentials where the store's own library looks for them, which docs/ingest.md names"


@dataclass(frozen=True)
class StoreAddress:
    """Files in a store: one, all under a path, or those of a path whose names fit a pattern."""

    shown: str  # what may be said of it
    address: str  # of the path, for the store's library
    pattern: str  # of names; '' for all, at any depth


def is_stored(given: str) -> bool:
    """Tell whether what is given is an address, and no path of this machine."""
    return "://" in given


def store_address(table: str, given: str) -> StoreAddress:
    """Read an address; raises DataError, in which nothing is that could be secret."""
    scheme = given.partition("://")[0].lower()
    if scheme not in SCHEMES:
        cure = f"give files, or an address that begins with one of {', '.join(f'{each}://' for each in SCHEMES)}"
        raise DataError(table, "an address of new rows is of no object store that is known here.", cure)
    try:
        parts = urlsplit(given)
        options = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
    except ValueError:
        raise DataError(table, f"an address that begins with {scheme}:// can't be read.", _form(scheme)) from None
    _check_secrets(table, parts, options)
    shown = f"{scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
    _check(table, parts, options, shown)
    folder, _, last = parts.path.rpartition("/")
    pattern = last if "*" in last else ""
    if "*" in folder:
        raise DataError(table, f"{shown} has a * before its last part.", "write * in names alone, or give a folder")
    if scheme in GCS:
        options |= PATIENCE
    path = folder if pattern else parts.path
    return StoreAddress(shown, urlunsplit((scheme, parts.netloc, path, urlencode(options), "")), pattern)


def _check_secrets(table: str, parts: SplitResult, options: dict[str, str]) -> None:
    """Refuse what could be a login wherever it stands: a key may hold a slash, behind which it looks like a path."""
    accounts = parts.netloc if parts.scheme in AZURE else parts.netloc.replace("@", ":")
    elsewhere = (parts.path, *options.values())
    if ":" in accounts or parts.fragment or any("@" in part for part in elsewhere):
        what = f"an address that begins with {parts.scheme}:// carries credentials, or what looks like them"
        raise DataError(table, f"{what}: others can see them there.", f"{USUAL}; an @ in a path is written %40")


def _check(table: str, parts: SplitResult, options: dict[str, str], shown: str) -> None:
    """Refuse options that could be secrets, and what would send rows in the clear."""
    if not options.keys() <= set(OPTIONS[parts.scheme]):
        known = ", ".join(OPTIONS[parts.scheme])
        raise DataError(table, f"the address {shown} has options that are not read here.", f"{known} are read; {USUAL}")
    override = _HOST.fullmatch(options.get("endpoint_override", ""))
    if "endpoint_override" in options and override is None:
        raise DataError(
            table, f"the address {shown} has an endpoint that is no host.", "write host:port, and no scheme"
        )
    host = "" if override is None else override[1]
    if options.get("scheme", "https") != "https" and host not in HERE:
        raise DataError(table, f"{shown} would be read over the net in the clear.", "leave scheme=http out")


def _form(scheme: str) -> str:
    return f"write {scheme}://bucket/folder/, with % codes for what is no plain character"
