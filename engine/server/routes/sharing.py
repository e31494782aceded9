"""Endpoints of sharing: links to an analyst's stored answers, for others who pay from their own budgets."""

from __future__ import annotations

import json
from typing import Any

from fastapi import APIRouter, Response
from starlette.concurrency import run_in_threadpool

from engine.server.auth.keys import new_id
from engine.server.http.problems import Problem
from engine.server.http.requests import Name, ShareRequest
from engine.server.http.responses import Offer, Share
from engine.server.routes.access import AuthorizedRequest, Caller
from engine.server.routes.analyst import ANSWER_RESPONSES, AnswerWriter
from engine.server.storage import Row, later_text, now_text
from engine.server.worker.frames import Json

router = APIRouter(prefix="/v1/shares")
DEFAULT_SHARE_DAYS = 30.0


@router.post("", status_code=201, response_model=Share, operation_id="share")
async def share(asked: ShareRequest, asker: Caller) -> Json:
    """Share the answer of a query that you have paid for. Free."""
    asker.check_length(asked.sql)
    question = {"sql": asked.sql, "rho": asked.rho, "confidence": asked.confidence}
    stored = await asker.call("share", client=asker.name, **question)
    row = {
        "id": new_id(),
        "client": asker.name,
        "question": json.dumps(question),
        "keys": json.dumps(stored["keys"]),
        "dataset": stored["dataset"],
        "made_at": now_text(),
        "expires_at": later_text(days=DEFAULT_SHARE_DAYS if asked.days is None else asked.days),
    }
    await run_in_threadpool(asker.service.tables.add_share, row, now_text())
    return _share_shape(row)


@router.get("", response_model=list[Share], operation_id="shares")
async def shares(asker: Caller) -> Json:
    """List your shares, oldest first."""
    mine = await run_in_threadpool(asker.service.tables.shares_of, now_text(), client=asker.name)
    return [_share_shape(row) for row in mine]


@router.get("/{share_id}", response_model=Offer, operation_id="offer")
async def offer(share_id: Name, asker: Caller) -> Json:
    """Show a shared query, who shares it, and its price for you: no numbers, no charge."""
    row = await _find_share(asker, share_id)
    return {**_share_shape(row), **await asker.call("offer", **_share_arguments(row, asker))}


@router.post("/{share_id}/take", responses=ANSWER_RESPONSES, response_model=None, operation_id="take")
async def take(share_id: Name, asker: Caller, write: AnswerWriter) -> Response:
    """Return the shared answer with its card. Your account pays for it once; everybody's pays nothing."""
    return write(await take_rows(share_id, asker))


async def take_rows(share_id: str, asker: AuthorizedRequest) -> bytes:
    """Return the shared answer as an Arrow stream; raises Refused."""
    arguments = _share_arguments(await _find_share(asker, share_id), asker)
    return await asker.call("take", **arguments, request_id=f"share-{share_id}")


@router.delete("/{share_id}", response_model=Share, operation_id="end_share")
async def end(share_id: Name, asker: Caller) -> Json:
    """End a share. Those who paid for the numbers keep them."""
    row = await _find_share(asker, share_id)
    if row["client"] != asker.name:
        raise _unknown_share()
    await run_in_threadpool(asker.service.tables.delete_share, share_id)
    return _share_shape(row)


async def _find_share(caller: AuthorizedRequest, share_id: str) -> Row:
    found = await run_in_threadpool(caller.service.tables.shares_of, now_text(), id=share_id)
    if not found:
        raise _unknown_share()
    return found[0]


def _unknown_share() -> Problem:
    return Problem("E_NOT_FOUND", "Nothing is shared by this name, or no more.", "a link that somebody gave you")


def _share_arguments(row: Row, caller: AuthorizedRequest) -> dict[str, Any]:
    return {**json.loads(row["question"]), "keys": json.loads(row["keys"]), "client": caller.name}


def _share_shape(row: Row) -> dict[str, Any]:
    names = ("id", "dataset", "made_at", "expires_at")
    return {**{name: row[name] for name in names}, "by": row["client"], "sql": json.loads(row["question"])["sql"]}
