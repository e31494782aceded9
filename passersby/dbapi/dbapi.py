"""DB-API 2.0 (PEP 249) over a connection, for tools that know databases: pandas, polars, SQLAlchemy, JupySQL.

A cursor gives the columns that were asked for; `cursor.result` has their intervals, the price and what is left.
There are no transactions: a question that was paid for stays paid for, and asking it again is free.
"""

from __future__ import annotations

import os
from datetime import UTC, date, datetime, time
from types import TracebackType
from typing import Self

import passersby.client.connection
from passersby.client import opening
from passersby.dbapi.cursor import Cursor
from passersby.dbapi.errors import (
    DatabaseError,
    DataError,
    Error,
    IntegrityError,
    InterfaceError,
    InternalError,
    NotSupportedError,
    OperationalError,
    ProgrammingError,
    Warning,  # noqa: A004  PEP 249 names it so
    as_database_errors,
)
from passersby.dbapi.types import BINARY, DATETIME, NUMBER, ROWID, STRING

apilevel = "2.0"
threadsafety = 1  # threads may share the module, but no connection
paramstyle = "qmark"
Date, Time, Timestamp, Binary = date, time, datetime, bytes

__all__ = [
    "BINARY",
    "DATETIME",
    "NUMBER",
    "ROWID",
    "STRING",
    "Binary",
    "Connection",
    "Cursor",
    "DataError",
    "DatabaseError",
    "Date",
    "DateFromTicks",
    "Error",
    "IntegrityError",
    "InterfaceError",
    "InternalError",
    "NotSupportedError",
    "OperationalError",
    "ProgrammingError",
    "Time",
    "TimeFromTicks",
    "Timestamp",
    "TimestampFromTicks",
    "Warning",
    "apilevel",
    "connect",
    "paramstyle",
    "threadsafety",
]


def connect(
    where: str | os.PathLike[str],
    *,
    client: str | None = None,
    api_key: str | None = None,
    ledger: str | os.PathLike[str] | None = None,
) -> Connection:
    """Open what `passersby.connect` opens; raise OperationalError, or InterfaceError, with its code and hint."""
    with as_database_errors():
        return Connection(opening.connect(where, client=client, api_key=api_key, ledger=ledger))


class Connection:
    """A connection as PEP 249 has it; `asked` is the one below, with explain, budget and history."""

    Warning, Error, InterfaceError, DatabaseError = Warning, Error, InterfaceError, DatabaseError
    DataError, OperationalError, IntegrityError = DataError, OperationalError, IntegrityError
    InternalError, ProgrammingError, NotSupportedError = InternalError, ProgrammingError, NotSupportedError

    def __init__(self, asked: passersby.connection.Connection) -> None:
        """Stand before a connection."""
        self.asked = asked
        self._closed = False

    def cursor(self) -> Cursor:
        """Give a cursor."""
        self.check_open()
        return Cursor(self)

    def commit(self) -> None:
        """Do nothing: there are no transactions."""
        self.check_open()

    def rollback(self) -> None:
        """Do nothing: nothing can be taken back, and what was charged stays charged."""
        self.check_open()

    def close(self) -> None:
        """Close it."""
        self.check_open()
        self._closed = True
        self.asked.close()

    def check_open(self) -> None:
        """Raise InterfaceError once it is closed."""
        if self._closed:
            raise InterfaceError("This connection is closed.")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._closed:
            self.close()


def DateFromTicks(ticks: float) -> date:  # noqa: N802  PEP 249 names it so
    """Give the day of a moment in seconds since 1970, in UTC."""
    return _moment(ticks).date()


def TimeFromTicks(ticks: float) -> time:  # noqa: N802
    """Give the time of day of a moment in seconds since 1970, in UTC."""
    return _moment(ticks).time()


def TimestampFromTicks(ticks: float) -> datetime:  # noqa: N802
    """Give a moment in seconds since 1970, in UTC, without a zone as SQL has it."""
    return _moment(ticks).replace(tzinfo=None)


def _moment(ticks: float) -> datetime:
    return datetime.fromtimestamp(ticks, UTC)
