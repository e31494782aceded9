"""Ingest: files of new rows -> one more file of a private table, in one step, and the register of deliveries.

    objects   fetch      those of a store are copied beside the data first
    files     sha256     what is in already is left out
    rows      new_rows   those that the table takes, and those that it refuses, with the reason
    taken     rename     one finished file: it is the data, their version and the note of what is in, all in one step

Until the rename nothing has changed; what was interrupted before is swept away, and made again, by the next run
(engine/catalog/proofs.md#ingest).

The register holds, of each added file, the digests of the files it was made of and the windows it was declared for.
Both stand in the added file itself, and come with it in one step. They stand beside the data as well, for a file that
its owner wrote anew: a person who was erased must not come back with the same delivery.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from glob import glob
from pathlib import Path
from typing import Any

import duckdb

from dialect.catalog import Catalog, Stretch, Table
from engine.catalog.sources import Place, StoreAddress, added_to, is_stored, place_of, store_address, version_of
from engine.catalog.toml_section import meant
from engine.data.files.durable import move_durably, write_durably
from engine.data.ingest.fetch import Fetched, fetch, sweep
from engine.data.ingest.new_rows import DIGESTS, WINDOWS, NewRows, listed_in, working
from engine.errors import DataError
from engine.progress import Progress

STAGING = ".ingest"  # beside the data, for its owner alone; refused rows stay in it
NOTES = "deliveries.json"


@dataclass(frozen=True)
class Delivery:
    """What one ingest brought, as its steward declared it; nothing of it is read off rows."""

    digests: tuple[str, ...] = ()  # of the files
    windows: tuple[str, ...] = ()  # that `--window` named; () where none was


def deliveries(place: Place, borne: Callable[[Path], Delivery]) -> frozenset[str]:
    """Return the digests of what is in, and note all deliveries; a file that is gone has none any more.

    `borne` reads what an added file bears itself. Raises OSError where the note can't be written.
    """
    noted, found = _noted(place), dict[str, Delivery]()
    for file in place.added().values():
        own, before = borne(file), noted.get(file.name, Delivery())
        digests, windows = {*own.digests, *before.digests}, {*own.windows, *before.windows}
        found[file.name] = Delivery(tuple(sorted(digests)), tuple(sorted(windows)))
    if found != noted:
        write_durably(_notes(place), json.dumps({name: asdict(each) for name, each in found.items()}, indent=1))
    return frozenset(digest for each in found.values() for digest in each.digests)


def delivered(place: Place) -> frozenset[str]:
    """Return the windows that deliveries were declared for, of the files that are there now."""
    there = {file.name for file in place.added().values()}
    return frozenset(window for name, each in _noted(place).items() if name in there for window in each.windows)


def _notes(place: Place) -> Path:
    return place.folder / STAGING / NOTES


def _noted(place: Place) -> dict[str, Delivery]:
    """Read the notes; none where there are none, or none that can be read: added files bear their own."""
    with suppress(OSError, ValueError, TypeError, KeyError, AttributeError):
        read = json.loads(_notes(place).read_text(encoding="utf-8"))
        return {str(name): _delivery(told) for name, told in read.items()}
    return {}


def _delivery(told: Any) -> Delivery:  # noqa: ANN401  JSON of this or an older version
    if isinstance(told, list):  # before windows could be declared
        return Delivery(tuple(map(str, told)))
    return Delivery(tuple(map(str, told["digests"])), tuple(map(str, told["windows"])))


ENDINGS = (".parquet", ".csv")
SHORT = 16
COPYING = 0.5  # of the work, where objects of a store are copied first


@dataclass(frozen=True)
class Ingested:
    """What became of files of new rows."""

    rows: int  # that are in now
    files: int  # that they come from
    already: int  # files that were in before, or were given twice
    refused: Mapping[str, int] = field(default_factory=dict)  # reason -> rows
    quarantine: Path | None = None  # where these lie
    version: str = ""  # of the dataset's data from now on
    windows: tuple[str, ...] = ()  # that the delivery was declared to be of
    undeclared: bool = False  # rows went into windows, and no delivery says of which it is


def ingest(
    catalog: Catalog,
    named: str,
    given: Sequence[str],
    charged: Collection[str],
    progress: Progress,
    *,
    late: bool,
    windows: Sequence[str] = (),
) -> Ingested:
    """Add the rows of files to a private table; raises DataError, and then nothing has changed.

    `charged` are the windows of which answers were given: rows in them are refused as a whole, unless they may be late.
    `windows` are those that the steward declares the delivery to be of: rows of others are refused one by one.
    """
    table, place = _target(catalog, named)
    charged = () if late else charged
    declared = _declared_windows(catalog, table, windows)
    _refuse_late(table, declared or _untimed(catalog, table, charged), charged)
    here = _files(table, [text for text in given if not is_stored(text)])
    addresses = [store_address(table.name, text) for text in given if is_stored(text)]
    with _alone(table, place) as staging, _work(staging) as work, working(work) as connection:
        note = partial(deliveries, place, partial(_borne, connection))
        known = note()
        with _copies(table, addresses, staging, known, progress) as fetched:
            progress, files = _rest(progress, bool(addresses)), [*here, *fetched.files]
            before = [_facts(path) for path in files]
            unread = _unread(known, files, progress)
            already = len(files) - len(unread) + fetched.already
            if not unread:
                return Ingested(0, 0, already, version=_version(catalog, table))
            rows = NewRows(connection, catalog, table, list(unread.values()), declared)
            rows.open()
            _refuse_all_late(catalog, table, rows, charged)
            progress("judging rows", 0.2)
            rows.judge()
            progress("writing rows", 0.3)
            taken, refused = work / "taken.parquet", work / "refused.parquet"
            count = rows.write(taken, [*unread, *fetched.marks])
            progress("writing what is refused", 0.7)
            reasons = rows.write_refused(refused)
            progress("checking", 0.8)
            rows.check(taken)
            _check_late(catalog, table, rows, taken, charged if count else ())
            if before != [_facts(path) for path in files]:
                raise DataError(table.name, "the files changed while they were read.", "give them again")
            progress("keeping what is refused", 0.9)
            kept = _keep(refused, staging, unread) if reasons else None
            progress("adding", 0.95)
            if count:
                _add(taken, table, place)
                with suppress(OSError):  # the file bears them too, and the next run notes them
                    note()
            progress("added", 1.0)
            undeclared = count > 0 and not declared and _stretch_of(catalog, table) is not None
            version = _version(catalog, table)
            return Ingested(count, len(unread), already, reasons, kept, version, declared, undeclared)


def _target(catalog: Catalog, named: str) -> tuple[Table, Place]:
    table = catalog.table(named)
    if table is None:
        cure = meant(named, [each.name for each in catalog.tables if each.private], "declare one in the catalog")
        raise DataError(named, "there is no such table, and ingest adds to private tables.", cure.rstrip("."))
    if not table.private:
        why = "it is public: its rows are about nobody, and ingest adds to private tables."
        raise DataError(named, why, "change public files by hand")
    place = None if catalog.remote else place_of(table)
    if place is None:
        raise DataError(named, *_no_place(table))
    return table, place


def _no_place(table: Table) -> tuple[str, str]:
    """Say why a table takes no files, and what helps."""
    what, cure = "none", 'write source = { parquet = "visits/*.parquet" }, with one * in the last part'
    if table.source.format == "csv":
        what, cure = "CSV", f"write its rows to Parquet once (docs/ingest.md, A table of CSV), then {cure}"
    return f"ingest adds files to a folder of Parquet files on this machine, and its source is {what}.", cure


def _files(table: Table, given: Sequence[str]) -> list[Path]:
    """Find the files: named each, by a pattern, or by their folder."""
    found: list[Path] = []
    for text in given:
        here = Path(text).expanduser()
        paths = sorted(here.iterdir()) if here.is_dir() else [here] if here.exists() else map(Path, sorted(glob(text)))  # noqa: PTH207
        new = [path.resolve() for path in paths if path.suffix in ENDINGS]
        if not new:
            cure = "give files on this machine, a folder of them, or a pattern"
            raise DataError(table.name, f"there is no .parquet or .csv file at {text}.", cure)
        found += new
    return list(dict.fromkeys(found))


@contextmanager
def _alone(table: Table, place: Place) -> Iterator[Path]:
    """Let one ingest at a time work on a folder; the lock goes with the process that holds it."""
    staging = place.folder / STAGING
    staging.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        lock = duckdb.connect(str(staging / "lock"))
    except duckdb.Error:
        raise DataError(table.name, "another ingest is adding to it.", "wait until it has finished") from None
    try:
        yield staging
    finally:
        lock.close()


@contextmanager
def _work(staging: Path) -> Iterator[Path]:
    """Make a folder to work in, and sweep away those of runs that were killed."""
    for left in staging.glob("work-*"):
        shutil.rmtree(left)
    with tempfile.TemporaryDirectory(prefix="work-", dir=staging) as work:
        yield Path(work)


@contextmanager
def _copies(
    table: Table, addresses: Sequence[StoreAddress], staging: Path, known: Collection[str], progress: Progress
) -> Iterator[Fetched]:
    """Copy objects of stores into the staging folder; they stay only where copying them was cut off."""
    fetched = fetch(table.name, addresses, staging, known, lambda stage, part: progress(stage, COPYING * part))
    try:
        yield fetched
    finally:
        sweep(staging)


def _rest(progress: Progress, copied: bool) -> Progress:
    """Tell of what comes after copying as of the rest of the work."""
    begin = COPYING if copied else 0.0
    return lambda stage, part: progress(stage, begin + (1 - begin) * part)


def _unread(known: Collection[str], files: Sequence[Path], progress: Progress) -> dict[str, Path]:
    """Find the files whose contents are not in, by digest."""
    found: dict[str, Path] = {}
    for position, path in enumerate(files):
        progress(f"reading {path.name}", 0.2 * position / len(files))
        with path.open("rb") as file:
            found.setdefault(hashlib.file_digest(file, "sha256").hexdigest(), path)
    return {digest: path for digest, path in found.items() if digest not in known}


def _facts(path: Path) -> tuple[int, int]:
    facts = path.stat()
    return facts.st_size, facts.st_mtime_ns


def _check_late(catalog: Catalog, table: Table, rows: NewRows, taken: Path, charged: Collection[str]) -> None:
    """Refuse rows that would change windows of which answers were given: their owner must want that."""
    stretch = _stretch_of(catalog, table)
    _refuse_late(table, _untimed(catalog, table, charged) if stretch is None else rows.windows(taken, stretch), charged)


def _refuse_all_late(catalog: Catalog, table: Table, rows: NewRows, charged: Collection[str]) -> None:
    """Refuse early, from the times alone, where every row that may be taken lies in a charged window."""
    stretch = _stretch_of(catalog, table)
    if stretch is None or not charged:
        return
    given = rows.given_windows(stretch)
    if given <= set(charged):
        _refuse_late(table, sorted(given), charged)


def _stretch_of(catalog: Catalog, table: Table) -> Stretch | None:
    """Return the windows among which a table's rows are told apart by their time; None where all are of one."""
    return None if table.time_column is None else catalog.dataset(table.dataset).stretch


def _untimed(catalog: Catalog, table: Table, charged: Collection[str]) -> tuple[str, ...]:
    """Name the charged windows that any new row changes: all of them, where rows are not told apart by time."""
    return tuple(sorted(charged)) if _stretch_of(catalog, table) is None else ()


def _declared_windows(catalog: Catalog, table: Table, windows: Sequence[str]) -> tuple[str, ...]:
    """Read the windows of a delivery, each a name or FIRST..LAST, in the order of time; raises DataError."""
    if not windows:
        return ()
    if _stretch_of(catalog, table) is None:
        raise DataError(table.name, "its rows are not told apart by windows.", "leave out --window")
    known, found = catalog.dataset(table.dataset).windows, set[str]()
    for text in windows:
        first, _, last = text.partition("..")
        ends = [first, last or first]
        unknown = [end for end in ends if end not in known]
        if unknown or known.index(ends[0]) > known.index(ends[1]):
            cure = f"one of {known[0]} to {known[-1]}, or several as {known[0]}..{known[-1]}"
            raise DataError(table.name, f"{text} names no declared window.", cure)
        found |= set(known[known.index(ends[0]) : known.index(ends[1]) + 1])
    return tuple(window for window in known if window in found)


def _borne(connection: duckdb.DuckDBPyConnection, file: Path) -> Delivery:
    """Read what an added file says of its delivery."""
    return Delivery(listed_in(connection, file, DIGESTS), listed_in(connection, file, WINDOWS))


def _refuse_late(table: Table, touched: Sequence[str], charged: Collection[str]) -> None:
    changed = [window for window in touched if window in charged]
    if changed:
        span = changed[0] if len(changed) == 1 else f"{changed[0]} to {changed[-1]}"
        why = (
            f"new rows lie in windows that were charged already ({span}): the answers that were given are without them."
        )
        cure = "--late adds them all the same: questions are then asked anew, and charged again"
        raise DataError(table.name, why, cure)


def _keep(refused: Path, staging: Path, unread: Mapping[str, Path]) -> Path:
    """Keep the refused rows beside the data; the same files given again replace them."""
    digest = hashlib.sha256("\n".join(sorted(unread)).encode()).hexdigest()[:SHORT]
    kept = staging / f"refused-{digest}.parquet"
    move_durably(refused, kept, 0o600)
    return kept


def _add(taken: Path, table: Table, place: Place) -> Path:
    """Put the finished file beside the others: in this one step the rows are in, and the version is another."""
    others = glob(table.source.path)  # noqa: PTH207  a stored pattern, not a folder to walk
    mode = Path(others[0]).stat().st_mode & 0o777 if others else 0o600
    now = int(datetime.now(UTC).strftime("%Y%m%d%H%M%S"))
    added = place.file(max((now, *(number + 1 for number in place.added()))))
    move_durably(taken, added, mode)
    return added


def _version(catalog: Catalog, table: Table) -> str:
    return version_of(replace(catalog.dataset(table.dataset), ingested=added_to(catalog, table.dataset)))
