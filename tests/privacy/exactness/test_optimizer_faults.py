"""Regression: an optimizer pass failed on some stored values, so one person's value decided whether a query failed."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest
from hypothesis import strategies as st

from dialect.catalog.model import Catalog
from engine.backends.lockdown import LOCKDOWN_SETTINGS
from tests.nightly import extremes, greybox
from tests.support.greybox.greybox import UnexpectedChange, check_on, connect
from tests.support.greybox.greybox_data import VICTIM, Database, Declared, Run, Subscriber
from tests.support.sql.chained_questions import MARKS, SUBSCRIBERS, counted_chains

# nobody else's gender is at or beyond 'Z1': without the victim DuckDB knows that the LEFT JOIN meets nothing
DATA = Database(
    (Run("1"),),
    (Subscriber(VICTIM, gender="'Z1'"), Subscriber(1, gender="'m'"), Subscriber(2, gender="'f'")),
    ((0, "1", 1),),
    Declared(max_rows=1, consent=False),
)
SQL = """SELECT COUNT(*) FROM visits v JOIN subscribers s ON v.subscriber_id = s.subscriber_id WHERE EXISTS (
 SELECT 1 FROM subscribers t LEFT JOIN marks m ON m.subscriber_id = t.subscriber_id AND t.gender = 'Z1'
 JOIN marks n ON t.subscriber_id = n.subscriber_id WHERE t.subscriber_id = s.subscriber_id)"""
# rounds whose databases are drawn, and then the question too: of rows of two tables in chains a few stumble
ASKED = {"of this question": (12, st.just(SQL)), "of chains": (400, counted_chains((SUBSCRIBERS, MARKS)))}


@pytest.fixture
def apart() -> Iterator[duckdb.DuckDBPyConnection]:
    with connect() as opened:
        yield opened


def test_no_persons_value_decides_whether_a_question_fails(apart: duckdb.DuckDBPyConnection, catalog: Catalog) -> None:
    check_on(apart, catalog, DATA, SQL)


@pytest.fixture
def stumbling(apart: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """Plant it: DuckDB 2.0.1 pulls projections up. Once nothing is found, the pass may be turned on again."""
    without = [name for name in LOCKDOWN_SETTINGS["disabled_optimizers"].split(",") if name != "projection_pullup"]
    apart.execute(f"SET disabled_optimizers = '{','.join(without)}'")
    return apart


def test_the_pass_that_stumbles_is_found(stumbling: duckdb.DuckDBPyConnection, catalog: Catalog) -> None:
    with pytest.raises(UnexpectedChange, match="makes the engine raise"):
        check_on(stumbling, catalog, DATA, SQL)


@pytest.mark.parametrize(("rounds", "asked"), ASKED.values(), ids=ASKED)
def test_the_long_search_finds_it(
    rounds: int,
    asked: st.SearchStrategy[str],
    stumbling: duckdb.DuckDBPyConnection,
    catalog: Catalog,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(greybox, "opened", lambda: (stumbling, catalog))
    with pytest.raises(UnexpectedChange, match="makes the engine raise"):
        extremes.chunk(1, rounds, asked, smaller=False)
