"""Terminal output of accounts, releases, ledger rows and tables.

The short form has one line per item; a single table is shown with its columns and clip bounds.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from itertools import groupby
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from passersby.result.bars import budget_bar
from passersby.result.card import Accounts
from passersby.result.summary import FOREVER, NAMED_WINDOWS, WINDOW_NAMES, python_hints, spent_share, whose_text
from passersby.result.terminal import empty_table, table_of
from passersby.text.numbers import (
    declared_text,
    delta_text,
    epsilon_text,
    percent,
    printable,
    questions_text,
    rho_text,
    timestamp_text,
    value_text,
)

MOST_VALUES = 40  # written out of a list, in the long form
OTHER_KEYS = "anything else"
NO_CLIP_BOUNDS = "no clip bounds are declared: each question measures contributions itself, with a part of its price"
Rows = Sequence[dict[str, Any]]
CLIP_BOUNDS = ("grouped by", "rows", "people", "sums")
HISTORY_TITLE = "Questions paid for, oldest first: free to ask again of the same data"
LEDGER_TITLE = "Rows of the ledger, oldest first: none ever changes"
ONE_TABLE_HINT = 'one table: passersby tables NAME, or tables("NAME") in Python'
ACCOUNT_NAMES = WINDOW_NAMES | {"*owner": "the owner"}  # names of accounts that are nobody's
SHORT_KEY = 12  # characters of a release's name on a screen
FEW_VALUES = 6  # written out of a list, in the short form
MOST_QUESTIONS = 10  # of a history, in the short form
MOST_LEDGER_ROWS = 20  # in the short form
MINUTES = 16  # characters of a moment without its seconds
SHORT_BAR = 12  # characters of a budget's bar, in the short form


def show_budget(
    budget: Accounts, *, details: bool = False, more: str = python_hints("budget").details
) -> RenderableType:
    """Remaining budget, one line per account; or everything known of each."""
    if not details:
        lines = [f"{text}." for texts in budget.ahead.values() for text in (line.rstrip(".") for line in texts)]
        prices = dict.fromkeys(price for each in budget.accounts if (price := budget.query_rho(each)))
        at = [f"A question costs rho {' or '.join(map(rho_text, prices))} by default."] if prices else []
        lines = [*at, *(_sentence(line) for line in dict.fromkeys(lines))]
        return Group(_short_accounts(budget), *(Text(printable(line), "dim") for line in (*lines, more) if line))
    blocks = [Group(*_account(account, budget.query_rho(account))) for account in budget.accounts]
    ahead = [Text(f"{dataset}: {line}") for dataset, lines in budget.ahead.items() for line in lines]
    return Group(*(part for block in blocks for part in (block, Text())), *ahead)


def _sentence(line: str) -> str:
    """Text with an upper-case first letter."""
    return line[:1].upper() + line[1:]


def _short_accounts(budget: Accounts) -> Table:
    """Table with one line per account, a client's own before those of all clients."""
    accounts = budget.own_first
    datasets = list(dict.fromkeys(account["dataset"] for account in accounts))
    has_windows = any(account["window"] != FOREVER for account in accounts)
    table = empty_table()
    for name, justify in (
        (datasets[0] if len(datasets) == 1 else "dataset", "left"),
        *((("window", "left"),) if has_windows else ()),
        ("questions left", "right"),
        ("rho left", "left"),
        ("spent", "right" if has_windows else "left"),
    ):
        table.add_column(name, justify=justify)
    for account in accounts:
        whose, share = whose_text(account), spent_share(account)
        price, left, cap = budget.query_rho(account), account["remaining_rho"], account["cap_rho"]
        cells = [whose if len(datasets) == 1 else f"{account['dataset']}, {whose}"]
        cells += [ACCOUNT_NAMES.get(account["window"], account["window"])] if has_windows else []
        cells += [f"{math.floor(left / price + 1e-9):,}" if price else "", f"{rho_text(left)} of {rho_text(cap)}"]
        spent = Text(f"{share:.1%}")
        if not has_windows:
            spent = Text.assemble(budget_bar(share, SHORT_BAR), " ", spent)
        table.add_row(*(Text(printable(cell)) for cell in cells), spent)
    return table


def show_history(
    releases: Rows, *, details: bool = False, more: str = python_hints("history").details
) -> RenderableType:
    """Releases that a client has paid for, each with the SQL that the client wrote.

    The short form has the newest questions, each with its whole price and its time. The canonical text,
    by which repeats are recognised, is in the long form, and where no SQL is stored.
    """
    if not releases:
        return Text("Nothing was asked yet.")
    if not details:
        return _short_history(releases, more)
    parts: list[RenderableType] = [Text(HISTORY_TITLE, "bold")]
    for place, row in enumerate(releases):
        windows = windows_text(row.get("windows") or ())
        about = (
            timestamp_text(row["settled_at"]),
            f"rho {rho_text(row['rho'])}",
            f"delta {delta_text(row['delta'])}" if row["delta"] else "",
            windows if windows not in ("", FOREVER) else "",
            str(row["release_id"]),
        )
        parts.append(Text(printable("   ".join(filter(None, about))), "dim"))
        sql = row["sql"]
        following = releases[place + 1]["sql"] if place + 1 < len(releases) else None
        if sql and sql != following:  # several releases of one question
            parts.append(Text(f"  {printable(' '.join(sql.split()))}"))
        parts.append(Text(f"  canonical: {printable(row['question'])}", "dim"))
    return Group(*parts)


def _short_history(releases: Rows, more: str) -> Group:
    """Newest questions of a client, oldest first: time, price over all releases of the question, windows, SQL."""
    questions, earlier = paid_questions(releases)
    parts: list[RenderableType] = [Text(HISTORY_TITLE, "bold"), *([Text(earlier, "dim")] if earlier else [])]
    for question in questions:
        about = (question["paid"], f"rho {question['rho']}", question["windows"])
        sql = Text(f"  {printable(question['question'])}", no_wrap=True, overflow="ellipsis")
        parts += [Text(printable("   ".join(filter(None, about))), "dim"), sql]
    return Group(*parts, *([Text(more, "dim")] if more else []))


def paid_questions(releases: Rows) -> tuple[list[dict[str, str]], str]:
    """Newest questions of a history, oldest first, each with its whole price: (rows, line on earlier ones)."""
    questions = [list(rows) for _, rows in groupby(releases, key=lambda row: row["sql"] or row["release_id"])]
    hidden = max(0, len(questions) - MOST_QUESTIONS)
    shown = []
    for rows in questions[hidden:]:
        windows, sql = windows_text(rows[0].get("windows") or ()), rows[0]["sql"]
        shown.append(
            {
                "paid": timestamp_text(rows[0]["settled_at"])[:MINUTES],
                "rho": rho_text(sum(row["rho"] for row in rows)),
                "windows": windows if windows not in ("", FOREVER) else "",
                "question": " ".join(sql.split()) if sql else f"canonical: {rows[0]['question']}",
            }
        )
    return shown, f"{hidden:,} earlier question{'s' * (hidden > 1)}" if hidden else ""


def show_ledger(
    entries: Rows,
    *,
    client: str | None = None,
    details: bool = False,
    more: str = python_hints("ledger").details,
    most: int | None = MOST_LEDGER_ROWS,
) -> RenderableType:
    """Ledger rows, one line each, in the short form the last `most`; `client`: only rows about it were requested."""
    if not entries:
        return Text("The ledger is empty." if client is None else "No row is about this client.")
    hidden = 0 if details or most is None else max(0, len(entries) - most)
    entries = entries[hidden:]
    rows = [
        {
            **row,
            "#": row["sequence"],
            "at": timestamp_text(row["at"]) if details else timestamp_text(row["at"])[:MINUTES],
            "about": ", ".join(filter(None, (row["dataset"], row["client"]))),
            "client": ACCOUNT_NAMES.get(row["client"], row["client"]),
            "rho": rho_text(row["rho"]) if row["rho"] else "",
            "delta": delta_text(row["delta"]) if row["delta"] else "",
            "what": _entry_text(json.loads(row["body"]), details=details),
            "by": row["asked_by"],
        }
        for row in entries
    ]
    if details:
        return table_of(rows, ("#", "at", "kind", "about", "by", "rho", "delta", "what"), LEDGER_TITLE)
    names = ("#", "at", "kind", "client", *(("rho",) if any(row["rho"] for row in rows) else ()), "what")
    table = empty_table(LEDGER_TITLE)
    for name in names:
        table.add_column(name, no_wrap=name != "what")
    for row in rows:
        *cells, what = (value_text("" if row[name] is None else row[name]) for name in names)
        table.add_row(*map(Text, cells), Text(what, no_wrap=True, overflow="ellipsis"))
    earlier = f"{hidden:,} earlier row{'s' * (hidden > 1)}: --limit {hidden + len(entries)}" if hidden else ""
    return Group(table, *(Text(line, "dim") for line in (earlier, more) if line))


def _entry_text(body: dict[str, Any], *, details: bool = False) -> str:
    """Gist of a ledger row: its reason, the SQL of a charge, its releases, or its windows."""
    if "reason" in body:
        return str(body["reason"])
    keys = [release["key"] for release in body.get("releases", ())] + [body[name] for name in ("key",) if name in body]
    names = ", ".join(str(key)[:SHORT_KEY] for key in keys)
    if sql := " ".join(str(body.get("wording") or "").split()):
        return f"{sql} ({names})" if details else sql
    if keys:
        return names
    return windows_text(body.get("windows", ()))


def show_tables(tables: Rows, *, details: bool = False, more: str = python_hints("tables").details) -> RenderableType:
    """Tables that may be queried, one line each; a single one with its columns; or all declarations."""
    if len(tables) == 1:
        return show_table(tables[0], details=details, more=more)
    # older servers send none
    left_out = dict.fromkeys(text for table in tables for text in table.get("not_counted", ()))
    if details:
        parts = [part for table in tables for part in _long_table(table)]
        return Group(*parts, *map(Text, left_out), Text(ONE_TABLE_HINT, "dim"))
    lines = [*tables_lines(tables), ONE_TABLE_HINT, more]
    shown = table_of(tables_overview(tables), ("table", "kind", "rows", "columns"))
    return Group(shown, *(Text(line, "dim") for line in lines if line))


def tables_overview(tables: Rows) -> list[dict[str, str]]:
    """One row a table: its kind, order of magnitude and columns."""
    return [
        {
            "table": table["name"],
            "kind": table["kind"],
            "rows": _size(table),
            "columns": ", ".join(column["name"] for column in table["columns"]),
        }
        for table in tables
    ]


def tables_lines(tables: Rows) -> list[str]:
    """Lines on all tables of a list: privacy windows, and who is not counted."""
    windows = dict.fromkeys(text for table in tables if (text := declared_windows(table)))
    left_out = dict.fromkeys(text for table in tables for text in table.get("not_counted", ()))
    return [*windows, *left_out]


def show_table(table: dict[str, Any], *, details: bool = False, more: str = "") -> RenderableType:
    """One table: its columns and the clip bounds of a person; or all declarations."""
    head = _table_head(table)
    shown = table_of(table_columns(table, details=details), ("name", "type", "values"), "Columns" if details else "")
    if not details:
        head.append("".join(f" · {text}" for text in table_about(table)))
        lines = [*table_lines(table), more]
        return Group(head, shown, *(Text(printable(line), "dim") for line in lines if line))
    parts: list[RenderableType] = [head, *(Text(line) for line in _about(table)), Text(), shown]
    if table["norms"]:
        parts += [Text(), table_of(_clip_bounds(table), CLIP_BOUNDS, "Clip bounds per person (L2)")]
    if table["kind"] == "private":
        parts += _limits(table)
    return Group(*parts)


def table_columns(table: dict[str, Any], *, details: bool = False) -> list[dict[str, str]]:
    """Columns of a table: name, type and declared values."""
    return [
        {"name": column["name"], "type": column["type"], "values": _values(column, details=details)}
        for column in table["columns"]
    ]


def table_about(table: dict[str, Any]) -> list[str]:
    """Order of magnitude of a table, and what a person is in it."""
    person = f"a person is a {table['person']}" if table.get("person") else "no rows of people: exact"
    return [*([f"{size} rows"] if (size := _size(table)) else []), person]


def table_lines(table: dict[str, Any]) -> list[str]:
    """Lines below the columns of a table: time, privacy windows, who is not counted, clip bounds."""
    lines = [_time_text(table), declared_windows(table), *table.get("not_counted", ()), _clip_text(table)]
    return [line for line in lines if line]


def _table_head(table: dict[str, Any]) -> Text:
    """Name and kind of a table."""
    look = "magenta" if table["kind"] == "private" else "green"
    return Text.assemble((table["name"], "bold"), "  ", (table["kind"], look))


def declared_windows(table: dict[str, Any]) -> str:
    """Days that may be queried, and the privacy windows that are charged; empty for a public table."""
    if table.get("first_day"):
        days = f"{table['first_day']} to {table['last_day']}"
        windows = f"{table['first_window']} to {table['last_window']}"
        return f"days {days}, charged by {table['window']}: {windows}"
    return "one privacy window: a person's whole history" if table.get("window") else ""


def _size(table: dict[str, Any]) -> str:
    """Return the declared order of magnitude of a table's rows."""
    return f"about {float(table['size_class']):,.0f}" if table.get("size_class") else ""


def _time_text(table: dict[str, Any]) -> str:
    """Time column of a table and its time zones."""
    zones = dict.fromkeys(column["time_zone"] for column in table["columns"] if "time_zone" in column)
    if not table["time_column"]:
        return ""
    return f"time: {table['time_column']}{f', dates and hours of {chr(44).join(zones)}' if zones else ''}"


def _clip_text(table: dict[str, Any]) -> str:
    """Return the declared clip bounds of one person over all groups; those of particular keys are in the long form."""
    norms = table["norms"]
    if not norms:
        return NO_CLIP_BOUNDS if table["kind"] == "private" else ""
    sums = [f"{c['name']} {value_text(c['sum_norm'])}" for c in table["columns"] if "sum_norm" in c]
    bounds = ", ".join([f"{value_text(norms['rows'])} rows", f"{value_text(norms['persons'])} people", *sums])
    return f"clipped per person (L2): {bounds}{'; less for usual keys' if norms['by_keys'] else ''}"


def windows_text(windows: Sequence[str]) -> str:
    """Names of privacy windows; many of them as the first, the last and their number."""
    names = [ACCOUNT_NAMES.get(window, window) for window in windows]
    return ", ".join(names) if len(names) <= NAMED_WINDOWS else f"{names[0]} to {names[-1]}, {len(names)} windows"


def _about(table: dict[str, Any]) -> list[str]:
    """Properties of a table, one sentence each: privacy unit, size, key, time, windows, who is not counted."""
    private = table["kind"] == "private"
    lines = [
        f"Every row is about one {table['person']}." if private else "No row is about a person: read without noise."
    ]
    if table["size_class"]:
        lines.append(f"It has in the order of {table['size_class']} rows.")
    if table["primary_key"]:
        lines.append(f"Primary key: {', '.join(table['primary_key'])}.")
    if table["time_column"]:
        lines.append(f"Time of a row: {table['time_column']}.")
    lines += [line for line in (" ".join(table.get("windows_told", ())), *table.get("not_counted", ())) if line]
    if table["movement"]:
        where = ", ".join(table["movement"].values())
        lines.append(f"Place of a row: {where}. Try stays({table['name']}), trips({table['name']}).")
    return lines


def _values(column: dict[str, Any], *, details: bool) -> str:
    """Return the declared values of a column; nullability, time zone and centre in the long form."""
    is_short = len(column.get("values", ())) <= FEW_VALUES
    parts = [declared_text(column, MOST_VALUES if details else None if is_short else FEW_VALUES)]
    if details:
        parts.append("" if column["nullable"] else "never NULL")
        parts += [f"hours and dates of {column['time_zone']}"] if "time_zone" in column else []
        parts += [f"about {value_text(column['centre'])}"] if "centre" in column else []
    return "; ".join(filter(None, parts))


def _clip_bounds(table: dict[str, Any]) -> list[dict[str, str]]:
    """Return the declared clip bounds by grouping keys."""
    norms = table["norms"]
    sums = {column["name"]: column["sum_norm"] for column in table["columns"] if "sum_norm" in column}
    rows = [_bound_row(", ".join(usual["keys"]), usual, norms, sums | usual["sums"]) for usual in norms["by_keys"]]
    return [*rows, _bound_row(OTHER_KEYS if rows else "anything", norms, norms, sums)]


def _bound_row(keys: str, bounds: dict[str, Any], general: dict[str, Any], sums: dict[str, float]) -> dict[str, str]:
    """Clip bounds of one set of grouping keys, with the table's own where none is declared."""
    rows, persons = (bounds[name] or general[name] for name in ("rows", "persons"))
    return {
        "grouped by": keys,
        "rows": value_text(rows),
        "people": value_text(persons),
        "sums": ", ".join(f"{name} {value_text(most)}" for name, most in sums.items()),
    }


def _limits(table: dict[str, Any]) -> list[Text]:
    """Meaning of the clip bounds, and the limits of group and row truncation."""
    norms = table["norms"]
    of_bounds = (
        (
            "The root of the sum of squares of a person's numbers over all groups is clipped at the bound.",
            f"Noise grows with it. The steward expects {percent(norms['covers'])} of people to stay within it.",
        )
        if norms
        else (f"{NO_CLIP_BOUNDS[0].upper()}{NO_CLIP_BOUNDS[1:]}.",)
    )
    lines = (
        *of_bounds,
        f"With private keys at most {table['max_groups_per_person']:,} groups of a person are kept.",
        f"Before two private tables are joined at most {table['max_rows_per_person']:,} rows of a person are kept.",
    )
    return [Text(printable(line), "dim") for line in lines]


def show_objection_events(events: Rows) -> RenderableType:
    """Table of recorded objections: when, by whom and why."""
    rows = [{**row, "#": row["act"], "at": timestamp_text(row["at"]), "what": row["kind"]} for row in events]
    return table_of(rows, ("#", "at", "recorded_by", "dataset", "what", "reason"), "objections")


def show_findings(findings: Rows) -> RenderableType:
    """Return the findings of a catalog check, each with its cure."""
    blocks = [
        Text.assemble(
            (str(found["key"]), "bold red"), ": ", found["why"], ("\nCure: ", "bold green"), found["cure"], "\n"
        )
        for found in findings
    ]
    return Group(*(Text(file, "bold") for file in dict.fromkeys(str(found["file"]) for found in findings)), *blocks)


def show_changes(changes: Rows) -> RenderableType:
    """Return the changes of a new catalog, forbidden ones in red."""
    if not changes:
        return Text("Nothing that anybody would notice.")
    looks = {"forbidden": "bold red"}
    lines = [((f"{c['effect']}  ", looks.get(c["effect"], "bold")), f"{c['key']}\n    {c['told']}\n") for c in changes]
    return Group(*(Text.assemble(*parts) for parts in lines))


def _account(account: dict[str, Any], price: float | None) -> list[RenderableType]:
    """Long form of one account: bar, rho, epsilon and questions left."""
    share, left, window = spent_share(account), account["remaining_rho"], account["window"]
    numbers = f"rho {rho_text(account['spent_rho'])} of {rho_text(account['cap_rho'])} spent, {rho_text(left)} left"
    when = ACCOUNT_NAMES.get(window, f"window {window}")
    lines = [numbers, epsilon_text(account), questions_text(left, price)]
    return [
        Text.assemble((f"{account['dataset']}, {whose_text(account)}", "bold"), f"  {when}"),
        Text.assemble(budget_bar(share), f" {share:.1%} spent"),
        *(Text(line, "dim") for line in lines if line),
    ]


def _long_table(table: dict[str, Any]) -> list[RenderableType]:
    """Long form of one table in a list: its windows and columns."""
    shown = empty_table()
    for name in ("column", "type", "declared"):
        shown.add_column(name)
    for column in table["columns"]:
        shown.add_row(Text(column["name"]), Text(column["type"]), Text(declared_text(column), "dim"))
    about = f"  one person is one {table['person']}" if table.get("person") else ""
    return [
        _table_head(table).append(about),
        *(Text(line, "dim") for line in [declared_windows(table)] if line),
        shown,
        Text(),
    ]
