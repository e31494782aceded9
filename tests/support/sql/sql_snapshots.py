"""SQL snapshot tests: each query under its title, its reviewed output in comments below.

`pytest --update` rewrites the outputs; a reviewer then reads the difference.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.support.tree import ROOT

_TITLE = "# title: "


@dataclass(frozen=True)
class Snapshot:
    """One query with its reviewed output."""

    title: str
    sql: str
    outcome: str


def snapshots(file: str) -> list[Snapshot]:
    """Read tests/sql/<file>.sql."""
    text = (ROOT / "tests" / "sql" / f"{file}.sql").read_text(encoding="utf-8")
    found = []
    for block in text.split(_TITLE)[1:]:
        title, _, rest = block.partition("\n")
        sql, _, comments = rest.partition(";\n")
        outcome = "\n".join(line[2:] for line in comments.splitlines() if line.startswith("#"))
        found.append(Snapshot(title, sql, outcome.strip("\n")))
    assert len({each.title for each in found}) == len(found), f"a title stands twice in {file}.sql"
    return found


def update(file: str, outcome_of: Callable[[str], str]) -> None:
    """Rewrite every output."""
    path = ROOT / "tests" / "sql" / f"{file}.sql"
    head = path.read_text(encoding="utf-8").split(_TITLE)[0]
    blocks = []
    for each in snapshots(file):
        comments = "\n".join(f"# {line}".rstrip() for line in outcome_of(each.sql).splitlines())
        blocks.append(f"{_TITLE}{each.title}\n{each.sql};\n{comments}\n")
    path.write_text(head + "\n".join(blocks), encoding="utf-8")
