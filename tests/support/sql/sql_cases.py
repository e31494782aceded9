"""SQL test files: queries, each under its title."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tests.support.tree import ROOT

_NOTE = re.compile(r"^# (title|instead|because|zone|world|within): (.*)$")


@dataclass(frozen=True)
class SqlCase:
    """One query of a file."""

    file: str
    title: str
    sql: str
    instead: str | None = None  # text for plain DuckDB if the answer differs on purpose
    because: str | None = None  # the purpose
    zone: str | None = None  # the session's time zone of plain DuckDB
    world: str | None = None  # world of the query, if not the file's
    within: str | None = None  # tolerance of a number: the bin width of a histogram


def sql_cases(file: str) -> list[SqlCase]:
    """Read the queries of tests/sql/<file>.sql; a note continues in lines that begin with `#   `."""
    notes: dict[str, str] = {}
    lines: list[str] = []
    cases: list[SqlCase] = []
    last = ""
    for line in (ROOT / "tests" / "sql" / f"{file}.sql").read_text(encoding="utf-8").splitlines():
        if note := _NOTE.match(line):
            last = note[1]
            notes[last] = note[2]
        elif line.startswith("#   ") and last:
            notes[last] += "\n" + line[4:]
        elif line.startswith("#"):
            last = ""
        elif line.strip():
            lines.append(line)
            if line.rstrip().endswith(";"):
                cases.append(SqlCase(file, notes.pop("title"), "\n".join(lines).rstrip("; "), **notes))
                notes, lines = {}, []
    assert not lines, f"{file}.sql ends without a semicolon"
    assert len({case.title for case in cases}) == len(cases), f"a title stands twice in {file}.sql"
    return cases
