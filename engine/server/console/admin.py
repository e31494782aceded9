"""Console pages for admins: overview, clients, keys, objections, stored releases, health, the ledger.

overview    budget spent in each window, and what needs attention
clients     caps, freezes, top-up requests; each form calls the function of an endpoint
keys        all keys; a new one is shown once
objections  when they were recorded, recording them, and their number with noise
releases    how long each dataset replays its numbers, and which are stored
health      the server's own checks, and which alerts were sent
ledger      filter, search, verify and export its rows

Exports are CSV without spreadsheet formulas, JSON or Parquet.
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa
from fastapi import Response
from starlette.concurrency import run_in_threadpool

from engine.accounts.audit_log import KIND_DESCRIPTIONS
from engine.api.auditor import export_bytes
from engine.server.console.drawing import alert_threshold, questions_left, spent_share
from engine.server.console.sessions import HEADERS, Visit, form_fields, see_other, unknown_form, whole_number
from engine.server.http.problems import Problem
from engine.server.http.requests import ClientRequest, FreezeRequest
from engine.server.http.roles import Role
from engine.server.routes import admin as admin_routes
from engine.server.routes import analyst as analyst_routes
from engine.server.routes import health as health_routes


async def clients(visit: Visit) -> Response:
    """Page of clients, freezes, and top-up requests."""
    found = await visit.call(admin_routes.clients)
    frozen = await visit.call(admin_routes.frozen)
    top_ups = await visit.call(admin_routes.top_ups, open_only=True)
    rules = visit.is_allowed(admin_routes.add_client)
    for each in found:
        each["share"] = spent_share(each["spent_rho"], each["cap_rho"])
    return visit.page("clients", clients=found, frozen=frozen, asked=top_ups, rules=rules)


async def change_client(visit: Visit) -> Response:
    """Apply a form of the clients page, and redirect to the page."""
    form = form_fields(visit)
    match visit.path_parameter("action"):
        case "add":
            await visit.submit(admin_routes.add_client, form)
        case "remove":
            who = f"Remove {form.get('client', '')}, with all in it where it is a group?"
            if (confirmation := visit.confirmation(f"{who} Nobody of it asks any more.", "Remove")) is not None:
                return confirmation
            await visit.call(admin_routes.remove_client, **ClientRequest.model_validate(form).model_dump())
        case "cap":
            await visit.submit(admin_routes.cap, form)
        case "freeze":
            await visit.submit(admin_routes.freeze, form)
        case "thaw":
            await visit.call(admin_routes.thaw, **FreezeRequest.model_validate(form).model_dump())
        case "approve" | "decline" as decision:
            endpoint = admin_routes.approve if decision == "approve" else admin_routes.decline
            await visit.submit(endpoint, form, request=whole_number(form.pop("request", "")))
        case _:
            raise unknown_form()
    return see_other("/console/clients")


ALERT_ROWS = 100  # newest alerts on the page


async def health(visit: Visit) -> Response:
    """Page of health checks and alerts."""
    alerts = await visit.call(health_routes.alerts)
    return visit.page("health", checks=await _checks(visit), alerts=alerts[:ALERT_ROWS])


async def _checks(visit: Visit) -> list[dict[str, str]]:
    return await visit.call(health_routes.health, checks=visit.request.app.state.checks)


async def keys(visit: Visit, made: dict[str, Any] | None = None) -> Response:
    """Page of keys. A key just made is shown this once."""
    found, rules = await visit.call(admin_routes.keys), visit.is_allowed(admin_routes.make_key)
    return visit.page("keys", keys=found, made=made, rules=rules, roles=list(Role))


async def change_key(visit: Visit) -> Response:
    """Apply a form of the keys page: make, rotate or revoke a key."""
    form = visit.form
    key_id = form.get("id", "")
    match visit.path_parameter("action"):
        case "make":
            fields = {"name": form.get("name", ""), "role": form.get("role", "")}
            return await keys(visit, await visit.submit(admin_routes.make_key, fields))
        case "rotate":
            return await keys(visit, await visit.submit(admin_routes.rotate, {}, key_id=key_id))
        case "revoke":
            visit.authorize(admin_routes.revoke)
            key = await run_in_threadpool(visit.service.keys.find, key_id)
            whose = f"Revoke the {key['role']} key {key_id} of {key['name']}, with those that were made in its place?"
            if (confirmation := visit.confirmation(whose, "Revoke")) is not None:
                return confirmation
            await visit.call(admin_routes.revoke, key_id=key_id)
            return see_other("/console/keys")
    raise unknown_form()


OBJECTION_ROWS = 100  # newest events on the page


async def objections(visit: Visit) -> Response:
    """Page of released numbers and recorded events, newest first; not whose objections, nor how many."""
    events = (await visit.call(admin_routes.objections))[::-1][:OBJECTION_ROWS]
    found = (await visit.call(admin_routes.figures))[::-1][:OBJECTION_ROWS]
    return visit.page(
        "objections",
        acts=events,
        figures=found,
        may_record=visit.is_allowed(admin_routes.object_),
        may_release=visit.is_allowed(admin_routes.release_figure),
    )


async def change_objection(visit: Visit) -> Response:
    """Apply a form of the objections page: record or withdraw an objection, or release their noisy number."""
    form = form_fields(visit)
    match visit.path_parameter("action"):
        case "figure":
            await visit.submit(admin_routes.release_figure, form)
        case "record" | "withdraw" as action:
            await visit.submit(admin_routes.object_, {**form, "withdraw": action == "withdraw"})
        case _:
            raise unknown_form()
    return see_other("/console/objections")


ACCOUNT_ROWS = 200  # accounts on the page


async def overview(visit: Visit) -> Response:
    """Page of datasets and windows with what is spent and left. A steward sees links to other pages."""
    accounts: list[dict[str, Any]] = []
    ahead: dict[str, list[str]] = {}
    if visit.is_allowed(analyst_routes.budget):
        budget = await visit.call(analyst_routes.budget)
        ahead = budget["ahead"]
        for each in budget["accounts"]:
            spent, cap = each["spent_rho"], each["cap_rho"]
            questions = questions_left(each["remaining_rho"], budget["query_rho"].get(each["dataset"]))
            about = {"share": spent_share(spent, cap), "alert": alert_threshold(spent, cap), "questions": questions}
            accounts.append({**each, **about})
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
    if visit.is_allowed(admin_routes.clients):
        top_ups = await visit.call(admin_routes.top_ups, open_only=True)
        frozen = await visit.call(admin_routes.frozen)
        tiles.append(_count_tile("Requests for caps", len(top_ups), "open"))
        tiles.append(_count_tile("Frozen", len(frozen), "until an admin thaws it"))
    if visit.is_allowed(health_routes.health):
        tiles.append(_checks_tile(await _checks(visit)))
    return tiles


def _checks_tile(checks: list[dict[str, str]]) -> dict[str, str | None]:
    failed, look = ([each["check"] for each in checks if each["state"] == state] for state in ("failed", "look"))
    more = ", ".join(failed) or (f"want a look: {', '.join(look)}" if look else "all pass")
    state = "full" if failed else "half" if look else "low"
    return _tile("Self-checks failed", f"{len(failed)} of {len(checks)}", more, state, "/console/health")


def _count_tile(name: str, count: int, more: str) -> dict[str, str | None]:
    return _tile(name, str(count), more if count else "none", "half" if count else "low", "/console/clients")


def _tile(name: str, value: str, more: str, state: str, link: str | None = None) -> dict[str, str | None]:
    return {"name": name, "value": value, "more": more, "state": state, "link": link}


RELEASE_ROWS = 200  # newest releases of a dataset on the page


async def releases(visit: Visit) -> Response:
    """Page of stored releases and until when they are replayed; no numbers."""
    stored = await visit.call(health_routes.releases)
    shown = [{**of, "count": len(of["releases"]), "releases": of["releases"][::-1][:RELEASE_ROWS]} for of in stored]
    return visit.page("releases", datasets=shown, job_days=visit.service.settings.job_days)


NUMBER_TYPES = {"sequence": pa.int64(), "rho": pa.float64(), "delta": pa.float64()}
LIST_COLUMNS = ("windows", "questions")
FORMATS = {  # media types
    "CSV": "text/csv; charset=utf-8",
    "JSON": "application/json",
    "Parquet": "application/vnd.apache.parquet",
}


def export_table(rows: list[dict[str, Any]]) -> pa.Table:
    """Rows as Arrow, with column types that do not depend on the rows."""
    names = list(rows[0]) if rows else ["sequence"]
    return pa.table({name: pa.array([row[name] for row in rows], _arrow_type(name)) for name in names})


def _arrow_type(name: str) -> pa.DataType:
    return pa.list_(pa.string()) if name in LIST_COLUMNS else NUMBER_TYPES.get(name, pa.string())


PAGE_ROWS = 50  # rows per page
ENDPOINT_FILTERS = ("client", "kind", "since", "until")  # filters of the endpoint; the others are applied here
LOCAL_FILTERS = ("dataset", "search")
SEARCHED_COLUMNS = ("by", "client", "dataset", "kind", "reason", "request_id", "sql")


async def ledger(visit: Visit) -> Response:
    """Page of the ledger's filtered rows, newest first."""
    found = (await _filtered_rows(visit))[::-1]
    last = max(1, -(-len(found) // PAGE_ROWS))
    number = min(max(1, whole_number(visit.query_parameter("page") or "1")), last)
    rows = found[(number - 1) * PAGE_ROWS : number * PAGE_ROWS]
    given = {name: value for name, value in _filters(visit, *ENDPOINT_FILTERS, *LOCAL_FILTERS).items() if value}
    shown: dict[str, Any] = {"rows": rows, "wanted": given, "words": KIND_DESCRIPTIONS, "number": number, "last": last}
    return visit.page("ledger", **shown, count=len(found), formats=list(FORMATS))


async def export(visit: Visit) -> Response:
    """Download the filtered rows."""
    wanted = (visit.query_parameter("as") or "JSON").lower()
    media_type = {name.lower(): media_type for name, media_type in FORMATS.items()}.get(wanted)
    if media_type is None:
        raise Problem("E_PARAM", "There is no such format.", f"as={' or '.join(FORMATS).lower()}")
    written = await run_in_threadpool(export_bytes, export_table(await _filtered_rows(visit)), wanted)
    headers = {**HEADERS, "Content-Disposition": f'attachment; filename="ledger.{wanted}"'}
    return Response(written, 200, headers, media_type)


async def verify(visit: Visit) -> Response:
    """Page with the result of verifying the ledger."""
    return await _verification_page(visit, await visit.call(admin_routes.verify), visit.form.get("anchor", ""))


async def verify_with_anchor(visit: Visit) -> Response:
    """Page with the result of verifying the ledger against a stored anchor."""
    stored_anchor = visit.form.get("anchor", "").strip()
    verification = await visit.submit(admin_routes.verify_with_anchor, {"anchor": stored_anchor})
    return await _verification_page(visit, verification, stored_anchor)


async def _verification_page(visit: Visit, verification: dict[str, Any], stored_anchor: str) -> Response:
    anchor = await visit.call(admin_routes.anchor)
    return visit.page("verify", told=verification, anchor=anchor["anchor"], held=stored_anchor)


async def _filtered_rows(visit: Visit) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = await visit.call(admin_routes.audit, **_filters(visit, *ENDPOINT_FILTERS))
    dataset, words = (_filters(visit, *LOCAL_FILTERS)[name] for name in LOCAL_FILTERS)
    return [row for row in rows if dataset in (None, row["dataset"]) and _matches(row, words)]


def _matches(row: dict[str, Any], words: str | None) -> bool:
    """Are all words of a search contained in a row? Case is ignored."""
    if words is None:
        return True
    text = " ".join(
        [*(str(row.get(name) or "") for name in SEARCHED_COLUMNS), *row["questions"], *row["windows"]]
    ).lower()
    return all(word in text for word in words.lower().split())


def _filters(visit: Visit, *names: str) -> dict[str, str | None]:
    return {name: visit.query_parameter(name) for name in names}
