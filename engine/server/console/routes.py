"""The routes of the console, and its door: a key for a session."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse
from starlette.concurrency import run_in_threadpool

from engine.server.auth.keys import new_session
from engine.server.console import (
    asking_pages,
    clients_pages,
    health_pages,
    jobs_pages,
    keys_pages,
    ledger_pages,
    objections_pages,
    overview_pages,
    pace_pages,
    releases_pages,
    requests_pages,
    shared_pages,
)
from engine.server.console.sessions import HOURS
from engine.server.console.visits import (
    COOKIE,
    HEADERS,
    Visit,
    form_of,
    is_from_elsewhere,
    page,
    sessions_of,
    told_of,
    visited,
)
from engine.server.http.problems import STATUSES, Problem
from engine.server.routes.access import refuse_key
from engine.server.service import House

router = APIRouter(include_in_schema=False)
DOOR = "passersby_login"  # of the form at the door, before there is a session
INDEX = {
    "name": "passersby",
    "ask": "POST /v1/queries, with a key as bearer token",
    "openapi": "/openapi.json",
    "console": "/console",
    "health": "/healthz",
}
STYLE = Path(__file__).with_name("console.css")


@router.get("/")
async def front(request: Request) -> Response:
    """Lead a browser to the console, and tell a program what there is."""
    if "text/html" in request.headers.get("accept", ""):
        return RedirectResponse("/console", 303, HEADERS)
    return JSONResponse(INDEX)


@router.get("/console/console.css")
async def style() -> Response:
    """Give the one style sheet."""
    return Response(STYLE.read_text(encoding="utf-8"), media_type="text/css")


@router.get("/console/login")
async def login(request: Request) -> Response:
    """Show the form at the door."""
    return _door(request.app.state.house)


@router.post("/console/login")
async def enter(request: Request) -> Response:
    """Take a key, and give a session for it."""
    house: House = request.app.state.house
    try:
        form = await form_of(request)
        door = request.cookies.get(DOOR, "")
        if not door or not sessions_of(house).is_form_token(door, form.get("token", "")) or is_from_elsewhere(request):
            raise Problem("E_FORBIDDEN", "This form was open too long, or is another's.", "the form below")
        principal = await run_in_threadpool(house.keys.principal, form.get("key", "").strip())
        if principal is None:
            refuse_key(house, request.client.host if request.client else "", "the console's form")
            raise Problem("E_AUTH", "This key is not known, or has ended.", "a key that an admin made for you")
    except Problem as error:
        return _door(house, error)
    answer = RedirectResponse("/console", 303, HEADERS)
    session = await run_in_threadpool(sessions_of(house).begin, principal.key_id)
    _set_cookie(house, answer, COOKIE, session, seconds=round(HOURS * 3600))
    answer.delete_cookie(DOOR, path="/console")
    return answer


def _door(house: House, error: Problem | None = None) -> Response:
    door = new_session()
    told = None if error is None else told_of(error)
    status = 200 if told is None else STATUSES.get(told["code"], 500)
    answer = page("login", status, form_token=partial(sessions_of(house).form_token, door), problem=told)
    _set_cookie(house, answer, DOOR, door, seconds=3600)
    return answer


def _set_cookie(house: House, answer: Response, name: str, value: str, *, seconds: int) -> None:
    settings = house.settings
    safe: dict[str, Any] = {"httponly": True, "samesite": "strict", "path": "/console"}
    secure = settings.tls_cert is not None or settings.behind_tls_proxy
    answer.set_cookie(name, value, max_age=seconds, secure=secure, **safe)


async def _leave(visit: Visit) -> Response:
    await run_in_threadpool(sessions_of(visit.house).end, visit.session)
    answer = RedirectResponse("/console/login", 303, HEADERS)
    answer.delete_cookie(COOKIE, path="/console")
    return answer


async def _nowhere(visit: Visit) -> Response:
    raise Problem("E_NOT_FOUND", "There is no such page.", "a page of the menu")


router.get("/console")(visited(overview_pages.overview))
router.post("/console/logout")(visited(_leave))
router.get("/console/ask")(visited(asking_pages.ask))
router.post("/console/ask")(visited(asking_pages.asked))
router.get("/console/catalog")(visited(asking_pages.catalog))
router.get("/console/pace")(visited(pace_pages.pace))
router.get("/console/clients")(visited(clients_pages.clients))
router.post("/console/clients/{action}")(visited(clients_pages.change_client, clients_pages.clients))
router.get("/console/keys")(visited(keys_pages.keys))
router.post("/console/keys/{action}")(visited(keys_pages.change_key, keys_pages.keys))
router.get("/console/ledger")(visited(ledger_pages.ledger))
router.get("/console/ledger/export")(visited(ledger_pages.export))
router.get("/console/ledger/verify")(visited(ledger_pages.verify))
router.post("/console/ledger/verify")(visited(ledger_pages.verify_with_anchor, ledger_pages.verify))
router.get("/console/jobs")(visited(jobs_pages.jobs))
router.get("/console/jobs/{job_id}")(visited(jobs_pages.job))
router.post("/console/jobs/{job_id}/cancel")(visited(jobs_pages.cancel, jobs_pages.jobs))
router.get("/console/requests")(visited(requests_pages.requests))
router.post("/console/requests")(visited(requests_pages.ask_for_cap, requests_pages.requests))
router.get("/console/shared")(visited(shared_pages.shared))
router.post("/console/shared/make")(visited(shared_pages.make, shared_pages.shared))
router.get("/console/shared/{share_id}")(visited(shared_pages.offered))
router.post("/console/shared/{share_id}/take")(visited(shared_pages.take, shared_pages.offered))
router.post("/console/shared/{share_id}/end")(visited(shared_pages.end, shared_pages.shared))
router.get("/console/health")(visited(health_pages.health))
router.get("/console/objections")(visited(objections_pages.objections))
router.post("/console/objections/{action}")(visited(objections_pages.change, objections_pages.objections))
router.get("/console/releases")(visited(releases_pages.releases))
router.get("/console/{nowhere:path}")(visited(_nowhere))  # last: it takes whatever the others do not
