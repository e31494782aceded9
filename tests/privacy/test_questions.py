"""What analysts of the operator ask, whole files of questions: exact answers are plain DuckDB's."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.catalogs import PROJECT, find_catalog
from tests.support.oracle import Oracle

FILES = [folder / "shared" / "questions" / "questions.sql" for folder in (PROJECT.parent, Path.cwd().parent)]
FILE = next((file for file in FILES if file.is_file()), None)
WITHIN = {"Q07": 1440 / 128}  # quartiles are read from a histogram: one bin of dwell_min
FEWEST = 20


def _questions() -> dict[str, str]:
    """Read the statements of the file, by their numbers."""
    found: dict[str, str] = {}
    for text in re.split(r";\s*\n", FILE.read_text(encoding="utf-8")) if FILE is not None else ():
        number = re.search(r"^-- (Q\d+)", text, re.MULTILINE)
        sql = "\n".join(line for line in text.splitlines() if not line.startswith("--")).strip()
        if number is not None and sql:
            found[number[1]] = sql
    return found


QUESTIONS = _questions()
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
    verdict = oracle.ask(QUESTIONS[number], within=WITHIN.get(number, 0.0))
    assert verdict.difference is None
    assert not verdict.plain_raised and verdict.apart == 0
