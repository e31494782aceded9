"""Extreme statistics without end: a query answered in one database is answered in all, under every physical plan.

An example is one question over one database; it fails where the engine raises at all, since nothing of a question that was
accepted may.
"""

from __future__ import annotations

from collections import Counter

import duckdb
from hypothesis import strategies as st

from dialect import Catalog, Question, Refusal, compile_query
from dialect.algebra.release_plan import PrivatePlan
from dialect.postprocess import reads_single_groups
from engine.pricing.compile_release import CompiledRelease
from tests.nightly import greybox
from tests.nightly.search import EXAMPLES, drawn
from tests.support.greybox.greybox import GreyBox, UnexpectedChange
from tests.support.greybox.greybox_data import Database, Declared, declared_as, make_worlds
from tests.support.greybox.greybox_questions import declarations
from tests.support.sql.chained_questions import chained_questions, counted_chains
from tests.support.statistics.extreme_statistics import Few, few

CHAINED = 10  # of the kinds of questions that are drawn from, twice: more than all the others
ROUNDS = 3  # of a chunk
QUESTIONS, DATABASES = 12, 6  # of a round
ASKED = st.one_of(*(draw() for draw in (chained_questions, counted_chains) * CHAINED), *greybox.ASKED)
Round = tuple[Declared, list[str], list[Few]]


class OneWorld(GreyBox):
    """One world whose rows change under questions that are prepared once: nothing of that reads people's rows."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, catalog: Catalog) -> None:
        """Store the prepared queries."""
        super().__init__(connection, catalog)
        self._made: dict[int, tuple[PrivatePlan, CompiledRelease]] = {}

    def _prepared(self, plan: PrivatePlan, world: str, is_by_group: bool = False) -> CompiledRelease:
        if id(plan) not in self._made:
            self._made[id(plan)] = (plan, super()._prepared(plan, world, is_by_group))
        return self._made[id(plan)][1]

    def reads(self, sql: str) -> Question:
        """Read and prepare a question; raises Refusal."""
        question = compile_query(sql, self._catalog)
        is_by_group = reads_single_groups(question)
        for plan in question.plans:
            self._prepared(plan, "everybody", is_by_group)
        return question

    def answers(self, question: Question) -> None:
        """Run a question over the rows that are there now; raises UnexpectedChange where the engine raises."""
        self._keys.clear()
        self.run(question, "everybody", 1)


def chunk(
    number: int, rounds: int = ROUNDS, asked: st.SearchStrategy[str] = ASKED, *, smaller: bool = True
) -> Counter[str]:
    """Run drawn questions, each over a few databases."""
    counted: Counter[str] = Counter()

    def look(one: Round) -> None:
        declared, texts, databases = one
        connection, catalog = greybox.opened()
        make_worlds(connection, Database((), ()))
        box = OneWorld(connection, declared_as(catalog, declared))
        questions = [question for sql in dict.fromkeys(texts) if (question := _read(box, sql, counted))]
        for database in databases:
            database.make(connection)
            for question in questions:
                _answer(box, question, database)
                counted[EXAMPLES] += 1

    drawn(_rounds(asked), number, rounds, look, smaller=smaller)
    return counted


def _rounds(asked: st.SearchStrategy[str]) -> st.SearchStrategy[Round]:
    texts = st.lists(asked, min_size=QUESTIONS, max_size=QUESTIONS)
    return st.tuples(declarations(), texts, st.lists(few(), min_size=DATABASES, max_size=DATABASES))


def _read(box: OneWorld, sql: str, counted: Counter[str]) -> Question | None:
    try:
        question = box.reads(sql)
    except Refusal:
        counted["refused"] += 1
        return None
    counted["questions"] += 1
    return question


def _answer(box: OneWorld, question: Question, database: Few) -> None:
    try:
        box.answers(question)
    except UnexpectedChange as moved:
        failed = moved.__context__ and moved.__context__.__context__
        moved.add_note(f"{type(failed).__name__}: {str(failed).splitlines()[:1]}\nover {database}")
        raise
