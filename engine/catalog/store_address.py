"""The address of files in an object store, as it is given: s3://bucket/new/, gs://bucket/new/*.parquet.

What could be a secret in it is refused, and no part of it that could hold one is ever shown.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit, urlunsplit

from engine.errors import DataError

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
