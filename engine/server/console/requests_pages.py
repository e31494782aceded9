"""The page of an analyst's own requests for other caps."""

from __future__ import annotations

from fastapi import Response
from fastapi.responses import RedirectResponse

from engine.server.console.visits import HEADERS, Visit, fields_of
from engine.server.http.requests import TopUpAsked
from engine.server.routes import admin as administering


async def requests(visit: Visit) -> Response:
    """List one's requests with what became of them, the newest first."""
    found = await administering.top_ups(visit.asker("GET", "/v1/admin/topups"))
    return visit.page("requests", asked=found[::-1])


async def ask_for_cap(visit: Visit) -> Response:
    """Ask for another cap."""
    form = fields_of(visit)
    await administering.request_top_up(TopUpAsked.model_validate(form), visit.asker("POST", "/v1/admin/topups"))
    return RedirectResponse("/console/requests", 303, HEADERS)
