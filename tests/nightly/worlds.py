"""Two worlds without end: generated queries, with the victim and without; each answered one is an example."""

from __future__ import annotations

import atexit
from collections import Counter
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from engine import Session
from tests.nightly.search import EXAMPLES, drawn
from tests.support.greybox.greybox_questions import questions
from tests.support.neighbours.drawn_worlds import SOURCES, check_drawn_query, open_drawn
from tests.support.neighbours.newer_worlds import NEWER
from tests.support.neighbours.two_worlds import ANSWERED, open_worlds
from tests.support.sql.sql_grammar import Round, rounds

ADVERSARIAL = 30  # questions of a chunk over the adversarial catalog
NEWER_QUESTIONS = 20  # and of windows, sets, movements and their kind
DATABASES = 2  # and databases drawn, with 25 questions each


@cache
def adversarial() -> dict[str, Session]:
    """Open the adversarial worlds once for this process."""
    opened = ExitStack()
    atexit.register(opened.close)
    worlds = opened.enter_context(open_worlds(Path(opened.enter_context(TemporaryDirectory()))))
    return {world: worlds[world] for world in ("D'", "D", "heavy", "refused")}


def run_case(sql: str, worlds: dict[str, Session], counted: Counter[str]) -> None:
    """Run one query in its worlds, and count its outcome."""
    told = check_drawn_query(sql, worlds)
    answered = told.outcome == ANSWERED
    counted[EXAMPLES if answered else "refused"] += 1
    counted["with all rows public"] += answered and "rows" in told.static["first"]


def chunk(
    number: int,
    adversarial_questions: int = ADVERSARIAL,
    databases: int = DATABASES,
    newer: int = NEWER_QUESTIONS,
    *,
    smaller: bool = True,
) -> Counter[str]:
    """Run queries over the adversarial catalog and over databases of their own."""
    counted: Counter[str] = Counter()

    def look(one: Round) -> None:
        database, questions_of_it = one
        if len(set(questions_of_it)) == 1:
            return
        with TemporaryDirectory() as folder, open_drawn(Path(folder), database) as worlds:
            for sql in dict.fromkeys(questions_of_it):
                run_case(sql, worlds, counted)

    for sources, examples in ((SOURCES, adversarial_questions), (NEWER, newer)):
        if examples:
            drawn(
                questions(sources), number, examples, lambda sql: run_case(sql, adversarial(), counted), smaller=smaller
            )
    drawn(rounds(), number, 1 + databases, look, smaller=False)  # the first is the plainest
    return counted
