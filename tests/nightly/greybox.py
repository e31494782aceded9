"""The grey box without end: databases, and several questions of each, in all pairs that three of its persons make.

An example is one question on one pair of neighbours; how many questions and databases there were is told beside.
"""

from __future__ import annotations

from collections import Counter
from functools import cache

import duckdb
from hypothesis import strategies as st

from dialect import Refusal
from dialect.catalog.model import Catalog
from tests.nightly.search import EXAMPLES, drawn
from tests.privacy.greybox import test_greybox_aggregates as aggregates
from tests.privacy.greybox import test_greybox_correlated as correlated
from tests.privacy.greybox import test_greybox_distinct_values as different_values
from tests.privacy.greybox import test_greybox_moments as moments
from tests.privacy.greybox import test_greybox_of_a_person as of_a_person
from tests.support.greybox.greybox import connect
from tests.support.greybox.greybox_cube import PERSONS, Cube
from tests.support.greybox.greybox_data import Database, declare, declared_as, make_worlds
from tests.support.greybox.greybox_movement import MOVEMENT
from tests.support.greybox.greybox_questions import CHOSEN, EVENTS, MARKS, OTHERS, databases, questions
from tests.support.greybox.greybox_sets import GROUPED, SETS
from tests.support.greybox.greybox_windows import windowed_questions

DATABASES = 8  # of a chunk
QUESTIONS = 8  # of a database
ASKED = (
    *(questions(EVENTS), questions(EVENTS), questions(OTHERS), questions(OTHERS)),
    *(questions(MARKS), questions(CHOSEN), aggregates.questions(), questions(MOVEMENT)),
    *(questions(correlated.TIED), different_values.questions(), moments.questions(), of_a_person.questions()),
    *(questions(SETS), questions(GROUPED), windowed_questions()),
)
Round = tuple[Database, list[str]]


def rounds(asked: tuple[st.SearchStrategy[str], ...] = ASKED) -> st.SearchStrategy[Round]:
    """Draw a database and questions of all kinds."""
    return st.tuples(
        databases(least=len(PERSONS) - 1), st.lists(st.one_of(*asked), min_size=QUESTIONS, max_size=QUESTIONS)
    )


@cache
def opened() -> tuple[duckdb.DuckDBPyConnection, Catalog]:
    """Open one connection and catalog for this process."""
    return connect(), declare()


def chunk(number: int, examples: int = DATABASES, *, smaller: bool = True) -> Counter[str]:
    """Check some databases and their queries against the declared bounds."""
    counted: Counter[str] = Counter()

    def look(one: Round) -> None:
        database, asked = one
        connection, catalog = opened()
        make_worlds(connection, database)
        cube = Cube(connection, declared_as(catalog, database.declared), database)
        counted["databases"] += 1
        for sql in dict.fromkeys(asked):
            try:
                pairs = cube.check_pairs(sql)
            except Refusal:
                counted["refused"] += 1
            else:
                counted["questions"] += 1
                counted[EXAMPLES] += pairs.checked
                counted["pairs that moved"] += pairs.changed

    drawn(rounds(), number, examples, look, smaller=smaller)
    return counted
