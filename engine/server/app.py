"""The ASGI application: endpoints, one shape for every no, and what stands around each request."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from http import HTTPStatus
from importlib import metadata
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from fastapi.responses import PlainTextResponse
from starlette.exceptions import HTTPException
from starlette.routing import Match, Route

from budgets import LedgerError, LedgerUnavailable, cause_of
from engine.accounts.problems import Refused, problem
from engine.server.console import routes
from engine.server.http.openapi import completed
from engine.server.http.problems import Problem, problem_response, unread_problem
from engine.server.http.shapes import Health
from engine.server.logs import log
from engine.server.routes import admin as administering
from engine.server.routes import analyst as asking
from engine.server.routes import sharing as sharing_asked
from engine.server.routes import watching
from engine.server.routes.access import Asker
from engine.server.routes.alerts import Alerts
from engine.server.routes.health import Checks
from engine.server.routes.jobs import Jobs
from engine.server.routes.middleware import SHORTER, Surround
from engine.server.service import House
from engine.server.throttle import Throttle
from engine.server.worker.frames import Json

Life = Callable[[House], AbstractAsyncContextManager[None]]
VERSION = metadata.version("passersby")
CURES = {"E_SIZE": SHORTER}
ROUTERS = (asking.router, sharing_asked.router, administering.router, watching.router, routes.router)
CODES = {404: "E_NOT_FOUND", 405: "E_METHOD", 413: "E_SIZE", 415: "E_MEDIA"}


def create_app(house: House, life: Life | None = None) -> FastAPI:
    """Make the application of a server; `life` is what begins and ends with it."""
    alerts = Alerts.of(house)

    def works(app: FastAPI) -> tuple[Coroutine[Any, Any, None], ...]:
        checks: Checks = app.state.checks
        return alerts.run(), checks.run(), checks.readiness.run()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with nullcontext() if life is None else life(house), _beside(*works(app)):
            await app.state.jobs.resume()
            yield

    app = FastAPI(title="passersby", version=VERSION, lifespan=lifespan, docs_url=None, redoc_url=None)
    app.state.house, app.state.jobs, app.state.checks = house, Jobs(house), Checks(house, alerts)
    for router in ROUTERS:
        app.include_router(router)
    _health(app)
    _refusals(app)
    app.add_middleware(Surround, house=house)
    app.openapi = lambda: _document(app)  # type: ignore[method-assign]  # as FastAPI's manual has it
    return app


@asynccontextmanager
async def _beside(*works: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Let something go on beside the requests."""
    tasks = [asyncio.create_task(work) for work in works]
    for task in tasks:
        task.add_done_callback(_note_end)
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _note_end(task: asyncio.Task[None]) -> None:
    """Say that something ended which was to go on: nothing else would."""
    failure = None if task.cancelled() else task.exception()
    if failure is not None:
        log.error("background work ended", kind=type(failure).__name__)


def _document(app: FastAPI) -> dict[str, Any]:
    if app.openapi_schema is None:
        made = get_openapi(title=app.title, version=app.version, summary="Ask where people go.", routes=app.routes)
        app.openapi_schema = completed(made)
    return app.openapi_schema


def _health(app: FastAPI) -> None:
    @app.get("/healthz", response_model=Health, operation_id="healthz")
    async def healthz() -> Json:
        """Say that the server runs."""
        return {"state": "runs"}

    @app.get("/readyz", response_model=Health, operation_id="readyz")
    async def readyz(request: Request) -> Json:
        """Say whether questions can be answered: worker, ledger and disk work; 503 while they do not."""
        checks: Checks = request.app.state.checks
        part = checks.readiness.why_not()
        if part is not None:
            raise Problem("E_BUSY", part.value, "the same in a moment; GET /v1/admin/health has the cause")
        return {"state": "ready"}

    @app.get("/metrics", response_class=PlainTextResponse, operation_id="metrics")
    async def metrics(asker: Asker) -> Response:
        """Give the counters for Prometheus."""
        return Response(asker.house.metrics.text(), media_type="text/plain; version=0.0.4")


def _refusals(app: FastAPI) -> None:
    """Give every no its one shape."""
    throttle = Throttle()

    def refuse(request: Request, told: dict[str, Any], headers: dict[str, str] | None = None) -> Response:
        request.state.code = told["code"]
        request.app.state.house.metrics.refused(told["code"])
        return problem_response(told, headers)

    @app.exception_handler(Refused)
    async def refused(request: Request, error: Refused) -> Response:
        return refuse(request, error.problem)

    @app.exception_handler(LedgerError)
    async def not_kept(request: Request, error: LedgerError) -> Response:
        if isinstance(error, LedgerUnavailable) and throttle.is_due(cause := cause_of(error)):
            log.error("the books can't be used", cause=cause)
        return refuse(request, problem(error, None))

    @app.exception_handler(Problem)
    async def no(request: Request, error: Problem) -> Response:
        return refuse(request, error.told, error.headers)

    @app.exception_handler(RequestValidationError)
    async def unread(request: Request, error: RequestValidationError) -> Response:
        return refuse(request, unread_problem(error.errors()).told)

    @app.exception_handler(HTTPException)
    async def elsewhere(request: Request, error: HTTPException) -> Response:
        code = CODES.get(error.status_code, "E_PARAM")
        told = Problem(code, f"{error.detail}.", CURES.get(code, "GET /openapi.json lists what there is")).told
        headers = dict(error.headers or {})
        if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            headers["Allow"] = _allowed(request)
        return refuse(request, told, headers)


def _allowed(request: Request) -> str:
    """List the methods of a path: each of its routes knows its own alone."""
    every = (*request.app.routes, *(route for router in ROUTERS for route in router.routes))
    here = (each for each in every if isinstance(each, Route) and each.matches(request.scope)[0] is not Match.NONE)
    methods = {name for each in here for name in each.methods or ()}
    return ", ".join(sorted(methods | ({"HEAD"} if "GET" in methods else set())))
