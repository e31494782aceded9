"""Generation of the synthetic operator's database, in slices of people: memory stays bounded at any size."""

from __future__ import annotations

import hashlib
import math
import re
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Literal

import duckdb
import h3

from engine.catalog.folders import cache_folder
from engine.progress import Progress, ignore_progress

Order = Literal["person", "time"]

DEMO_EVENTS = 2_000_000
MAX_EVENTS = 10**10  # with more people, hash collisions become frequent
EVENTS_PER_SUBSCRIBER = 100  # on average, over all days
BURSTS_A_DAY = 1.2  # fitted to EVENTS_PER_SUBSCRIBER
SUBSCRIBERS_PER_SLICE = 10_000  # about 1e6 events: intermediate rows fit in MEMORY_LIMIT
DAYS = 32
MEMORY_LIMIT = "3GB"
SQL_FOLDER = Path(__file__).parent / "sql"
CITY_STEPS = ("tables", "0_draws", "1_habits", "2_city", "3_public")
SLICE_STEPS = {"people": "4_people", "movements": "5_events", "stays": "6_stays", "trips": "7_trips"}
SHARE_BEFORE_SORTING = 0.85  # of the run time, if events are sorted by time


def make_operator(
    folder: Path,
    events: int = DEMO_EVENTS,
    progress: Progress = ignore_progress,
    *,
    order: Order = "person",
    threads: int | None = None,
) -> Path:
    """Write operator.duckdb with about `events` events, and catalog.toml, into a folder; return the database.

    The same arguments give the same rows for any number of threads. An existing database is replaced atomically.
    Raises ValueError for a size that is not from 1 to MAX_EVENTS.
    """
    if not 1 <= events <= MAX_EVENTS:
        raise ValueError(f"an operator has 1 to {MAX_EVENTS:,} events, not {events:,}")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    # owner-only scratch folder on the target's disk, so that the final rename is atomic
    with tempfile.TemporaryDirectory(prefix=".making-", dir=folder) as scratch:
        database = Path(scratch) / "operator.duckdb"
        with _connect(Path(scratch), database, threads) as connection:
            _make_city(connection, progress)
            _make_subscribers(connection, max(1, round(events / EVENTS_PER_SUBSCRIBER)), order, progress)
        database.chmod(0o600)
        write_catalog(folder, events)
        database.replace(folder / database.name)
    progress("done", 1.0)
    return folder / "operator.duckdb"


def operator_path(events: int = DEMO_EVENTS, progress: Progress = ignore_progress, *, order: Order = "person") -> Path:
    """Return the catalog file of an operator of about `events` events, stored in the folder of its database.

    Generated at first use, and again when the generator changes. PASSERSBY_CACHE overrides the user's cache folder.
    """
    folder = cache_folder() / f"operator-{events}-{order}-{generator_digest()}"
    if not (folder / "operator.duckdb").exists():
        make_operator(folder, events, progress, order=order)
    return write_catalog(folder, events)


def generator_digest() -> str:
    """Return a digest of everything that determines rows and file format: SQL, constants, DuckDB's minor version."""
    digest = hashlib.sha256()
    for file in sorted(SQL_FOLDER.glob("*.sql")):
        digest.update(file.name.encode() + file.read_bytes())
    digest.update(repr((EVENTS_PER_SUBSCRIBER, BURSTS_A_DAY, duckdb.__version__.rsplit(".", 1)[0])).encode())
    return digest.hexdigest()[:12]


def write_catalog(folder: Path, events: int) -> Path:
    """Write the bundled catalog, with size classes scaled to the event count, into a folder; return its path."""
    shift = round(math.log10(events / DEMO_EVENTS))
    text = Path(__file__).with_name("catalog.toml").read_text(encoding="utf-8")
    text = re.sub(r'size_class = "1e(\d+)"', lambda found: f'size_class = "1e{max(1, int(found[1]) + shift)}"', text)
    catalog = folder / "catalog.toml"
    if not (catalog.exists() and catalog.read_text(encoding="utf-8") == text):
        with tempfile.NamedTemporaryFile("w", dir=folder, encoding="utf-8", delete=False) as written:  # owner-only
            written.write(text)
        Path(written.name).replace(catalog)
    return catalog


def _connect(scratch: Path, database: Path, threads: int | None) -> duckdb.DuckDBPyConnection:
    """Open the new database with a memory limit, and a second database for events to be sorted."""
    connection = duckdb.connect(
        str(database), config={"memory_limit": MEMORY_LIMIT, "temp_directory": str(scratch / "spill")}
    )
    with suppress(duckdb.InvalidInputException):  # fails in notebooks without widgets
        connection.execute("SET enable_progress_bar = false")
    if threads is not None:
        connection.execute(f"SET threads = {threads:d}")
    connection.execute("ATTACH ? AS aside", [str(scratch / "aside.duckdb")])
    return connection


def _make_city(connection: duckdb.DuckDBPyConnection, progress: Progress) -> None:
    """Create the city's public tables."""
    progress("city", 0.0)
    for step in CITY_STEPS:
        connection.execute(_read_sql(step))
    for table in ("cell", "place"):
        _add_h3(connection, table)


def _add_h3(connection: duckdb.DuckDBPyConnection, table: str) -> None:
    """Set the H3 cell of resolution 9 on each row of a small public table, computed in Python."""
    rows = connection.execute(f"SELECT {table}_id, lat, lon FROM {table}").fetchall()
    cells = [h3.latlng_to_cell(lat, lon, 9) for _, lat, lon in rows]
    found = "(SELECT unnest(?) AS id, unnest(?) AS h3_cell)"
    update = f"UPDATE {table} SET h3_9 = h3_cell FROM {found} WHERE {table}_id = id"
    connection.execute(update, [[row[0] for row in rows], cells])


def _make_subscribers(
    connection: duckdb.DuckDBPyConnection, subscribers: int, order: Order, progress: Progress
) -> None:
    """Generate the subscribers' rows slice by slice, then sort events by time if requested."""
    connection.execute(f"SET VARIABLE bursts_a_day = {BURSTS_A_DAY}")
    share = 1.0
    if order == "time":
        share = SHARE_BEFORE_SORTING
        connection.execute(_read_sql("8_events_aside"))
    slices = range(1, subscribers + 1, SUBSCRIBERS_PER_SLICE)
    for done, first in enumerate(slices):
        connection.execute(f"SET VARIABLE from_subscriber = {first}")
        connection.execute(f"SET VARIABLE to_subscriber = {min(first + SUBSCRIBERS_PER_SLICE, subscribers + 1)}")
        for stage_done, (stage, step) in enumerate(SLICE_STEPS.items()):
            progress(stage, share * (done + stage_done / len(SLICE_STEPS)) / len(slices))
            connection.execute(_read_sql(step))
    if order == "time":
        _sort_by_time(connection, progress)


def _sort_by_time(connection: duckdb.DuckDBPyConnection, progress: Progress) -> None:
    """Rewrite the events in time order, one day at a time."""
    for day in range(DAYS):
        progress("sorting", SHARE_BEFORE_SORTING + (1 - SHARE_BEFORE_SORTING) * day / DAYS)
        connection.execute(f"SET VARIABLE day = {day}")
        connection.execute(_read_sql("9_events_by_time"))


def _read_sql(step: str) -> str:
    """Read one step of the generator's SQL."""
    return (SQL_FOLDER / f"{step}.sql").read_text(encoding="utf-8")
