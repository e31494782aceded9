"""Set operations and grouping sets of people's rows: one person moves no exact vector further than was declared."""

from __future__ import annotations

import os
import re

import duckdb
import pytest
from hypothesis import strategies as st

from dialect.catalog.model import Catalog
from tests.support.greybox.greybox import check_drawn
from tests.support.greybox.greybox_questions import questions
from tests.support.greybox.greybox_sets import GROUPED, SETS

EXAMPLES = 20_000 if os.environ.get("PASSERSBY_NIGHTLY") else 24


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
    check_drawn(connection, catalog, asked, examples)
