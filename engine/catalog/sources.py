"""Sources: the storage of declared tables, file sharing between them, data versions and object store addresses.

Private rows are stored in DuckDB or, if the owner names a Spark Connect server, in its lake; each backend supports its
own kinds of source. A private file belongs to one dataset, and is never public as well.

Object store addresses look like s3://bucket/new/ or gs://bucket/new/*.parquet. Anything in an address that may be a
secret is rejected, and no part that could contain one is ever shown.

Ingested rows are separate files in the folder of the source. One ingest adds one file atomically: data and their
version change in one step (proofs.md#ingest).
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

from dialect.catalog import Catalog, SqlType, Table
from engine.catalog.toml_section import ErrorCollector, Section
from engine.errors import CatalogError, DataError

BACKENDS = ("duckdb", "spark")
LAKE_TABLE = re.compile(r"[A-Za-z0-9_]+(\.[A-Za-z0-9_]+){0,3}", re.ASCII)
SPARK_URL = re.compile(r"[a-z][a-z0-9+.-]*://\S+", re.ASCII)  # folder or files read by Spark
SPARK_CONNECT_ADDRESS = re.compile(r"sc://[^\s/]+(/;\S*)?", re.ASCII)
TOKEN_OPTION = "token="  # noqa: S105  a part of addresses that catalogs must not have


def read_remote(root: Section) -> str | None:
    """Parse the backend and its Spark Connect address; None for DuckDB."""
    backend = root.text("backend") or "duckdb"
    if backend not in BACKENDS:
        raise root.error("backend", f"there is no backend {backend}.", 'write backend = "duckdb" or "spark".')
    if backend == "duckdb":
        if "remote" in root.entries:
            raise root.error("remote", "DuckDB is not remote.", 'remove remote, or write backend = "spark".')
        return None
    remote = root.required_text("remote", 'write the address of a Spark Connect server: remote = "sc://host:15002".')
    if not SPARK_CONNECT_ADDRESS.fullmatch(remote):
        raise root.error("remote", "this is no address of Spark Connect.", 'write e.g. remote = "sc://host:15002".')
    if TOKEN_OPTION in remote:
        cure = "remove it, and set PASSERSBY_SPARK_TOKEN in the environment."
        raise root.error("remote", "a catalog holds no secrets.", cure)
    return remote


def check_backend(catalog: Catalog, mistakes: ErrorCollector) -> None:
    """Collect every source that the backend cannot read, and every feature that lake tables lack."""
    for table in catalog.tables:
        in_lake = table.private and catalog.remote is not None
        for key, why, cure in _lake_source_errors(table) if in_lake else _file_source_errors(table):
            mistakes.add(CatalogError(catalog.path, f"tables.{table.name}.{key}", why, cure))


def _file_source_errors(table: Table) -> Iterator[tuple[str, str, str]]:
    """Yield (key, reason, cure) if a table of a DuckDB backend is not stored in local files."""
    if table.source.format == "spark" or "://" in table.source.path:
        why = "only people's tables of a Spark catalog lie in a lake; this source is a file on this machine."
        cure = 'copy the files, and give their path; or write backend = "spark" for private tables.'
        yield f"source.{table.source.format}", why, cure


def _lake_source_errors(table: Table) -> Iterator[tuple[str, str, str]]:
    """Yield (key, reason, cure) for each feature of a private table that a Spark lake lacks."""
    if table.source.format not in ("parquet", "spark"):
        yield "source", "Spark reads no such file.", 'write source = { parquet = "..." } or { spark = "schema.table" }.'
    if table.source.joins:
        cure = "store the column, or join the public table in questions."
        yield "joins", "nothing is looked up in a lake's tables.", cure
    for column in table.columns:
        at = f"columns.{column.name}"
        if column.cell is not None:
            yield at, "no cells are made of a lake's rows.", 'store the cell, and declare it as type = "VARCHAR".'
        elif column.type is SqlType.TIME:
            yield at, "Spark stores no time of day.", "store a TIMESTAMP, or whole microseconds as BIGINT."


def check_sharing(catalog: Catalog, mistakes: ErrorCollector) -> None:
    """Collect every private file that another table also reads, in another dataset or publicly.

    A file in two datasets would be charged to two budgets, each of which promises the whole loss; a private file
    that is declared public would be answered without noise.
    """
    found = [(table, source_files(table.source.path)) for table in catalog.tables]
    for (one, files), (other, other_files) in combinations(found, 2):
        if one.private and other.private:
            allowed, what = one.dataset == other.dataset, f", which is in dataset {one.dataset}."
            cure = f"put both tables into dataset {one.dataset}."
        else:
            allowed = one.private == other.private or _are_tables_of_one_database(one, other)
            what = "; one of the two is private and the other public."
            cure = "declare both private, or give the public table a file of its own."
        if not allowed and share_files(files, other_files):
            why = f"its file is read by {one.name} too{what}"
            mistakes.add(CatalogError(catalog.path, f"tables.{other.name}.source", why, cure))


def _are_tables_of_one_database(one: Table, other: Table) -> bool:
    """Return whether both tables are in DuckDB files, under different names; any other file is one table."""
    databases = one.source.format == other.source.format == "duckdb"
    return databases and (one.source.table or "").lower() != (other.source.table or "").lower()


@dataclass(frozen=True)
class SourceFiles:
    """The files of a source: its glob pattern, and those that exist now."""

    pattern: str  # absolute, links resolved
    file_ids: frozenset[tuple[int, int]]  # (device, inode): equal for all hard links of a file


def stored_paths(pattern: str) -> list[str]:
    """Return the files of a glob pattern, sorted: whoever reads, binds or compares files of a source asks here.

    Hidden files and those of hidden folders are none of them.
    """
    return sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207  a Path globs no absolute pattern


def source_files(pattern: str) -> SourceFiles:
    """List the existing files of a glob pattern."""
    stats = [path.stat() for path in map(Path, stored_paths(pattern) or [pattern]) if path.exists()]
    return SourceFiles(pattern, frozenset((stat.st_dev, stat.st_ino) for stat in stats))


def share_files(one: SourceFiles, other: SourceFiles) -> bool:
    """Return whether two sources share a file, now or by their glob patterns."""
    return (
        bool(one.file_ids & other.file_ids)
        or one.pattern == other.pattern  # also if a folder's name contains wildcards
        or one.pattern.startswith(f"{other.pattern}/")  # Spark reads all files of a folder
        or other.pattern.startswith(f"{one.pattern}/")
        or fnmatch.fnmatchcase(one.pattern, other.pattern)
        or fnmatch.fnmatchcase(other.pattern, one.pattern)
    )


DIGEST_LENGTH = 12  # characters of the digest
INGESTED_NAME = r"ingested-(\d{14})"  # UTC timestamp, so that no number is reused


@dataclass(frozen=True)
class IngestFolder:
    """The folder and file name pattern for ingested files of a table."""

    folder: Path
    prefix: str  # prefix of file names
    suffix: str  # suffix of file names

    def ingested_files(self) -> dict[int, Path]:
        """Return the ingested files by number, the oldest first."""
        pattern = re.compile(f"{re.escape(self.prefix)}{INGESTED_NAME}{re.escape(self.suffix)}")
        paths = sorted(self.folder.iterdir()) if self.folder.is_dir() else []
        found = ((pattern.fullmatch(path.name), path) for path in paths)
        return {int(match[1]): path for match, path in found if match is not None}

    def new_file(self, number: int) -> Path:
        """Return the path of a new ingested file."""
        return self.folder / f"{self.prefix}ingested-{number}{self.suffix}"


def ingest_folder(table: Table) -> IngestFolder | None:
    """Return the folder for ingested files of a private Parquet table; None where ingest is unsupported."""
    folder, _, pattern = table.source.path.rpartition("/")
    plain = pattern.count("*") == 1 and not re.search(r"[*?[]", folder + pattern.replace("*", ""))
    if not table.private or table.source.format != "parquet" or "://" in folder or not plain:
        return None
    return IngestFolder(Path(folder), *pattern.split("*"))


def with_ingest_digest(catalog: Catalog) -> Catalog:
    """Set the digest of ingested files on every dataset."""
    digests = (ingest_digest(catalog, dataset.name) for dataset in catalog.datasets)
    datasets = (replace(each, ingest_version=digest) for each, digest in zip(catalog.datasets, digests, strict=True))
    return replace(catalog, datasets=tuple(datasets))


def ingest_digest(catalog: Catalog, dataset: str) -> str:
    """Return a digest of a dataset's ingested files, from their numbers alone; '' where there are none."""
    folders = [(table.name, ingest_folder(table)) for table in catalog.private_tables(dataset)]
    found = sorted((name, number) for name, folder in folders if folder for number in folder.ingested_files())
    return hashlib.sha256(repr(found).encode()).hexdigest()[:DIGEST_LENGTH] if found else ""


S3, GCS, AZURE = ("s3",), ("gs", "gcs"), ("abfs", "abfss")
SCHEMES = (*S3, *GCS, *AZURE)
STORE_OPTIONS = {
    **dict.fromkeys(S3, ("region", "scheme", "endpoint_override")),
    **dict.fromkeys(GCS, ("scheme", "endpoint_override")),
    **dict.fromkeys(AZURE, ("blob_storage_authority", "dfs_storage_authority")),
}
GCS_RETRY_OPTIONS = {"retry_limit_seconds": "60"}  # Google's library retries for 15 minutes by default
LOCAL_HOSTS = ("localhost", "127.0.0.1", "[::1]")
_HOST = re.compile(r"(\[[0-9a-fA-F:.]+\]|[\w.-]+)(?::\d+)?", re.ASCII)
CREDENTIALS_ADVICE = "put credentials where the store's own library looks for them, which docs/ingest.md names"


@dataclass(frozen=True)
class StoreAddress:
    """Files in an object store: one file, all under a path, or those of a folder that match a pattern."""

    display: str  # without credentials, for messages
    uri: str  # URI of the path, with options, for pyarrow
    pattern: str  # glob of file names; '': all files, recursively


def is_store_address(text: str) -> bool:
    """Return whether this is an object store address, and not a local path."""
    return "://" in text


def parse_store_address(table: str, text: str) -> StoreAddress:
    """Parse an object store address. Raises DataError; its text contains nothing that may be secret."""
    scheme = text.partition("://")[0].lower()
    if scheme not in SCHEMES:
        cure = f"give files, or an address that begins with one of {', '.join(f'{each}://' for each in SCHEMES)}"
        raise DataError(table, "an address of new rows is of no object store that is known here.", cure)
    try:
        parts = urlsplit(text)
        options = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
    except ValueError:
        why = f"an address that begins with {scheme}:// can't be read."
        cure = f"write {scheme}://bucket/folder/, with % codes for what is no plain character"
        raise DataError(table, why, cure) from None
    _check_secrets(table, parts, options)
    display = f"{scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
    _check_options(table, parts, options, display)
    folder, _, last = parts.path.rpartition("/")
    pattern = last if "*" in last else ""
    if "*" in folder:
        raise DataError(table, f"{display} has a * before its last part.", "write * in names alone, or give a folder")
    if scheme in GCS:
        options |= GCS_RETRY_OPTIONS
    path = folder if pattern else parts.path
    return StoreAddress(display, urlunsplit((scheme, parts.netloc, path, urlencode(options), "")), pattern)


def _check_secrets(table: str, parts: SplitResult, options: dict[str, str]) -> None:
    """Reject anything that may be a login anywhere in the address, also in the path: keys may contain slashes."""
    accounts = parts.netloc if parts.scheme in AZURE else parts.netloc.replace("@", ":")
    elsewhere = (parts.path, *options.values())
    if ":" in accounts or parts.fragment or any("@" in text for text in elsewhere):
        what = f"an address that begins with {parts.scheme}:// carries credentials, or what looks like them"
        cure = f"{CREDENTIALS_ADVICE}; an @ in a path is written %40"
        raise DataError(table, f"{what}: others can see them there.", cure)


def _check_options(table: str, parts: SplitResult, options: dict[str, str], display: str) -> None:
    """Reject options that may be secrets, and unencrypted transfer from other hosts."""
    if not options.keys() <= set(STORE_OPTIONS[parts.scheme]):
        cure = f"{', '.join(STORE_OPTIONS[parts.scheme])} are read; {CREDENTIALS_ADVICE}"
        raise DataError(table, f"the address {display} has options that are not read here.", cure)
    override = _HOST.fullmatch(options.get("endpoint_override", ""))
    if "endpoint_override" in options and override is None:
        why = f"the address {display} has an endpoint that is no host."
        raise DataError(table, why, "write host:port, and no scheme")
    host = "" if override is None else override[1]
    if options.get("scheme", "https") != "https" and host not in LOCAL_HOSTS:
        raise DataError(table, f"{display} would be read over the net in the clear.", "leave scheme=http out")
