"""The exceptions of PEP 249, made of the door's own: each keeps code and hint, and the door's as its cause.

Exception
├── Warning
└── Error                  code, hint
    ├── InterfaceError     a closed cursor, values that do not fit, a package that is missing
    └── DatabaseError
        ├── DataError
        ├── OperationalError   a budget, a server, a ledger, a catalog: not the question
        ├── IntegrityError
        ├── InternalError
        ├── ProgrammingError   a question that is refused as it stands
        └── NotSupportedError
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from passersby.errors import InstallError, PassersbyError, RefusedError


class Warning(Exception):  # noqa: A001  PEP 249 names it so
    """Never raised: notes stand with a result."""


class Error(Exception):
    """Whatever a cursor says no with."""

    code = ""
    hint = ""

    @classmethod
    def of(cls, error: PassersbyError) -> Error:
        """Keep what the door says: its whole text, and the fields for programs."""
        made = cls(str(error))
        made.code, made.hint = error.code, error.hint
        return made


class InterfaceError(Error):
    """A cursor or a connection that is used as it can't be."""


class DatabaseError(Error):
    """What a question was answered with, where it was not answered."""


class DataError(DatabaseError):
    """Never raised: no form of the dialect fails on a value."""


class OperationalError(DatabaseError):
    """A budget that is short, or a server, ledger or catalog that can't be used."""


class IntegrityError(DatabaseError):
    """Never raised: nothing is written."""


class InternalError(DatabaseError):
    """Never raised: there are no transactions to fail."""


class ProgrammingError(DatabaseError):
    """A question that is refused as it stands; it cost nothing."""


class NotSupportedError(DatabaseError):
    """What a question can't be."""


@contextmanager
def as_database_errors() -> Iterator[None]:
    """Turn the door's errors into those of PEP 249."""
    try:
        yield
    except RefusedError as error:
        raise ProgrammingError.of(error) from error
    except InstallError as error:
        raise InterfaceError.of(error) from error
    except PassersbyError as error:
        raise OperationalError.of(error) from error
