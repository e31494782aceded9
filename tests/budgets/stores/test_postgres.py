"""PostgreSQL as a store: durable commits, encrypted connections, one writer at a time, no secret in any text."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from sqlalchemy import Connection, make_url, text
from sqlalchemy.dialects.postgresql.psycopg import dialect as psycopg_dialect

from budgets import Ledger, LedgerUnavailable, UnsafeStore, failure_cause
from budgets.stores import journal, postgres
from budgets.stores.open import open_store
from budgets.stores.postgres import assert_durable
from tests.budgets.ledger_checks import ask, check_books, item
from tests.support.ledger.postgres import Server, new_server, server
from tests.support.timeouts import until


@pytest.fixture
def address() -> str:
    return server().new_ledger()


def with_options(address: str, *settings: str) -> str:
    """Address whose sessions all begin with the given settings."""
    return address + "".join(f"%20-c%20{setting.replace('=', '%3D')}" for setting in settings)


def test_every_writer_is_durable(address: str) -> None:
    store = open_store(address)
    with store.writing() as connection:
        assert_durable(connection)
        found = connection.exec_driver_sql(
            "SELECT current_setting('lock_timeout'), current_setting('statement_timeout')"
        )
        assert found.one() == ("20s", "30s")
    store.close()


@pytest.mark.parametrize("level", ["off", "local", "remote_write"])
def test_a_session_that_answers_before_the_disk_is_refused(address: str, level: str) -> None:
    with pytest.raises(
        UnsafeStore, match=f"has synchronous_commit = {level}; on or remote_apply is needed, or charges"
    ):
        Ledger.open(with_options(address, f"synchronous_commit={level}"))


def test_synchronous_replication_is_accepted(address: str) -> None:
    with Ledger.open(with_options(address, "synchronous_commit=remote_apply")) as ledger:
        ledger.charge(ask())


@pytest.fixture(scope="module")
def unsafe() -> Iterator[Server]:
    """Start a server that would lose commits on a power failure."""
    started = new_server("fsync=off", "full_page_writes=off")
    yield started
    started.remove()


def test_a_server_without_fsync_is_refused(unsafe: Server) -> None:
    with pytest.raises(
        UnsafeStore, match="has fsync = off; on is needed, or charges that were acknowledged can be lost"
    ):
        Ledger.open(unsafe.new_ledger())


def test_a_server_made_unsafe_later_charges_nothing(unsafe: Server, address: str) -> None:
    own = server()
    with Ledger.open(address) as ledger:
        own.run("ALTER SYSTEM SET full_page_writes = off")
        try:
            own.run("SELECT pg_reload_conf()")
            refused = _eventually(lambda: ledger.preview(ask()) and ledger.charge(ask()))
            assert refused.startswith("The ledger's server has full_page_writes = off")
        finally:
            own.run("ALTER SYSTEM RESET full_page_writes")
            own.run("SELECT pg_reload_conf()")


def _eventually(charge: Any) -> str:
    """Wait until the server has reread its settings."""
    for number in range(200):
        try:
            charge()
        except UnsafeStore as refusal:
            return str(refusal)
        time.sleep(0.01 * (number > 0))
    raise AssertionError("an unsafe server was never refused")


def _shown(address: str, setting: str) -> object:
    """Setting in effect in a new session: the server has reread its configuration once it is the new one."""
    with psycopg.connect(address) as fresh:
        return fresh.execute("SELECT current_setting(%s)", [setting]).fetchone()[0]  # type: ignore[index]


def test_lowering_synchronous_commit_after_the_check_has_no_effect(address: str) -> None:
    own, store = server(), open_store(address)
    try:
        with store.writing() as connection:
            own.run("ALTER SYSTEM SET synchronous_commit = off")
            own.run("SELECT pg_reload_conf()")
            until(lambda: _shown(address, "synchronous_commit") == "off")
            assert (
                connection.exec_driver_sql("SELECT 1").scalar_one() == 1
            )  # a command, before which settings are reread
            assert connection.exec_driver_sql("SELECT current_setting('synchronous_commit')").scalar_one() == "on"
        with pytest.raises(UnsafeStore, match="synchronous_commit = off"), store.writing():
            pass
    finally:
        own.run("ALTER SYSTEM RESET synchronous_commit")
        own.run("SELECT pg_reload_conf()")
        store.close()


def test_tables_that_a_crash_empties_are_refused(address: str) -> None:
    store = open_store(address)
    with store.writing() as connection:
        connection.execute(text("ALTER TABLE entries SET UNLOGGED"))
    store.close()
    with pytest.raises(UnsafeStore, match="keeps tables that a crash empties"):
        Ledger.open(address)


def test_a_schema_that_is_not_there_is_refused() -> None:
    with pytest.raises(UnsafeStore, match="has no schema to keep it in"):
        Ledger.open(server().url("nowhere"))


@pytest.mark.parametrize(("version", "shown"), [(99, "is PostgreSQL 18")])
def test_a_server_that_is_too_old_is_refused(
    address: str, monkeypatch: pytest.MonkeyPatch, version: int, shown: str
) -> None:
    monkeypatch.setattr(postgres, "MIN_VERSION", version)
    with pytest.raises(UnsafeStore, match=shown):
        Ledger.open(address)


def test_a_writer_waits_for_another_process_and_then_gives_up(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(postgres._TIMEOUT_SETTINGS, "lock_timeout", "1s")
    with Ledger.open(address) as ledger, psycopg.connect(address) as other:
        other.execute(postgres._LOCK_STATEMENT)
        with pytest.raises(LedgerUnavailable, match="so nothing is answered"):
            ledger.charge(ask())
        assert ledger.accounts() == ()  # readers do not wait
        threading.Timer(0.2, other.rollback).start()
        ledger.charge(ask())
        check_books(ledger)


def test_charges_use_index_lookups_only(address: str) -> None:
    """The control is a session with the server's own settings, which reads all charges to find a few."""
    asked = str(journal._CHARGES.compile(dialect=psycopg_dialect()))
    named = {"requests": json.dumps([("ann", f"r{number}") for number in range(3)])}

    def plan(connection: Connection) -> str:
        return "\n".join(connection.exec_driver_sql(f"EXPLAIN {asked}", named).scalars())

    store = open_store(address)
    with Ledger(store) as ledger:
        ledger.charge(ask())
        with store.writing() as connection:
            assert "Index Scan using charges_client_request_id_key" in plan(connection)
        with store.reading() as connection:
            assert "Seq Scan on charges" in plan(connection)


def test_two_ledgers_of_one_database_do_not_wait_for_each_other() -> None:
    first, second = server().new_ledger(), server().new_ledger()
    with Ledger.open(first) as ledger, psycopg.connect(second) as other:
        other.execute(postgres._LOCK_STATEMENT)
        ledger.charge(ask())
        assert len(ledger.accounts()) == 4
        with Ledger.open(first) as again:
            assert len(again.accounts()) == 4


def test_readers_cannot_write(address: str) -> None:
    store = open_store(address)
    with pytest.raises(LedgerUnavailable), store.reading() as connection:
        connection.execute(text("INSERT INTO ledger_format VALUES (2)"))
    store.close()


def test_a_server_that_was_started_anew_is_asked_again() -> None:
    own = new_server()
    try:
        with Ledger.open(own.new_ledger()) as ledger:
            ledger.charge(ask())
            own.stop()
            with pytest.raises(LedgerUnavailable, match="so nothing is answered"):
                ledger.charge(ask(item("bb"), request="r2"))
            with pytest.raises(LedgerUnavailable) as down:
                ledger.probe()
            assert failure_cause(down.value) == "connection refused"
            own.start()
            ledger.probe()
            ledger.charge(ask(item("bb"), request="r2"))
            check_books(ledger)
    finally:
        own.remove()


# ---------------------------------------------------------------- addresses

SECRET = "s3cr3t-w0rd"
FAR = f"postgresql://ann:{SECRET}@db.example.org/books"


@pytest.mark.parametrize("mode", ["disable", "allow", "prefer", "require"])
def test_a_remote_connection_requires_tls_with_a_verified_certificate(mode: str) -> None:
    with pytest.raises(UnsafeStore, match=f"is another machine, and sslmode={mode} does not make sure which") as caught:
        Ledger.open(f"{FAR}?sslmode={mode}")
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://db.example.org/books",
        "postgres://ann@10.0.0.7:5433/books",
        "postgresql:///books?host=db.example.org",
        "postgresql://localhost/books?host=db.example.org",
        "postgresql://localhost,db.example.org/books",
        "POSTGRESQL://[2001:db8::1]/books",
    ],
)
def test_a_remote_host_is_recognized_in_every_form_of_the_address(address: str) -> None:
    assert postgres._parse_address(address).query["sslmode"] == "verify-full"


@pytest.mark.parametrize(
    "address",
    ["postgresql:///books", "postgresql://localhost/books", "postgresql://127.0.0.3/books", "postgresql://[::1]/books"],
)
def test_this_machine_needs_no_certificate(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "sslmode" not in postgres._parse_address(address).query
    monkeypatch.setenv("PGHOSTADDR", "10.0.0.7")
    assert postgres._parse_address(address).query["sslmode"] == "verify-full"


def test_the_environment_names_a_machine_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGHOST", "db.example.org")
    assert postgres._parse_address("postgresql:///books").query["sslmode"] == "verify-full"


def test_an_unencrypted_remote_connection_is_found(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real = postgres._is_local
    monkeypatch.setattr(postgres, "_is_local", lambda host: real(host) and not host.startswith("/"))
    monkeypatch.setattr(postgres, "_parse_address", lambda address: make_url(address.replace(":", "+psycopg:", 1)))
    with pytest.raises(UnsafeStore, match="The line to the ledger's server is not encrypted"):
        Ledger.open(address)


@pytest.mark.parametrize(
    ("address", "refused"),
    [
        (f"postgresql://ann:{SECRET}@/nowhere?host={{folder}}", LedgerUnavailable),
        (f"postgresql://ann:{SECRET}@127.0.0.1:1/nowhere", LedgerUnavailable),
        (f"postgresql://ann:{SECRET}@localhost:port/nowhere", UnsafeStore),
        (f"postgresql:///books?password={SECRET}", UnsafeStore),
        (f"postgresql:///books?service={SECRET}", UnsafeStore),
    ],
)
def test_no_password_is_ever_shown(address: str, refused: type[Exception]) -> None:
    with pytest.raises(refused) as caught:
        Ledger.open(address.format(folder=server().folder))
    shown: BaseException | None = caught.value
    while shown is not None:
        assert SECRET not in f"{shown} {shown!r}"
        shown = shown.__cause__ or shown.__context__


def test_a_restart_of_the_server_fails_no_charge() -> None:
    """The writer's line is gone, and nothing was written on it: it begins again on another."""
    own = new_server()
    try:
        with Ledger.open(own.new_ledger()) as ledger:
            ledger.charge(ask(item("aa")))
            own.stop()
            own.start()
            ledger.charge(ask(item("bb"), request="r2"))
            check_books(ledger)
    finally:
        own.remove()
