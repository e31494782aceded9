"""Ingest: add one file of new rows to a private table atomically, and register the delivery.

    objects   fetch      objects of a store are copied into the staging folder first
    files     sha256     files that were ingested before are skipped
    rows      new_rows   split into accepted rows, and rejected rows with the reason
    taken     rename     one complete file: data, version and list of ingested files change in one step

Before the rename nothing has changed; the next run removes the remains of an interrupted one, and starts again
(engine/catalog/proofs.md#ingest).

The register contains, for each added file, the digests of the files it was made of and its declared privacy windows.
Both are in the added file's metadata, and appear with it atomically. They are also stored next to the data, for files
that their owner rewrites: a person who was erased must not come back with the same delivery.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from glob import glob
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq

from dialect.catalog import Catalog, Table, WindowRange
from engine.catalog.sources import (
    IngestFolder,
    StoreAddress,
    ingest_digest,
    ingest_folder,
    is_store_address,
    parse_store_address,
    stored_paths,
)
from engine.catalog.toml_section import suggestion
from engine.data.files.durable import move_durably, write_durably
from engine.data.files.stored_files import connect_spilling
from engine.data.ingest.fetch import Fetched, fetch, remove_copies
from engine.data.ingest.new_rows import DIGESTS_KEY, WINDOWS_KEY, NewRows
from engine.data.snapshot import file_stat
from engine.errors import DataError
from engine.progress import Progress

STAGING = ".ingest"  # owner-only folder next to the data; contains the rejected rows
REGISTER_FILE = "deliveries.json"


@dataclass(frozen=True)
class Delivery:
    """The files and declared privacy windows of one ingest; none of it is derived from rows."""

    digests: tuple[str, ...] = ()  # SHA-256 of each ingested file
    windows: tuple[str, ...] = ()  # named by `--window`; () if none


def update_register(place: IngestFolder) -> frozenset[str]:
    """Update the register from the added files' metadata; return the digests of all files ingested before.

    Files that no longer exist are dropped. Raises OSError where the register can't be written.
    """
    registered, found = _read_register(place), dict[str, Delivery]()
    for file in place.ingested_files().values():
        recorded, earlier = _file_metadata(file), registered.get(file.name, Delivery())
        digests, windows = {*recorded.digests, *earlier.digests}, {*recorded.windows, *earlier.windows}
        found[file.name] = Delivery(tuple(sorted(digests)), tuple(sorted(windows)))
    if found != registered:
        write_durably(_register_path(place), json.dumps({name: asdict(each) for name, each in found.items()}, indent=1))
    return frozenset(digest for each in found.values() for digest in each.digests)


def registered_windows(place: IngestFolder) -> frozenset[str]:
    """Return the privacy windows that deliveries were declared for, of the files that exist now."""
    existing = {file.name for file in place.ingested_files().values()}
    deliveries = [delivery for name, delivery in _read_register(place).items() if name in existing]
    return frozenset(window for delivery in deliveries for window in delivery.windows)


def _register_path(place: IngestFolder) -> Path:
    """Return the path of the register."""
    return place.folder / STAGING / REGISTER_FILE


def _read_register(place: IngestFolder) -> dict[str, Delivery]:
    """Read the register; empty if it is missing or unreadable, as added files contain their own entries."""
    with suppress(OSError, ValueError, TypeError, KeyError, AttributeError):
        read = json.loads(_register_path(place).read_text(encoding="utf-8"))
        return {str(name): _parse_delivery(entry) for name, entry in read.items()}
    return {}


def _parse_delivery(entry: Any) -> Delivery:  # noqa: ANN401  JSON of this or an older version
    """Parse an entry of the register, of the current or an older version."""
    if isinstance(entry, list):  # format without windows
        return Delivery(tuple(map(str, entry)))
    return Delivery(tuple(map(str, entry["digests"])), tuple(map(str, entry["windows"])))


FILE_SUFFIXES = (".parquet", ".csv")
DIGEST_LENGTH = 16
FETCH_SHARE = 0.5  # share of fetching in the progress


@dataclass(frozen=True)
class Ingested:
    """The result of an ingest."""

    rows: int  # accepted rows
    files: int  # newly ingested files
    already: int  # files ingested before, or named twice
    refused: Mapping[str, int] = field(default_factory=dict)  # reason -> rows
    quarantine: Path | None = None  # file with the rejected rows
    version: str = ""  # new data version of the dataset
    windows: tuple[str, ...] = ()  # declared for the delivery
    undeclared: bool = False  # True: rows were added without a declared window


def ingest(
    catalog: Catalog,
    table_name: str,
    paths: Sequence[str],
    charged: Collection[str],
    progress: Progress,
    *,
    allow_late: bool,
    windows: Sequence[str] = (),
) -> Ingested:
    """Add the rows of files to a private table. Raises DataError, and then nothing has changed.

    `charged` are the privacy windows with releases: new rows in them fail the ingest, unless `allow_late`. `windows`
    are the ones declared for the delivery: rows in others are rejected one by one.
    """
    table, place = _find_target(catalog, table_name)
    charged = () if allow_late else charged
    stretch = catalog.datasets_by_name[table.dataset].window_range if table.time_column is not None else None
    declared = _declared_windows(table, stretch, windows)
    # a row without a time changes every window
    _check_charged(table, declared or (sorted(charged) if stretch is None else ()), charged)
    local_files = _files(table, [text for text in paths if not is_store_address(text)])
    addresses = [parse_store_address(table.name, text) for text in paths if is_store_address(text)]
    with (
        _folder_lock(table, place) as staging,
        _work_folder(staging) as work,
        connect_spilling(work, str(work / "work")) as connection,
    ):
        known = update_register(place)
        with _fetched_copies(table, addresses, staging, known, progress) as fetched:
            progress, files = _remaining_progress(progress, bool(addresses)), [*local_files, *fetched.files]
            stats_before = [file_stat(path) for path in files]
            unread = _new_files(known, files, progress)
            already = len(files) - len(unread) + fetched.known_count
            if not unread:
                return Ingested(0, 0, already, version=_current_version(catalog, table))
            rows = NewRows(connection, catalog, table, list(unread.values()), declared)
            rows.create_typed_view()
            if stretch is not None and charged:
                candidates = rows.candidate_windows(stretch)
                if candidates <= set(charged):  # every acceptable row lies in a charged window: reject them early
                    _check_charged(table, sorted(candidates), charged)
            taken, refused = work / "taken.parquet", work / "refused.parquet"
            count, reasons = rows.split(taken, refused, [*unread, *fetched.digests], progress)
            if stretch is not None and count:
                _check_charged(table, rows.accepted_windows(taken, stretch), charged)
            if stats_before != [file_stat(path) for path in files]:
                raise DataError(table.name, "the files changed while they were read.", "give them again")
            progress("keeping what is refused", 0.9)
            quarantine = _quarantine_rejected(refused, staging, unread) if reasons else None
            progress("adding", 0.95)
            if count:
                _publish_accepted(taken, table, place)
                with suppress(OSError):  # the added file contains the entry, and the next run registers it
                    update_register(place)
            progress("added", 1.0)
            undeclared = count > 0 and not declared and stretch is not None
            version = _current_version(catalog, table)
            return Ingested(count, len(unread), already, reasons, quarantine, version, declared, undeclared)


def _find_target(catalog: Catalog, table_name: str) -> tuple[Table, IngestFolder]:
    """Return the private table, and its folder for ingested files. Raises DataError."""
    table = catalog.tables_by_name.get(table_name)
    if table is None:
        private_tables = [each.name for each in catalog.tables if each.private]
        cure = suggestion(table_name, private_tables, "declare one in the catalog")
        raise DataError(table_name, "there is no such table, and ingest adds to private tables.", cure.rstrip("."))
    if not table.private:
        why = "it is public: its rows are about nobody, and ingest adds to private tables."
        raise DataError(table_name, why, "change public files by hand")
    place = None if catalog.remote else ingest_folder(table)
    if place is None:
        raise DataError(table_name, *_unsupported_source(table))
    return table, place


def _unsupported_source(table: Table) -> tuple[str, str]:
    """Return why a table does not support ingest, and the cure."""
    what, cure = "none", 'write source = { parquet = "visits/*.parquet" }, with one * in the last part'
    if table.source.format == "csv":
        what, cure = "CSV", f"passersby catalog convert writes its rows to Parquet; then {cure}"
    return f"ingest adds files to a folder of Parquet files on this machine, and its source is {what}.", cure


def _files(table: Table, source_names: Sequence[str]) -> list[Path]:
    """Resolve paths, globs and folders to files. Raises DataError where there are none."""
    found: list[Path] = []
    for text in source_names:
        location = Path(text).expanduser()
        candidates = (
            sorted(location.iterdir())
            if location.is_dir()
            else [location]
            if location.exists()
            else map(Path, sorted(glob(text)))  # noqa: PTH207
        )
        new = [path.resolve() for path in candidates if path.suffix in FILE_SUFFIXES]
        if not new:
            cure = "give files on this machine, a folder of them, or a pattern"
            raise DataError(table.name, f"there is no .parquet or .csv file at {text}.", cure)
        found += new
    return list(dict.fromkeys(found))


@contextmanager
def _folder_lock(table: Table, place: IngestFolder) -> Iterator[Path]:
    """Lock a folder for one ingest at a time, and yield its staging folder; the lock ends with the process."""
    staging = place.folder / STAGING
    staging.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        lock = duckdb.connect(str(staging / "lock"))
    except duckdb.Error:
        raise DataError(table.name, "another ingest is adding to it.", "wait until it has finished") from None
    with lock:
        yield staging


@contextmanager
def _work_folder(staging: Path) -> Iterator[Path]:
    """Create a work folder, and remove those of killed runs."""
    for leftover in staging.glob("work-*"):
        shutil.rmtree(leftover)
    with tempfile.TemporaryDirectory(prefix="work-", dir=staging) as work:
        yield Path(work)


@contextmanager
def _fetched_copies(
    table: Table, addresses: Sequence[StoreAddress], staging: Path, known: Collection[str], progress: Progress
) -> Iterator[Fetched]:
    """Fetch the objects of stores; the copies are removed at the end, except if fetching was interrupted."""
    fetched = fetch(table.name, addresses, staging, known, lambda stage, part: progress(stage, FETCH_SHARE * part))
    try:
        yield fetched
    finally:
        remove_copies(staging)


def _remaining_progress(progress: Progress, has_fetched: bool) -> Progress:
    """Scale progress to the part of the work after fetching."""
    begin = FETCH_SHARE if has_fetched else 0.0
    return lambda stage, part: progress(stage, begin + (1 - begin) * part)


def _new_files(known: Collection[str], files: Sequence[Path], progress: Progress) -> dict[str, Path]:
    """Map the digest of each file that was not ingested before to its path."""
    found: dict[str, Path] = {}
    for position, path in enumerate(files):
        progress(f"reading {path.name}", 0.2 * position / len(files))
        with path.open("rb") as file:
            found.setdefault(hashlib.file_digest(file, "sha256").hexdigest(), path)
    return {digest: path for digest, path in found.items() if digest not in known}


def _declared_windows(table: Table, stretch: WindowRange | None, windows: Sequence[str]) -> tuple[str, ...]:
    """Parse the privacy windows of a delivery, each a name or FIRST..LAST, in time order. Raises DataError.

    `stretch` = the windows by which the table's rows are distinguished; None for rows without a window.
    """
    if not windows:
        return ()
    if stretch is None:
        raise DataError(table.name, "its rows are not told apart by windows.", "leave out --window")
    known, found = stretch.window_names(), set[str]()
    for text in windows:
        first, _, last = text.partition("..")
        ends = [first, last or first]
        unknown = [end for end in ends if end not in known]
        if unknown or known.index(ends[0]) > known.index(ends[1]):
            cure = f"one of {known[0]} to {known[-1]}, or several as {known[0]}..{known[-1]}"
            raise DataError(table.name, f"{text} names no declared window.", cure)
        found |= set(known[known.index(ends[0]) : known.index(ends[1]) + 1])
    return tuple(window for window in known if window in found)


def _file_metadata(file: Path) -> Delivery:
    """Read the delivery from an added file's metadata."""
    found = pq.read_metadata(file).metadata or {}
    return Delivery(*(tuple(json.loads(found.get(key.encode(), "[]"))) for key in (DIGESTS_KEY, WINDOWS_KEY)))


def _check_charged(table: Table, windows: Sequence[str], charged: Collection[str]) -> None:
    """Raise DataError if new rows are in charged privacy windows."""
    changed = [window for window in windows if window in charged]
    if changed:
        span = changed[0] if len(changed) == 1 else f"{changed[0]} to {changed[-1]}"
        where = f"new rows lie in windows that were charged already ({span})"
        cure = "--late adds them all the same: questions are then asked anew, and charged again"
        raise DataError(table.name, f"{where}: the answers that were given are without them.", cure)


def _quarantine_rejected(refused: Path, staging: Path, unread: Mapping[str, Path]) -> Path:
    """Move the rejected rows into the staging folder; the same files ingested again replace them."""
    digest = hashlib.sha256("\n".join(sorted(unread)).encode()).hexdigest()[:DIGEST_LENGTH]
    quarantine = staging / f"refused-{digest}.parquet"
    move_durably(refused, quarantine, 0o600)
    return quarantine


def _publish_accepted(taken: Path, table: Table, place: IngestFolder) -> Path:
    """Rename the finished file into the table's folder: rows and data version change in this one step."""
    existing_files = stored_paths(table.source.path)
    mode = Path(existing_files[0]).stat().st_mode & 0o777 if existing_files else 0o600
    now = int(datetime.now(UTC).strftime("%Y%m%d%H%M%S"))
    added = place.new_file(max((now, *(number + 1 for number in place.ingested_files()))))
    move_durably(taken, added, mode)
    return added


def _current_version(catalog: Catalog, table: Table) -> str:
    """Return the current version of the dataset's data."""
    dataset = catalog.datasets_by_name[table.dataset]
    return replace(dataset, ingest_version=ingest_digest(catalog, dataset.name)).full_data_version
