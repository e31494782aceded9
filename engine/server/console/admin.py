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

from engine.server.console.drawing import alert, share
from engine.server.console.sessions import HEADERS, Visit, fields_of, whole_number
from engine.server.http.problems import Problem
from engine.server.http.requests import (
    Because,
    CapAsked,
    ClientAsked,
    FigureAsked,
    FreezeAsked,
    KeyAsked,
    ObjectionAsked,
    RotateAsked,
)
from engine.server.http.roles import Role
from engine.server.routes import admin as administering
from engine.server.routes import analyst as asking
from engine.server.routes import health as watching


async def clients(visit: Visit) -> Response:
    """Page of clients, freezes, and top-up requests."""
    found = await administering.clients(visit.asker("GET", "/v1/admin/clients"))
    frozen = await administering.frozen(visit.asker("GET", "/v1/admin/freezes"))
    asked = await administering.top_ups(visit.asker("GET", "/v1/admin/topups"), open_only=True)
    rules = visit.may("POST", "/v1/admin/clients")
    for each in found:
        each["share"] = share(each["spent_rho"], each["cap_rho"])
    return visit.page("clients", clients=found, frozen=frozen, asked=asked, rules=rules)


async def change_client(visit: Visit) -> Response:
    """Apply a form of the clients page, and redirect to the page."""
    done = CHANGES.get(visit.request.path_params["action"])
    if done is None:
        raise Problem("E_NOT_FOUND", "There is no such form.", "a form of the page")
    if done is _remove:
        asked = (
            f"Remove {visit.form.get('client', '')}, with all in it where it is a group? Nobody of it asks any more."
        )
        if (unsure := visit.sure(asked, "Remove")) is not None:
            return unsure
    await done(visit, fields_of(visit))
    return RedirectResponse("/console/clients", 303, HEADERS)


async def _add(visit: Visit, form: dict[str, str]) -> None:
    await administering.add_client(ClientAsked(**form), visit.asker("POST", "/v1/admin/clients"))


async def _remove(visit: Visit, form: dict[str, str]) -> None:
    asked = ClientAsked(**form)
    asker = visit.asker("DELETE", "/v1/admin/clients/{client}")
    await administering.remove_client(asked.client, asker, asked.reason)


async def _cap(visit: Visit, form: dict[str, str]) -> None:
    await administering.cap(CapAsked.model_validate(form), visit.asker("POST", "/v1/admin/caps"))


async def _freeze(visit: Visit, form: dict[str, str]) -> None:
    await administering.freeze(FreezeAsked(**form), visit.asker("POST", "/v1/admin/freezes"))


async def _thaw(visit: Visit, form: dict[str, str]) -> None:
    asked = FreezeAsked(**form)
    asker = visit.asker("DELETE", "/v1/admin/freezes")
    await administering.thaw(asker, asked.reason, asked.client, asked.dataset, asked.window)


async def _approve(visit: Visit, form: dict[str, str]) -> None:
    asker = visit.asker("POST", "/v1/admin/topups/{request}/approve")
    await administering.approve(whole_number(form.pop("request", "")), Because(**form), asker)


async def _decline(visit: Visit, form: dict[str, str]) -> None:
    asker = visit.asker("POST", "/v1/admin/topups/{request}/decline")
    await administering.decline(whole_number(form.pop("request", "")), Because(**form), asker)


CHANGES = {
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
    checks = await watching.health(visit.asker("GET", "/v1/admin/health"), visit.request)
    alerts = await watching.alerts(visit.asker("GET", "/v1/admin/alerts"))
    return visit.page("health", checks=checks, alerts=alerts[:ALERT_ROWS])


async def keys(visit: Visit, made: dict[str, Any] | None = None) -> Response:
    """Page of keys. A key just made is shown this once."""
    found = await administering.keys(visit.asker("GET", "/v1/admin/keys"))
    rules = visit.may("POST", "/v1/admin/keys")
    return visit.page("keys", keys=found, made=made, rules=rules, roles=list(Role))


async def change_key(visit: Visit) -> Response:
    """Apply a form of the keys page: make, rotate or revoke a key."""
    action, form = visit.request.path_params["action"], visit.form
    if action == "make":
        asked = KeyAsked.model_validate({"name": form.get("name", ""), "role": form.get("role", "")})
        asker = visit.asker("POST", "/v1/admin/keys")
        return await keys(visit, await administering.make_key(asked, asker))
    if action == "rotate":
        asker = visit.asker("POST", "/v1/admin/keys/{key_id}/rotate")
        return await keys(visit, await administering.rotate(form.get("id", ""), RotateAsked.model_validate({}), asker))
    if action == "revoke":
        key_id, asker = form.get("id", ""), visit.asker("DELETE", "/v1/admin/keys/{key_id}")
        key = await run_in_threadpool(visit.house.keys.find, key_id)
        question = f"Revoke the {key['role']} key {key_id} of {key['name']}, with those that were made in its place?"
        if (unsure := visit.sure(question, "Revoke")) is not None:
            return unsure
        await administering.revoke(key_id, asker)
        return RedirectResponse("/console/keys", 303, HEADERS)
    raise Problem("E_NOT_FOUND", "There is no such form.", "a form of the page")


OBJECTION_ROWS = 100  # newest events on the page


async def objections(visit: Visit) -> Response:
    """Page of released numbers and recorded events, newest first; not whose objections, nor how many."""
    acts = await administering.objections(visit.asker("GET", "/v1/admin/objections"))
    found = await administering.figures(visit.asker("GET", "/v1/admin/objections/figures"))
    rules = visit.may("POST", "/v1/admin/objections")
    return visit.page("objections", acts=acts[::-1][:OBJECTION_ROWS], figures=found[::-1][:OBJECTION_ROWS], rules=rules)


async def change(visit: Visit) -> Response:
    """Apply a form of the objections page: record or withdraw an objection, or release their noisy number."""
    form = fields_of(visit)
    action = visit.request.path_params["action"]
    if action == "figure":
        asker = visit.asker("POST", "/v1/admin/objections/figures")
        await administering.release_figure(FigureAsked.model_validate(form), asker)
    elif action in ("record", "withdraw"):
        asked = ObjectionAsked.model_validate({**form, "withdraw": action == "withdraw"})
        await administering.object_(asked, visit.asker("POST", "/v1/admin/objections"))
    else:
        raise Problem("E_NOT_FOUND", "There is no such form.", "a form of the page")
    return RedirectResponse("/console/objections", 303, HEADERS)


ACCOUNT_ROWS = 200  # accounts on the page


async def overview(visit: Visit) -> Response:
    """Page of datasets and windows with what is spent and left. A steward sees links to other pages."""
    accounts: list[dict[str, Any]] = []
    ahead: dict[str, list[str]] = {}
    if visit.may("GET", "/v1/budget"):
        told = await asking.budget(visit.asker("GET", "/v1/budget"), None)
        ahead = told["ahead"]
        for each in told["accounts"]:
            spent, cap = each["spent_rho"], each["cap_rho"]
            accounts.append({**each, "share": share(spent, cap), "alert": alert(spent, cap)})
        accounts.sort(key=lambda each: (each["client"] is not None, -each["share"]))
    tiles = await _tiles(visit, accounts)
    return visit.page(
        "overview", accounts=accounts[:ACCOUNT_ROWS], more=len(accounts[ACCOUNT_ROWS:]), ahead=ahead, tiles=tiles
    )


async def _tiles(visit: Visit, accounts: list[dict[str, Any]]) -> list[dict[str, str | None]]:
    """Summary tiles of the overview."""
    tiles: list[dict[str, str | None]] = []
    if accounts:
        most = max(accounts, key=lambda each: each["share"])
        state = "full" if most["share"] >= 0.8 else "half" if most["share"] >= 0.5 else "low"
        whose = f"{most['dataset']}, {most['window']}, {most['client'] or 'all clients'}"
        tiles.append(_tile("Most spent", f"{100 * most['share']:.3g}%", whose, state))
    if visit.may("GET", "/v1/admin/clients"):
        asked = await administering.top_ups(visit.asker("GET", "/v1/admin/topups"), open_only=True)
        frozen = await administering.frozen(visit.asker("GET", "/v1/admin/freezes"))
        tiles.append(_waiting("Requests for caps", len(asked), "open", "/console/clients"))
        tiles.append(_waiting("Frozen", len(frozen), "until an admin thaws it", "/console/clients"))
    if visit.may("GET", "/v1/admin/health"):
        checks = await watching.health(visit.asker("GET", "/v1/admin/health"), visit.request)
        tiles.append(_checked(checks))
    return tiles


def _checked(checks: list[dict[str, str]]) -> dict[str, str | None]:
    failed, look = ([each["check"] for each in checks if each["state"] == state] for state in ("failed", "look"))
    more = ", ".join(failed) or (f"want a look: {', '.join(look)}" if look else "all pass")
    state = "full" if failed else "half" if look else "low"
    return _tile("Self-checks failed", f"{len(failed)} of {len(checks)}", more, state, "/console/health")


def _waiting(name: str, count: int, more: str, link: str) -> dict[str, str | None]:
    return _tile(name, str(count), more if count else "none", "half" if count else "low", link)


def _tile(name: str, value: str, more: str, state: str, link: str | None = None) -> dict[str, str | None]:
    return {"name": name, "value": value, "more": more, "state": state, "link": link}


RELEASE_ROWS = 200  # newest releases of a dataset on the page


async def releases(visit: Visit) -> Response:
    """Page of stored releases and until when they are replayed; no numbers."""
    told = await watching.releases(visit.asker("GET", "/v1/admin/releases"))
    shown = [{**of, "count": len(of["releases"]), "releases": of["releases"][::-1][:RELEASE_ROWS]} for of in told]
    return visit.page("releases", datasets=shown, job_days=visit.house.settings.job_days)
