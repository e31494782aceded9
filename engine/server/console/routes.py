"""Routes of the console, and its login: a key is exchanged for a session."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse
from starlette.concurrency import run_in_threadpool

from engine.server.auth.keys import new_session
from engine.server.console import admin, analyst, ledger
from engine.server.console.sessions import (
    COOKIE,
    HEADERS,
    HOURS,
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
DOOR = "passersby_login"  # cookie of the login form, before there is a session
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
    """Redirect a browser to the console; answer a program with an index of the server."""
    if "text/html" in request.headers.get("accept", ""):
        return RedirectResponse("/console", 303, HEADERS)
    return JSONResponse(INDEX)


@router.get("/console/console.css")
async def style() -> Response:
    """Return the style sheet."""
    return Response(STYLE.read_text(encoding="utf-8"), media_type="text/css")


@router.get("/console/login")
async def login(request: Request) -> Response:
    """Page of the login form."""
    return _door(request.app.state.house)


@router.post("/console/login")
async def enter(request: Request) -> Response:
    """Check the key of the login form, and begin a session."""
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


router.get("/console")(visited(admin.overview))
router.post("/console/logout")(visited(_leave))
router.get("/console/ask")(visited(analyst.ask))
router.post("/console/ask")(visited(analyst.asked))
router.get("/console/catalog")(visited(analyst.catalog))
router.get("/console/pace")(visited(analyst.pace))
router.get("/console/clients")(visited(admin.clients))
router.post("/console/clients/{action}")(visited(admin.change_client, admin.clients))
router.get("/console/keys")(visited(admin.keys))
router.post("/console/keys/{action}")(visited(admin.change_key, admin.keys))
router.get("/console/ledger")(visited(ledger.ledger))
router.get("/console/ledger/export")(visited(ledger.export))
router.get("/console/ledger/verify")(visited(ledger.verify))
router.post("/console/ledger/verify")(visited(ledger.verify_with_anchor, ledger.verify))
router.get("/console/jobs")(visited(analyst.jobs))
router.get("/console/jobs/{job_id}")(visited(analyst.job))
router.post("/console/jobs/{job_id}/cancel")(visited(analyst.cancel, analyst.jobs))
router.get("/console/requests")(visited(analyst.requests))
router.post("/console/requests")(visited(analyst.ask_for_cap, analyst.requests))
router.get("/console/shared")(visited(analyst.shared))
router.post("/console/shared/make")(visited(analyst.make, analyst.shared))
router.get("/console/shared/{share_id}")(visited(analyst.offered))
router.post("/console/shared/{share_id}/take")(visited(analyst.take, analyst.offered))
router.post("/console/shared/{share_id}/end")(visited(analyst.end, analyst.shared))
router.get("/console/health")(visited(admin.health))
router.get("/console/objections")(visited(admin.objections))
router.post("/console/objections/{action}")(visited(admin.change, admin.objections))
router.get("/console/releases")(visited(admin.releases))
router.get("/console/{nowhere:path}")(visited(_nowhere))  # last: it matches every path
