"""docs/refusals.md, written from the reviewed refusals: `make docs`."""

from __future__ import annotations

import re
from collections.abc import Iterator

from dialect.errors import Code
from tests.support.sql.sql_snapshots import Snapshot, snapshots
from tests.support.tree import ROOT

PATH = ROOT / "docs" / "refusals.md"
HEAD = """# Refusals

A refusal is decided from the SQL and the catalog alone, before anything is charged or read. It is free, and reveals
nothing. It has a code whose meaning never changes, the place in the SQL, the reason, and a line *Try:*. Where that line is a whole
question, it is accepted as it stands. It means the same as yours, unless a comment (` -- `) states what differs.
Replace `YOUR_MIN`, `YOUR_MAX`, `YOUR_START` and `YOUR_END` by values of your own.

The examples are written from the tests by `make docs`; there `events` and `subscribers` are private, `cells` and
`hours` public.
"""
MEANINGS = {
    Code.PARSE: "The text is not SQL, or a constant does not fit its type.",
    Code.COMPLEX: "The question is too long or too deep, or its work may exceed the limits.",
    Code.STMT: "Statements of this kind are not answered.",
    Code.TABLE: "There is no such table.",
    Code.COLUMN: "There is no such column, or more than one.",
    Code.PERSON_KEY: "The person key may only be counted, joined on and grouped by.",
    Code.FUNC: "The function, operator, type or form is not in the allow-list.",
    Code.AGG: "The aggregate is not in the allow-list here, or would show a stored value.",
    Code.ROWS: "People's rows would be shown.",
    Code.JOIN: "The join would match one person's rows with another's, or is not supported.",
    Code.KEY: "The group key has no public key set, and can't pass a threshold either.",
    Code.WINDOW: "The window function would look across people, or is not supported.",
    Code.SUBQUERY: "The subquery would let exact numbers of people choose rows, or can't stand there.",
    Code.BOUNDS: "The value has no ends that are known without data.",
    Code.SAMPLE: "Samples of people's rows are not supported.",
    Code.PARAM: "An option, level, limit or bound is out of range.",
}
NOT_YET = """## Refusals with a hint only

Here *Try* names the part of SQL to use, and is no whole question.

| code | why | Try |
|---|---|---|
"""
_WHOLE = re.compile(r"(?:SELECT|WITH|SHOW|DESCRIBE|EXPLAIN) (?!.*\.\.\.)")


def reviewed() -> list[Snapshot]:
    """Every reviewed refusal."""
    return [case for case in (*snapshots("read__refused"), *snapshots("refusals")) if case.outcome.startswith("E_")]


def document() -> str:
    """Write the page."""
    parts = [HEAD]
    for code in Code:
        example = next(case for case in reviewed() if case.outcome.startswith(f"{code}\n") and len(case.sql) < 100)
        parts.append(f"## `{code}`\n\n{MEANINGS[code]}\n\n```text\n{example.outcome}\n```\n")
    return "\n".join([*parts, NOT_YET + "\n".join(dict.fromkeys(_hints())) + "\n"])


def _hints() -> Iterator[str]:
    for case in sorted(reviewed(), key=lambda case: list(Code).index(Code(case.outcome.partition("\n")[0]))):
        *_, why, hint = case.outcome.splitlines()
        hint = hint.removeprefix("Try: ")
        if not _WHOLE.match(hint):
            yield f"| `{case.outcome.partition(chr(10))[0]}` | {_cell(why)} | {_cell(hint)} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("*", "\\*")
