"""What analysts of the operator ask, whole files of questions: exact answers are plain DuckDB's."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import pytest

from dialect import compile_query
from engine.catalog.bundled import find_catalog
from engine.pricing.compile_release import compile_release
from tests.support.sql.analysts import FILE, questions
from tests.support.sql.oracle import Oracle

WITHIN = {"Q07": 1440 / 128}  # quartiles are read from a histogram: one bin of dwell_min
# rows of one person at one moment are told apart as `tests.support.ties` says; plain DuckDB takes them as they come
TIES = {"Q32": ("WINDOW w AS (PARTITION BY subscriber_id ORDER BY ts)", "WINDOW w AS (PARTITION BY subscriber_id ORDER BY ts, tie(subscriber_id, cell_id), cell_id)")}  # fmt: skip
FEWEST = 20


QUESTIONS = questions()
needs_questions = pytest.mark.skipif(
    FILE is None, reason="the questions are absent: shared/questions beside the project"
)


@pytest.fixture(scope="module")
def oracle() -> Iterator[Oracle]:
    with Oracle(find_catalog("operator")) as opened:
        yield opened


@needs_questions
def test_the_file_has_its_questions() -> None:
    assert len(QUESTIONS) >= FEWEST and set(WITHIN) <= set(QUESTIONS)


@needs_questions
@pytest.mark.parametrize("number", sorted(QUESTIONS))
def test_an_exact_answer_is_duckdbs(number: str, oracle: Oracle) -> None:
    written, told_apart = TIES.get(number, ("", ""))
    assert written in QUESTIONS[number]
    instead = QUESTIONS[number].replace(written, told_apart) if written else None
    verdict = oracle.ask(QUESTIONS[number], instead, within=WITHIN.get(number, 0.0))
    assert verdict.difference is None
    assert not verdict.plain_raised and verdict.apart == 0


@needs_questions
@pytest.mark.parametrize("number", sorted(QUESTIONS))
def test_its_keys_are_few_enough_to_be_priced(number: str, oracle: Oracle) -> None:
    opened = oracle.exact[0]
    plans = compile_query(QUESTIONS[number], opened.catalog).plans
    assert all(
        compile_release(plan, opened.catalog, opened.backend, Fraction(1, 200)).cost.loss.pico_rho for plan in plans
    )
