"""The pages of shared numbers: one's own links, and what a link shows."""

from __future__ import annotations

from fastapi import Response
from fastapi.responses import RedirectResponse

from engine.server.console.answer_pages import answer_page
from engine.server.console.visits import HEADERS, Visit
from engine.server.http.requests import ShareAsked
from engine.server.routes import sharing as sharing_asked

PAGE = "/console/shared"


async def shared(visit: Visit) -> Response:
    """List one's links, the newest first."""
    found = await sharing_asked.shares(visit.asker("GET", "/v1/shares"))
    return visit.page("shared", shares=found[::-1])


async def make(visit: Visit) -> Response:
    """Share the numbers of a question."""
    asked = ShareAsked.model_validate({"sql": visit.form.get("sql", ""), "rho": visit.form.get("rho") or None})
    made = await sharing_asked.share(asked, visit.asker("POST", "/v1/shares"))
    return RedirectResponse(f"{PAGE}/{made['id']}", 303, HEADERS)


async def offered(visit: Visit) -> Response:
    """Show what a link is of, and what its numbers cost."""
    return visit.page("offer", offer=await _offer(visit), answer=None)


async def take(visit: Visit) -> Response:
    """Pay for shared numbers, where that was not done, and show them."""
    share_id = visit.request.path_params["share_id"]
    offer = await _offer(visit)
    rows = await sharing_asked.taken(share_id, visit.asker("POST", "/v1/shares/{share_id}/take"))
    return answer_page(visit, "offer", rows, offer=offer)


async def end(visit: Visit) -> Response:
    """Share no more."""
    share_id = visit.request.path_params["share_id"]
    mine = await sharing_asked.shares(visit.asker("GET", "/v1/shares"))
    if any(each["id"] == share_id for each in mine):  # what is another's is not there
        unsure = visit.sure("End this link? Who has paid for the numbers keeps them.", "End it")
        if unsure is not None:
            return unsure
    await sharing_asked.end(share_id, visit.asker("DELETE", "/v1/shares/{share_id}"))
    return RedirectResponse(PAGE, 303, HEADERS)


async def _offer(visit: Visit) -> dict[str, object]:
    asker = visit.asker("GET", "/v1/shares/{share_id}")
    told: dict[str, object] = await sharing_asked.offer(visit.request.path_params["share_id"], asker)
    return told
