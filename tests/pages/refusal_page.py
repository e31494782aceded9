"""docs/refusals.md, written from the reviewed refusals: `make docs`."""

from __future__ import annotations

import re
from collections.abc import Iterator

from dialect.errors import Code
from tests.support.sql.sql_snapshots import Snapshot, snapshots
from tests.support.tree import ROOT

PATH = ROOT / "docs" / "refusals.md"
HEAD = """# Refusals

What is refused, and in which words; written from the reviewed refusals by `make docs`. A refusal is decided from the
text and the catalog alone, before anything is charged or read: it costs nothing and says nothing about anybody. It has
a code whose meaning never changes, the place in your text, one sentence why, and a line *Try:*. Where that line is a
whole question it was tried before you see it: it is accepted as it stands, and means the same as yours. Where its
answer means something else, a comment behind ` -- ` states what differs. `YOUR_MIN`, `YOUR_MAX`, `YOUR_START` and
`YOUR_END` stand for values that you choose: a question that still holds one is refused. The examples are over the
tables of the tests: `events` and `subscribers` are private, `cells` and `hours` public.
"""
MEANINGS = {
    Code.PARSE: "The text is no SQL, or a constant in it is none of its type.",
    Code.COMPLEX: "The question is too long, too deep, or its work could grow beyond the limits.",
    Code.STMT: "The statement is none that is answered.",
    Code.TABLE: "There is no such table, or something else stands in its place.",
    Code.COLUMN: "There is no such column here, or more than one.",
    Code.PERSON_KEY: "The person key is used for more than counting, joining and grouping.",
    Code.FUNC: "A function, operator, type or form of an expression is not in the dialect.",
    Code.AGG: "An aggregate is not in the dialect here, or would show a stored value.",
    Code.ROWS: "Rows of people would leave.",
    Code.JOIN: "A join would let one person's rows meet another's, or is not in the dialect.",
    Code.KEY: "A group key has no list of values that is known without data, and none that many people share.",
    Code.WINDOW: "A window function would look across people, or is not in the dialect.",
    Code.SUBQUERY: "A subquery would let exact numbers of people choose rows, or can't stand there.",
    Code.BOUNDS: "A value has no ends that are known without data.",
    Code.SAMPLE: "Rows of people would be sampled, or cut.",
    Code.PARAM: "An option, level, limit or bound is out of its range.",
}
NOT_YET = """## Not good yet

Behind these *Try* is a hint and no question that can be sent as it is: the part of SQL to look at, and no more. They
are listed so that nobody takes them for rewrites.

| code | why | Try |
|---|---|---|
"""
_WHOLE = re.compile(r"(?:SELECT|WITH|SHOW|DESCRIBE|EXPLAIN) (?!.*\.\.\.)")


def reviewed() -> list[Snapshot]:
    """Give every reviewed refusal."""
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
