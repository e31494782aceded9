"""The Flight SQL server. It shares keys, roles, rate limits and the worker with the HTTP server."""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections import OrderedDict
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, NoReturn, TypeVar

import pyarrow as pa
import pyarrow.flight as fl
from pydantic import ValidationError

from budgets import ParamError
from engine.problems import Refused, problem
from engine.server.auth.keys import Principal
from engine.server.flight.commands import Command, UnreadCommand, packed, read_command
from engine.server.flight.lists import listed, schema_of
from engine.server.flight.padded import padded
from engine.server.http.problems import Problem, unread_problem
from engine.server.http.requests import Question
from engine.server.routes.access import Admitted, reaching, whose
from engine.server.routes.analyst import arguments_of
from engine.server.service import House
from engine.server.settings import in_url
from engine.server.telemetry import log
from engine.server.worker.process import BROKEN

T = TypeVar("T")
KEPT = 32  # answers kept between a client's two calls
ASKING, LISTING = ("POST", "/v1/queries"), ("GET", "/v1/tables")
ERRORS: dict[str, type[fl.FlightError]] = {
    "E_AUTH": fl.FlightUnauthenticatedError,
    "E_FORBIDDEN": fl.FlightUnauthorizedError,
    "E_BUSY": fl.FlightUnavailableError,
    "E_SERVER": fl.FlightInternalError,
}  # all else is FlightServerError: other exceptions, and all from get_schema, would send their traceback to the client

NOT_SERVED = Problem("E_STMT", "This door answers questions and lists tables.", "a SELECT")


def refusal(told: dict[str, Any]) -> fl.FlightError:
    """Convert a refusal to a Flight error, with code, message and hint in one text."""
    text = f"{told['code']}: {told['message']} Try: {told['hint']}"
    return ERRORS.get(told["code"], fl.FlightServerError)(text)


@contextmanager
def _one_error(house: House) -> Iterator[None]:
    """Convert every exception to a Flight error of a refusal."""
    try:
        yield
    except fl.FlightError:
        raise
    except (Refused, Problem) as no:
        told = no.problem if isinstance(no, Refused) else no.told
    except UnreadCommand:
        told = NOT_SERVED.told
    except ValidationError as error:
        told = unread_problem(error.errors(), "another text").told
    except Exception as failure:
        log.error("failed", kind=type(failure).__name__)
        told = BROKEN
    else:
        return
    house.metrics.refused(told["code"])
    raise refusal(dict(told)) from None


def _sent(house: House, batches: Iterator[T]) -> Iterator[T]:
    """Convert exceptions of a stream too, which is produced after the call has returned."""
    with _one_error(house):
        yield from batches


class _Known(fl.ServerMiddleware):  # type: ignore[misc]  # pyarrow has no types
    """The authenticated caller of one call."""

    def __init__(self, principal: Principal, key: str) -> None:
        """Keep the key: a client that sent it as a password continues with it as a bearer key."""
        self.principal, self._key = principal, key

    def sending_headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self._key}"}


class _Keys(fl.ServerMiddlewareFactory):  # type: ignore[misc]
    """Authenticates each call by its header: a bearer key, or a key as the password of any name."""

    def __init__(self, house: House) -> None:
        self._house = house

    def start_call(self, info: fl.CallInfo, headers: dict[str, list[str]]) -> _Known:
        with _one_error(self._house):
            key = _key_of(next(iter(headers.get("authorization", [])), ""))
            principal = whose(self._house, key, "flight")
            self._house.limits.count_request(f"{principal.role}/{principal.name}")
            return _Known(principal, key)


def _key_of(header: str) -> str:
    scheme, _, sent = header.partition(" ")
    if scheme.lower() != "basic":
        return sent.strip() if scheme.lower() == "bearer" else ""
    try:
        return base64.b64decode(sent + "=" * (-len(sent) % 4)).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return ""


class _NoHandshake(fl.ServerAuthHandler):  # type: ignore[misc]
    """Accepts the handshake of a client with a password; the header is what authenticates."""

    def authenticate(self, outgoing: object, incoming: object) -> None:
        del outgoing, incoming

    def is_valid(self, token: bytes) -> str:
        del token
        return ""


class FlightDoor(fl.FlightServerBase):  # type: ignore[misc]
    """The Flight server. gRPC's threads call it; it runs queries on the event loop of the HTTP server."""

    def __init__(self, house: House, loop: asyncio.AbstractEventLoop) -> None:
        """Listen where the settings say; raises Refused where that is not possible."""
        settings = house.settings
        self._house, self._loop = house, loop
        self._answers: OrderedDict[tuple[str, bytes], bytes] = OrderedDict()
        tls = settings.tls_cert is not None and settings.tls_key is not None
        location = f"grpc{'+tls' if tls else ''}://{in_url(settings.host)}:{settings.flight_port}"
        pair = [(settings.tls_cert.read_bytes(), settings.tls_key.read_bytes())] if tls else None  # type: ignore[union-attr]
        try:
            super().__init__(location, _NoHandshake(), tls_certificates=pair, middleware={"key": _Keys(house)})
        except pa.ArrowException:  # the port was free when settings.py checked it
            why = f"Port {settings.flight_port} of {settings.host} can't be listened on for Flight SQL."
            raise Refused(problem(ParamError(why, "another --flight-port; 0 takes a free one"), None)) from None

    def get_flight_info(self, context: fl.ServerCallContext, descriptor: fl.FlightDescriptor) -> fl.FlightInfo:
        """Run a query and keep its answer until it is fetched; or return the schema of a metadata command."""
        with _one_error(self._house):
            command = read_command(descriptor.command or b"")  # None for a path descriptor
            schema = schema_of(command)
            if schema is None:
                rows = self._ask(context, command)
                self._keep((self._asker(context, ASKING).name, descriptor.command), rows)
                schema, _ = padded(rows)  # the schema carries the card, which clients show with the rows
            endpoint = fl.FlightEndpoint(fl.Ticket(descriptor.command), [])
            return fl.FlightInfo(schema, descriptor, [endpoint], -1, -1)

    def do_get(self, context: fl.ServerCallContext, ticket: fl.Ticket) -> fl.FlightDataStream:
        """Return an answer, cached from the first call or run now, or the result of a metadata command."""
        with _one_error(self._house):
            command = read_command(ticket.ticket)
            if schema_of(command) is not None:
                asker = self._asker(context, LISTING)
                return fl.RecordBatchStream(listed(command, self._run(asker.do("tables"))))
            key = (self._asker(context, ASKING).name, ticket.ticket)
            rows = self._answers.pop(key, None) or self._ask(context, command)
            schema, batches = padded(rows)
            return fl.GeneratorStream(schema, _sent(self._house, batches))

    def do_action(self, context: fl.ServerCallContext, action: fl.Action) -> Iterator[bytes]:
        """Prepare a statement: its handle is its text, so closing one does nothing."""
        with _one_error(self._house):
            if action.type not in ("CreatePreparedStatement", "ClosePreparedStatement"):
                raise UnreadCommand
            command = read_command(action.body.to_pybytes())
            made: list[bytes] = []
            if action.type == "CreatePreparedStatement":
                self._asker(context, ASKING)
                handle = str(command.said.get("query", "")).encode()
                made = [packed("ActionCreatePreparedStatementResult", prepared_statement_handle=handle)]
        return iter(made)

    def list_actions(self, context: fl.ServerCallContext) -> list[tuple[str, str]]:
        """List the actions of do_action."""
        return [("CreatePreparedStatement", "know a text"), ("ClosePreparedStatement", "forget it")]

    def list_flights(self, context: fl.ServerCallContext, criteria: bytes) -> NoReturn:
        """Refuse: commands list what can be queried. By default pyarrow would answer with a traceback."""
        self._refuse(context, criteria)

    def do_put(self, context: fl.ServerCallContext, *sent: object) -> NoReturn:
        """Refuse writes, and parameters of prepared statements."""
        self._refuse(context, *sent)

    def do_exchange(self, context: fl.ServerCallContext, *sent: object) -> NoReturn:
        """Refuse: no Flight SQL client needs it."""
        self._refuse(context, *sent)

    def _refuse(self, *sent: object) -> NoReturn:
        del sent
        self._house.metrics.refused(NOT_SERVED.told["code"])
        raise refusal(NOT_SERVED.told)

    def _asker(self, context: fl.ServerCallContext, where: tuple[str, str]) -> Admitted:
        return reaching(self._house, context.get_middleware("key").principal, *where)

    def _ask(self, context: fl.ServerCallContext, command: Command) -> bytes:
        asker = self._asker(context, ASKING)
        arguments = arguments_of(_question(command), asker)
        self._house.metrics.requests.labels("FLIGHT", "query").inc()
        self._house.metrics.questions.labels("waiting").inc()
        log.info("request", method="FLIGHT", route="query", name=asker.name, key=asker.principal.key_id)
        return self._run(self._house.ask(arguments))

    def _run(self, asked: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(asked, self._loop).result()

    def _keep(self, key: tuple[str, bytes], rows: bytes) -> None:
        self._answers[key] = rows
        while len(self._answers) > KEPT:
            self._answers.popitem(last=False)  # it is stored: a later fetch replays it for free


def _question(command: Command) -> Question:
    if command.sql is None:
        raise UnreadCommand
    return Question(sql=command.sql, rho=None, target_error=None, confidence=None)


@asynccontextmanager
async def flight_door(house: House) -> AsyncIterator[int]:
    """Serve Flight SQL next to the HTTP server, on its event loop; yields the port."""
    door = FlightDoor(house, asyncio.get_running_loop())
    try:
        yield door.port
    finally:
        await asyncio.to_thread(door.shutdown)  # its running calls finish on this loop
