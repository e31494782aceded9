"""The endpoints of who watches over a server: its own checks, what alerts became, what is stored."""

from __future__ import annotations

import json

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool

from engine.server.http.admin_shapes import AlertTold, Checked, StoredTold
from engine.server.routes.access import Asker
from engine.server.worker.frames import Json

router = APIRouter(prefix="/v1/admin")


@router.get("/health", response_model=list[Checked], operation_id="health")
async def health(asker: Asker, request: Request) -> Json:
    """Say what the server's own checks find."""
    del asker
    return await request.app.state.checks.told()


@router.get("/alerts", response_model=list[AlertTold], operation_id="alerts")
async def alerts(asker: Asker) -> Json:
    """List alerts of budgets and what became of them, the newest first."""
    names = ("channel", "made_at", "sent_at", "tries", "problem")
    rows = await run_in_threadpool(asker.house.books.all_alerts)
    return [{**json.loads(row["said"]), **{name: row[name] for name in names}} for row in rows]


@router.get("/releases", response_model=list[StoredTold], operation_id="releases")
async def releases(asker: Asker) -> Json:
    """List what is stored of each dataset and whether it is still repeated; no numbers."""
    return await asker.do("stored_releases")
