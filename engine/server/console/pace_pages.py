"""The page of a client's pace: what was left over time, drawn and in a table, and when it is used up."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from fastapi import Response

from engine.server.console.drawing import burn_down
from engine.server.console.visits import Visit
from engine.server.routes import admin as administering
from engine.server.routes import analyst as asking

ROWS = 50  # of the table beside a drawing: the newest


async def pace(visit: Visit) -> Response:
    """Draw what a client has left over time, and say for how long the rest lasts."""
    budget_asker = visit.asker("GET", "/v1/budget")
    whose = budget_asker.client(visit.query("client"))
    if whose is None:
        known = await administering.clients(visit.asker("GET", "/v1/admin/clients"))
        return visit.page("pace", client=None, known=sorted({row["client"] for row in known}), drawn=[], ahead={})
    told = await asking.budget(budget_asker, whose)
    paid = await asking.history(visit.asker("GET", "/v1/history"), whose)
    return visit.page("pace", client=whose, known=[], drawn=drawn(whose, told, paid), ahead=told["ahead"])


def drawn(client: str, told: dict[str, Any], paid: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Draw each dataset's window of which a client has least left, where it has paid at all."""
    own = [row for row in told["accounts"] if row["client"] == client and not row["window"].startswith("*")]
    least: dict[str, dict[str, Any]] = {}
    for row in own:
        before = least.setdefault(row["dataset"], row)
        if row["remaining_rho"] < before["remaining_rho"]:
            least[row["dataset"]] = row
    found = (_burned(row, told["forecasts"], paid) for _, row in sorted(least.items()))
    return [each for each in found if each is not None]


def _burned(
    account: dict[str, Any], forecasts: list[dict[str, Any]], paid: list[dict[str, Any]]
) -> dict[str, Any] | None:
    window, cap = account["window"].partition(" to ")[0], account["cap_rho"]  # the windows of a run are alike
    rows = _rows(account["dataset"], window, cap, paid)
    if not rows:
        return None
    moments = [datetime.fromisoformat(row["at"]) for row in rows]
    now = max(datetime.now(UTC), moments[-1])
    place = (account["dataset"], window, account["client"])
    lasts = next((each for each in forecasts if (each["dataset"], each["window"], each["client"]) == place), None)
    ends = None if lasts is None else now + timedelta(days=lasts["days"])
    left = [(moment.timestamp(), row["left"]) for moment, row in zip(moments, rows, strict=True)]
    line = burn_down(left, cap, now.timestamp(), None if ends is None else ends.timestamp())
    return {
        **account,
        "left": account["remaining_rho"],
        "cap": cap,
        "since": moments[0].date().isoformat(),
        "ends": None if ends is None else ends.date().isoformat(),
        "of_days": None if lasts is None else lasts["of_days"],
        "line": line.past,
        "ahead": line.ahead,
        "now": line.now,
        "rows": rows[::-1][:ROWS],
    }


def _rows(dataset: str, window: str, cap: float, paid: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """List payments from one account, the oldest first, with what each left."""
    rows: list[dict[str, Any]] = []
    left = cap
    for each in sorted((row for row in paid if row["settled_at"]), key=lambda row: row["settled_at"]):
        if each["dataset"] == dataset and window in each["windows"]:
            left -= each["rho"]
            rows.append({"at": each["settled_at"], "rho": each["rho"], "left": max(0.0, left)})
    return rows
