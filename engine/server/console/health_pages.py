"""The page of the server's health: its own checks, and what alerts became."""

from __future__ import annotations

from fastapi import Response

from engine.server.console.visits import Visit
from engine.server.routes import watching

ROWS = 100  # alerts on the page, the newest


async def health(visit: Visit) -> Response:
    """Show checks and alerts."""
    checks = await watching.health(visit.asker("GET", "/v1/admin/health"), visit.request)
    alerts = await watching.alerts(visit.asker("GET", "/v1/admin/alerts"))
    return visit.page("health", checks=checks, alerts=alerts[:ROWS])
