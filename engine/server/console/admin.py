"""Console pages for admins: overview, clients, keys, objections, stored releases, health.

overview    budget spent in each window, and what needs attention
clients     caps, freezes, top-up requests; each form calls the function of an endpoint
keys        all keys; a new one is shown once
objections  when they were recorded, recording them, and their number with noise
releases    how long each dataset replays its numbers, and which are stored
health      the server's own checks, and which alerts were sent
"""

from __future__ import annotations

from typing import Any

from fastapi import Response
from fastapi.responses import RedirectResponse
from starlette.concurrency import run_in_threadpool

from engine.server.console.drawing import alert_threshold, spent_share
from engine.server.console.sessions import HEADERS, Visit, form_fields, whole_number
from engine.server.http.problems import Problem
from engine.server.http.requests import (
    CapRequest,
    ClientRequest,
    DecisionRequest,
    FreezeRequest,
    KeyRequest,
    ObjectionCountRequest,
    ObjectionRequest,
    RotationRequest,
)
from engine.server.http.roles import Role
from engine.server.routes import admin as admin_routes
from engine.server.routes import analyst as analyst_routes
from engine.server.routes import health as health_routes


async def clients(visit: Visit) -> Response:
    """Page of clients, freezes, and top-up requests."""
    found = await admin_routes.clients(visit.authorize("GET", "/v1/admin/clients"))
    frozen = await admin_routes.frozen(visit.authorize("GET", "/v1/admin/freezes"))
    top_ups = await admin_routes.top_ups(visit.authorize("GET", "/v1/admin/topups"), open_only=True)
    rules = visit.is_allowed("POST", "/v1/admin/clients")
    for each in found:
        each["share"] = spent_share(each["spent_rho"], each["cap_rho"])
    return visit.page("clients", clients=found, frozen=frozen, asked=top_ups, rules=rules)


async def change_client(visit: Visit) -> Response:
    """Apply a form of the clients page, and redirect to the page."""
    action = CLIENT_ACTIONS.get(visit.request.path_params["action"])
    if action is None:
        raise Problem("E_NOT_FOUND", "There is no such form.", "a form of the page")
    if action is _remove:
        question = (
            f"Remove {visit.form.get('client', '')}, with all in it where it is a group? Nobody of it asks any more."
        )
        if (confirmation := visit.confirmation(question, "Remove")) is not None:
            return confirmation
    await action(visit, form_fields(visit))
    return RedirectResponse("/console/clients", 303, HEADERS)


async def _add(visit: Visit, form: dict[str, str]) -> None:
    await admin_routes.add_client(ClientRequest(**form), visit.authorize("POST", "/v1/admin/clients"))


async def _remove(visit: Visit, form: dict[str, str]) -> None:
    body = ClientRequest(**form)
    caller = visit.authorize("DELETE", "/v1/admin/clients/{client}")
    await admin_routes.remove_client(body.client, caller, body.reason)


async def _cap(visit: Visit, form: dict[str, str]) -> None:
    await admin_routes.cap(CapRequest.model_validate(form), visit.authorize("POST", "/v1/admin/caps"))


async def _freeze(visit: Visit, form: dict[str, str]) -> None:
    await admin_routes.freeze(FreezeRequest(**form), visit.authorize("POST", "/v1/admin/freezes"))


async def _thaw(visit: Visit, form: dict[str, str]) -> None:
    body = FreezeRequest(**form)
    caller = visit.authorize("DELETE", "/v1/admin/freezes")
    await admin_routes.thaw(caller, body.reason, body.client, body.dataset, body.window)


async def _approve(visit: Visit, form: dict[str, str]) -> None:
    caller = visit.authorize("POST", "/v1/admin/topups/{request}/approve")
    await admin_routes.approve(whole_number(form.pop("request", "")), DecisionRequest(**form), caller)


async def _decline(visit: Visit, form: dict[str, str]) -> None:
    caller = visit.authorize("POST", "/v1/admin/topups/{request}/decline")
    await admin_routes.decline(whole_number(form.pop("request", "")), DecisionRequest(**form), caller)


CLIENT_ACTIONS = {
    "add": _add,
    "remove": _remove,
    "cap": _cap,
    "freeze": _freeze,
    "thaw": _thaw,
    "approve": _approve,
    "decline": _decline,
}


ALERT_ROWS = 100  # newest alerts on the page


async def health(visit: Visit) -> Response:
    """Page of health checks and alerts."""
    checks = await health_routes.health(visit.authorize("GET", "/v1/admin/health"), visit.request)
    alerts = await health_routes.alerts(visit.authorize("GET", "/v1/admin/alerts"))
    return visit.page("health", checks=checks, alerts=alerts[:ALERT_ROWS])


async def keys(visit: Visit, made: dict[str, Any] | None = None) -> Response:
    """Page of keys. A key just made is shown this once."""
    found = await admin_routes.keys(visit.authorize("GET", "/v1/admin/keys"))
    rules = visit.is_allowed("POST", "/v1/admin/keys")
    return visit.page("keys", keys=found, made=made, rules=rules, roles=list(Role))


async def change_key(visit: Visit) -> Response:
    """Apply a form of the keys page: make, rotate or revoke a key."""
    action, form = visit.request.path_params["action"], visit.form
    if action == "make":
        body = KeyRequest.model_validate({"name": form.get("name", ""), "role": form.get("role", "")})
        caller = visit.authorize("POST", "/v1/admin/keys")
        return await keys(visit, await admin_routes.make_key(body, caller))
    if action == "rotate":
        caller = visit.authorize("POST", "/v1/admin/keys/{key_id}/rotate")
        return await keys(
            visit, await admin_routes.rotate(form.get("id", ""), RotationRequest.model_validate({}), caller)
        )
    if action == "revoke":
        key_id, caller = form.get("id", ""), visit.authorize("DELETE", "/v1/admin/keys/{key_id}")
        key = await run_in_threadpool(visit.service.keys.find, key_id)
        question = f"Revoke the {key['role']} key {key_id} of {key['name']}, with those that were made in its place?"
        if (confirmation := visit.confirmation(question, "Revoke")) is not None:
            return confirmation
        await admin_routes.revoke(key_id, caller)
        return RedirectResponse("/console/keys", 303, HEADERS)
    raise Problem("E_NOT_FOUND", "There is no such form.", "a form of the page")


OBJECTION_ROWS = 100  # newest events on the page


async def objections(visit: Visit) -> Response:
    """Page of released numbers and recorded events, newest first; not whose objections, nor how many."""
    events = await admin_routes.objections(visit.authorize("GET", "/v1/admin/objections"))
    found = await admin_routes.figures(visit.authorize("GET", "/v1/admin/objections/figures"))
    rules = visit.is_allowed("POST", "/v1/admin/objections")
    return visit.page(
        "objections", acts=events[::-1][:OBJECTION_ROWS], figures=found[::-1][:OBJECTION_ROWS], rules=rules
    )


async def change_objection(visit: Visit) -> Response:
    """Apply a form of the objections page: record or withdraw an objection, or release their noisy number."""
    form = form_fields(visit)
    action = visit.request.path_params["action"]
    if action == "figure":
        caller = visit.authorize("POST", "/v1/admin/objections/figures")
        await admin_routes.release_figure(ObjectionCountRequest.model_validate(form), caller)
    elif action in ("record", "withdraw"):
        body = ObjectionRequest.model_validate({**form, "withdraw": action == "withdraw"})
        await admin_routes.object_(body, visit.authorize("POST", "/v1/admin/objections"))
    else:
        raise Problem("E_NOT_FOUND", "There is no such form.", "a form of the page")
    return RedirectResponse("/console/objections", 303, HEADERS)


ACCOUNT_ROWS = 200  # accounts on the page


async def overview(visit: Visit) -> Response:
    """Page of datasets and windows with what is spent and left. A steward sees links to other pages."""
    accounts: list[dict[str, Any]] = []
    ahead: dict[str, list[str]] = {}
    if visit.is_allowed("GET", "/v1/budget"):
        budget = await analyst_routes.budget(visit.authorize("GET", "/v1/budget"), None)
        ahead = budget["ahead"]
        for each in budget["accounts"]:
            spent, cap = each["spent_rho"], each["cap_rho"]
            accounts.append({**each, "share": spent_share(spent, cap), "alert": alert_threshold(spent, cap)})
        accounts.sort(key=lambda each: (each["client"] is not None, -each["share"]))
    tiles = await _tiles(visit, accounts)
    return visit.page(
        "overview", accounts=accounts[:ACCOUNT_ROWS], more=len(accounts[ACCOUNT_ROWS:]), ahead=ahead, tiles=tiles
    )


async def _tiles(visit: Visit, accounts: list[dict[str, Any]]) -> list[dict[str, str | None]]:
    """Summary tiles of the overview."""
    tiles: list[dict[str, str | None]] = []
    if accounts:
        most_spent = max(accounts, key=lambda each: each["share"])
        state = "full" if most_spent["share"] >= 0.8 else "half" if most_spent["share"] >= 0.5 else "low"
        whose = f"{most_spent['dataset']}, {most_spent['window']}, {most_spent['client'] or 'all clients'}"
        tiles.append(_tile("Most spent", f"{100 * most_spent['share']:.3g}%", whose, state))
    if visit.is_allowed("GET", "/v1/admin/clients"):
        top_ups = await admin_routes.top_ups(visit.authorize("GET", "/v1/admin/topups"), open_only=True)
        frozen = await admin_routes.frozen(visit.authorize("GET", "/v1/admin/freezes"))
        tiles.append(_count_tile("Requests for caps", len(top_ups), "open", "/console/clients"))
        tiles.append(_count_tile("Frozen", len(frozen), "until an admin thaws it", "/console/clients"))
    if visit.is_allowed("GET", "/v1/admin/health"):
        checks = await health_routes.health(visit.authorize("GET", "/v1/admin/health"), visit.request)
        tiles.append(_checks_tile(checks))
    return tiles


def _checks_tile(checks: list[dict[str, str]]) -> dict[str, str | None]:
    failed, look = ([each["check"] for each in checks if each["state"] == state] for state in ("failed", "look"))
    more = ", ".join(failed) or (f"want a look: {', '.join(look)}" if look else "all pass")
    state = "full" if failed else "half" if look else "low"
    return _tile("Self-checks failed", f"{len(failed)} of {len(checks)}", more, state, "/console/health")


def _count_tile(name: str, count: int, more: str, link: str) -> dict[str, str | None]:
    return _tile(name, str(count), more if count else "none", "half" if count else "low", link)


def _tile(name: str, value: str, more: str, state: str, link: str | None = None) -> dict[str, str | None]:
    return {"name": name, "value": value, "more": more, "state": state, "link": link}


RELEASE_ROWS = 200  # newest releases of a dataset on the page


async def releases(visit: Visit) -> Response:
    """Page of stored releases and until when they are replayed; no numbers."""
    stored = await health_routes.releases(visit.authorize("GET", "/v1/admin/releases"))
    shown = [{**of, "count": len(of["releases"]), "releases": of["releases"][::-1][:RELEASE_ROWS]} for of in stored]
    return visit.page("releases", datasets=shown, job_days=visit.service.settings.job_days)
