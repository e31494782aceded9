"""Endpoints of admins, auditors and stewards: clients, keys, caps, freezes, the ledger, objections."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import PlainTextResponse
from starlette.concurrency import run_in_threadpool

from engine.accounts.audit_log import KeyEvent
from engine.server.http import requests
from engine.server.http.problems import Problem
from engine.server.http.requests import Name, Reason
from engine.server.http.responses import Key, LedgerVerification, NewKey, ObjectionCount, ResponseBody
from engine.server.http.roles import Scope
from engine.server.routes.access import Caller
from engine.server.worker.frames import Json

router = APIRouter(prefix="/v1/admin")
BodyList = list[ResponseBody]
HTML: dict[int | str, dict[str, Any]] = {200: {"content": {"text/html": {"schema": {"type": "string"}}}}}
ReasonQuery = Annotated[Reason, Query(description="Kept in the ledger.")]
OptionalName = Annotated[Name | None, Query()]


@router.get("/clients", response_model=BodyList, operation_id="clients")
async def clients(asker: Caller) -> Json:
    """List every client and group, with caps and what was spent of each dataset."""
    return await asker.call("clients")


@router.post("/clients", status_code=201, response_model=ResponseBody, operation_id="add_client")
async def add_client(asked: requests.ClientRequest, asker: Caller) -> Json:
    """Add a client. A removed client gets its accounts back unchanged."""
    await asker.call("add_client", by=asker.name, **asked.model_dump())
    return {"client": asked.client}


@router.delete("/clients/{client:path}", response_model=ResponseBody, operation_id="remove_client")
async def remove_client(client: Name, asker: Caller, reason: ReasonQuery) -> Json:
    """Remove a client, or a group with all its members: no more queries. Its accounts stay."""
    async with asker.as_not_found("clients", "client", client):
        await asker.call("remove_client", client=client, by=asker.name, reason=reason)
    return {"client": client}


@router.post("/caps", response_model=ResponseBody, operation_id="cap_client")
async def cap(asked: requests.CapRequest, asker: Caller) -> Json:
    """Cap a client or a group."""
    return await asker.call("cap_client", by=asker.name, **asked.model_dump())


@router.get("/freezes", response_model=BodyList, operation_id="frozen")
async def frozen(asker: Caller) -> Json:
    """List the freezes in force: since when, by whom, why."""
    return await asker.call("frozen")


@router.post("/freezes", status_code=201, response_model=ResponseBody, operation_id="freeze")
async def freeze(asked: requests.FreezeRequest, asker: Caller) -> Json:
    """Block all charges to a client or group, a dataset, a window, or a combination of these."""
    await asker.call("freeze", by=asker.name, **asked.model_dump())
    return asked.model_dump()


@router.delete("/freezes", response_model=ResponseBody, operation_id="thaw")
async def thaw(
    asker: Caller,
    reason: ReasonQuery,
    client: OptionalName = None,
    dataset: OptionalName = None,
    window: OptionalName = None,
) -> Json:
    """Lift the freeze of this client, dataset and window."""
    place = {"client": client, "dataset": dataset, "window": window}
    await asker.call("thaw", by=asker.name, reason=reason, **place)
    return place


@router.get("/keys", response_model=list[Key], operation_id="keys")
async def keys(asker: Caller) -> Json:
    """List keys: whose, since when, until when."""
    return await run_in_threadpool(asker.service.keys.list_keys)


@router.post("/keys", status_code=201, response_model=NewKey, operation_id="make_key")
async def make_key(asked: requests.KeyRequest, asker: Caller) -> Json:
    """Create a key. It is shown here and never again."""
    days = asker.service.settings.key_days if asked.days is None else asked.days
    by = {"by": asker.name, "maker": asker.principal.key_id}
    made = await run_in_threadpool(asker.service.keys.make, asked.name, asked.role, days=days, **by)
    await asker.service.log_key_event(KeyEvent.MADE, made, asker.name)  # if this fails, nobody ever sees the key
    return made


@router.post("/keys/{key_id}/rotate", status_code=201, response_model=NewKey, operation_id="rotate_key")
async def rotate(key_id: Name, asked: requests.RotationRequest, asker: Caller) -> Json:
    """Create a successor of a key; the old key stays valid for the overlap."""
    await _check_own(asker, key_id)
    service, days = asker.service, asker.service.settings.key_days if asked.days is None else asked.days
    if asker.scope is not Scope.ANY:  # a rotated key lives no longer than the admin granted
        days = min(days, await run_in_threadpool(service.keys.lifetime_days, key_id))
    by = {"by": asker.name, "maker": asker.principal.key_id}
    made = await run_in_threadpool(service.keys.rotate, key_id, days=days, overlap_hours=asked.overlap_hours, **by)
    await asker.service.log_key_event(KeyEvent.ROTATED, made, asker.name)
    return made


@router.delete("/keys/{key_id}", response_model=Key, operation_id="revoke_key")
async def revoke(key_id: Name, asker: Caller) -> Json:
    """Revoke a key at once."""
    await _check_own(asker, key_id)
    # first: the key is invalid from here on, even if logging fails
    gone = await run_in_threadpool(asker.service.keys.revoke, key_id)
    await asker.service.log_key_event(KeyEvent.REVOKED, gone, asker.name)
    return gone


@router.get("/topups", response_model=BodyList, operation_id="top_ups")
async def top_ups(asker: Caller, open_only: bool = False) -> Json:
    """List requests for higher caps, oldest first: an analyst's own, or everybody's."""
    found = await asker.call("top_ups", open_only=open_only)
    return found if asker.scope is Scope.ANY else [row for row in found if row["client"] == asker.name]


@router.post("/topups", status_code=201, response_model=ResponseBody, operation_id="request_top_up")
async def request_top_up(asked: requests.TopUpRequest, asker: Caller) -> Json:
    """Request a higher cap."""
    return await asker.call("request_top_up", client=asker.name, **asked.model_dump())


@router.post("/topups/{request}/approve", response_model=ResponseBody, operation_id="approve_top_up")
async def approve(request: int, asked: requests.DecisionRequest, asker: Caller) -> Json:
    """Grant a request."""
    return await _decide(asker, "approve_top_up", request, asked.reason, "approved")


@router.post("/topups/{request}/decline", response_model=ResponseBody, operation_id="decline_top_up")
async def decline(request: int, asked: requests.DecisionRequest, asker: Caller) -> Json:
    """Decline a request."""
    return await _decide(asker, "decline_top_up", request, asked.reason, "declined")


async def _decide(asker: Caller, verb: str, request: int, reason: str, state: str) -> Json:
    async with asker.as_not_found("top_ups", "request", request):
        await asker.call(verb, request=request, by=asker.name, reason=reason)
    return {"request": request, "state": state}


@router.get("/ledger", response_model=BodyList, operation_id="ledger")
async def ledger(
    asker: Caller, client: OptionalName = None, limit: Annotated[int, Query(ge=1, le=10_000)] = 100
) -> Json:
    """List the last rows of the ledger, oldest first."""
    return await asker.call("ledger", client=client, limit=limit)


@router.get("/ledger/audit", response_model=BodyList, operation_id="audit")
async def audit(
    asker: Caller,
    kind: OptionalName = None,
    client: OptionalName = None,
    since: OptionalName = None,
    until: OptionalName = None,
) -> Json:
    """Show the audit log: who submitted which query when, its price, and what admins did."""
    return await asker.call("audit", kind=kind, client=client, since=since, until=until)


@router.get("/ledger/anchor", response_model=requests.AnchorBody, operation_id="anchor")
async def anchor(asker: Caller) -> Json:
    """Return the end of the chain, to be stored where nobody who can write the ledger can write."""
    return {"anchor": await asker.call("anchor")}


@router.get("/ledger/verify", response_model=LedgerVerification, operation_id="verify")
async def verify(asker: Caller) -> Json:
    """Verify the ledger's hash chain."""
    return await asker.call("verify")


@router.post("/ledger/verify", response_model=LedgerVerification, operation_id="verify_with_anchor")
async def verify_with_anchor(asked: requests.AnchorBody, asker: Caller) -> Json:
    """Verify the ledger's hash chain, and that it extends an anchor."""
    return await asker.call("verify", anchor=asked.anchor)


@router.get("/ledger/report", response_class=PlainTextResponse, responses=HTML, operation_id="report")
async def report(asker: Caller, request: Request) -> Response:
    """Write the report for a regulator, as HTML where that is accepted, else as text."""
    html = "text/html" in request.headers.get("accept", "")
    text = await asker.call("report", html=html)
    return Response(text, media_type="text/html" if html else "text/plain")


@router.get("/objections", response_model=BodyList, operation_id="objections")
async def objections(asker: Caller, dataset: OptionalName = None) -> Json:
    """List when objections were recorded, by whom and why; not whose, nor how many."""
    return await asker.call("objections", dataset=dataset)


@router.get("/objections/figures", response_model=list[ObjectionCount], operation_id="figures")
async def figures(asker: Caller, dataset: OptionalName = None) -> Json:
    """List the noisy numbers of people who object that were released."""
    return await asker.call("figures", dataset=dataset)


@router.post("/objections/figures", status_code=201, response_model=ObjectionCount, operation_id="release_figure")
async def release_figure(asked: requests.ObjectionCountRequest, asker: Caller) -> Json:
    """Release the noisy number of people who object now. Charged to everybody in each window, once a day."""
    return await asker.call("release_figure", by=asker.name, **asked.model_dump())


@router.post("/objections", status_code=201, response_model=ResponseBody, operation_id="object")
async def object_(asked: requests.ObjectionRequest, asker: Caller) -> Json:
    """Record or withdraw a person's objection. The response is the same for a person who is not in the data."""
    return await asker.call("object", by=asker.name, **asked.model_dump())


@router.post("/objections/bulk", status_code=201, response_model=ResponseBody, operation_id="object_many")
async def object_many(asked: requests.ObjectionListRequest, asker: Caller) -> Json:
    """Record the objections of a list, one person per line; none if a line is invalid."""
    return await asker.call("object_many", by=asker.name, **asked.model_dump())


async def _check_own(asker: Caller, key_id: str) -> None:
    """Restrict a key without scope ANY to itself; raises Problem with E_NOT_FOUND for any other."""
    found = await run_in_threadpool(asker.service.tables.key, id=key_id)
    if found is None or (asker.scope is not Scope.ANY and key_id != asker.principal.key_id):
        raise Problem(
            "E_NOT_FOUND", "There is no key of this id, or it is another's.", "GET /v1/me says which is yours"
        )
