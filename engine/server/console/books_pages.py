"""The pages about money and people: overview, clients, keys, ledger, pace; each calls the endpoints' functions."""

from __future__ import annotations

import csv
import io
import json
from collections import defaultdict
from datetime import UTC, datetime
from typing import Any

from fastapi import Response
from fastapi.responses import RedirectResponse

from engine.server import administering, asking
from engine.server.bodies import Because, CapAsked, ClientAsked, FreezeAsked, KeyAsked, RotateAsked
from engine.server.console.drawing import alert, share, steps
from engine.server.console.visits import HEADERS, Visit
from engine.server.frames import Json
from engine.server.problems import Problem
from engine.server.roles import Role

ROWS = 50  # of the ledger on one page
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet would run


async def overview(visit: Visit) -> Response:
    """Show datasets and windows with what is spent and left; a steward sees where else to go."""
    accounts: list[dict[str, Any]] = []
    ahead: dict[str, list[str]] = {}
    if visit.may("GET", "/v1/budget"):
        told = await asking.budget(visit.asker("GET", "/v1/budget"), None)
        ahead = told["ahead"]
        for each in told["accounts"]:
            spent, cap = each["spent_rho"], each["cap_rho"]
            accounts.append({**each, "share": share(spent, cap), "alert": alert(spent, cap)})
    return visit.page("overview", accounts=accounts, ahead=ahead)


async def clients(visit: Visit) -> Response:
    """List clients, what is frozen, and requests for other caps."""
    found = await administering.clients(visit.asker("GET", "/v1/admin/clients"))
    frozen = await administering.frozen(visit.asker("GET", "/v1/admin/freezes"))
    asked = await administering.top_ups(visit.asker("GET", "/v1/admin/topups"), open_only=True)
    rules = visit.may("POST", "/v1/admin/clients")
    for each in found:
        each["share"] = share(each["spent_rho"], each["cap_rho"])
    return visit.page("clients", clients=found, frozen=frozen, asked=asked, rules=rules)


async def change_client(visit: Visit) -> Response:
    """Do what a form of the clients' page says, and show the page again."""
    done = CHANGES.get(visit.request.path_params["action"])
    if done is None:
        raise Problem("E_NOT_FOUND", "There is no such form.", "a form of the page")
    await done(visit, {name: value for name, value in visit.form.items() if name != "token"})
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
    await administering.approve(_number(form.pop("request", "")), Because(**form), asker)


async def _decline(visit: Visit, form: dict[str, str]) -> None:
    asker = visit.asker("POST", "/v1/admin/topups/{request}/decline")
    await administering.decline(_number(form.pop("request", "")), Because(**form), asker)


CHANGES = {
    "add": _add,
    "remove": _remove,
    "cap": _cap,
    "freeze": _freeze,
    "thaw": _thaw,
    "approve": _approve,
    "decline": _decline,
}


async def keys(visit: Visit, made: dict[str, Any] | None = None) -> Response:
    """List keys; one that was made just now is shown, this once."""
    found = await administering.keys(visit.asker("GET", "/v1/admin/keys"))
    rules = visit.may("POST", "/v1/admin/keys")
    return visit.page("keys", keys=found, made=made, rules=rules, roles=list(Role))


async def change_key(visit: Visit) -> Response:
    """Make, follow or take back a key."""
    action, form = visit.request.path_params["action"], visit.form
    if action == "make":
        asked = KeyAsked.model_validate({"name": form.get("name", ""), "role": form.get("role", "")})
        asker = visit.asker("POST", "/v1/admin/keys")
        return await keys(visit, await administering.make_key(asked, asker))
    if action == "rotate":
        asker = visit.asker("POST", "/v1/admin/keys/{key_id}/rotate")
        return await keys(visit, await administering.rotate(form.get("id", ""), RotateAsked.model_validate({}), asker))
    if action == "revoke":
        await administering.revoke(form.get("id", ""), visit.asker("DELETE", "/v1/admin/keys/{key_id}"))
        return RedirectResponse("/console/keys", 303, HEADERS)
    raise Problem("E_NOT_FOUND", "There is no such form.", "a form of the page")


async def ledger(visit: Visit) -> Response:
    """Show the ledger's rows that a filter leaves, the newest first, a page at a time."""
    wanted = _filters(visit)
    found = [row for row in reversed(await _audited(visit)) if _is_of(row, wanted["dataset"])]
    last = max(1, -(-len(found) // ROWS))
    number = min(max(1, _number(visit.query("page") or "1")), last)
    rows = found[(number - 1) * ROWS : number * ROWS]
    kinds = sorted({str(row["kind"]) for row in found})
    given = {name: value for name, value in wanted.items() if value}
    return visit.page("ledger", rows=rows, wanted=given, kinds=kinds, number=number, last=last, count=len(found))


async def export(visit: Visit) -> Response:
    """Give the rows that a filter leaves as CSV or JSON."""
    dataset = _filters(visit)["dataset"]
    rows = [row for row in await _audited(visit) if _is_of(row, dataset)]
    kind = "csv" if visit.query("as") == "csv" else "json"
    text = _csv(rows) if kind == "csv" else json.dumps(rows, ensure_ascii=False)
    headers = {**HEADERS, "Content-Disposition": f'attachment; filename="ledger.{kind}"'}
    return Response(text, 200, headers, "text/csv; charset=utf-8" if kind == "csv" else "application/json")


async def verify(visit: Visit) -> Response:
    """Say what of the ledger is not as it was written."""
    told = await administering.verify(visit.asker("GET", "/v1/admin/ledger/verify"))
    return visit.page("verify", told=told)


async def pace(visit: Visit) -> Response:
    """Draw what a client has spent over time, and say for how long the rest lasts."""
    budget_asker = visit.asker("GET", "/v1/budget")
    whose = budget_asker.client(visit.query("client"))
    if whose is None:
        known = await administering.clients(visit.asker("GET", "/v1/admin/clients"))
        return visit.page("pace", client=None, known=sorted({row["client"] for row in known}), drawn=[], ahead={})
    told = await asking.budget(budget_asker, whose)
    paid = await asking.history(visit.asker("GET", "/v1/history"), whose)
    return visit.page("pace", client=whose, known=[], drawn=_drawn(paid), ahead=told["ahead"])


def _drawn(paid: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Draw the sum of what was paid, a line for each dataset."""
    of: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for each in paid:
        if each["settled_at"] is not None:
            of[each["dataset"]].append((datetime.fromisoformat(each["settled_at"]).timestamp(), each["rho"]))
    now = datetime.now(UTC).timestamp()
    drawn = []
    for dataset, points in sorted(of.items()):
        moments, amounts = zip(*sorted(points), strict=True)
        first = datetime.fromtimestamp(moments[0], UTC).date().isoformat()
        line = steps(moments, amounts, now, sum(amounts))
        drawn.append({"dataset": dataset, "rho": sum(amounts), "releases": len(points), "since": first, "line": line})
    return drawn


async def _audited(visit: Visit) -> list[dict[str, Any]]:
    wanted = {name: value for name, value in _filters(visit).items() if name != "dataset"}
    found: list[dict[str, Any]] = await administering.audit(visit.asker("GET", "/v1/admin/ledger/audit"), **wanted)
    return found


def _filters(visit: Visit) -> dict[str, str | None]:
    return {name: visit.query(name) for name in ("kind", "client", "since", "dataset")}


def _is_of(row: dict[str, Any], dataset: str | None) -> bool:
    return dataset in (None, row["dataset"])


def _csv(rows: list[dict[str, Any]]) -> str:
    """Write rows so that no spreadsheet runs what a name holds."""
    out = io.StringIO()
    written = csv.writer(out)
    names = list(rows[0]) if rows else []
    written.writerow(names)
    written.writerows([_cell(row[name]) for name in names] for row in rows)
    return out.getvalue()


def _cell(value: Json) -> Json:
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict) else value
    return f"'{text}" if isinstance(text, str) and text.startswith(FORMULA) else text


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 12:
        raise Problem("E_PARAM", "This is no number.", "a number from the page")
    return int(text)
