"""Routes of the console, and its login: a key is exchanged for a session."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from engine.server.auth.keys import new_session_secret
from engine.server.console import admin, analyst
from engine.server.console.sessions import (
    PAGES,
    SESSION_COOKIE,
    SESSION_HOURS,
    Handler,
    Visit,
    is_cross_site,
    page,
    page_route,
    read_form,
    see_other,
    sessions_of,
)
from engine.server.http.problems import Problem, status_of
from engine.server.http.roles import (
    ADMINISTRATION,
    BUDGET_READING,
    EVERY_ROLE,
    LEDGER_READING,
    OBJECTION_READING,
    OBJECTION_RECORDING,
    OWN_OF_EVERY_ROLE,
    QUERYING,
    SHARED_LINK,
    Rule,
)
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
    return _login_page(request.app.state.service)


@router.post("/console/login")
async def enter(request: Request) -> Response:
    """Check the key of the login form, and begin a session."""
    service: Service = request.app.state.service
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
    await run_in_threadpool(visit.sessions.end, visit.session)
    answer = see_other("/console/login")
    answer.delete_cookie(SESSION_COOKIE, path="/console")
    return answer


async def _not_found(visit: Visit) -> Response:
    raise Problem("E_NOT_FOUND", "There is no such page.", "a page of the menu")


# Method, path, who may see or send it, and what handles it; of a form that is refused, what shows its page again.
_PAGES: tuple[tuple[str, str, Rule, Handler] | tuple[str, str, Rule, Handler, Handler], ...] = (
    ("GET", "/console", OWN_OF_EVERY_ROLE, admin.overview),
    ("POST", "/console/logout", OWN_OF_EVERY_ROLE, _log_out),
    ("GET", "/console/ask", QUERYING, analyst.ask),
    ("POST", "/console/ask", QUERYING, analyst.submit_query),
    ("GET", "/console/catalog", EVERY_ROLE, analyst.catalog),
    ("GET", "/console/pace", BUDGET_READING, analyst.spending),
    ("GET", "/console/clients", LEDGER_READING, admin.clients),
    ("POST", "/console/clients/{action}", ADMINISTRATION, admin.change_client, admin.clients),
    ("GET", "/console/keys", LEDGER_READING, admin.keys),
    ("POST", "/console/keys/{action}", ADMINISTRATION, admin.change_key, admin.keys),
    ("GET", "/console/ledger", LEDGER_READING, admin.ledger),
    ("GET", "/console/ledger/export", LEDGER_READING, admin.export),
    ("GET", "/console/ledger/verify", LEDGER_READING, admin.verify),
    ("POST", "/console/ledger/verify", LEDGER_READING, admin.verify_with_anchor, admin.verify),
    ("GET", "/console/jobs", QUERYING, analyst.jobs),
    ("GET", "/console/jobs/{job_id}", QUERYING, analyst.job),
    ("POST", "/console/jobs/{job_id}/cancel", QUERYING, analyst.cancel, analyst.jobs),
    ("GET", "/console/requests", QUERYING, analyst.requests),
    ("POST", "/console/requests", QUERYING, analyst.ask_for_cap, analyst.requests),
    ("GET", "/console/shared", QUERYING, analyst.shared),
    ("POST", "/console/shared/make", QUERYING, analyst.make_share, analyst.shared),
    ("GET", "/console/shared/{share_id}", SHARED_LINK, analyst.shared_offer),
    ("POST", "/console/shared/{share_id}/take", SHARED_LINK, analyst.take_shared, analyst.shared_offer),
    ("POST", "/console/shared/{share_id}/end", QUERYING, analyst.end_share, analyst.shared),
    ("GET", "/console/health", LEDGER_READING, admin.health),
    ("GET", "/console/objections", OBJECTION_READING, admin.objections),
    ("POST", "/console/objections/{action}", OBJECTION_RECORDING, admin.change_objection, admin.objections),
    ("GET", "/console/releases", LEDGER_READING, admin.releases),
    ("GET", "/console/{nowhere:path}", OWN_OF_EVERY_ROLE, _not_found),  # last: it matches every path
)
for _method, _path, _rule, *_handlers in _PAGES:
    PAGES[_method, _path.replace(":path", "")] = _rule
    router.add_api_route(_path, page_route(_rule, *_handlers), methods=[_method])
