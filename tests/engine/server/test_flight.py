"""The endpoint for BI tools, used by a stock client: ADBC's driver for Flight SQL."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import Any

import adbc_driver_flightsql.dbapi as adbc
import adbc_driver_manager
import pyarrow as pa
import pyarrow.flight as fl
import pytest

from engine import Session
from engine.api.wire.answer import CARD
from engine.server.auth.keys import Keys
from engine.server.auth.limits import MAX_FAILURES_PER_MINUTE
from engine.server.flight import server as module
from engine.server.flight.commands import Command, UnsupportedCommand, pack, read_command
from engine.server.flight.metadata import metadata_result
from engine.server.flight.server import FlightServer, padded
from engine.server.http.roles import Role
from engine.server.service import Service
from engine.server.settings import Settings
from engine.server.worker.verbs import VerbHandler, arrow_stream
from tests.support.ledger.blank_ledger import blank_ledger
from tests.support.server.serving import PEPPER, InProcessWorker, blank_books

COUNT = "SELECT zone, count(*) AS visits, avg(minutes) AS stay FROM visit GROUP BY zone"
PREVIEW = "SELECT * FROM visit LIMIT 100"
PRICE = 0.005


class Endpoint:
    """A Flight SQL endpoint, with a key for each role."""

    def __init__(self, house: Service, port: int) -> None:
        self.house, self.port = house, port
        self.keys = {role: house.keys.make(str(role), role, by="test", days=1)["key"] for role in Role}

    @contextmanager
    def tool(self, role: Role = Role.ANALYST, **more: str) -> Iterator[Any]:
        """Connect as a BI tool does: with a name and a password."""
        given = more or {"username": "whoever", "password": self.keys[role]}
        with closing(adbc.connect(f"grpc://127.0.0.1:{self.port}", given, autocommit=True)) as connection:
            yield connection

    def asked(self, sql: str, role: Role = Role.ANALYST) -> pa.Table:
        with self.tool(role) as connection, closing(connection.cursor()) as cursor:
            cursor.execute(sql)
            return cursor.fetch_arrow_table()


@pytest.fixture
def door(session: Session) -> Iterator[Endpoint]:
    loop = asyncio.new_event_loop()
    running = threading.Thread(target=loop.run_forever)
    running.start()
    with blank_books() as books:
        house = Service(Settings(flight_port=0), books, Keys(books, PEPPER), InProcessWorker(VerbHandler(session)))
        served = FlightServer(house, loop)
        yield Endpoint(house, served.port)
        served.shutdown()
    loop.call_soon_threadsafe(loop.stop)
    running.join()
    loop.close()


def card(given: pa.Table) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(given.schema.metadata[CARD])
    return told


def test_a_question_is_answered_and_its_repeat_is_free(door: Endpoint, session: Session) -> None:
    first, again = door.asked(COUNT), door.asked(COUNT)
    inside = session.query(COUNT, client="analyst")
    assert first.to_pylist() == again.to_pylist() == inside.to_pylist()
    assert (card(first)["price"]["rho"], card(again)["price"]["rho"]) == (PRICE, 0)
    assert card(again)["intervals"] == card(inside)["intervals"]
    assert len(session.engine.ledger.paid_releases("analyst")) == 1


def test_the_two_calls_of_a_query_run_it_once(door: Endpoint) -> None:
    door.asked(COUNT)
    assert door.house.worker.called.count("query") == 1  # type: ignore[attr-defined]


def test_fetching_an_evicted_answer_is_a_free_replay(door: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.server.flight.server.MAX_KEPT_ANSWERS", 0)
    assert card(door.asked(COUNT))["price"]["rho"] == PRICE
    assert door.house.worker.called.count("query") == 2  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("sql", "code"), [(PREVIEW, "E_SAMPLE"), ("SELECT zon FROM visit", "E_COLUMN"), ("DROP TABLE visit", "E_STMT")]
)
def test_a_refusal_has_code_sentence_and_hint(door: Endpoint, sql: str, code: str) -> None:
    with pytest.raises(adbc_driver_manager.Error) as refused:
        door.asked(sql)
    assert f"{code}: " in str(refused.value) and " Try: " in str(refused.value)
    assert "Traceback" not in str(refused.value) and ".py" not in str(refused.value)


def test_a_refused_preview_suggests_a_query(door: Endpoint) -> None:
    with pytest.raises(adbc_driver_manager.Error, match=r"Rows of people never leave.* Try: SELECT COUNT"):
        door.asked(PREVIEW)


def test_a_budget_refusal_suggests_what_fits(door: Endpoint) -> None:
    with pytest.raises(adbc_driver_manager.Error, match=r"E_BUDGET.*left.* Try: "):
        door.asked(COUNT.replace("SELECT", "SELECT WITH DIFFERENTIAL_PRIVACY OPTIONS(rho = 90)", 1))


@pytest.mark.parametrize("given", [{"username": "ann", "password": "pby_no"}, {"username": "ann", "password": ""}])
def test_without_a_key_no_metadata_is_listed(door: Endpoint, given: dict[str, str]) -> None:
    with pytest.raises(adbc_driver_manager.Error, match="E_AUTH"), door.tool(**given) as connection:
        connection.adbc_get_table_types()


@pytest.mark.parametrize("sent", ["\xe9", "Zm9v\xe9", "Z", "/w=="])
def test_a_password_that_cannot_be_read_is_a_failed_login(door: Endpoint, sent: str) -> None:
    authentication = module._Authentication(door.house)
    codes = []
    for _ in range(MAX_FAILURES_PER_MINUTE + 1):
        with pytest.raises(fl.FlightError) as refused:
            authentication.start_call(None, {"authorization": [f"Basic {sent}"]})
        codes.append(str(refused.value)[:6])
    assert codes == ["E_AUTH"] * MAX_FAILURES_PER_MINUTE + ["E_RATE"]


def test_a_bearer_key_is_taken(door: Endpoint) -> None:
    header = {"adbc.flight.sql.authorization_header": f"Bearer {door.keys[Role.ANALYST]}"}
    with door.tool(**header) as connection:
        assert connection.adbc_get_table_types() == ["TABLE"]


@pytest.mark.parametrize("role", [Role.STEWARD, Role.ADMIN, Role.AUDITOR])
def test_roles_forbidden_to_query_over_http_are_forbidden_here(door: Endpoint, role: Role) -> None:
    with pytest.raises(adbc_driver_manager.Error, match="E_FORBIDDEN"):
        door.asked(COUNT, role)
    with door.tool(role) as connection:
        assert connection.adbc_get_table_types() == ["TABLE"]  # the catalog is everybody's


def test_tables_and_columns_are_listed(door: Endpoint, session: Session) -> None:
    with door.tool() as connection:
        (catalog,) = connection.adbc_get_objects(depth="all").read_all().to_pylist()
        schema = connection.adbc_get_table_schema("visit")
        facts = connection.adbc_get_info()
    (listing,) = catalog["catalog_db_schemas"]
    told = {t["table_name"]: [c["column_name"] for c in t["table_columns"]] for t in listing["db_schema_tables"]}
    assert told == {t["name"]: [c["name"] for c in t["columns"]] for t in session.tables()}
    assert schema.names == told["visit"]
    assert facts["vendor_name"] == "passersby"


@pytest.mark.parametrize("sent", [b"", b"\xff\xff", b"SELECT 1", pack("CommandGetTables")[:-1] + b"\x0a\x05\xff"])
def test_what_is_no_command_is_refused(door: Endpoint, sent: bytes) -> None:
    client = fl.FlightClient(f"grpc://127.0.0.1:{door.port}")
    options = fl.FlightCallOptions(headers=[(b"authorization", f"Bearer {door.keys[Role.ANALYST]}".encode())])
    for call in (
        lambda: client.get_flight_info(fl.FlightDescriptor.for_command(sent), options),
        lambda: client.do_get(fl.Ticket(sent), options).read_all(),
        lambda: list(client.do_action(("CreatePreparedStatement", sent), options)),
        lambda: list(client.do_action(("Anything", sent), options)),
    ):
        with pytest.raises(fl.FlightServerError, match="E_STMT"):
            call()


def test_unsupported_flight_commands_are_refused_by_name(door: Endpoint) -> None:
    """A tool that writes, or lists flights, shows these words and no traceback of a library."""
    client = fl.FlightClient(f"grpc://127.0.0.1:{door.port}")
    options = fl.FlightCallOptions(headers=[(b"authorization", f"Bearer {door.keys[Role.ANALYST]}".encode())])
    question = fl.FlightDescriptor.for_command(pack("CommandStatementQuery", query=COUNT))

    def put() -> None:
        schema = pa.schema([("a", pa.int64())])
        writer, reader = client.do_put(question, schema, options)
        reader.read()  # what the server says of it
        writer.close()

    def exchange() -> None:
        _, reader = client.do_exchange(question, options)
        reader.read_all()

    calls = (
        lambda: list(client.list_flights(options=options)),
        lambda: client.get_flight_info(fl.FlightDescriptor.for_path("visit"), options),
        put,
        exchange,
    )
    for call in calls:
        with pytest.raises(fl.FlightServerError, match="E_STMT: This door answers") as refused:
            call()
        assert "Traceback" not in str(refused.value)


def test_an_unexpected_error_shows_no_value(door: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ValueError("a value: 12345")

    monkeypatch.setattr("engine.server.flight.server.padded", broken)
    with pytest.raises(adbc_driver_manager.Error, match="E_SERVER") as failed:
        door.asked(COUNT)
    assert "12345" not in str(failed.value)


def test_an_unexpected_error_while_streaming_shows_no_value(door: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches are made when the call has returned: what fails then would carry its text, were it not caught there."""

    def breaking(table: pa.Table) -> Iterator[tuple[pa.RecordBatch, pa.Buffer]]:
        yield table.to_batches()[0], pa.py_buffer(b"")
        raise ValueError("a value: 12345")

    monkeypatch.setattr(module, "_batches", breaking)
    with pytest.raises(adbc_driver_manager.Error, match="E_SERVER") as failed:
        door.asked(COUNT)
    assert "12345" not in str(failed.value)
    monkeypatch.setattr("engine.server.flight.server._guarded_stream", lambda house, batches: batches)
    with pytest.raises(adbc_driver_manager.Error, match="12345"):
        door.asked(COUNT)


def test_another_s_answer_is_not_fetched(door: Endpoint) -> None:
    """A ticket is a question: whoever sends it asks on the own account."""
    other = door.house.keys.make("other", Role.ANALYST, by="test", days=1)["key"]
    door.asked(COUNT)
    ticket = fl.Ticket(pack("CommandStatementQuery", query=COUNT))
    client = fl.FlightClient(f"grpc://127.0.0.1:{door.port}")
    options = fl.FlightCallOptions(headers=[(b"authorization", f"Bearer {other}".encode())])
    assert card(client.do_get(ticket, options).read_all())["price"]["rho"] == PRICE


# ------------------------------------------------------------------ messages


def test_messages_are_read_as_they_are_written() -> None:
    assert read_command(pack("CommandStatementQuery", query="SELECT 1")) == Command(
        "CommandStatementQuery", {"query": "SELECT 1"}
    )
    with pytest.raises(UnsupportedCommand):
        read_command(b"\x0a\x03abc")


def test_primary_keys_are_listed() -> None:
    told = [{"name": "zone", "primary_key": ["a", "b"], "columns": []}]
    rows = metadata_result(Command("CommandGetPrimaryKeys", {"table": "zone"}), told).to_pylist()
    assert [(row["column_name"], row["key_sequence"]) for row in rows] == [("a", 1), ("b", 2)]


# ------------------------------------------------------------------ lengths


def lengths(rows: bytes) -> list[int]:
    """Length of every message."""
    schema, batches = padded(rows)
    return [schema.serialize().size, *(pa.ipc.get_record_batch_size(b) + fill.size for b, fill in batches)]


def two_noises(session: Session) -> list[bytes]:
    """Run the same query with two noise draws; one leaves no interval and no number."""
    given = []
    for weak in (False, True):
        with blank_ledger() as ledger:
            table = replace(session, engine=replace(session.engine, ledger=ledger)).query(COUNT, client="ann")
            told = json.loads(table.schema.metadata[CARD])
            if weak:
                told["intervals"] = {name: [None] * table.num_rows for name in told["intervals"]}
                table = table.set_column(2, "stay", pa.nulls(table.num_rows, pa.float64()))
            given.append(arrow_stream(table.replace_schema_metadata({CARD: json.dumps(told).encode()})))
    return given


def test_noise_decides_no_length(session: Session) -> None:
    first, second = map(lengths, two_noises(session))
    assert first == second


def test_an_unpadded_answer_is_found(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "size_class", lambda length: length)
    monkeypatch.setattr(module, "public_length", lambda *_: 0)
    first, second = map(lengths, two_noises(session))
    assert first[0] != second[0]


def test_many_rows_are_sent_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_ROWS_WITH_INTERVALS", 10)
    table = pa.table({"n": list(range(45_000))})
    told = {
        "intervals": {"n": [[0, 1]] * 45_000},
        "reliability": {"n": ["clear"] * 45_000},
        "notes": [],
        "note_codes": [],
    }
    schema, batches = padded(arrow_stream(table.replace_schema_metadata({CARD: json.dumps(told).encode()})))
    parts = [batch.num_rows for batch, _ in batches]
    assert parts == [20_000, 20_000, 5_000]
    assert "DP_INTERVAL_LOW" in json.loads(schema.metadata[CARD])["notes"][0]
