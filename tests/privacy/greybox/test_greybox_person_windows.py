"""Neighbours that differ in one person's rows of one window: what is not charged moves nothing, what is moves little.

The short form draws 18 databases for each length of windows, always the same ones; the long form 20,000 new ones. Bugs that
were planted are caught by databases of their own, in test_person_windows_planted.py.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator

import duckdb
import pytest
from hypothesis import HealthCheck, given, note, settings

from dialect.catalog.privacy_windows import PrivacyWindow
from dialect.errors import Refusal
from tests.support.greybox.greybox import connect
from tests.support.neighbours.window_questions import data, fill_dates, questions
from tests.support.neighbours.window_worlds import Data, Worlds

EXAMPLES = 20_000 if os.environ.get("PASSERSBY_NIGHTLY") else 40
LENGTHS = (PrivacyWindow.MONTH, PrivacyWindow.WEEK, PrivacyWindow.DAY)


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with connect() as opened:
        yield opened


@pytest.mark.parametrize("window", LENGTHS)
def test_one_person_in_one_window_moves_no_vector_further_than_declared(
    connection: duckdb.DuckDBPyConnection, window: PrivacyWindow
) -> None:
    met: Counter[str] = Counter()

    @settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
    @given(data(), questions())
    def holds(given_data: Data, asked: str) -> None:
        sql = fill_dates(asked, window)
        note(sql)
        worlds = Worlds(connection, window, given_data)
        try:
            question = worlds.check(sql)
        except Refusal as refused:
            met[f"refused {refused.code}"] += 1
            return
        for plan in question.plans:
            kind = (
                "crossing"
                if plan.charged_windows.is_crossing
                else "several"
                if plan.charged_windows.window_field is not None
                else "one"
            )
            met[kind] += 1

    holds()
    accepted = met["crossing"] + met["several"] + met["one"]
    assert min(met["crossing"], met["several"], met["one"]) >= max(1, EXAMPLES // 50), met
    assert accepted >= EXAMPLES // 2, met
