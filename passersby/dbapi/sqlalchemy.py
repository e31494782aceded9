"""SQLAlchemy dialect: `create_engine("passersby://HOST:PORT")`, with tables and columns from the catalog.

passersby://:KEY@HOST:PORT     a server; the key may also be PASSERSBY_API_KEY. HTTP to this machine, HTTPS otherwise
passersby:///operator          a catalog in process, by name or file; ?client=NAME&ledger=FILE
"""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from sqlalchemy import types
from sqlalchemy.engine import reflection
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.exc import NoSuchTableError

from passersby.client.address import is_loopback
from passersby.text.numbers import declared_text

if TYPE_CHECKING:
    from sqlalchemy.engine import URL, Connection
    from sqlalchemy.engine.interfaces import ConnectArgsType, DBAPIConnection

JsonObject = dict[str, Any]
DEFAULT_SCHEMA = "main"  # DuckDB's default schema
SQL_TYPES: Mapping[str, type[types.TypeEngine[Any]]] = {
    "BOOLEAN": types.BOOLEAN,
    "TINYINT": types.SMALLINT,
    "SMALLINT": types.SMALLINT,
    "INTEGER": types.INTEGER,
    "UTINYINT": types.SMALLINT,
    "USMALLINT": types.INTEGER,
    "UINTEGER": types.BIGINT,
    "BIGINT": types.BIGINT,
    "UBIGINT": types.BIGINT,
    "FLOAT": types.FLOAT,
    "DOUBLE": types.DOUBLE,
    "VARCHAR": types.VARCHAR,
    "DATE": types.DATE,
    "TIME": types.TIME,
    "TIMESTAMP": types.TIMESTAMP,
}


class PassersbyDialect(DefaultDialect):
    """SQLAlchemy dialect, read-only and without transactions."""

    name = "passersby"
    driver = "dbapi"
    default_schema_name = DEFAULT_SCHEMA
    default_paramstyle = "qmark"
    supports_statement_cache = True
    supports_native_boolean = True
    supports_native_decimal = True
    supports_multivalues_insert = False
    supports_comments = True
    supports_alter = False
    max_identifier_length = 255

    @classmethod
    def import_dbapi(cls) -> ModuleType:
        """DB-API module that SQLAlchemy drives: passersby.dbapi."""
        from passersby.dbapi import pep249 as dbapi

        return dbapi

    def create_connect_args(self, url: URL) -> ConnectArgsType:
        """Parse the URL; the API key is its password, which SQLAlchemy masks."""
        options = {name: str(value) for name, value in url.query.items()}
        if url.username:
            options["client"] = url.username
        if url.host is None:
            return (url.database or "operator",), options
        host = f"[{url.host}]" if ":" in url.host else url.host
        place = f"//{host}{'' if url.port is None else f':{url.port}'}/{url.database or ''}"
        where = f"{'http' if is_loopback(urlsplit(place)) else 'https'}:{place}"
        return (where,), options if url.password is None else {**options, "api_key": str(url.password)}

    def initialize(self, connection: Connection) -> None:
        """Skip SQLAlchemy's start-up queries: their answers are constants."""

    def do_ping(self, dbapi_connection: DBAPIConnection) -> bool:
        """Return whether the connection is alive: its list of tables can be read."""
        return bool(_native_connection(dbapi_connection).tables())

    def get_isolation_level_values(self, dbapi_conn: DBAPIConnection) -> list[Any]:
        """Return the only isolation level."""
        return ["AUTOCOMMIT"]

    def get_isolation_level(self, dbapi_connection: DBAPIConnection) -> Any:
        """Return AUTOCOMMIT."""
        return "AUTOCOMMIT"

    def get_default_isolation_level(self, dbapi_conn: DBAPIConnection) -> Any:
        """Return AUTOCOMMIT."""
        return "AUTOCOMMIT"

    def set_isolation_level(self, dbapi_connection: DBAPIConnection, level: Any) -> None:
        """Do nothing: there is only one level."""

    def reset_isolation_level(self, dbapi_conn: DBAPIConnection) -> None:
        """Do nothing: there is only one level."""

    def get_schema_names(self, connection: Connection, **kw: Any) -> list[str]:
        """Return the only schema."""
        return [DEFAULT_SCHEMA]

    @reflection.cache
    def get_table_names(self, connection: Connection, schema: str | None = None, **kw: Any) -> list[str]:
        """List the tables available to queries."""
        return [table["name"] for table in self._tables(connection, info_cache=kw.get("info_cache"))]

    def get_view_names(self, connection: Connection, schema: str | None = None, **kw: Any) -> list[str]:
        """Return an empty list: there are no views."""
        return []

    def has_table(self, connection: Connection, table_name: str, schema: str | None = None, **kw: Any) -> bool:
        """Return whether a table is available to queries."""
        return table_name in self.get_table_names(connection, schema, **kw)

    def get_columns(self, connection: Connection, table_name: str, schema: str | None = None, **kw: Any) -> list[Any]:
        """List a table's columns, with declared bounds and values as comments."""
        return [_column(column) for column in self._table(connection, table_name, kw)["columns"]]

    def get_pk_constraint(self, connection: Connection, table_name: str, schema: str | None = None, **kw: Any) -> Any:
        """Return the declared primary key."""
        return {"constrained_columns": self._table(connection, table_name, kw)["primary_key"], "name": None}

    def get_table_comment(self, connection: Connection, table_name: str, schema: str | None = None, **kw: Any) -> Any:
        """Return whether a table is private or public, as its comment."""
        private = self._table(connection, table_name, kw)["kind"] == "private"
        return {"text": "private: answered with noise, never row by row" if private else "public"}

    def get_foreign_keys(
        self, connection: Connection, table_name: str, schema: str | None = None, **kw: Any
    ) -> list[Any]:
        """Return an empty list: foreign keys are not exposed."""
        return []

    def get_indexes(self, connection: Connection, table_name: str, schema: str | None = None, **kw: Any) -> list[Any]:
        """Return an empty list: there are no indexes."""
        return []

    @reflection.cache
    def _tables(self, connection: Connection, **kw: Any) -> list[JsonObject]:
        return list(_native_connection(connection.connection.dbapi_connection).tables())

    def _table(self, connection: Connection, name: str, kw: JsonObject) -> JsonObject:
        for table in self._tables(connection, info_cache=kw.get("info_cache")):
            if table["name"] == name:
                return table
        raise NoSuchTableError(name)


def _native_connection(dbapi_connection: Any) -> Any:
    return dbapi_connection.native


def _column(column: JsonObject) -> JsonObject:
    element, many, _ = str(column["type"]).partition("[]")
    kind = SQL_TYPES.get(element.partition("(")[0], types.NullType)()
    return {
        "name": column["name"],
        "type": types.ARRAY(kind) if many else kind,
        "nullable": column["nullable"],
        "default": None,
        "comment": declared_text(column) or None,
    }
