"""The page of clients: caps, freezes, requests for other caps; each form calls an endpoint's function."""

from __future__ import annotations

from fastapi import Response
from fastapi.responses import RedirectResponse

from engine.server.console.drawing import share
from engine.server.console.visits import HEADERS, Visit, fields_of, whole_number
from engine.server.http.problems import Problem
from engine.server.http.requests import Because, CapAsked, ClientAsked, FreezeAsked
from engine.server.routes import admin as administering


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
