"""A cursor of PEP 249: one question at a time, and the rows of its answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NoReturn, Self

from passersby.dbapi.binding import BindingError, bound
from passersby.dbapi.errors import InterfaceError, NotSupportedError, ProgrammingError, as_database_errors

if TYPE_CHECKING:
    import pyarrow

    from passersby.dbapi.dbapi import Connection
    from passersby.result.result import Result

Description = tuple[str, str, None, None, None, None, bool]
Row = tuple[Any, ...]


class Cursor:
    """Asks, and gives rows; `result` has the intervals, the price and what is left."""

    arraysize = 1

    def __init__(self, connection: Connection) -> None:
        """Belong to a connection."""
        self.connection = connection
        self.result: Result | None = None
        self._next = 0
        self._closed = False

    @property
    def description(self) -> list[Description] | None:
        """Give name, SQL type and whether it may be NULL, of each column of the answer."""
        from passersby.result.wire import sql_type

        if self.result is None:
            return None
        schema = self.result.arrow().schema
        return [(field.name, sql_type(field.type), None, None, None, None, field.nullable) for field in schema]

    @property
    def rowcount(self) -> int:
        """Give the number of rows of the answer; -1 where there is none."""
        return -1 if self.result is None else len(self.result)

    def execute(self, operation: str, parameters: Sequence[object] = ()) -> Self:
        """Ask a question, its values in the places of its question marks, and pay for it.

        Raise ProgrammingError for what is refused, OperationalError for a short budget or a server out of reach.
        """
        self._check_open()
        self.result, self._next = None, 0
        try:
            sql = bound(operation, parameters) if parameters else operation
        except BindingError as error:
            raise ProgrammingError(str(error)) from error
        with as_database_errors():
            self.result = self.connection.asked.query(sql)
        return self

    def executemany(self, operation: str, seq_of_parameters: Sequence[Sequence[object]]) -> NoReturn:
        """Refuse: it is there for writing, and every question would cost."""
        del operation, seq_of_parameters
        self._check_open()
        raise NotSupportedError("Nothing is written here. Ask one question, with GROUP BY in the place of many values.")

    def fetchone(self) -> Row | None:
        """Give the next row, or None."""
        return next(iter(self.fetchmany(1)), None)

    def fetchmany(self, size: int | None = None) -> list[Row]:
        """Give the next rows: `arraysize` of them, if no size is given."""
        rows = self._rows()
        begin, self._next = self._next, min(len(rows), self._next + (self.arraysize if size is None else size))
        return rows[begin : self._next]

    def fetchall(self) -> list[Row]:
        """Give all rows that are left."""
        return self.fetchmany(len(self._rows()))

    def fetch_arrow_table(self) -> pyarrow.Table:
        """Give the whole answer as Arrow, with intervals and card in its metadata."""
        self._rows()
        assert self.result is not None  # noqa: S101  _rows has looked
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
        """Let the answer go."""
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
