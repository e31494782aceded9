"""DB-API 2.0 (PEP 249) connections and cursors, for pandas, polars, SQLAlchemy, JupySQL and others.

A cursor runs one query at a time and returns the selected columns; `cursor.result` has intervals, price and remaining
budget. There are no transactions: a charge is final, and repeating a query is free.

Exceptions are those of PEP 249, converted from those of passersby: code and hint are copied, the original is the cause.

Exception
├── Warning
└── Error                  code, hint
    ├── InterfaceError     a closed cursor, parameters that do not match, a missing package
    └── DatabaseError
        ├── DataError
        ├── OperationalError   budget, server, ledger or catalog, not the query
        ├── IntegrityError
        ├── InternalError
        ├── ProgrammingError   a refused query
        └── NotSupportedError
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING, Any, NoReturn, Self

import passersby.client.connection
from passersby.client import connect as opening
from passersby.dbapi.binding import BindingError, bind_parameters

if TYPE_CHECKING:
    import pyarrow

    from passersby.result.result import Result
from contextlib import contextmanager

from passersby.errors import InstallError, PassersbyError, RefusedError


class Warning(Exception):  # noqa: A001  PEP 249 names it so
    """Never raised: warnings are notes of a result."""


class Error(Exception):
    """Base class of a cursor's errors."""

    code = ""
    hint = ""

    @classmethod
    def from_passersby(cls, error: PassersbyError) -> Error:
        """Convert an error of passersby: its text, code and hint."""
        converted = cls(str(error))
        converted.code, converted.hint = error.code, error.hint
        return converted


class InterfaceError(Error):
    """Misuse of a cursor or connection, or a missing package."""


class DatabaseError(Error):
    """A query that was not answered."""


class DataError(DatabaseError):
    """Never raised: expressions of the dialect are total, no value makes them fail."""


class OperationalError(DatabaseError):
    """An exhausted budget, or a server, ledger or catalog that is not usable."""


class IntegrityError(DatabaseError):
    """Never raised: nothing is written."""


class InternalError(DatabaseError):
    """Never raised: there are no transactions to fail."""


class ProgrammingError(DatabaseError):
    """A query that is refused as written; it cost nothing."""


class NotSupportedError(DatabaseError):
    """An operation that this interface does not have."""


@contextmanager
def translate_errors() -> Iterator[None]:
    """Convert errors of passersby to those of PEP 249."""
    try:
        yield
    except RefusedError as error:
        raise ProgrammingError.from_passersby(error) from error
    except InstallError as error:
        raise InterfaceError.from_passersby(error) from error
    except PassersbyError as error:
        raise OperationalError.from_passersby(error) from error


class TypeObject(frozenset[str]):
    """A set of SQL types, comparable to a column's type code; DECIMAL(9,2) counts as DECIMAL."""

    def __eq__(self, other: object) -> bool:
        return other.partition("(")[0] in self if isinstance(other, str) else super().__eq__(other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = frozenset.__hash__


STRING = TypeObject({"VARCHAR"})
BINARY = TypeObject({"BLOB"})
NUMBER = TypeObject(
    {"BOOLEAN", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT"}
    | {"FLOAT", "DOUBLE", "DECIMAL"}
)
DATETIME = TypeObject({"DATE", "TIME", "TIMESTAMP", "TIMESTAMPTZ"})
ROWID = TypeObject()


Description = tuple[str, str, None, None, None, None, bool]
Row = tuple[Any, ...]


class Cursor:
    """A PEP 249 cursor; `result` has intervals, price and remaining budget."""

    arraysize = 1

    def __init__(self, connection: Connection) -> None:
        """Create a cursor of a connection."""
        self.connection = connection
        self.result: Result | None = None
        self._next = 0
        self._closed = False

    @property
    def description(self) -> list[Description] | None:
        """Column descriptions as in PEP 249: name, SQL type, nullability; None before a query."""
        from passersby.result.wire import sql_type

        if self.result is None:
            return None
        schema = self.result.arrow().schema
        return [(field.name, sql_type(field.type), None, None, None, None, field.nullable) for field in schema]

    @property
    def rowcount(self) -> int:
        """Number of rows of the result; -1 if there is none."""
        return -1 if self.result is None else len(self.result)

    def execute(self, operation: str, parameters: Sequence[object] = ()) -> Self:
        """Run a query and pay for it; `parameters` replace its question marks.

        Raise ProgrammingError for a refused query, OperationalError for an exhausted budget or an unreachable server.
        """
        self._check_open()
        self.result, self._next = None, 0
        try:
            sql = bind_parameters(operation, parameters) if parameters else operation
        except BindingError as error:
            raise ProgrammingError(str(error)) from error
        with translate_errors():
            self.result = self.connection.native.query(sql)
        return self

    def executemany(self, operation: str, seq_of_parameters: Sequence[Sequence[object]]) -> NoReturn:
        """Raise NotSupportedError: nothing can be written, and each query would be charged."""
        del operation, seq_of_parameters
        self._check_open()
        raise NotSupportedError("Nothing is written here. Ask one question, with GROUP BY in the place of many values.")

    def fetchone(self) -> Row | None:
        """Next row of the result as a tuple; None after the last."""
        return next(iter(self.fetchmany(1)), None)

    def fetchmany(self, size: int | None = None) -> list[Row]:
        """Return the next rows: `size`, by default `arraysize`."""
        rows = self._rows()
        begin, self._next = self._next, min(len(rows), self._next + (self.arraysize if size is None else size))
        return rows[begin : self._next]

    def fetchall(self) -> list[Row]:
        """Return all remaining rows."""
        return self.fetchmany(len(self._rows()))

    def fetch_arrow_table(self) -> pyarrow.Table:
        """Return the whole result as Arrow, with intervals and privacy card in its metadata."""
        self._rows()
        assert self.result is not None  # noqa: S101  checked by _rows
        return self.result.arrow()

    def setinputsizes(self, sizes: Sequence[object]) -> None:
        """Do nothing, as PEP 249 allows."""
        del sizes
        self._check_open()

    def setoutputsize(self, size: int, column: int | None = None) -> None:
        """Do nothing, as PEP 249 allows."""
        del size, column
        self._check_open()

    def close(self) -> None:
        """Close the cursor and drop its result."""
        self._closed, self.result = True, None

    def _rows(self) -> list[Row]:
        self._check_open()
        if self.result is None:
            raise ProgrammingError("Nothing was asked: execute a question first.")
        return self.result.rows

    def _check_open(self) -> None:
        if self._closed:
            raise InterfaceError("This cursor is closed.")
        self.connection.check_open()

    def __iter__(self) -> Iterator[Row]:
        return iter(self.fetchone, None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *ended: object) -> None:
        self.close()


apilevel = "2.0"
threadsafety = 1  # threads may share the module but not connections
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
    """Connect as `passersby.connect` does; raise OperationalError or InterfaceError, with its code and hint."""
    with translate_errors():
        return Connection(opening.connect(where, client=client, api_key=api_key, ledger=ledger))


class Connection:
    """A PEP 249 connection; its native connection has explain, budget and history."""

    Warning, Error, InterfaceError, DatabaseError = Warning, Error, InterfaceError, DatabaseError
    DataError, OperationalError, IntegrityError = DataError, OperationalError, IntegrityError
    InternalError, ProgrammingError, NotSupportedError = InternalError, ProgrammingError, NotSupportedError

    def __init__(self, native: passersby.client.connection.Connection) -> None:
        """Wrap a native connection."""
        self.native = native
        self._closed = False

    def cursor(self) -> Cursor:
        """Create a cursor; all cursors of a connection charge one client."""
        self.check_open()
        return Cursor(self)

    def commit(self) -> None:
        """Do nothing: there are no transactions."""
        self.check_open()

    def rollback(self) -> None:
        """Do nothing: charges cannot be undone."""
        self.check_open()

    def close(self) -> None:
        """Close the native connection."""
        self.check_open()
        self._closed = True
        self.native.close()

    def check_open(self) -> None:
        """Raise InterfaceError if the connection is closed."""
        if self._closed:
            raise InterfaceError("This connection is closed.")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        if not self._closed:
            self.close()


def DateFromTicks(ticks: float) -> date:  # noqa: N802  PEP 249 names it so
    """Convert seconds since 1970 to a UTC date."""
    return datetime.fromtimestamp(ticks, UTC).date()


def TimeFromTicks(ticks: float) -> time:  # noqa: N802
    """Convert seconds since 1970 to a UTC time of day."""
    return datetime.fromtimestamp(ticks, UTC).time()


def TimestampFromTicks(ticks: float) -> datetime:  # noqa: N802
    """Convert seconds since 1970 to a UTC timestamp without time zone."""
    return datetime.fromtimestamp(ticks, UTC).replace(tzinfo=None)
