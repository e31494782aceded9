"""The first page: what is spent of every window, and what wants to be looked at."""

from __future__ import annotations

from typing import Any

from fastapi import Response

from engine.server.console.drawing import alert, share
from engine.server.console.visits import Visit
from engine.server.routes import admin as administering
from engine.server.routes import analyst as asking
from engine.server.routes import watching

ROWS = 200  # accounts on the page


async def overview(visit: Visit) -> Response:
    """Show datasets and windows with what is spent and left; a steward sees where else to go."""
    accounts: list[dict[str, Any]] = []
    ahead: dict[str, list[str]] = {}
    if visit.may("GET", "/v1/budget"):
        told = await asking.budget(visit.asker("GET", "/v1/budget"), None)
        ahead = told["ahead"]
        for each in told["accounts"]:
            spent, cap = each["spent_rho"], each["cap_rho"]
            accounts.append({**each, "share": share(spent, cap), "alert": alert(spent, cap)})
        accounts.sort(key=lambda each: (each["client"] is not None, -each["share"]))
    tiles = await _tiles(visit, accounts)
    return visit.page("overview", accounts=accounts[:ROWS], more=len(accounts[ROWS:]), ahead=ahead, tiles=tiles)


async def _tiles(visit: Visit, accounts: list[dict[str, Any]]) -> list[dict[str, str | None]]:
    """Sum up in a few numbers."""
    tiles: list[dict[str, str | None]] = []
    if accounts:
        most = max(accounts, key=lambda each: each["share"])
        state = "full" if most["share"] >= 0.8 else "half" if most["share"] >= 0.5 else "low"
        whose = f"{most['dataset']}, {most['window']}, {most['client'] or 'all clients'}"
        tiles.append(_tile("Most spent", f"{100 * most['share']:.3g}%", whose, state))
    if visit.may("GET", "/v1/admin/clients"):
        asked = await administering.top_ups(visit.asker("GET", "/v1/admin/topups"), open_only=True)
        frozen = await administering.frozen(visit.asker("GET", "/v1/admin/freezes"))
        tiles.append(_waiting("Requests for caps", len(asked), "open", "/console/clients"))
        tiles.append(_waiting("Frozen", len(frozen), "until an admin thaws it", "/console/clients"))
    if visit.may("GET", "/v1/admin/health"):
        checks = await watching.health(visit.asker("GET", "/v1/admin/health"), visit.request)
        tiles.append(_checked(checks))
    return tiles


def _checked(checks: list[dict[str, str]]) -> dict[str, str | None]:
    failed, look = ([each["check"] for each in checks if each["state"] == state] for state in ("failed", "look"))
    more = ", ".join(failed) or (f"want a look: {', '.join(look)}" if look else "all pass")
    state = "full" if failed else "half" if look else "low"
    return _tile("Self-checks failed", f"{len(failed)} of {len(checks)}", more, state, "/console/health")


def _waiting(name: str, count: int, more: str, link: str) -> dict[str, str | None]:
    return _tile(name, str(count), more if count else "none", "half" if count else "low", link)


def _tile(name: str, value: str, more: str, state: str, link: str | None = None) -> dict[str, str | None]:
    return {"name": name, "value": value, "more": more, "state": state, "link": link}
