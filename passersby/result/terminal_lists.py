"""Terminal output of accounts, releases, ledger rows and tables.

One declared table is described in plain words: its columns, and how much one person counts in it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from passersby.result.bars import budget_bar
from passersby.result.protocols import Accounts
from passersby.result.terminal import empty_table, table_of
from passersby.text.numbers import (
    LOSSES,
    amount,
    declared_text,
    epsilon_text,
    percent,
    printable,
    questions_text,
    shown_moment,
    tiny,
    value_text,
)

NORMS = ("grouped by", "rows", "people", "sums")
MOST_VALUES = 40  # written out of a list
OTHERWISE = "anything else"


def show_table(table: dict[str, Any]) -> RenderableType:
    """Show everything that is declared of a table."""
    look = "magenta" if table["kind"] == "private" else "green"
    head = Text.assemble((table["name"], "bold"), "  ", (table["kind"], look))
    columns = [{**column, "meaning": _meaning(column)} for column in table["columns"]]
    parts: list[RenderableType] = [head, *(Text(line) for line in _about(table)), Text()]
    parts.append(table_of(columns, ("name", "type", "meaning"), "Columns"))
    if table["norms"]:
        parts += [Text(), table_of(_norms(table), NORMS, "How much one person counts"), *_limits(table)]
    return Group(*parts)


def windows_text(table: dict[str, Any]) -> str:
    """Say which time may be asked about, and in which windows it is charged; nothing of a public table."""
    return " ".join(table.get("windows_told", ()))  # an older server says none


def _about(table: dict[str, Any]) -> list[str]:
    """Say whose rows these are, how many, and what names one."""
    private = table["kind"] == "private"
    told = [
        f"Every row is about one {table['person']}." if private else "No row is about a person: read without noise."
    ]
    if table["size_class"]:
        told.append(f"It has in the order of {table['size_class']} rows.")
    if table["primary_key"]:
        told.append(f"{', '.join(table['primary_key'])} names one row.")
    if table["time_column"]:
        told.append(f"{table['time_column']} says when a row happened.")
    told += [line for line in [windows_text(table), *table.get("not_counted", ())] if line]
    if table["movement"]:
        where = ", ".join(table["movement"].values())
        told.append(f"{where} say where its person was then: ask stays({table['name']}), trips({table['name']}).")
    return told


def _meaning(column: dict[str, Any]) -> str:
    """Say which values a column has, and what is typical of them."""
    told = [declared_text(column, MOST_VALUES), "" if column["nullable"] else "never NULL"]
    if "time_zone" in column:
        told.append(f"hours and dates of {column['time_zone']}")
    if "centre" in column:
        told.append(f"about {value_text(column['centre'])}")
    return "; ".join(filter(None, told))


def _norms(table: dict[str, Any]) -> list[dict[str, str]]:
    norms = table["norms"]
    sums = {column["name"]: column["sum_norm"] for column in table["columns"] if "sum_norm" in column}
    rows = [_norm(", ".join(usual["keys"]), usual, norms, sums | usual["sums"]) for usual in norms["by_keys"]]
    return [*rows, _norm(OTHERWISE if rows else "anything", norms, norms, sums)]


def _norm(keys: str, norm: dict[str, Any], general: dict[str, Any], sums: dict[str, float]) -> dict[str, str]:
    rows, persons = (norm[name] or general[name] for name in ("rows", "persons"))
    return {
        "grouped by": keys,
        "rows": value_text(rows),
        "people": value_text(persons),
        "sums": ", ".join(f"{name} {value_text(most)}" for name, most in sums.items()),
    }


def _limits(table: dict[str, Any]) -> list[Text]:
    """Say what these numbers do."""
    covers = percent(table["norms"]["covers"])
    told = (
        "A person's numbers over all groups are scaled down to this length, the root of the sum of squares.",
        f"Noise grows with it. The steward expects {covers} of people to stay within it.",
        f"Where keys are private, at most {table['max_groups_per_person']:,} groups of a person are kept.",
        f"Before two private tables are joined, at most {table['max_rows_per_person']:,} rows of a person are kept.",
    )
    return [Text(printable(line), "dim") for line in told]


Rows = Sequence[dict[str, Any]]
SPENT = "Privacy loss: what is spent, for good, and what is left"
PAID = "Releases paid for, oldest first: asking again is free, of data of the same version"
ROWS = "Rows of the ledger, oldest first: none is ever changed"
MORE = 'More of one table, and how much of a person counts: passersby tables NAME, or tables("NAME") in Python'
IN_WORDS = {"*lifetime": "all windows together", "*owner": "the owner"}  # names of accounts that are nobody's
FEW = 3  # windows that are told by name
SHORT = 12  # characters of a release's name that tell it apart on a screen


def show_budget(budget: Accounts) -> RenderableType:
    """Show each account with a bar of what is spent."""
    blocks = [Group(*_account(account, budget.query_rho(account))) for account in budget.accounts]
    ahead = [Text(f"{dataset}: {line}") for dataset, lines in budget.ahead.items() for line in lines]
    parts = (part for block in blocks for part in (block, Text()))
    return Group(Text(SPENT, "bold"), Text(), *parts, *ahead, Text(LOSSES, "dim"))


def show_history(releases: Rows) -> RenderableType:
    """Show the releases that a client has paid for."""
    if not releases:
        return Text("Nothing was asked yet.")
    rows = [
        {
            "release": str(row["release_id"])[:SHORT],
            "answered": shown_moment(row["settled_at"]),
            "rho": _rho(row["rho"]),
            "delta": _delta(row["delta"]),
            "question": row["sql"] or row["question"],  # rows of older versions know the canonical text alone
        }
        for row in releases
    ]
    return table_of(rows, ("release", "answered", "rho", "delta", "question"), PAID)


def show_ledger(entries: Rows, *, client: str | None = None) -> RenderableType:
    """Show ledger rows; `client` is whom alone they are about, where one was chosen."""
    if not entries:
        return Text("The ledger is empty." if client is None else "No row is about this client.")
    rows = [
        {
            **row,
            "#": row["sequence"],
            "at": shown_moment(row["at"]),
            "about": ", ".join(filter(None, (row["dataset"], row["client"]))),
            "rho": "" if row["rho"] is None else _rho(row["rho"]),
            "delta": "" if row["delta"] is None else _delta(row["delta"]),
            "what": _what(json.loads(row["body"])),
            "by": row["asked_by"],
        }
        for row in entries
    ]
    return table_of(rows, ("#", "at", "kind", "about", "by", "rho", "delta", "what"), ROWS)


def _what(said: dict[str, Any]) -> str:
    """Say the gist of a row: its releases, or the windows it is about, or the reason that was given."""
    if "reason" in said:
        return str(said["reason"])
    keys = [release["key"] for release in said.get("releases", ())] + [said[name] for name in ("key",) if name in said]
    if keys:
        return ", ".join(str(key)[:SHORT] for key in keys)
    windows = [IN_WORDS.get(window, window) for window in said.get("windows", ())]
    return ", ".join(windows) if len(windows) <= FEW else f"{windows[0]} to {windows[-1]}, {len(windows)} windows"


def show_tables(tables: Rows) -> RenderableType:
    """Show the tables that may be asked about, each column with what is declared of it; a single one in full."""
    if len(tables) == 1:
        return show_table(tables[0])
    left_out = dict.fromkeys(
        text for table in tables for text in table.get("not_counted", ())
    )  # older servers say none
    return Group(*(part for table in tables for part in _table(table)), *map(Text, left_out), Text(MORE, "dim"))


def show_acts(acts: Rows) -> RenderableType:
    """Show when objections were recorded, by whom and why."""
    rows = [
        {
            "#": str(row["act"]),
            "at": shown_moment(row["at"]),
            "recorded by": str(row["recorded_by"]),
            "dataset": str(row["dataset"]),
            "what": str(row["kind"]),
            "reason": str(row["reason"]),
        }
        for row in acts
    ]
    return table_of(rows, ("#", "at", "recorded by", "dataset", "what", "reason"), "objections")


def show_findings(findings: Rows) -> RenderableType:
    """Show what is not as a catalog says, each with its cure."""
    blocks = [
        Text.assemble(
            (str(found["key"]), "bold red"), ": ", found["why"], ("\nCure: ", "bold green"), found["cure"], "\n"
        )
        for found in findings
    ]
    return Group(*(Text(file, "bold") for file in dict.fromkeys(str(found["file"]) for found in findings)), *blocks)


def show_changes(changes: Rows) -> RenderableType:
    """Show what a new catalog would change, what is forbidden in red."""
    if not changes:
        return Text("Nothing that anybody would notice.")
    looks = {"forbidden": "bold red"}
    told = [((f"{c['effect']}  ", looks.get(c["effect"], "bold")), f"{c['key']}\n    {c['told']}\n") for c in changes]
    return Group(*(Text.assemble(*parts) for parts in told))


def _account(account: dict[str, Any], price: float | None) -> list[RenderableType]:
    cap, spent, left = account["cap_rho"], account["spent_rho"], account["remaining_rho"]
    share = spent / cap if cap else 1.0
    whose = f"client {account['client']}" if account["client"] is not None else "all clients"
    numbers = f"rho {amount(spent)} of {amount(cap)} spent, {amount(left)} left"
    window = account["window"]
    when = IN_WORDS.get(window, f"window {window}")
    told = [numbers, epsilon_text(account), questions_text(left, price)]
    return [
        Text.assemble((f"{account['dataset']}, {whose}", "bold"), f"  {when}"),
        Text.assemble(budget_bar(share), f" {share:.1%} spent"),
        *(Text(line, "dim") for line in told if line),
    ]


def _table(table: dict[str, Any]) -> list[RenderableType]:
    shown = empty_table()
    for name in ("column", "type", "declared"):
        shown.add_column(name)
    for column in table["columns"]:
        shown.add_row(Text(column["name"]), Text(column["type"]), Text(declared_text(column), "dim"))
    look = "magenta" if table["kind"] == "private" else "green"
    person = table.get("person")
    about = f"  one person is one {person}" if person else ""
    head = Text.assemble((table["name"], "bold"), "  ", (table["kind"], look), about)
    return [head, *(Text(line, "dim") for line in [windows_text(table)] if line), shown, Text()]


def _rho(rho: float) -> str:
    return amount(rho) if rho else ""


def _delta(delta: float) -> str:
    return tiny(delta) if delta else ""
