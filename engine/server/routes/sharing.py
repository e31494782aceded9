"""Endpoints of sharing: links to an analyst's stored answers, for others who pay from their own budgets."""

from __future__ import annotations

import json
from typing import Any

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from engine.server.auth.keys import new_id
from engine.server.http.problems import Problem
from engine.server.http.requests import ShareAsked
from engine.server.http.responses import Offer, Share, body_of
from engine.server.http.texts import Name
from engine.server.routes.access import Admitted, Asker
from engine.server.routes.analyst import ANSWERED, accepted
from engine.server.storage import Row, later_text, now_text
from engine.server.worker.frames import Json

router = APIRouter(prefix="/v1/shares")
DAYS = 30.0


@router.post("", status_code=201, response_model=Share, operation_id="share")
async def share(asked: ShareAsked, asker: Asker) -> Json:
    """Share the answer of a query that you have paid for. Free."""
    most = asker.house.settings.max_sql_chars
    if len(asked.sql) > most:
        raise Problem("E_SIZE", f"A question has at most {most:,} characters.", "a shorter one")
    terms = {"rho": None if asked.rho is None else str(asked.rho), "confidence": asked.confidence}
    held = await asker.do("share", sql=asked.sql, client=asker.name, **terms)
    row = {
        "id": new_id(),
        "client": asker.name,
        "question": json.dumps({"sql": asked.sql, **terms}),
        "keys": json.dumps(held["keys"]),
        "dataset": held["dataset"],
        "made_at": now_text(),
        "expires_at": later_text(days=DAYS if asked.days is None else asked.days),
    }
    await run_in_threadpool(asker.house.books.add_share, row, now_text())
    return _told(row)


@router.get("", response_model=list[Share], operation_id="shares")
async def shares(asker: Asker) -> Json:
    """List your shares, oldest first."""
    mine = await run_in_threadpool(asker.house.books.shares_of, now_text(), client=asker.name)
    return [_told(row) for row in mine]


@router.get("/{share_id}", response_model=Offer, operation_id="offer")
async def offer(share_id: Name, asker: Asker) -> Json:
    """Show a shared query, who shares it, and its price for you: no numbers, no charge."""
    row = await _found(asker, share_id)
    return {**_told(row), **await asker.do("offer", **_asked(row, asker))}


@router.post("/{share_id}/take", responses=ANSWERED, response_model=None, operation_id="take")
async def take(share_id: Name, asker: Asker, request: Request) -> Response:
    """Return the shared answer with its card. Your account pays for it once; everybody's pays nothing."""
    media_type = accepted(request)
    return Response(body_of(await taken(share_id, asker), media_type), media_type=media_type)


async def taken(share_id: str, asker: Admitted) -> bytes:
    """Return the shared answer as an Arrow stream; raises Refused, Problem."""
    row = await _found(asker, share_id)
    return await asker.rows("take", {**_asked(row, asker), "request_id": f"share-{share_id}"})


@router.delete("/{share_id}", response_model=Share, operation_id="end_share")
async def end(share_id: Name, asker: Asker) -> Json:
    """End a share. Those who paid for the numbers keep them."""
    row = await _found(asker, share_id)
    if row["client"] != asker.name:
        raise _unknown()
    await run_in_threadpool(asker.house.books.end_share, share_id)
    return _told(row)


async def _found(asker: Admitted, share_id: str) -> Row:
    found = await run_in_threadpool(asker.house.books.shares_of, now_text(), id=share_id)
    if not found:
        raise _unknown()
    return found[0]


def _unknown() -> Problem:
    return Problem("E_NOT_FOUND", "Nothing is shared by this name, or no more.", "a link that somebody gave you")


def _asked(row: Row, asker: Admitted) -> dict[str, Any]:
    return {**json.loads(row["question"]), "keys": json.loads(row["keys"]), "client": asker.name}


def _told(row: Row) -> dict[str, Any]:
    names = ("id", "dataset", "made_at", "expires_at")
    return {**{name: row[name] for name in names}, "by": row["client"], "sql": json.loads(row["question"])["sql"]}
