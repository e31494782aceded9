"""The tables of docs/server.md, from the code: settings, endpoints with their roles, codes."""

from __future__ import annotations

from collections import defaultdict

from engine.server.http.problems import STATUSES
from engine.server.http.roles import OPEN, RULES, Reach, Role
from engine.server.settings import PREFIX, Settings
from tests.support.greybox.marked import marked
from tests.support.tree import ROOT

PATH = ROOT / "docs" / "server.md"


def settings_table() -> str:
    """List every setting."""
    rows = ["| setting | variable | default | meaning |", "|---|---|---|---|"]
    for name, field in Settings.model_fields.items():
        default = (
            ""
            if field.default is None
            else f"`{str(field.default).lower() if field.default is False else field.default}`"
        )
        rows.append(f"| `{name}` | `{PREFIX}{name.upper()}` | {default} | {field.description} |")
    return "\n".join(rows)


def endpoints_table() -> str:
    """List every endpoint, and how far each role reaches."""
    rows = [f"| endpoint | {' | '.join(Role)} |", "|---|" + "---|" * len(Role)]
    for (method, path), rule in RULES.items():
        reaches = ["" if rule.reach(role) is Reach.NONE else str(rule.reach(role)) for role in Role]
        rows.append(f"| `{method} {path}` | {' | '.join(reaches)} |")
    opened = ", ".join(f"`{path}`" for _, path in sorted(OPEN))
    return "\n".join([*rows, "", f"Without a key: {opened}."])


def codes_table() -> str:
    """List the codes of each status."""
    found = defaultdict(list)
    for code, status in STATUSES.items():
        found[status].append(f"`{code}`")
    return "\n".join(["| status | codes |", "|---|---|", *(f"| {s} | {' '.join(found[s])} |" for s in sorted(found))])


TABLES = {"settings": settings_table, "endpoints": endpoints_table, "codes": codes_table}


def document() -> str:
    """Write the tables into a page, each behind its mark."""
    return marked(PATH.read_text(encoding="utf-8"), TABLES)
