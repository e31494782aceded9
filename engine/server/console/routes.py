"""Routes of the console, and its login: a key is exchanged for a session."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from engine.server.auth.keys import new_session_secret
from engine.server.console import admin, analyst, ledger
from engine.server.console.sessions import (
    SESSION_COOKIE,
    SESSION_HOURS,
    Visit,
    is_cross_site,
    page,
    page_route,
    read_form,
    see_other,
    sessions_of,
)
from engine.server.http.problems import Problem, status_of
from engine.server.routes.access import address_of, count_invalid_key
from engine.server.service import Service

router = APIRouter(include_in_schema=False)
LOGIN_COOKIE = "passersby_login"  # cookie of the login form, before there is a session
INDEX = {
    "name": "passersby",
    "ask": "POST /v1/queries, with a key as bearer token",
    "openapi": "/openapi.json",
    "console": "/console",
    "health": "/healthz",
}
STYLE_SHEET = Path(__file__).with_name("console.css")


@router.get("/")
async def front(request: Request) -> Response:
    """Redirect a browser to the console; answer a program with an index of the server."""
    if "text/html" in request.headers.get("accept", ""):
        return see_other("/console")
    return JSONResponse(INDEX)


@router.get("/console/console.css")
async def style() -> Response:
    """Return the style sheet."""
    return Response(STYLE_SHEET.read_text(encoding="utf-8"), media_type="text/css")


@router.get("/console/login")
async def login(request: Request) -> Response:
    """Page of the login form."""
    return _login_page(request.app.state.house)


@router.post("/console/login")
async def enter(request: Request) -> Response:
    """Check the key of the login form, and begin a session."""
    service: Service = request.app.state.house
    try:
        form = await read_form(request)
        login_session = request.cookies.get(LOGIN_COOKIE, "")
        if (
            not login_session
            or not sessions_of(service).is_form_token(login_session, form.get("token", ""))
            or is_cross_site(request)
        ):
            raise Problem("E_FORBIDDEN", "This form was open too long, or is another's.", "the form below")
        principal = await run_in_threadpool(service.keys.principal, form.get("key", "").strip())
        if principal is None:
            count_invalid_key(service, address_of(request), "the console's form")
            raise Problem("E_AUTH", "This key is not known, or has ended.", "a key that an admin made for you")
    except Problem as error:
        return _login_page(service, error)
    answer = see_other("/console")
    session = await run_in_threadpool(sessions_of(service).begin, principal.key_id)
    _set_cookie(service, answer, SESSION_COOKIE, session, seconds=round(SESSION_HOURS * 3600))
    answer.delete_cookie(LOGIN_COOKIE, path="/console")
    return answer


def _login_page(service: Service, error: Problem | None = None) -> Response:
    login_session = new_session_secret()
    details = None if error is None else error.problem
    status = 200 if details is None else status_of(details)
    answer = page("login", status, form_token=partial(sessions_of(service).form_token, login_session), problem=details)
    _set_cookie(service, answer, LOGIN_COOKIE, login_session, seconds=3600)
    return answer


def _set_cookie(service: Service, answer: Response, name: str, value: str, *, seconds: int) -> None:
    settings = service.settings
    safe: dict[str, Any] = {"httponly": True, "samesite": "strict", "path": "/console"}
    secure = settings.tls_cert is not None or settings.behind_tls_proxy
    answer.set_cookie(name, value, max_age=seconds, secure=secure, **safe)


async def _log_out(visit: Visit) -> Response:
    await run_in_threadpool(sessions_of(visit.service).end, visit.session)
    answer = see_other("/console/login")
    answer.delete_cookie(SESSION_COOKIE, path="/console")
    return answer


async def _not_found(visit: Visit) -> Response:
    raise Problem("E_NOT_FOUND", "There is no such page.", "a page of the menu")


router.get("/console")(page_route(admin.overview))
router.post("/console/logout")(page_route(_log_out))
router.get("/console/ask")(page_route(analyst.ask))
router.post("/console/ask")(page_route(analyst.submit_query))
router.get("/console/catalog")(page_route(analyst.catalog))
router.get("/console/pace")(page_route(analyst.spending))
router.get("/console/clients")(page_route(admin.clients))
router.post("/console/clients/{action}")(page_route(admin.change_client, admin.clients))
router.get("/console/keys")(page_route(admin.keys))
router.post("/console/keys/{action}")(page_route(admin.change_key, admin.keys))
router.get("/console/ledger")(page_route(ledger.ledger))
router.get("/console/ledger/export")(page_route(ledger.export))
router.get("/console/ledger/verify")(page_route(ledger.verify))
router.post("/console/ledger/verify")(page_route(ledger.verify_with_anchor, ledger.verify))
router.get("/console/jobs")(page_route(analyst.jobs))
router.get("/console/jobs/{job_id}")(page_route(analyst.job))
router.post("/console/jobs/{job_id}/cancel")(page_route(analyst.cancel, analyst.jobs))
router.get("/console/requests")(page_route(analyst.requests))
router.post("/console/requests")(page_route(analyst.ask_for_cap, analyst.requests))
router.get("/console/shared")(page_route(analyst.shared))
router.post("/console/shared/make")(page_route(analyst.make_share, analyst.shared))
router.get("/console/shared/{share_id}")(page_route(analyst.shared_offer))
router.post("/console/shared/{share_id}/take")(page_route(analyst.take_shared, analyst.shared_offer))
router.post("/console/shared/{share_id}/end")(page_route(analyst.end_share, analyst.shared))
router.get("/console/health")(page_route(admin.health))
router.get("/console/objections")(page_route(admin.objections))
router.post("/console/objections/{action}")(page_route(admin.change_objection, admin.objections))
router.get("/console/releases")(page_route(admin.releases))
router.get("/console/{nowhere:path}")(page_route(_not_found))  # last: it matches every path
