"""The Flight SQL server. It shares keys, roles, rate limits and the worker with the HTTP server.

Messages have the lengths of size classes, as over HTTP (sizes.py).
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections import OrderedDict
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, NoReturn, TypeVar

import pyarrow as pa
import pyarrow.flight as fl
from pydantic import ValidationError

from budgets import ParamError
from dialect.algebra import NoteCode
from engine.api.wire.answer import CARD, read_answer
from engine.errors import Refused, problem, problem_shape
from engine.server.auth.keys import Principal
from engine.server.flight.commands import Command, UnsupportedCommand, pack, read_command
from engine.server.flight.metadata import metadata_result, schema_of
from engine.server.http.problems import Problem, problem_of
from engine.server.http.requests import QueryRequest
from engine.server.http.sizes import public_length, size_class
from engine.server.routes.access import (
    AUTHORIZATION_HINT,
    AuthorizedRequest,
    authenticate,
    authorize,
    count_invalid_key,
)
from engine.server.routes.analyst import session_arguments
from engine.server.service import Service
from engine.server.settings import url_host
from engine.server.telemetry import log
from engine.server.worker.process import DEFECT_PROBLEM

BATCH_ROWS = 20_000  # rows per message: clients accept a few megabytes
MAX_ROWS_WITH_INTERVALS = 10_000  # most rows of an answer whose card contains its intervals


def padded(rows: bytes) -> tuple[pa.Schema, Iterator[tuple[pa.RecordBatch, pa.Buffer]]]:
    """Return the answer's schema with its padded card, and its batches with the padding of each.

    Claim: the length of every message is a function of columns, texts, number of rows and what of the card is no
    noise. Formula: each is filled up to the class of its `public_length`. Proof: engine/server/proofs.md#flight
    """
    chunked, full_card = read_answer(rows)
    table, card = chunked.combine_chunks(), _drop_intervals_of_long(full_card, chunked.num_rows)
    text = json.dumps(card, ensure_ascii=False, allow_nan=False).encode()
    filled = text.ljust(size_class(max(public_length(table, card), len(text))))
    return table.schema.with_metadata({CARD: filled}), _batches(table.replace_schema_metadata(None))


def _drop_intervals_of_long(card: dict[str, Any], rows: int) -> dict[str, Any]:
    """Drop the intervals of a card too long for a message; DP_INTERVAL_LOW and _HIGH return them instead."""
    if rows <= MAX_ROWS_WITH_INTERVALS:
        return card
    why = "Too many rows for intervals: select DP_INTERVAL_LOW(column) and DP_INTERVAL_HIGH(column)."
    codes = card.get("note_codes", [""] * len(card["notes"]))  # a card of an older version has none
    notes = {"notes": [*card["notes"], why], "note_codes": [*codes, NoteCode.INTERVALS_OMITTED]}
    return card | {"intervals": {}, "reliability": {}, "may_be_nothing": []} | notes


def _batches(table: pa.Table) -> Iterator[tuple[pa.RecordBatch, pa.Buffer]]:
    for at in range(0, max(1, table.num_rows), BATCH_ROWS):
        part = table.slice(at, BATCH_ROWS).combine_chunks()
        batch = (part.to_batches() or [pa.RecordBatch.from_pylist([], schema=part.schema)])[0]
        length = pa.ipc.get_record_batch_size(batch)
        yield batch, pa.py_buffer(bytes(size_class(max(public_length(part, {}), length)) - length))


T = TypeVar("T")
FLIGHT_ADDRESS = "flight"  # where all failed logins over Flight are counted: a call has no address
MAX_KEPT_ANSWERS = 32  # answers kept between a client's two calls
QUERY_ENDPOINT, TABLES_ENDPOINT = ("POST", "/v1/queries"), ("GET", "/v1/tables")
ERRORS: dict[str, type[fl.FlightError]] = {
    "E_AUTH": fl.FlightUnauthenticatedError,
    "E_FORBIDDEN": fl.FlightUnauthorizedError,
    "E_BUSY": fl.FlightUnavailableError,
    "E_SERVER": fl.FlightInternalError,
}  # all else is FlightServerError: other exceptions, and all from get_schema, would send their traceback to the client

NOT_SERVED = problem_shape("E_STMT", "This door answers questions and lists tables.", "a SELECT")


def flight_error(details: dict[str, Any]) -> fl.FlightError:
    """Convert a refusal to a Flight error, with code, message and hint in one text."""
    text = f"{details['code']}: {details['message']} Try: {details['hint']}"
    return ERRORS.get(details["code"], fl.FlightServerError)(text)


@contextmanager
def _as_flight_errors(service: Service) -> Iterator[None]:
    """Convert every exception to a Flight error of a refusal."""
    try:
        yield
    except fl.FlightError:
        raise
    except (Refused, ValidationError) as refused:
        details = problem_of(refused, "another text")
    except UnsupportedCommand:
        details = NOT_SERVED
    except Exception as failure:
        log.error("failed", kind=type(failure).__name__)
        details = DEFECT_PROBLEM
    else:
        return
    service.metrics.count_refusal(details["code"])
    raise flight_error(details) from None


def _guarded_stream(service: Service, batches: Iterator[T]) -> Iterator[T]:
    """Convert exceptions of a stream too, which is produced after the call has returned."""
    with _as_flight_errors(service):
        yield from batches


class _AuthenticatedCall(fl.ServerMiddleware):  # type: ignore[misc]  # pyarrow has no types
    """The authenticated caller of one call."""

    def __init__(self, principal: Principal, key: str) -> None:
        """Keep the key: a client that sent it as a password continues with it as a bearer key."""
        self.principal, self._key = principal, key

    def sending_headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self._key}"}


class _Authentication(fl.ServerMiddlewareFactory):  # type: ignore[misc]
    """Authenticates each call by its header: a bearer key, or a key as the password of any name."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def start_call(self, info: fl.CallInfo, headers: dict[str, list[str]]) -> _AuthenticatedCall:
        with _as_flight_errors(self._service):
            key = self._key_of(next(iter(headers.get("authorization", [])), ""))
            principal = authenticate(self._service, key, FLIGHT_ADDRESS)
            self._service.limits.count_request(f"{principal.role}/{principal.name}")
            return _AuthenticatedCall(principal, key)

    def _key_of(self, header: str) -> str:
        """Key that a header contains; raises Problem with E_AUTH for a password that can't be decoded."""
        scheme, _, sent = header.partition(" ")
        if scheme.lower() != "basic":
            return sent.strip() if scheme.lower() == "bearer" else ""
        try:
            return base64.b64decode(sent + "=" * (-len(sent) % 4)).decode().partition(":")[2]
        except ValueError:
            count_invalid_key(self._service, FLIGHT_ADDRESS, "a password in a header")
            raise Problem("E_AUTH", "This password can't be decoded.", AUTHORIZATION_HINT) from None


class _NoHandshake(fl.ServerAuthHandler):  # type: ignore[misc]
    """Accepts the handshake of a client with a password; the header is what authenticates."""

    def authenticate(self, outgoing: object, incoming: object) -> None:
        del outgoing, incoming

    def is_valid(self, token: bytes) -> str:
        del token
        return ""


class FlightServer(fl.FlightServerBase):  # type: ignore[misc]
    """The Flight server. gRPC's threads call it; it runs queries on the event loop of the HTTP server."""

    def __init__(self, service: Service, loop: asyncio.AbstractEventLoop) -> None:
        """Listen where the settings say; raises Refused where that is not possible."""
        settings = service.settings
        self._service, self._loop = service, loop
        self._answers: OrderedDict[tuple[str, bytes], bytes] = OrderedDict()
        tls = settings.tls_cert is not None and settings.tls_key is not None
        location = f"grpc{'+tls' if tls else ''}://{url_host(settings.host)}:{settings.flight_port}"
        certificates = [(settings.tls_cert.read_bytes(), settings.tls_key.read_bytes())] if tls else None  # type: ignore[union-attr]
        try:
            super().__init__(
                location, _NoHandshake(), tls_certificates=certificates, middleware={"key": _Authentication(service)}
            )
        except pa.ArrowException:  # the port was free when settings.py checked it
            why = f"Port {settings.flight_port} of {settings.host} can't be listened on for Flight SQL."
            raise Refused(problem(ParamError(why, "another --flight-port; 0 takes a free one"), None)) from None

    def get_flight_info(self, context: fl.ServerCallContext, descriptor: fl.FlightDescriptor) -> fl.FlightInfo:
        """Run a query and keep its answer until it is fetched; or return the schema of a metadata command."""
        with _as_flight_errors(self._service):
            command = read_command(descriptor.command or b"")  # None for a path descriptor
            schema = schema_of(command)
            if schema is None:
                rows = self._run_query(context, command)
                self._keep_answer((self._authorize(context, QUERY_ENDPOINT).name, descriptor.command), rows)
                schema, _ = padded(rows)  # the schema carries the card, which clients show with the rows
            endpoint = fl.FlightEndpoint(fl.Ticket(descriptor.command), [])
            return fl.FlightInfo(schema, descriptor, [endpoint], -1, -1)

    def do_get(self, context: fl.ServerCallContext, ticket: fl.Ticket) -> fl.FlightDataStream:
        """Return an answer, cached from the first call or run now, or the result of a metadata command."""
        with _as_flight_errors(self._service):
            command = read_command(ticket.ticket)
            if schema_of(command) is not None:
                caller = self._authorize(context, TABLES_ENDPOINT)
                return fl.RecordBatchStream(metadata_result(command, self._run_on_loop(caller.call("tables"))))
            key = (self._authorize(context, QUERY_ENDPOINT).name, ticket.ticket)
            rows = self._answers.pop(key, None) or self._run_query(context, command)
            schema, batches = padded(rows)
            return fl.GeneratorStream(schema, _guarded_stream(self._service, batches))

    def do_action(self, context: fl.ServerCallContext, action: fl.Action) -> Iterator[bytes]:
        """Prepare a statement: its handle is its text, so closing one does nothing."""
        with _as_flight_errors(self._service):
            if action.type not in ("CreatePreparedStatement", "ClosePreparedStatement"):
                raise UnsupportedCommand
            command = read_command(action.body.to_pybytes())
            made: list[bytes] = []
            if action.type == "CreatePreparedStatement":
                self._authorize(context, QUERY_ENDPOINT)
                handle = str(command.fields.get("query", "")).encode()
                made = [pack("ActionCreatePreparedStatementResult", prepared_statement_handle=handle)]
        return iter(made)

    def list_actions(self, context: fl.ServerCallContext) -> list[tuple[str, str]]:
        """List the actions of do_action."""
        return [("CreatePreparedStatement", "know a text"), ("ClosePreparedStatement", "forget it")]

    def _refuse(self, context: fl.ServerCallContext, *sent: object) -> NoReturn:
        """Refuse a call that no Flight SQL client needs, or that writes."""
        del context, sent
        self._service.metrics.count_refusal(NOT_SERVED["code"])
        raise flight_error(NOT_SERVED)

    # Commands list what can be queried, and nothing is written. By default pyarrow would answer with a traceback.
    list_flights = do_put = do_exchange = _refuse

    def _authorize(self, context: fl.ServerCallContext, endpoint: tuple[str, str]) -> AuthorizedRequest:
        return authorize(self._service, context.get_middleware("key").principal, *endpoint)

    def _run_query(self, context: fl.ServerCallContext, command: Command) -> bytes:
        caller = self._authorize(context, QUERY_ENDPOINT)
        arguments = session_arguments(_question(command), caller)
        self._service.metrics.requests.labels("FLIGHT", "query").inc()
        self._service.metrics.questions.labels("waiting").inc()
        log.info("request", method="FLIGHT", route="query", name=caller.name, key=caller.principal.key_id)
        return self._run_on_loop(self._service.run_query(arguments))

    def _run_on_loop(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    def _keep_answer(self, key: tuple[str, bytes], rows: bytes) -> None:
        self._answers[key] = rows
        while len(self._answers) > MAX_KEPT_ANSWERS:
            self._answers.popitem(last=False)  # it is stored: a later fetch replays it for free


def _question(command: Command) -> QueryRequest:
    if command.sql is None:
        raise UnsupportedCommand
    return QueryRequest(sql=command.sql, rho=None, target_error=None, confidence=None)


@asynccontextmanager
async def serve_flight(service: Service) -> AsyncIterator[int]:
    """Serve Flight SQL next to the HTTP server, on its event loop; yields the port."""
    server = FlightServer(service, asyncio.get_running_loop())
    try:
        yield server.port
    finally:
        await asyncio.to_thread(server.shutdown)  # its running calls finish on this loop
