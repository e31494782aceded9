"""SQLite: write-ahead log, full synchronisation, one writer at a time, files readable by their owner only."""

from __future__ import annotations

import os
import sqlite3
import stat
import time
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, QueuePool, create_engine, event
from sqlalchemy.pool import ConnectionPoolEntry

from budgets.errors import LedgerUnavailable, UnsafeStore
from budgets.stores.group_commit import execute_directly
from budgets.stores.ledger_format import ensure_schema
from budgets.stores.store import PrepareTables, Store

IN_MEMORY = ":memory:"
BUSY_SECONDS = 20.0
MAX_READERS = 8
PRAGMAS = (
    "PRAGMA synchronous = FULL",  # NORMAL loses acknowledged charges in a power cut
    "PRAGMA fullfsync = ON",  # where a plain fsync stops at the drive's cache
    "PRAGMA foreign_keys = ON",
    "PRAGMA recursive_triggers = ON",  # without it INSERT OR REPLACE deletes a row past its DELETE trigger
    "PRAGMA temp_store = MEMORY",  # savepoint journals, which are not needed after a crash
)
WAL_CHECKPOINT_PAGES = 4_000  # 16 MB: hot pages are checkpointed once for many charges
READ_ONLY = "PRAGMA query_only = ON"

_FULL_OR_EXTRA = (2, 3)
_DURABILITY = "SELECT journal_mode, synchronous FROM pragma_journal_mode, pragma_synchronous"


def open_sqlite(path: str | Path, prepare: PrepareTables = ensure_schema) -> Store:
    """Open or create a ledger file; raises UnsafeStore, LedgerUnavailable."""
    in_memory = str(path) == IN_MEMORY
    if not in_memory:
        _ensure_owner_only(Path(path))
    writer = _engine(path, "BEGIN IMMEDIATE", PRAGMAS, connections=1)
    reader = writer if in_memory else _engine(path, "BEGIN", (*PRAGMAS, READ_ONLY), connections=MAX_READERS)
    return Store(reader, writer, _accept_in_memory if in_memory else assert_durable).prepared(prepare)


def assert_durable(connection: Connection) -> None:
    """Refuse a connection whose commits a power cut could undo.

    Claim: a commit that returned survives a crash and a power cut. Symbols: SQLite's journal_mode, synchronous.
    Formula: journal_mode = wal and synchronous >= FULL, checked in every write transaction, where it cannot change.
    Source: sqlite.org/pragma.html#pragma_synchronous; proofs.md#durable-before-data-is-read. Raises UnsafeStore.
    """
    journal, synchronous = execute_directly(connection, _DURABILITY)
    if journal != "wal" or synchronous not in _FULL_OR_EXTRA:
        raise UnsafeStore(
            f"The ledger's journal_mode is {journal} and synchronous is {synchronous}; wal and 2 are needed, "
            "or a power cut takes charges back.",
            "a local disk, and no other settings for the ledger's connections.",
        )


def _accept_in_memory(connection: Connection) -> None:
    """Accept an in-memory ledger, which is not durable by design."""


def _engine(path: str | Path, begin: str, pragmas: tuple[str, ...], *, connections: int) -> Engine:
    """Create a pooled engine for a file, with pragmas for each connection and an explicit statement that begins.

    `begin` = BEGIN IMMEDIATE for writers, which takes the write lock at once instead of failing later.
    """
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        poolclass=QueuePool,
        pool_size=connections,
        max_overflow=0,
        pool_timeout=BUSY_SECONDS,
        pool_use_lifo=True,  # the last used connection has warm statement and page caches
        connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False},
    )

    @event.listens_for(engine, "connect")
    def prepare(driver: sqlite3.Connection, _: ConnectionPoolEntry) -> None:
        """Prepare a new connection: no implicit transactions, write-ahead log, pragmas."""
        driver.isolation_level = None  # the driver begins no transactions by itself
        _enable_wal(driver)
        for pragma in (*pragmas, f"PRAGMA wal_autocheckpoint = {WAL_CHECKPOINT_PAGES}"):
            driver.execute(pragma)

    @event.listens_for(engine, "begin")
    def begin_explicitly(connection: Connection) -> None:
        """Begin a transaction, which the driver does not do by itself here."""
        execute_directly(connection, begin)

    return engine


def _enable_wal(driver: sqlite3.Connection) -> None:
    """Enable the write-ahead log; retries, because SQLite does not wait when two processes switch a new file."""
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            driver.execute("PRAGMA journal_mode = WAL").fetchall()
        except sqlite3.Error as failure:
            if failure.sqlite_errorname != "SQLITE_BUSY" or time.monotonic() > deadline:
                raise LedgerUnavailable("The ledger's file can't be read.", "a file that is a ledger.") from failure
            time.sleep(0.005)
        else:
            return


def _ensure_owner_only(path: Path) -> None:
    """Create the file for its owner only, and refuse one that others can open."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError as failure:
        raise LedgerUnavailable(f"The ledger {path} can't be opened.", "a path that can be written.") from failure
    if os.name == "posix" and mode & 0o077:
        raise UnsafeStore(f"The ledger {path} is open to others (mode {mode:o}).", f"chmod 600 {path}")
