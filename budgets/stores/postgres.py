"""PostgreSQL: synchronous commits, one writer at a time, TLS to every other machine."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, NoReturn

from sqlalchemy import URL, Connection, Engine, QueuePool, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import ConnectionPoolEntry

from budgets.errors import LedgerUnavailable, UnsafeStore
from budgets.stores.ledger_format import ensure_schema
from budgets.stores.store import PrepareTables, Store

if TYPE_CHECKING:
    import psycopg

SCHEMES = ("postgresql://", "postgres://")
BUSY_SECONDS = 20
STATEMENT_SECONDS = 30
IDLE_SECONDS = 60  # after which the server releases the locks of a vanished writer
MAX_READERS = 8
MIN_VERSION = 15  # oldest release that PostgreSQL supported when this was written
VERIFIED_SSL_MODES = ("verify-full", "verify-ca")
ALLOWED_PARAMETERS = {
    "host",
    "port",
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "sslcrl",
    "application_name",
    "options",
}
DURABLE_SETTINGS = {
    "fsync": ("on",),  # off: commits stay in the OS cache, and a power cut loses them
    "full_page_writes": ("on",),  # off: a power cut can leave a torn page
    "synchronous_commit": ("on", "remote_apply"),  # others return before the flush, here or on the standby
    "transaction_isolation": ("read committed",),  # each statement sees all commits before the lock was acquired
    "transaction_read_only": ("off",),
}

_TIMEOUT_SETTINGS = {
    "lock_timeout": f"{BUSY_SECONDS}s",
    "statement_timeout": f"{STATEMENT_SECONDS}s",
    "idle_in_transaction_session_timeout": f"{IDLE_SECONDS}s",
}
# Charging looks up by key; at 10,000 charges the planner prefers a sequential scan to 64 index lookups.
_INDEX_LOOKUP_SETTINGS = {"enable_seqscan": "off", "enable_hashjoin": "off", "enable_mergejoin": "off", "jit": "off"}
# One advisory lock per ledger (schema): taken first, held until the commit; no other lock is waited for.
_LOCK_STATEMENT = "SELECT pg_advisory_xact_lock(hashtext('passersby ledger'), hashtext(current_schema()::text))"
# The setting is pinned as read, so that a configuration reload cannot change it during this transaction.
_DURABILITY_QUERY = (
    "SELECT current_setting('fsync') AS fsync, current_setting('full_page_writes') AS full_page_writes, "
    "set_config('synchronous_commit', current_setting('synchronous_commit'), true) AS synchronous_commit, "
    "current_setting('transaction_isolation') AS transaction_isolation, "
    "current_setting('transaction_read_only') AS transaction_read_only"
)
_SERVER_QUERY = (
    "SELECT current_setting('server_version_num')::int / 10000 AS version, "
    "current_setting('server_encoding') AS encoding, pg_is_in_recovery() AS in_recovery, "
    "current_schema() IS NULL AS nowhere, "
    "(SELECT count(*) FROM pg_class WHERE relkind = 'r' AND relpersistence <> 'p' "
    "AND relnamespace = current_schema()::regnamespace) AS unlogged"
)


def is_postgres(address: str) -> bool:
    """Is a ledger's address a PostgreSQL URL? Anything else is a SQLite file."""
    return address.lower().startswith(SCHEMES)


def open_postgres(address: str, prepare: PrepareTables = ensure_schema) -> Store:
    """Open or create a ledger in a database; raises UnsafeStore, LedgerUnavailable."""
    url = _parse_address(address)
    # One pooled write connection per process: its threads wait for the pool, not for the server's lock.
    writer = _engine(
        url, _TIMEOUT_SETTINGS | _INDEX_LOOKUP_SETTINGS, connections=1, ping=False, isolation_level="READ COMMITTED"
    )
    only_reads: dict[str, str | bool] = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    reader = _engine(url, _TIMEOUT_SETTINGS, connections=MAX_READERS, ping=True, **only_reads)
    event.listen(writer, "begin", _acquire_lock)
    store = Store(reader, writer, assert_durable)
    try:
        with store.reading() as connection:
            _check_server(connection)
    except LedgerUnavailable as failure:
        store.close()
        _raise_unreachable(url, failure)
    except BaseException:
        store.close()
        raise
    return store.prepared(prepare)


def assert_durable(connection: Connection) -> None:
    """Refuse a transaction whose commit a power cut or a failover could undo.

    Claim: a commit that returned survives a crash, a power cut and a failover to a synchronous standby. Symbols:
    PostgreSQL's fsync, full_page_writes, synchronous_commit. Formula: on, on, and on or remote_apply, checked in every
    write transaction, where the last is pinned until its commit. Source:
    postgresql.org/docs/current/runtime-config-wal.html; proofs.md#durable-before-data-is-read. Raises UnsafeStore.
    """
    found = connection.exec_driver_sql(_DURABILITY_QUERY).mappings().one()
    for setting, allowed in DURABLE_SETTINGS.items():
        if found[setting] not in allowed:
            raise UnsafeStore(
                f"The ledger's server has {setting} = {found[setting]}; {' or '.join(allowed)} is needed, "
                "or charges that were acknowledged can be lost.",
                f"ALTER ROLE CURRENT_USER SET {setting} = {allowed[0]}, or the server's configuration.",
            )


def _check_server(connection: Connection) -> None:
    """Refuse a server that cannot store a ledger safely; raises UnsafeStore."""
    found = connection.exec_driver_sql(_SERVER_QUERY).one()
    checks = (
        (found.version < MIN_VERSION, f"is PostgreSQL {found.version}", f"PostgreSQL {MIN_VERSION} or later."),
        (found.in_recovery, "is a standby", "the primary server's address."),
        (found.encoding != "UTF8", f"keeps text as {found.encoding}", "a database made with ENCODING 'UTF8'."),
        (found.nowhere, "has no schema to keep it in", "CREATE SCHEMA, or another search_path."),
        (found.unlogged > 0, "keeps tables that a crash empties", "ALTER TABLE ... SET LOGGED."),
    )
    for is_unfit, what, hint in checks:
        if is_unfit:
            raise UnsafeStore(f"The ledger's server {what}.", hint)


def _parse_address(address: str) -> URL:
    """Parse an address and require TLS to another machine; errors never show it, because it may contain a password."""
    try:
        url = make_url("postgresql+psycopg://" + address.partition("://")[2])
    except (ArgumentError, ValueError):
        raise UnsafeStore(
            "The ledger's address can't be read.", "postgresql://user@host/database, the password in ~/.pgpass."
        ) from None
    if unknown := set(url.query) - ALLOWED_PARAMETERS:
        raise UnsafeStore(
            f"The ledger's address has parts that are not known: {', '.join(sorted(unknown))}.",
            f"any of {', '.join(sorted(ALLOWED_PARAMETERS))}.",
        )
    if all(_is_local(host) for host in _hosts(url)):
        return url
    mode = url.query.get("sslmode", VERIFIED_SSL_MODES[0])
    if mode not in VERIFIED_SSL_MODES:
        raise UnsafeStore(
            f"The ledger's server is another machine, and sslmode={mode} does not make sure which.",
            "sslmode=verify-full, with sslrootcert=FILE for the certificate of who signed the server's.",
        )
    return url.update_query_dict({"sslmode": mode})


def _hosts(url: URL) -> list[str]:
    """List the hosts that an address or the environment names; empty text is this machine's socket."""
    named = url.query.get("host", ())
    hosts = [url.host or "", *((named,) if isinstance(named, str) else named)]
    hosts = [host for hosts in hosts for host in hosts.split(",") if host]
    return [*(hosts or [os.environ.get("PGHOST", "")]), os.environ.get("PGHOSTADDR", "")]


def _is_local(host: str) -> bool:
    """Check whether a host is this machine: a socket (empty, a path, abstract with @), localhost, or loopback."""
    if host in ("", "localhost") or host.startswith(("/", "@")):
        return True
    try:
        return ipaddress.ip_address(host.partition(":/")[0].strip("[]")).is_loopback
    except ValueError:
        return False


def _engine(
    url: URL, settings: Mapping[str, str], *, connections: int, ping: bool, **execution_options: str | bool
) -> Engine:
    """Create a pooled engine for a server, with settings for each connection; raises LedgerUnavailable without psycopg.

    `connections` = size of the pool; `ping` = test a pooled connection before use. Statement parameters are never in
    error messages, because they may contain query texts.
    """
    if find_spec("psycopg") is None:
        raise LedgerUnavailable(
            "A ledger in PostgreSQL needs psycopg.", "pip install '.[engine,postgres]', in the clone of passersby"
        )
    options_text = " ".join(f"-c {name}={value}" for name, value in settings.items())
    options = f"{url.query.get('options', '')} {options_text}".strip()
    engine = create_engine(
        url.difference_update_query(["options"]),
        poolclass=QueuePool,
        pool_size=connections,
        max_overflow=0,
        pool_timeout=BUSY_SECONDS,
        pool_use_lifo=True,  # the last used connection has warm statement and page caches
        pool_pre_ping=ping,  # readers survive a server restart; writers reconnect in Store._begin
        execution_options=execution_options,
        connect_args={
            "options": options,
            "connect_timeout": BUSY_SECONDS,
            "client_encoding": "utf8",
            "tcp_user_timeout": STATEMENT_SECONDS * 1000,
        },
        hide_parameters=True,
    )
    event.listen(engine, "connect", _assert_encrypted)
    return engine


def _assert_encrypted(driver: psycopg.Connection[tuple[object, ...]], _: ConnectionPoolEntry) -> None:
    """Check the connection itself for TLS, independently of address and environment; raises UnsafeStore."""
    if not driver.pgconn.ssl_in_use and not _is_local(driver.info.hostaddr or driver.info.host):
        raise UnsafeStore("The line to the ledger's server is not encrypted.", "sslmode=verify-full in its address.")


def _acquire_lock(connection: Connection) -> None:
    """Acquire the ledger's advisory lock, held until the end of the transaction: one writer at a time."""
    connection.exec_driver_sql(_LOCK_STATEMENT)


def _raise_unreachable(url: URL, failure: LedgerUnavailable) -> NoReturn:
    """Raise LedgerUnavailable with the server's address, without user, password and parameters."""
    where = url.set(username=None, password=None, query={}).render_as_string().replace("+psycopg", "")
    raise LedgerUnavailable(
        f"The ledger's server {where} does not answer, or does not let this user in.",
        "a server that runs, a database that exists, and the password in ~/.pgpass or PGPASSWORD.",
    ) from failure
