"""One declared table in plain words: its columns, and how much one person counts in it."""

from __future__ import annotations

from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from passersby.result.display import table_of
from passersby.text.wording import declared_text, percent, printable, value_text

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
