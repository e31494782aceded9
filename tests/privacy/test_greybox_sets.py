"""Set operations and grouping sets of people's rows: one person moves no exact vector further than was declared."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

import duckdb
import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from dialect.catalog import Catalog
from tests.support.greybox import GreyBox, connect
from tests.support.greybox_data import Database, declare, declared_as, make_worlds
from tests.support.greybox_questions import databases, questions
from tests.support.greybox_sets import GROUPED, SETS

EXAMPLES = 20_000 if os.environ.get("PASSERSBY_NIGHTLY") else 80


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with connect() as opened:
        yield opened


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return declare()


KEYS = re.compile(r" GROUP BY ([^()]*(?:\([^()]*\)[^()]*)*)$")
TOTALLED = questions(GROUPED).map(lambda sql: KEYS.sub(r" GROUP BY GROUPING SETS ((\1), ())", sql))


@pytest.mark.parametrize(
    ("asked", "examples"),
    [(questions(SETS), EXAMPLES), (questions(GROUPED), EXAMPLES // 4), (TOTALLED, EXAMPLES // 2)],
    ids=["set operations", "groups of sets of keys", "totals"],
)
def test_one_person_moves_nothing_further_than_declared(
    connection: duckdb.DuckDBPyConnection, catalog: Catalog, asked: st.SearchStrategy[str], examples: int
) -> None:
    @settings(max_examples=examples, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
    @given(databases(), asked)
    def holds(database: Database, sql: str) -> None:
        note(sql)
        make_worlds(connection, database)
        GreyBox(connection, declared_as(catalog, database.declared)).check(sql)

    holds()
