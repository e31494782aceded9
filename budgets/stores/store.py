"""A ledger store: read and write connections, one exception type for database failures, portable SQL helpers.

Lists of texts, or of pairs of texts, are passed as one parameter of type JSON, so that one statement text serves 365
windows or 64 clients and contains no name.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from operator import itemgetter
from types import MappingProxyType
from typing import Any, ClassVar, Concatenate, NamedTuple, ParamSpec, Self, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import GenericFunction
from sqlalchemy.sql.operators import OperatorType

from budgets.accounting.records import Charge, ChargeRequest
from budgets.errors import LedgerUnavailable
from budgets.stores.group_commit import GroupCommit, RequestBatcher


class _ListFunction(GenericFunction[Any]):
    """A function over a list parameter, which is JSON; `sql` is its text in each database, with {} for arguments."""

    inherit_cache = True
    sql: ClassVar[Mapping[str, str]]


class text_elements(_ListFunction):  # noqa: N801  SQL function names are lower case
    """SQL: the elements of a JSON array of texts, one row each."""

    inherit_cache = True
    sql = MappingProxyType({"sqlite": "json_each({})", "postgresql": "jsonb_array_elements_text(CAST({} AS jsonb))"})


class is_among(_ListFunction):  # noqa: N801
    """SQL: whether the column is an element of a JSON array of texts, in the form that an index serves.

    That is IN of a subquery in SQLite, and = ANY of an array in PostgreSQL, where a subquery would be joined.
    """

    inherit_cache = True
    type = sa.Boolean()
    sql = MappingProxyType(
        {
            "sqlite": "{} IN (SELECT value FROM json_each({}))",
            "postgresql": "{} = ANY (ARRAY(SELECT jsonb_array_elements_text(CAST({} AS jsonb))))",
        }
    )

    def self_group(self, against: OperatorType | None = None) -> Self:
        """Prevent parentheses: a boolean in them would be compared with 1, which no index can serve."""
        return self


class pair_elements(_ListFunction):  # noqa: N801
    """SQL: the elements of a JSON array of pairs of texts, one row each."""

    inherit_cache = True
    sql = MappingProxyType({"sqlite": "json_each({})", "postgresql": "jsonb_array_elements(CAST({} AS jsonb))"})


class text_of_pair(_ListFunction):  # noqa: N801
    """SQL: the first (0) or second (1) text of a pair."""

    inherit_cache = True
    type = sa.Text()
    sql = MappingProxyType({"sqlite": "json_extract({}, '$[{}]')", "postgresql": "({} ->> {})"})


@compiles(_ListFunction)
def _compile_list_function(element: _ListFunction, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401
    """Compile a function by its text in the database."""
    return element.sql[compiler.dialect.name].format(*(compiler.process(each, **options) for each in element.clauses))


def in_list(column: sa.ColumnElement[Any], parameter: str) -> sa.ColumnElement[bool]:
    """Build the condition that a column is in the list of a parameter."""
    return is_among(column, sa.bindparam(parameter, type_=sa.JSON))


def lookup_pairs(
    one: sa.Column[Any], other: sa.Column[Any], parameter: str, *also: sa.ColumnElement[bool]
) -> sa.FromClause:
    """Look up rows by pairs of keys: an outer join of the parameter's list with the table; unmatched pairs have NULLs.

    SQLite plans an inner join or `(one, other) IN (...)` badly: it scans each row for each pair, or each first text for
    each second one.
    """
    pairs = pair_elements(sa.bindparam(parameter, type_=sa.JSON)).table_valued("value")
    texts = [text_of_pair(pairs.c.value, sa.literal_column(place)) for place in "01"]
    return pairs.outerjoin(one.table, sa.and_(one == texts[0], other == texts[1], *also))


def list_elements(parameter: str) -> sa.TableValuedAlias:
    """Table of the elements of a list parameter, in the column `value`."""
    return text_elements(sa.bindparam(parameter, type_=sa.JSON)).table_valued("value")


PrepareTables = Callable[[sa.Connection], None]  # creates missing tables; raises for others
Given = ParamSpec("Given")
Found = TypeVar("Found")
_Insert = sqlite.Insert | postgresql.Insert
# ON CONFLICT is a construct of each SQLAlchemy dialect
_INSERTS: dict[str, Callable[[sa.Table], _Insert]] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


@dataclass(frozen=True)
class Store:
    """One database: read and write engines, the durability check, group commit and request batching."""

    reader: sa.Engine
    writer: sa.Engine
    assert_durable: Callable[[sa.Connection], None]  # raises UnsafeStore
    group_commit: GroupCommit = field(default_factory=GroupCommit, repr=False)
    charge_batcher: RequestBatcher[ChargeRequest, Charge] = field(default_factory=RequestBatcher, repr=False)
    thread_state: threading.local = field(default_factory=threading.local, repr=False)  # an open `open_snapshot`

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """Open a read snapshot, or use that of the enclosing `open_snapshot`; raises LedgerUnavailable."""
        snapshot: sa.Connection | None = getattr(self.thread_state, "snapshot", None)
        if snapshot is not None:
            with _translate_errors():
                yield snapshot
            return
        with _translate_errors(), self.reader.connect() as connection:
            yield connection

    def read(
        self, query: Callable[Concatenate[sa.Connection, Given], Found], *args: Given.args, **more: Given.kwargs
    ) -> Found:
        """Return the result of one query in a read snapshot; raises LedgerUnavailable."""
        with self.reading() as connection:
            return query(connection, *args, **more)

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Context in which all reads of this thread use one snapshot; the thread must not write in it."""
        with self.reading() as connection:
            before, self.thread_state.snapshot = getattr(self.thread_state, "snapshot", None), connection
            try:
                yield
            finally:
                self.thread_state.snapshot = before

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """Write in a transaction that others may share; durable on exit. Raises LedgerUnavailable, UnsafeStore."""
        with _translate_errors(), self.group_commit.write_part(self._begin) as connection:
            yield connection

    def _begin(self) -> sa.Connection:
        """Begin a write transaction; a connection that a server restart has closed is replaced once."""
        try:
            return self._begin_on(self.writer.connect())
        except DBAPIError as failure:
            if not failure.connection_invalidated:
                raise
        return self._begin_on(self.writer.connect())  # retry once after a server restart: nothing was written yet

    def _begin_on(self, connection: sa.Connection) -> sa.Connection:
        """Begin a transaction on a connection and check that its commit will be durable; raises UnsafeStore."""
        try:
            connection.begin()
            self.assert_durable(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def prepared(self, prepare: PrepareTables) -> Self:
        """Create missing tables in one transaction, or close the store; raises UnsafeStore, LedgerUnavailable."""
        try:
            with self.writing() as connection:
                prepare(connection)
        except BaseException:
            self.close()
            raise
        return self

    def close(self) -> None:
        """Close all connections."""
        self.reader.dispose()
        self.writer.dispose()


def fetch_rows(connection: sa.Connection, statement: sa.Select[Any], parameters: Mapping[str, object]) -> Sequence[Any]:
    """Fetch the rows of a statement that is built once, as named tuples; raises SQLAlchemyError.

    SQLite's driver runs its text: for a few rows SQLAlchemy's own work takes five times as long as the statement.
    """
    driver = _sqlite_driver(connection)
    if driver is None:
        return connection.execute(statement, parameters).all()
    if not connection.in_transaction():
        connection.begin()  # the snapshot of everything that is read from here on
    built = _sqlite_statement(statement)
    with _driver_errors(connection):
        return [*map(_row_maker(statement), _driver_rows(driver, built.text, built.values(parameters)))]


def change_rows(
    connection: sa.Connection, statement: sa.Update | sa.Insert, rows: Sequence[Mapping[str, object]]
) -> int:
    """Run a statement that is built once, with the parameters of each row; returns how many rows it changed.

    SQLite's driver runs its text, as in `fetch_rows`. Raises SQLAlchemyError.
    """
    driver = _sqlite_driver(connection)
    if driver is None:
        return int(connection.execute(statement, rows).rowcount)
    built = _sqlite_statement(statement)
    with _driver_errors(connection):
        return _driver_changes(driver, built.text, [built.values(row) for row in rows])


def insert_new(connection: sa.Connection, table: sa.Table, row: dict[str, object]) -> bool:
    """Insert a row unless its key exists; returns whether it was inserted."""
    driver = _sqlite_driver(connection)
    if driver is None:
        return connection.execute(_insert_unless_exists(connection.dialect.name, table), row).one_or_none() is not None
    text = f"{_insert_from_values(table, tuple(row))} ON CONFLICT DO NOTHING"
    with _driver_errors(connection):
        return _driver_changes(driver, text, [tuple(row.values())]) == 1


def _sqlite_driver(connection: sa.Connection) -> DBAPIConnection | None:
    """Return the driver's connection to SQLite; None for another database."""
    return connection.connection.driver_connection if connection.dialect.name == "sqlite" else None


@contextmanager
def _driver_errors(connection: sa.Connection) -> Iterator[None]:
    """Translate the errors of SQLite's driver to SQLAlchemyError."""
    try:
        yield
    except connection.dialect.loaded_dbapi.Error as failure:
        raise SQLAlchemyError("a statement failed") from failure


def _driver_rows(driver: DBAPIConnection, text: str, values: Sequence[object]) -> Sequence[tuple[Any, ...]]:
    """Fetch the rows of a statement by the driver."""
    return driver.execute(text, values).fetchall()


def _driver_changes(driver: DBAPIConnection, text: str, rows: Sequence[Sequence[object]]) -> int:
    """Run a statement by the driver with each row of values; returns how many rows it changed."""
    return driver.executemany(text, rows).rowcount


@dataclass(frozen=True)
class _SqliteStatement:
    """A statement compiled for SQLite: its text, its parameters in order, and those with a constant."""

    text: str
    names: Sequence[str]
    constants: Mapping[str, object]

    def values(self, parameters: Mapping[str, object]) -> list[object]:
        """Values of the parameters, in order; lists as JSON."""
        given = ((parameters if name in parameters else self.constants)[name] for name in self.names)
        return [json.dumps(value) if isinstance(value, list | tuple) else value for value in given]


@cache
def _sqlite_statement(statement: sa.Select[Any] | sa.Update | sa.Insert) -> _SqliteStatement:
    """Compile a statement for SQLite."""
    compiled = statement.compile(dialect=sqlite.dialect())
    constants = {name: compiled.params[name] for bind, name in compiled.bind_names.items() if not bind.required}
    return _SqliteStatement(str(compiled), compiled.positiontup or (), constants)


@cache
def _row_maker(statement: sa.Select[Any]) -> Callable[[Iterable[Any]], Any]:
    """Return what makes a row of a statement, as a named tuple."""
    return NamedTuple("row_type", [(column.name, Any) for column in statement.selected_columns])._make


def insert_rows(connection: sa.Connection, table: sa.Table, rows: Sequence[Mapping[str, object]]) -> None:
    """Insert complete rows in bulk; PostgreSQL's driver would send one statement for each."""
    if not rows:
        return
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(_insert_from_json(table), {"rows": json.dumps([*rows], default=_bytea_literal)})
    else:
        columns = tuple(table.columns.keys())
        connection.exec_driver_sql(_insert_from_values(table, columns), [*map(_column_values(table), rows)])


@cache
def _insert_from_json(table: sa.Table) -> str:
    """Build PostgreSQL's INSERT of many rows from one JSON parameter `rows`; cached."""
    columns, rows = ", ".join(table.columns.keys()), f"json_populate_recordset(NULL::{table.name}, %(rows)s::json)"
    return f"INSERT INTO {table.name} ({columns}) SELECT {columns} FROM {rows}"


def _bytea_literal(value: object) -> str:
    r"""Encode bytes in JSON as PostgreSQL reads them: \x and hexadecimal digits."""
    if not isinstance(value, bytes):
        raise TypeError(f"no column of the ledger holds a {type(value).__name__}")
    return f"\\x{value.hex()}"


@cache
def _column_values(table: sa.Table) -> Callable[[Mapping[str, object]], Any]:
    """Getter of a row's values in column order, as a tuple; the table must have at least two columns."""
    return itemgetter(*table.columns.keys())


@cache
def _insert_from_values(table: sa.Table, columns: tuple[str, ...]) -> str:
    """Build SQLite's INSERT of one row from values of these columns, in order; cached."""
    return f"INSERT INTO {table.name} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"


@cache
def _insert_unless_exists(database: str, table: sa.Table) -> sa.Executable:
    """Build INSERT ... ON CONFLICT DO NOTHING RETURNING key; cached."""
    return _INSERTS[database](table).on_conflict_do_nothing().returning(*table.primary_key)


@contextmanager
def pipelined(connection: sa.Connection) -> Iterator[None]:
    """Pipeline statements without results, so that PostgreSQL is not awaited after each.

    All are complete on exit. Raises SQLAlchemyError if one failed: the transaction must be rolled back.
    """
    driver = connection.connection.driver_connection
    if connection.dialect.name != "postgresql" or driver is None:
        yield
        return
    try:
        with driver.pipeline():
            yield
    except connection.dialect.loaded_dbapi.Error as failure:
        raise SQLAlchemyError("a statement that was sent with others failed") from failure


@contextmanager
def _translate_errors() -> Iterator[None]:
    """Translate database errors to LedgerUnavailable; their own texts may contain data."""
    try:
        yield
    except SQLAlchemyError as failure:
        raise LedgerUnavailable(
            "The ledger can't be read or written now, so nothing is answered.",
            "the same question with the same request id in a moment; it is charged once at most.",
        ) from failure
