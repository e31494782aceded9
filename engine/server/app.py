"""The ASGI application: routers, error handlers, middleware, and the server's start and stop.

Files and extras that the settings need are checked before anything starts; otherwise the first alert, or every token,
would fail. A running server owns its tables and its worker until it stops.
"""

from __future__ import annotations

import asyncio
import importlib.util
import signal
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing, nullcontext
from dataclasses import dataclass
from http import HTTPStatus
from importlib import metadata
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from fastapi.responses import PlainTextResponse
from starlette.exceptions import HTTPException
from starlette.routing import Match, Route
from starlette.types import ASGIApp

from budgets import LedgerError, LedgerUnavailable, ParamError, failure_cause
from engine.accounts.audit_log import KeyEvent, record_key_event
from engine.accounts.open_ledger import ledger_address, opened_ledger
from engine.errors import Refused, refusals
from engine.server.auth.keys import Keys, read_pepper
from engine.server.auth.tokens import read_key_set
from engine.server.console import routes
from engine.server.http.openapi import complete_document
from engine.server.http.problems import Problem, problem_of, problem_response
from engine.server.http.protocol import BoundedProtocol
from engine.server.http.responses import Health
from engine.server.http.roles import Role
from engine.server.routes import admin as admin_routes
from engine.server.routes import analyst as analyst_routes
from engine.server.routes import health
from engine.server.routes import sharing as sharing_routes
from engine.server.routes.access import Caller
from engine.server.routes.alerts import Alerts
from engine.server.routes.health import Checks, ServerChecks
from engine.server.routes.jobs import Jobs
from engine.server.routes.middleware import SHORTER_HINT, RequestMiddleware
from engine.server.service import Service
from engine.server.settings import Settings, check_listening, url_host
from engine.server.storage import MEMORY, ServerTables
from engine.server.telemetry import Throttle, configure_logging, log
from engine.server.worker.frames import Json
from engine.server.worker.link import PipeLink
from engine.server.worker.process import forbid_dumps, silence_tracebacks

Lifespan = Callable[[Service], AbstractAsyncContextManager[None]]
VERSION = metadata.version("passersby")
HINTS = {"E_SIZE": SHORTER_HINT}
ROUTERS = (analyst_routes.router, sharing_routes.router, admin_routes.router, health.router, routes.router)
CODES = {404: "E_NOT_FOUND", 405: "E_METHOD", 413: "E_SIZE", 415: "E_MEDIA"}


def create_app(service: Service, lifespan_of: Lifespan | None = None) -> FastAPI:
    """Build a server's application. `lifespan_of` makes the context entered at startup and left at shutdown."""
    alerts, jobs = Alerts.of(service), Jobs(service)
    checks = Checks(service, alerts)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with (
            nullcontext() if lifespan_of is None else lifespan_of(service),
            _background_tasks(alerts.run(), checks.run(), checks.readiness.run()),
        ):
            await jobs.resume()
            yield

    app = FastAPI(title="passersby", version=VERSION, lifespan=lifespan, docs_url=None, redoc_url=None)
    app.state.service, app.state.jobs, app.state.checks = service, jobs, checks
    for router in ROUTERS:
        app.include_router(router)
    _add_health_endpoints(app)
    _add_error_handlers(app)
    app.add_middleware(RequestMiddleware, service=service)
    app.openapi = lambda: _openapi_document(app)  # type: ignore[method-assign]  # as FastAPI's manual has it
    return app


@asynccontextmanager
async def _background_tasks(*coroutines: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run coroutines in the background, and cancel them at exit."""
    tasks = [asyncio.create_task(work) for work in coroutines]
    for task in tasks:
        task.add_done_callback(_log_failed_task)
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _log_failed_task(task: asyncio.Task[None]) -> None:
    """Log a background task that ended with an error; nothing else would report it."""
    failure = None if task.cancelled() else task.exception()
    if failure is not None:
        log.error("background work ended", kind=type(failure).__name__)


def _openapi_document(app: FastAPI) -> dict[str, Any]:
    if app.openapi_schema is None:
        document = get_openapi(title=app.title, version=app.version, summary="Ask where people go.", routes=app.routes)
        app.openapi_schema = complete_document(document)
    return app.openapi_schema


def _add_health_endpoints(app: FastAPI) -> None:
    @app.get("/healthz", response_model=Health, operation_id="healthz")
    async def healthz() -> Json:
        """Liveness: the server runs."""
        return {"state": "runs"}

    @app.get("/readyz", response_model=Health, operation_id="readyz")
    async def readyz(checks: ServerChecks) -> Json:
        """Readiness: can queries be answered? 503 unless worker, ledger and disk space are available."""
        part = checks.readiness.failing_part()
        if part is not None:
            raise Problem("E_BUSY", part.value, "the same in a moment; GET /v1/admin/health has the cause")
        return {"state": "ready"}

    @app.get("/metrics", response_class=PlainTextResponse, operation_id="metrics")
    async def metrics(asker: Caller) -> Response:
        """Counters for Prometheus."""
        return Response(asker.service.metrics.text(), media_type="text/plain; version=0.0.4")


def _add_error_handlers(app: FastAPI) -> None:
    """Register exception handlers that turn every error into a problem response."""
    throttle = Throttle()

    @app.exception_handler(RequestValidationError)
    @app.exception_handler(LedgerError)
    @app.exception_handler(Refused)
    async def refuse(request: Request, error: Exception) -> Response:
        if isinstance(error, LedgerUnavailable) and throttle.is_due(cause := failure_cause(error)):
            log.error("the books can't be used", cause=cause)
        details = problem_of(error)
        service: Service = request.app.state.service
        service.count_refusal(request, details["code"])
        return problem_response(details, error.headers if isinstance(error, Problem) else None)

    @app.exception_handler(HTTPException)
    async def elsewhere(request: Request, error: HTTPException) -> Response:
        code = CODES.get(error.status_code, "E_PARAM")
        headers = dict(error.headers or {})
        if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            headers["Allow"] = _allowed_methods(request)
        hint = HINTS.get(code, "GET /openapi.json lists what there is")
        return await refuse(request, Problem(code, f"{error.detail}.", hint, headers=headers))


def _allowed_methods(request: Request) -> str:
    """Methods allowed on a path, over all routes that match it."""
    every = (*request.app.routes, *(route for router in ROUTERS for route in router.routes))
    here = (each for each in every if isinstance(each, Route) and each.matches(request.scope)[0] is not Match.NONE)
    methods = {name for each in here for name in each.methods or ()}
    return ", ".join(sorted(methods | ({"HEAD"} if "GET" in methods else set())))


@refusals()
def check_starting(settings: Settings) -> None:
    """Check that the mail password and the identity provider's keys can be read; raises Refused."""
    if settings.alert_smtp_password_file is not None:
        _check_password(settings.alert_smtp_password_file)
    if settings.oidc_keys is not None:
        _check_keys(settings.oidc_keys)


def _check_password(file: Path) -> None:
    try:
        password = file.read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        password = ""
    if not password:
        raise ParamError(f"No password can be read from {file}.", "alert_smtp_password_file with a file that has it")


def _check_keys(file: Path) -> None:
    if importlib.util.find_spec("jwt") is None:
        raise ParamError(
            "Tokens of an identity provider need an extra.", "pip install '.[oidc]', in the clone of passersby"
        )
    try:
        key_set = read_key_set(file)
    except (OSError, ValueError):
        key_set = {}
    if not key_set:
        raise ParamError(f"No public key can be read from {file}.", "oidc_keys with the provider's JWKS, as a file")


DEMO_DAYS = 1.0
DEMO_CLIENT = "demo"

_RoleKeys = tuple[tuple[str, dict[str, Any]], ...]  # (role, new key)


@dataclass(frozen=True)
class ServerAddress:
    """Address of a server that is ready for queries."""

    url: str
    keys: tuple[tuple[str, str], ...] = ()  # (role, key), for a demonstration


def run_server(settings: Settings, on_ready: Callable[[ServerAddress], None], *, demo: bool = False) -> None:
    """Serve until a signal; raises Refused or LedgerError where the catalog, its data or the ledger can't be opened."""
    forbid_dumps()
    silence_tracebacks()
    configure_logging()
    check_listening(settings)
    check_starting(settings)
    address = ledger_address(settings.catalog, settings.ledger)
    with closing(ServerTables.open_for(address)) as tables:
        service = Service(
            settings, tables, Keys(tables, read_pepper(secret_file(settings, address))), _worker_link(settings, address)
        )
        _UvicornRun(service, on_ready, _demo_keys(service) if demo else ()).run()


class _UvicornRun:
    """One run of uvicorn."""

    def __init__(self, service: Service, on_ready: Callable[[ServerAddress], None], keys: _RoleKeys) -> None:
        self._service, self._on_ready, self._keys = service, on_ready, keys
        self._refused: Refused | None = None
        self._server = uvicorn.Server(_uvicorn_config(service.settings, create_app(service, self._lifespan)))

    def run(self) -> None:
        for ending in (signal.SIGINT, signal.SIGTERM):  # uvicorn raises the signal again after it has stopped;
            signal.signal(ending, lambda *_: None)  # it must not interrupt the cleanup that follows here
        try:
            self._server.run()
        except SystemExit:  # uvicorn did not start
            if self._refused is None:
                raise
        if self._refused is not None:
            raise self._refused

    @asynccontextmanager
    async def _lifespan(self, service: Service) -> AsyncIterator[None]:
        service.worker.start()
        opening = asyncio.create_task(self._announce(service.worker))
        try:
            async with _serve_flight(service):
                yield
        except Refused as refused:  # uvicorn would stop without reporting why
            self._refused = refused
            raise
        finally:
            opening.cancel()
            log.info("stopping")
            await service.worker.stop(service.settings.stop_seconds)

    async def _announce(self, worker_link: PipeLink) -> None:
        try:
            await worker_link.ready()
        except Refused as refused:
            self._refused, self._server.should_exit = refused, True
            return
        for _, key in self._keys:
            await self._service.log_key_event(KeyEvent.MADE, key, DEMO_CLIENT)
        while not self._server.started:
            await asyncio.sleep(0.01)
        settings = self._service.settings
        port = self._server.servers[0].sockets[0].getsockname()[1]
        scheme = "http" if settings.tls_cert is None else "https"
        log.info("ready", host=settings.host, port=port)
        keys = tuple((role, key["key"]) for role, key in self._keys)
        self._on_ready(ServerAddress(f"{scheme}://{url_host(settings.host)}:{port}", keys))


@asynccontextmanager
async def _serve_flight(service: Service) -> AsyncIterator[None]:
    """Serve Flight SQL if a port is set; raises Refused where another process took the port meanwhile."""
    if service.settings.flight_port is None:
        yield
        return
    from engine.server.flight.server import serve_flight  # late: most servers have no Flight port

    async with serve_flight(service) as port:
        log.info("flight", host=service.settings.host, port=port)
        yield


def _uvicorn_config(settings: Settings, app: ASGIApp) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        settings.host,
        settings.port,
        http=BoundedProtocol,
        ssl_certfile=settings.tls_cert,
        ssl_keyfile=settings.tls_key,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=settings.behind_tls_proxy,
        forwarded_allow_ips=settings.proxy_addresses,
        timeout_graceful_shutdown=round(settings.stop_seconds),
        timeout_keep_alive=30,
        limit_concurrency=None,
    )


def _worker_link(settings: Settings, ledger_address: str) -> PipeLink:
    names = ("least_seconds", "rows_per_second", "slots", "queue", "queue_per_client", "unit_rows")
    pacing = {name: getattr(settings, name) for name in names}
    standing = None if settings.standing is None else str(settings.standing)
    opening = {"catalog": settings.catalog, "ledger": ledger_address, "pace": pacing, "standing": standing}
    return PipeLink(opening, settings.hung_seconds)


def _demo_keys(service: Service) -> _RoleKeys:
    return tuple((str(role), service.keys.make(DEMO_CLIENT, role, by=DEMO_CLIENT, days=DEMO_DAYS)) for role in Role)


def make_first_admin(settings: Settings, name: str, *, again: bool = False) -> dict[str, Any]:
    """Create the first admin's key, on the server's machine; raises LedgerError if one exists, unless `again`."""
    address = ledger_address(settings.catalog, settings.ledger)
    if address == MEMORY:
        raise ParamError("A ledger in memory keeps no keys.", "--ledger FILE")
    with opened_ledger(settings.catalog, address) as opened_catalog, closing(ServerTables.open_for(address)) as tables:
        keys = Keys(tables, read_pepper(secret_file(settings, address)))
        new_key = keys.bootstrap(name, days=settings.key_days, again=again)
        key_events = *((KeyEvent.REVOKED, old) for old in new_key["taken_back"]), (KeyEvent.MADE, name)
        for event, key_name in key_events:
            record_key_event(
                opened_catalog.ledger, event=event, name=key_name, role=new_key["role"], by=new_key["made_by"]
            )
        return new_key


def secret_file(settings: Settings, ledger_address: str) -> Path:
    """Path of the server's secret: from the settings, else next to the ledger file; raises ParamError."""
    if settings.secret_file is not None:
        return settings.secret_file
    if "://" in ledger_address:
        why = "A ledger in a database has no place beside it for the server's secret."
        raise ParamError(why, "secret_file, the same file for every server of this ledger")
    return Path(f"{ledger_address}.secret")
