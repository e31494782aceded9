"""Can a ledger be written now? A commit that changes no table; and, where not, the cause in a word of a closed list."""

from __future__ import annotations

import errno
from collections.abc import Iterator

from sqlalchemy import Connection

_FULL = "ENOSPC"
# Words of PostgreSQL's client library -> what is told of them: its own text names hosts and users.
_OF_SERVERS = (
    ("connection refused", "connection refused"),
    ("no such file or directory", "connection refused"),  # its socket is gone
    ("timeout expired", "connection timed out"),
    ("could not translate host name", "host name not found"),
    ("password authentication failed", "authentication failed"),
    ("no route to host", "no route to host"),
    ("no space left on device", _FULL),
    ("the database system is", "the server is starting or stopping"),
    ("server closed the connection", "connection lost"),
    ("terminating connection", "connection lost"),
)


def write_probe(connection: Connection) -> None:
    """Write what a commit has to bring to the disk, and no row of any table.

    SQLite's user_version is a number of the file's head that nothing reads; a transaction of PostgreSQL that has a
    number is written into its log.
    """
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SELECT pg_current_xact_id()")
        return
    before = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
    connection.exec_driver_sql(f"PRAGMA user_version = {(before + 1) % 2**31}")


def cause_of(error: BaseException) -> str:
    """Name why a ledger can't be used: ENOSPC, connection refused, SQLITE_BUSY, ...; never a text of a database."""
    kind = type(error).__name__
    for each in _chain(error):
        if (name := _named(each)) is not None:
            return name
        kind = type(each).__name__
    return kind


def _named(error: BaseException) -> str | None:
    of_sqlite = getattr(error, "sqlite_errorname", None)
    if of_sqlite is not None:
        return _FULL if of_sqlite == "SQLITE_FULL" else str(of_sqlite)
    if isinstance(error, OSError) and error.errno is not None:
        return errno.errorcode.get(error.errno, "OSError")
    if not type(error).__module__.startswith("psycopg"):
        return None
    text = str(error).lower()
    found = next((told for words, told in _OF_SERVERS if words in text), None)
    return found or getattr(error, "sqlstate", None) or type(error).__name__


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Walk an error and what it came from, the first cause last."""
    seen, following = set[int](), [error]
    while following:
        each = following.pop(0)
        if id(each) not in seen:
            seen.add(id(each))
            yield each
            causes = (getattr(each, "orig", None), each.__cause__, each.__context__)
            following += [cause for cause in causes if isinstance(cause, BaseException)]
