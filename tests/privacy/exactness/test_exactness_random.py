"""Questions drawn at random over databases drawn at random: what is accepted is answered as plain DuckDB answers it.

A round is one database and 25 questions, read at 1 and at 4 threads. The short form has 12 rounds, always the same; the
long form, PASSERSBY_NIGHTLY=1, has 1,000 new ones. What was found stays as SQL: tests/sql/exact_*.sql.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from tempfile import mkdtemp

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from dialect import Refusal
from tests.support.plugins.recorded_counts import QUESTIONS
from tests.support.sql.oracle import Oracle
from tests.support.sql.sql_grammar import Round, as_plain, rounds
from tests.support.sql.sql_sets import SetSources
from tests.support.worlds import write_world

NIGHTLY = bool(os.environ.get("PASSERSBY_NIGHTLY"))
ROUNDS = 800 if NIGHTLY else 3
SET_ROUNDS = 200 if NIGHTLY else 2  # of set operations of people's rows
LEAST_ACCEPTED = 0.6
THREADS = (1, 4)


@pytest.mark.parametrize("number", range(ROUNDS))
def test_an_accepted_question_is_answered_as_plain_duckdb_answers_it(
    number: int, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    _rounds(number, tmp_path, record_property, rounds())


@pytest.mark.parametrize("number", range(SET_ROUNDS))
def test_a_query_over_set_operations_is_answered_as_by_plain_duckdb(
    number: int, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    _rounds(number, tmp_path, record_property, rounds(SetSources))


def _rounds(
    number: int, tmp_path: Path, record_property: Callable[[str, object], None], drawing: st.SearchStrategy[Round]
) -> None:
    drawn = int.from_bytes(os.urandom(8), "big") if NIGHTLY else number
    counted: Counter[str] = Counter()
    # Hypothesis tries the plainest round first, which is no new one; a failing question is short as it is
    once = settings(max_examples=2, phases=(Phase.generate,), database=None, suppress_health_check=list(HealthCheck))

    @seed(drawn)
    @once
    @given(drawing)
    def ask(one: Round) -> None:
        if len(set(one[1])) > 1:
            _ask(one, Path(mkdtemp(dir=tmp_path)), counted, drawn)

    ask()
    record_property(QUESTIONS, dict(counted))
    assert counted["accepted"] > LEAST_ACCEPTED * counted["asked"] > 0


def _ask(one: Round, folder: Path, counted: Counter[str], drawn: int) -> None:
    database, asked = one
    with Oracle(write_world(folder, database.statements, database.catalog), THREADS) as oracle:
        for sql in dict.fromkeys(asked):
            counted["asked"] += 1
            try:
                verdict = oracle.ask(sql, as_plain(sql), database.time_zone)
            except Refusal:
                continue
            counted["accepted"] += 1
            counted["apart"] += bool(verdict.apart or verdict.plain_raised)
            where = f"round {drawn}, DuckDB's clock in {database.time_zone}\n{database.statements}\n{database.catalog}"
            assert verdict.difference is None, f"{verdict.difference}\n{sql}\n{where}"
