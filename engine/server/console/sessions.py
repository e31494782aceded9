"""Browser sessions: 256 random bits in a cookie, stored as a keyed hash; each expires, at the latest with its key.

Each form of a session has a token of its own, accepted once. A request is resolved to its visitor, checked for a valid
form token and for permission; every page's headers are set here.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any, get_type_hints
from urllib.parse import parse_qsl

from fastapi import Request, Response
from fastapi.responses import RedirectResponse
from fastapi.routing import APIRoute
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from pydantic import BaseModel, ValidationError
from starlette.concurrency import run_in_threadpool

from budgets import LedgerError
from dialect.parser import MAX_CHARACTERS
from engine.errors import Refused
from engine.server.auth.keys import Keys, Principal, new_id, new_session_secret
from engine.server.console.drawing import half_width_text, left_text, loss_text, parts_text, width_range_text
from engine.server.http.problems import Problem, problem_of, status_of
from engine.server.http.requests import is_plain, replace_surrogates
from engine.server.http.roles import RULES, Rule, Scope
from engine.server.http.sizes import size_class
from engine.server.routes import admin, analyst, health, sharing
from engine.server.routes.access import AuthorizedRequest, authorize
from engine.server.routes.jobs import Jobs
from engine.server.service import Service
from engine.server.storage import ServerTables, later_text, now_text
from engine.server.worker.frames import Json

SESSION_HOURS = 8.0
NONCE_LENGTH = 32  # characters of a token's nonce


@dataclass(frozen=True)
class Sessions:
    """The browser sessions of a server."""

    tables: ServerTables
    keys: Keys
    hours: float = SESSION_HOURS

    def begin(self, key_id: str) -> str:
        """Begin the session of a key, and return its secret, which is not stored."""
        session = new_session_secret()
        self.tables.add_session(self._digest("session", session), key_id, later_text(hours=self.hours), now_text())
        return session

    def principal(self, session: str) -> Principal | None:
        """Return the user of a session; None where it is unknown or expired, or its key is."""
        key_id = self.tables.session_key(self._digest("session", session), now_text())
        return None if key_id is None else self.keys.principal_by_id(key_id)

    def end(self, session: str) -> None:
        """End a session."""
        self.tables.delete_session(self._digest("session", session))

    def form_token(self, session: str) -> str:
        """Create the token of one form: unguessable for other sites, different for every form."""
        nonce = new_id()
        return f"{nonce}{self._form_mac(session, nonce)}"

    def is_form_token(self, session: str, token: str) -> bool:
        """Is a form token one of this session's? Compared in constant time."""
        nonce, sent = token[:NONCE_LENGTH], token[NONCE_LENGTH:]
        return hmac.compare_digest(self._form_mac(session, nonce).encode(), sent.encode())

    def record_form(self, session: str, token: str) -> bool:
        """Record a submitted form; return whether it is the first submission, on any server of these tables."""
        return self.tables.record_form(
            self._digest("sent", f"{session}\0{token}"), later_text(hours=self.hours), now_text()
        )

    def _form_mac(self, session: str, nonce: str) -> str:
        return self._digest("form", f"{session}\0{nonce}").hex()

    def _digest(self, use: str, session: str) -> bytes:
        return hmac.digest(self.keys.pepper, f"{use}\0{session}".encode(), hashlib.sha256)


SESSION_COOKIE = "passersby_console"
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-store",
}
PAGES: dict[tuple[str, str], Rule] = {}  # who may see each page, by method and path
MENU_PAGES = (
    *("ask", "jobs", "shared", "catalog", "pace", "requests"),
    *("clients", "keys", "ledger", "objections", "releases", "health"),
)
MENU = {"/console": "Overview"} | {f"/console/{name}": name.capitalize() for name in MENU_PAGES}  # titles by path
TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).with_name("pages")),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
PAGE_DEFAULTS: Mapping[str, Any] = {"me": None, "menu": {}, "here": "", "refused": None, "typed": {}}
# Forms that may be sent twice: they change nothing, or are idempotent by an id of their own.
REPEATABLE_FORMS = frozenset(
    {"/console/ask", "/console/ledger/verify", "/console/logout", "/console/shared/{share_id}/take"}
)
MAX_NUMBER_DIGITS = 12  # digits
MAX_PARAMETER_LENGTH = MAX_CHARACTERS  # of a URL parameter: a link to the form contains the query
TEMPLATES.filters |= {
    "loss": loss_text,
    "left": left_text,
    "half_width": half_width_text,
    "parts": parts_text,
    "width_range": width_range_text,
}
FIELD_HINT = "fill in the field again"
FORM = "application/x-www-form-urlencoded"
Handler = Callable[["Visit"], Awaitable[Response]]
Endpoint = Callable[..., Awaitable[Json]]  # function of an endpoint of the API
ENDPOINTS: Mapping[Endpoint, tuple[str, str]] = {  # method and path, by which roles.py has its rule
    route.endpoint: (method, route.path.replace(":path", ""))
    for router in (admin.router, analyst.router, health.router, sharing.router)
    for route in router.routes
    if isinstance(route, APIRoute)
    for method in route.methods or ()
}


@dataclass(frozen=True)
class Visit:
    """An authenticated request to a page."""

    request: Request
    service: Service
    principal: Principal
    session: str
    form: Mapping[str, str]
    problem: Mapping[str, Any] | None = None  # the refusal of the submitted form, when its page is shown again

    @property
    def sessions(self) -> Sessions:
        """Console sessions of the server."""
        return sessions_of(self.service)

    @property
    def jobs(self) -> Jobs:
        """Jobs of the server."""
        return self.request.app.state.jobs

    def authorize(self, endpoint: Endpoint) -> AuthorizedRequest:
        """Authorize the user at an API endpoint; raises Problem with E_FORBIDDEN."""
        return authorize(self.service, self.principal, *ENDPOINTS[endpoint])

    def is_allowed(self, endpoint: Endpoint) -> bool:
        """May the user call an API endpoint? Decided by the table of roles."""
        return RULES[ENDPOINTS[endpoint]].scope_of(self.principal.role) is not Scope.NONE

    async def call(self, endpoint: Endpoint, **arguments: Any) -> Json:  # noqa: ANN401  what the endpoint takes
        """Call the function of an API endpoint, as the user; raises Problem with E_FORBIDDEN."""
        return await endpoint(asker=self.authorize(endpoint), **arguments)

    async def submit(self, endpoint: Endpoint, fields: Mapping[str, Any], **arguments: Any) -> Json:  # noqa: ANN401
        """Call an endpoint with fields of a form as its body; raises pydantic's ValidationError where they are none."""
        body: type[BaseModel] = get_type_hints(endpoint)["asked"]
        return await self.call(endpoint, asked=body.model_validate(fields), **arguments)

    def path_parameter(self, name: str) -> str:
        """Return a part of the page's path."""
        return str(self.request.path_params[name])

    def query_parameter(self, name: str) -> str | None:
        """Return a parameter of the URL; None where it is empty or absent. Raises Problem."""
        text = self.request.query_params.get(name, "")
        if not is_plain(text) or len(text) > MAX_PARAMETER_LENGTH:
            why = f"{name}: no plain text of at most {MAX_PARAMETER_LENGTH:,} characters."
            raise Problem("E_PARAM", why, "a shorter one")
        return text or None

    def page(self, template: str, status: int = 200, least_bytes: int = 0, **shown: Json) -> Response:
        """Render a page for the user, padded to a public length."""
        role = self.principal.role
        context: dict[str, Any] = {
            "menu": {path: MENU[path] for path in MENU if PAGES["GET", path].scope_of(role) is not Scope.NONE},
            "here": self.request.url.path,
            "me": self.principal,
            "form_token": partial(self.sessions.form_token, self.session),
        }
        if self.problem is not None:
            status = status_of(self.problem)
            context |= {"refused": self.problem, "typed": self.form}
        return page(template, status, least_bytes, **context, **shown)

    def confirmation(self, question: str, answer: str) -> Response | None:
        """Page that asks for confirmation; None if the form was confirmed."""
        if self.form.get("sure") == "yes":
            return None
        sent = {name: value for name, value in self.form.items() if name != "token"}
        back = self.request.url.path.rpartition("/")[0]
        return self.page("sure", question=question, answer=answer, sent=sent, back=back)


def page(template: str, status: int = 200, least_bytes: int = 0, **shown: Json) -> Response:
    """Render a page. All values are escaped."""
    text = TEMPLATES.get_template(f"{template}.html.j2").render(**{**PAGE_DEFAULTS, **shown})
    body = replace_surrogates(text).encode()
    if least_bytes:
        body = body.ljust(size_class(max(least_bytes, len(body))), b" ")
    return Response(body, status, HEADERS, "text/html")


def page_route(rule: Rule, handler: Handler, shown: Handler | None = None) -> Callable[[Request], Awaitable[Response]]:
    """Make a route of a handler: requires a session, checks each form's token once, renders refusals as pages.

    `rule` states who may see the page; what it shows or does goes through endpoints, by their rules. A refused form is
    rendered again by `shown`, with the reason and what was typed.
    """

    async def route(request: Request) -> Response:
        service: Service = request.app.state.service
        session = request.cookies.get(SESSION_COOKIE, "")
        principal = await run_in_threadpool(sessions_of(service).principal, session) if session else None
        if principal is None:
            return see_other("/console/login")
        request.state.principal = principal
        visit = Visit(request, service, principal, session, {})
        try:
            service.limits.count_request(f"{principal.role}/{principal.name}")
            _check_scope(visit, rule)
            form = await read_form(request) if request.method == "POST" else {}
            _check_token(visit, form)
        except (LedgerError, Problem) as error:
            return refusal_page(visit, error)
        visit = replace(visit, form=form)
        try:
            await _take_form(visit)
            return await handler(visit)
        except (Refused, LedgerError, ValidationError) as error:
            return refusal_page(visit, error) if shown is None else await _show_again(visit, error, shown)

    return route


async def _show_again(visit: Visit, error: Exception, shown: Handler) -> Response:
    """Render the page of a refused form again, with what was typed."""
    details = problem_of(error, FIELD_HINT)
    try:
        answer = await shown(replace(visit, problem=details))
    except (Refused, LedgerError):
        return refusal_page(visit, error)
    visit.service.count_refusal(visit.request, details["code"])
    return answer


def refusal_page(visit: Visit, error: Exception, template: str = "refusal", **shown: Json) -> Response:
    """Render a refusal as a page, with the HTTP status of its code."""
    details = problem_of(error, FIELD_HINT)
    visit.service.count_refusal(visit.request, details["code"])
    return visit.page(template, status_of(details), **{**shown, "problem": details})


def sessions_of(service: Service) -> Sessions:
    """Console sessions of a server, made at first use."""
    return Sessions(service.tables, service.keys)


async def read_form(request: Request) -> dict[str, str]:
    """Parse a form; empty fields are absent. Raises Problem."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
        raise Problem("E_MEDIA", f"{HTTPStatus.UNSUPPORTED_MEDIA_TYPE.phrase}.", f"a form, as {FORM}")
    try:
        pairs = parse_qsl((await request.body()).decode(), max_num_fields=40, errors="strict")
    except ValueError:
        raise Problem("E_PARAM", "This is no form.", "the form of the page") from None
    if not all(is_plain(text) for pair in pairs for text in pair):
        raise Problem("E_PARAM", "A field of the form holds NUL.", "text without control characters")
    return {name: value.replace("\r\n", "\n") for name, value in pairs}


def form_fields(visit: Visit) -> dict[str, str]:
    """Fields of a form for its endpoint, without those that only the console uses."""
    return {name: value for name, value in visit.form.items() if name not in ("token", "form", "sure")}


def see_other(path: str) -> Response:
    """Redirect to a page, after a form was accepted."""
    return RedirectResponse(path, 303, HEADERS)


def unknown_form() -> Problem:
    """Problem for a form that its page does not have."""
    return Problem("E_NOT_FOUND", "There is no such form.", "a form of the page")


def whole_number(text: str) -> int:
    """Page number from a query parameter; raises Problem (E_PARAM) for anything but a positive integer."""
    if not text.isascii() or not text.isdigit() or len(text) > MAX_NUMBER_DIGITS:
        raise Problem("E_PARAM", "This is no number.", "a number from the page")
    return int(text)


def is_cross_site(request: Request) -> bool:
    """Was this request sent from another site? Decided by the browser's Sec-Fetch-Site header."""
    return request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none")


def _check_scope(visit: Visit, rule: Rule) -> None:
    if rule.scope_of(visit.principal.role) is Scope.NONE:
        why = f"A key of role {visit.principal.role} does not reach this page."
        raise Problem("E_FORBIDDEN", why, "a page of the menu, or log in with another key")


def _check_token(visit: Visit, form: Mapping[str, str]) -> None:
    if visit.request.method != "POST":
        return
    is_own = visit.sessions.is_form_token(visit.session, form.get("token", ""))
    if not is_own or is_cross_site(visit.request):
        raise Problem("E_FORBIDDEN", "This form is not of your session.", "the page again, and its form")


async def _take_form(visit: Visit) -> None:
    """Accept the form of a change once; raises Problem with E_STATE when it is sent again."""
    if visit.request.method != "POST" or visit.request.scope["route"].path in REPEATABLE_FORMS:
        return
    if not await run_in_threadpool(visit.sessions.record_form, visit.session, visit.form["token"]):
        why = "This form was sent already, and what it says was done once, or refused."
        raise Problem("E_STATE", why, "look at the page, and send the form below if it is to be done again")
