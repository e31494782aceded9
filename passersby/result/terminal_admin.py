"""Terminal output for admins and owners: clients, freezes, cap requests, the audit log, calibration histograms.

Histograms of contributions have bars, and the clip bounds chosen from them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from passersby.result.summary import FOREVER
from passersby.result.terminal import table_of
from passersby.result.terminal_lists import ACCOUNT_NAMES, windows_text
from passersby.text.numbers import delta_text, percent, printable, rho_text, rough_text, timestamp_text

Rows = Sequence[dict[str, Any]]
NO_LIMIT = "-"
STORED = "released"  # kind of the rows that a charge's releases add
MOST_DECISIONS = 8  # of the audit log, in the short form


def show_clients(clients: Rows) -> RenderableType:
    """Table of clients and groups with their caps and spending."""
    if not clients:
        return Text("No client was added, and none has asked.")
    rows = [
        {
            "client": f"{row['client']}/" if row["group"] else row["client"],
            "state": row["state"],
            "dataset": row["dataset"],
            "window": row["window"],
            "spent": f"{rho_text(row['spent_rho'])} of {rho_text(row['cap_rho'])}",
            "all windows": f"{rho_text(row['lifetime_spent_rho'])} of {_cap(row['lifetime_cap_rho'])}",
            "a question": _cap(row["query_cap_rho"]),
        }
        for row in clients
    ]
    names = ("client", "state", "dataset", "window", "spent", "all windows", "a question")
    return table_of(rows, names, "Clients and groups, in rho; of each its window with least left")


def show_frozen(frozen: Rows) -> RenderableType:
    """Table of freezes."""
    if not frozen:
        return Text("Nothing is frozen.")
    rows = [{**row, "since": timestamp_text(row["since"])} for row in frozen]
    names = ("client", "dataset", "window", "since", "by", "reason")
    return table_of([{name: row[name] or "all" for name in names} for row in rows], names, "Frozen")


def show_top_ups(top_ups: Rows) -> RenderableType:
    """Table of cap requests."""
    if not top_ups:
        return Text("There is no such request.")
    rows = [{**row, "#": row["request"], "cap": rho_text(row["cap_rho"])} for row in top_ups]
    return table_of(
        rows, ("#", "client", "dataset", "scope", "cap", "state", "reason"), "Requests for other caps, in rho"
    )


def show_audit(log: Rows, *, details: bool = False, more: str = "") -> RenderableType:
    """Audit log, each row in a few lines, with SQL as its client wrote it.

    The short form has the last decisions, without stored releases and versions; the long form all rows, with canonical
    texts.
    """
    if not log:
        return Text("There is no such row.")
    if details:
        return Group(*(Text("\n".join(_audit_lines(row, details=True)) + "\n") for row in log))
    decisions = [row for row in log if row["kind"] != STORED] or list(log)
    hidden = max(0, len(decisions) - MOST_DECISIONS)
    earlier = f"{hidden:,} earlier: --since DAY, --client NAME or --kind KIND shows others" if hidden else ""
    lines = ["\n".join(_audit_lines(row, details=False)) for row in decisions[-MOST_DECISIONS:]]
    return Group(*(Text(line) for line in lines), *(Text(line, "dim") for line in (earlier, more) if line))


def _audit_lines(row: dict[str, Any], *, details: bool) -> list[str]:
    """Lines of one audit row."""
    about = ", ".join(filter(None, (row["dataset"], _client(row["client"]))))
    by = ACCOUNT_NAMES.get(row["by"], row["by"])
    head = f"{row['sequence']}  {timestamp_text(row['at'])}  {row['told']}  {about}  by {by}"
    fields = {
        "price": _price(row),
        "windows": "" if row["windows"] == [FOREVER] and not details else windows_text(row["windows"]),
        "versions": row["versions"] if details else "",
        "why": row["reason"],
    }
    lines = [f"    {name}: {text}" for name, text in fields.items() if text]
    sql = " ".join(str(row.get("sql") or "").split())
    questions = [f"    {printable(sql)}"] if sql else []
    if details or not sql:
        questions += [f"    canonical: {printable(question)}" for question in row["questions"]]
    return [head.replace("    ", "  "), *questions, *lines]


def _client(name: str | None) -> str | None:
    """Client of an audit row in words."""
    return ACCOUNT_NAMES.get(name, f"client {name}") if name else None


def _price(row: dict[str, Any]) -> str | None:
    """Price of an audit row, as rho and delta."""
    if row["rho"] is None:
        return None
    return f"rho {rho_text(row['rho'])}" + (f", delta {delta_text(row['delta'])}" if row["delta"] else "")


def _cap(cap: float | None) -> str:
    """Cap in rho; a dash without a cap."""
    return NO_LIMIT if cap is None else rho_text(cap)


BAR = 30  # characters of the longest bar


def show_calibration(histograms: Sequence[dict[str, Any]]) -> RenderableType:
    """Every histogram of a calibration, with bars."""
    if not histograms:
        return Text("No calibration is in force: the clip bounds of the catalog are used.")
    shown, measured = list[RenderableType](), ""
    for each in histograms:
        when = f"Measured{in_window(each['window'])} on {each['made_on']}; holds until {each['expires_on']}"
        if when != measured:
            shown += [Text(when), Text()]
        shown += [_histogram(each), Text()]
        measured = when
    return Group(*shown)


def in_window(window: str) -> str:
    """Name a window where a dataset has several."""
    return "" if window == FOREVER else f" in {window}"


def summarize_calibration(calibration: dict[str, Any]) -> Text:
    """Summary of a calibration in a few lines: what was measured, and until when it is used."""
    histograms = calibration["histograms"]
    lines = [
        (
            f"Measured: {calibration['dataset']}{in_window(calibration['window'])};"
            f" it holds until {histograms[0]['expires_on']}."
        )
    ]
    for table, count in Counter(each["table"] for each in histograms).items():
        empty = sum(each["table"] == table and _is_empty(each) for each in histograms)
        clear = f", {empty:,} of them not above the noise" if empty else ""
        lines.append(f"  {table}: {count:,} histogram{'s' * (count != 1)}{clear}")
    lines.append("All of them, and the bounds that follow: --details here, or passersby catalog calibration.")
    return Text("\n".join(lines))


def _is_empty(histogram: dict[str, Any]) -> bool:
    """Return whether nothing of a histogram is distinguishable from noise: no bin, mean or slope."""
    return not histogram["bins"] and all(histogram.get(k) is None for k in ("usual_value", "lean", "measured_bounds"))


def _histogram(histogram: dict[str, Any]) -> RenderableType:
    """One histogram with its bars, or the mean or slope it measured."""
    keys = f"by {', '.join(histogram['keys'])}" if histogram["keys"] else "in all"
    what = histogram["kind"] if histogram["column"] is None else f"{histogram['kind']}({histogram['column']})"
    name = (f"{histogram['table']}: {what} {keys}", "bold")
    head = Text.assemble(name, f"  people ± {2 * histogram['sigma']:.0f}, by contribution (L2)")
    if histogram.get("lean") is not None:
        change = (
            f"  where people have 2.7 times as many rows, their mean differs by some {rough_text(histogram['lean'])},"
            " or less"
        )
        return Group(Text.assemble(name), Text(change))
    if (bounds := histogram.get("measured_bounds")) is not None:
        return Group(
            Text.assemble(name),
            Text(f"  values are clamped to {rough_text(bounds[0], 6)} to {rough_text(bounds[1], 6)}"),
        )
    if histogram["kind"] == "means":
        found = histogram.get("usual_value")
        about = (
            "nothing stands out from the noise" if found is None else f"averages are taken about {rough_text(found, 3)}"
        )
        return Group(Text.assemble(name), Text(f"  {about}"))
    most = max((each["people"] for each in histogram["bins"]), default=1)
    bars = [
        Text.assemble(
            f"  below {rough_text(each['norm'], 3):>10}  ",
            ("█" * max(1, round(each["people"] / most * BAR)) if each["people"] else "", "cyan"),
            f" {each['people']:,}",
        )
        for each in histogram["bins"]
    ]
    return Group(
        head,
        *(bars or [Text("  nothing stands out from the noise: the clip bounds of the catalog are used")]),
        *_typical_bounds(histogram),
    )


def _typical_bounds(histogram: dict[str, Any]) -> list[RenderableType]:
    """Clip bound of a typical query at the default price, next to half and twice that bound, for a usual group."""
    usual = histogram["usual"]
    if usual is None or not usual["choices"]:
        return []
    is_corrected = any(each.get("off") is not None for each in usual["choices"])
    heads = ("clipped at", "noise", "clipped off", "corrected to within" if is_corrected else "", "")
    table = Table.grid(padding=(0, 3, 0, 0))
    for place in range(len(heads)):
        table.add_column(justify="left" if place == len(heads) - 1 else "right", style="dim", no_wrap=True)
    table.add_row(*(f"    {head}" if place == 0 else head for place, head in enumerate(heads)))
    for each in usual["choices"]:
        off, chosen = each.get("off"), "chosen" if each["chosen"] else ""
        if chosen and off is None:
            chosen += f": {percent(round(usual['predicted_bias'], 3))} of the total"
        numbers = (rough_text(each["norm"], 3), f"± {rough_text(each['noise'])}", rough_text(-each["bias"]))
        table.add_row(*numbers, "" if off is None else f"± {rough_text(off)}", chosen)
    return [Text(f"  a usual group of {usual['sql']}", "dim"), table]
