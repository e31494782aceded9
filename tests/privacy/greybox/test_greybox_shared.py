"""Two readings of the same rows in one question: one person moves no shared vector further than was declared."""

from __future__ import annotations

import os
import re

import duckdb
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from dialect import compile_query
from dialect.catalog.model import Catalog
from tests.support.greybox.greybox import GreyBox
from tests.support.greybox.greybox_data import Database, declared_as, make_worlds
from tests.support.greybox.greybox_questions import databases, questions

EXAMPLES = 10_000 if os.environ.get("PASSERSBY_NIGHTLY") else 20
PARTS = re.compile(r"SELECT (WITH DIFFERENTIAL_PRIVACY OPTIONS\(.*?\) )?(.*)", re.DOTALL)


def both(one: str, other: str) -> str:
    """Two queries side by side, under the clause of the first."""
    first, second = PARTS.fullmatch(one), PARTS.fullmatch(other)
    assert first is not None and second is not None
    return f"SELECT {first[1] or ''}* FROM (SELECT {first[2]}) AS one CROSS JOIN (SELECT {second[2]}) AS other"


@st.composite
def twice(draw: st.DrawFn) -> str:
    """Read the rows of a question again for a number of its own, in the same groups."""
    asked = draw(questions())
    number = draw(st.sampled_from(("COUNT(*)", "COUNT(*) FILTER (WHERE TRUE)", "SUM(1)", "AVG(2)")))
    again = re.sub(r"^SELECT ", f"SELECT {number} AS beside, ", PARTS.sub(r"SELECT \2", asked))
    return both(asked, again)


def test_one_person_moves_nothing_further_than_declared(
    connection: duckdb.DuckDBPyConnection, catalog: Catalog
) -> None:
    seen: list[int] = []

    @settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
    @given(databases(), twice())
    def holds(database: Database, sql: str) -> None:
        note(sql)
        declared = declared_as(catalog, database.declared)
        seen.append(len(compile_query(sql, declared).plans))
        make_worlds(connection, database)
        GreyBox(connection, declared).check(sql)

    holds()
    assert seen.count(1) > len(seen) / 2  # most are one release
