"""Exceptions of PEP 249, converted from those of passersby: code and hint are copied, the original is the cause.

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

from collections.abc import Iterator
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
