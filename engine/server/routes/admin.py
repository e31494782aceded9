"""Endpoints of admins, auditors and stewards: clients, keys, caps, freezes, the ledger, objections."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import PlainTextResponse
from starlette.concurrency import run_in_threadpool

from engine.accounts.audit_log import KeyAct
from engine.server.http.problems import Problem
from engine.server.http.requests import (
    AnchorAsked,
    Because,
    CapAsked,
    ClientAsked,
    FigureAsked,
    FreezeAsked,
    KeyAsked,
    ObjectionAsked,
    ObjectionsAsked,
    RotateAsked,
    TopUpAsked,
)
from engine.server.http.responses import Figure, KeyTold, NewKey, Told, Verified
from engine.server.http.roles import Reach
from engine.server.http.texts import Name, Reason
from engine.server.routes.access import Asker
from engine.server.worker.frames import Json

router = APIRouter(prefix="/v1/admin")
Listed = list[Told]
HTML: dict[int | str, dict[str, Any]] = {200: {"content": {"text/html": {"schema": {"type": "string"}}}}}
Why = Annotated[Reason, Query(description="Kept in the ledger.")]
One = Annotated[Name | None, Query()]


@router.get("/clients", response_model=Listed, operation_id="clients")
async def clients(asker: Asker) -> Json:
    """List every client and group, with caps and what was spent of each dataset."""
    return await asker.do("clients")


@router.post("/clients", status_code=201, response_model=Told, operation_id="add_client")
async def add_client(asked: ClientAsked, asker: Asker) -> Json:
    """Add a client. A removed client gets its accounts back unchanged."""
    await asker.do("add_client", client=asked.client, by=asker.name, reason=asked.reason)
    return {"client": asked.client}


@router.delete("/clients/{client:path}", response_model=Told, operation_id="remove_client")
async def remove_client(client: Name, asker: Asker, reason: Why) -> Json:
    """Remove a client, or a group with all its members: no more queries. Its accounts stay."""
    async with asker.naming("clients", "client", client):
        await asker.do("remove_client", client=client, by=asker.name, reason=reason)
    return {"client": client}


@router.post("/caps", response_model=Told, operation_id="cap_client")
async def cap(asked: CapAsked, asker: Asker) -> Json:
    """Cap a client or a group."""
    told = {**asked.model_dump(), "rho": str(asked.rho)}
    return await asker.do("cap_client", by=asker.name, **told)


@router.get("/freezes", response_model=Listed, operation_id="frozen")
async def frozen(asker: Asker) -> Json:
    """List the freezes in force: since when, by whom, why."""
    return await asker.do("frozen")


@router.post("/freezes", status_code=201, response_model=Told, operation_id="freeze")
async def freeze(asked: FreezeAsked, asker: Asker) -> Json:
    """Block all charges to a client or group, a dataset, a window, or a combination of these."""
    await asker.do("freeze", by=asker.name, **asked.model_dump())
    return asked.model_dump()


@router.delete("/freezes", response_model=Told, operation_id="thaw")
async def thaw(asker: Asker, reason: Why, client: One = None, dataset: One = None, window: One = None) -> Json:
    """Lift the freeze of this client, dataset and window."""
    place = {"client": client, "dataset": dataset, "window": window}
    await asker.do("thaw", by=asker.name, reason=reason, **place)
    return place


@router.get("/keys", response_model=list[KeyTold], operation_id="keys")
async def keys(asker: Asker) -> Json:
    """List keys: whose, since when, until when."""
    return await run_in_threadpool(asker.house.keys.listed)


@router.post("/keys", status_code=201, response_model=NewKey, operation_id="make_key")
async def make_key(asked: KeyAsked, asker: Asker) -> Json:
    """Create a key. It is shown here and never again."""
    days = asker.house.settings.key_days if asked.days is None else asked.days
    by = {"by": asker.name, "maker": asker.principal.key_id}
    made = await run_in_threadpool(asker.house.keys.make, asked.name, asked.role, days=days, **by)
    await asker.house.note_key(KeyAct.MADE, made, asker.name)  # if this fails, nobody ever sees the key
    return made


@router.post("/keys/{key_id}/rotate", status_code=201, response_model=NewKey, operation_id="rotate_key")
async def rotate(key_id: Name, asked: RotateAsked, asker: Asker) -> Json:
    """Create a successor of a key; the old key stays valid for the overlap."""
    await _check_own(asker, key_id)
    house, days = asker.house, asker.house.settings.key_days if asked.days is None else asked.days
    if asker.reach is not Reach.ANY:  # a rotated key lives no longer than the admin granted
        days = min(days, await run_in_threadpool(house.keys.span_days, key_id))
    by = {"by": asker.name, "maker": asker.principal.key_id}
    made = await run_in_threadpool(house.keys.rotate, key_id, days=days, overlap_hours=asked.overlap_hours, **by)
    await asker.house.note_key(KeyAct.ROTATED, made, asker.name)
    return made


@router.delete("/keys/{key_id}", response_model=KeyTold, operation_id="revoke_key")
async def revoke(key_id: Name, asker: Asker) -> Json:
    """Revoke a key at once."""
    await _check_own(asker, key_id)
    # first: the key is invalid from here on, even if logging fails
    gone = await run_in_threadpool(asker.house.keys.revoke, key_id)
    await asker.house.note_key(KeyAct.REVOKED, gone, asker.name)
    return gone


@router.get("/topups", response_model=Listed, operation_id="top_ups")
async def top_ups(asker: Asker, open_only: bool = False) -> Json:
    """List requests for higher caps, oldest first: an analyst's own, or everybody's."""
    found = await asker.do("top_ups", open_only=open_only)
    return found if asker.reach is Reach.ANY else [row for row in found if row["client"] == asker.name]


@router.post("/topups", status_code=201, response_model=Told, operation_id="request_top_up")
async def request_top_up(asked: TopUpAsked, asker: Asker) -> Json:
    """Request a higher cap."""
    told = {**asked.model_dump(), "rho": str(asked.rho)}
    return await asker.do("request_top_up", client=asker.name, **told)


@router.post("/topups/{request}/approve", response_model=Told, operation_id="approve_top_up")
async def approve(request: int, asked: Because, asker: Asker) -> Json:
    """Grant a request."""
    async with asker.naming("top_ups", "request", request):
        await asker.do("approve_top_up", request=request, by=asker.name, reason=asked.reason)
    return {"request": request, "state": "approved"}


@router.post("/topups/{request}/decline", response_model=Told, operation_id="decline_top_up")
async def decline(request: int, asked: Because, asker: Asker) -> Json:
    """Decline a request."""
    async with asker.naming("top_ups", "request", request):
        await asker.do("decline_top_up", request=request, by=asker.name, reason=asked.reason)
    return {"request": request, "state": "declined"}


@router.get("/ledger", response_model=Listed, operation_id="ledger")
async def ledger(asker: Asker, client: One = None, limit: Annotated[int, Query(ge=1, le=10_000)] = 100) -> Json:
    """List the last rows of the ledger, oldest first."""
    return await asker.do("ledger", client=client, limit=limit)


@router.get("/ledger/audit", response_model=Listed, operation_id="audit")
async def audit(asker: Asker, kind: One = None, client: One = None, since: One = None, until: One = None) -> Json:
    """Show the audit log: who submitted which query when, its price, and what admins did."""
    return await asker.do("audit", kind=kind, client=client, since=since, until=until)


@router.get("/ledger/anchor", response_model=AnchorAsked, operation_id="anchor")
async def anchor(asker: Asker) -> Json:
    """Return the end of the chain, to be stored where nobody who can write the ledger can write."""
    return {"anchor": await asker.do("anchor")}


@router.get("/ledger/verify", response_model=Verified, operation_id="verify")
async def verify(asker: Asker) -> Json:
    """Verify the ledger's hash chain."""
    return await asker.do("verify")


@router.post("/ledger/verify", response_model=Verified, operation_id="verify_with_anchor")
async def verify_with_anchor(asked: AnchorAsked, asker: Asker) -> Json:
    """Verify the ledger's hash chain, and that it extends an anchor."""
    return await asker.do("verify", anchor=asked.anchor)


@router.get("/ledger/report", response_class=PlainTextResponse, responses=HTML, operation_id="report")
async def report(asker: Asker, request: Request) -> Response:
    """Write the report for a regulator, as HTML where that is accepted, else as text."""
    html = "text/html" in request.headers.get("accept", "")
    text = await asker.do("report", html=html)
    return Response(text, media_type="text/html" if html else "text/plain")


@router.get("/objections", response_model=Listed, operation_id="objections")
async def objections(asker: Asker, dataset: One = None) -> Json:
    """List when objections were recorded, by whom and why; not whose, nor how many."""
    return await asker.do("objections", dataset=dataset)


@router.get("/objections/figures", response_model=list[Figure], operation_id="figures")
async def figures(asker: Asker, dataset: One = None) -> Json:
    """List the noisy numbers of people who object that were released."""
    return await asker.do("figures", dataset=dataset)


@router.post("/objections/figures", status_code=201, response_model=Figure, operation_id="release_figure")
async def release_figure(asked: FigureAsked, asker: Asker) -> Json:
    """Release the noisy number of people who object now. Charged to everybody in each window, once a day."""
    return await asker.do("release_figure", rho=str(asked.rho), by=asker.name, dataset=asked.dataset)


@router.post("/objections", status_code=201, response_model=Told, operation_id="object")
async def object_(asked: ObjectionAsked, asker: Asker) -> Json:
    """Record or withdraw a person's objection. The response is the same for a person who is not in the data."""
    return await asker.do("object", by=asker.name, **asked.model_dump())


@router.post("/objections/bulk", status_code=201, response_model=Told, operation_id="object_many")
async def object_many(asked: ObjectionsAsked, asker: Asker) -> Json:
    """Record the objections of a list, one person per line; none if a line is invalid."""
    return await asker.do("object_many", by=asker.name, **asked.model_dump())


async def _check_own(asker: Asker, key_id: str) -> None:
    """Restrict a key without scope ANY to itself; raises Problem with E_NOT_FOUND for any other."""
    found = await run_in_threadpool(asker.house.books.key, id=key_id)
    if found is None or (asker.reach is not Reach.ANY and key_id != asker.principal.key_id):
        raise Problem(
            "E_NOT_FOUND", "There is no key of this id, or it is another's.", "GET /v1/me says which is yours"
        )
