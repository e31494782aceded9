"""The grey box over people's own coordinates, whose cells and polygons the engine makes in each world for itself."""

from __future__ import annotations

from collections import Counter
from functools import cache

import duckdb
from hypothesis import strategies as st

from dialect import Refusal
from dialect.catalog.model import Catalog
from tests.nightly.search import EXAMPLES, drawn
from tests.support.greybox.greybox import GreyBox, connect
from tests.support.greybox.greybox_places import Sight, databases, declare, make_worlds, open_worlds, questions

DATABASES = 12  # of a chunk
QUESTIONS = 8  # of a database
Round = tuple[tuple[Sight, ...], list[str]]


@cache
def opened() -> tuple[duckdb.DuckDBPyConnection, Catalog]:
    """Open one connection and catalog of places for this process."""
    connection, catalog = connect(), declare()
    open_worlds(connection, catalog)
    return connection, catalog


def chunk(number: int, examples: int = DATABASES, *, smaller: bool = True) -> Counter[str]:
    """Check some databases of sightings and their queries against the declared bounds."""
    counted: Counter[str] = Counter()

    def look(one: Round) -> None:
        sights, asked = one
        connection, catalog = opened()
        make_worlds(connection, catalog, sights)
        box = GreyBox(connection, catalog)
        for sql in dict.fromkeys(asked):
            try:
                box.check(sql)
            except Refusal:
                counted["refused"] += 1
            else:
                counted[EXAMPLES] += 1

    rounds = st.tuples(databases(), st.lists(questions(), min_size=QUESTIONS, max_size=QUESTIONS))
    drawn(rounds, number, examples, look, smaller=smaller)
    return counted
