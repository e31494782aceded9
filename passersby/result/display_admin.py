"""Clients, freezes, requests and the audit log -> what a terminal shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from passersby.result.display import table_of
from passersby.result.display_lists import IN_WORDS
from passersby.text.wording import amount, shown_moment, tiny

Rows = Sequence[dict[str, Any]]
FEW = 3  # windows that are told by name
NO_LIMIT = "-"


def show_clients(clients: Rows) -> RenderableType:
    """Show who may ask, and under which caps."""
    if not clients:
        return Text("No client was added, and none has asked.")
    rows = [
        {
            "client": f"{row['client']}/" if row["group"] else row["client"],
            "state": row["state"],
            "dataset": row["dataset"],
            "window": row["window"],
            "spent": f"{amount(row['spent_rho'])} of {amount(row['cap_rho'])}",
            "all windows": f"{amount(row['lifetime_spent_rho'])} of {_cap(row['lifetime_cap_rho'])}",
            "a question": _cap(row["query_cap_rho"]),
        }
        for row in clients
    ]
    names = ("client", "state", "dataset", "window", "spent", "all windows", "a question")
    return table_of(rows, names, "Clients and groups, in rho; of each its window with least left")


def show_frozen(frozen: Rows) -> RenderableType:
    """Show what nothing is charged to."""
    if not frozen:
        return Text("Nothing is frozen.")
    rows = [{**row, "since": shown_moment(row["since"])} for row in frozen]
    names = ("client", "dataset", "window", "since", "by", "reason")
    return table_of([{name: row[name] or "all" for name in names} for row in rows], names, "Frozen")


def show_top_ups(top_ups: Rows) -> RenderableType:
    """Show requests for other caps."""
    if not top_ups:
        return Text("There is no such request.")
    rows = [{**row, "#": row["request"], "cap": amount(row["cap_rho"])} for row in top_ups]
    return table_of(
        rows, ("#", "client", "dataset", "scope", "cap", "state", "reason"), "Requests for other caps, in rho"
    )


def show_audit(log: Rows) -> RenderableType:
    """Show the audit log, each row in a few lines."""
    if not log:
        return Text("There is no such row.")
    return Group(*(Text("\n".join(_lines(row)) + "\n") for row in log))


def _lines(row: dict[str, Any]) -> list[str]:
    about = ", ".join(filter(None, (row["dataset"], _client(row["client"]))))
    by = IN_WORDS.get(row["by"], row["by"])
    head = f"{row['sequence']}  {shown_moment(row['at'])}  {row['told']}  {about}  by {by}"
    told = {
        "price": _price(row),
        "windows": _windows(row["windows"]),
        "versions": row["versions"],
        "why": row["reason"],
    }
    lines = [f"    {name}: {text}" for name, text in told.items() if text]
    return [head.replace("    ", "  "), *(f"    question: {question}" for question in row["questions"]), *lines]


def _client(name: str | None) -> str | None:
    return IN_WORDS.get(name, f"client {name}") if name else None


def _price(row: dict[str, Any]) -> str | None:
    if row["rho"] is None:
        return None
    return f"rho {amount(row['rho'])}" + (f", delta {tiny(row['delta'])}" if row["delta"] else "")


def _windows(windows: Sequence[str]) -> str:
    windows = [IN_WORDS.get(window, window) for window in windows]
    return ", ".join(windows) if len(windows) <= FEW else f"{windows[0]} to {windows[-1]}, {len(windows)} windows"


def _cap(cap: float | None) -> str:
    return NO_LIMIT if cap is None else amount(cap)
