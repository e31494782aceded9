"""Health probe: can the ledger be written now? And if not, a cause from a closed list."""

from __future__ import annotations

import errno
from collections.abc import Iterator

from sqlalchemy import Connection

_DISK_FULL = "ENOSPC"
# Phrases of libpq's messages -> the cause to report: the messages themselves name hosts and users.
_SERVER_CAUSES = (
    ("connection refused", "connection refused"),
    ("no such file or directory", "connection refused"),  # its socket file is missing
    ("timeout expired", "connection timed out"),
    ("could not translate host name", "host name not found"),
    ("password authentication failed", "authentication failed"),
    ("no route to host", "no route to host"),
    ("no space left on device", _DISK_FULL),
    ("the database system is", "the server is starting or stopping"),
    ("server closed the connection", "connection lost"),
    ("terminating connection", "connection lost"),
)


def write_probe(connection: Connection) -> None:
    """Make the transaction write something to disk, but no row of any table.

    In SQLite it changes user_version, a header field that nothing reads. In PostgreSQL it assigns a transaction id, so
    the commit is written to the log.
    """
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SELECT pg_current_xact_id()")
        return
    before = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
    connection.exec_driver_sql(f"PRAGMA user_version = {(before + 1) % 2**31}")


def failure_cause(error: BaseException) -> str:
    """Name the cause of a ledger failure: ENOSPC, connection refused, SQLITE_BUSY, ...; never a database's own text."""
    kind = type(error).__name__
    for each in _exception_chain(error):
        if (name := _cause_name(each)) is not None:
            return name
        kind = type(each).__name__
    return kind


def _cause_name(error: BaseException) -> str | None:
    """Cause that one exception names, from a closed list; None if it names none.

    Databases' messages contain hosts, users and paths, so that only error codes and recognized phrases are passed on.
    """
    sqlite_name = getattr(error, "sqlite_errorname", None)
    if sqlite_name is not None:
        return _DISK_FULL if sqlite_name == "SQLITE_FULL" else str(sqlite_name)
    if isinstance(error, OSError) and error.errno is not None:
        return errno.errorcode.get(error.errno, "OSError")
    if not type(error).__module__.startswith("psycopg"):
        return None
    text = str(error).lower()
    found = next((cause for words, cause in _SERVER_CAUSES if words in text), None)
    return found or getattr(error, "sqlstate", None) or type(error).__name__


def _exception_chain(error: BaseException) -> Iterator[BaseException]:
    """Iterate over an exception and its causes, the nearest first."""
    seen, queue = set[int](), [error]
    while queue:
        each = queue.pop(0)
        if id(each) not in seen:
            seen.add(id(each))
            yield each
            causes = (getattr(each, "orig", None), each.__cause__, each.__context__)
            queue += [cause for cause in causes if isinstance(cause, BaseException)]
