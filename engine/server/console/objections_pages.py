"""The page of objections: when they were recorded, recording them, and how many there are as a noisy number."""

from __future__ import annotations

from fastapi import Response
from fastapi.responses import RedirectResponse

from engine.server.console.visits import HEADERS, Visit, fields_of
from engine.server.http.problems import Problem
from engine.server.http.requests import FigureAsked, ObjectionAsked
from engine.server.routes import admin as administering

ROWS = 100  # acts on the page, the newest


async def objections(visit: Visit) -> Response:
    """Show figures and acts, the newest first; not whose objections, nor how many."""
    acts = await administering.objections(visit.asker("GET", "/v1/admin/objections"))
    found = await administering.figures(visit.asker("GET", "/v1/admin/objections/figures"))
    rules = visit.may("POST", "/v1/admin/objections")
    return visit.page("objections", acts=acts[::-1][:ROWS], figures=found[::-1][:ROWS], rules=rules)


async def change(visit: Visit) -> Response:
    """Record an objection, take one back, or release a figure."""
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
