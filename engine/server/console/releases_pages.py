"""The page of stored releases: how long each dataset repeats its numbers, and which are stored."""

from __future__ import annotations

from fastapi import Response

from engine.server.console.visits import Visit
from engine.server.routes import watching

ROWS = 200  # releases of a dataset on the page, the newest


async def releases(visit: Visit) -> Response:
    """Show what is stored and until when it is repeated; no numbers."""
    told = await watching.releases(visit.asker("GET", "/v1/admin/releases"))
    shown = [{**of, "count": len(of["releases"]), "releases": of["releases"][::-1][:ROWS]} for of in told]
    return visit.page("releases", datasets=shown, job_days=visit.house.settings.job_days)
