"""The ledger's SQLite store on a simulated disk, through a minimal DB-API driver over apsw."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from typing import Any

import apsw
import pytest
import sqlalchemy

from budgets import Ledger
from budgets.stores import sqlite
from budgets.stores.open import open_store
from tests.support.ledger.disk import Disk, PowerCut

EXCLUSIVE_LOCKING = (
    "PRAGMA locking_mode = EXCLUSIVE"  # keeps the WAL index in process memory; the disk has no shared memory
)


class Driver:
    """The part of DB-API that the store needs, over apsw."""

    paramstyle, threadsafety, apilevel = "qmark", 1, "2.0"
    sqlite_version_info = tuple(int(part) for part in apsw.sqlite_lib_version().split("."))
    Error = DatabaseError = OperationalError = IntegrityError = InterfaceError = ProgrammingError = apsw.Error
    Binary = staticmethod(bytes)


class Cursor:
    arraysize = 100

    def __init__(self, connection: apsw.Connection) -> None:
        self.connection, self.rows, self.description = connection, [], None
        self.rowcount, self.lastrowid = -1, 0

    def execute(self, statement: str, values: Sequence[Any] = ()) -> Cursor:
        before = self.connection.total_changes()
        cursor = self.connection.cursor()
        cursor.exec_trace = self._described  # describe before running: impossible afterwards without rows
        self.rows = list(cursor.execute(statement, tuple(values)))
        self.rowcount, self.lastrowid = self.connection.total_changes() - before, self.connection.last_insert_rowid()
        return self

    def _described(self, cursor: apsw.Cursor, statement: str, values: Any) -> bool:
        self.description = [(name, *(None,) * 6) for name, *_ in cursor.get_description()] or None
        return True

    def executemany(self, statement: str, many: Sequence[Sequence[Any]]) -> None:
        before = self.connection.total_changes()
        for values in many:
            self.execute(statement, values)
        self.rowcount = self.connection.total_changes() - before

    def fetchone(self) -> Any:
        return self.rows.pop(0) if self.rows else None

    def fetchall(self) -> list[Any]:
        rows, self.rows = self.rows, []
        return rows

    def close(self) -> None:
        self.rows = []


class Connected:
    isolation_level = None

    def __init__(self, path: str, disk: Disk) -> None:
        self.apsw = apsw.Connection(path, vfs=disk.vfs_name)
        self.execute(EXCLUSIVE_LOCKING)

    def cursor(self) -> Cursor:
        return Cursor(self.apsw)

    def execute(self, statement: str, values: Sequence[Any] = ()) -> Cursor:
        return self.cursor().execute(statement, values)

    def executemany(self, statement: str, rows: Sequence[Sequence[Any]]) -> Cursor:
        cursor = self.cursor()
        cursor.executemany(statement, rows)
        return cursor

    def create_function(self, *arguments: Any, **options: Any) -> None:
        """Do nothing: the ledger defines no functions."""

    def commit(self) -> None:
        if not self.apsw.get_autocommit():
            self.execute("COMMIT")

    def rollback(self) -> None:
        with suppress(PowerCut, apsw.Error):
            if not self.apsw.get_autocommit():
                self.execute("ROLLBACK")

    def close(self) -> None:
        with suppress(PowerCut, apsw.Error):  # the disk may have lost its power
            self.apsw.close(True)


@contextmanager
def ledger_on(disk: Disk) -> Iterator[Ledger]:
    """Open a ledger on a simulated disk with its own code; reads use the one connection."""
    with pytest.MonkeyPatch.context() as patch:
        create = partial(sqlalchemy.create_engine, module=Driver, creator=lambda: Connected("/ledger", disk))
        patch.setattr(sqlite, "create_engine", create)
        patch.setattr(sqlite, "_ensure_owner_only", lambda path: None)
        patch.setattr(sqlite, "WAL_CHECKPOINT_PAGES", disk.pages_of_log)
        store = open_store("/ledger")
        ledger = Ledger(replace(store, reader=store.writer))
    try:
        yield ledger
    finally:
        ledger.close()
